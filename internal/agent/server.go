package agent

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
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
	return s, nil
}

// Handler is the credential endpoint without a listener.
func (s *Server) Handler() http.Handler { return s }

// Counters are live; read them with Load.
func (s *Server) Counters() *Counters { return &s.count }

// Run listens on every bind host and serves until ctx ends; then it lets the requests under way finish. A node without IPv6
// is served without the IPv6 address, unless that was asked for by name.
func (s *Server) Run(ctx context.Context) error {
	listeners, err := s.listen(ctx)
	if err != nil {
		return err
	}
	return s.Serve(ctx, listeners...)
}

func (s *Server) listen(ctx context.Context) ([]net.Listener, error) {
	hosts, asked := s.c.BindHosts, s.c.BindHosts != nil
	if !asked {
		hosts = []string{LinkLocalIPv4, LinkLocalIPv6}
	}
	var open []net.Listener
	for _, host := range hosts {
		host = strings.Trim(host, "[]")
		address := net.JoinHostPort(host, strconv.Itoa(s.c.Port))
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		switch {
		case err == nil:
			open = append(open, l)
		case !asked && host == LinkLocalIPv6:
			s.c.Logger.WarnContext(ctx, "no IPv6 credential address on this node; serving IPv4 only", "address", address, "error", err)
		default:
			closeAll(open)
			return nil, fault.New(fault.Unavailable, "listener",
				"Cannot listen on %s. Does the node have this address, and is the port free?", address).Because(err)
		}
	}
	return open, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

// Serve serves on listeners that are open already, as Run does on its own. It closes them.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	if len(listeners) == 0 {
		return invalid("There is no address to listen on.")
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var running sync.WaitGroup
	defer running.Wait()

	servers := make([]*http.Server, 0, len(listeners)+1)
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
	if s.c.ProbeAddress != "" {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.c.ProbeAddress)
		if err != nil {
			closeAll(listeners)
			return fault.New(fault.Unavailable, "listener", "Cannot listen on %s for probes.", s.c.ProbeAddress).Because(err)
		}
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
