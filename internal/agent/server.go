package agent

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/podid/podid/internal/fault"
)

// What one connection may cost. spec: pod-identity.md 4.3
const (
	headerTimeout   = 5 * time.Second
	ioTimeout       = 30 * time.Second
	idleTimeout     = time.Minute
	maxHeaderBytes  = maxToken + 4<<10
	shutdownTimeout = 25 * time.Second // under a pod's 30 s of grace
)

// Server is one node's agent. It is an http.Handler for the credential endpoint; [Server.Run] or [Server.Serve] must be
// running for sessions to be renewed.
type Server struct {
	c        Config
	upstream *eksAuth
	cache    *cache
	pods     *pods   // nil: unknown
	events   *events // nil: none are written
	flights  flights
	misses   *limiter
	pace     *limiter
	count    Counters

	mu     sync.Mutex
	served []net.Addr // where the credential endpoint listens; empty: nowhere yet, or no more
	reach  reachability
}

// New checks the config and makes a Server. It opens nothing. Its errors are [fault.Invalid].
func New(c Config) (*Server, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		c:        c,
		upstream: newEKSAuth(c),
		misses:   newLimiter(c.MissRate, float64(c.MissBurst), c.Now),
		pace:     newLimiter(c.RefreshRate, max(1, c.RefreshRate), c.Now),
	}
	s.cache = newCache(c.CacheSize, &s.count)
	if c.Kubernetes != nil {
		s.pods = newPods(c, &s.count, s.cache.evictPod)
		s.events = newEvents(c, s.pods, &s.count)
	}
	return s, nil
}

// Handler is the credential endpoint without a listener.
func (s *Server) Handler() http.Handler { return s }

// Counters are live; read them with Load.
func (s *Server) Counters() *Counters { return &s.count }

// Serve serves on listeners that are open already, as Run does on its own. It closes them.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	if len(listeners) == 0 {
		return invalid("There is no address to listen on.")
	}
	probes, err := s.listenForProbes(ctx)
	if err != nil {
		closeAll(listeners)
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var running sync.WaitGroup
	defer running.Wait()

	servers := make([]*http.Server, 0, len(listeners)+len(probes))
	serve := func(l net.Listener, h http.Handler) {
		server := &http.Server{
			Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: ioTimeout, WriteTimeout: ioTimeout,
			IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		}
		servers = append(servers, server)
		running.Go(func() {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				stop(fault.New(fault.Unavailable, "listener", "The listener on %s ended.", l.Addr()).Because(err))
			}
		})
	}
	for _, l := range probes {
		serve(l, s.probes())
	}
	addresses := make([]net.Addr, 0, len(listeners))
	for _, l := range listeners {
		serve(l, s)
		addresses = append(addresses, l.Addr())
		s.c.Logger.InfoContext(ctx, "serving credentials", "address", l.Addr().String())
	}
	s.setServed(addresses)
	running.Go(func() { s.refresher(ctx) })
	if s.pods != nil {
		running.Go(func() { s.pods.run(ctx) })
		running.Go(func() { s.events.run(ctx) })
	}

	<-ctx.Done()
	s.setServed(nil)
	s.shutdown(ctx, servers)
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return nil
}

// shutdown closes all listeners at once and waits for the requests under way.
func (s *Server) shutdown(ctx context.Context, servers []*http.Server) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	var closing sync.WaitGroup
	for _, server := range servers {
		closing.Go(func() {
			if server.Shutdown(ctx) != nil {
				server.Close() //nolint:errcheck // it is given up
			}
		})
	}
	closing.Wait()
}

func (s *Server) setServed(addresses []net.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.served = addresses
}
