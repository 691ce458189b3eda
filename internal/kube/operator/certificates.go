package operator

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/podid/podid/internal/kube/admission"
	kubereconcile "github.com/podid/podid/internal/kube/reconcile"
)

// secretName is the Secret with the webhook's certificates.
const secretName = "podid-operator-webhook"

// certificates keeps the webhook's certificates, and its registration with the API server. The leader does; every replica loads.
//
// Order is all: what the API server trusts is written before what is served, and a certificate of a new authority is served only when the
// authority has been trusted for a while. So there is no moment at which a replica serves what the API server does not trust; only where
// somebody takes the Secret away, API servers need a moment to hear of the new authority.
type certificates struct {
	client   kube.Client // reads from a cache that may be behind: what is written names the version that was read
	live     kube.Reader
	endpoint admission.Endpoint
	now      func() time.Time
	logger   *slog.Logger
}

// names are whom the certificate is for.
func (c *certificates) names() []string {
	if c.endpoint.URL != "" {
		if u, err := url.Parse(c.endpoint.URL); err == nil {
			return []string{u.Hostname()}
		}
	}
	name := c.endpoint.Service + "." + c.endpoint.Namespace + ".svc"
	return []string{name, name + ".cluster.local"}
}

// setup adds the leader's part to a manager.
func (c *certificates) setup(mgr manager.Manager) error {
	one := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: c.endpoint.Namespace, Name: secretName}}
	start := handler.EnqueueRequestsFromMapFunc(func(context.Context, kube.Object) []reconcile.Request { return []reconcile.Request{one} })
	return builder.ControllerManagedBy(mgr).Named("certificates").WithOptions(controller.Options{}).
		Watches(&corev1.Secret{}, start).
		Watches(&admissionregistrationv1.MutatingWebhookConfiguration{}, start).
		WatchesRawSource(source.Func(func(_ context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			q.Add(one) // before there is anything to watch
			return nil
		})).
		Complete(c)
}

// Reconcile looks at the certificates and the registration.
func (c *certificates) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var secret corev1.Secret
	err := c.client.Get(ctx, req.NamespacedName, &secret)
	if apierrors.IsNotFound(err) { // a cache may not have seen it yet, and nothing is made anew that is there
		err = c.live.Get(ctx, req.NamespacedName, &secret)
	}
	found := err == nil
	if err != nil && !apierrors.IsNotFound(err) {
		return reconcile.Result{}, fmt.Errorf("read the webhook's Secret: %w", err)
	}
	var registered admissionregistrationv1.MutatingWebhookConfiguration
	if err := c.live.Get(ctx, types.NamespacedName{Name: admission.RegistrationName}, &registered); err != nil && !apierrors.IsNotFound(err) {
		return reconcile.Result{}, fmt.Errorf("read the webhook's registration: %w", err)
	}
	published := trusted(&registered)
	now := c.now()
	is, next, err := c.decide(ctx, now, secret.Data, found, published)
	if err != nil {
		return reconcile.Result{}, err
	}
	if next == nil {
		if err := c.register(ctx, is); err != nil {
			return reconcile.Result{}, err
		}
		return reconcile.Result{RequeueAfter: max(is.due(now).Sub(now), time.Second)}, nil
	}
	if err := c.register(ctx, next); err != nil { // first what is trusted
		return reconcile.Result{}, err
	}
	if err := c.store(ctx, req.NamespacedName, &secret, found, next); err != nil { // then what is served
		return reconcile.Result{}, err
	}
	c.logger.InfoContext(ctx, "the webhook's certificates are renewed", "authorities", len(next.authorities), "expiry", next.leaf.NotAfter)
	return reconcile.Result{RequeueAfter: time.Second}, nil
}

// decide finds what is there and what should be in its place; nil: nothing.
func (c *certificates) decide(ctx context.Context, now time.Time, data map[string][]byte, found bool, published []byte) (is, next *bundle, err error) {
	if found {
		if is, err = readBundle(data); err == nil {
			next, err = is.next(now, c.names(), published)
			return is, next, err
		}
		c.logger.WarnContext(ctx, "the webhook's Secret is of no use and is made anew", "error", err)
	}
	next, err = fresh(now, c.names(), published)
	return nil, next, err
}

// trusted is what the API server trusts of all webhooks of a registration: the least of them, if they differ.
func trusted(r *admissionregistrationv1.MutatingWebhookConfiguration) []byte {
	var least []byte
	for i := range r.Webhooks {
		if b := r.Webhooks[i].ClientConfig.CABundle; i == 0 || len(b) < len(least) {
			least = b
		}
	}
	return least
}

// register makes the API server trust a bundle and ask the webhook, and takes back what somebody changed.
func (c *certificates) register(ctx context.Context, b *bundle) error {
	text, err := json.Marshal(admission.Registration(b.trust(), c.endpoint))
	if err != nil {
		return fmt.Errorf("encode the webhook's registration: %w", err)
	}
	o := &unstructured.Unstructured{}
	if err := json.Unmarshal(text, &o.Object); err != nil {
		return fmt.Errorf("encode the webhook's registration: %w", err)
	}
	unstructured.RemoveNestedField(o.Object, "metadata", "creationTimestamp")
	err = c.client.Apply(ctx, kube.ApplyConfigurationFromUnstructured(o), kube.FieldOwner(kubereconcile.FieldManager), kube.ForceOwnership)
	if err != nil {
		return fmt.Errorf("register the webhook: %w", err)
	}
	return nil
}

// store writes the Secret, in the version that was read or not at all.
func (c *certificates) store(ctx context.Context, name types.NamespacedName, old *corev1.Secret, found bool, b *bundle) error {
	data, err := b.data()
	if err != nil {
		return err
	}
	if !found {
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}, Type: corev1.SecretTypeTLS, Data: data}
		err = c.client.Create(ctx, s)
	} else {
		s := old.DeepCopy()
		s.Data = data
		err = c.client.Update(ctx, s)
	}
	if err != nil {
		return fmt.Errorf("write the webhook's Secret: %w", err)
	}
	return nil
}

// served is the certificate that a replica serves now.
type served struct {
	current atomic.Pointer[tls.Certificate]
	logger  *slog.Logger
}

var errNoCertificate = errors.New("the webhook has no certificate yet")

// get is for tls.Config.GetCertificate.
func (s *served) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c := s.current.Load(); c != nil {
		return c, nil
	}
	return nil, errNoCertificate
}

// handler loads what comes into a cache. A Secret that is gone or spoilt changes nothing: the last certificate is still trusted.
func (s *served) handler(ctx context.Context) toolscache.ResourceEventHandler {
	load := func(o any) {
		secret, ok := o.(*corev1.Secret)
		if !ok || secret.Name != secretName {
			return
		}
		b, err := readBundle(secret.Data)
		if err != nil {
			s.logger.WarnContext(ctx, "the webhook's Secret is of no use, the last certificate stays", "error", err)
			return
		}
		s.current.Store(b.certificate())
	}
	return toolscache.ResourceEventHandlerFuncs{AddFunc: load, UpdateFunc: func(_, o any) { load(o) }}
}
