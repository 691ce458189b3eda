package reconcile_test

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/smithy-go"

	"github.com/podid/podid/internal/kube/reconcile"
)

// refused is an answer with an error code.
func refused(code, message string) error {
	return &smithy.GenericAPIError{Code: code, Message: message}
}

// fakeEKS is a control plane with one cluster. What is in fail is answered instead, by operation.
type fakeEKS struct {
	associations map[string]*types.PodIdentityAssociation
	tokens       map[string]string // client request token to id
	fail         map[string]error
	calls        []string
	made         int
}

func newEKS() *fakeEKS {
	return &fakeEKS{associations: map[string]*types.PodIdentityAssociation{}, tokens: map[string]string{}, fail: map[string]error{}}
}

func (f *fakeEKS) call(name string) error {
	f.calls = append(f.calls, name)
	return f.fail[name]
}

// add makes an association as somebody else would.
func (f *fakeEKS) add(namespace, account, role string) *types.PodIdentityAssociation {
	f.made++
	id := fmt.Sprintf("a-%08d", f.made)
	a := &types.PodIdentityAssociation{
		AssociationId: aws.String(id), AssociationArn: aws.String("arn:aws:eks:eu-west-1:111122223333:podidentityassociation/lab/" + id),
		Namespace: aws.String(namespace), ServiceAccount: aws.String(account), RoleArn: aws.String(role), DisableSessionTags: aws.Bool(false), Tags: map[string]string{},
	}
	f.associations[id] = a
	return a
}

func (f *fakeEKS) of(namespace, account string) *types.PodIdentityAssociation {
	for _, a := range f.associations {
		if *a.Namespace == namespace && *a.ServiceAccount == account {
			return a
		}
	}
	return nil
}

func (f *fakeEKS) CreatePodIdentityAssociation(_ context.Context, in *eks.CreatePodIdentityAssociationInput, _ ...func(*eks.Options)) (*eks.CreatePodIdentityAssociationOutput, error) {
	if err := f.call("Create"); err != nil {
		return nil, err
	}
	if id, ok := f.tokens[*in.ClientRequestToken]; ok {
		a, ok := f.associations[id]
		if !ok {
			return nil, &types.InvalidParameterException{Message: aws.String("was deleted since")}
		}
		return &eks.CreatePodIdentityAssociationOutput{Association: a}, nil
	}
	if old := f.of(*in.Namespace, *in.ServiceAccount); old != nil {
		return nil, &types.ResourceInUseException{Message: aws.String("Association already exists: " + *old.AssociationId)}
	}
	a := f.add(*in.Namespace, *in.ServiceAccount, *in.RoleArn)
	a.TargetRoleArn, a.Policy, a.DisableSessionTags, a.Tags = in.TargetRoleArn, in.Policy, in.DisableSessionTags, maps.Clone(in.Tags)
	f.tokens[*in.ClientRequestToken] = *a.AssociationId
	return &eks.CreatePodIdentityAssociationOutput{Association: a}, nil
}

func (f *fakeEKS) get(id string) (*types.PodIdentityAssociation, error) {
	if a, ok := f.associations[id]; ok {
		return a, nil
	}
	return nil, &types.ResourceNotFoundException{Message: aws.String("no association " + id)}
}

func (f *fakeEKS) DescribePodIdentityAssociation(_ context.Context, in *eks.DescribePodIdentityAssociationInput, _ ...func(*eks.Options)) (*eks.DescribePodIdentityAssociationOutput, error) {
	if err := f.call("Describe"); err != nil {
		return nil, err
	}
	a, err := f.get(*in.AssociationId)
	if err != nil {
		return nil, err
	}
	seen := *a
	seen.Tags = maps.Clone(a.Tags)
	return &eks.DescribePodIdentityAssociationOutput{Association: &seen}, nil
}

