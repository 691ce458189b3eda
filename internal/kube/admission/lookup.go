package admission

import (
	"context"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/kube/inject"
)

// How often the API server is asked directly. It happens for what is younger than the cache, so seldom, and then in bursts: an
// application is installed with its service accounts, and its pods follow at once.
const (
	directRate  = 50
	directBurst = 200
)

// Lookup reads service accounts and namespaces: from a cache, and what that has not seen from the API server. It asks for metadata
// alone, and so both readers need only that.
type Lookup struct {
	cached, direct client.Reader
	grace          time.Duration
	limiter        *rate.Limiter
}

// NewLookup makes a Lookup that waits at most so long for what the cache has not seen.
func NewLookup(cached, direct client.Reader, grace time.Duration) *Lookup {
	return &Lookup{cached: cached, direct: direct, grace: grace, limiter: rate.NewLimiter(directRate, directBurst)}
}

var (
	serviceAccountKind = corev1.SchemeGroupVersion.WithKind("ServiceAccount")
	namespaceKind      = corev1.SchemeGroupVersion.WithKind("Namespace")
)

// ServiceAccount implements [ServiceAccounts].
func (l *Lookup) ServiceAccount(ctx context.Context, namespace, name string) (*inject.ServiceAccount, error) {
	m, err := l.find(ctx, serviceAccountKind, client.ObjectKey{Namespace: namespace, Name: name})
	if err != nil {
		return nil, fault.New(fault.Unavailable, "API server", "service account %s/%s cannot be read now", namespace, name).Because(err)
	}
	if m == nil {
		return nil, nil
	}
	return &inject.ServiceAccount{Annotations: m.Annotations}, nil
}

// NamespaceLabels implements [Namespaces].
func (l *Lookup) NamespaceLabels(ctx context.Context, name string) (map[string]string, error) {
	m, err := l.find(ctx, namespaceKind, client.ObjectKey{Name: name})
	if err != nil {
		return nil, fault.New(fault.Unavailable, "API server", "namespace %s cannot be read now", name).Because(err)
	}
	if m == nil {
		return nil, nil
	}
	return m.Labels, nil
}

// find returns nil for what is not there.
func (l *Lookup) find(ctx context.Context, kind schema.GroupVersionKind, key client.ObjectKey) (*metav1.PartialObjectMetadata, error) {
	ctx, cancel := context.WithTimeout(ctx, l.grace)
	defer cancel()
	m, err := l.get(ctx, l.cached, kind, key, l.grace/2) // a cache that is still filling waits, and must leave the server some time
	if err == nil {
		return m, nil
	}
	if err := l.limiter.Wait(ctx); err != nil {
		return nil, err
	}
	m, err = l.get(ctx, l.direct, kind, key, l.grace)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (*Lookup) get(ctx context.Context, from client.Reader, kind schema.GroupVersionKind, key client.ObjectKey, wait time.Duration) (*metav1.PartialObjectMetadata, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(kind)
	return m, from.Get(ctx, key, m)
}

// Informers are the kinds that the cache of a Lookup follows, so that whoever runs it can have it filled before the first pod.
func Informers() []client.Object {
	var objects []client.Object
	for _, kind := range []schema.GroupVersionKind{serviceAccountKind, namespaceKind} {
		m := &metav1.PartialObjectMetadata{}
		m.SetGroupVersionKind(kind)
		objects = append(objects, m)
	}
	return objects
}
