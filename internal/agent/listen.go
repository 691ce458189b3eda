package agent

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/podid/podid/internal/fault"
)

const (
	addressPoll = 100 * time.Millisecond
	// ipv6Wait is how long IPv6 may come later than IPv4, because one init step makes both. A node that has none pays for it.
	ipv6Wait = 3 * time.Second
)

// Run listens on every bind host and serves until ctx ends; then it lets the requests under way finish. It waits for addresses
// that the node does not have yet. A node without IPv6 is served without the IPv6 address, and one without IPv4 without the
// other, unless they were asked for by name.
func (s *Server) Run(ctx context.Context) error {
	listeners, err := s.listen(ctx)
	if err != nil {
		return err
	}
	return s.Serve(ctx, listeners...)
}

func (s *Server) listen(ctx context.Context) ([]net.Listener, error) {
	if s.c.BindHosts == nil {
		return s.listenAsFound(ctx)
	}
	var open []net.Listener
	for _, host := range s.c.BindHosts {
		l, err := s.await(ctx, s.c.AddressWait, host)
		if err != nil {
			closeAll(open)
			return nil, err
		}
		open = append(open, l...)
	}
	return open, nil
}

// listenAsFound takes the first of the two addresses that comes, and gives the other the time that the init step may need.
func (s *Server) listenAsFound(ctx context.Context) ([]net.Listener, error) {
	open, err := s.await(ctx, s.c.AddressWait, LinkLocalIPv4, LinkLocalIPv6)
	if err != nil || len(open) == 2 {
		return open, err
	}
	other := LinkLocalIPv6
	if a, ok := open[0].Addr().(*net.TCPAddr); ok && a.IP.To4() == nil {
		other = LinkLocalIPv4
	}
	more, err := s.await(ctx, min(ipv6Wait, s.c.AddressWait), other)
	if err != nil {
		s.c.Logger.InfoContext(ctx, "the node has one credential address of two", "missing", other, "error", err)
	}
	return append(open, more...), nil
}

// await listens on those of the hosts that the node has, once it has any of them.
func (s *Server) await(ctx context.Context, wait time.Duration, hosts ...string) ([]net.Listener, error) {
	for deadline := s.c.Now().Add(wait); ; {
		var open []net.Listener
		var last error
		for _, host := range hosts {
			address := net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(s.c.Port))
			l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
			switch {
			case err == nil:
				open = append(open, l)
			case notThere(err):
				last = cannotListen(address, err)
			default:
				closeAll(open)
				return nil, cannotListen(address, err)
			}
		}
		if len(open) > 0 {
			return open, nil
		}
		if !s.c.Now().Before(deadline) || sleep(ctx, addressPoll) != nil {
			return nil, last
		}
	}
}

// notThere tells a node that lacks the address, so far or for good, from a port that is taken or not allowed.
func notThere(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}

func cannotListen(address string, cause error) error {
	return fault.New(fault.Unavailable, "listener",
		"Cannot listen on %s. Does the node have this address (podid-agent initialize makes it), and is the port free?", address).Because(cause)
}

func (s *Server) listenForProbes(ctx context.Context) ([]net.Listener, error) {
	var open []net.Listener
	for _, address := range []string{s.c.ProbeAddress, s.c.MetricsAddress} {
		if address == "" {
			continue
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil {
			closeAll(open)
			return nil, fault.New(fault.Unavailable, "listener", "Cannot listen on %s for probes and metrics.", address).Because(err)
		}
		open = append(open, l)
	}
	return open, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}