func (f *fakeEKS) UpdatePodIdentityAssociation(_ context.Context, in *eks.UpdatePodIdentityAssociationInput, _ ...func(*eks.Options)) (*eks.UpdatePodIdentityAssociationOutput, error) {
	if err := f.call("Update"); err != nil {
		return nil, err
	}
	a, err := f.get(*in.AssociationId)
	if err != nil {
		return nil, err
	}
	a.RoleArn, a.TargetRoleArn, a.Policy, a.DisableSessionTags = in.RoleArn, in.TargetRoleArn, in.Policy, in.DisableSessionTags
	return &eks.UpdatePodIdentityAssociationOutput{Association: a}, nil
}

func (f *fakeEKS) DeletePodIdentityAssociation(_ context.Context, in *eks.DeletePodIdentityAssociationInput, _ ...func(*eks.Options)) (*eks.DeletePodIdentityAssociationOutput, error) {
	if err := f.call("Delete"); err != nil {
		return nil, err
	}
	_, err := f.get(*in.AssociationId)
	delete(f.associations, *in.AssociationId)
	return &eks.DeletePodIdentityAssociationOutput{}, err
}

func (f *fakeEKS) ListPodIdentityAssociations(_ context.Context, in *eks.ListPodIdentityAssociationsInput, _ ...func(*eks.Options)) (*eks.ListPodIdentityAssociationsOutput, error) {
	out := &eks.ListPodIdentityAssociationsOutput{}
	if a := f.of(*in.Namespace, *in.ServiceAccount); a != nil {
		out.Associations = []types.PodIdentityAssociationSummary{{AssociationId: a.AssociationId, Namespace: a.Namespace, ServiceAccount: a.ServiceAccount}}
	}
	return out, f.call("List")
}

func (f *fakeEKS) byARN(arn string) *types.PodIdentityAssociation {
	return f.associations[arn[strings.LastIndexByte(arn, '/')+1:]]
}

func (f *fakeEKS) TagResource(_ context.Context, in *eks.TagResourceInput, _ ...func(*eks.Options)) (*eks.TagResourceOutput, error) {
	a := f.byARN(*in.ResourceArn)
	if a.Tags == nil {
		a.Tags = map[string]string{}
	}
	maps.Copy(a.Tags, in.Tags)
	return &eks.TagResourceOutput{}, f.call("Tag")
}

func (f *fakeEKS) UntagResource(_ context.Context, in *eks.UntagResourceInput, _ ...func(*eks.Options)) (*eks.UntagResourceOutput, error) {
	maps.DeleteFunc(f.byARN(*in.ResourceArn).Tags, func(k, _ string) bool { return slices.Contains(in.TagKeys, k) })
	return &eks.UntagResourceOutput{}, f.call("Untag")
}

// fakeRole is a role with all that hangs on it.
type fakeRole struct {
	iamtypes.Role

	inline   map[string]string
	attached []string
}

// fakeIAM has roles by name and policies by ARN. As with a role that is limited to a path, what is not there cannot be told from what
// may not be seen. The embedded interface is nil: what is not written here is not called.
type fakeIAM struct {
	reconcile.IAM

	roles    map[string]*fakeRole
	policies map[string]*fakePolicy
	calls    []string
	now      time.Time
}

type fakePolicy struct {
	versions []iamtypes.PolicyVersion
	next     int
}

func newIAM() *fakeIAM {
	return &fakeIAM{roles: map[string]*fakeRole{}, policies: map[string]*fakePolicy{}, now: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)}
}

const visible = "/podid/lab/"

func encoded(s string) *string { return aws.String(url.QueryEscape(s)) }

func (f *fakeIAM) role(name string) (*fakeRole, error) {
	if r, ok := f.roles[name]; ok && strings.HasPrefix(*r.Path, visible) {
		return r, nil
	}
	return nil, refused("AccessDenied", "not authorized to perform this on "+name)
}

