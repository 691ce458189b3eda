package agent_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/podid/podid/internal/agent"
)

func TestMetricsAreOursAndAWSs(t *testing.T) {
	t.Parallel()
	up, api := &authService{}, newAPIServer()
	api.start("a")
	c := loopbackConfig(up)
	watched(t, api)(&c)
	c.ProbeAddress, c.MetricsAddress = freeAddress(t), freeAddress(t)
	c.AllowedHosts = append(c.AllowedHosts, agent.LinkLocalIPv4)
	s := newServer(t, c)
	start(t, s)
	await(t, c.ProbeAddress)
	token := podToken("a", time.Now().Add(time.Hour))
	ask(s, token)
	ask(s, token)
	ask(s, "")
	wants := []string{
		`podid_agent_requests_total{result="hit"} 1`, `podid_agent_requests_total{result="refused"} 1`,
		`podid_agent_pod_refusals_total{reason="ended"} 0`, `podid_agent_events_total{result="written"} 0`,
		"podid_agent_sessions 1", "podid_agent_pods 1", "podid_agent_pods_watched 1",
		"# TYPE pod_identity_http_response counter\n" + `pod_identity_http_response{code="200"} 2` + "\n" + `pod_identity_http_response{code="400"} 1`,
		`pod_identity_cache_state{state="miss"} 1`, "# TYPE pod_identity_cache_errors counter",
	}
	// The watch opens when it opens; all else is there at once.
	var text string
	for range 500 {
		text = scrape(t, c.MetricsAddress)
		if strings.Contains(text, "podid_agent_pods_watched 1") {
			break
		}
		<-time.After(10 * time.Millisecond)
	}
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if got := scrape(t, c.ProbeAddress); got != text {
		t.Errorf("the probe address says\n%s", got)
	}
}

func scrape(t *testing.T, address string) string {
	t.Helper()
	res, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
