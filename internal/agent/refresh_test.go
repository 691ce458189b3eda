package agent_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/podid/podid/internal/agent"
)

// running gives f a bubble in which a Server serves (on a listener that nobody calls) and refreshes.
func running(t *testing.T, up *authService, change func(*agent.Config), f func(t *testing.T, s *agent.Server)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := config(up)
		if change != nil {
			change(&c)
		}
		s := newServer(t, c)
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error)
		go func() { served <- s.Serve(ctx, newPipeListener()) }()
		synctest.Wait()
		f(t, s)
		stop()
		if err := <-served; err != nil {
			t.Errorf("Serve ended with %v", err)
		}
	})
}

// pipeListener accepts nothing, without a network.
type pipeListener struct{ closed chan struct{} }

func newPipeListener() *pipeListener { return &pipeListener{make(chan struct{})} }

func (l *pipeListener) Accept() (net.Conn, error) { <-l.closed; return nil, net.ErrClosed }
func (l *pipeListener) Addr() net.Addr            { return &net.UnixAddr{Name: "none"} }
func (l *pipeListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func wantCalls(t *testing.T, up *authService, want int64, when string) {
	t.Helper()
	synctest.Wait()
	if got := up.calls.Load(); got != want {
		t.Errorf("%s: %d upstream calls, want %d", when, got, want)
	}
}

func wantSession(t *testing.T, s *agent.Server, token, want, when string) {
	t.Helper()
	if w := ask(s, token); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"`+want+`"`) {
		t.Errorf("%s: got %d %s, want %s", when, w.Code, w.Body, want)
	}
}

func TestRenewalComesAtHalfTheLifetimeOrTwentyMinutesBeforeExpiry(t *testing.T) {
	for _, c := range []struct{ lifetime, retention, earliest, latest time.Duration }{
		{6 * time.Hour, 0, 162 * time.Minute, 3 * time.Hour},
		{12 * time.Hour, 0, 162 * time.Minute, 3 * time.Hour},
		{time.Hour, 0, 27 * time.Minute, 30 * time.Minute},
		{36 * time.Minute, 0, 864 * time.Second, 16 * time.Minute},
		{15 * time.Minute, 0, 202 * time.Second, 225 * time.Second},
		{6 * time.Hour, time.Hour, 54 * time.Minute, time.Hour},
	} {
		t.Run(fmt.Sprintf("lifetime %v retention %v", c.lifetime, c.retention), func(t *testing.T) {
			up := &authService{lifetime: c.lifetime}
			running(t, up, func(a *agent.Config) { a.MaxRetention = c.retention }, func(t *testing.T, s *agent.Server) {
				token := podToken("app-1", time.Now().Add(24*time.Hour))
				wantSession(t, s, token, "ASIA1", "at first")
				time.Sleep(c.earliest - time.Second)
				wantCalls(t, up, 1, "before")
				time.Sleep(c.latest - c.earliest + 2*time.Second)
				wantCalls(t, up, 2, "after")
				wantSession(t, s, token, "ASIA2", "after")
			})
		})
	}
}

func TestNobodyAsksForALifetime(t *testing.T) {
	up := &authService{}
	running(t, up, nil, func(t *testing.T, s *agent.Server) {
		ask(s, podToken("gone", time.Now().Add(48*time.Hour)))
		time.Sleep(47 * time.Hour)
		// Asked at 0; renewed at about 3 h and 6 h at the latest (an early renewal falls short of the 6 h); then dropped.
		synctest.Wait()
		if n := up.calls.Load(); n > 3 {
			t.Errorf("%d upstream calls for a pod that is gone, want 3 at most", n)
		}
		if n := s.Counters().Evicted.Load(); n != 1 {
			t.Errorf("%d evictions, want 1", n)
		}
	})
}

func TestATokenThatExpiredIsNotRenewed(t *testing.T) {
	up := &authService{}
	running(t, up, nil, func(t *testing.T, s *agent.Server) {
		token := podToken("app-1", time.Now().Add(time.Hour))
		ask(s, token)
		time.Sleep(time.Hour)
		if w := ask(s, token); w.Code != http.StatusBadRequest {
			t.Errorf("got %d, want 400", w.Code)
		}
		time.Sleep(24 * time.Hour)
		wantCalls(t, up, 1, "a day later")
		if n := s.Counters().Evicted.Load(); n != 1 {
			t.Errorf("%d evictions, want 1", n)
		}
	})
}

func TestRenewalRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		code   string
		ends   bool
	}{
		"the association is gone":           {404, "ResourceNotFoundException", true},
		"the pod's token expired":           {400, "ExpiredTokenException", true},
		"the pod's token is not genuine":    {400, "InvalidTokenException", true},
		"the role does not trust":           {400, "AccessDeniedException", true},
		"the node's credentials expired":    {403, "ExpiredTokenException", false},
		"the node may not ask":              {403, "AccessDeniedException", false},
		"the service is throttled":          {429, "ThrottlingException", false},
		"a parameter is not understood":     {400, "InvalidParameterException", false},
		"the service fails":                 {500, "InternalServerException", false},
		"a proxy answers 404 by itself":     {404, "", false},
		"a front end is short of breath":    {503, "ServiceUnavailableException", false},
		"something new that we never heard": {400, "BrandNewException", false},
	} {
		t.Run(name, func(t *testing.T) {
			up := &authService{}
			running(t, up, nil, func(t *testing.T, s *agent.Server) {
				token := podToken("app-1", time.Now().Add(24*time.Hour))
				ask(s, token)
				up.refuse(c.status, c.code, "because")
				time.Sleep(3*time.Hour + time.Minute)
				if w := ask(s, token); (w.Code != http.StatusOK) != c.ends {
					t.Errorf("after a failed renewal: got %d %s; ended: want %v", w.Code, w.Body, c.ends)
				}
				if c.ends {
					return
				}
				// Served to the end, not longer, and recovered from at once.
				time.Sleep(3*time.Hour - time.Minute - 17*time.Second)
				wantSession(t, s, token, "ASIA1", "17 s before expiry")
				time.Sleep(3 * time.Second)
				if w := ask(s, token); w.Code == http.StatusOK {
					t.Error("served 14 s before expiry")
				}
				up.refuse(0, "", "")
				if w := ask(s, token); w.Code != http.StatusOK {
					t.Errorf("after recovery: got %d", w.Code)
				}
			})
		})
	}
}

func TestFailedRenewalsBackOff(t *testing.T) {
	up := &authService{}
	running(t, up, nil, func(t *testing.T, s *agent.Server) {
		token := podToken("app-1", time.Now().Add(24*time.Hour))
		ask(s, token)
		up.refuse(500, "InternalServerException", "because")
		time.Sleep(5 * time.Hour)
		synctest.Wait()
		// Two hours at 3 attempts in 3.75 to 5 minutes, and some more in the beginning.
		if n := up.calls.Load(); n < 3*20 || n > 3*50 {
			t.Errorf("%d upstream calls in two hours of outage", n)
		}
		up.refuse(0, "", "")
		time.Sleep(5*time.Minute + time.Second)
		if n := s.Counters().Renewed.Load(); n != 1 {
			t.Errorf("%d renewals after the outage, want 1", n)
		}
	})
}

func TestRenewalsArePaced(t *testing.T) {
	up := &authService{}
	running(t, up, func(c *agent.Config) { c.RefreshRate = 2 }, func(t *testing.T, s *agent.Server) {
		for i := range 2000 {
			ask(s, podToken(fmt.Sprint("app-", i), time.Now().Add(24*time.Hour)))
		}
		up.calls.Store(0)
		time.Sleep(162 * time.Minute)
		for range 30 {
			before := up.calls.Load()
			time.Sleep(time.Minute)
			synctest.Wait()
			if n := up.calls.Load() - before; n > 2*60+2 {
				t.Errorf("%d renewals in a minute, want 122 at most", n)
			}
		}
	})
}

func TestTheLeastRecentlyUsedGoesFirst(t *testing.T) {
	up := &authService{}
	running(t, up, func(c *agent.Config) { c.CacheSize = 2 }, func(t *testing.T, s *agent.Server) {
		expires := time.Now().Add(time.Hour)
		a, b, c := podToken("a", expires), podToken("b", expires), podToken("c", expires)
		for _, token := range []string{a, b, a, c} { // b was used longest ago
			ask(s, token)
		}
		wantCalls(t, up, 3, "filling")
		wantSession(t, s, a, "ASIA1", "a, used lately")
		wantSession(t, s, b, "ASIA4", "b, evicted")
	})
}

func TestNothingIsKeptWithoutACache(t *testing.T) {
	up := &authService{}
	running(t, up, func(c *agent.Config) { c.CacheSize = -1 }, func(t *testing.T, s *agent.Server) {
		token := podToken("a", time.Now().Add(time.Hour))
		wantSession(t, s, token, "ASIA1", "first")
		wantSession(t, s, token, "ASIA2", "second")
	})
}

func TestRefusalsAreNotCached(t *testing.T) {
	up := &authService{}
	running(t, up, nil, func(t *testing.T, s *agent.Server) {
		token := podToken("a", time.Now().Add(time.Hour))
		up.refuse(404, "ResourceNotFoundException", "no association")
		ask(s, token)
		up.refuse(0, "", "")
		wantSession(t, s, token, "ASIA2", "once there is an association")
	})
}

func TestAWaiterThatLeavesCancelsNothing(t *testing.T) {
	up := &authService{renewed: nil}
	running(t, up, nil, func(t *testing.T, s *agent.Server) {
		up.renewed = make(chan struct{})
		token := podToken("a", time.Now().Add(time.Hour))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // as the JavaScript SDK does
		defer cancel()
		if w := askContext(ctx, s, token); w.Code != http.StatusInternalServerError {
			t.Errorf("got %d, want 500", w.Code)
		}
		close(up.renewed)
		synctest.Wait()
		wantSession(t, s, token, "ASIA1", "its next attempt")
		wantCalls(t, up, 1, "in all")
	})
}

func TestATransientFailureIsRetriedWhileThePodWaits(t *testing.T) {
	up := &authService{}
	running(t, up, nil, func(t *testing.T, s *agent.Server) {
		up.answer = func(n int64) *http.Response {
			if n < 3 {
				return jsonResponse(http.StatusServiceUnavailable, "ServiceUnavailableException", `{"message":"soon"}`)
			}
			return nil
		}
		start := time.Now()
		wantSession(t, s, podToken("a", time.Now().Add(time.Hour)), "ASIA3", "third attempt")
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %v; a JavaScript SDK waits 1 s", took)
		}
	})
}

func TestNoAnswerIs500(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("dial tcp 10.0.0.1:443: refused") })
		w := ask(newServer(t, config(broken)), podToken("a", time.Now().Add(time.Hour)))
		if want := "The agent got no answer from the service. Please try again.\n"; w.Code != 500 || w.Body.String() != want {
			t.Errorf("got %d %q, want 500 %q", w.Code, w.Body, want)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
