package organizationsapi

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/organization"
	"github.com/podid/podid/internal/policy"
)

const typesDiffer = "The types are SERVICE_CONTROL_POLICY and RESOURCE_CONTROL_POLICY; there are no policies of others."

func (s *service) addPolicies(t *api.Typed) {
	t.Operations = append(t.Operations,
		api.Op(with(call(s, "", s.createPolicy), func(o *api.Operation[sdk.CreatePolicyInput, sdk.CreatePolicyOutput]) {
			o.Differs = []string{typesDiffer}
		})),
		api.Op(call(s, "PolicyId", s.describePolicy)),
		api.Op(call(s, "PolicyId", s.updatePolicy)),
		api.Op(call(s, "PolicyId", s.deletePolicy)),
		api.Op(call(s, "", s.listPolicies)),
		api.Op(call(s, "TargetId", s.listPoliciesForTarget)),
		api.Op(call(s, "PolicyId", s.listTargetsForPolicy)),
		api.Op(call(s, "PolicyId", s.attachPolicy)),
		api.Op(call(s, "PolicyId", s.detachPolicy)),
		api.Op(with(call(s, "RootId", s.enablePolicyType), func(o *api.Operation[sdk.EnablePolicyTypeInput, sdk.EnablePolicyTypeOutput]) {
			o.Differs = []string{typesDiffer, "The type is enabled when the call answers; there is no PENDING_ENABLE."}
		})),
		api.Op(with(call(s, "RootId", s.disablePolicyType), func(o *api.Operation[sdk.DisablePolicyTypeInput, sdk.DisablePolicyTypeOutput]) {
			o.Differs = []string{typesDiffer, "The type is disabled when the call answers; there is no PENDING_DISABLE."}
		})),
		api.Op(with(call(s, "TargetId", s.describeEffectivePolicy),
			func(o *api.Operation[sdk.DescribeEffectivePolicyInput, sdk.DescribeEffectivePolicyOutput]) {
				o.Differs = []string{"Only policies of types that podid does not have are merged into an effective one, so there never is one."}
			})),
	)
}

func wireSummary(p *organization.Policy) types.PolicySummary {
	return types.PolicySummary{
		Id: aws.String(p.ID), Arn: aws.String(p.ARN()), Name: aws.String(p.Name), Description: aws.String(p.Description),
		Type: types.PolicyType(p.Type), AwsManaged: p.AWSManaged,
	}
}

func wirePolicy(p *organization.Policy) *types.Policy {
	summary := wireSummary(p)
	return &types.Policy{PolicySummary: &summary, Content: aws.String(p.Content.String())}
}

func (s *service) createPolicy(ctx context.Context, c *api.Call, in *sdk.CreatePolicyInput) (*sdk.CreatePolicyOutput, error) {
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	p, err := s.orgs.CreatePolicy(ctx, c.Account(), organization.Policy{
		Type: organization.Type(in.Type), Name: aws.ToString(in.Name), Description: aws.ToString(in.Description),
		Content: policy.NewSource(aws.ToString(in.Content)),
	}, tags)
	if err != nil {
		return nil, err
	}
	return &sdk.CreatePolicyOutput{Policy: wirePolicy(p)}, nil
}

func (s *service) describePolicy(_ context.Context, c *api.Call, in *sdk.DescribePolicyInput) (*sdk.DescribePolicyOutput, error) {
	o, err := s.orgs.View(c.Account())
	if err != nil {
		return nil, err
	}
	p, err := s.orgs.FindPolicy(o, aws.ToString(in.PolicyId))
	if err != nil {
		return nil, err
	}
	return &sdk.DescribePolicyOutput{Policy: wirePolicy(p)}, nil
}

func (s *service) updatePolicy(ctx context.Context, c *api.Call, in *sdk.UpdatePolicyInput) (*sdk.UpdatePolicyOutput, error) {
	p, err := s.orgs.UpdatePolicy(ctx, c.Account(), aws.ToString(in.PolicyId), in.Name, in.Description, in.Content)
	if err != nil {
		return nil, err
	}
	return &sdk.UpdatePolicyOutput{Policy: wirePolicy(p)}, nil
}

func (s *service) deletePolicy(ctx context.Context, c *api.Call, in *sdk.DeletePolicyInput) (*sdk.DeletePolicyOutput, error) {
	return nil, s.orgs.DeletePolicy(ctx, c.Account(), aws.ToString(in.PolicyId))
}

