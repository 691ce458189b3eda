package policy

import (
	"math/bits"
	"slices"
)

// hashedPrefix is how many leading bytes of an action the index looks at; longer literals are filed under so many.
const hashedPrefix = 63

// fewStatements is up to how many statements of one bucket are tried one by one, without a look at the resource.
const fewStatements = 6

// index finds the statements of one effect that can match an action, and among many of them those that can match the resource.
// Every action pattern is filed under its literal prefix, a complete action under all of itself, a NotAction under the empty
// prefix. A lookup probes once per length that occurs in the document, so its cost grows with what can match.
// spec: iam-policy.md 16
type index struct {
	statements []*statement // all of the effect, in document order
	always     bucket       // filed under the empty prefix
	prefixes   table[bucket]
	lengths    uint64 // bit n: some pattern has a literal prefix of n bytes
	exact      table[bucket]
}

// bucket holds the statements that share an action prefix.
type bucket struct {
	filed   []filed
	lengths []int // of resource prefixes, ascending; nil: the statements are tried one by one
	narrow  table[[]filed]
}

// filed is a statement with the pattern that led to it; pattern nil stands for NotAction.
type filed struct {
	pattern   *actionPattern
	statement *statement
}

// actionHashes are the hashes of all prefixes of an action up to hashedPrefix bytes, and of the whole of it.
type actionHashes struct {
	prefix [hashedPrefix + 1]uint64
	whole  uint64
	mask   uint64 // lengths that the action has
}

func (h *actionHashes) fill(action string) {
	sum := uint64(fnvOffset)
	for i := range len(action) {
		sum = (sum ^ uint64(lower(action[i]))) * fnvPrime
		if i < hashedPrefix {
			h.prefix[i+1] = sum
		}
	}
	h.whole = sum
	h.mask = 1<<(min(len(action), hashedPrefix)+1) - 1
	if len(action) >= hashedPrefix {
		h.mask = ^uint64(0)
	}
}

func hashBytes(sum uint64, s string) uint64 {
	for i := range len(s) {
		sum = (sum ^ uint64(s[i])) * fnvPrime
	}
	return sum
}

func newIndex(statements []statement, deny bool) index {
	var x index
	exact, prefixes := map[uint64]*bucket{}, map[uint64]*bucket{}
	for i := range statements {
		s := &statements[i]
		if s.deny != deny {
			continue
		}
		x.statements = append(x.statements, s)
		if s.notAction {
			x.always.file(filed{nil, s})
			continue
		}
		for j := range s.actions {
			a := &s.actions[j]
			switch n := min(a.prefix, hashedPrefix); {
			case a.exact:
				at(exact, hashBytes(fnvOffset, a.text)).file(filed{a, s})
			case n == 0:
				x.always.file(filed{a, s})
			default:
				x.lengths |= 1 << n
				at(prefixes, hashBytes(fnvOffset, a.text[:n])).file(filed{a, s})
			}
		}
	}
	x.always.finish()
	x.exact, x.prefixes = finishAll(exact), finishAll(prefixes)
	return x
}

func at(m map[uint64]*bucket, hash uint64) *bucket {
	b := m[hash]
	if b == nil {
		b = &bucket{}
		m[hash] = b
	}
	return b
}

func finishAll(m map[uint64]*bucket) table[bucket] {
	t := newTable[bucket](len(m))
	for hash, b := range m {
		b.finish()
		t.put(hash, *b)
	}
	return t
}

func (b *bucket) file(f filed) { b.filed = append(b.filed, f) }

// finish files the statements of a large bucket once more, under the literal prefix that the resources of each have in common.
func (b *bucket) finish() {
	if len(b.filed) <= fewStatements {
		return
	}
	m := map[uint64][]filed{}
	for _, f := range b.filed {
		p := f.statement.commonPrefix()
		b.lengths = append(b.lengths, len(p))
		h := hashBytes(fnvOffset, p)
		m[h] = append(m[h], f)
	}
	slices.Sort(b.lengths)
	b.lengths = slices.Compact(b.lengths)
	b.narrow = newTable[[]filed](len(m))
	for h, fs := range m {
		b.narrow.put(h, fs)
	}
}

