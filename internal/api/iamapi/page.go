package iamapi

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/fault"
)

// spec: pod-identity.md 6.6
const (
	defaultItems = 100
	maxItems     = 1000
)

// page is one page of a list.
type page[T any] struct {
	items     []T
	truncated bool
	marker    *string
}

// paged cuts a page out of everything there is. See [api.Page].
func paged[V, T any](all iter.Seq[V], key func(V) string, wire func(V) T, marker *string, limit *int32) (page[T], error) {
	size := int(aws.ToInt32(limit))
	if limit == nil {
		size = defaultItems
	}
	if size < 1 || size > maxItems {
		return page[T]{}, fault.New(fault.Invalid, "parameter", "1 validation error detected: Value '%d' at 'maxItems' failed to satisfy constraint: "+
			"Member must have value between 1 and %d", size, maxItems)
	}
	items, next, ok := api.Page(all, key, wire, marker, size)
	if !ok {
		return page[T]{}, fault.New(fault.Invalid, "parameter", "Invalid Marker.")
	}
	return page[T]{items: items, truncated: next != nil, marker: next}, nil
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
