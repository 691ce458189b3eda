package eksapi

import (
	"cmp"
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/policy"
)

// noGrants is what is different about everything here.
const noGrants = "Access entries and their access policies are kept and told; they grant nothing in Kubernetes, whose own RBAC decides."

// entry is the resource of an operation on an access entry. One that does not exist has an ARN without the last part.
func (s *service) entry(c *api.Call, clusterName, principal *string) api.Resource {
	if e, ok := s.Clusters.FindAccessEntry(c.Account(), aws.ToString(clusterName), aws.ToString(principal)); ok {
		return api.Resource{ARN: e.ARN(), Account: e.Account, Tags: e.Tags}
	}
	e := cluster.AccessEntry{Region: c.Region, Account: c.Account(), Cluster: aws.ToString(clusterName), PrincipalARN: aws.ToString(principal)}
	return api.Resource{ARN: e.ARN(), Account: c.Account()}
}

// entryKeys are the condition keys of an operation on an access entry. spec: pod-identity.md 1.7
func (s *service) entryKeys(c *api.Call, k *policy.Context, clusterName, principal *string) {
	setText(k, "eks:clusterName", aws.ToString(clusterName))
	setText(k, "eks:principalArn", aws.ToString(principal))
	if e, ok := s.Clusters.FindAccessEntry(c.Account(), aws.ToString(clusterName), aws.ToString(principal)); ok {
		k.Set("eks:accessEntryType", e.Type)
		setText(k, "eks:username", e.Username)
		if len(e.Groups) > 0 {
			k.Set("eks:kubernetesGroups", e.Groups...)
		}
	}
}

func (s *service) entryOperations() []api.AnyOperation {
	create := on[sdk.CreateAccessEntryInput, sdk.CreateAccessEntryOutput](schemas.CreateAccessEntry,
		func(c *api.Call, in *sdk.CreateAccessEntryInput) api.Resource { return s.cluster(c, in.ClusterName) })
	create.Keys = func(c *api.Call, in *sdk.CreateAccessEntryInput, k *policy.Context) {
		api.TagKeys(k, in.Tags)
		s.entryKeys(c, k, in.ClusterName, in.PrincipalArn)
		k.Set("eks:accessEntryType", cmp.Or(aws.ToString(in.Type), "STANDARD"))
		setText(k, "eks:username", aws.ToString(in.Username))
		if len(in.KubernetesGroups) > 0 {
			k.Set("eks:kubernetesGroups", in.KubernetesGroups...)
		}
	}
	create.Run = s.createEntry
	create.Differs = []string{noGrants}

	describe := on[sdk.DescribeAccessEntryInput, sdk.DescribeAccessEntryOutput](schemas.DescribeAccessEntry,
		func(c *api.Call, in *sdk.DescribeAccessEntryInput) api.Resource {
			return s.entry(c, in.ClusterName, in.PrincipalArn)
		})
	describe.Keys = func(c *api.Call, in *sdk.DescribeAccessEntryInput, k *policy.Context) {
		s.entryKeys(c, k, in.ClusterName, in.PrincipalArn)
	}
	describe.Run = func(ctx context.Context, c *api.Call, in *sdk.DescribeAccessEntryInput) (*sdk.DescribeAccessEntryOutput, error) {
		home, err := s.Clusters.Get(ctx, c.Account(), *in.ClusterName)
		if err != nil {
			return nil, err
		}
		e, err := s.Clusters.AccessEntry(ctx, home.Account, home.Name, *in.PrincipalArn)
		if err != nil {
			return nil, err
		}
		return &sdk.DescribeAccessEntryOutput{AccessEntry: describeEntry(e)}, nil
	}

	list := on[sdk.ListAccessEntriesInput, sdk.ListAccessEntriesOutput](schemas.ListAccessEntries,
		func(c *api.Call, in *sdk.ListAccessEntriesInput) api.Resource { return s.cluster(c, in.ClusterName) })
	list.Run = s.listEntries

	update := on[sdk.UpdateAccessEntryInput, sdk.UpdateAccessEntryOutput](schemas.UpdateAccessEntry,
		func(c *api.Call, in *sdk.UpdateAccessEntryInput) api.Resource {
			return s.entry(c, in.ClusterName, in.PrincipalArn)
		})
	update.Keys = func(c *api.Call, in *sdk.UpdateAccessEntryInput, k *policy.Context) {
		s.entryKeys(c, k, in.ClusterName, in.PrincipalArn)
	}
	update.Run = s.updateEntry
	update.Ignores = api.Members{"ClientRequestToken": "sent again, an update changes nothing"}
	update.Differs = []string{noGrants}

	remove := on[sdk.DeleteAccessEntryInput, sdk.DeleteAccessEntryOutput](schemas.DeleteAccessEntry,
		func(c *api.Call, in *sdk.DeleteAccessEntryInput) api.Resource {
			return s.entry(c, in.ClusterName, in.PrincipalArn)
		})
	remove.Keys = func(c *api.Call, in *sdk.DeleteAccessEntryInput, k *policy.Context) {
		s.entryKeys(c, k, in.ClusterName, in.PrincipalArn)
	}
	remove.Run = func(ctx context.Context, c *api.Call, in *sdk.DeleteAccessEntryInput) (*sdk.DeleteAccessEntryOutput, error) {
		e, err := s.Clusters.DeleteAccessEntry(ctx, c.Account(), *in.ClusterName, *in.PrincipalArn)
		if err != nil {
			return nil, err
		}
		c.Record.Touch(e.ARN(), e.Account, "AWS::EKS::AccessEntry")
		return &sdk.DeleteAccessEntryOutput{}, nil
	}
	return []api.AnyOperation{api.Op(create), api.Op(describe), api.Op(list), api.Op(update), api.Op(remove)}
}

