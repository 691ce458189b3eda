package reconcile

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
)

// The names under which the operator writes. The authority has one of its own: the add-on has a ConfigMap of that name too, and what one
// writer no longer applies under a name is taken away.
const (
	FieldManager      = "podid-operator"
	trustFieldManager = "podid-operator-trust"
)

// Trust keeps podid's certificate authority in a ConfigMap of every namespace, for pods to trust podid's certificate. It takes it out of
// none: a pod that runs may have it mounted.
type Trust struct {
	Client kube.Client            // reads from a cache
	CA     func() ([]byte, error) // PEM, as it is now
	Logger *slog.Logger
}

// caEvery is how often the authority is looked at for a change.
const caEvery = 15 * time.Second

// CAFile reads certificates from a file, which may change, and refuses a file that holds anything else: what is not a public certificate
// must not come into every namespace.
func CAFile(path string) func() ([]byte, error) {
	return func() ([]byte, error) {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the certificate authority for pods: %w", err)
		}
		var out bytes.Buffer
		for rest := text; ; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			if block.Type != "CERTIFICATE" {
				return nil, fmt.Errorf("%s holds a %s; it is to hold certificates only", path, block.Type)
			}
			if _, err := x509.ParseCertificate(block.Bytes); err != nil {
				return nil, fmt.Errorf("%s holds a certificate that is none: %w", path, err)
			}
			if err := pem.Encode(&out, &pem.Block{Type: block.Type, Bytes: block.Bytes}); err != nil {
				return nil, err
			}
		}
		if out.Len() == 0 {
			return nil, fmt.Errorf("%s holds no certificate", path)
		}
		return out.Bytes(), nil
	}
}

// Setup adds the controller to a manager.
func (r *Trust) Setup(mgr manager.Manager) error {
	namespaces := &metav1.PartialObjectMetadata{}
	namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	its := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o kube.Object) []reconcile.Request {
		if o.GetName() != v1alpha1.CAConfigMap {
			return nil
		}
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: o.GetNamespace()}}}
	})
	return builder.ControllerManagedBy(mgr).Named("trust").WithOptions(controller.Options{MaxConcurrentReconciles: 4}).
		For(namespaces).Watches(&corev1.ConfigMap{}, its).
		WatchesRawSource(source.Func(func(ctx context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			go r.watch(ctx, q)
			return nil
		})).
		Complete(r)
}

// watch wakes every namespace when the authority has changed.
func (r *Trust) watch(ctx context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	var last []byte
	for sleep(ctx, caEvery) {
		ca, err := r.CA()
		if err != nil {
			r.Logger.WarnContext(ctx, "the certificate authority for pods is not usable, the last one stays", "error", err)
			continue
		}
		if last != nil && !bytes.Equal(last, ca) {
			all := &metav1.PartialObjectMetadataList{}
			all.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
			if err := r.Client.List(ctx, all); err != nil {
				r.Logger.WarnContext(ctx, "namespaces cannot be listed", "error", err)
				continue
			}
			for i := range all.Items {
				q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Name: all.Items[i].Name}})
			}
		}
		last = ca
	}
}

// Reconcile looks at one namespace.
func (r *Trust) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := r.Client.Get(ctx, types.NamespacedName{Name: req.Name}, namespace); err != nil || namespace.DeletionTimestamp != nil {
		return reconcile.Result{}, kube.IgnoreNotFound(err)
	}
	ca, err := r.CA()
	if err != nil {
		return reconcile.Result{}, err
	}
	var is corev1.ConfigMap
	err = r.Client.Get(ctx, types.NamespacedName{Namespace: req.Name, Name: v1alpha1.CAConfigMap}, &is)
	switch {
	case err == nil && is.Data[v1alpha1.CAKey] == string(ca):
		return reconcile.Result{}, nil
	case err != nil && !apierrors.IsNotFound(err):
		return reconcile.Result{}, err
	}
	want := applycorev1.ConfigMap(v1alpha1.CAConfigMap, req.Name).WithData(map[string]string{v1alpha1.CAKey: string(ca)})
	err = r.Client.Apply(ctx, want, kube.FieldOwner(trustFieldManager), kube.ForceOwnership)
	if apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return reconcile.Result{}, nil // the namespace is going
	}
	if err != nil {
		return reconcile.Result{}, errors.Join(errors.New("write the ConfigMap "+req.Name+"/"+v1alpha1.CAConfigMap), err)
	}
	return reconcile.Result{}, nil
}
