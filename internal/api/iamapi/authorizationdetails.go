package iamapi

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

// detail is one thing of an account, under a key that puts the kinds in a row; add puts it into the answer.
type detail struct {
	key string
	add func(*sdk.GetAccountAuthorizationDetailsOutput)
}

func detailKey(d detail) string { return d.key }

// getAccountAuthorizationDetails pages through users, groups, roles and policies as through one list.
func (s *service) getAccountAuthorizationDetails(
	_ context.Context, c *api.Call, in *sdk.GetAccountAuthorizationDetailsInput,
) (*sdk.GetAccountAuthorizationDetailsOutput, error) {
	for _, kind := range in.Filter {
		if !slices.Contains(kind.Values(), kind) {
			return nil, fault.New(fault.Invalid, "parameter", "1 validation error detected: Value '[%s]' at 'filter' failed to satisfy constraint: "+
				"Member must satisfy enum value set: [LocalManagedPolicy, AWSManagedPolicy, User, Role, Group]", kind)
		}
	}
	p, err := paged(s.details(c.Account(), in.Filter), detailKey, func(d detail) detail { return d }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &sdk.GetAccountAuthorizationDetailsOutput{
		UserDetailList: []types.UserDetail{}, GroupDetailList: []types.GroupDetail{}, RoleDetailList: []types.RoleDetail{},
		Policies: []types.ManagedPolicyDetail{}, IsTruncated: p.truncated, Marker: p.marker,
	}
	for _, d := range p.items {
		d.add(out)
	}
	return out, nil
}

func (s *service) details(account string, filter []types.EntityType) iter.Seq[detail] {
	wanted := func(kind types.EntityType) bool { return len(filter) == 0 || slices.Contains(filter, kind) }
	return func(yield func(detail) bool) {
		if wanted(types.EntityTypeUser) && !s.userDetails(account, yield) ||
			wanted(types.EntityTypeGroup) && !s.groupDetails(account, yield) ||
			wanted(types.EntityTypeRole) && !s.roleDetails(account, yield) ||
			wanted(types.EntityTypeLocalManagedPolicy) && !s.policyDetails(s.iam.AllPolicies(account), "4", nil, yield) {
			return
		}
		if wanted(types.EntityTypeAWSManagedPolicy) {
			uses := s.iam.PolicyUses(account)
			used := api.Where(s.iam.AWSPolicies(), func(p *iam.ManagedPolicy) bool { return uses[p.ARN()] != iam.PolicyUse{} })
			s.policyDetails(used, "5", uses, yield)
		}
	}
}

func (s *service) userDetails(account string, yield func(detail) bool) bool {
	for u := range s.iam.AllUsers(account) {
		if !yield(detail{"1" + userKey(u), func(out *sdk.GetAccountAuthorizationDetailsOutput) {
			w := types.UserDetail{
				Arn: aws.String(u.ARN()), UserName: aws.String(u.Name), UserId: aws.String(u.ID), Path: aws.String(u.Path),
				CreateDate: aws.Time(u.CreatedAt), GroupList: []string{}, UserPolicyList: documents(u.Inline),
				AttachedManagedPolicies: attachedList(u.Attached), PermissionsBoundary: boundary(u.Boundary), Tags: wireTags(u.Tags),
			}
			for _, g := range s.iam.GroupsByName(u) {
				w.GroupList = append(w.GroupList, g.Name)
			}
			out.UserDetailList = append(out.UserDetailList, w)
		}}) {
			return false
		}
	}
	return true
}

func (s *service) groupDetails(account string, yield func(detail) bool) bool {
	for g := range s.iam.AllGroups(account) {
		if !yield(detail{"2" + groupKey(g), func(out *sdk.GetAccountAuthorizationDetailsOutput) {
			out.GroupDetailList = append(out.GroupDetailList, types.GroupDetail{
				Arn: aws.String(g.ARN()), GroupName: aws.String(g.Name), GroupId: aws.String(g.ID), Path: aws.String(g.Path),
				CreateDate: aws.Time(g.CreatedAt), GroupPolicyList: documents(g.Inline), AttachedManagedPolicies: attachedList(g.Attached),
			})
		}}) {
			return false
		}
	}
	return true
}

func (s *service) roleDetails(account string, yield func(detail) bool) bool {
	for r := range s.iam.AllRoles(account) {
		if !yield(detail{"3" + roleKey(r), func(out *sdk.GetAccountAuthorizationDetailsOutput) {
			out.RoleDetailList = append(out.RoleDetailList, types.RoleDetail{
				Arn: aws.String(r.ARN()), RoleName: aws.String(r.Name), RoleId: aws.String(r.ID), Path: aws.String(r.Path),
				CreateDate: aws.Time(r.CreatedAt), AssumeRolePolicyDocument: document(s.iam.Printed(r.Trust)),
				RolePolicyList: documents(r.Inline), AttachedManagedPolicies: attachedList(r.Attached), PermissionsBoundary: boundary(r.Boundary),
				InstanceProfileList: s.profilesOf(r), RoleLastUsed: s.roleLastUsed(r), Tags: wireTags(r.Tags),
			})
		}}) {
			return false
		}
	}
	return true
}

func (s *service) policyDetails(
	all iter.Seq[*iam.ManagedPolicy], prefix string, uses map[string]iam.PolicyUse, yield func(detail) bool,
) bool {
	for p := range all {
		if !yield(detail{prefix + strings.ToLower(p.Name), func(out *sdk.GetAccountAuthorizationDetailsOutput) {
			l := listedPolicy(p, uses)
			w := types.ManagedPolicyDetail{
				Arn: l.Arn, PolicyName: l.PolicyName, PolicyId: l.PolicyId, Path: l.Path, DefaultVersionId: l.DefaultVersionId,
				AttachmentCount: l.AttachmentCount, PermissionsBoundaryUsageCount: l.PermissionsBoundaryUsageCount, IsAttachable: l.IsAttachable,
				CreateDate: l.CreateDate, UpdateDate: l.UpdateDate, Description: optional(p.Description),
			}
			for _, v := range slices.Backward(p.Versions) {
				version := listedVersion(v, v.ID == p.Default)
				version.Document = document(v.Document.String())
				w.PolicyVersionList = append(w.PolicyVersionList, version)
			}
			out.Policies = append(out.Policies, w)
		}}) {
			return false
		}
	}
	return true
}

// documents are inline policies in the order of their names.
func documents(inline map[string]*policy.Source) []types.PolicyDetail {
	out := make([]types.PolicyDetail, 0, len(inline))
	for _, name := range sortedKeys(inline) {
		out = append(out, types.PolicyDetail{PolicyName: aws.String(name), PolicyDocument: document(inline[name].String())})
	}
	return out
}

func attachedList(policyARNs []string) []types.AttachedPolicy {
	out := make([]types.AttachedPolicy, 0, len(policyARNs))
	for policyARN := range sortedBy(policyARNs, self) {
		out = append(out, attachedPolicy(policyARN))
	}
	return out
}
