package organizationsapi

import (
	"encoding/base64"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// pageSize is how many results a page has at most, and where the caller does not say.
const pageSize = 20

// page is one page of a list. A token holds the key of the last item before it, so a list that changes between two pages neither
// repeats nor loses what stays in it.
type page[T any] struct {
	items []T
	next  *string
}

// paged cuts a page out of everything there is. All must come in the order of its keys, which are unique.
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
	after, err := base64.RawURLEncoding.DecodeString(aws.ToString(token))
	if err != nil || token != nil && len(after) == 0 {
		return page[T]{}, invalid("INVALID_NEXT_TOKEN", "You provided a NextToken that is not one of this list's.")
	}
	p := page[T]{items: []T{}}
	last := ""
	for v := range all {
		k := key(v)
		if token != nil && k <= string(after) {
			continue
		}
		if len(p.items) == size {
			p.next = aws.String(base64.RawURLEncoding.EncodeToString([]byte(last)))
			break
		}
		p.items, last = append(p.items, wire(v)), k
	}
	return p, nil
}

// self is for lists of ids: the id is its own key.
func self(id string) string { return id }

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
