package agent

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Counters count since the start. Each credential request is counted once, in one of the first six.
type Counters struct {
	Hit       atomic.Int64 // answered from the cache
	Miss      atomic.Int64 // asked EKS Auth and got credentials
	Joined    atomic.Int64 // waited for the answer to somebody else's question, and got credentials
	Refused   atomic.Int64 // refused by the agent: wrong host, no token, not a token, spent token, not a pod of this node
	Throttled atomic.Int64 // refused by the agent: too many requests
	Failed    atomic.Int64 // refused by EKS Auth, or not answered

	Renewed         atomic.Int64 // in the background
	RenewalsRefused atomic.Int64 // and the entry was dropped
	RenewalsFailed  atomic.Int64 // and the entry was kept
	Evicted         atomic.Int64 // to make room, or because nobody needs it any more

	Ended     atomic.Int64 // of Refused: the pod ran here and has ended
	Elsewhere atomic.Int64 // of Refused: the pod is on another node
	Absent    atomic.Int64 // of Refused: the API server knows no such pod, or it has ended

	EventsWritten atomic.Int64
	EventsDropped atomic.Int64

	byStatus [600]atomic.Int64 // answers by HTTP status

	mu       sync.Mutex
	renewals map[renewalFailure]int64
}

// renewalFailure is how AWS's agent tells failed renewals apart.
type renewalFailure struct {
	kind string // Recoverable or NonRecoverable
	code string
}

// maxCodes bounds the names that come from the service and become labels.
const maxCodes = 32

func (c *Counters) answered(status int) {
	if status > 0 && status < len(c.byStatus) {
		c.byStatus[status].Add(1)
	}
}

func (c *Counters) renewalFailed(err error) {
	f := renewalFailure{"Recoverable", "Unknown"}
	if r, ok := errors.AsType[*refusal](err); ok {
		f.code = r.code
	}
	if final(err) {
		f.kind = "NonRecoverable"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.renewals == nil {
		c.renewals = make(map[renewalFailure]int64)
	}
	if _, known := c.renewals[f]; !known && len(c.renewals) >= maxCodes {
		f.code = "Unknown"
	}
	c.renewals[f]++
}

// gauges are the numbers that are not counted but are so now.
type gauges struct {
	sessions, pods int
	watching       bool
}

// writeTo writes the counters in the text format that Prometheus reads: ours, then those of AWS's agent under AWS's names and
// with AWS's meaning, for dashboards that are there already. spec: pod-identity.md 4.6
func (c *Counters) writeTo(w io.Writer, g gauges) error {
	p := &page{w: w}
	p.family("podid_agent_requests_total", "counter", "Credential requests by how they ended.")
	for _, s := range []struct {
		result string
		n      *atomic.Int64
	}{{"hit", &c.Hit}, {"miss", &c.Miss}, {"joined", &c.Joined}, {"refused", &c.Refused}, {"throttled", &c.Throttled}, {"failed", &c.Failed}} {
		p.sample(s.n.Load(), "result", s.result)
	}
	p.family("podid_agent_pod_refusals_total", "counter", "Credential requests refused by the agent because of their pod.")
	p.sample(c.Ended.Load(), "reason", "ended")
	p.sample(c.Elsewhere.Load(), "reason", "elsewhere")
	p.sample(c.Absent.Load(), "reason", "absent")
	p.family("podid_agent_renewals_total", "counter", "Renewals in the background by how they ended.")
	p.sample(c.Renewed.Load(), "result", "renewed")
	p.sample(c.RenewalsRefused.Load(), "result", "refused")
	p.sample(c.RenewalsFailed.Load(), "result", "failed")
	p.family("podid_agent_evictions_total", "counter", "Sessions dropped from the cache.")
	p.sample(c.Evicted.Load())
	p.family("podid_agent_events_total", "counter", "Kubernetes events about refused pods.")
	p.sample(c.EventsWritten.Load(), "result", "written")
	p.sample(c.EventsDropped.Load(), "result", "dropped")
	p.family("podid_agent_sessions", "gauge", "Sessions in the cache.")
	p.sample(int64(g.sessions))
	p.family("podid_agent_pods", "gauge", "Pods of this node that run, as the API server last told.")
	p.sample(int64(g.pods))
	p.family("podid_agent_pods_watched", "gauge", "1 while the API server tells of the pods of this node.")
	p.sample(map[bool]int64{true: 1}[g.watching])
	c.writeAWS(p)
	return p.err
}

func (c *Counters) writeAWS(p *page) {
	p.family("pod_identity_http_response", "counter", "Answers to credential requests by HTTP status.")
	for status := range c.byStatus {
		if n := c.byStatus[status].Load(); n > 0 || status == http.StatusOK {
			p.sample(n, "code", strconv.Itoa(status))
		}
	}
	p.family("pod_identity_cache_state", "counter", "As AWS's agent counts: a hit is a renewal in the background.")
	p.sample(c.Renewed.Load(), "state", "hit")
	p.sample(c.Miss.Load(), "state", "miss")
	p.sample(c.Evicted.Load(), "state", "evicted")
	p.family("pod_identity_cache_errors", "counter", "Renewals that failed, by the error's name.")
	c.mu.Lock()
	failures := maps.Clone(c.renewals)
	c.mu.Unlock()
	byName := func(a, b renewalFailure) int { return strings.Compare(a.kind+a.code, b.kind+b.code) }
	for _, f := range slices.SortedFunc(maps.Keys(failures), byName) {
		p.sample(failures[f], "type", f.kind, "code", f.code)
	}
}

// page is a text for Prometheus in the making.
type page struct {
	w    io.Writer
	name string
	err  error
}

func (p *page) family(name, kind, help string) {
	p.name = name
	p.printf("# HELP %s %s\n# TYPE %[1]s %[3]s\n", name, help, kind)
}

// sample writes one line of the family; labels are names and values in turn.
func (p *page) sample(n int64, labels ...string) {
	var pairs []string
	for i := 0; i+1 < len(labels); i += 2 {
		pairs = append(pairs, fmt.Sprintf("%s=%q", labels[i], labels[i+1]))
	}
	text := ""
	if len(pairs) > 0 {
		text = "{" + strings.Join(pairs, ",") + "}"
	}
	p.printf("%s%s %d\n", p.name, text, n)
}

func (p *page) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
