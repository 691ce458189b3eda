package iamapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/policy"
)

func (s *service) addRolePolicies(t *api.Typed) {
	t.Operations = append(t.Operations,
		api.Op(with(call(s.putRolePolicy, s.role, "RoleName", "PolicyName", "PolicyDocument"), roleKeys[sdk.PutRolePolicyInput](s))),
		api.Op(call(s.getRolePolicy, s.role, "RoleName", "PolicyName")),
		api.Op(call(s.listRolePolicies, s.role, "RoleName")),
		api.Op(with(call(s.deleteRolePolicy, s.role, "RoleName", "PolicyName"), roleKeys[sdk.DeleteRolePolicyInput](s))),
		api.Op(with(call(s.attachRolePolicy, s.role, "RoleName", "PolicyArn"), roleKeys[sdk.AttachRolePolicyInput](s))),
		api.Op(with(call(s.detachRolePolicy, s.role, "RoleName", "PolicyArn"), roleKeys[sdk.DetachRolePolicyInput](s))),
		api.Op(call(s.listAttachedRolePolicies, s.role, "RoleName")),
	)
}

// roleKeys sets the condition keys of a call that changes what a role is allowed: the boundary that the role has, and the managed
// policy that the call is about.
func roleKeys[In any](s *service) func(*api.Call, *In, *policy.Context) {
	return func(c *api.Call, in *In, keys *policy.Context) {
		if r, ok := s.iam.FindRole(c.Account(), text(in, "RoleName")); ok && r.Boundary != "" {
			keys.Set("iam:PermissionsBoundary", r.Boundary)
		}
		policyKey(in, keys)
	}
}

func (s *service) putRolePolicy(ctx context.Context, c *api.Call, in *sdk.PutRolePolicyInput) (*sdk.PutRolePolicyOutput, error) {
	return &sdk.PutRolePolicyOutput{}, s.iam.PutRolePolicy(ctx, c.Account(), aws.ToString(in.RoleName), aws.ToString(in.PolicyName),
		aws.ToString(in.PolicyDocument))
}

func (s *service) getRolePolicy(_ context.Context, c *api.Call, in *sdk.GetRolePolicyInput) (*sdk.GetRolePolicyOutput, error) {
	r, err := s.iam.GetRole(c.Account(), aws.ToString(in.RoleName))
	if err != nil {
		return nil, err
	}
	text, err := inline("role", r.Inline, in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &sdk.GetRolePolicyOutput{RoleName: aws.String(r.Name), PolicyName: in.PolicyName, PolicyDocument: text}, nil
}

func (s *service) listRolePolicies(_ context.Context, c *api.Call, in *sdk.ListRolePoliciesInput) (*sdk.ListRolePoliciesOutput, error) {
	r, err := s.iam.GetRole(c.Account(), aws.ToString(in.RoleName))
	if err != nil {
		return nil, err
	}
	p, err := inlineNames(r.Inline, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListRolePoliciesOutput{PolicyNames: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}

func (s *service) deleteRolePolicy(ctx context.Context, c *api.Call, in *sdk.DeleteRolePolicyInput) (*sdk.DeleteRolePolicyOutput, error) {
	return &sdk.DeleteRolePolicyOutput{}, s.iam.DeleteRolePolicy(ctx, c.Account(), aws.ToString(in.RoleName), aws.ToString(in.PolicyName))
}

func (s *service) attachRolePolicy(ctx context.Context, c *api.Call, in *sdk.AttachRolePolicyInput) (*sdk.AttachRolePolicyOutput, error) {
	return &sdk.AttachRolePolicyOutput{}, s.iam.AttachRolePolicy(ctx, c.Account(), aws.ToString(in.RoleName), aws.ToString(in.PolicyArn))
}

func (s *service) detachRolePolicy(ctx context.Context, c *api.Call, in *sdk.DetachRolePolicyInput) (*sdk.DetachRolePolicyOutput, error) {
	return &sdk.DetachRolePolicyOutput{}, s.iam.DetachRolePolicy(ctx, c.Account(), aws.ToString(in.RoleName), aws.ToString(in.PolicyArn))
}

func (s *service) listAttachedRolePolicies(
	_ context.Context, c *api.Call, in *sdk.ListAttachedRolePoliciesInput,
) (*sdk.ListAttachedRolePoliciesOutput, error) {
	r, err := s.iam.GetRole(c.Account(), aws.ToString(in.RoleName))
	if err != nil {
		return nil, err
	}
	p, err := attached(r.Attached, in.PathPrefix, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListAttachedRolePoliciesOutput{AttachedPolicies: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}
