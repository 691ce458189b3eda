package policy

import (
	"strings"
)

// Context holds the condition keys of one request: every key, also those that follow from the principal
// (aws:PrincipalArn, aws:PrincipalAccount, aws:PrincipalTag/..., aws:username, aws:userid, ...), from the resource and from the
// transport. The engine derives none of them; whoever asks (internal/authz) sets them. A key that was never set is absent,
// which differs from a key that was set without values. Values of keys that are compared with BinaryEquals are base64.
//
// Key names ignore case, also the part after the slash. The zero Context is empty and ready; it grows to its working size
// once and is then reused with [Context.Reset]. It is not safe for concurrent change.
//
// spec: iam-policy.md 5.1, 10
type Context struct {
	entries []entry
	values  []string // the values of all entries, back to back
	table   []uint16 // open addressing over entries; position plus one, 0 is free
}

type entry struct {
	name        string
	hash        uint64
	first, last int
}

// maxKeys bounds what one request can carry: the table counts in 16 bits and stays at most half full.
const maxKeys = 1 << 14

// Set gives key its values. No values at all makes the key present and empty. A second Set of a key replaces the first.
func (c *Context) Set(key string, values ...string) {
	first := len(c.values)
	c.values = append(c.values, values...)
	e := entry{name: key, hash: hashFold(key), first: first, last: len(c.values)}
	if old := c.find(e.name, e.hash); old != nil {
		*old = e
		return
	}
	if len(c.entries) == maxKeys {
		return
	}
	c.entries = append(c.entries, e)
	if 2*len(c.entries) > len(c.table) {
		c.grow()
		return
	}
	c.insert(len(c.entries))
}

// Get returns the values of key and whether it is present. The slice must not be changed and lives until Reset.
func (c *Context) Get(key string) ([]string, bool) {
	e := c.find(key, hashFold(key))
	if e == nil {
		return nil, false
	}
	return c.values[e.first:e.last:e.last], true
}

// All calls f for every key in the order in which they were first set.
func (c *Context) All(f func(key string, values []string) bool) {
	for _, e := range c.entries {
		if !f(e.name, c.values[e.first:e.last:e.last]) {
			return
		}
	}
}

// Reset forgets everything and keeps the memory.
func (c *Context) Reset() {
	clear(c.entries)
	clear(c.values)
	clear(c.table)
	c.entries, c.values = c.entries[:0], c.values[:0]
}

func (c *Context) grow() {
	c.table = make([]uint16, max(64, 2*len(c.table)))
	for i := range c.entries {
		c.insert(i + 1)
	}
}

func (c *Context) insert(position int) {
	mask := uint64(len(c.table) - 1) //nolint:gosec // a length is never negative, and the table is never empty here
	slot := c.entries[position-1].hash & mask
	for c.table[slot] != 0 {
		slot = (slot + 1) & mask
	}
	c.table[slot] = uint16(position) //nolint:gosec // Set keeps at most maxKeys entries
}

func (c *Context) find(name string, hash uint64) *entry {
	if c == nil || len(c.table) == 0 {
		return nil
	}
	mask := uint64(len(c.table) - 1) //nolint:gosec // not empty
	for slot := hash & mask; c.table[slot] != 0; slot = (slot + 1) & mask {
		e := &c.entries[c.table[slot]-1]
		if e.hash == hash && (e.name == name || strings.EqualFold(e.name, name)) {
			return e
		}
	}
	return nil
}

// contextKey is a key name of a policy, hashed when the policy was compiled.
type contextKey struct {
	name  string
	hash  uint64
	multi bool // the key is documented to hold several values
}

func newContextKey(name string) contextKey {
	return contextKey{name: name, hash: hashFold(name), multi: multivalued(name)}
}

// lookup is Get for a compiled key. A nil Context has no keys.
func (c *Context) lookup(k *contextKey) (values []string, present bool) {
	if c == nil {
		return nil, false
	}
	e := c.find(k.name, k.hash)
	if e == nil {
		return nil, false
	}
	return c.values[e.first:e.last], true
}

// variable is the value of k as a policy variable: multivalued keys have none. spec: iam-policy.md 4
func (c *Context) variable(k *contextKey) (string, bool) {
	if k.multi {
		return "", false
	}
	v, _ := c.lookup(k)
	if len(v) != 1 {
		return "", false
	}
	return v[0], true
}

// multivaluedKeys are the keys that section 10 of the specification marks as multivalued.
var multivaluedKeys = [...]string{
	"aws:PrincipalOrgPaths", "aws:PrincipalServiceNamesList", "aws:CalledVia", "aws:SourceOrgPaths", "aws:TagKeys",
	"aws:ResourceOrgPaths", "sts:TransitiveTagKeys", "s3:RequestObjectTagKeys",
}

func multivalued(name string) bool {
	for _, k := range multivaluedKeys {
		if strings.EqualFold(k, name) {
			return true
		}
	}
	// <issuer>:amr of a web identity. spec: iam-policy.md 7.3
	provider, claim, ok := strings.Cut(name, ":")
	return ok && strings.EqualFold(claim, "amr") && strings.Contains(provider, ".")
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// hashFold is FNV-1a over s with ASCII letters in lower case. Bytes beyond ASCII are left out, so that names which are equal
// under Unicode folding hash alike.
func hashFold(s string) uint64 {
	h := uint64(fnvOffset)
	for i := range len(s) {
		if c := s[i]; c < 0x80 {
			h = (h ^ uint64(lower(c))) * fnvPrime
		}
	}
	return h
}

func lower(c byte) byte {
	if c-'A' < 26 {
		return c + ('a' - 'A')
	}
	return c
}
