package agent

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/podid/podid/internal/fault"
)

const credentialsPath = "/v1/credentials"

var contentTypeJSON = []string{"application/json"}

// ServeHTTP is the credential endpoint, with AWS's answers to the letter. Any method will do. spec: pod-identity.md 4.3
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != credentialsPath {
		http.NotFound(w, r) // and nothing else: the probes rely on it
		return
	}
	start := s.c.Now()
	o := s.credentials(r)
	if o.err == nil {
		h := w.Header()
		h["Content-Type"] = contentTypeJSON
		h["Content-Length"] = o.granted.length
		w.Write(o.granted.body) //nolint:errcheck // a pod that is gone needs no answer
	} else {
		o.status, o.text = statusOf(o.err)
		http.Error(w, o.text, o.status)
	}
	s.record(r, &o, s.c.Now().Sub(start))
}

// outcome is how one credential request ended.
type outcome struct {
	granted *granted // nil: refused
	err     error
	counter *atomic.Int64
	result  string       // the counter's name
	log     *slog.Logger // carries what the token claims, where there is one
	claims  *claims      // nil: none were read
	status  int
	text    string
}

func (s *Server) credentials(r *http.Request) outcome {
	if err := s.checkHost(r.Host); err != nil {
		return s.refused(s.c.Logger, err)
	}
	token := r.Header.Get("Authorization")
	if token == "" {
		return s.refused(s.c.Logger, badToken("Service account token cannot be empty"))
	}
	// A hit needs neither parsing nor the limiter: refusing it would cost as much as answering it.
	key := keyOf(token)
	now := s.c.Now()
	if e, g := s.cache.find(key, now); e != nil {
		if err := e.claims.current(now); err != nil {
			return s.refused(e.log, badToken("Service account token failed basic claim validations: %v", err)).of(&e.claims)
		}
		// The token was accepted once, so what it claims is proven.
		if err := s.pods.check(r.Context(), &e.claims); err != nil && !errors.Is(err, fault.Throttled) {
			s.cache.evict(e)
			return s.refused(e.log, err)
		}
		return outcome{granted: g, counter: &s.count.Hit, result: "hit", log: e.log, status: http.StatusOK}
	}
	if !s.misses.allow() {
		return s.throttled(s.c.Logger, tooMany())
	}
	c, err := peek(token)
	if err != nil {
		return s.refused(s.c.Logger, badToken("Service account token cannot be parsed: %v", err))
	}
	log := s.claimed(&c)
	if err := c.current(now); err != nil {
		return s.refused(log, badToken("Service account token failed basic claim validations: %v", err)).of(&c)
	}
	g, joined, err := s.flights.join(r.Context(), key, func(ctx context.Context) (*granted, error) {
		return s.admit(ctx, key, strings.Clone(token), c, log)
	})
	switch {
	case errors.Is(err, errOfPod):
		return s.refused(log, err)
	case errors.Is(err, fault.Throttled):
		return s.throttled(log, err)
	case err != nil:
		return outcome{err: err, counter: &s.count.Failed, result: "failed", log: log, claims: &c}
	case joined:
		return outcome{granted: g, counter: &s.count.Joined, result: "joined", log: log, status: http.StatusOK}
	}
	return outcome{granted: g, counter: &s.count.Miss, result: "miss", log: log, status: http.StatusOK}
}

// admit asks EKS Auth about a token and, where it accepts it, keeps the session.
func (s *Server) admit(ctx context.Context, key tokenKey, token string, c claims, log *slog.Logger) (*granted, error) {
	// A request that missed just before another's exchange ended finds its result here.
	if e, g := s.cache.find(key, s.c.Now()); e != nil {
		return g, nil
	}
	if err := s.pods.check(ctx, &c); err != nil {
		return nil, err
	}
	g, err := s.exchange(ctx, token)
	if err != nil {
		return nil, err
	}
	if s.pods.look(c.PodUID) == over { // while we asked
		s.count.Ended.Add(1)
		return nil, hasEnded()
	}
	now := s.c.Now()
	e := &entry{key: key, token: token, claims: c, granted: g, log: log, index: -1}
	e.asked.Store(now.UnixNano())
	s.cache.add(e, dueAt(&e.claims, renewAt(now, g.lifetime, s.c.MaxRetention)))
	return g, nil
}

// exchange asks EKS Auth for a session that can be served.
func (s *Server) exchange(ctx context.Context, token string) (*granted, error) {
	session, err := s.upstream.assume(ctx, token)
	if err != nil {
		return nil, err
	}
	now := s.c.Now()
	g, err := render(session, now)
	if err != nil || !g.usable(now) {
		return nil, fault.New(fault.Unavailable, "upstream", "The service's credentials expire at once. Is this node's clock right?")
	}
	return g, nil
}

// checkHost guards against DNS rebinding: a browser on the node may be talked into calling an address by a stranger's name,
// but not into sending a Host header that is not that name.
func (s *Server) checkHost(host string) error {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	if slices.Contains(s.c.AllowedHosts, host) {
		return nil
	}
	return fault.New(fault.Denied, "host",
		"Access Denied. Called agent through invalid address, please use either %v address not %s", s.c.AllowedHosts, oneLine(host))
}

func badToken(format string, args ...any) error {
	return fault.New(fault.Invalid, "token", format, args...)
}

func (s *Server) refused(log *slog.Logger, err error) outcome {
	return outcome{err: err, counter: &s.count.Refused, result: "refused", log: log}
}

func (s *Server) throttled(log *slog.Logger, err error) outcome {
	return outcome{err: err, counter: &s.count.Throttled, result: "throttled", log: log}
}

func tooMany() error { return fault.New(fault.Throttled, "request", "Too Many Requests") }

// of says what the token of a refused request claimed.
func (o outcome) of(c *claims) outcome {
	o.claims = c
	return o
}

// claimed is a logger that says for which pod a token says it is. The names are unproven.
func (s *Server) claimed(c *claims) *slog.Logger {
	return s.c.Logger.With("claimed_namespace", c.Namespace, "claimed_service_account", c.ServiceAccount,
		"claimed_pod", c.Pod, "claimed_pod_uid", c.PodUID)
}

// record counts a credential request and writes its one line.
func (s *Server) record(r *http.Request, o *outcome, took time.Duration) {
	o.counter.Add(1)
	s.count.answered(o.status)
	if o.granted != nil {
		o.log.InfoContext(r.Context(), "credentials", "result", o.result, "status", o.status,
			"request_id", o.granted.requestID, "client_addr", r.RemoteAddr, "duration", took)
		return
	}
	s.events.refused(o.claims, o.err)
	id := ""
	if r, ok := errors.AsType[*refusal](o.err); ok {
		id = r.requestID
	}
	o.log.WarnContext(r.Context(), "credentials", "result", o.result, "status", o.status,
		"request_id", id, "client_addr", r.RemoteAddr, "duration", took, "error", o.err)
}
