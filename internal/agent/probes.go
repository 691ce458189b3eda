package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	probeTimeout = 10 * time.Second
	reachEvery   = 10 * time.Second // at most so often is the service asked for its health
)

// probes is the handler of the probe address. spec: pod-identity.md 4.3
//
//   - /healthz: the process serves every credential address. Nothing outside the process can make it fail, so a liveness probe
//     never restarts an agent that works.
//   - /readyz: a pod that asks now will get credentials, as far as it is up to this node: the addresses are served, there are
//     credentials to sign with, and EKS Auth answers. The body says what is missing. The Kubernetes API server may be away.
//   - /metrics: the counters, as Prometheus reads them.
func (s *Server) probes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", probe(s.serving))
	mux.HandleFunc("GET /readyz", probe(s.ready))
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		live, watching := s.pods.state()
		s.count.writeTo(w, gauges{s.cache.len(), live, watching}) //nolint:errcheck // a scraper that is gone needs no answer
	})
	return mux
}

func probe(check func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), probeTimeout)
		defer cancel()
		err := check(ctx)
		switch {
		case err == nil:
			w.WriteHeader(http.StatusOK)
		case errors.Is(err, context.DeadlineExceeded):
			http.Error(w, "The check took too long: "+err.Error(), http.StatusRequestTimeout)
		default:
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	}
}

// serving asks every credential address, over the network, for a path that is not there.
func (s *Server) serving(ctx context.Context) error {
	s.mu.Lock()
	addresses := s.served
	s.mu.Unlock()
	if len(addresses) == 0 {
		return errors.New("no credential address is served")
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // and no proxy
	for _, a := range addresses {
		if err := answers(ctx, client, a); err != nil {
			return fmt.Errorf("credential address %s: %w", a, err)
		}
	}
	return nil
}

func answers(ctx context.Context, client *http.Client, a net.Addr) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.String()+"/", http.NoBody)
	if err != nil {
		return err
	}
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode != http.StatusNotFound {
		return fmt.Errorf("answers %d, so it is not this agent's", res.StatusCode)
	}
	return nil
}

func (s *Server) ready(ctx context.Context) error {
	if err := s.serving(ctx); err != nil {
		return err
	}
	if _, err := s.c.Signer.Credentials(ctx); err != nil {
		return fmt.Errorf("credentials to sign with: %w", err)
	}
	if err := s.reach.check(ctx, s); err != nil {
		return fmt.Errorf("EKS Auth at %s: %w", s.c.Endpoint.Host, err)
	}
	return nil
}

// reachability is what is known of the service's health. Every exchange tells; only when the last one went wrong, or there
// was none, is the service asked.
type reachability struct {
	mu   sync.Mutex
	at   time.Time // of the last question
	last error
}

func (p *reachability) check(ctx context.Context, s *Server) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.upstream.answered.Load() {
		return nil
	}
	if now := s.c.Now(); p.at.IsZero() || now.Sub(p.at) >= reachEvery {
		p.at, p.last = now, s.upstream.reach(ctx)
	}
	return p.last
}
