// Package link gives a node the addresses that pods ask for credentials.
//
// AWS SDKs trust two addresses without TLS, 169.254.170.23 and fd00:ec2::23. This package puts each of them, where the node speaks
// its family, on a link of the node's own, so that what pods send there stays on the node: the kernel delivers it like any other
// local address, through whatever network the pods have.
//
// Promises:
//
//   - [Ensure] may be called any number of times, and by an earlier version's link; what is there already stays.
//   - It needs NET_ADMIN in the node's network namespace and nothing else: no file is written, no other program is run.
//   - It never takes an address from somebody else: one that is on another link already is a failure that says where.
//
// spec: pod-identity.md 4.2
package link

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/podid/podid/internal/fault"
)

// DefaultName is the link that the addresses get if nobody says otherwise: AWS's name, so that a node that had AWS's agent keeps
// its link.
const DefaultName = "pod-id-link0"

// Loopback is the one link that is never made, because every node has it.
const Loopback = "lo"

// Family says what happens to the address of one family.
type Family string

// What may happen to an address.
const (
	Auto Family = "auto" // it is there afterwards if the node speaks the family
	On   Family = "on"   // it is there afterwards, or Ensure fails
	Off  Family = "off"  // it is not touched
)

// Config says which addresses go where. Addresses that are not valid are left out.
type Config struct {
	Name       string     // of the link; "": pod-id-link0
	IPv4, IPv6 netip.Addr // the addresses
	Want4      Family     // "": auto
	Want6      Family     // "": auto

	Logger *slog.Logger // nil: silent
}

// Ensure finds or makes the link, puts the addresses on it and sets it up.
func Ensure(ctx context.Context, c Config) error {
	c, err := c.withDefaults()
	if err != nil {
		return err
	}
	l, err := c.link(ctx)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(l); err != nil {
		return c.failed(err, "Cannot set link %s up.", c.Name)
	}
	for _, family := range []struct {
		address netip.Addr
		want    Family
		spoken  func(link string) error
	}{
		{c.IPv4, c.Want4, func(string) error { return nil }},
		{c.IPv6, c.Want6, speaksIPv6},
	} {
		if family.want == Off || !family.address.IsValid() {
			continue
		}
		if err := family.spoken(c.Name); err != nil {
			if family.want == On {
				return c.failed(err, "The address %s was asked for, and this node does not speak its family.", family.address)
			}
			c.Logger.InfoContext(ctx, "address left out: the node does not speak its family", "address", family.address.String(), "reason", err)
			continue
		}
		if err := c.put(ctx, l, family.address); err != nil {
			return err
		}
	}
	return nil
}

