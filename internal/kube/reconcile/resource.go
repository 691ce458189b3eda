package reconcile

import (
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
)

// Finalizers: while an object has one, what it has made is there.
const (
	finalizerAssociation = v1alpha1.Group + "/association"
	finalizerRole        = v1alpha1.Group + "/role"
	finalizerPolicy      = v1alpha1.Group + "/policy"
)

// pace bounds one look, and so how long an answer that does not come holds up the objects behind.
const pace = 30 * time.Second

// outer is the half of a reconciler that is the same for all kinds: it reads the object, asks the inner half, and writes what that
// says. The inner half never writes to Kubernetes.
//
// The inner half gets a private copy of the object and writes into its status. The error it returns is a [refusal], which waits for
// the next look, or ours, which is tried again soon; either is in the status already.
type outer[O kube.Object] struct {
	*resources
	empty     func() O
	finalizer string

	ours   func(O) bool                     // nil: all are; others are not touched at all
	makes  func(O) bool                     // nil: yes; whether the object may make something, which is to be removed one day
	retain func(O) bool                     // what was made stays when the object goes
	decide func(context.Context, O) []told  // makes it so
	remove func(context.Context, O) []told  // removes what was made; no news of an error: it is gone
	forget func(types.NamespacedName)       // nil: nothing is remembered; the object is gone or not ours
	word   func(O) (ready bool, why string) // what the status says, to tell when that changes
}

// told is one thing that an inner half has to say besides the status.
type told struct {
	err   error  // how it ended, if not well
	event string // something that happened: the reason of an Event, with its text
	note  string
}

// Reconcile looks at one object.
func (r *outer[O]) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	o := r.empty()
	err := r.client.Get(ctx, req.NamespacedName, o)
	if kube.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, err
	}
	gone, strange := err != nil, err == nil && r.ours != nil && !r.ours(o)
	if r.forget != nil && (gone || strange) {
		r.forget(req.NamespacedName)
	}
	if gone {
		return ctrl.Result{}, nil //nolint:nilerr // not found is an answer
	}
	if strange {
		return ctrl.Result{}, r.drop(ctx, o) // what it once made it has given up with that
	}
	result, err := r.look(ctx, o)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) { // the cache is behind: the newer object is on its way
		return ctrl.Result{RequeueAfter: retryFirst}, nil
	}
	return result, err
}

func (r *outer[O]) look(ctx context.Context, o O) (ctrl.Result, error) {
	ctx, stop := context.WithTimeout(ctx, pace)
	defer stop()
	if !o.GetDeletionTimestamp().IsZero() {
		return r.delete(ctx, o)
	}
	if r.makes == nil || r.makes(o) {
		if err := r.hold(ctx, o); err != nil {
			return ctrl.Result{}, err
		}
	}
	before := o.DeepCopyObject().(O)
	err := r.tell(o, before, r.decide(ctx, o))
	if err := errors.Join(err, r.write(ctx, o, before)); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: r.later()}, nil
}

// delete lets the object go once there is nothing left of it.
func (r *outer[O]) delete(ctx context.Context, o O) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(o, r.finalizer) {
		return ctrl.Result{}, nil
	}
	if !r.retain(o) {
		before := o.DeepCopyObject().(O)
		news := r.remove(ctx, o)
		failed := slices.ContainsFunc(news, func(n told) bool { return n.err != nil })
		if err := r.tell(o, before, news); err != nil {
			return ctrl.Result{}, errors.Join(err, r.write(ctx, o, before))
		}
		if failed {
			return ctrl.Result{RequeueAfter: min(deletionRetry, r.Resync)}, r.write(ctx, o, before)
		}
	}
	return ctrl.Result{}, r.drop(ctx, o)
}

// drop lets the object go as far as we are concerned.
func (r *outer[O]) drop(ctx context.Context, o O) error {
	before := o.DeepCopyObject().(O)
	if !controllerutil.RemoveFinalizer(o, r.finalizer) {
		return nil
	}
	return kube.IgnoreNotFound(r.client.Patch(ctx, o, kube.MergeFromWithOptions(before, kube.MergeFromWithOptimisticLock{})))
}

// hold makes sure that the object does not go before what it is about to make.
func (r *outer[O]) hold(ctx context.Context, o O) error {
	before := o.DeepCopyObject().(O)
	if !controllerutil.AddFinalizer(o, r.finalizer) {
		return nil
	}
	return r.client.Patch(ctx, o, kube.MergeFromWithOptions(before, kube.MergeFromWithOptimisticLock{}))
}

// write writes the status, if that says anything new.
func (r *outer[O]) write(ctx context.Context, o, before O) error {
	if equality.Semantic.DeepEqual(o, before) {
		return nil
	}
	return r.client.Status().Patch(ctx, o.DeepCopyObject().(O), kube.MergeFrom(before))
}

// tell makes Events of what is new, and returns the errors that are ours.
func (r *outer[O]) tell(o, before O, news []told) error {
	var ours error
	for _, n := range news {
		if n.event != "" {
			r.event(o, corev1.EventTypeWarning, n.event, "Reconcile", n.note)
		}
		if _, refused := refusedAs(n.err); n.err != nil && !refused {
			ours = errors.Join(ours, n.err)
		}
	}
	was, wasWhy := r.word(before)
	now, why := r.word(o)
	switch {
	case now && !was:
		r.event(o, corev1.EventTypeNormal, v1alpha1.ReasonSynced, "Reconcile", "the control plane has what the object asks for")
	case !now && why != wasWhy:
		for _, n := range news {
			if n.err != nil {
				reason, message := explained(n.err)
				r.event(o, corev1.EventTypeWarning, reason, "Reconcile", message)
			}
		}
	}
	return ours
}

// news is what a decision has to tell.
func news(err error, drift []string) []told {
	var all []told
	if len(drift) > 0 {
		all = append(all, told{event: v1alpha1.ReasonDriftFound, note: differences(drift)})
	}
	if err != nil {
		all = append(all, told{err: err})
	}
	return all
}
