package operator

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/kube/admission"
	"github.com/podid/podid/internal/kube/reconcile"
)

// manager has caches that hold no more than is looked at: of pods and nodes a few fields, of Secrets and ConfigMaps one each by name.
func (o *operator) manager() (manager.Manager, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	named := func(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }
	options := cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[kube.Object]cache.ByObject{
			&corev1.Pod{}:       {Transform: reconcile.TrimPod},
			&corev1.Node{}:      {Transform: reconcile.TrimNode},
			&corev1.ConfigMap{}: {Field: named(v1alpha1.CAConfigMap)},
			&corev1.Secret{}:    {Namespaces: map[string]cache.Config{o.Namespace: {FieldSelector: named(secretName)}}},
			&admissionregistrationv1.MutatingWebhookConfiguration{}: {Field: named(admission.RegistrationName)},
		},
	}
	if o.Resync > 0 {
		options.SyncPeriod = &o.Resync
	}
	kubernetes := rest.CopyConfig(o.Kubernetes)
	if kubernetes.QPS == 0 {
		kubernetes.QPS = -1 // the API server paces its clients fairly; five requests a second do not follow a rollout
	}
	kubernetes.UserAgent = "podid-operator"
	return manager.New(kubernetes, manager.Options{
		Scheme: scheme, Logger: o.logr(), Cache: options,
		Metrics:                metricsserver.Options{BindAddress: "0"}, // served with ours
		HealthProbeBindAddress: orNone(o.HealthAddress),
		LeaderElection:         o.LeaderElect, LeaderElectionID: "podid-operator", LeaderElectionNamespace: o.Namespace,
		LeaderElectionReleaseOnCancel: true,
		// Controllers of several operators may be in one process, as in tests.
		Controller: ctrlconfig.Controller{SkipNameValidation: new(true)},
	})
}

// orNone is what the manager calls an address that is not to be listened on.
func orNone(address string) string {
	if address == "" {
		return "0"
	}
	return address
}