func (f *fakeIAM) CreateRole(_ context.Context, in *iam.CreateRoleInput, _ ...func(*iam.Options)) (*iam.CreateRoleOutput, error) {
	f.calls = append(f.calls, "CreateRole")
	if !strings.HasPrefix(*in.Path, visible) {
		return nil, refused("AccessDenied", "not authorized")
	}
	if _, ok := f.roles[*in.RoleName]; ok {
		return nil, refused("EntityAlreadyExists", "it exists")
	}
	r := &fakeRole{inline: map[string]string{}, Role: iamtypes.Role{
		RoleName: in.RoleName, Path: in.Path, RoleId: aws.String("AROA" + *in.RoleName), Arn: aws.String("arn:aws:iam::111122223333:role" + *in.Path + *in.RoleName),
		AssumeRolePolicyDocument: encoded(*in.AssumeRolePolicyDocument), Description: in.Description, MaxSessionDuration: in.MaxSessionDuration, Tags: in.Tags,
	}}
	if in.PermissionsBoundary != nil {
		r.PermissionsBoundary = &iamtypes.AttachedPermissionsBoundary{PermissionsBoundaryArn: in.PermissionsBoundary}
	}
	f.roles[*in.RoleName] = r
	return &iam.CreateRoleOutput{Role: &r.Role}, nil
}

func (f *fakeIAM) GetRole(_ context.Context, in *iam.GetRoleInput, _ ...func(*iam.Options)) (*iam.GetRoleOutput, error) {
	r, err := f.role(*in.RoleName)
	if err != nil {
		return nil, err
	}
	return &iam.GetRoleOutput{Role: &r.Role}, nil
}

func (f *fakeIAM) ListRoles(_ context.Context, in *iam.ListRolesInput, _ ...func(*iam.Options)) (*iam.ListRolesOutput, error) {
	out := &iam.ListRolesOutput{}
	for _, r := range f.roles {
		if strings.HasPrefix(*r.Path, *in.PathPrefix) {
			out.Roles = append(out.Roles, r.Role)
		}
	}
	return out, nil
}

func (f *fakeIAM) UpdateRole(_ context.Context, in *iam.UpdateRoleInput, _ ...func(*iam.Options)) (*iam.UpdateRoleOutput, error) {
	f.calls = append(f.calls, "UpdateRole")
	f.roles[*in.RoleName].Description, f.roles[*in.RoleName].MaxSessionDuration = in.Description, in.MaxSessionDuration
	return &iam.UpdateRoleOutput{}, nil
}

func (f *fakeIAM) UpdateAssumeRolePolicy(_ context.Context, in *iam.UpdateAssumeRolePolicyInput, _ ...func(*iam.Options)) (*iam.UpdateAssumeRolePolicyOutput, error) {
	f.calls = append(f.calls, "UpdateAssumeRolePolicy")
	f.roles[*in.RoleName].AssumeRolePolicyDocument = encoded(*in.PolicyDocument)
	return &iam.UpdateAssumeRolePolicyOutput{}, nil
}

func (f *fakeIAM) PutRolePermissionsBoundary(_ context.Context, in *iam.PutRolePermissionsBoundaryInput, _ ...func(*iam.Options)) (*iam.PutRolePermissionsBoundaryOutput, error) {
	f.roles[*in.RoleName].PermissionsBoundary = &iamtypes.AttachedPermissionsBoundary{PermissionsBoundaryArn: in.PermissionsBoundary}
	return &iam.PutRolePermissionsBoundaryOutput{}, nil
}

func (f *fakeIAM) TagRole(_ context.Context, in *iam.TagRoleInput, _ ...func(*iam.Options)) (*iam.TagRoleOutput, error) {
	f.roles[*in.RoleName].Tags = append(f.roles[*in.RoleName].Tags, in.Tags...)
	return &iam.TagRoleOutput{}, nil
}

