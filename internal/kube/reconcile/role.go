package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
)

// roles is the inner half for Role.
type roles struct{ *resources }

func (r *resources) setupRoles(mgr manager.Manager) error {
	w := roles{r}
	return ctrl.NewControllerManagedBy(mgr).Named("role").WithOptions(options()).
		For(&v1alpha1.Role{}, builder.WithPredicates(changed())).
		Watches(&v1alpha1.Policy{}, handler.EnqueueRequestsFromMapFunc(w.ofPolicy)).
		Complete(w.outer())
}

func (r roles) outer() *outer[*v1alpha1.Role] {
	return &outer[*v1alpha1.Role]{
		resources: r.resources, finalizer: finalizerRole,
		empty:  func() *v1alpha1.Role { return new(v1alpha1.Role) },
		makes:  func(*v1alpha1.Role) bool { return r.IAM != nil },
		retain: func(o *v1alpha1.Role) bool { return o.Spec.DeletionPolicy == v1alpha1.DeletionRetain },
		decide: r.decide, remove: r.remove,
		word: func(o *v1alpha1.Role) (bool, string) { return word(o.Status.Conditions) },
	}
}

// ofPolicy are the objects that refer to a Policy.
func (r roles) ofPolicy(ctx context.Context, policy kube.Object) []ctrl.Request {
	var list v1alpha1.RoleList
	if err := r.client.List(ctx, &list, kube.InNamespace(policy.GetNamespace())); err != nil {
		r.Logger.WarnContext(ctx, "the roles of a policy cannot be listed", "namespace", policy.GetNamespace(), "policy", policy.GetName(), "error", err)
		return nil
	}
	var requests []ctrl.Request
	for i := range list.Items {
		if o := &list.Items[i]; slices.Contains(o.Spec.PolicyRefs, v1alpha1.LocalReference{Name: policy.GetName()}) {
			requests = append(requests, ctrl.Request{NamespacedName: kube.ObjectKeyFromObject(o)})
		}
	}
	return requests
}

// derived is the IAM name of an object that gives none. The hash keeps apart what the dashes do not: names are for a whole account.
func (r *resources) derived(namespace, name string, longest int) string {
	sum := sha256.Sum256([]byte(r.Cluster + "/" + namespace + "/" + name))
	hash := "-" + hex.EncodeToString(sum[:5])
	readable := namespace + "-" + name
	return readable[:min(len(readable), longest-len(hash))] + hash
}

// spec: iam-policy.md 2
const (
	longestRole   = 64
	longestPolicy = 128
)

func (r roles) name(o *v1alpha1.Role) string {
	if o.Spec.Name != "" {
		return o.Spec.Name
	}
	return r.derived(o.Namespace, o.Name, longestRole)
}

func (r roles) path(o *v1alpha1.Role) string {
	return r.pathOf(o.Namespace) + strings.TrimPrefix(o.Spec.Path, "/")
}

// plan is what a role is to be, with nothing left to look up.
type plan struct {
	name, path, description, trust, boundary string
	maxSession                               int32
	inline                                   map[string]string
	attached                                 []string
	tags                                     map[string]string
	applied                                  bool // this was in force before: what differs, somebody else has changed
}

// decide makes the role be what the object says.
func (r roles) decide(ctx context.Context, o *v1alpha1.Role) []told {
	now := r.Now()
	s := &o.Status
	role, drift, err := r.reach(ctx, o)
	if role != nil {
		s.ARN, s.Name, s.RoleID = aws.ToString(role.Arn), aws.ToString(role.RoleName), aws.ToString(role.RoleId)
	} else if lost(err) {
		s.ARN, s.Name, s.RoleID = "", "", ""
	}
	if err == nil {
		s.LastSynced = synced(s.LastSynced, now)
	}
	s.ObservedGeneration = o.Generation
	verdict{&s.Conditions, o.Generation, now}.write(err, drift)
	return news(err, drift)
}

