package pattern_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/pattern"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true},
		{"*", "anything", true},
		{"team-*", "team-", true},
		{"team-*", "team-a", true},
		{"team-*", "steam-a", false},
		{"*-prod", "shop-prod", true},
		{"*-prod", "shop-prod-2", false},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"a*b*c", "axxbyyc", true},
		{"a*b*c", "axxcyyb", false},
		{"*ab*ab*", "abab", true},
		{"*ab*ab*", "aba", false},
		{"exact", "exact", true},
		{"exact", "exactly", false},
		{"?", "a", false},
	}
	for _, tt := range tests {
		if got := pattern.Match(tt.pattern, tt.name); got != tt.want {
			t.Errorf("Match(%q, %q) = %t", tt.pattern, tt.name, got)
		}
	}
}

func TestIntersect(t *testing.T) {
	t.Parallel()
	a, b := strings.Repeat("a", 40), strings.Repeat("b", 40)
	tests := []struct {
		a, b string
		want bool
	}{
		{"team-*", "*-a", true},
		{"team-a*", "team-b*", false},
		{"*-dev", "*-prod", false},
		{"a*c", "a*b*c", true},
		{"*x*", "*y*", true},
		{"*", "exact", true},
		{"team-*", "exact", false},
		{a + "*", "*" + b, false}, // together they are longer than a namespace
		{a + "*", "*" + a, true},  // but here one name is both
		{"*" + a + "*", "*" + b + "*", false},
		{strings.Repeat("a", 64), "*", false},
	}
	for _, tt := range tests {
		for _, got := range []bool{pattern.Intersect(tt.a, tt.b, 63), pattern.Intersect(tt.b, tt.a, 63)} {
			if got != tt.want {
				t.Errorf("Intersect(%q, %q) = %t", tt.a, tt.b, got)
			}
		}
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	order := []pattern.Pair{ // the most specific first
		{"shop", "cart"},
		{"shop", "ca*"},
		{"shop", "*"},
		{"shop-*", "cart"},
		{"shop*", "cart"},
		{"shop*", "c*t"},
		{"shop*", "c*"},
		{"s*h*p*", "cart"},
		{"*", "cart"},
		{"*", "*"}, // what counts is not how long a pattern is
	}
	for i := range order {
		for j := range order {
			if got := order[i].Compare(order[j]); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%v against %v: %d", order[i], order[j], got)
			}
		}
	}
}

// FuzzIntersect asks for every name of two letters that is short enough whether both patterns match it.
func FuzzIntersect(f *testing.F) {
	for _, seed := range [][2]string{{"a*", "*b"}, {"*a*b*", "*b*a*"}, {"aa*", "*aa"}, {"ab", "a*"}, {"**", "*"}, {"abab*", "*baba"}, {"", "*"}} {
		f.Add(seed[0], seed[1], uint8(5))
	}
	f.Fuzz(func(t *testing.T, a, b string, longest uint8) {
		a, b, longest = letters(a), letters(b), longest%9
		reference := func(p string) *regexp.Regexp { return regexp.MustCompile("^" + strings.ReplaceAll(p, "*", ".*") + "$") }
		ra, rb := reference(a), reference(b)
		want := false
		for name := range words(int(longest)) {
			ma, mb := ra.MatchString(name), rb.MatchString(name)
			if pattern.Match(a, name) != ma || pattern.Match(b, name) != mb {
				t.Fatalf("Match(%q or %q, %q) is wrong", a, b, name)
			}
			want = want || ma && mb
		}
		if got, back := pattern.Intersect(a, b, int(longest)), pattern.Intersect(b, a, int(longest)); got != want || back != want {
			t.Fatalf("Intersect(%q, %q, %d) = %t and %t, want %t", a, b, longest, got, back, want)
		}
	})
}

// letters makes a pattern of a, b and * of any text.
func letters(s string) string {
	s = s[:min(len(s), 10)]
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		out = append(out, "ab*"[s[i]%3])
	}
	return string(out)
}

// words yields the texts of a and b of at most so many letters.
func words(longest int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for n := range longest + 1 {
			for bits := range 1 << n {
				if word := strings.NewReplacer("0", "a", "1", "b").Replace(fmt.Sprintf("%0*b", n, bits))[:n]; !yield(word) {
					return
				}
			}
		}
	}
}

