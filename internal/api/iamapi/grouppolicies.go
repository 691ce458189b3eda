package iamapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/policy"
)

func (s *service) addGroupPolicies(t *api.Typed) {
	t.Operations = append(t.Operations,
		api.Op(call(s.putGroupPolicy, s.group, "GroupName", "PolicyName", "PolicyDocument")),
		api.Op(call(s.getGroupPolicy, s.group, "GroupName", "PolicyName")),
		api.Op(call(s.listGroupPolicies, s.group, "GroupName")),
		api.Op(call(s.deleteGroupPolicy, s.group, "GroupName", "PolicyName")),
		api.Op(with(call(s.attachGroupPolicy, s.group, "GroupName", "PolicyArn"), groupKeys[sdk.AttachGroupPolicyInput])),
		api.Op(with(call(s.detachGroupPolicy, s.group, "GroupName", "PolicyArn"), groupKeys[sdk.DetachGroupPolicyInput])),
		api.Op(call(s.listAttachedGroupPolicies, s.group, "GroupName")),
	)
}

// groupKeys sets the condition keys of a call that attaches: groups have no boundary.
func groupKeys[In any](_ *api.Call, in *In, keys *policy.Context) { policyKey(in, keys) }

func (s *service) putGroupPolicy(ctx context.Context, c *api.Call, in *sdk.PutGroupPolicyInput) (*sdk.PutGroupPolicyOutput, error) {
	return &sdk.PutGroupPolicyOutput{}, s.iam.PutGroupPolicy(ctx, c.Account(), aws.ToString(in.GroupName), aws.ToString(in.PolicyName),
		aws.ToString(in.PolicyDocument))
}

func (s *service) getGroupPolicy(_ context.Context, c *api.Call, in *sdk.GetGroupPolicyInput) (*sdk.GetGroupPolicyOutput, error) {
	g, err := s.iam.GetGroup(c.Account(), aws.ToString(in.GroupName))
	if err != nil {
		return nil, err
	}
	text, err := inline("group", g.Inline, in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &sdk.GetGroupPolicyOutput{GroupName: aws.String(g.Name), PolicyName: in.PolicyName, PolicyDocument: text}, nil
}

func (s *service) listGroupPolicies(_ context.Context, c *api.Call, in *sdk.ListGroupPoliciesInput) (*sdk.ListGroupPoliciesOutput, error) {
	g, err := s.iam.GetGroup(c.Account(), aws.ToString(in.GroupName))
	if err != nil {
		return nil, err
	}
	p, err := inlineNames(g.Inline, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListGroupPoliciesOutput{PolicyNames: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}

func (s *service) deleteGroupPolicy(ctx context.Context, c *api.Call, in *sdk.DeleteGroupPolicyInput) (*sdk.DeleteGroupPolicyOutput, error) {
	return &sdk.DeleteGroupPolicyOutput{}, s.iam.DeleteGroupPolicy(ctx, c.Account(), aws.ToString(in.GroupName), aws.ToString(in.PolicyName))
}

func (s *service) attachGroupPolicy(ctx context.Context, c *api.Call, in *sdk.AttachGroupPolicyInput) (*sdk.AttachGroupPolicyOutput, error) {
	return &sdk.AttachGroupPolicyOutput{}, s.iam.AttachGroupPolicy(ctx, c.Account(), aws.ToString(in.GroupName), aws.ToString(in.PolicyArn))
}

func (s *service) detachGroupPolicy(ctx context.Context, c *api.Call, in *sdk.DetachGroupPolicyInput) (*sdk.DetachGroupPolicyOutput, error) {
	return &sdk.DetachGroupPolicyOutput{}, s.iam.DetachGroupPolicy(ctx, c.Account(), aws.ToString(in.GroupName), aws.ToString(in.PolicyArn))
}

func (s *service) listAttachedGroupPolicies(
	_ context.Context, c *api.Call, in *sdk.ListAttachedGroupPoliciesInput,
) (*sdk.ListAttachedGroupPoliciesOutput, error) {
	g, err := s.iam.GetGroup(c.Account(), aws.ToString(in.GroupName))
	if err != nil {
		return nil, err
	}
	p, err := attached(g.Attached, in.PathPrefix, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListAttachedGroupPoliciesOutput{AttachedPolicies: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}
