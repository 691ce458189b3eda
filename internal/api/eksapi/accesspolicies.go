package eksapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/policy"
)

func (s *service) accessPolicyOperations() []api.AnyOperation {
	associate := on[sdk.AssociateAccessPolicyInput, sdk.AssociateAccessPolicyOutput](schemas.AssociateAccessPolicy,
		func(c *api.Call, in *sdk.AssociateAccessPolicyInput) api.Resource {
			return s.entry(c, in.ClusterName, in.PrincipalArn)
		})
	associate.Keys = func(c *api.Call, in *sdk.AssociateAccessPolicyInput, k *policy.Context) {
		s.entryKeys(c, k, in.ClusterName, in.PrincipalArn)
		setText(k, "eks:policyArn", aws.ToString(in.PolicyArn))
		if in.AccessScope != nil {
			setText(k, "eks:accessScope", string(in.AccessScope.Type))
			if len(in.AccessScope.Namespaces) > 0 {
				k.Set("eks:namespaces", in.AccessScope.Namespaces...)
			}
		}
	}
	associate.Run = s.associatePolicy
	associate.Differs = []string{noGrants}

	disassociate := on[sdk.DisassociateAccessPolicyInput, sdk.DisassociateAccessPolicyOutput](schemas.DisassociateAccessPolicy,
		func(c *api.Call, in *sdk.DisassociateAccessPolicyInput) api.Resource {
			return s.entry(c, in.ClusterName, in.PrincipalArn)
		})
	disassociate.Keys = func(c *api.Call, in *sdk.DisassociateAccessPolicyInput, k *policy.Context) {
		s.entryKeys(c, k, in.ClusterName, in.PrincipalArn)
		setText(k, "eks:policyArn", aws.ToString(in.PolicyArn))
	}
	disassociate.Run = func(ctx context.Context, c *api.Call, in *sdk.DisassociateAccessPolicyInput) (*sdk.DisassociateAccessPolicyOutput, error) {
		e, err := s.Clusters.DisassociateAccessPolicy(ctx, c.Account(), *in.ClusterName, *in.PrincipalArn, *in.PolicyArn)
		if err != nil {
			return nil, err
		}
		c.Record.Touch(e.ARN(), e.Account, "AWS::EKS::AccessEntry")
		return &sdk.DisassociateAccessPolicyOutput{}, nil
	}

	associated := on[sdk.ListAssociatedAccessPoliciesInput, sdk.ListAssociatedAccessPoliciesOutput](schemas.ListAssociatedAccessPolicies,
		func(c *api.Call, in *sdk.ListAssociatedAccessPoliciesInput) api.Resource {
			return s.entry(c, in.ClusterName, in.PrincipalArn)
		})
	associated.Keys = func(c *api.Call, in *sdk.ListAssociatedAccessPoliciesInput, k *policy.Context) {
		s.entryKeys(c, k, in.ClusterName, in.PrincipalArn)
	}
	associated.Run = s.listAssociatedPolicies

	list := on[sdk.ListAccessPoliciesInput, sdk.ListAccessPoliciesOutput](schemas.ListAccessPolicies, nil)
	list.Run = listAccessPolicies
	list.Differs = []string{
		"Those that EKS itself associates with its own roles are left out. " + noGrants,
		"A page size out of range and a foreign token are read as none: the operation has no error for them.",
	}
	return []api.AnyOperation{api.Op(associate), api.Op(disassociate), api.Op(associated), api.Op(list)}
}

func (s *service) associatePolicy(ctx context.Context, c *api.Call, in *sdk.AssociateAccessPolicyInput) (*sdk.AssociateAccessPolicyOutput, error) {
	if err := required("policyArn", aws.ToString(in.PolicyArn)); err != nil {
		return nil, err
	}
	if in.AccessScope == nil {
		return nil, badParameter("accessScope is required").With("clusterName", *in.ClusterName)
	}
	home, err := s.Clusters.Get(ctx, c.Account(), *in.ClusterName)
	if err != nil {
		return nil, err
	}
	p, err := s.Clusters.AssociateAccessPolicy(ctx, home.Account, home.Name, *in.PrincipalArn, cluster.AssociatedPolicy{
		ARN: *in.PolicyArn, Scope: string(in.AccessScope.Type), Namespaces: in.AccessScope.Namespaces,
	})
	if err != nil {
		return nil, err
	}
	c.Record.Touch(s.entry(c, in.ClusterName, in.PrincipalArn).ARN, home.Account, "AWS::EKS::AccessEntry")
	return &sdk.AssociateAccessPolicyOutput{
		ClusterName: aws.String(home.Name), PrincipalArn: in.PrincipalArn, AssociatedAccessPolicy: new(describeAssociatedPolicy(*p)),
	}, nil
}

// listAssociatedPolicies pages by ARN. A page size out of range is a failure that the model words as InvalidRequestException.
func (s *service) listAssociatedPolicies(
	ctx context.Context, c *api.Call, in *sdk.ListAssociatedAccessPoliciesInput,
) (*sdk.ListAssociatedAccessPoliciesOutput, error) {
	home, err := s.Clusters.Get(ctx, c.Account(), *in.ClusterName)
	if err != nil {
		return nil, err
	}
	e, err := s.Clusters.AccessEntry(ctx, home.Account, home.Name, *in.PrincipalArn)
	if err != nil {
		return nil, err
	}
	p, err := paging(in.MaxResults, in.NextToken)
	if err != nil {
		return nil, asRequest(err)
	}
	list, next := cutPage(p, e.Policies, func(p cluster.AssociatedPolicy) string { return p.ARN })
	out := &sdk.ListAssociatedAccessPoliciesOutput{
		AssociatedAccessPolicies: []types.AssociatedAccessPolicy{}, ClusterName: aws.String(home.Name), PrincipalArn: in.PrincipalArn, NextToken: next,
	}
	for _, p := range list {
		out.AssociatedAccessPolicies = append(out.AssociatedAccessPolicies, describeAssociatedPolicy(p))
	}
	return out, nil
}

func describeAssociatedPolicy(p cluster.AssociatedPolicy) types.AssociatedAccessPolicy {
	return types.AssociatedAccessPolicy{
		PolicyArn: aws.String(p.ARN), AssociatedAt: new(p.AssociatedAt), ModifiedAt: new(p.ModifiedAt),
		AccessScope: &types.AccessScope{Type: types.AccessScopeType(p.Scope), Namespaces: append([]string{}, p.Namespaces...)},
	}
}

func listAccessPolicies(_ context.Context, _ *api.Call, in *sdk.ListAccessPoliciesInput) (*sdk.ListAccessPoliciesOutput, error) {
	p, err := paging(in.MaxResults, in.NextToken)
	if err != nil {
		p = page{size: maxPage}
	}
	list, next := cutPage(p, cluster.AccessPolicies(), func(p cluster.AccessPolicy) string { return p.Name })
	out := &sdk.ListAccessPoliciesOutput{AccessPolicies: []types.AccessPolicy{}, NextToken: next}
	for _, p := range list {
		out.AccessPolicies = append(out.AccessPolicies, types.AccessPolicy{Name: aws.String(p.Name), Arn: aws.String(p.ARN)})
	}
	return out, nil
}
