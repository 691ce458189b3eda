package issuer

import (
	"container/list"
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/oidc"
)

// How long what was fetched is kept.
const (
	defaultLifetime = time.Hour // where an issuer does not say
	minLifetime     = time.Minute
	maxLifetime     = 24 * time.Hour
	maxStale        = 24 * time.Hour   // since the fetch, while the issuer is down
	failureLifetime = 30 * time.Second // no new attempt before
	betweenNewer    = time.Minute      // fetches for keys that a set does not have
)

// How much there may be.
const (
	maxSources = 1000
	maxFetches = 16 // at a time
	maxShare   = 4  // of them for one account, so that slow issuers of one do not keep those of others out
)

// Config is how issuers are fetched. The zero value fetches from public addresses, trusting the system's authorities.
type Config struct {
	Allow    []netip.Prefix      // private networks in which issuers may be
	RootCAs  []*x509.Certificate // trusted besides the system's authorities
	Resolver *net.Resolver       // nil: the system's

	Request time.Duration // bound of one request; 0: 5 seconds
	Total   time.Duration // bound of one fetch; 0: 10 seconds

	Now func() time.Time // nil: the clock
}

// Source is where a key set comes from, and who asks for it.
type Source struct {
	Account     string   // whose provider it is
	Issuer      string   // the URL, as tokens spell it
	Thumbprints []string // SHA-1 of certificates, in hexadecimal, that the account trusts as this issuer's authority
}

// Fetcher fetches key sets and keeps them. Its methods may be called by any number of goroutines.
type Fetcher struct {
	c     Config
	roots *x509.CertPool

	mu      sync.Mutex
	sources map[string]*list.Element // of *source
	recent  *list.List               // the source that was used last comes first
	running map[string]int           // fetches by account
	fetches int
}

// source is what is known of one issuer under one list of thumbprints.
type source struct {
	key     string
	keys    *oidc.KeySet // nil: none
	fetched time.Time    // when keys was
	fresh   time.Time    // until when keys is good without asking again
	newer   time.Time    // when keys that the set did not have were last looked for
	failure *fault.Error // of the last fetch; nil: it succeeded
	retry   time.Time    // until when the failure is the answer
	flight  *flight      // the fetch that is under way; nil: none
}

// flight is a fetch. What is in it is set before done is closed.
type flight struct {
	done chan struct{}
	keys *oidc.KeySet
	err  error
}

// New makes a Fetcher.
func New(c Config) *Fetcher {
	if c.Request == 0 {
		c.Request = 5 * time.Second
	}
	if c.Total == 0 {
		c.Total = 10 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // a system without authorities trusts nobody
	}
	for _, ca := range c.RootCAs {
		roots.AddCert(ca)
	}
	return &Fetcher{c: c, roots: roots, sources: map[string]*list.Element{}, recent: list.New(), running: map[string]int{}}
}

// Keys is the key set of a source, from the cache or fetched now. Its failures have the subject "provider": fault.NotFound where the
// issuer has no keys that can be used, fault.Unavailable where trying again may help.
func (f *Fetcher) Keys(ctx context.Context, from Source) (*oidc.KeySet, error) {
	f.mu.Lock()
	s, now := f.source(from), f.c.Now()
	if s.keys != nil && now.Before(s.fresh) {
		defer f.mu.Unlock()
		return s.keys, nil
	}
	if now.Before(s.retry) {
		defer f.mu.Unlock()
		return s.stale(now, s.failure)
	}
	keys, err := f.join(ctx, s, from, now, false)
	if err != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		return s.stale(now, err)
	}
	return keys, nil
}

// Newer is a key set other than old, in which a token's key was not found, or old where there is no other. It fetches once a minute at
// most, however many tokens name keys that do not exist.
func (f *Fetcher) Newer(ctx context.Context, from Source, old *oidc.KeySet) (*oidc.KeySet, error) {
	f.mu.Lock()
	s, now := f.source(from), f.c.Now()
	if s.keys != nil && s.keys != old {
		defer f.mu.Unlock()
		return s.keys, nil
	}
	if s.flight == nil && (now.Before(s.newer.Add(betweenNewer)) || now.Before(s.retry)) {
		defer f.mu.Unlock()
		return old, nil
	}
	keys, err := f.join(ctx, s, from, now, true)
	switch {
	case errors.Is(err, fault.Unavailable):
		return nil, err // perhaps the key is there: the caller is to try again
	case err != nil:
		return old, nil // what the issuer publishes now is of no use, and the set at hand still is
	}
	return keys, nil
}

// source finds or makes what is known of a source, and forgets the one that was used longest ago where there are too many.
func (f *Fetcher) source(from Source) *source {
	key := from.Issuer + " " + strings.Join(normal(from.Thumbprints), " ")
	if e, ok := f.sources[key]; ok {
		f.recent.MoveToFront(e)
		return e.Value.(*source)
	}
	s := &source{key: key}
	f.sources[key] = f.recent.PushFront(s)
	if len(f.sources) > maxSources {
		last := f.recent.Back()
		delete(f.sources, f.recent.Remove(last).(*source).key)
	}
	return s
}

// stale is an old key set, where its issuer is down and it is not too old; otherwise err. The caller holds the lock.
func (s *source) stale(now time.Time, err error) (*oidc.KeySet, error) {
	if s.keys != nil && errors.Is(err, fault.Unavailable) && now.Before(s.fetched.Add(maxStale)) {
		return s.keys, nil
	}
	return nil, err
}

// join waits for the fetch of a source that is under way, or does it. Newer says that it is for a key that the set does not have. The
// caller holds the lock, which join gives up.
func (f *Fetcher) join(ctx context.Context, s *source, from Source, now time.Time, newer bool) (*oidc.KeySet, error) {
	if running := s.flight; running != nil {
		f.mu.Unlock()
		select {
		case <-running.done:
			return running.keys, running.err
		case <-ctx.Done():
			return nil, unreachable("it does not answer in time", ctx.Err())
		}
	}
	if f.fetches >= maxFetches || f.running[from.Account] >= maxShare {
		f.mu.Unlock()
		return nil, unreachable("too many providers are being asked for their keys", nil)
	}
	own := &flight{done: make(chan struct{}), err: unreachable("the fetch broke off", nil)}
	s.flight = own
	if newer {
		s.newer = now
	}
	f.fetches++
	f.running[from.Account]++
	f.mu.Unlock()
	var kept time.Duration
	defer func() { f.settle(s, own, from.Account, now, kept) }()
	// Others wait for this fetch: it does not end because the one who began it goes away.
	own.keys, kept, own.err = f.fetch(context.WithoutCancel(ctx), from)
	return own.keys, own.err
}

// settle writes down what a fetch that began at began came to.
func (f *Fetcher) settle(s *source, done *flight, account string, began time.Time, kept time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer close(done.done)
	s.flight = nil
	f.fetches--
	if f.running[account]--; f.running[account] == 0 {
		delete(f.running, account)
	}
	if done.err == nil {
		s.keys, s.fetched, s.fresh, s.failure, s.retry = done.keys, began, began.Add(kept), nil, time.Time{}
		return
	}
	now := f.c.Now()
	s.failure, s.retry = fault.Of(done.err), now.Add(failureLifetime)
	if s.failure.Kind != fault.Unavailable && !now.Before(s.fresh) {
		s.keys = nil // the issuer has taken its keys back
	}
}
