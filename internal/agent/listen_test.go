package agent_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/podid/podid/internal/agent"
	"github.com/podid/podid/internal/agent/link"
)

// The init step may come after the agent: a node that reboots starts all containers at once.
func TestRunWaitsForTheAddressesThatTheNodeGets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ipv4, ipv6 link.Family
		want       []string
	}{
		"both":      {link.On, link.On, []string{"169.254.170.23:80", "[fd00:ec2::23]:80"}},
		"IPv4 only": {link.On, link.Off, []string{"169.254.170.23:80"}},
		"IPv6 only": {link.Off, link.On, []string{"[fd00:ec2::23]:80"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if os.Geteuid() != 0 {
				t.Skip("makes network namespaces; run the tests as root")
			}
			runtime.LockOSThread() // and never unlocked: the thread ends with the test, and its namespace with the thread
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				t.Skipf("makes network namespaces, which is not allowed here: %v", err)
			}
			node, err := os.Open("/proc/thread-self/ns/net")
			if err != nil {
				t.Fatal(err)
			}
			defer node.Close()

			waiting := make(chan struct{})
			var armed atomic.Bool
			a := config(&authService{})
			a.AddressWait = time.Minute
			a.Now = func() time.Time {
				if armed.CompareAndSwap(true, false) {
					close(waiting)
				}
				return time.Now()
			}
			s := newServer(t, a)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			initialized := make(chan error, 1)
			go func() {
				defer stop()
				runtime.LockOSThread()
				if err := unix.Setns(int(node.Fd()), unix.CLONE_NEWNET); err != nil {
					initialized <- err
					return
				}
				<-waiting
				up := link.Config{Name: link.Loopback, Want4: link.Off, Want6: link.Off} // as on every node; it gets no address
				if err := link.Ensure(ctx, up); err != nil {
					initialized <- err
					return
				}
				if err := link.Ensure(ctx, link.Config{
					Want4: c.ipv4, Want6: c.ipv6,
					IPv4: netip.MustParseAddr(agent.LinkLocalIPv4), IPv6: netip.MustParseAddr(agent.LinkLocalIPv6),
				}); err != nil {
					initialized <- err
					return
				}
				initialized <- errors.Join(answer(c.want)...)
			}()
			armed.Store(true)
			if err := s.Run(ctx); err != nil {
				t.Error(err)
			}
			if err := <-initialized; err != nil {
				t.Error(err)
			}
		})
	}
}

// answer waits for somebody to listen on each address.
func answer(addresses []string) []error {
	var errs []error
	for _, address := range addresses {
		var last error
		for range 500 {
			var c net.Conn
			if c, last = net.DialTimeout("tcp", address, time.Second); last == nil {
				c.Close()
				break
			}
			<-time.After(20 * time.Millisecond)
		}
		errs = append(errs, last)
	}
	return errs
}