// commonPrefix is text with which every resource that the statement can match begins.
func (s *statement) commonPrefix() string {
	if s.notResource || len(s.resources) == 0 {
		return ""
	}
	p := s.resources[0].prefix()
	for i := range s.resources[1:] {
		q := s.resources[i+1].prefix()
		n := 0
		for n < len(p) && n < len(q) && p[n] == q[n] {
			n++
		}
		p = p[:n]
	}
	return p
}

// first returns a statement that applies to the request, with the level of its principal. It stops at the first one whose level
// reaches enough; otherwise the closest one counts.
func (x *index) first(r *Request, h *actionHashes, bounded bool, enough level) (*statement, level) {
	if len(x.statements) == 0 {
		return nil, levelNone
	}
	var best found
	if best.search(&x.always, r, bounded, enough) {
		return best.statement, best.level
	}
	if b := x.exact.get(h.whole); b != nil && best.search(b, r, bounded, enough) {
		return best.statement, best.level
	}
	for lengths := x.lengths & h.mask; lengths != 0; lengths &= lengths - 1 {
		b := x.prefixes.get(h.prefix[bits.TrailingZeros64(lengths)])
		if b != nil && best.search(b, r, bounded, enough) {
			break
		}
	}
	return best.statement, best.level
}

// found is the closest statement so far.
type found struct {
	statement *statement
	level     level
}

// search tries the statements of b and reports whether one is close enough.
func (best *found) search(b *bucket, r *Request, bounded bool, enough level) bool {
	if b.lengths == nil {
		return best.try(b.filed, r, bounded, enough)
	}
	sum, done := uint64(fnvOffset), 0
	for _, n := range b.lengths {
		if n > len(r.Resource) {
			return false
		}
		sum, done = hashBytes(sum, r.Resource[done:n]), n
		if fs := b.narrow.get(sum); fs != nil && best.try(*fs, r, bounded, enough) {
			return true
		}
	}
	return false
}

func (best *found) try(fs []filed, r *Request, bounded bool, enough level) bool {
	for i := range fs {
		f := &fs[i]
		if f.pattern == nil {
			if !f.statement.matchesAction(r.Action) {
				continue
			}
		} else if !f.pattern.match(r.Action) {
			continue
		}
		if l := f.statement.applies(r, bounded); l > best.level {
			best.statement, best.level = f.statement, l
			if l >= enough {
				return true
			}
		}
	}
	return false
}

// table is an open-addressing hash table that is filled once. What is found
// is always verified by the caller, so a collision costs time and never correctness.
type table[T any] struct {
	slots []slot[T]
}

type slot[T any] struct {
	hash  uint64
	used  bool
	value T
}

func newTable[T any](n int) table[T] {
	if n == 0 {
		return table[T]{}
	}
	return table[T]{slots: make([]slot[T], 1<<bits.Len(uint(2*n)))}
}

func (t *table[T]) put(hash uint64, value T) {
	mask := uint64(len(t.slots) - 1) //nolint:gosec // not empty
	i := mix(hash) & mask
	for t.slots[i].used {
		i = (i + 1) & mask
	}
	t.slots[i] = slot[T]{hash, true, value}
}

func (t *table[T]) get(hash uint64) *T {
	if len(t.slots) == 0 {
		return nil
	}
	mask := uint64(len(t.slots) - 1) //nolint:gosec // not empty
	for i := mix(hash) & mask; t.slots[i].used; i = (i + 1) & mask {
		if t.slots[i].hash == hash {
			return &t.slots[i].value
		}
	}
	return nil
}

// mix brings the high bits of an FNV sum, which are the good ones, down to where the mask looks.
func mix(hash uint64) uint64 { return hash ^ hash>>32 }
