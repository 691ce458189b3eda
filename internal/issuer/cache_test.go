package issuer_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/issuer"
	"github.com/podid/podid/internal/oidc"
)

// newWorld is a site and a fetcher that reaches it, with a clock.
func newWorld(t *testing.T) (*site, *issuer.Fetcher, *clock) {
	t.Helper()
	a, c := newAuthority(t), &clock{}
	settings := config(a)
	settings.Now = c.now
	return newSite(t, a), issuer.New(settings), c
}

// fetched checks how often a site was asked so far.
func fetched(t *testing.T, s *site, want int32) {
	t.Helper()
	if n := s.fetches.Load(); n != want {
		t.Errorf("the site was asked %d times, want %d", n, want)
	}
}

func TestKeysAreKeptAsLongAsTheIssuerSays(t *testing.T) {
	t.Parallel()
	tests := []struct {
		cache string
		want  time.Duration
	}{
		{"", time.Hour},
		{"public, max-age=600", 10 * time.Minute},
		{`Max-Age="600"`, 10 * time.Minute},
		{"max-age=1", time.Minute},
		{"max-age=0", time.Minute},
		{"no-store", time.Minute},
		{"max-age=600, no-cache", time.Minute},
		{"max-age=999999", 24 * time.Hour},
		{"max-age=99999999999999999999", time.Hour},
		{"max-age=-1", time.Hour},
		{"private", time.Hour},
	}
	for _, test := range tests {
		t.Run(test.cache, func(t *testing.T) {
			t.Parallel()
			s, f, c := newWorld(t)
			s.change(func(s *site) { s.cache = test.cache })
			for _, step := range []struct {
				after time.Duration
				want  int32
			}{{0, 1}, {test.want - 5*time.Second, 1}, {10 * time.Second, 2}} {
				c.advance(step.after)
				_, err := f.Keys(t.Context(), s.source())
				must(t, err)
				fetched(t, s, step.want)
			}
		})
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	s, f, c := newWorld(t)
	old, err := f.Keys(t.Context(), s.source())
	must(t, err)
	next := newSigner(t)
	s.change(func(s *site) {
		if s.keys, err = s.keys.Union(next.KeySet()); err != nil {
			t.Error(err)
		}
	})
	newer, err := f.Newer(t.Context(), s.source(), old)
	must(t, err)
	if diff := cmp.Diff([]string{old.KeyIDs()[0], next.KeySet().KeyIDs()[0]}, newer.KeyIDs()); diff != "" {
		t.Fatal(diff)
	}
	fetched(t, s, 2)
	// Tokens with keys that nobody has do not make it ask again within a minute, whatever set they were tried with.
	for range 20 {
		for _, lacking := range []*oidc.KeySet{old, newer} {
			got, err := f.Newer(t.Context(), s.source(), lacking)
			must(t, err)
			if got != newer {
				t.Error("got another set than the newest")
			}
		}
	}
	fetched(t, s, 2)
	c.advance(61 * time.Second)
	_, err = f.Newer(t.Context(), s.source(), newer)
	must(t, err)
	fetched(t, s, 3)
}

// TestFailedRotation holds that asking for a newer set does not spoil the one that is there.
func TestFailedRotation(t *testing.T) {
	t.Parallel()
	s, f, c := newWorld(t)
	keys, err := f.Keys(t.Context(), s.source())
	must(t, err)
	s.change(status(http.StatusServiceUnavailable))
	_, err = f.Newer(t.Context(), s.source(), keys)
	refused(t, err, fault.Unavailable)
	c.advance(2 * time.Minute)
	s.change(status(http.StatusNotFound))
	if got, err := f.Newer(t.Context(), s.source(), keys); got != keys || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := f.Keys(t.Context(), s.source()); got != keys || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	fetched(t, s, 3)
}

func TestFailuresAreRemembered(t *testing.T) {
	t.Parallel()
	s, f, c := newWorld(t)
	for _, code := range []int{http.StatusNotFound, http.StatusServiceUnavailable} {
		before := s.fetches.Load()
		s.change(status(code))
		for range 3 {
			if _, err := f.Keys(t.Context(), s.source()); err == nil {
				t.Fatal("it has keys")
			}
		}
		fetched(t, s, before+1)
		c.advance(31 * time.Second)
	}
	s.change(func(s *site) { s.instead = nil })
	_, err := f.Keys(t.Context(), s.source())
	must(t, err)
}

func TestIssuerThatIsDown(t *testing.T) {
	t.Parallel()
	s, f, c := newWorld(t)
	keys, err := f.Keys(t.Context(), s.source())
	must(t, err)
	s.change(status(http.StatusBadGateway))
	for range 23 {
		c.advance(time.Hour)
		got, err := f.Keys(t.Context(), s.source())
		must(t, err)
		if again, err := f.Keys(t.Context(), s.source()); got != keys || again != keys || err != nil {
			t.Fatalf("got %v and %v, %v", got, again, err)
		}
	}
	fetched(t, s, 24) // twice within half a minute is once
	c.advance(time.Hour)
	_, err = f.Keys(t.Context(), s.source())
	refused(t, err, fault.Unavailable)
}

// TestIssuerThatTakesItsKeysBack holds that "no" is an answer, and is not outlived by old keys.
func TestIssuerThatTakesItsKeysBack(t *testing.T) {
	t.Parallel()
	s, f, c := newWorld(t)
	_, err := f.Keys(t.Context(), s.source())
	must(t, err)
	c.advance(2 * time.Hour)
	s.change(status(http.StatusGone))
	_, err = f.Keys(t.Context(), s.source())
	refused(t, err, fault.NotFound)
	c.advance(time.Minute)
	s.change(status(http.StatusBadGateway))
	_, err = f.Keys(t.Context(), s.source())
	refused(t, err, fault.Unavailable)
}

func TestOneFetchForMany(t *testing.T) {
	t.Parallel()
	s, f, _ := newWorld(t)
	asked, open := make(chan struct{}), make(chan struct{})
	s.change(func(s *site) {
		s.instead = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/keys" {
				close(asked)
				<-open
				fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, s.url, s.url+"/keys")
				return
			}
			text, _ := s.signer.KeySet().MarshalJSON()
			_, _ = w.Write(text)
		}
	})
	// The caller that began goes away; those that wait get the keys.
	first, leave := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	callers.Go(func() {
		if _, err := f.Keys(first, s.source()); err != nil {
			t.Error(err)
		}
	})
	<-asked
	leave()
	for range 20 {
		callers.Go(func() {
			if _, err := f.Keys(t.Context(), s.source()); err != nil {
				t.Error(err)
			}
		})
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.Keys(gone, s.source())
	refused(t, err, fault.Unavailable)
	close(open)
	callers.Wait()
	fetched(t, s, 1)
}

