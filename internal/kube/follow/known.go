package follow

import (
	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/pattern"
)

// Known are the service accounts that one answer gives an association: those with one of their own, and those that match a pattern. It never
// changes. Nil knows none.
type Known struct {
	exact    map[identity]struct{}
	patterns *pattern.Index[struct{}]
}

// KnownBy reads an answer.
func KnownBy(w *client.Wanted) *Known {
	k := &Known{exact: make(map[identity]struct{}, len(w.Associations))}
	var patterns []pattern.Entry[struct{}]
	for _, a := range w.Associations {
		pair := pattern.Pair{Namespace: a.Namespace, ServiceAccount: a.ServiceAccount}
		if pair.Is() {
			patterns = append(patterns, pattern.Entry[struct{}]{Pair: pair})
			continue
		}
		k.exact[identity{a.Namespace, a.ServiceAccount}] = struct{}{}
	}
	if len(patterns) > 0 {
		k.patterns = pattern.NewIndex(patterns)
	}
	return k
}

// Has tells whether an association counts for a service account.
func (k *Known) Has(namespace, serviceAccount string) bool {
	if k == nil {
		return false
	}
	if _, ok := k.exact[identity{namespace, serviceAccount}]; ok {
		return true
	}
	_, ok := k.patterns.Find(namespace, serviceAccount)
	return ok
}
