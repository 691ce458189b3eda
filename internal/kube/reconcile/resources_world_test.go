package reconcile_test

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	ctrlreconcile "sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/kube/reconcile"
)

// objects is a cluster's objects, a control plane, and the reconcilers between them.
type objects struct {
	t      *testing.T
	config reconcile.ResourcesConfig
	kube   kube.Client
	eks    *fakeEKS
	iam    *fakeIAM
	events *events.FakeRecorder
	now    time.Time
	reconcile.Reconcilers
}

// newObjects makes a world with some objects in it. A uid is given to those that have none, and an age in their order.
func newObjects(t *testing.T, f func(*reconcile.ResourcesConfig), list ...kube.Object) *objects {
	t.Helper()
	w := &objects{t: t, eks: newEKS(), iam: newIAM(), events: events.NewFakeRecorder(100), now: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)}
	for i, o := range list {
		o.SetUID(types.UID(fmt.Sprint("uid-", i)))
		o.SetCreationTimestamp(metav1.NewTime(w.now.Add(time.Duration(i) * time.Second)))
		o.SetGeneration(1)
	}
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	agent := &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "eks-pod-identity-agent"},
		Status:     appsv1.DaemonSetStatus{NumberReady: 2, DesiredNumberScheduled: 3},
	}
	w.kube = fake.NewClientBuilder().WithScheme(scheme).WithObjects(append(list, agent)...).
		WithStatusSubresource(&v1alpha1.PodIdentityAssociation{}, &v1alpha1.Role{}, &v1alpha1.Policy{}, reconcile.EmptyACK()).
		WithIndex(&v1alpha1.PodIdentityAssociation{}, reconcile.ServiceAccount, func(o kube.Object) []string {
			return []string{o.(*v1alpha1.PodIdentityAssociation).Spec.ServiceAccount}
		}).
		WithIndex(reconcile.EmptyACK(), reconcile.ServiceAccount, reconcile.IndexACK).
		Build()
	w.config = reconcile.ResourcesConfig{
		Cluster: "lab", Region: "eu-west-1", Account: "111122223333", EKS: w.eks, IAM: w.iam, AgentNamespace: "kube-system",
		AgentDaemonSet: "eks-pod-identity-agent", Now: func() time.Time { return w.now },
	}
	if f != nil {
		f(&w.config)
	}
	w.Reconcilers = reconcile.Resources(w.config, w.kube, w.events)
	return w
}

// look lets a reconciler look at an object, and returns its failure.
func (w *objects) look(r ctrlreconcile.Reconciler, namespace, name string) error {
	w.t.Helper()
	w.now = w.now.Add(time.Second)
	result, err := r.Reconcile(w.t.Context(), ctrl.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}})
	if err == nil && result.RequeueAfter > 72*time.Second {
		w.t.Errorf("the next look is in %v", result.RequeueAfter)
	}
	return err
}

// get reads an object; nil: it is gone.
func get[O kube.Object](w *objects, o O, namespace, name string) O {
	w.t.Helper()
	err := w.kube.Get(w.t.Context(), types.NamespacedName{Namespace: namespace, Name: name}, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

func (w *objects) gone(o kube.Object, namespace, name string) bool {
	err := w.kube.Get(w.t.Context(), types.NamespacedName{Namespace: namespace, Name: name}, o)
	return kube.IgnoreNotFound(err) == nil && err != nil
}

func (w *objects) association(name string) *v1alpha1.PodIdentityAssociation {
	w.t.Helper()
	return get(w, &v1alpha1.PodIdentityAssociation{}, "shop", name)
}

func (w *objects) update(o kube.Object) {
	w.t.Helper()
	o.SetGeneration(o.GetGeneration() + 1)
	if err := w.kube.Update(w.t.Context(), o); err != nil {
		w.t.Fatal(err)
	}
}

func (w *objects) delete(o kube.Object) {
	w.t.Helper()
	if err := w.kube.Delete(w.t.Context(), o); err != nil {
		w.t.Fatal(err)
	}
}

// reason is what the condition Ready says; Synced if all is well.
func reason(conditions []metav1.Condition) string {
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	switch {
	case c == nil:
		return ""
	case (c.Status == metav1.ConditionTrue) != (c.Reason == v1alpha1.ReasonSynced):
		return c.Reason + " " + string(c.Status)
	}
	return c.Reason
}

// drift is what the condition Drifted says.
func drift(conditions []metav1.Condition) string {
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionDrifted)
	if c == nil {
		return ""
	}
	return string(c.Status) + " " + c.Message
}

// told drains the Events.
func (w *objects) told() (all []string) {
	for {
		select {
		case e := <-w.events.Events:
			all = append(all, e)
		default:
			return all
		}
	}
}

const (
	reader = "arn:aws:iam::111122223333:role/podid/lab/reader"
	writer = "arn:aws:iam::111122223333:role/podid/lab/writer"
)

func association(name, account, role string) *v1alpha1.PodIdentityAssociation {
	return &v1alpha1.PodIdentityAssociation{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec:       v1alpha1.PodIdentityAssociationSpec{ServiceAccount: account, RoleARN: role},
	}
}

func ackObject(namespace string, spec map[string]any) *unstructured.Unstructured {
	o := reconcile.EmptyACK().(*unstructured.Unstructured)
	o.SetNamespace(namespace)
	o.SetName("till")
	o.Object["spec"] = spec
	return o
}