func (s *service) listPolicies(_ context.Context, c *api.Call, in *sdk.ListPoliciesInput) (*sdk.ListPoliciesOutput, error) {
	o, err := s.orgs.View(c.Account())
	if err != nil {
		return nil, err
	}
	// AWS's own policies come first whatever their ids are.
	key := func(p *organization.Policy) string {
		if p.AWSManaged {
			return "0" + p.ID
		}
		return "1" + p.ID
	}
	p, err := paged(s.orgs.Policies(o, organization.Type(in.Filter)), key, wireSummary, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &sdk.ListPoliciesOutput{Policies: p.items, NextToken: p.next}, nil
}

func (s *service) listPoliciesForTarget(
	_ context.Context, c *api.Call, in *sdk.ListPoliciesForTargetInput,
) (*sdk.ListPoliciesForTargetOutput, error) {
	o, err := s.orgs.View(c.Account())
	if err != nil {
		return nil, err
	}
	ids, err := o.AttachedTo(aws.ToString(in.TargetId), organization.Type(in.Filter))
	if err != nil {
		return nil, err
	}
	attached := make([]*organization.Policy, 0, len(ids))
	for _, id := range ids {
		p, err := s.orgs.FindPolicy(o, id)
		if err != nil {
			return nil, err
		}
		attached = append(attached, p)
	}
	p, err := paged(slices.Values(attached), func(p *organization.Policy) string { return p.ID }, wireSummary, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &sdk.ListPoliciesForTargetOutput{Policies: p.items, NextToken: p.next}, nil
}

func (s *service) listTargetsForPolicy(
	_ context.Context, c *api.Call, in *sdk.ListTargetsForPolicyInput,
) (*sdk.ListTargetsForPolicyOutput, error) {
	o, err := s.orgs.View(c.Account())
	if err != nil {
		return nil, err
	}
	id := aws.ToString(in.PolicyId)
	if _, err := s.orgs.FindPolicy(o, id); err != nil {
		return nil, err
	}
	targets := o.Targets(id)
	slices.Sort(targets)
	p, err := paged(slices.Values(targets), self, func(target string) types.PolicyTargetSummary {
		kind := types.TargetTypeAccount
		switch {
		case target == o.RootID:
			kind = types.TargetTypeRoot
		case o.Units[target] != nil:
			kind = types.TargetTypeOrganizationalUnit
		}
		return types.PolicyTargetSummary{
			TargetId: aws.String(target), Arn: aws.String(targetARN(o, target)), Name: aws.String(o.Name(target)), Type: kind,
		}
	}, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &sdk.ListTargetsForPolicyOutput{Targets: p.items, NextToken: p.next}, nil
}

// attachPolicy takes the permission for the policy and for the target.
func (s *service) attachPolicy(ctx context.Context, c *api.Call, in *sdk.AttachPolicyInput) (*sdk.AttachPolicyOutput, error) {
	target := aws.ToString(in.TargetId)
	if err := s.also(c, "organizations:AttachPolicy", target, in); err != nil {
		return nil, err
	}
	return nil, s.orgs.Attach(ctx, c.Account(), aws.ToString(in.PolicyId), target)
}

// detachPolicy takes the permission for the policy and for the target.
func (s *service) detachPolicy(ctx context.Context, c *api.Call, in *sdk.DetachPolicyInput) (*sdk.DetachPolicyOutput, error) {
	target := aws.ToString(in.TargetId)
	if err := s.also(c, "organizations:DetachPolicy", target, in); err != nil {
		return nil, err
	}
	return nil, s.orgs.Detach(ctx, c.Account(), aws.ToString(in.PolicyId), target)
}

func (s *service) enablePolicyType(ctx context.Context, c *api.Call, in *sdk.EnablePolicyTypeInput) (*sdk.EnablePolicyTypeOutput, error) {
	o, err := s.orgs.EnableType(ctx, c.Account(), aws.ToString(in.RootId), organization.Type(in.PolicyType))
	if err != nil {
		return nil, err
	}
	r := wireRoot(o)
	return &sdk.EnablePolicyTypeOutput{Root: &r}, nil
}

func (s *service) disablePolicyType(ctx context.Context, c *api.Call, in *sdk.DisablePolicyTypeInput) (*sdk.DisablePolicyTypeOutput, error) {
	o, err := s.orgs.DisableType(ctx, c.Account(), aws.ToString(in.RootId), organization.Type(in.PolicyType))
	if err != nil {
		return nil, err
	}
	r := wireRoot(o)
	return &sdk.DisablePolicyTypeOutput{Root: &r}, nil
}

func (s *service) describeEffectivePolicy(
	_ context.Context, c *api.Call, in *sdk.DescribeEffectivePolicyInput,
) (*sdk.DescribeEffectivePolicyOutput, error) {
	if _, err := s.orgs.Describe(c.Account()); err != nil {
		return nil, err
	}
	return nil, fault.New(fault.NotFound, "effective policy",
		"There is no effective policy of type %s: policies of that type cannot be enabled here.", in.PolicyType)
}
