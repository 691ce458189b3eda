package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
)

// policies is the inner half for Policy.
type policies struct{ *resources }

func (r *resources) setupPolicies(mgr manager.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).Named("policy").WithOptions(options()).
		For(&v1alpha1.Policy{}, builder.WithPredicates(changed())).
		Complete(policies{r}.outer())
}

func (r policies) outer() *outer[*v1alpha1.Policy] {
	return &outer[*v1alpha1.Policy]{
		resources: r.resources, finalizer: finalizerPolicy,
		empty:  func() *v1alpha1.Policy { return new(v1alpha1.Policy) },
		makes:  func(*v1alpha1.Policy) bool { return r.IAM != nil },
		retain: func(o *v1alpha1.Policy) bool { return o.Spec.DeletionPolicy == v1alpha1.DeletionRetain },
		decide: r.decide, remove: r.remove,
		word: func(o *v1alpha1.Policy) (bool, string) { return word(o.Status.Conditions) },
	}
}

func (r policies) name(o *v1alpha1.Policy) string {
	if o.Spec.Name != "" {
		return o.Spec.Name
	}
	return r.derived(o.Namespace, o.Name, longestPolicy)
}

func (r policies) path(o *v1alpha1.Policy) string {
	return r.pathOf(o.Namespace) + strings.TrimPrefix(o.Spec.Path, "/")
}

func (r policies) arn(o *v1alpha1.Policy) string {
	return "arn:aws:iam::" + r.Account + ":policy" + r.path(o) + r.name(o)
}

// decide makes the policy be what the object says.
func (r policies) decide(ctx context.Context, o *v1alpha1.Policy) []told {
	now := r.Now()
	s := &o.Status
	version, drift, err := r.reach(ctx, o)
	if version != "" {
		s.ARN, s.DefaultVersionID = r.arn(o), version
	} else if lost(err) {
		s.ARN, s.DefaultVersionID = "", ""
	}
	if err == nil {
		s.LastSynced = synced(s.LastSynced, now)
	}
	s.ObservedGeneration = o.Generation
	verdict{&s.Conditions, o.Generation, now}.write(err, drift)
	return news(err, drift)
}

// reach makes the policy or changes it, and tells the version in force; empty: there is no policy of this object's.
func (r policies) reach(ctx context.Context, o *v1alpha1.Policy) (version string, drift []string, err error) {
	if r.IAM == nil {
		return "", nil, r.notEnabled()
	}
	if err := errors.Join(checkName(o.Spec.Name), r.shadowed(ctx, o)); err != nil {
		return "", nil, err
	}
	arn := r.arn(o)
	inForce := o.Status.ARN == arn && applied(o.Status.Conditions, o.Generation)
	have, err := r.find(ctx, arn)
	if err != nil {
		return "", nil, err
	}
	if have == nil {
		if inForce {
			drift = []string{"the policy " + arn + " was deleted"}
		}
		version, err := r.make(ctx, o)
		return version, drift, err
	}
	version = aws.ToString(have.DefaultVersionId)
	out, err := r.IAM.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: &arn, VersionId: &version})
	if err != nil {
		return version, nil, classified(err)
	}
	if sameDocument(plain(out.PolicyVersion.Document), o.Spec.Document) {
		return version, nil, nil
	}
	if inForce {
		drift = []string{"the version in force was " + version}
	}
	next, err := r.replace(ctx, arn, o.Spec.Document)
	if err != nil {
		return version, drift, err
	}
	return next, drift, nil
}

// shadowed is a refusal if an older object is about the policy of the same name.
func (r policies) shadowed(ctx context.Context, o *v1alpha1.Policy) error {
	var list v1alpha1.PolicyList
	if err := r.client.List(ctx, &list, kube.InNamespace(o.Namespace)); err != nil {
		return fmt.Errorf("list the policies of the namespace: %w", err)
	}
	self := claimOf("Policy", o)
	for i := range list.Items {
		c := claimOf("Policy", &list.Items[i])
		if c.uid != self.uid && strings.EqualFold(r.name(&list.Items[i]), r.name(o)) && c.older(self) < 0 {
			return refuse(v1alpha1.ReasonShadowed, fmt.Sprintf("the Policy %s is older and has the same name %s", c.name, r.name(o)))
		}
	}
	return nil
}

