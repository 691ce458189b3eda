package reconcile

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
)

// associations is the inner half for podid's own kind.
type associations struct{ *resources }

func (r *resources) setupAssociations(ctx context.Context, mgr manager.Manager) error {
	err := mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.PodIdentityAssociation{}, byServiceAccount,
		func(o kube.Object) []string {
			return []string{o.(*v1alpha1.PodIdentityAssociation).Spec.ServiceAccount}
		})
	if err != nil {
		return fmt.Errorf("index associations: %w", err)
	}
	a := associations{r}
	return ctrl.NewControllerManagedBy(mgr).Named("podidentityassociation").WithOptions(options()).
		For(&v1alpha1.PodIdentityAssociation{}, builder.WithPredicates(changed())).
		Watches(&v1alpha1.PodIdentityAssociation{}, handler.EnqueueRequestsFromMapFunc(a.rivals), builder.WithPredicates(comings())).
		Watches(&v1alpha1.Role{}, handler.EnqueueRequestsFromMapFunc(a.ofRole)).
		WatchesRawSource(r.follow(a.of)).
		Complete(a.outer())
}

func (a associations) outer() *outer[*v1alpha1.PodIdentityAssociation] {
	return &outer[*v1alpha1.PodIdentityAssociation]{
		resources: a.resources, finalizer: finalizerAssociation,
		empty:  func() *v1alpha1.PodIdentityAssociation { return new(v1alpha1.PodIdentityAssociation) },
		retain: func(o *v1alpha1.PodIdentityAssociation) bool { return o.Spec.DeletionPolicy == v1alpha1.DeletionRetain },
		decide: a.decide, remove: a.remove,
		word: func(o *v1alpha1.PodIdentityAssociation) (bool, string) { return word(o.Status.Conditions) },
	}
}

// comings lets an object's coming and going through: then others about the same thing win or lose.
func comings() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}
}

// rivals are the other objects about the same service account.
func (a associations) rivals(ctx context.Context, o kube.Object) []ctrl.Request {
	var others []ctrl.Request
	for _, req := range a.of(ctx, serviceAccount{o.GetNamespace(), o.(*v1alpha1.PodIdentityAssociation).Spec.ServiceAccount}, "") {
		if req.Name != o.GetName() {
			others = append(others, req)
		}
	}
	return others
}

// of are the objects about a service account, without those that have the association of that id already.
func (a associations) of(ctx context.Context, s serviceAccount, id string) []ctrl.Request {
	var list v1alpha1.PodIdentityAssociationList
	err := a.client.List(ctx, &list, kube.InNamespace(s.namespace), kube.MatchingFields{byServiceAccount: s.name})
	if err != nil {
		a.Logger.WarnContext(ctx, "the associations of a service account cannot be listed", "namespace", s.namespace, "service_account", s.name, "error", err)
		return nil
	}
	var requests []ctrl.Request
	for i := range list.Items {
		if o := &list.Items[i]; id == "" || o.Status.AssociationID != id {
			requests = append(requests, ctrl.Request{NamespacedName: kube.ObjectKeyFromObject(o)})
		}
	}
	return requests
}

// ofRole are the objects that refer to a Role.
func (a associations) ofRole(ctx context.Context, role kube.Object) []ctrl.Request {
	var list v1alpha1.PodIdentityAssociationList
	if err := a.client.List(ctx, &list, kube.InNamespace(role.GetNamespace())); err != nil {
		a.Logger.WarnContext(ctx, "the associations of a role cannot be listed", "namespace", role.GetNamespace(), "role", role.GetName(), "error", err)
		return nil
	}
	var requests []ctrl.Request
	for i := range list.Items {
		if o := &list.Items[i]; o.Spec.RoleRef != nil && o.Spec.RoleRef.Name == role.GetName() {
			requests = append(requests, ctrl.Request{NamespacedName: kube.ObjectKeyFromObject(o)})
		}
	}
	return requests
}

