package policy_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/podid/podid/internal/policy"
)

// naive is wildcard matching as one would define it; only for short texts.
func naive(pattern, text []rune) bool {
	if len(pattern) == 0 {
		return len(text) == 0
	}
	if pattern[0] == '*' {
		return naive(pattern[1:], text) || len(text) > 0 && naive(pattern, text[1:])
	}
	return len(text) > 0 && (pattern[0] == '?' || pattern[0] == text[0]) && naive(pattern[1:], text[1:])
}

// FuzzPattern compares the matcher with the definition, with and without the automaton for many question marks.
func FuzzPattern(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add("*?*ab*", "aab")
	f.Add("?世*", "x世界")
	f.Add("*a?b*ab", "aabaxbab")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 12 || len(text) > 14 || strings.Contains(pattern, "$") || !utf8.ValidString(pattern) || !utf8.ValidString(text) {
			return
		}
		quoted, err := json.Marshal(pattern)
		if err != nil {
			t.Fatal(err)
		}
		want := naive([]rune(pattern), []rune(text))
		padding := strings.Repeat("p", 20)
		for pad, fill := range map[string]string{"": "", strings.Repeat("?", 20): padding} {
			d, err := policy.Compile(policy.Identity, fmt.Sprintf(
				`{"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::%s"},"Version":"2012-10-17"}`, pad+string(quoted[1:len(quoted)-1])))
			if err != nil {
				return
			}
			r := putObject()
			r.Resource = "arn:aws:s3:::" + fill + text
			got := policy.Evaluate(r, &policy.Set{Identity: []*policy.Document{d}}).Outcome == policy.Allow
			if got != want {
				t.Fatalf("%q against %q: got %v, want %v", pad+pattern, fill+text, got, want)
			}
		}
	})
}
