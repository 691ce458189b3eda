package agent_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/agent"
)

const endedText = "Service account token is of a pod that has ended\n"

func wantAnswer(t *testing.T, s *agent.Server, token string, status int, text, when string) {
	t.Helper()
	if w := ask(s, token); w.Code != status || !strings.Contains(w.Body.String(), text) {
		t.Errorf("%s: got %d %s, want %d %q", when, w.Code, w.Body, status, text)
	}
}

// here is a pod that podToken makes tokens of.
func here(pod string) (key string, p apiPod) {
	return "default/" + pod, apiPod{uid: "uid-" + pod, node: "worker-1", phase: "Running"}
}

func (a *apiServer) start(pod string) { key, p := here(pod); a.set(key, p, false) }

func TestAPodThatEndsIsRefusedAtOnce(t *testing.T) {
	up, api := &authService{}, newAPIServer()
	api.start("a")
	running(t, up, watched(t, api), func(t *testing.T, s *agent.Server) {
		expires := time.Now().Add(24 * time.Hour)
		a, renewed, b := podToken("a", expires), podToken("a", expires.Add(time.Hour)), podToken("b", expires)
		api.start("b")
		synctest.Wait()
		wantSession(t, s, a, "ASIA1", "a, listed")
		wantSession(t, s, renewed, "ASIA2", "a, with its next token")
		wantSession(t, s, b, "ASIA3", "b, watched")
		key, p := here("a")
		api.set(key, p, false) // it has a deletion timestamp, and its containers still run
		wantSession(t, s, a, "ASIA1", "a, terminating")
		api.remove(key, false)
		synctest.Wait()
		wantAnswer(t, s, a, 400, endedText, "a, gone")
		wantAnswer(t, s, renewed, 400, endedText, "a, gone, with its next token")
		wantAnswer(t, s, podToken("a", expires.Add(2*time.Hour)), 400, endedText, "a, gone, with a token never seen")
		wantSession(t, s, b, "ASIA3", "b")
		bKey, bPod := here("b")
		bPod.phase = "Succeeded"
		api.set(bKey, bPod, false)
		synctest.Wait()
		wantAnswer(t, s, b, 400, endedText, "b, run to its end")
		time.Sleep(7 * time.Hour)
		wantCalls(t, up, 3, "no renewals for the dead")
		if got := s.Counters().Ended.Load(); got != 4 {
			t.Errorf("%d refusals of ended pods counted, want 4", got)
		}
		if n := api.asked("GET /api/v1/namespaces/"); n != 0 {
			t.Errorf("%d questions about single pods, want none: the watch has told", n)
		}
	})
}

func TestAPodThatTheWatchHasNotShown(t *testing.T) {
	for name, c := range map[string]struct {
		key    string
		pod    apiPod
		status int
		text   string
	}{
		"runs here":               {"default/a", apiPod{"uid-a", "worker-1", "Running"}, 200, "ASIA1"},
		"is not there":            {"default/other", apiPod{"uid-a", "worker-1", "Running"}, 400, endedText},
		"is another of that name": {"default/a", apiPod{"uid-of-another", "worker-1", "Running"}, 400, endedText},
		"has failed":              {"default/a", apiPod{"uid-a", "worker-1", "Failed"}, 400, endedText},
		"is on another node":      {"default/a", apiPod{"uid-a", "worker-2", "Running"}, 400, `of a pod on node "worker-2", and this is node "worker-1"`},
	} {
		t.Run(name, func(t *testing.T) {
			up, api := &authService{}, newAPIServer()
			running(t, up, watched(t, api), func(t *testing.T, s *agent.Server) {
				api.set(c.key, c.pod, true)
				token := podToken("a", time.Now().Add(time.Hour))
				wantAnswer(t, s, token, c.status, c.text, "first")
				if n := api.asked("GET /api/v1/namespaces/default/pods/a"); n != 1 {
					t.Errorf("%d questions, want 1", n)
				}
				if c.status != http.StatusOK {
					wantCalls(t, up, 0, "refused here")
					return
				}
				wantAnswer(t, s, token, 200, c.text, "at once again")
				if n := api.asked("GET /api/v1/namespaces/"); n != 1 {
					t.Errorf("%d questions, want no second so soon", n)
				}
				// It ends without having been seen: the answer is not believed for ever.
				api.remove(c.key, true)
				time.Sleep(10 * time.Second)
				wantAnswer(t, s, token, 400, endedText, "ended unseen")
			})
		})
	}
}

