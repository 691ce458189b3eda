package iamapi

import (
	"encoding/base64"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/podid/podid/internal/fault"
)

// spec: pod-identity.md 6.6
const (
	defaultItems = 100
	maxItems     = 1000
)

// page is one page of a list. A marker holds the sort key of the last item before it, so a list that changes between two pages
// neither repeats nor loses what stays in it.
type page[T any] struct {
	items     []T
	truncated bool
	marker    *string
}

// paged cuts a page out of everything there is. All must come in the order of its keys, which are unique.
func paged[V, T any](all iter.Seq[V], key func(V) string, wire func(V) T, marker *string, limit *int32) (page[T], error) {
	size := int(aws.ToInt32(limit))
	if limit == nil {
		size = defaultItems
	}
	if size < 1 || size > maxItems {
		return page[T]{}, fault.New(fault.Invalid, "parameter", "1 validation error detected: Value '%d' at 'maxItems' failed to satisfy constraint: "+
			"Member must have value between 1 and %d", size, maxItems)
	}
	after, err := base64.RawURLEncoding.DecodeString(aws.ToString(marker))
	if err != nil || marker != nil && len(after) == 0 {
		return page[T]{}, fault.New(fault.Invalid, "parameter", "Invalid Marker.")
	}
	p := page[T]{items: []T{}}
	last := ""
	for v := range all {
		k := key(v)
		if marker != nil && k <= string(after) {
			continue
		}
		if len(p.items) == size {
			p.truncated, p.marker = true, aws.String(base64.RawURLEncoding.EncodeToString([]byte(last)))
			break
		}
		p.items, last = append(p.items, wire(v)), k
	}
	return p, nil
}

// where keeps the values that a condition holds for.
func where[V any](all iter.Seq[V], keep func(V) bool) iter.Seq[V] {
	return func(yield func(V) bool) {
		for v := range all {
			if keep(v) && !yield(v) {
				return
			}
		}
	}
}

// pathPrefix tells whether a path is under the prefix that a list was asked for.
func pathPrefix(path string, prefix *string) bool {
	return strings.HasPrefix(path, aws.ToString(prefix))
}

// self is for lists of strings: the value is its own sort key and its own wire form.
func self(s string) string { return s }

func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

// sortedBy puts a short list into the order of its keys.
func sortedBy[V any](list []V, key func(V) string) iter.Seq[V] {
	return slices.Values(slices.SortedFunc(slices.Values(list), func(a, b V) int { return strings.Compare(key(a), key(b)) }))
}