func (f *fakeIAM) UntagRole(_ context.Context, in *iam.UntagRoleInput, _ ...func(*iam.Options)) (*iam.UntagRoleOutput, error) {
	r := f.roles[*in.RoleName]
	r.Tags = slices.DeleteFunc(r.Tags, func(t iamtypes.Tag) bool { return slices.Contains(in.TagKeys, *t.Key) })
	return &iam.UntagRoleOutput{}, nil
}

func (f *fakeIAM) ListAttachedRolePolicies(_ context.Context, in *iam.ListAttachedRolePoliciesInput, _ ...func(*iam.Options)) (*iam.ListAttachedRolePoliciesOutput, error) {
	out := &iam.ListAttachedRolePoliciesOutput{}
	for _, arn := range f.roles[*in.RoleName].attached {
		out.AttachedPolicies = append(out.AttachedPolicies, iamtypes.AttachedPolicy{PolicyArn: aws.String(arn)})
	}
	return out, nil
}

func (f *fakeIAM) AttachRolePolicy(_ context.Context, in *iam.AttachRolePolicyInput, _ ...func(*iam.Options)) (*iam.AttachRolePolicyOutput, error) {
	f.roles[*in.RoleName].attached = append(f.roles[*in.RoleName].attached, *in.PolicyArn)
	return &iam.AttachRolePolicyOutput{}, nil
}

func (f *fakeIAM) DetachRolePolicy(_ context.Context, in *iam.DetachRolePolicyInput, _ ...func(*iam.Options)) (*iam.DetachRolePolicyOutput, error) {
	r := f.roles[*in.RoleName]
	r.attached = slices.DeleteFunc(r.attached, func(arn string) bool { return arn == *in.PolicyArn })
	return &iam.DetachRolePolicyOutput{}, nil
}

func (f *fakeIAM) ListRolePolicies(_ context.Context, in *iam.ListRolePoliciesInput, _ ...func(*iam.Options)) (*iam.ListRolePoliciesOutput, error) {
	return &iam.ListRolePoliciesOutput{PolicyNames: slices.Sorted(maps.Keys(f.roles[*in.RoleName].inline))}, nil
}

func (f *fakeIAM) GetRolePolicy(_ context.Context, in *iam.GetRolePolicyInput, _ ...func(*iam.Options)) (*iam.GetRolePolicyOutput, error) {
	return &iam.GetRolePolicyOutput{PolicyDocument: encoded(f.roles[*in.RoleName].inline[*in.PolicyName])}, nil
}

func (f *fakeIAM) PutRolePolicy(_ context.Context, in *iam.PutRolePolicyInput, _ ...func(*iam.Options)) (*iam.PutRolePolicyOutput, error) {
	f.calls = append(f.calls, "PutRolePolicy")
	f.roles[*in.RoleName].inline[*in.PolicyName] = *in.PolicyDocument
	return &iam.PutRolePolicyOutput{}, nil
}

func (f *fakeIAM) DeleteRolePolicy(_ context.Context, in *iam.DeleteRolePolicyInput, _ ...func(*iam.Options)) (*iam.DeleteRolePolicyOutput, error) {
	delete(f.roles[*in.RoleName].inline, *in.PolicyName)
	return &iam.DeleteRolePolicyOutput{}, nil
}

func (f *fakeIAM) DeleteRole(_ context.Context, in *iam.DeleteRoleInput, _ ...func(*iam.Options)) (*iam.DeleteRoleOutput, error) {
	r, err := f.role(*in.RoleName)
	if err != nil {
		return nil, err
	}
	if len(r.attached)+len(r.inline) > 0 {
		return nil, refused("DeleteConflict", "policies first")
	}
	delete(f.roles, *in.RoleName)
	return &iam.DeleteRoleOutput{}, nil
}

func (f *fakeIAM) policy(arn *string) (*fakePolicy, error) {
	if p, ok := f.policies[*arn]; ok {
		return p, nil
	}
	return nil, refused("NoSuchEntity", "no policy "+*arn)
}