// decide makes the association be what the object says.
func (a associations) decide(ctx context.Context, o *v1alpha1.PodIdentityAssociation) []told {
	now := a.Now()
	s := &o.Status
	s.NodesReady, s.NodesTotal = a.nodes(ctx)
	got, err := a.reach(ctx, o)
	if got.association != nil {
		s.AssociationID, s.AssociationARN = aws.ToString(got.association.AssociationId), aws.ToString(got.association.AssociationArn)
		s.RoleARN, s.ExternalID = aws.ToString(got.association.RoleArn), aws.ToString(got.association.ExternalId)
	} else if lost(err) {
		s.AssociationID, s.AssociationARN, s.RoleARN, s.ExternalID = "", "", "", ""
	}
	if err == nil {
		s.LastSynced = synced(s.LastSynced, now)
	}
	s.ObservedGeneration = o.Generation
	verdict{&s.Conditions, o.Generation, now}.write(err, got.drift)
	return news(err, got.drift)
}

// reach finds out which role it is to be, and whether the object may have its way, before anything is asked for.
func (a associations) reach(ctx context.Context, o *v1alpha1.PodIdentityAssociation) (reached, error) {
	if err := a.shadowed(ctx, serviceAccount{o.Namespace, o.Spec.ServiceAccount}, o); err != nil {
		return reached{}, err
	}
	role, err := a.role(ctx, o)
	if err != nil {
		return reached{}, err
	}
	w := a.wish(o, role)
	w.applied = w.known != "" && applied(o.Status.Conditions, o.Generation) && o.Status.RoleARN != "" && a.sameRole(o, role)
	return a.ensure(ctx, w)
}

// sameRole reports whether the role is the one that this spec got before: that of a roleRef may have become another.
func (a associations) sameRole(o *v1alpha1.PodIdentityAssociation, role string) bool {
	return o.Spec.RoleRef == nil || o.Status.RoleARN == role
}

func (a associations) wish(o *v1alpha1.PodIdentityAssociation, role string) wish {
	return wish{
		serviceAccount: serviceAccount{o.Namespace, o.Spec.ServiceAccount},
		role:           role, target: o.Spec.TargetRoleARN, policy: o.Spec.Policy, noTags: o.Spec.DisableSessionTags, tags: o.Spec.Tags,
		adopt: o.Annotations[v1alpha1.AnnotationAdopt] == "true", known: o.Status.AssociationID,
		token: requestToken(string(o.UID), o.Generation, o.Status.AssociationID, meta.FindStatusCondition(o.Status.Conditions, v1alpha1.ConditionReady)),
	}
}

// role is the ARN of the role that the object asks for.
func (a associations) role(ctx context.Context, o *v1alpha1.PodIdentityAssociation) (string, error) {
	if o.Spec.RoleRef == nil {
		return o.Spec.RoleARN, nil
	}
	var role v1alpha1.Role
	err := a.client.Get(ctx, kube.ObjectKey{Namespace: o.Namespace, Name: o.Spec.RoleRef.Name}, &role)
	switch {
	case kube.IgnoreNotFound(err) != nil:
		return "", fmt.Errorf("read the Role %s: %w", o.Spec.RoleRef.Name, err)
	case err != nil:
		return "", refuse(v1alpha1.ReasonRoleNotReady, "there is no Role "+o.Spec.RoleRef.Name+" in the namespace "+o.Namespace)
	case role.Status.ARN == "":
		return "", refuse(v1alpha1.ReasonRoleNotReady, "the Role "+o.Spec.RoleRef.Name+" has no ARN yet; its conditions say why")
	}
	return role.Status.ARN, nil
}

// remove deletes the association, if it is this object's.
func (a associations) remove(ctx context.Context, o *v1alpha1.PodIdentityAssociation) []told {
	return verdict{&o.Status.Conditions, o.Generation, a.Now()}.removed(a.release(ctx, o))
}

func (a associations) release(ctx context.Context, o *v1alpha1.PodIdentityAssociation) error {
	if ready, why := word(o.Status.Conditions); o.Status.AssociationID == "" && !ready && barred(why) {
		return nil
	}
	err := a.shadowed(ctx, serviceAccount{o.Namespace, o.Spec.ServiceAccount}, o)
	if _, refused := refusedAs(err); refused {
		return nil // it is another object's
	}
	if err != nil {
		return err
	}
	role := o.Spec.RoleARN
	if o.Spec.RoleRef != nil {
		role = o.Status.RoleARN
	}
	return a.unmake(ctx, a.wish(o, role))
}
