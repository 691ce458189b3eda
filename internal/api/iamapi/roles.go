package iamapi

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

func (s *service) addRoles(t *api.Typed) {
	t.Operations = append(t.Operations,
		api.Op(with(call(s.createRole, s.newRole, "RoleName", "AssumeRolePolicyDocument"),
			func(_ *api.Call, in *sdk.CreateRoleInput, keys *policy.Context) {
				requestKeys(keys, in.PermissionsBoundary, in.Tags)
			})),
		api.Op(call(s.getRole, s.role, "RoleName")),
		api.Op(call(s.listRoles, account)),
		api.Op(call(s.updateRole, s.role, "RoleName")),
		api.Op(call(s.deleteRole, s.role, "RoleName")),
		api.Op(call(s.updateAssumeRolePolicy, s.role, "RoleName", "PolicyDocument")),
		api.Op(with(call(s.putRolePermissionsBoundary, s.role, "RoleName", "PermissionsBoundary"),
			func(_ *api.Call, in *sdk.PutRolePermissionsBoundaryInput, keys *policy.Context) {
				requestKeys(keys, in.PermissionsBoundary, nil)
			})),
		api.Op(with(call(s.deleteRolePermissionsBoundary, s.role, "RoleName"), roleKeys[sdk.DeleteRolePermissionsBoundaryInput](s))),
		api.Op(tagging[sdk.TagRoleInput, sdk.TagRoleOutput](func(ctx context.Context, c *api.Call, in *sdk.TagRoleInput) change {
			return s.roleTags(ctx, c, in.RoleName)
		}, s.role, "RoleName")),
		api.Op(untagging[sdk.UntagRoleInput, sdk.UntagRoleOutput](func(ctx context.Context, c *api.Call, in *sdk.UntagRoleInput) change {
			return s.roleTags(ctx, c, in.RoleName)
		}, s.role, "RoleName")),
		api.Op(call(s.listRoleTags, s.role, "RoleName")),
	)
}

// newRole is the role that a request wants to make.
func (s *service) newRole(c *api.Call, in any) api.Resource {
	return api.Resource{ARN: arn.Role(c.Account(), cleanPath(text(in, "Path")), text(in, "RoleName")), Account: c.Account()}
}

// role is the role that the member RoleName names.
func (s *service) role(c *api.Call, in any) api.Resource {
	name := text(in, "RoleName")
	if r, ok := s.iam.FindRole(c.Account(), name); ok {
		return api.Resource{ARN: r.ARN(), Account: r.Account, Tags: r.Tags}
	}
	return api.Resource{ARN: arn.Role(c.Account(), "/", name), Account: c.Account()}
}

func (s *service) createRole(ctx context.Context, c *api.Call, in *sdk.CreateRoleInput) (*sdk.CreateRoleOutput, error) {
	tags, err := newTags(c, "iam:TagRole", s.newRole(c, in), in.Tags)
	if err != nil {
		return nil, err
	}
	maxSession := iam.MinMaxSession
	if in.MaxSessionDuration != nil {
		maxSession = seconds(in.MaxSessionDuration)
	}
	r, err := s.iam.CreateRole(ctx, iam.Role{
		Account: c.Account(), Path: aws.ToString(in.Path), Name: aws.ToString(in.RoleName), Description: aws.ToString(in.Description),
		Trust: policy.NewSource(aws.ToString(in.AssumeRolePolicyDocument)), MaxSession: maxSession,
		Boundary: aws.ToString(in.PermissionsBoundary), Tags: tags,
	})
	if err != nil {
		return nil, err
	}
	return &sdk.CreateRoleOutput{Role: s.wireRole(r)}, nil
}

func seconds(n *int32) time.Duration { return time.Duration(aws.ToInt32(n)) * time.Second }

func roleKey(r *iam.Role) string { return strings.ToLower(r.Name) }

func (s *service) roleTags(ctx context.Context, c *api.Call, name *string) change {
	return func(f func(map[string]string) map[string]string) error {
		_, err := s.iam.UpdateRole(ctx, c.Account(), aws.ToString(name), func(r *iam.Role) error {
			r.Tags = f(r.Tags)
			return nil
		})
		return err
	}
}

func (s *service) wireRole(r *iam.Role) *types.Role {
	w := s.listedRole(r)
	w.PermissionsBoundary, w.Tags, w.RoleLastUsed = boundary(r.Boundary), wireTags(r.Tags), s.roleLastUsed(r)
	return &w
}

