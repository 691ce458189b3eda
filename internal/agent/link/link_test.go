package link_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/podid/podid/internal/agent/link"
	"github.com/podid/podid/internal/fault"
)

var (
	ipv4 = netip.MustParseAddr("169.254.170.23")
	ipv6 = netip.MustParseAddr("fd00:ec2::23")
)

// inNode moves the test into a network namespace of its own, as on a node that has just booted.
func inNode(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("makes network namespaces; run the tests as root")
	}
	runtime.LockOSThread() // and never unlocked: the thread ends with the test, and its namespace with the thread
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("makes network namespaces, which is not allowed here: %v", err)
	}
	lo, err := netlink.LinkByName(link.Loopback)
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func config() link.Config { return link.Config{IPv4: ipv4, IPv6: ipv6} }

// addresses lists what is on a link, without what the kernel puts there by itself.
func addresses(t *testing.T, name string) []string {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	all, err := netlink.AddrList(l, netlink.FAMILY_ALL)
	if err != nil {
		t.Error(err)
	}
	var own []string
	for _, a := range all {
		if !a.IP.IsLoopback() && !strings.HasPrefix(a.IP.String(), "fe80:") {
			own = append(own, a.IPNet.String())
		}
	}
	return own
}

// speak says whether this node answers on an address.
func speak(address netip.Addr) error {
	l, err := net.Listen("tcp", netip.AddrPortFrom(address, 80).String())
	if err != nil {
		return err
	}
	defer l.Close()
	c, err := net.DialTimeout("tcp", l.Addr().String(), 5*time.Second)
	if err != nil {
		return err
	}
	return c.Close()
}

func TestEnsurePutsBothAddressesOnALinkOfTheirOwn(t *testing.T) {
	t.Parallel()
	inNode(t)
	for _, when := range []string{"first", "again"} {
		if err := link.Ensure(t.Context(), config()); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if diff := cmp.Diff(addresses(t, link.DefaultName), []string{"169.254.170.23/32", "fd00:ec2::23/128"}); diff != "" {
			t.Errorf("%s: addresses (-got +want):\n%s", when, diff)
		}
		for _, a := range []netip.Addr{ipv4, ipv6} { // at once: there is nothing to wait for
			if err := speak(a); err != nil {
				t.Errorf("%s: %s: %v", when, a, err)
			}
		}
	}
}

func TestEnsureMendsWhatIsHalfThere(t *testing.T) {
	t.Parallel()
	inNode(t)
	attributes := netlink.NewLinkAttrs()
	attributes.Name = link.DefaultName
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attributes}); err != nil { // down, and without addresses
		t.Fatal(err)
	}
	if err := link.Ensure(t.Context(), config()); err != nil {
		t.Error(err)
	}
	for _, a := range []netip.Addr{ipv4, ipv6} {
		if err := speak(a); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
}

func TestEnsureOnLoopback(t *testing.T) {
	t.Parallel()
	inNode(t)
	c := config()
	c.Name = link.Loopback
	for range 2 {
		if err := link.Ensure(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(addresses(t, "lo"), []string{"169.254.170.23/32", "fd00:ec2::23/128"}); diff != "" {
		t.Errorf("addresses (-got +want):\n%s", diff)
	}
	if err := speak(ipv6); err != nil {
		t.Error(err)
	}
	if _, err := netlink.LinkByName(link.DefaultName); err == nil {
		t.Error("a link was made beside lo")
	}
	// Who changes his mind is told where the address is.
	if err := link.Ensure(t.Context(), config()); !errors.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "on link lo already") {
		t.Errorf("got %v, want a conflict with lo", err)
	}
}

func TestEnsureLeavesAnothersRouteAlone(t *testing.T) {
	t.Parallel()
	inNode(t)
	attributes := netlink.NewLinkAttrs()
	attributes.Name = "other0"
	other := &netlink.Bridge{LinkAttrs: attributes}
	for _, err := range []error{netlink.LinkAdd(other), netlink.LinkSetUp(other), netlink.RouteAdd(&netlink.Route{
		LinkIndex: other.Index, Scope: netlink.SCOPE_LINK, Dst: &net.IPNet{IP: ipv4.AsSlice(), Mask: net.CIDRMask(32, 32)},
	})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := link.Ensure(t.Context(), config()); !errors.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "other0") {
		t.Errorf("got %v, want a conflict with other0", err)
	}
}

func TestEnsureWithoutIPv6(t *testing.T) {
	t.Parallel()
	inNode(t)
	for _, scope := range []string{"all", "default"} {
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+scope+"/disable_ipv6", []byte("1"), 0); err != nil {
			t.Skipf("needs a kernel with IPv6 to turn off: %v", err)
		}
	}
	if err := link.Ensure(t.Context(), config()); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(addresses(t, link.DefaultName), []string{"169.254.170.23/32"}); diff != "" {
		t.Errorf("addresses (-got +want):\n%s", diff)
	}
	c := config()
	c.Want6 = link.On
	if err := link.Ensure(t.Context(), c); !errors.Is(err, fault.Unavailable) {
		t.Errorf("IPv6 on: got %v, want unavailable", err)
	}
}

