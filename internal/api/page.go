package api

import (
	"encoding/base64"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Page cuts a page of at most size items out of everything there is, and gives the token for the next one; nil: there is none. All
// must come in the order of its keys, which are unique and not empty. A token holds the key of the last item before it, so a list
// that changes between two pages neither repeats nor loses what stays in it. It is not ok if the token is none.
func Page[V, T any](all iter.Seq[V], key func(V) string, wire func(V) T, token *string, size int) (items []T, next *string, ok bool) {
	after, err := base64.RawURLEncoding.DecodeString(aws.ToString(token))
	if err != nil || token != nil && len(after) == 0 {
		return nil, nil, false
	}
	items = []T{}
	last := ""
	for v := range all {
		k := key(v)
		if token != nil && k <= string(after) {
			continue
		}
		if len(items) == size {
			return items, aws.String(base64.RawURLEncoding.EncodeToString([]byte(last))), true
		}
		items, last = append(items, wire(v)), k
	}
	return items, nil, true
}

// Where keeps the values that a condition holds for.
func Where[V any](all iter.Seq[V], keep func(V) bool) iter.Seq[V] {
	return func(yield func(V) bool) {
		for v := range all {
			if keep(v) && !yield(v) {
				return
			}
		}
	}
}