func TestATokenFromAnotherNodeIsRefusedByItsClaim(t *testing.T) {
	up, api := &authService{}, newAPIServer()
	running(t, up, watched(t, api), func(t *testing.T, s *agent.Server) {
		token := strings.Split(podToken("a", time.Now().Add(time.Hour)), ".")
		claims, err := base64.RawURLEncoding.DecodeString(token[1])
		if err != nil {
			t.Fatal(err)
		}
		token[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(claims), "worker-1", "worker-2", 1)))
		api.goAway()
		wantAnswer(t, s, strings.Join(token, "."), 400, `of a pod on node "worker-2"`, "even without an API server")
		if got := s.Counters().Elsewhere.Load(); got != 1 {
			t.Errorf("%d counted, want 1", got)
		}
	})
}

func TestForgedClaimsReachNoOtherPath(t *testing.T) {
	for _, names := range [][2]string{
		{"kube-system/secrets", "a"},
		{"..", "a"},
		{"default", "../../secrets/a"},
		{"default", "a?watch=true"},
		{"default", "a%2f.."},
		{"", "a"},
		{"default", ""},
		{"default", ".."},
		{"Default", "a"},
		{strings.Repeat("a", 64), "a"},
		{"default", "a\n"},
	} {
		t.Run(fmt.Sprintf("%q", names), func(t *testing.T) {
			up, api := &authService{}, newAPIServer()
			running(t, up, watched(t, api), func(t *testing.T, s *agent.Server) {
				segment := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
				token := segment(`{"alg":"RS256"}`) + "." + segment(fmt.Sprintf(
					`{"kubernetes.io":{"namespace":%q,"pod":{"name":%q,"uid":"u"}}}`, names[0], names[1])) + ".x"
				wantAnswer(t, s, token, 400, "names no pod that could be", "forged")
				if n := api.asked("GET /api/v1/namespaces"); n != 0 {
					t.Errorf("the API server was asked %q", api.sent())
				}
			})
		})
	}
}

// Whoever forges another pod's UID into a token must not end that pod.
func TestForgedClaimsEndNobody(t *testing.T) {
	up, api := &authService{}, newAPIServer()
	running(t, up, watched(t, api), func(t *testing.T, s *agent.Server) {
		segment := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
		forged := segment(`{"alg":"RS256"}`) + "." + segment(`{"kubernetes.io":{"namespace":"default","pod":{"name":"ghost","uid":"uid-a"}}}`) + ".x"
		wantAnswer(t, s, forged, 400, endedText, "forged")
		api.start("a")
		synctest.Wait()
		wantSession(t, s, podToken("a", time.Now().Add(time.Hour)), "ASIA1", "the true pod")
	})
}

func TestWhileTheAPIServerIsAwayNobodyIsRefused(t *testing.T) {
	up, api := &authService{}, newAPIServer()
	api.start("a")
	running(t, up, watched(t, api), func(t *testing.T, s *agent.Server) {
		expires := time.Now().Add(24 * time.Hour)
		a := podToken("a", expires)
		wantSession(t, s, a, "ASIA1", "before")
		api.goAway()
		synctest.Wait()
		start := time.Now()
		wantSession(t, s, a, "ASIA1", "a, cached")
		wantSession(t, s, podToken("new", expires), "ASIA2", "a pod never seen")
		if took := time.Since(start); took > 0 {
			t.Errorf("took %v: nobody waits for an API server that is known to be away", took)
		}
		key, _ := here("a")
		api.remove(key, true)
		time.Sleep(20 * time.Second)
		wantSession(t, s, a, "ASIA1", "a, ended unnoticed")
		api.comeBack()
		time.Sleep(11 * time.Second) // the longest pause between attempts, and a list after that
		synctest.Wait()
		wantAnswer(t, s, a, 400, endedText, "a, once the API server is back")
		wantAnswer(t, s, podToken("new", expires), 400, endedText, "the one that never was")
	})
}