// TestIndex compares the index with the rule applied to every entry.
func TestIndex(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	name := func(stars bool) string {
		out := make([]byte, 1+r.IntN(5))
		for i := range out {
			if out[i] = "ab"[r.IntN(2)]; stars && r.IntN(3) == 0 {
				out[i] = '*'
			}
		}
		return string(out)
	}
	for range 300 {
		var entries []pattern.Entry[pattern.Pair]
		for range 1 + r.IntN(40) {
			p := pattern.Pair{Namespace: name(true), ServiceAccount: name(true)}
			rival := func(e pattern.Entry[pattern.Pair]) bool { return e.Pair == p || e.Compare(p) == 0 && e.Overlap(p) }
			if !slices.ContainsFunc(entries, rival) {
				entries = append(entries, pattern.Entry[pattern.Pair]{Pair: p, Value: p})
			}
		}
		x := pattern.NewIndex(entries)
		for range 100 {
			namespace, account := name(false), name(false)
			var want []pattern.Pair
			for _, e := range entries {
				if e.Match(namespace, account) {
					want = append(want, e.Pair)
				}
			}
			slices.SortFunc(want, pattern.Pair.Compare)
			if diff := cmp.Diff(want, x.All(namespace, account)); diff != "" {
				t.Fatalf("%s/%s: %s", namespace, account, diff)
			}
			best, ok := x.Find(namespace, account)
			if ok != (len(want) > 0) || ok && best != want[0] {
				t.Fatalf("%s/%s: found %v, %t of %v", namespace, account, best, ok, want)
			}
		}
	}
	var none *pattern.Index[int]
	if _, ok := none.Find("a", "b"); ok || none.All("a", "b") != nil {
		t.Error("no index finds something")
	}
}

// BenchmarkFind looks among 5,000 patterns. The bar is 2 us, and 200 us where each has to be tried.
// BenchmarkFindHard is the lookup among patterns that have to be tried one by one and nearly match everywhere.
func BenchmarkFindHard(b *testing.B) {
	entries := make([]pattern.Entry[int], 5000)
	for i := range entries {
		entries[i] = pattern.Entry[int]{Pair: pattern.Pair{Namespace: "*", ServiceAccount: "*" + strings.Repeat("a", 100) + fmt.Sprintf("b%d*", i)}, Value: i}
	}
	x := pattern.NewIndex(entries)
	name := strings.Repeat("a", pattern.LongestServiceAccount)
	for b.Loop() {
		x.Find("shop", name)
	}
}

func BenchmarkFind(b *testing.B) {
	shapes := map[string]func(i int) pattern.Pair{
		"prefixes": func(i int) pattern.Pair {
			return pattern.Pair{Namespace: fmt.Sprintf("team-%d-*", i), ServiceAccount: "*"}
		},
		"both": func(i int) pattern.Pair {
			return pattern.Pair{Namespace: fmt.Sprintf("team-%d-*", i/10), ServiceAccount: fmt.Sprintf("*-%d", i%10)}
		},
		"namespaces": func(i int) pattern.Pair {
			return pattern.Pair{Namespace: fmt.Sprintf("team-%d-x", i), ServiceAccount: "*"}
		},
		"several": func(i int) pattern.Pair {
			return pattern.Pair{Namespace: fmt.Sprintf("*-%d-*", i), ServiceAccount: "*"}
		},
	}
	for name, shape := range shapes {
		b.Run(name, func(b *testing.B) {
			entries := make([]pattern.Entry[int], 5000)
			for i := range entries {
				entries[i] = pattern.Entry[int]{Pair: shape(i), Value: i}
			}
			x := pattern.NewIndex(entries)
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := x.Find("team-321-x", "cart-7"); !ok {
					b.Fatal("nothing found")
				}
			}
		})
	}
}

// BenchmarkNewIndex is what a change of one of 5,000 patterns costs the next lookup. The bar is 10 ms.
func BenchmarkNewIndex(b *testing.B) {
	entries := make([]pattern.Entry[int], 5000)
	for i := range entries {
		entries[i] = pattern.Entry[int]{Pair: pattern.Pair{Namespace: fmt.Sprintf("team-%d-*", i), ServiceAccount: "*"}, Value: i}
	}
	for b.Loop() {
		pattern.NewIndex(entries)
	}
}