func TestEnsureLeavesOutWhatIsOff(t *testing.T) {
	t.Parallel()
	inNode(t)
	c := config()
	c.Want4 = link.Off
	if err := link.Ensure(t.Context(), c); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(addresses(t, link.DefaultName), []string{"fd00:ec2::23/128"}); diff != "" {
		t.Errorf("addresses (-got +want):\n%s", diff)
	}
}

func TestEnsureSaysWhichCapabilityIsMissing(t *testing.T) {
	t.Parallel()
	inNode(t)
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil { // of this thread alone
		t.Fatal(err)
	}
	if err := link.Ensure(t.Context(), config()); !errors.Is(err, fault.Denied) || !strings.Contains(err.Error(), "NET_ADMIN") {
		t.Errorf("got %v, want denied for want of NET_ADMIN", err)
	}
}

func TestEnsureNeedsNetAdminAlone(t *testing.T) {
	t.Parallel()
	inNode(t)
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	data[0].Effective, data[0].Permitted = 1<<unix.CAP_NET_ADMIN, 1<<unix.CAP_NET_ADMIN
	if err := unix.Capset(&header, &data[0]); err != nil {
		t.Fatal(err)
	}
	if err := link.Ensure(t.Context(), config()); err != nil {
		t.Error(err)
	}
}

// A pod is another network namespace behind a veth, with a default route to the node.
func TestPodsReachTheAddress(t *testing.T) {
	t.Parallel()
	inNode(t)
	if err := link.Ensure(t.Context(), config()); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", netip.AddrPortFrom(ipv4, 80).String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			fmt.Fprint(c, c.RemoteAddr())
			c.Close()
		}
	}()
	node, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	plugged, said := make(chan error), make(chan string)
	go pod(node, plugged, said)
	if err := <-plugged; err != nil {
		t.Fatal(err)
	}
	veth, err := netlink.LinkByName("veth0")
	if err != nil {
		t.Fatal(err)
	}
	gateway := &net.IPNet{IP: net.IPv4(10, 88, 0, 1), Mask: net.CIDRMask(24, 32)}
	if err := errors.Join(netlink.AddrAdd(veth, &netlink.Addr{IPNet: gateway}), netlink.LinkSetUp(veth)); err != nil {
		t.Error(err)
	}
	plugged <- nil
	if got := <-said; !strings.HasPrefix(got, "10.88.0.2:") {
		t.Errorf("the node saw %q, want the pod's own address", got)
	}
}

// pod lives in a namespace that is plugged into the node's, asks the credential address once and hands on what it heard.
func pod(node *os.File, plugged chan error, said chan<- string) {
	runtime.LockOSThread()
	err := unix.Unshare(unix.CLONE_NEWNET)
	if err == nil {
		attributes := netlink.NewLinkAttrs()
		attributes.Name = "eth0"
		err = netlink.LinkAdd(&netlink.Veth{LinkAttrs: attributes, PeerName: "veth0", PeerNamespace: netlink.NsFd(int(node.Fd()))})
	}
	plugged <- err
	if err != nil {
		return
	}
	if err := <-plugged; err != nil {
		return
	}
	eth, err := netlink.LinkByName("eth0")
	if err != nil {
		said <- err.Error()
		return
	}
	own := &net.IPNet{IP: net.IPv4(10, 88, 0, 2), Mask: net.CIDRMask(24, 32)}
	err = errors.Join(netlink.AddrAdd(eth, &netlink.Addr{IPNet: own}), netlink.LinkSetUp(eth),
		netlink.RouteAdd(&netlink.Route{LinkIndex: eth.Attrs().Index, Gw: net.IPv4(10, 88, 0, 1)}))
	if err != nil {
		said <- err.Error()
		return
	}
	c, err := net.DialTimeout("tcp", netip.AddrPortFrom(ipv4, 80).String(), 5*time.Second)
	if err != nil {
		said <- err.Error()
		return
	}
	defer c.Close()
	text, err := io.ReadAll(c)
	if err != nil {
		said <- err.Error()
		return
	}
	said <- string(text)
}