func (p *fakePolicy) add(document string, at time.Time) *iamtypes.PolicyVersion {
	p.next++
	for i := range p.versions {
		p.versions[i].IsDefaultVersion = false
	}
	p.versions = append(p.versions, iamtypes.PolicyVersion{
		VersionId: aws.String(fmt.Sprint("v", p.next)), IsDefaultVersion: true, Document: encoded(document), CreateDate: &at,
	})
	return &p.versions[len(p.versions)-1]
}

func (f *fakeIAM) CreatePolicy(_ context.Context, in *iam.CreatePolicyInput, _ ...func(*iam.Options)) (*iam.CreatePolicyOutput, error) {
	p := &fakePolicy{}
	v := p.add(*in.PolicyDocument, f.now)
	f.policies["arn:aws:iam::111122223333:policy"+*in.Path+*in.PolicyName] = p
	return &iam.CreatePolicyOutput{Policy: &iamtypes.Policy{DefaultVersionId: v.VersionId}}, nil
}

func (f *fakeIAM) GetPolicy(_ context.Context, in *iam.GetPolicyInput, _ ...func(*iam.Options)) (*iam.GetPolicyOutput, error) {
	p, err := f.policy(in.PolicyArn)
	if err != nil {
		return nil, err
	}
	held := int32(0)
	for _, r := range f.roles {
		if slices.Contains(r.attached, *in.PolicyArn) {
			held++
		}
	}
	v := p.versions[slices.IndexFunc(p.versions, func(v iamtypes.PolicyVersion) bool { return v.IsDefaultVersion })]
	return &iam.GetPolicyOutput{Policy: &iamtypes.Policy{Arn: in.PolicyArn, DefaultVersionId: v.VersionId, AttachmentCount: &held}}, nil
}

func (f *fakeIAM) GetPolicyVersion(_ context.Context, in *iam.GetPolicyVersionInput, _ ...func(*iam.Options)) (*iam.GetPolicyVersionOutput, error) {
	p := f.policies[*in.PolicyArn]
	i := slices.IndexFunc(p.versions, func(v iamtypes.PolicyVersion) bool { return *v.VersionId == *in.VersionId })
	return &iam.GetPolicyVersionOutput{PolicyVersion: &p.versions[i]}, nil
}

func (f *fakeIAM) ListPolicyVersions(_ context.Context, in *iam.ListPolicyVersionsInput, _ ...func(*iam.Options)) (*iam.ListPolicyVersionsOutput, error) {
	return &iam.ListPolicyVersionsOutput{Versions: slices.Clone(f.policies[*in.PolicyArn].versions)}, nil
}

func (f *fakeIAM) CreatePolicyVersion(_ context.Context, in *iam.CreatePolicyVersionInput, _ ...func(*iam.Options)) (*iam.CreatePolicyVersionOutput, error) {
	p := f.policies[*in.PolicyArn]
	if len(p.versions) >= 5 {
		return nil, refused("LimitExceeded", "five versions")
	}
	f.now = f.now.Add(time.Second)
	return &iam.CreatePolicyVersionOutput{PolicyVersion: p.add(*in.PolicyDocument, f.now)}, nil
}

func (f *fakeIAM) DeletePolicyVersion(_ context.Context, in *iam.DeletePolicyVersionInput, _ ...func(*iam.Options)) (*iam.DeletePolicyVersionOutput, error) {
	p := f.policies[*in.PolicyArn]
	p.versions = slices.DeleteFunc(p.versions, func(v iamtypes.PolicyVersion) bool { return *v.VersionId == *in.VersionId })
	return &iam.DeletePolicyVersionOutput{}, nil
}

func (f *fakeIAM) DeletePolicy(_ context.Context, in *iam.DeletePolicyInput, _ ...func(*iam.Options)) (*iam.DeletePolicyOutput, error) {
	_, err := f.policy(in.PolicyArn)
	delete(f.policies, *in.PolicyArn)
	return &iam.DeletePolicyOutput{}, err
}
