package iamapi

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

func (s *service) addPolicies(t *api.Typed) {
	list := call(s.listPolicies, account)
	list.Differs = []string{"AWS's own policies are the ones that tools ask for, each with one version and a document that podid's services understand."}
	t.Operations = append(t.Operations,
		api.Op(with(call(s.createPolicy, s.newPolicy, "PolicyName", "PolicyDocument"),
			func(_ *api.Call, in *sdk.CreatePolicyInput, keys *policy.Context) { requestKeys(keys, nil, in.Tags) })),
		api.Op(call(s.getPolicy, s.policy, "PolicyArn")),
		api.Op(list),
		api.Op(call(s.deletePolicy, s.changed, "PolicyArn")),
		api.Op(call(s.createPolicyVersion, s.changed, "PolicyArn", "PolicyDocument")),
		api.Op(call(s.getPolicyVersion, s.policy, "PolicyArn", "VersionId")),
		api.Op(call(s.listPolicyVersions, s.policy, "PolicyArn")),
		api.Op(call(s.deletePolicyVersion, s.changed, "PolicyArn", "VersionId")),
		api.Op(call(s.setDefaultPolicyVersion, s.changed, "PolicyArn", "VersionId")),
		api.Op(tagging[sdk.TagPolicyInput, sdk.TagPolicyOutput](func(ctx context.Context, _ *api.Call, in *sdk.TagPolicyInput) change {
			return s.policyTags(ctx, in.PolicyArn)
		}, s.changed, "PolicyArn")),
		api.Op(untagging[sdk.UntagPolicyInput, sdk.UntagPolicyOutput](func(ctx context.Context, _ *api.Call, in *sdk.UntagPolicyInput) change {
			return s.policyTags(ctx, in.PolicyArn)
		}, s.changed, "PolicyArn")),
		api.Op(call(s.listPolicyTags, s.policy, "PolicyArn")),
		api.Op(call(s.listEntitiesForPolicy, s.policy, "PolicyArn")),
	)
}

// newPolicy is the managed policy that a request wants to make.
func (s *service) newPolicy(c *api.Call, in any) api.Resource {
	return api.Resource{ARN: arn.Policy(c.Account(), cleanPath(text(in, "Path")), text(in, "PolicyName")), Account: c.Account()}
}

// policy is the managed policy that the member PolicyArn names. It may be another account's, whose policies nobody here may touch.
func (s *service) policy(_ *api.Call, in any) api.Resource {
	policyARN := text(in, "PolicyArn")
	r := named(policyARN)
	if p, ok := s.iam.FindPolicy(policyARN); ok {
		r.Tags = p.Tags
	}
	return r
}

// changed is a policy that the call would change. AWS's are not the caller's, whoever it is: nobody here may.
func (s *service) changed(c *api.Call, in any) api.Resource {
	r := s.policy(c, in)
	if p, ok := s.iam.FindPolicy(r.ARN); ok && p.IsAWS() {
		r.Account = p.Account
	}
	return r
}

func (s *service) policyTags(ctx context.Context, policyARN *string) change {
	return func(f func(map[string]string) map[string]string) error {
		return s.iam.UpdatePolicyTags(ctx, aws.ToString(policyARN), f)
	}
}

// named is a resource by the ARN that a request gives. An ARN without an account is taken for the caller's own.
func named(name string) api.Resource {
	a, err := arn.Parse(name)
	if err != nil || arn.CheckAccount(a.Account) != nil {
		return api.Resource{ARN: name}
	}
	return api.Resource{ARN: name, Account: a.Account}
}

// splitPolicy takes path and name out of the ARN of a managed policy.
func splitPolicy(policyARN string) (path, name string) {
	_, rest, _ := strings.Cut(policyARN, ":policy")
	slash := strings.LastIndexByte(rest, '/') + 1
	return rest[:slash], rest[slash:]
}

