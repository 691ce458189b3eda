package inside

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Bridge joins the lab's network namespaces. It carries the node's own addresses.
const Bridge = "node0"

// namespaces are the further network namespaces of a lab.
type namespaces struct {
	mu    *sync.Mutex
	named map[string]*os.File
}

func newNamespaces() namespaces {
	return namespaces{mu: new(sync.Mutex), named: map[string]*os.File{}}
}

// in does something on a thread inside a network namespace.
func (n namespaces) in(name string, do func() error) error {
	if name == "" {
		return do()
	}
	n.mu.Lock()
	file, ok := n.named[name]
	n.mu.Unlock()
	if !ok {
		return fmt.Errorf("no network namespace %q", name)
	}
	return apart(func() error {
		if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace %s: %w", name, err)
		}
		return do()
	})
}

// apart does something on a thread that is not used again.
func apart(do func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this
		result <- do()
	}()
	return <-result
}

// add makes a network namespace with a lo that is up and an eth0 on the bridge.
func (n namespaces) add(name string, addresses, gateways []string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, twice := n.named[name]; twice || name == "" {
		return fmt.Errorf("there is a network namespace %q", name)
	}
	file, err := newNamespace()
	if err != nil {
		return err
	}
	if err := n.join(file, len(n.named)+1, addresses, gateways); err != nil {
		_ = file.Close()
		return fmt.Errorf("join network namespace %s to the node: %w", name, err)
	}
	n.named[name] = file
	return nil
}

func newNamespace() (*os.File, error) {
	var file *os.File
	err := apart(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		if err := prepare(); err != nil {
			return err
		}
		var err error
		file, err = os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
		return err
	})
	return file, err
}

// prepare makes the calling thread's network namespace fit for use: lo is up, packets pass, IPv6 addresses work at once.
func prepare() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	for _, setting := range []struct{ file, value string }{
		{"ipv4/ip_forward", "1"},
		{"ipv6/conf/all/forwarding", "1"},
		{"ipv6/conf/all/accept_dad", "0"},
		{"ipv6/conf/default/accept_dad", "0"},
	} {
		err := os.WriteFile("/proc/sys/net/"+setting.file, []byte(setting.value), 0)
		if err != nil && !errors.Is(err, os.ErrNotExist) { // a kernel without IPv6
			return err
		}
	}
	return nil
}

func (n namespaces) join(file *os.File, number int, addresses, gateways []string) error {
	bridge, err := netlink.LinkByName(Bridge)
	if err != nil {
		return err
	}
	here := fmt.Sprintf("veth-lab%d", number)
	veth := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: here, MasterIndex: bridge.Attrs().Index},
		PeerName:  "eth0", PeerNamespace: netlink.NsFd(file.Fd()),
	}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("make a pair of links: %w", err)
	}
	if err := netlink.LinkSetUp(veth); err != nil {
		return err
	}
	return apart(func() error {
		if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		return connect(addresses, gateways)
	})
}

// connect makes the calling thread's eth0 fit for use.
func connect(addresses, gateways []string) error {
	eth0, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	if err := address(eth0, addresses); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(eth0); err != nil {
		return err
	}
	for _, gateway := range gateways {
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: eth0.Attrs().Index, Gw: net.ParseIP(gateway)}); err != nil {
			return fmt.Errorf("route by %s: %w", gateway, err)
		}
	}
	return nil
}

// address gives a link addresses, without asking the network whether anybody has them.
func address(link netlink.Link, addresses []string) error {
	for _, text := range addresses {
		a, err := netlink.ParseAddr(text)
		if err != nil {
			return err
		}
		if a.IP.To4() == nil {
			a.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrAdd(link, a); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("give %s to %s: %w", text, link.Attrs().Name, err)
		}
	}
	return nil
}

// Network makes the node's network: the bridge with the node's addresses, and addresses on lo. Idempotent.
func Network(node, loopback []string) error {
	if err := prepare(); err != nil {
		return err
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := address(lo, loopback); err != nil {
		return err
	}
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: Bridge}}
	if err := netlink.LinkAdd(bridge); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("make the bridge: %w", err)
	}
	link, err := netlink.LinkByName(Bridge)
	if err != nil {
		return err
	}
	if err := address(link, node); err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}

// forget takes away all links and addresses that neither Network nor Netns made.
func forget(loopback []string) error {
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	for _, link := range links {
		name := link.Attrs().Name
		switch {
		case name == "lo":
			err = forgetAddresses(link, loopback)
		case name == Bridge, strings.HasPrefix(name, "veth-lab"):
		case link.Type() == "bridge" || link.Type() == "veth" || link.Type() == "dummy":
			err = netlink.LinkDel(link)
			if errors.As(err, new(netlink.LinkNotFoundError)) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EINVAL) {
				err = nil // went with its peer
			}
		}
		if err != nil {
			return fmt.Errorf("forget link %s: %w", name, err)
		}
	}
	return nil
}

func forgetAddresses(lo netlink.Link, keep []string) error {
	addresses, err := netlink.AddrList(lo, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		if a.IP.IsLoopback() || slices.Contains(keep, a.IPNet.String()) {
			continue
		}
		if err := netlink.AddrDel(lo, &a); err != nil {
			return err
		}
	}
	return nil
}
