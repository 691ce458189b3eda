package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/client"
)

// Renderer makes an add-on's objects from what is wanted of it, in the order in which they are to be made.
type Renderer func(client.WantedAddon) ([]*unstructured.Unstructured, error)

// AddonConfig is what an Addon needs; every field but Told is required.
type AddonConfig struct {
	Name      string      // of the add-on
	Client    kube.Client // writes
	Live      kube.Reader // reads from the API server, not from a cache
	Namespace string      // of the operator: the list of what was applied is kept there
	Render    Renderer
	Wanted    func() *client.Wanted // nil before the first answer
	Changed   func() <-chan struct{}
	Told      func() // is called when the add-on's health may have changed
	Logger    *slog.Logger
}

// Addon makes the cluster run an add-on as the control plane wants it: objects are applied, and applied again when somebody changes
// them; those that are no longer rendered go, and all of them when the add-on does. Only what carries the add-on's label is deleted.
type Addon struct {
	c AddonConfig

	mu      sync.Mutex
	problem string
}

// addonEvery is how often everything is applied again: of most kinds of objects a change is not seen.
const addonEvery = 5 * time.Minute

// NewAddon makes an Addon.
func NewAddon(c AddonConfig) *Addon { return &Addon{c: c} }

// Problem says why the add-on could not be made as it is wanted; empty: it could.
func (a *Addon) Problem() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.problem
}

func (a *Addon) setProblem(text string) {
	a.mu.Lock()
	news := a.problem != text
	a.problem = text
	a.mu.Unlock()
	if news && a.c.Told != nil {
		a.c.Told()
	}
}

// Setup adds the controller to a manager.
func (a *Addon) Setup(mgr manager.Manager) error {
	only := reconcile.Request{NamespacedName: types.NamespacedName{Name: a.c.Name}}
	its := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o kube.Object) []reconcile.Request {
		if o.GetLabels()[v1alpha1.LabelAddon] == a.c.Name || o.GetName() == a.c.Name {
			return []reconcile.Request{only}
		}
		return nil
	})
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](200*time.Millisecond, time.Minute)
	return builder.ControllerManagedBy(mgr).Named("addon").WithOptions(controller.Options{RateLimiter: limiter}).
		Watches(&appsv1.DaemonSet{}, its).
		WatchesRawSource(source.Func(func(ctx context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			go func() {
				for {
					changed := a.c.Changed()
					q.Add(only)
					select {
					case <-ctx.Done():
						return
					case <-changed:
					}
				}
			}()
			return nil
		})).
		Complete(a)
}

// Reconcile makes the add-on what it should be. There is one request: the add-on.
func (a *Addon) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	w := a.c.Wanted()
	if w == nil {
		return reconcile.Result{}, nil // nothing is deleted because nobody answers
	}
	had, err := a.inventory(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	var objects []*unstructured.Unstructured
	if i := slices.IndexFunc(w.Addons, func(x client.WantedAddon) bool { return x.Name == a.c.Name && x.Status != "DELETING" }); i >= 0 {
		if objects, err = a.c.Render(w.Addons[i]); err != nil {
			a.setProblem(err.Error())
			a.c.Logger.WarnContext(ctx, "the add-on cannot be rendered, it stays as it is", "addon", a.c.Name, "error", err)
			return reconcile.Result{}, nil // until something else is wanted
		}
		for _, o := range objects {
			stamp(o, w.Addons[i])
		}
	} else if len(had) == 0 {
		a.setProblem("")
		return reconcile.Result{}, nil
	}
	err = a.make(ctx, had, objects)
	a.setProblem(sentence(err))
	if err != nil {
		return reconcile.Result{}, err
	}
	if len(objects) == 0 {
		a.c.Logger.InfoContext(ctx, "the add-on is removed", "addon", a.c.Name, "objects", len(had))
		return reconcile.Result{}, nil
	}
	return reconcile.Result{RequeueAfter: addonEvery}, nil
}

// make applies objects, and deletes of had what is not among them. The list is written first with both, so that whatever happens in
// between, nothing is there that is on no list.
func (a *Addon) make(ctx context.Context, had []Reference, objects []*unstructured.Unstructured) error {
	want := make([]Reference, len(objects))
	for i, o := range objects {
		want[i] = referenceTo(o)
	}
	gone := slices.DeleteFunc(slices.Clone(had), func(r Reference) bool { return slices.Contains(want, r) })
	if err := a.record(ctx, had, slices.Concat(want, gone)); err != nil {
		return err
	}
	var errs []error
	for _, o := range objects {
		if err := a.c.Client.Apply(ctx, kube.ApplyConfigurationFromUnstructured(o), kube.FieldOwner(FieldManager), kube.ForceOwnership); err != nil {
			errs = append(errs, &applyError{referenceTo(o), err})
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...) // what the old version has stays until the new one is there
	}
	var left []Reference
	for _, r := range slices.Backward(gone) { // in the opposite order of their making
		if err := a.remove(ctx, r); err != nil {
			errs, left = append(errs, err), append(left, r)
		}
	}
	return errors.Join(append(errs, a.record(ctx, slices.Concat(want, gone), slices.Concat(want, left)))...)
}

// remove deletes an object, if it is still the add-on's.
func (a *Addon) remove(ctx context.Context, r Reference) error {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(r.APIVersion)
	o.SetKind(r.Kind)
	err := a.c.Live.Get(ctx, types.NamespacedName{Namespace: r.Namespace, Name: r.Name}, o)
	switch {
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return nil
	case err != nil:
		return &applyError{r, err}
	case o.GetLabels()[v1alpha1.LabelAddon] != a.c.Name:
		return nil // somebody made it their own
	}
	uid := o.GetUID()
	err = a.c.Client.Delete(ctx, o, kube.Preconditions{UID: &uid}, kube.PropagationPolicy(metav1.DeletePropagationBackground))
	if err != nil && !apierrors.IsNotFound(err) {
		return &applyError{r, err}
	}
	return nil
}

// stamp marks an object, and the pods that it makes, as the add-on's.
func stamp(o *unstructured.Unstructured, a client.WantedAddon) {
	labels := o.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[v1alpha1.LabelAddon] = a.Name
	o.SetLabels(labels)
	if o.GetKind() != "DaemonSet" {
		return
	}
	for path, value := range map[string][2]string{"labels": {v1alpha1.LabelAddon, a.Name}, "annotations": {v1alpha1.AnnotationAddonVersion, a.Version}} {
		m, _, _ := unstructured.NestedStringMap(o.Object, "spec", "template", "metadata", path)
		if m == nil {
			m = map[string]string{}
		}
		m[value[0]] = value[1]
		_ = unstructured.SetNestedStringMap(o.Object, m, "spec", "template", "metadata", path) // fails where a template is none: the API server says so
	}
}

// applyError is a failure with one object.
type applyError struct {
	object Reference
	err    error
}

func (e *applyError) Error() string { return e.object.String() + ": " + e.err.Error() }
func (e *applyError) Unwrap() error { return e.err }

// sentence is what a failure says to whoever asks for the add-on's health.
func sentence(err error) string {
	if err == nil {
		return ""
	}
	var parts []string
	for line := range strings.Lines(err.Error()) {
		parts = append(parts, strings.TrimSpace(line))
	}
	text := strings.Join(parts, "; ")
	if apierrors.IsForbidden(err) {
		if e, ok := errors.AsType[*applyError](err); ok && e.object.Namespace != "" {
			text = fmt.Sprintf("the operator may not work in namespace %s: give it there the Role that it has in kube-system (%s)", e.object.Namespace, text)
		}
	}
	return text
}