func (s *service) createPolicy(ctx context.Context, c *api.Call, in *sdk.CreatePolicyInput) (*sdk.CreatePolicyOutput, error) {
	tags, err := newTags(c, "iam:TagPolicy", s.newPolicy(c, in), in.Tags)
	if err != nil {
		return nil, err
	}
	p, err := s.iam.CreatePolicy(ctx, iam.ManagedPolicy{
		Account: c.Account(), Path: aws.ToString(in.Path), Name: aws.ToString(in.PolicyName), Description: aws.ToString(in.Description),
		Tags: tags,
	}, aws.ToString(in.PolicyDocument))
	if err != nil {
		return nil, err
	}
	return &sdk.CreatePolicyOutput{Policy: wirePolicy(p, nil)}, nil
}

// uses are the account's uses of AWS's policies, if it is one of those that they are asked for.
func (s *service) uses(c *api.Call, p *iam.ManagedPolicy) map[string]iam.PolicyUse {
	if !p.IsAWS() {
		return nil
	}
	return s.iam.PolicyUses(c.Account())
}

func wirePolicy(p *iam.ManagedPolicy, uses map[string]iam.PolicyUse) *types.Policy {
	w := listedPolicy(p, uses)
	w.Description, w.Tags = optional(p.Description), wireTags(p.Tags)
	return &w
}

// useOf is how often the account holds a policy: its own count themselves, AWS's are counted in uses.
func useOf(p *iam.ManagedPolicy, uses map[string]iam.PolicyUse) iam.PolicyUse {
	if p.IsAWS() {
		return uses[p.ARN()]
	}
	return iam.PolicyUse{Attachments: p.Attachments, Boundaries: p.Boundaries}
}

// listedPolicy has what ListPolicies shows: no tags and no description.
func listedPolicy(p *iam.ManagedPolicy, uses map[string]iam.PolicyUse) types.Policy {
	use := useOf(p, uses)
	return types.Policy{
		Arn: aws.String(p.ARN()), PolicyName: aws.String(p.Name), PolicyId: aws.String(p.ID), Path: aws.String(p.Path),
		DefaultVersionId: aws.String(p.Default), IsAttachable: true,
		AttachmentCount: number(use.Attachments), PermissionsBoundaryUsageCount: number(use.Boundaries),
		CreateDate: aws.Time(p.CreatedAt), UpdateDate: aws.Time(p.UpdatedAt),
	}
}

func (s *service) getPolicy(_ context.Context, c *api.Call, in *sdk.GetPolicyInput) (*sdk.GetPolicyOutput, error) {
	p, err := s.iam.GetPolicy(aws.ToString(in.PolicyArn))
	if err != nil {
		return nil, err
	}
	return &sdk.GetPolicyOutput{Policy: wirePolicy(p, s.uses(c, p))}, nil
}

// scope yields the policies that a list was asked for, the account's own and AWS's in one order.
func (s *service) scope(c *api.Call, scope types.PolicyScopeType) iter.Seq[*iam.ManagedPolicy] {
	switch scope {
	case types.PolicyScopeTypeLocal:
		return s.iam.AllPolicies(c.Account())
	case types.PolicyScopeTypeAws:
		return s.iam.AWSPolicies()
	}
	all := slices.AppendSeq(slices.Collect(s.iam.AllPolicies(c.Account())), s.iam.AWSPolicies())
	return sortedBy(all, scopedKey)
}

// scopedKey tells an account's policy from the one of AWS with the same name.
func scopedKey(p *iam.ManagedPolicy) string { return strings.ToLower(p.Name) + " " + p.Account }

