package pattern

import (
	"cmp"
	"slices"
)

// Index finds the pairs that match a service account. It never changes once it is made, so any number of goroutines may ask it.
//
// A name is looked up by what a pattern has before its first and after its last *, once for each two lengths of these that there are:
// thousands of patterns of a few shapes cost as much as a few. Only patterns with several * are tried one by one.
type Index[T any] struct {
	namespaces names[*names[T]]
}

// Entry is a pair and what it stands for.
type Entry[T any] struct {
	Pair

	Value T
}

// NewIndex makes an index of entries whose pairs are distinct.
func NewIndex[T any](entries []Entry[T]) *Index[T] {
	x := &Index[T]{}
	grouped := make(map[string]*names[T], len(entries))
	for _, e := range entries {
		accounts, ok := grouped[e.Namespace]
		if !ok {
			accounts = &names[T]{}
			grouped[e.Namespace] = accounts
			x.namespaces.add(e.Namespace, accounts)
		}
		accounts.add(e.ServiceAccount, e.Value)
	}
	x.namespaces.finish()
	for _, accounts := range grouped {
		accounts.finish()
	}
	return x
}

// Find returns what the most specific pair stands for that matches a service account. Of two that are equally specific, which nobody
// should have let in, it is always the same one.
func (x *Index[T]) Find(namespace, serviceAccount string) (T, bool) {
	var none T
	if x == nil {
		return none, false
	}
	var spaces [few]hit[*names[T]]
	var accounts [few]hit[T]
	found := x.namespaces.match(namespace, spaces[:0])
	for len(found) > 0 {
		same := 1
		for same < len(found) && found[same].weight == found[0].weight {
			same++
		}
		matching := accounts[:0]
		for _, space := range found[:same] {
			matching = space.value.match(serviceAccount, matching)
		}
		if len(matching) > 0 {
			return matching[0].value, true
		}
		found = found[same:]
	}
	return none, false
}

// All returns what the pairs stand for that match a service account, the most specific first.
func (x *Index[T]) All(namespace, serviceAccount string) []T {
	if x == nil {
		return nil
	}
	var all []T
	found := x.namespaces.match(namespace, nil)
	for len(found) > 0 {
		same := 1
		for same < len(found) && found[same].weight == found[0].weight {
			same++
		}
		var matching []hit[T]
		for _, space := range found[:same] {
			matching = space.value.match(serviceAccount, matching)
		}
		for _, h := range matching {
			all = append(all, h.value)
		}
		found = found[same:]
	}
	return all
}

// few is how many matches are kept without allocating.
const few = 8

// hit is a pattern that matches.
type hit[T any] struct {
	weight  int
	pattern string
	value   T
}

func (h hit[T]) compare(other hit[T]) int {
	return cmp.Or(cmp.Compare(other.weight, h.weight), cmp.Compare(h.pattern, other.pattern))
}

// names are patterns of one kind of names.
type names[T any] struct {
	exact   map[string]T
	shapes  []shape // that there are patterns of
	by      map[ends][]hit[T]
	several map[ends]bool // whether any of by has more than one *: then each is tried
}

// shape is how long a pattern is before its first and after its last *, and ends is what is there.
type (
	shape struct{ before, after int }
	ends  struct{ before, after string }
)

func (n *names[T]) add(pattern string, value T) {
	if !Is(pattern) {
		if n.exact == nil {
			n.exact = map[string]T{}
		}
		n.exact[pattern] = value
		return
	}
	if n.by == nil {
		n.by, n.several = map[ends][]hit[T]{}, map[ends]bool{}
	}
	e := ends{before(pattern), after(pattern)}
	n.by[e] = append(n.by[e], hit[T]{weight(pattern), pattern, value})
	if len(pattern) > len(e.before)+1+len(e.after) {
		n.several[e] = true
	}
}

// finish notes the shapes, and puts the patterns with the same ends into the order of [names.match], so that sorting them there is quick.
func (n *names[T]) finish() {
	seen := map[shape]bool{}
	for e, hits := range n.by {
		slices.SortFunc(hits, hit[T].compare)
		if s := (shape{len(e.before), len(e.after)}); !seen[s] {
			seen[s] = true
			n.shapes = append(n.shapes, s)
		}
	}
}

// match appends the patterns that match a name, the most specific first.
func (n *names[T]) match(name string, found []hit[T]) []hit[T] {
	if v, ok := n.exact[name]; ok {
		found = append(found, hit[T]{exact, name, v})
	}
	for _, s := range n.shapes {
		if s.before+s.after > len(name) {
			continue
		}
		e := ends{name[:s.before], name[len(name)-s.after:]}
		hits := n.by[e]
		if len(hits) == 0 {
			continue
		}
		if !n.several[e] {
			found = append(found, hits...)
			continue
		}
		for _, h := range hits {
			if Match(h.pattern, name) {
				found = append(found, h)
			}
		}
	}
	if len(found) > 1 {
		slices.SortStableFunc(found, hit[T].compare)
	}
	return found
}
