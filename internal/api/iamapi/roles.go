package iamapi

import (
	"context"
	"slices"
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
		api.Op(with(call(s.tagRole, s.role, "RoleName"), func(_ *api.Call, in *sdk.TagRoleInput, keys *policy.Context) {
			requestKeys(keys, nil, in.Tags)
		})),
		api.Op(with(call(s.untagRole, s.role, "RoleName"), func(_ *api.Call, in *sdk.UntagRoleInput, keys *policy.Context) {
			keys.Set("aws:TagKeys", in.TagKeys...)
		})),
		api.Op(call(s.listRoleTags, s.role, "RoleName")),
		api.Op(call(s.listInstanceProfilesForRole, s.role, "RoleName")),
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

func (s *service) wireRole(r *iam.Role) *types.Role {
	w := s.listedRole(r)
	w.PermissionsBoundary, w.Tags = boundary(r.Boundary), wireTags(r.Tags)
	return &w
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
	all := where(s.iam.AllRoles(c.Account()), func(r *iam.Role) bool { return pathPrefix(r.Path, in.PathPrefix) })
	p, err := paged(all, func(r *iam.Role) string { return strings.ToLower(r.Name) }, s.listedRole, in.Marker, in.MaxItems)
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

func (s *service) tagRole(ctx context.Context, c *api.Call, in *sdk.TagRoleInput) (*sdk.TagRoleOutput, error) {
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	_, err = s.iam.UpdateRole(ctx, c.Account(), aws.ToString(in.RoleName), func(r *iam.Role) error {
		r.Tags = iam.WithTags(r.Tags, tags)
		return nil
	})
	return &sdk.TagRoleOutput{}, err
}

func (s *service) untagRole(ctx context.Context, c *api.Call, in *sdk.UntagRoleInput) (*sdk.UntagRoleOutput, error) {
	_, err := s.iam.UpdateRole(ctx, c.Account(), aws.ToString(in.RoleName), func(r *iam.Role) error {
		r.Tags = iam.WithoutTags(r.Tags, in.TagKeys)
		return nil
	})
	return &sdk.UntagRoleOutput{}, err
}

func (s *service) listRoleTags(_ context.Context, c *api.Call, in *sdk.ListRoleTagsInput) (*sdk.ListRoleTagsOutput, error) {
	r, err := s.iam.GetRole(c.Account(), aws.ToString(in.RoleName))
	if err != nil {
		return nil, err
	}
	p, err := paged(slices.Values(wireTags(r.Tags)), func(t types.Tag) string { return aws.ToString(t.Key) },
		func(t types.Tag) types.Tag { return t }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListRoleTagsOutput{Tags: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}

// listInstanceProfilesForRole answers with none: there are no instances here. Tools ask before they delete a role.
func (s *service) listInstanceProfilesForRole(
	_ context.Context, c *api.Call, in *sdk.ListInstanceProfilesForRoleInput,
) (*sdk.ListInstanceProfilesForRoleOutput, error) {
	if _, err := s.iam.GetRole(c.Account(), aws.ToString(in.RoleName)); err != nil {
		return nil, err
	}
	return &sdk.ListInstanceProfilesForRoleOutput{InstanceProfiles: []types.InstanceProfile{}}, nil
}
