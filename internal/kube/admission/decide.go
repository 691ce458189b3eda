package admission

import (
	"context"
	"time"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/kube/follow"
	"github.com/podid/podid/internal/kube/inject"
)

// decideTimeout leaves the API server, which waits for timeoutSeconds, the time to hear the answer.
const decideTimeout = timeoutSeconds*time.Second - 500*time.Millisecond

// Associations knows which service accounts have an association. An error means that it cannot be known now.
type Associations interface {
	Associated(ctx context.Context, namespace, serviceAccount string) (bool, error)
}

var _ Associations = (*follow.Follower)(nil)

// ServiceAccounts reads a service account; nil means that there is none.
type ServiceAccounts interface {
	ServiceAccount(ctx context.Context, namespace, name string) (*inject.ServiceAccount, error)
}

// Namespaces reads the labels of a namespace.
type Namespaces interface {
	NamespaceLabels(ctx context.Context, name string) (map[string]string, error)
}

// layer is what could not be asked. It is a label of a metric.
type layer string

const (
	layerControlPlane   layer = "control_plane"
	layerServiceAccount layer = "service_account"
	layerNamespace      layer = "namespace"
)

// verdict is what is known about a pod.
type verdict struct {
	method  inject.Method
	account *inject.ServiceAccount // nil: not known
	missing bool                   // the service account is not there
	unknown error                  // the method cannot be known, for this reason
	layer   layer                  // and this is who did not say
}

// asked is an answer that somebody else is waiting for.
type asked[T any] struct {
	value T
	err   error
}

func ask[T any](question func() (T, error)) <-chan asked[T] {
	answer := make(chan asked[T], 1)
	go func() {
		value, err := question()
		answer <- asked[T]{value, err}
	}()
	return answer
}

// decide asks all three sources at once and waits only for those it needs. spec: pod-identity.md 5.4
//
// An answer that would not change the outcome does not have to be there: an association decides by itself, and a pod that is late
// bound and has no role gets the same whether or not there is one.
func (h *Handler) decide(ctx context.Context, namespace, name string) verdict {
	if name == "" { // mirror pods, which prove nothing
		return verdict{}
	}
	ctx, cancel := context.WithTimeout(ctx, decideTimeout)
	defer cancel()
	association := ask(func() (bool, error) { return h.c.Associations.Associated(ctx, namespace, name) })
	labels := ask(func() (map[string]string, error) { return h.c.Namespaces.NamespaceLabels(ctx, namespace) })
	account, accountErr := h.c.ServiceAccounts.ServiceAccount(ctx, namespace, name)

	v := verdict{account: account, missing: account == nil && accountErr == nil}
	if accountErr != nil || h.c.Settings.RoleARN(account) != "" {
		labels = nil
	}
	var a asked[bool]
	var l asked[map[string]string]
	late := false
	for association != nil || labels != nil {
		select {
		case a = <-association:
			association = nil
			if a.value {
				labels = nil
			}
		case l = <-labels:
			labels = nil
			if late = l.value[v1alpha1.LabelLateBinding] == v1alpha1.LateBindingEnabled; late {
				association = nil
			}
		}
	}
	switch {
	case a.value, late:
	case a.err != nil:
		return v.not(layerControlPlane, a.err)
	case accountErr != nil:
		return v.not(layerServiceAccount, accountErr)
	case l.err != nil:
		return v.not(layerNamespace, l.err)
	}
	v.method = h.c.Settings.Choose(inject.Facts{Associated: a.value, LateBinding: late, ServiceAccount: account})
	return v
}

func (v verdict) not(l layer, err error) verdict {
	v.unknown, v.layer = err, l
	return v
}
