package issuer

import "net/netip"

// MaxSources is how many sources are remembered.
const MaxSources = maxSources

// ParseDiscovery is parseDiscovery, for the fuzz test.
func ParseDiscovery(issuer string, text []byte) (string, error) { return parseDiscovery(issuer, text) }

// Reachable reports whether an address would be dialed.
func Reachable(allow []netip.Prefix, a netip.Addr) bool { return reach(allow).check(a) == nil }
