package reconcile_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	ctrl "sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/kube/reconcile"
)

const addonName = reconcile.AgentName

// addonWorld is an add-on on an API server of the test's.
type addonWorld struct {
	t      *testing.T
	addon  *reconcile.Addon
	kube   kube.Client
	wanted *client.Wanted
	names  []string // of the ConfigMaps that are rendered, beside the DaemonSet
	render error
	refuse map[string]error // by name, when applied
	told   int
}

func newAddonWorld(t *testing.T, objects ...kube.Object) *addonWorld {
	t.Helper()
	w := &addonWorld{t: t, refuse: map[string]error{}}
	w.kube = fake.NewClientBuilder().WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Apply: func(ctx context.Context, c kube.WithWatch, o runtime.ApplyConfiguration, opts ...kube.ApplyOption) error {
			if named, ok := o.(interface{ GetName() string }); ok && w.refuse[named.GetName()] != nil {
				return w.refuse[named.GetName()]
			}
			return c.Apply(ctx, o, opts...)
		},
	}).Build()
	w.addon = reconcile.NewAddon(reconcile.AddonConfig{
		Name: addonName, Client: w.kube, Live: w.kube, Namespace: "podid-system", Render: w.objects, Told: func() { w.told++ },
		Wanted: func() *client.Wanted { return w.wanted }, Changed: func() <-chan struct{} { return nil }, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	return w
}

func (w *addonWorld) objects(a client.WantedAddon) ([]*unstructured.Unstructured, error) {
	if w.render != nil {
		return nil, w.render
	}
	var out []*unstructured.Unstructured
	for _, name := range w.names {
		out = append(out, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": a.Namespace}, "data": map[string]any{"values": a.ConfigurationValues},
		}})
	}
	return append(out, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": map[string]any{"name": addonName, "namespace": a.Namespace, "labels": map[string]any{"app": "x"}},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "agent", "image": "agent"}}}}},
	}}), nil
}

func (w *addonWorld) want(status string) {
	w.wanted = &client.Wanted{Addons: []client.WantedAddon{{Name: addonName, Version: "v1", Namespace: "kube-system", ConfigurationValues: "a: b", Status: status}}}
}

func (w *addonWorld) reconcile() error {
	_, err := w.addon.Reconcile(w.t.Context(), ctrl.Request{})
	return err
}

// there lists what is there of the add-on's kinds.
func (w *addonWorld) there() []string {
	w.t.Helper()
	out := []string{}
	var maps corev1.ConfigMapList
	var sets appsv1.DaemonSetList
	if err := errors.Join(w.kube.List(w.t.Context(), &maps, kube.InNamespace("kube-system")), w.kube.List(w.t.Context(), &sets)); err != nil {
		w.t.Fatal(err)
	}
	for _, m := range maps.Items {
		out = append(out, m.Name)
	}
	for _, d := range sets.Items {
		out = append(out, d.Name)
	}
	slices.Sort(out)
	return out
}

func (w *addonWorld) is(why string, names ...string) {
	w.t.Helper()
	if diff := cmp.Diff(append([]string{}, names...), w.there()); diff != "" {
		w.t.Errorf("%s: %s", why, diff)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAddon_life(t *testing.T) {
	t.Parallel()
	w := newAddonWorld(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "theirs", Labels: map[string]string{"app": "x"}}})
	w.names = []string{"one", "two"}
	must(t, w.reconcile())
	w.is("it is not known what is wanted", "theirs")
	w.wanted = &client.Wanted{}
	must(t, w.reconcile())
	w.is("it is not wanted", "theirs")
	w.want("CREATING")
	must(t, w.reconcile())
	w.is("it is wanted", addonName, "one", "theirs", "two")

	var ds appsv1.DaemonSet
	must(t, w.kube.Get(t.Context(), kube.ObjectKey{Namespace: "kube-system", Name: addonName}, &ds))
	if ds.Labels[v1alpha1.LabelAddon] != addonName || ds.Labels["app"] != "x" || ds.Spec.Template.Labels[v1alpha1.LabelAddon] != addonName ||
		ds.Spec.Template.Annotations["podid.dev/addon-version"] != "v1" {
		t.Errorf("the DaemonSet is marked %v, its pods %v", ds.Labels, ds.Spec.Template.ObjectMeta)
	}
	ds.Spec.Template.Spec.Containers[0].Image = "evil"
	must(t, w.kube.Update(t.Context(), &ds))
	must(t, w.reconcile())
	must(t, w.kube.Get(t.Context(), kube.ObjectKey{Namespace: "kube-system", Name: addonName}, &ds))
	if ds.Spec.Template.Spec.Containers[0].Image != "agent" {
		t.Error("a changed DaemonSet was not repaired")
	}

	w.names = []string{"two"}
	must(t, w.reconcile())
	w.is("one is no longer rendered", addonName, "theirs", "two")

	w.render = errors.New("configurationValues: no such value")
	must(t, w.reconcile())
	w.is("it cannot be rendered: it stays", addonName, "theirs", "two")
	if w.addon.Problem() != "configurationValues: no such value" || w.told != 1 {
		t.Errorf("the problem is %q, told %d times", w.addon.Problem(), w.told)
	}
	w.render = nil
	must(t, w.reconcile())
	if w.addon.Problem() != "" || w.told != 2 {
		t.Errorf("the problem is %q, told %d times", w.addon.Problem(), w.told)
	}

	w.wanted = nil
	must(t, w.reconcile())
	w.is("nobody answers: it stays", addonName, "theirs", "two")
	w.want("DELETING")
	must(t, w.reconcile())
	w.is("it is to go", "theirs")
}

func TestAddon_deletesOnlyItsOwn(t *testing.T) {
	t.Parallel()
	w := newAddonWorld(t)
	w.names = []string{"one"}
	w.want("CREATING")
	must(t, w.reconcile())
	var m corev1.ConfigMap
	must(t, w.kube.Get(t.Context(), kube.ObjectKey{Namespace: "kube-system", Name: "one"}, &m))
	m.Labels = nil
	must(t, w.kube.Update(t.Context(), &m))
	w.want("DELETING")
	must(t, w.reconcile())
	w.is("somebody made one of the objects their own", "one")
}

func TestAddon_failures(t *testing.T) {
	t.Parallel()
	w := newAddonWorld(t)
	w.names = []string{"one", "two"}
	w.want("CREATING")
	must(t, w.reconcile())
	w.names = []string{"three", "four"}
	w.refuse["three"] = apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "three", errors.New("not allowed"))
	if err := w.reconcile(); err == nil {
		t.Error("a refusal was swallowed")
	}
	w.is("what can be made is, and what was there stays until all is", addonName, "four", "one", "two")
	if p := w.addon.Problem(); !strings.Contains(p, "ConfigMap kube-system/three") || !strings.Contains(p, "Role") {
		t.Errorf("the problem is %q", p)
	}
	w.want("DELETING")
	must(t, w.reconcile())
	w.is("nothing was forgotten")
}