// roleLastUsed is empty for a role that never was.
func (s *service) roleLastUsed(r *iam.Role) *types.RoleLastUsed {
	at, region, ok := s.iam.RoleLastUsed(r.Account, r.ID)
	if !ok {
		return &types.RoleLastUsed{}
	}
	return &types.RoleLastUsed{LastUsedDate: aws.Time(at), Region: optional(region)}
}

// listedRole has what ListRoles shows: no tags and no boundary.
func (s *service) listedRole(r *iam.Role) types.Role {
	return types.Role{
		Arn: aws.String(r.ARN()), RoleName: aws.String(r.Name), RoleId: aws.String(r.ID), Path: aws.String(r.Path),
		CreateDate: aws.Time(r.CreatedAt), Description: optional(r.Description),
		AssumeRolePolicyDocument: document(s.iam.Printed(r.Trust)),
		MaxSessionDuration:       aws.Int32(int32(r.MaxSession / time.Second)), //nolint:gosec // at most 43200
	}
}

func (s *service) getRole(_ context.Context, c *api.Call, in *sdk.GetRoleInput) (*sdk.GetRoleOutput, error) {
	r, err := s.iam.GetRole(c.Account(), aws.ToString(in.RoleName))
	if err != nil {
		return nil, err
	}
	return &sdk.GetRoleOutput{Role: s.wireRole(r)}, nil
}

func (s *service) listRoles(_ context.Context, c *api.Call, in *sdk.ListRolesInput) (*sdk.ListRolesOutput, error) {
	all := api.Where(s.iam.AllRoles(c.Account()), func(r *iam.Role) bool { return pathPrefix(r.Path, in.PathPrefix) })
	p, err := paged(all, roleKey, s.listedRole, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListRolesOutput{Roles: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}

// updateRole changes what is given and leaves the rest.
func (s *service) updateRole(ctx context.Context, c *api.Call, in *sdk.UpdateRoleInput) (*sdk.UpdateRoleOutput, error) {
	_, err := s.iam.UpdateRole(ctx, c.Account(), aws.ToString(in.RoleName), func(r *iam.Role) error {
		if in.Description != nil {
			r.Description = *in.Description
		}
		if in.MaxSessionDuration != nil {
			r.MaxSession = seconds(in.MaxSessionDuration)
		}
		return nil
	})
	return &sdk.UpdateRoleOutput{}, err
}

func (s *service) deleteRole(ctx context.Context, c *api.Call, in *sdk.DeleteRoleInput) (*sdk.DeleteRoleOutput, error) {
	return &sdk.DeleteRoleOutput{}, s.iam.DeleteRole(ctx, c.Account(), aws.ToString(in.RoleName))
}

func (s *service) updateAssumeRolePolicy(
	ctx context.Context, c *api.Call, in *sdk.UpdateAssumeRolePolicyInput,
) (*sdk.UpdateAssumeRolePolicyOutput, error) {
	_, err := s.iam.UpdateRole(ctx, c.Account(), aws.ToString(in.RoleName), func(r *iam.Role) error {
		r.Trust = policy.NewSource(aws.ToString(in.PolicyDocument))
		return nil
	})
	return &sdk.UpdateAssumeRolePolicyOutput{}, err
}

func (s *service) putRolePermissionsBoundary(
	ctx context.Context, c *api.Call, in *sdk.PutRolePermissionsBoundaryInput,
) (*sdk.PutRolePermissionsBoundaryOutput, error) {
	_, err := s.iam.UpdateRole(ctx, c.Account(), aws.ToString(in.RoleName), func(r *iam.Role) error {
		r.Boundary = aws.ToString(in.PermissionsBoundary)
		return nil
	})
	return &sdk.PutRolePermissionsBoundaryOutput{}, err
}

func (s *service) deleteRolePermissionsBoundary(
	ctx context.Context, c *api.Call, in *sdk.DeleteRolePermissionsBoundaryInput,
) (*sdk.DeleteRolePermissionsBoundaryOutput, error) {
	_, err := s.iam.UpdateRole(ctx, c.Account(), aws.ToString(in.RoleName), func(r *iam.Role) error {
		r.Boundary = ""
		return nil
	})
	return &sdk.DeleteRolePermissionsBoundaryOutput{}, err
}

func (s *service) listRoleTags(_ context.Context, c *api.Call, in *sdk.ListRoleTagsInput) (*sdk.ListRoleTagsOutput, error) {
	r, err := s.iam.GetRole(c.Account(), aws.ToString(in.RoleName))
	if err != nil {
		return nil, err
	}
	p, err := tagPage(r.Tags, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListRoleTagsOutput{Tags: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}