// A network that swallows everything: the watch looks alive, and questions are not answered.
func TestASilentAPIServerCostsLittle(t *testing.T) {
	up, api := &authService{}, newAPIServer()
	running(t, up, watched(t, api), func(t *testing.T, s *agent.Server) {
		api.mu.Lock()
		api.silent = true
		api.mu.Unlock()
		expires := time.Now().Add(time.Hour)
		start := time.Now()
		wantSession(t, s, podToken("a", expires), "ASIA1", "first")
		if took := time.Since(start); took != 500*time.Millisecond {
			t.Errorf("the first took %v, want 500ms", took)
		}
		start = time.Now()
		wantSession(t, s, podToken("b", expires), "ASIA2", "second")
		if took := time.Since(start); took != 0 {
			t.Errorf("the second took %v, want none", took)
		}
	})
}

func TestQuestionsAreBounded(t *testing.T) {
	up, api := &authService{}, newAPIServer()
	running(t, up, watched(t, api), func(t *testing.T, s *agent.Server) {
		expires := time.Now().Add(time.Hour)
		var asking sync.WaitGroup
		var served, throttled atomic.Int64
		for i := range 300 {
			asking.Go(func() {
				switch w := ask(s, podToken(fmt.Sprint("late-", i), expires)); w.Code {
				case http.StatusOK:
					served.Add(1)
				case http.StatusTooManyRequests:
					throttled.Add(1)
				}
			})
		}
		synctest.Wait()
		if n := api.asked("GET /api/v1/namespaces/"); n != 250 {
			t.Errorf("%d questions at once, want 250", n)
		}
		for i := range 300 { // those that wait are shown by the watch
			if i%2 == 0 {
				api.start(fmt.Sprint("late-", i))
			}
		}
		asking.Wait()
		if served.Load()+throttled.Load() != 50 || served.Load() == 0 || throttled.Load() == 0 {
			t.Errorf("%d served and %d throttled, want 50 in all: what was not asked about waits for the watch", served.Load(), throttled.Load())
		}
	})
}

func TestTheWatchGoesOnWhereItWas(t *testing.T) {
	up, api := &authService{}, newAPIServer()
	api.start("a")
	running(t, up, watched(t, api), func(t *testing.T, s *agent.Server) {
		const watch = "GET /api/v1/pods?allowWatchBookmarks=true&"
		const list = "GET /api/v1/pods?fieldSelector="
		api.tell(`{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"500"}}}`)
		api.goAway()
		api.comeBack()
		time.Sleep(2 * time.Second)
		want := []string{"resourceVersion=101", "resourceVersion=500"}
		var got []string
		for _, r := range api.sent() {
			if strings.HasPrefix(r, watch) {
				got = append(got, r[strings.Index(r, "resourceVersion="):strings.Index(r, "&watch")])
			}
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("watches (-got +want):\n%s", diff)
		}
		// Too old: a list that is not older than what is known, and nobody ended meanwhile.
		api.tell(`{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old resource version"}}`)
		time.Sleep(2 * time.Second)
		if n := api.asked(list); n != 2 {
			t.Errorf("%d lists, want 2", n)
		}
		sent := api.sent()
		if last := sent[len(sent)-2]; !strings.HasSuffix(last, "&resourceVersion=500&resourceVersionMatch=NotOlderThan") {
			t.Errorf("the second list was %s", last)
		}
		wantSession(t, s, podToken("a", time.Now().Add(time.Hour)), "ASIA1", "a, all the time")
	})
}

func TestAWatchThatSaysNothingIsOpenedAnew(t *testing.T) {
	up, api := &authService{}, newAPIServer()
	running(t, up, watched(t, api), func(t *testing.T, _ *agent.Server) {
		time.Sleep(10 * time.Minute)
		if n := api.asked("GET /api/v1/pods?allowWatchBookmarks"); n < 3 || n > 5 {
			t.Errorf("%d watches in 10 minutes of silence, want one every 3", n)
		}
	})
}

func TestAnAPIServerThatForbidsIsLeftAlone(t *testing.T) {
	up, api := &authService{}, newAPIServer()
	use := watched(t, api)
	running(t, up, func(c *agent.Config) {
		use(c)
		k, err := agent.NewKubernetes(c.Endpoint, "/dev/null", api) // an empty token
		if err != nil {
			t.Fatal(err)
		}
		c.Kubernetes = k
	}, func(t *testing.T, s *agent.Server) {
		wantSession(t, s, podToken("a", time.Now().Add(time.Hour)), "ASIA1", "unwatched")
		time.Sleep(10 * time.Minute)
		if n := api.asked("GET"); n > 150 {
			t.Errorf("%d requests in ten minutes of refusals", n)
		}
	})
}
