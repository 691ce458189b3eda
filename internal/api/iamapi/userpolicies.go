package iamapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/policy"
)

func (s *service) addUserPolicies(t *api.Typed) {
	t.Operations = append(t.Operations,
		api.Op(with(call(s.putUserPolicy, s.user, "UserName", "PolicyName", "PolicyDocument"), userKeys[sdk.PutUserPolicyInput](s))),
		api.Op(call(s.getUserPolicy, s.user, "UserName", "PolicyName")),
		api.Op(call(s.listUserPolicies, s.user, "UserName")),
		api.Op(with(call(s.deleteUserPolicy, s.user, "UserName", "PolicyName"), userKeys[sdk.DeleteUserPolicyInput](s))),
		api.Op(with(call(s.attachUserPolicy, s.user, "UserName", "PolicyArn"), userKeys[sdk.AttachUserPolicyInput](s))),
		api.Op(with(call(s.detachUserPolicy, s.user, "UserName", "PolicyArn"), userKeys[sdk.DetachUserPolicyInput](s))),
		api.Op(call(s.listAttachedUserPolicies, s.user, "UserName")),
	)
}

// userKeys sets the condition keys of a call that changes what a user is allowed: the boundary that the user has, and the managed
// policy that the call is about.
func userKeys[In any](s *service) func(*api.Call, *In, *policy.Context) {
	return func(c *api.Call, in *In, keys *policy.Context) {
		if u, ok := s.iam.FindUser(c.Account(), text(in, "UserName")); ok && u.Boundary != "" {
			keys.Set("iam:PermissionsBoundary", u.Boundary)
		}
		policyKey(in, keys)
	}
}

// policyKey sets iam:PolicyARN for a call with the member PolicyArn.
func policyKey(in any, keys *policy.Context) {
	if policyARN := text(in, "PolicyArn"); policyARN != "" {
		keys.Set("iam:PolicyARN", policyARN)
	}
}

func (s *service) putUserPolicy(ctx context.Context, c *api.Call, in *sdk.PutUserPolicyInput) (*sdk.PutUserPolicyOutput, error) {
	return &sdk.PutUserPolicyOutput{}, s.iam.PutUserPolicy(ctx, c.Account(), aws.ToString(in.UserName), aws.ToString(in.PolicyName),
		aws.ToString(in.PolicyDocument))
}

func (s *service) getUserPolicy(_ context.Context, c *api.Call, in *sdk.GetUserPolicyInput) (*sdk.GetUserPolicyOutput, error) {
	u, err := s.iam.GetUser(c.Account(), aws.ToString(in.UserName))
	if err != nil {
		return nil, err
	}
	text, err := inline("user", u.Inline, in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &sdk.GetUserPolicyOutput{UserName: aws.String(u.Name), PolicyName: in.PolicyName, PolicyDocument: text}, nil
}

func (s *service) listUserPolicies(_ context.Context, c *api.Call, in *sdk.ListUserPoliciesInput) (*sdk.ListUserPoliciesOutput, error) {
	u, err := s.iam.GetUser(c.Account(), aws.ToString(in.UserName))
	if err != nil {
		return nil, err
	}
	p, err := inlineNames(u.Inline, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListUserPoliciesOutput{PolicyNames: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}

func (s *service) deleteUserPolicy(ctx context.Context, c *api.Call, in *sdk.DeleteUserPolicyInput) (*sdk.DeleteUserPolicyOutput, error) {
	return &sdk.DeleteUserPolicyOutput{}, s.iam.DeleteUserPolicy(ctx, c.Account(), aws.ToString(in.UserName), aws.ToString(in.PolicyName))
}

func (s *service) attachUserPolicy(ctx context.Context, c *api.Call, in *sdk.AttachUserPolicyInput) (*sdk.AttachUserPolicyOutput, error) {
	return &sdk.AttachUserPolicyOutput{}, s.iam.AttachUserPolicy(ctx, c.Account(), aws.ToString(in.UserName), aws.ToString(in.PolicyArn))
}

func (s *service) detachUserPolicy(ctx context.Context, c *api.Call, in *sdk.DetachUserPolicyInput) (*sdk.DetachUserPolicyOutput, error) {
	return &sdk.DetachUserPolicyOutput{}, s.iam.DetachUserPolicy(ctx, c.Account(), aws.ToString(in.UserName), aws.ToString(in.PolicyArn))
}

func (s *service) listAttachedUserPolicies(
	_ context.Context, c *api.Call, in *sdk.ListAttachedUserPoliciesInput,
) (*sdk.ListAttachedUserPoliciesOutput, error) {
	u, err := s.iam.GetUser(c.Account(), aws.ToString(in.UserName))
	if err != nil {
		return nil, err
	}
	p, err := attached(u.Attached, in.PathPrefix, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListAttachedUserPoliciesOutput{AttachedPolicies: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}
