// Package pattern says which service accounts a pattern is about, and which of several patterns counts.
//
// A pattern is a name in which * stands for any number of characters, none included; a name without * is itself. A [Pair] is a namespace
// and a service account, each of which may be a pattern. Of the pairs that match an identity the most specific counts: the namespace
// is compared before the service account, and of two names one without * comes before a pattern, and the pattern with more characters
// that are not * before the other. The control plane and the operator both ask here, so that a pod is given an identity by the same
// rule by which it gets credentials.
//
// Everything here is a pure function of its arguments, and bounded by the lengths of names.
package pattern

import "strings"

// Lengths of Kubernetes' names: no namespace and no service account is longer.
const (
	LongestNamespace      = 63
	LongestServiceAccount = 253
)

// Is tells whether a name is a pattern.
func Is(name string) bool { return strings.IndexByte(name, '*') >= 0 }

// literals counts the characters of a pattern that are not *.
func literals(pattern string) int { return len(pattern) - strings.Count(pattern, "*") }

// Match tells whether a pattern matches a name. What stands between two stars is looked for from the left, where it leaves most of the name
// to what follows: thousands of patterns are tried for one pod, and none may cost the product of the lengths.
func Match(pattern, name string) bool {
	part, pattern, more := strings.Cut(pattern, "*")
	if !more {
		return part == name
	}
	name, ok := strings.CutPrefix(name, part)
	for ok {
		if part, pattern, more = strings.Cut(pattern, "*"); !more {
			return strings.HasSuffix(name, part)
		}
		_, name, ok = strings.Cut(name, part)
	}
	return false
}

// Intersect tells whether there is a name of at most longest characters that both patterns match.
func Intersect(a, b string, longest int) bool {
	switch {
	case !Is(a):
		return len(a) <= longest && Match(b, a)
	case !Is(b):
		return len(b) <= longest && Match(a, b)
	case !agree(before(a), before(b)) || !agree(reverse(after(a)), reverse(after(b))):
		return false
	case literals(a)+literals(b) <= longest:
		// The longer beginning, what is between the stars of one, then of the other, and the longer end: both match that.
		return true
	}
	return shortest(a, b) <= longest
}

// agree tells whether one text begins with the other.
func agree(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }

// before and after are what a pattern has before its first and after its last *.
func before(pattern string) string { return pattern[:strings.IndexByte(pattern, '*')] }
func after(pattern string) string  { return pattern[strings.LastIndexByte(pattern, '*')+1:] }

func reverse(s string) string {
	r := make([]byte, len(s))
	for i := range len(s) {
		r[len(s)-1-i] = s[i]
	}
	return string(r)
}

const never = 1 << 30

// shortest is the length of the shortest text that both patterns match, or never. It fills a table of what is left of both, from their
// ends: a * takes nothing and is left behind, or takes one character that the other pattern asks for.
func shortest(a, b string) int {
	rest := make([]int, len(b)+1) // for a from i+1 on
	for j := len(b); j >= 0; j-- {
		rest[j] = never
		if strings.Trim(b[j:], "*") == "" {
			rest[j] = 0
		}
	}
	for i := len(a) - 1; i >= 0; i-- {
		row := make([]int, len(b)+1)
		for j := len(b); j >= 0; j-- {
			row[j] = step(a, b, i, j, row, rest)
		}
		rest = row
	}
	return min(rest[0], never)
}

// step is one field of the table of [shortest]: row is that of a from i on, of which the fields right of j are filled, rest the one below.
func step(a, b string, i, j int, row, rest []int) int {
	best := never
	if a[i] == '*' {
		best = rest[j]
		if j < len(b) && b[j] != '*' {
			best = min(best, 1+row[j+1])
		}
	}
	switch {
	case j == len(b):
	case b[j] == '*':
		best = min(best, row[j+1])
		if a[i] != '*' {
			best = min(best, 1+rest[j])
		}
	case a[i] == b[j]:
		best = min(best, 1+rest[j+1])
	}
	return best
}

// Pair is a service account, or a pattern of service accounts.
type Pair struct{ Namespace, ServiceAccount string }

// Is tells whether one of the names is a pattern.
func (p Pair) Is() bool { return Is(p.Namespace) || Is(p.ServiceAccount) }

// Match tells whether the pair matches a service account.
func (p Pair) Match(namespace, serviceAccount string) bool {
	return Match(p.Namespace, namespace) && Match(p.ServiceAccount, serviceAccount)
}

// Overlap tells whether there is a service account that both pairs match.
func (p Pair) Overlap(q Pair) bool {
	return Intersect(p.Namespace, q.Namespace, LongestNamespace) && Intersect(p.ServiceAccount, q.ServiceAccount, LongestServiceAccount)
}

// Compare is negative where p is more specific than q, positive where q is, and 0 where they are equally specific.
func (p Pair) Compare(q Pair) int {
	if c := compare(p.Namespace, q.Namespace); c != 0 {
		return c
	}
	return compare(p.ServiceAccount, q.ServiceAccount)
}

// compare compares two names that match the same one.
func compare(a, b string) int { return weight(b) - weight(a) }

// exact is the weight of a name that is no pattern: more than any pattern has.
const exact = 1 << 20

func weight(name string) int {
	if !Is(name) {
		return exact
	}
	return literals(name)
}
