package api_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/api"
)

// TestPage holds that the pages of a list together are the list, also where what a page ended with is gone before the next one.
func TestPage(t *testing.T) {
	t.Parallel()
	self := func(s string) string { return s }
	for _, tt := range []struct {
		list string
		size int
		want []string
	}{
		{"", 2, []string{""}},
		{"a", 2, []string{"A"}},
		{"ab", 2, []string{"AB"}},
		{"abc", 2, []string{"AB", "C"}},
		{"abcdef", 2, []string{"AB", "CD", "EF"}},
		{"abc", 1, []string{"A", "B", "C"}},
	} {
		list := strings.Split(tt.list, "")
		if tt.list == "" {
			list = nil
		}
		var got []string
		for token := (*string)(nil); ; {
			items, next, ok := api.Page(slices.Values(list), self, strings.ToUpper, token, tt.size)
			if !ok || items == nil {
				t.Fatalf("%q by %d: a page is %v, %v", tt.list, tt.size, items, ok)
			}
			got = append(got, strings.Join(items, ""))
			if next == nil {
				break
			}
			last := strings.ToLower(items[len(items)-1])
			list = slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == last })
			token = next
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%q by %d: %s", tt.list, tt.size, diff)
		}
	}
	for _, token := range []string{"", "?", "YQ=="} {
		if _, _, ok := api.Page(slices.Values([]string{"a"}), self, self, &token, 1); ok {
			t.Errorf("the token %q is taken", token)
		}
	}
}