// find looks a policy up; nil: there is none.
func (r policies) find(ctx context.Context, arn string) (*types.Policy, error) {
	out, err := r.IAM.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn})
	if code(err) == codeMissing {
		return nil, nil
	}
	if err != nil {
		return nil, classified(err)
	}
	return out.Policy, nil
}

func (r policies) make(ctx context.Context, o *v1alpha1.Policy) (version string, err error) {
	name, path := r.name(o), r.path(o)
	out, err := r.IAM.CreatePolicy(ctx, &iam.CreatePolicyInput{
		PolicyName: &name, Path: &path, Description: optional(o.Spec.Description), PolicyDocument: &o.Spec.Document,
	})
	if code(err) == codeExists {
		return "", refuse(v1alpha1.ReasonAlreadyExists, fmt.Sprintf(
			"there is a policy %s already, which is not below %s: names are for a whole account; give this one another spec.name", name, path))
	}
	if err != nil {
		return "", classified(err)
	}
	return aws.ToString(out.Policy.DefaultVersionId), nil
}

// maxVersions is how many versions a policy has at most. spec: iam-policy.md 2
const maxVersions = 5

// replace puts a document in force as a new version. Where there is no room, the oldest of those not in force goes.
func (r policies) replace(ctx context.Context, arn, document string) (version string, err error) {
	versions, err := r.versions(ctx, arn)
	if err != nil {
		return "", err
	}
	if len(versions) >= maxVersions {
		var oldest *types.PolicyVersion
		for i := range versions {
			v := &versions[i]
			if !v.IsDefaultVersion && (oldest == nil || aws.ToTime(v.CreateDate).Before(aws.ToTime(oldest.CreateDate))) {
				oldest = v
			}
		}
		if oldest != nil {
			if err := r.forget(ctx, arn, oldest); err != nil {
				return "", err
			}
		}
	}
	out, err := r.IAM.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: &arn, PolicyDocument: &document, SetAsDefault: true})
	if err != nil {
		return "", classified(err)
	}
	return aws.ToString(out.PolicyVersion.VersionId), nil
}

func (r policies) versions(ctx context.Context, arn string) ([]types.PolicyVersion, error) {
	var all []types.PolicyVersion
	for pages := iam.NewListPolicyVersionsPaginator(r.IAM, &iam.ListPolicyVersionsInput{PolicyArn: &arn}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, classified(err)
		}
		all = append(all, page.Versions...)
	}
	return all, nil
}

func (r policies) forget(ctx context.Context, arn string, v *types.PolicyVersion) error {
	_, err := r.IAM.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: &arn, VersionId: v.VersionId})
	if err != nil && code(err) != codeMissing {
		return classified(err)
	}
	return nil
}

// remove deletes the policy.
func (r policies) remove(ctx context.Context, o *v1alpha1.Policy) []told {
	return verdict{&o.Status.Conditions, o.Generation, r.Now()}.removed(r.release(ctx, o))
}

func (r policies) release(ctx context.Context, o *v1alpha1.Policy) error {
	if own, err := r.owns(o.Status.ARN, func() error { return r.shadowed(ctx, o) }); !own {
		return err
	}
	arn := r.arn(o)
	have, err := r.find(ctx, arn)
	if err != nil || have == nil {
		return err
	}
	// Asked before anything is taken away: a policy that has to stay keeps its versions.
	if holders := aws.ToInt32(have.AttachmentCount) + aws.ToInt32(have.PermissionsBoundaryUsageCount); holders > 0 {
		return refuse(v1alpha1.ReasonDeleteBlocked, fmt.Sprintf("the policy is attached to, or the boundary of, %d roles or users: detach it there first", holders))
	}
	versions, err := r.versions(ctx, arn)
	if err != nil {
		return err
	}
	for i := range versions {
		if !versions[i].IsDefaultVersion {
			if err := r.forget(ctx, arn, &versions[i]); err != nil {
				return err
			}
		}
	}
	if _, err := r.IAM.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: &arn}); err != nil && code(err) != codeMissing {
		return classified(err)
	}
	return nil
}