func (s *service) createEntry(ctx context.Context, c *api.Call, in *sdk.CreateAccessEntryInput) (*sdk.CreateAccessEntryOutput, error) {
	principal := aws.ToString(in.PrincipalArn)
	if err := required("principalArn", principal); err != nil {
		return nil, err
	}
	home, err := s.Clusters.Get(ctx, c.Account(), *in.ClusterName)
	if err != nil {
		return nil, err
	}
	// An account of this control plane is asked; of others nothing is known, not even whether they exist.
	if a, err := arn.Parse(principal); err == nil && s.IAM.HasPrincipal(arn.Root(a.Account)) && !s.IAM.HasPrincipal(principal) {
		return nil, badParameter("The specified principalArn is invalid: invalid principal.").With("clusterName", home.Name)
	}
	e, err := s.Clusters.CreateAccessEntry(ctx, cluster.AccessEntry{
		Account: home.Account, Cluster: home.Name, PrincipalARN: principal, Type: aws.ToString(in.Type), Username: aws.ToString(in.Username),
		Groups: in.KubernetesGroups, Tags: in.Tags,
	}, aws.ToString(in.ClientRequestToken))
	if err != nil {
		return nil, err
	}
	c.Record.Touch(e.ARN(), e.Account, "AWS::EKS::AccessEntry")
	return &sdk.CreateAccessEntryOutput{AccessEntry: describeEntry(e)}, nil
}

func (s *service) listEntries(ctx context.Context, c *api.Call, in *sdk.ListAccessEntriesInput) (*sdk.ListAccessEntriesOutput, error) {
	home, err := s.Clusters.Get(ctx, c.Account(), *in.ClusterName)
	if err != nil {
		return nil, err
	}
	p, err := paging(in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	var principals []string
	for e := range s.Clusters.AccessEntries(home.Account, home.Name) {
		has := func(p cluster.AssociatedPolicy) bool { return p.ARN == *in.AssociatedPolicyArn }
		if in.AssociatedPolicyArn == nil || slices.ContainsFunc(e.Policies, has) {
			principals = append(principals, e.PrincipalARN)
		}
	}
	principals, next := cutPage(p, principals, func(p string) string { return p })
	return &sdk.ListAccessEntriesOutput{AccessEntries: principals, NextToken: next}, nil
}

// updateEntry changes the members that are given; an empty list of groups removes them, an empty name is the default one.
func (s *service) updateEntry(ctx context.Context, c *api.Call, in *sdk.UpdateAccessEntryInput) (*sdk.UpdateAccessEntryOutput, error) {
	var groups *[]string
	if in.KubernetesGroups != nil {
		groups = &in.KubernetesGroups
	}
	e, err := s.Clusters.UpdateAccessEntry(ctx, c.Account(), *in.ClusterName, *in.PrincipalArn, groups, in.Username)
	if err != nil {
		return nil, err
	}
	c.Record.Touch(e.ARN(), e.Account, "AWS::EKS::AccessEntry")
	return &sdk.UpdateAccessEntryOutput{AccessEntry: describeEntry(e)}, nil
}

func describeEntry(e *cluster.AccessEntry) *types.AccessEntry {
	return &types.AccessEntry{
		ClusterName: aws.String(e.Cluster), PrincipalArn: aws.String(e.PrincipalARN), AccessEntryArn: aws.String(e.ARN()), Type: aws.String(e.Type),
		Username: aws.String(e.Username), KubernetesGroups: append([]string{}, e.Groups...), Tags: tags(e.Tags),
		CreatedAt: new(e.CreatedAt), ModifiedAt: new(e.ModifiedAt),
	}
}