// TestSlowIssuersOfOneAccount holds that they keep neither other accounts waiting nor unbounded memory busy.
func TestSlowIssuersOfOneAccount(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s, good := newSite(t, a), newSite(t, a)
	asked, open := make(chan struct{}), make(chan struct{})
	s.change(func(s *site) {
		s.instead = func(w http.ResponseWriter, _ *http.Request) {
			asked <- struct{}{}
			<-open
			w.WriteHeader(http.StatusNotFound)
		}
	})
	f := issuer.New(config(a))
	var callers sync.WaitGroup
	slow := func(account string, n int) issuer.Source {
		return issuer.Source{Account: account, Issuer: fmt.Sprintf("%s/%d", s.url, n)}
	}
	for n := range 16 {
		from := slow(fmt.Sprintf("%012d", n/4), n)
		callers.Go(func() {
			_, err := f.Keys(t.Context(), from)
			if err == nil {
				t.Error("it has keys")
			}
		})
		<-asked
		if n == 3 {
			_, err := f.Keys(t.Context(), slow("000000000000", 99))
			refused(t, err, fault.Unavailable)
			_, err = f.Keys(t.Context(), good.source())
			must(t, err)
		}
	}
	_, err := f.Keys(t.Context(), slow("000000000099", 99))
	refused(t, err, fault.Unavailable)
	if keys, err := f.Keys(t.Context(), good.source()); keys == nil || err != nil {
		t.Errorf("what is kept is not served: %v", err)
	}
	close(open)
	callers.Wait()
	s.change(func(s *site) { s.instead = nil })
	_, err = f.Keys(t.Context(), s.source())
	must(t, err)
}

// TestIssuersAreForgotten holds that the issuer that was used longest ago makes room.
func TestIssuersAreForgotten(t *testing.T) {
	t.Parallel()
	s, f, _ := newWorld(t)
	_, err := f.Keys(t.Context(), s.source())
	must(t, err)
	others := func(n int) {
		for i := range n {
			_, err := f.Keys(t.Context(), issuer.Source{Issuer: fmt.Sprintf("http://%d", i)})
			refused(t, err, fault.NotFound)
		}
	}
	others(issuer.MaxSources - 1)
	_, err = f.Keys(t.Context(), s.source())
	must(t, err)
	fetched(t, s, 1)
	others(issuer.MaxSources)
	_, err = f.Keys(t.Context(), s.source())
	must(t, err)
	fetched(t, s, 2)
}

// TestNothingStays holds that no goroutine outlives its fetch. Not parallel: it looks at all goroutines of the process.
func TestNothingStays(t *testing.T) {
	a := newAuthority(t)
	c := config(a)
	c.Request = 50 * time.Millisecond
	f := issuer.New(c)
	for _, change := range []func(*site){
		func(*site) {}, status(http.StatusInternalServerError),
		func(s *site) { s.instead = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() } },
	} {
		s := newSite(t, a)
		s.change(change)
		_, _ = f.Keys(t.Context(), s.source())
	}
	_, _ = f.Keys(t.Context(), issuer.Source{Issuer: "https://10.0.0.1"})
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 400 {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		if !strings.Contains(string(stacks), "net/http.(*persistConn)") && !strings.Contains(string(stacks), "net/http.(*Transport)") {
			return
		}
		<-tick.C
	}
	t.Error("goroutines of a fetch are still there")
}