func (c Config) withDefaults() (Config, error) {
	if c.Name == "" {
		c.Name = DefaultName
	}
	if len(c.Name) >= unix.IFNAMSIZ || strings.ContainsAny(c.Name, "/ \t\n") || c.Name == "." || c.Name == ".." {
		return c, fault.New(fault.Invalid, "link", "%q is not a name that a link can have.", c.Name)
	}
	for _, want := range []*Family{&c.Want4, &c.Want6} {
		switch *want {
		case Auto, On, Off:
		case "":
			*want = Auto
		default:
			return c, fault.New(fault.Invalid, "link", "An address is auto, on or off, not %q.", *want)
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// link finds the link or makes it: a dummy, or, for kernels that have none, a bridge that nothing is plugged into.
func (c Config) link(ctx context.Context) (netlink.Link, error) {
	l, err := netlink.LinkByName(c.Name)
	if err == nil {
		return l, nil
	}
	if _, absent := errors.AsType[netlink.LinkNotFoundError](err); !absent || c.Name == Loopback {
		return nil, c.failed(err, "Cannot look for link %s.", c.Name)
	}
	attributes := netlink.NewLinkAttrs()
	attributes.Name = c.Name
	for _, made := range []netlink.Link{&netlink.Dummy{LinkAttrs: attributes}, &netlink.Bridge{LinkAttrs: attributes}} {
		err = netlink.LinkAdd(made)
		if err == nil || errors.Is(err, unix.EEXIST) {
			c.Logger.InfoContext(ctx, "link made", "link", c.Name, "kind", made.Type())
			if l, err = netlink.LinkByName(c.Name); err != nil {
				return nil, c.failed(err, "Cannot find link %s, which was just made.", c.Name)
			}
			return l, nil
		}
		if !errors.Is(err, unix.EOPNOTSUPP) {
			break
		}
	}
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil, c.failed(err, "This kernel makes neither a dummy nor a bridge. With --link lo the addresses go on the loopback link instead.")
	}
	return nil, c.failed(err, "Cannot make link %s.", c.Name)
}

// put adds an address and its route to a link that is up.
func (c Config) put(ctx context.Context, l netlink.Link, address netip.Addr) error {
	family := netlink.FAMILY_V4
	if address.Is6() {
		family = netlink.FAMILY_V6
	}
	host := &net.IPNet{IP: address.AsSlice(), Mask: net.CIDRMask(address.BitLen(), address.BitLen())}
	// Every table: an address of another link is a destination in the table "local".
	routes, err := netlink.RouteListFiltered(family, &netlink.Route{Dst: host, Table: unix.RT_TABLE_UNSPEC},
		netlink.RT_FILTER_DST|netlink.RT_FILTER_TABLE)
	if err != nil {
		return c.failed(err, "Cannot list the routes to %s.", address)
	}
	routed := false
	for _, r := range routes {
		if r.LinkIndex != l.Attrs().Index {
			return fault.New(fault.Conflict, "route",
				"There is a route to %s on link %s already. Remove that address or route, or give its link with --link.", address, linkName(r.LinkIndex))
		}
		routed = routed || r.Table == unix.RT_TABLE_MAIN
	}
	// No duplicate address detection: the address means this node on every node, and a link without a neighbour may never
	// finish asking.
	err = netlink.AddrAdd(l, &netlink.Addr{IPNet: host, Flags: unix.IFA_F_NODAD})
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return c.failed(err, "Cannot put %s on link %s.", address, c.Name)
	}
	if address.Is6() {
		c.await(ctx, l, host)
	}
	// What is on lo is delivered without one. Elsewhere a route in the main table serves networks that read nothing but that; for
	// IPv6 the kernel has made it by now.
	if c.Name != Loopback && address.Is4() && !routed {
		err := netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: host, Scope: netlink.SCOPE_LINK})
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return c.failed(err, "Cannot add the route to %s on link %s.", address, c.Name)
		}
	}
	c.Logger.InfoContext(ctx, "address is there", "address", address.String(), "link", c.Name)
	return nil
}

// The kernel finishes an IPv6 address in the background: until it has made the route in the table "local", nothing reaches the address.
const (
	finishWithin = 2 * time.Second
	finishLook   = 5 * time.Millisecond
)

// await waits for that route. One that is late is no failure: the address is there, and whoever listens on it is reached once it comes.
func (c Config) await(ctx context.Context, l netlink.Link, host *net.IPNet) {
	ctx, cancel := context.WithTimeout(ctx, finishWithin)
	defer cancel()
	look := time.NewTicker(finishLook)
	defer look.Stop()
	for {
		routes, err := netlink.RouteListFiltered(netlink.FAMILY_V6, &netlink.Route{Dst: host, Table: unix.RT_TABLE_LOCAL, LinkIndex: l.Attrs().Index},
			netlink.RT_FILTER_DST|netlink.RT_FILTER_TABLE|netlink.RT_FILTER_OIF)
		if err == nil && len(routes) > 0 {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			c.Logger.WarnContext(ctx, "the kernel has not finished the address yet", "address", host.IP.String(), "link", c.Name, "error", err)
			return
		}
	}
}

// speaksIPv6 says why a link cannot have an IPv6 address, if it cannot.
func speaksIPv6(link string) error {
	for _, scope := range []string{"all", link} {
		file := filepath.Join("/proc/sys/net/ipv6/conf", scope, "disable_ipv6")
		text, err := os.ReadFile(file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return errors.New("the kernel has no IPv6 here")
		case err != nil:
			return err
		case strings.TrimSpace(string(text)) != "0":
			return fmt.Errorf("%s is %s", file, strings.TrimSpace(string(text)))
		}
	}
	return nil
}

func linkName(index int) string {
	if l, err := netlink.LinkByIndex(index); err == nil {
		return l.Attrs().Name
	}
	return fmt.Sprintf("number %d", index)
}

// failed words a failure; where it is a missing capability, it says so.
func (c Config) failed(cause error, format string, args ...any) error {
	kind, hint := fault.Unavailable, ""
	if errors.Is(cause, unix.EPERM) || errors.Is(cause, unix.EACCES) {
		kind, hint = fault.Denied, " This needs the capability NET_ADMIN and the node's network namespace."
	}
	return fault.New(kind, "link", "%s%s", fmt.Sprintf(format, args...), hint).Because(cause)
}
