package agent_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/agent"
)

func TestARefusedPodHasAnEvent(t *testing.T) {
	up, api := &authService{}, newAPIServer()
	api.start("a")
	running(t, up, watched(t, api), func(t *testing.T, s *agent.Server) {
		up.refuse(404, "ResourceNotFoundException", "no association")
		token := podToken("a", time.Now().Add(24*time.Hour))
		ask(s, token)
		synctest.Wait()
		got := api.written(t)
		if len(got) != 1 {
			t.Fatalf("%d events, want 1", len(got))
		}
		if name := got[0]["metadata"].(map[string]any)["name"].(string); !strings.HasPrefix(name, "a.") || len(name) != 18 {
			t.Errorf("the event's name is %q", name)
		}
		delete(got[0]["metadata"].(map[string]any), "name")
		want := map[string]any{
			"apiVersion": "events.k8s.io/v1", "kind": "Event",
			"metadata": map[string]any{"namespace": "default"}, "eventTime": "2000-01-01T00:00:00.000000Z",
			"reportingController": "podid.dev/agent", "reportingInstance": "worker-1",
			"action": "GetCredentials", "reason": "IdentityRefused", "type": "Warning",
			"regarding": map[string]any{"apiVersion": "v1", "kind": "Pod", "namespace": "default", "name": "a", "uid": "uid-a"},
			"note":      "[b69b1279]: (ResourceNotFoundException): no association, fault: client",
		}
		if diff := cmp.Diff(got[0], want); diff != "" {
			t.Errorf("event (-got +want):\n%s", diff)
		}
		for range 100 {
			ask(s, token)
		}
		synctest.Wait()
		if n := len(api.written(t)); n != 1 {
			t.Errorf("%d events after a hundred refusals more, want 1", n)
		}
		time.Sleep(5 * time.Minute)
		ask(s, token)
		synctest.Wait()
		got = api.written(t)
		if len(got) != 2 || !strings.HasSuffix(got[1]["note"].(string), "(and 100 times before, since the last event)") {
			t.Errorf("five minutes later: %v", got[1:])
		}
		up.refuse(400, "AccessDeniedException", "the role does not trust you")
		ask(s, token)
		synctest.Wait()
		if n := len(api.written(t)); n != 3 {
			t.Errorf("%d events, want one more for another reason", n)
		}
	})
}

func TestNoEventIsWritten(t *testing.T) {
	for name, c := range map[string]struct {
		pod  string
		code int
		text string
	}{
		"about a pod that is not here":      {"stranger", 404, "ResourceNotFoundException"},
		"about what the next try may solve": {"a", 500, "InternalServerException"},
		"about the node's own troubles":     {"a", 403, "AccessDeniedException"},
		"about too many requests":           {"a", 429, "ThrottlingException"},
	} {
		t.Run(name, func(t *testing.T) {
			up, api := &authService{}, newAPIServer()
			api.start("a")
			running(t, up, watched(t, api), func(t *testing.T, s *agent.Server) {
				up.refuse(c.code, c.text, "because")
				ask(s, podToken(c.pod, time.Now().Add(time.Hour)))
				synctest.Wait()
				if got := api.written(t); len(got) > 0 {
					t.Errorf("got %v", got)
				}
			})
		})
	}
}

func TestARenewalThatIsRefusedAndASpentTokenHaveEvents(t *testing.T) {
	up, api := &authService{}, newAPIServer()
	api.start("a")
	running(t, up, watched(t, api), func(t *testing.T, s *agent.Server) {
		token := podToken("a", time.Now().Add(24*time.Hour))
		wantSession(t, s, token, "ASIA1", "at first")
		up.refuse(404, "ResourceNotFoundException", "the association is gone")
		time.Sleep(3*time.Hour + time.Minute)
		synctest.Wait()
		got := api.written(t)
		if len(got) != 1 || !strings.Contains(got[0]["note"].(string), "the association is gone") {
			t.Fatalf("after the renewal: %v", got)
		}
		time.Sleep(21 * time.Hour)
		wantAnswer(t, s, token, 400, "token is expired", "spent")
		synctest.Wait()
		if got := api.written(t); len(got) != 2 || strings.Contains(fmt.Sprint(got), token[:60]) {
			t.Errorf("after the token was spent: %v", got)
		}
	})
}

func TestEventsNeverHoldUpAPod(t *testing.T) {
	up, api := &authService{}, newAPIServer()
	for i := range 200 {
		api.start(fmt.Sprint("a-", i))
	}
	running(t, up, watched(t, api), func(t *testing.T, s *agent.Server) {
		up.refuse(404, "ResourceNotFoundException", "no association")
		refuseAll := func() {
			start := time.Now()
			for i := range 200 {
				ask(s, podToken(fmt.Sprint("a-", i), time.Now().Add(time.Hour)))
			}
			if took := time.Since(start); took != 0 {
				t.Errorf("200 refusals took %v", took)
			}
		}
		refuseAll()
		time.Sleep(time.Second)
		synctest.Wait()
		if n := len(api.written(t)); n < 25 || n > 27 {
			t.Errorf("%d events in the first second, want 25", n)
		}
		time.Sleep(3 * time.Minute)
		count := s.Counters()
		if written, dropped := count.EventsWritten.Load(), count.EventsDropped.Load(); written+dropped != 200 || dropped == 0 {
			t.Errorf("%d written and %d dropped, want 200 in all", written, dropped)
		}
		api.goAway()
		before := count.EventsDropped.Load()
		time.Sleep(5 * time.Minute)
		refuseAll()
		time.Sleep(5 * time.Minute)
		if count.EventsDropped.Load()-before != 200 {
			t.Errorf("%d events dropped without an API server, want 200", count.EventsDropped.Load()-before)
		}
	})
}

// Whose token was refused is only claimed: nobody can fill another's pod with events, or use up the room for those of all others.
func TestAPodHasFewEvents(t *testing.T) {
	up, api := &authService{}, newAPIServer()
	api.start("a")
	api.start("b")
	running(t, up, watched(t, api), func(t *testing.T, s *agent.Server) {
		for i := range 50 {
			up.refuse(400, "InvalidTokenException", fmt.Sprint("forged ", i))
			ask(s, podToken("a", time.Now().Add(time.Hour)))
			time.Sleep(time.Second)
		}
		up.refuse(404, "ResourceNotFoundException", "no association")
		ask(s, podToken("b", time.Now().Add(time.Hour)))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		events := map[string]int{}
		for _, e := range api.written(t) {
			events[e["regarding"].(map[string]any)["name"].(string)]++
		}
		if events["a"] != 4 || events["b"] != 1 {
			t.Errorf("got %v", events)
		}
	})
}
