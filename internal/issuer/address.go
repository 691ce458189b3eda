package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// errAddress is the cause of a refusal to dial.
var errAddress = errors.New("the address is not one that issuers may have")

// never are the addresses that are dialed for nobody, whatever is allowed: they are no hosts, or they hand out what a machine is.
var never = prefixes(
	"0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "::/128", "fe80::/10", "ff00::/8",
	"100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::/32", "fd20:ce::254/128",
)

// special are the addresses that are not of the public Internet, after IANA's registries of special-purpose addresses; and those of
// IPv6 that lead to IPv4 addresses, which are better dialed as such.
var special = prefixes(
	"10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

// global is where the public addresses of IPv6 are; what is outside is loopback, unique local, mapped, translated or not given out.
var global = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

// reach is the private networks in which issuers may be.
type reach []netip.Prefix

// control checks an address at the last moment before a socket connects to it.
func (r reach) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s", errAddress, address)
	}
	return r.check(a.Addr())
}

func (r reach) check(a netip.Addr) error {
	within := func(p netip.Prefix) bool { return p.Contains(a) }
	unmapped := func(p netip.Prefix) bool { return p.Contains(a.Unmap()) }
	switch {
	case a.Zone() != "", slices.ContainsFunc(never, unmapped):
	case slices.ContainsFunc(r, within):
		return nil
	case a.Is6() && !global.Contains(a), slices.ContainsFunc(special, within):
	default:
		return nil
	}
	return fmt.Errorf("%w: %s", errAddress, a)
}
