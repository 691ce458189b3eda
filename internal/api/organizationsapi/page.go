package organizationsapi

import (
	"iter"

	"github.com/podid/podid/internal/api"
)

// pageSize is how many results a page has at most, and where the caller does not say.
const pageSize = 20

// page is one page of a list.
type page[T any] struct {
	items []T
	next  *string
}

// paged cuts a page out of everything there is. See [api.Page].
func paged[V, T any](all iter.Seq[V], key func(V) string, wire func(V) T, token *string, limit *int32) (page[T], error) {
	size := pageSize
	if limit != nil {
		size = int(*limit)
	}
	switch {
	case size < 1:
		return page[T]{}, invalid("MIN_VALUE_EXCEEDED", "You provided a value for MaxResults that is lower than 1.")
	case size > pageSize:
		return page[T]{}, invalid("MAX_VALUE_EXCEEDED", "You provided a value for MaxResults that is higher than %d.", pageSize)
	}
	items, next, ok := api.Page(all, key, wire, token, size)
	if !ok {
		return page[T]{}, invalid("INVALID_NEXT_TOKEN", "You provided a NextToken that is not one of this list's.")
	}
	return page[T]{items: items, next: next}, nil
}

// self is for lists of ids: the id is its own key.
func self(id string) string { return id }