func (s *service) listPolicyTags(_ context.Context, _ *api.Call, in *sdk.ListPolicyTagsInput) (*sdk.ListPolicyTagsOutput, error) {
	tagged, err := s.iam.GetPolicy(aws.ToString(in.PolicyArn))
	if err != nil {
		return nil, err
	}
	p, err := tagPage(tagged.Tags, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListPolicyTagsOutput{Tags: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}

func (s *service) listPolicies(_ context.Context, c *api.Call, in *sdk.ListPoliciesInput) (*sdk.ListPoliciesOutput, error) {
	uses := s.iam.PolicyUses(c.Account())
	all := api.Where(s.scope(c, in.Scope), func(p *iam.ManagedPolicy) bool {
		use := useOf(p, uses)
		switch {
		case in.OnlyAttached && use.Attachments == 0,
			in.PolicyUsageFilter == types.PolicyUsageTypePermissionsPolicy && use.Attachments == 0,
			in.PolicyUsageFilter == types.PolicyUsageTypePermissionsBoundary && use.Boundaries == 0:
			return false
		}
		return pathPrefix(p.Path, in.PathPrefix)
	})
	p, err := paged(all, scopedKey, func(p *iam.ManagedPolicy) types.Policy { return listedPolicy(p, uses) }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListPoliciesOutput{Policies: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}

func (s *service) deletePolicy(ctx context.Context, _ *api.Call, in *sdk.DeletePolicyInput) (*sdk.DeletePolicyOutput, error) {
	return &sdk.DeletePolicyOutput{}, s.iam.DeletePolicy(ctx, aws.ToString(in.PolicyArn))
}

func (s *service) createPolicyVersion(
	ctx context.Context, _ *api.Call, in *sdk.CreatePolicyVersionInput,
) (*sdk.CreatePolicyVersionOutput, error) {
	v, err := s.iam.CreatePolicyVersion(ctx, aws.ToString(in.PolicyArn), aws.ToString(in.PolicyDocument), in.SetAsDefault)
	if err != nil {
		return nil, err
	}
	w := listedVersion(*v, in.SetAsDefault)
	return &sdk.CreatePolicyVersionOutput{PolicyVersion: &w}, nil
}

// listedVersion has what ListPolicyVersions shows: no document.
func listedVersion(v iam.PolicyVersion, isDefault bool) types.PolicyVersion {
	return types.PolicyVersion{VersionId: aws.String(v.ID), IsDefaultVersion: isDefault, CreateDate: aws.Time(v.CreatedAt)}
}

func (s *service) getPolicyVersion(_ context.Context, _ *api.Call, in *sdk.GetPolicyVersionInput) (*sdk.GetPolicyVersionOutput, error) {
	p, err := s.iam.GetPolicy(aws.ToString(in.PolicyArn))
	if err != nil {
		return nil, err
	}
	v, err := p.Version(aws.ToString(in.VersionId))
	if err != nil {
		return nil, err
	}
	w := listedVersion(v, v.ID == p.Default)
	w.Document = document(v.Document.String())
	return &sdk.GetPolicyVersionOutput{PolicyVersion: &w}, nil
}

func (s *service) listPolicyVersions(
	_ context.Context, _ *api.Call, in *sdk.ListPolicyVersionsInput,
) (*sdk.ListPolicyVersionsOutput, error) {
	p, err := s.iam.GetPolicy(aws.ToString(in.PolicyArn))
	if err != nil {
		return nil, err
	}
	versions, err := paged(sortedBy(p.Versions, versionKey), versionKey,
		func(v iam.PolicyVersion) types.PolicyVersion { return listedVersion(v, v.ID == p.Default) }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListPolicyVersionsOutput{Versions: versions.items, IsTruncated: versions.truncated, Marker: versions.marker}, nil
}

// versionKey orders v2 before v10.
func versionKey(v iam.PolicyVersion) string {
	return fmt.Sprintf("%20s", v.ID)
}

func (s *service) deletePolicyVersion(
	ctx context.Context, _ *api.Call, in *sdk.DeletePolicyVersionInput,
) (*sdk.DeletePolicyVersionOutput, error) {
	return &sdk.DeletePolicyVersionOutput{}, s.iam.DeletePolicyVersion(ctx, aws.ToString(in.PolicyArn), aws.ToString(in.VersionId))
}

func (s *service) setDefaultPolicyVersion(
	ctx context.Context, _ *api.Call, in *sdk.SetDefaultPolicyVersionInput,
) (*sdk.SetDefaultPolicyVersionOutput, error) {
	return &sdk.SetDefaultPolicyVersionOutput{}, s.iam.SetDefaultPolicyVersion(ctx, aws.ToString(in.PolicyArn), aws.ToString(in.VersionId))
}
