package agent

import (
	"fmt"
	"io"
	"sync/atomic"
)

// Counters count since the start. Each credential request is counted once, in one of the first six.
type Counters struct {
	Hit       atomic.Int64 // answered from the cache
	Miss      atomic.Int64 // asked EKS Auth and got credentials
	Joined    atomic.Int64 // waited for the answer to somebody else's question, and got credentials
	Refused   atomic.Int64 // refused by the agent: wrong host, no token, not a token, spent token
	Throttled atomic.Int64 // refused by the agent: too many requests
	Failed    atomic.Int64 // refused by EKS Auth, or not answered

	Renewed         atomic.Int64 // in the background
	RenewalsRefused atomic.Int64 // and the entry was dropped
	RenewalsFailed  atomic.Int64 // and the entry was kept
	Evicted         atomic.Int64 // to make room, or because nobody needs it any more
}

// writeTo writes the counters in the text format that Prometheus reads.
func (c *Counters) writeTo(w io.Writer, entries int) error {
	_, err := fmt.Fprintf(w, `# HELP podid_agent_requests_total Credential requests by how they ended.
# TYPE podid_agent_requests_total counter
podid_agent_requests_total{result="hit"} %d
podid_agent_requests_total{result="miss"} %d
podid_agent_requests_total{result="joined"} %d
podid_agent_requests_total{result="refused"} %d
podid_agent_requests_total{result="throttled"} %d
podid_agent_requests_total{result="failed"} %d
# HELP podid_agent_renewals_total Renewals in the background by how they ended.
# TYPE podid_agent_renewals_total counter
podid_agent_renewals_total{result="renewed"} %d
podid_agent_renewals_total{result="refused"} %d
podid_agent_renewals_total{result="failed"} %d
# HELP podid_agent_evictions_total Sessions dropped from the cache.
# TYPE podid_agent_evictions_total counter
podid_agent_evictions_total %d
# HELP podid_agent_sessions Sessions in the cache.
# TYPE podid_agent_sessions gauge
podid_agent_sessions %d
`, c.Hit.Load(), c.Miss.Load(), c.Joined.Load(), c.Refused.Load(), c.Throttled.Load(), c.Failed.Load(),
		c.Renewed.Load(), c.RenewalsRefused.Load(), c.RenewalsFailed.Load(), c.Evicted.Load(), entries)
	return err
}