func (r roles) reach(ctx context.Context, o *v1alpha1.Role) (*types.Role, []string, error) {
	if r.IAM == nil {
		return nil, nil, r.notEnabled()
	}
	if err := errors.Join(checkName(o.Spec.Name), r.shadowed(ctx, o)); err != nil {
		return nil, nil, err
	}
	p, err := r.plan(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	return r.ensure(ctx, p, o.Status.ARN)
}

func (r *resources) notEnabled() error {
	return refuse(v1alpha1.ReasonNotEnabled, "the operator makes no roles and policies from objects: an administrator has to allow it (--iam-resources)")
}

// owns reports whether what is in IAM by an object's name is the object's to remove: it is not where nothing was ever made, or an older
// object has the name.
func (r *resources) owns(arn string, shadowed func() error) (bool, error) {
	if r.IAM == nil {
		if arn == "" {
			return false, nil
		}
		return false, r.notEnabled()
	}
	err := shadowed()
	if _, refused := refusedAs(err); refused {
		return false, nil
	}
	return err == nil, err
}

// shadowed is a refusal if an older object is about the role of the same name. IAM does not tell upper from lower case.
func (r roles) shadowed(ctx context.Context, o *v1alpha1.Role) error {
	var list v1alpha1.RoleList
	if err := r.client.List(ctx, &list, kube.InNamespace(o.Namespace)); err != nil {
		return fmt.Errorf("list the roles of the namespace: %w", err)
	}
	self := claimOf("Role", o)
	for i := range list.Items {
		c := claimOf("Role", &list.Items[i])
		if c.uid != self.uid && strings.EqualFold(r.name(&list.Items[i]), r.name(o)) && c.older(self) < 0 {
			return refuse(v1alpha1.ReasonShadowed, fmt.Sprintf("the Role %s is older and has the same name %s", c.name, r.name(o)))
		}
	}
	return nil
}

// plan resolves references and defaults, and holds what one namespace may not do to another.
func (r roles) plan(ctx context.Context, o *v1alpha1.Role) (plan, error) {
	p := plan{
		name: r.name(o), path: r.path(o), description: o.Spec.Description, trust: o.Spec.AssumeRolePolicyDocument, boundary: o.Spec.PermissionsBoundary,
		maxSession: max(o.Spec.MaxSessionDuration, 3600), inline: o.Spec.InlinePolicies, attached: slices.Clone(o.Spec.PolicyARNs), tags: o.Spec.Tags,
		applied: o.Status.ARN != "" && applied(o.Status.Conditions, o.Generation),
	}
	if p.trust == "" {
		p.trust = r.trust(o.Namespace)
	}
	switch {
	case r.Boundary == "":
	case p.boundary == "":
		p.boundary = r.Boundary
	case p.boundary != r.Boundary:
		return plan{}, refuse(v1alpha1.ReasonInvalid, "the operator imposes the permissions boundary "+r.Boundary+": no other can be given")
	}
	for _, arn := range append(slices.Clone(p.attached), p.boundary) {
		if r.foreign(arn, "policy", o.Namespace) {
			return plan{}, refuse(v1alpha1.ReasonForeignPolicy, "the policy "+arn+" is made for another namespace")
		}
	}
	for _, ref := range o.Spec.PolicyRefs {
		var policy v1alpha1.Policy
		err := r.client.Get(ctx, kube.ObjectKey{Namespace: o.Namespace, Name: ref.Name}, &policy)
		switch {
		case kube.IgnoreNotFound(err) != nil:
			return plan{}, fmt.Errorf("read the Policy %s: %w", ref.Name, err)
		case err != nil:
			return plan{}, refuse(v1alpha1.ReasonPolicyNotReady, "there is no Policy "+ref.Name+" in the namespace "+o.Namespace)
		case policy.Status.ARN == "" || r.foreign(policy.Status.ARN, "policy", o.Namespace):
			return plan{}, refuse(v1alpha1.ReasonPolicyNotReady, "the Policy "+ref.Name+" has no ARN yet; its conditions say why")
		}
		p.attached = append(p.attached, policy.Status.ARN)
	}
	slices.Sort(p.attached)
	p.attached = slices.Compact(p.attached)
	return p, nil
}

// trust lets in the pods of one namespace of this cluster, by the session tags that the control plane vouches for.
func (r *resources) trust(namespace string) string {
	b, _ := json.Marshal(map[string]any{ // maps of texts always encode
		"Version": "2012-10-17",
		"Statement": []any{map[string]any{
			"Effect":    "Allow",
			"Principal": map[string]string{"Service": v1alpha1.TokenAudience},
			"Action":    []string{"sts:AssumeRole", "sts:TagSession"},
			"Condition": map[string]any{"StringEquals": map[string]string{
				"aws:RequestTag/eks-cluster-arn":      r.clusterARN(),
				"aws:RequestTag/kubernetes-namespace": namespace,
			}},
		}},
	})
	return string(b)
}

// remove deletes the role.
func (r roles) remove(ctx context.Context, o *v1alpha1.Role) []told {
	return verdict{&o.Status.Conditions, o.Generation, r.Now()}.removed(r.release(ctx, o))
}

func (r roles) release(ctx context.Context, o *v1alpha1.Role) error {
	if own, err := r.owns(o.Status.ARN, func() error { return r.shadowed(ctx, o) }); !own {
		return err
	}
	role, visible, err := r.find(ctx, r.name(o))
	if err != nil {
		return err
	}
	if !visible {
		return r.gone(ctx, r.name(o), r.path(o))
	}
	if role == nil || aws.ToString(role.Path) != r.path(o) {
		return nil // it has none, or never had this one
	}
	return r.unmake(ctx, r.name(o))
}

// gone holds that there is no role of a name below a path. Whoever may see roles by their path alone is refused one that is not
// there, just like one that is elsewhere.
func (r roles) gone(ctx context.Context, name, path string) error {
	for pages := iam.NewListRolesPaginator(r.IAM, &iam.ListRolesInput{PathPrefix: &path}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return classified(err)
		}
		for _, role := range page.Roles {
			if strings.EqualFold(aws.ToString(role.RoleName), name) && aws.ToString(role.Path) == path {
				return refuse(v1alpha1.ReasonDenied, "the operator may not look at the role "+name)
			}
		}
	}
	return nil
}
