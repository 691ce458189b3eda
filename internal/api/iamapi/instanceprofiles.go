package iamapi

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

func (s *service) addInstanceProfiles(t *api.Typed) {
	create := with(call(s.createInstanceProfile, s.newProfile, "InstanceProfileName"),
		func(_ *api.Call, in *sdk.CreateInstanceProfileInput, keys *policy.Context) {
			requestKeys(keys, nil, in.Tags)
		})
	create.Differs = []string{"podid has no instances: nothing gets credentials by a profile."}
	t.Operations = append(t.Operations,
		api.Op(create),
		api.Op(call(s.getInstanceProfile, s.profile, "InstanceProfileName")),
		api.Op(call(s.listInstanceProfiles, account)),
		api.Op(call(s.listInstanceProfilesForRole, s.role, "RoleName")),
		api.Op(call(s.deleteInstanceProfile, s.profile, "InstanceProfileName")),
		api.Op(call(s.addRoleToInstanceProfile, s.profile, "InstanceProfileName", "RoleName")),
		api.Op(call(s.removeRoleFromInstanceProfile, s.profile, "InstanceProfileName", "RoleName")),
		api.Op(tagging[sdk.TagInstanceProfileInput, sdk.TagInstanceProfileOutput](
			func(ctx context.Context, c *api.Call, in *sdk.TagInstanceProfileInput) change {
				return s.profileTags(ctx, c, in.InstanceProfileName)
			}, s.profile, "InstanceProfileName")),
		api.Op(untagging[sdk.UntagInstanceProfileInput, sdk.UntagInstanceProfileOutput](
			func(ctx context.Context, c *api.Call, in *sdk.UntagInstanceProfileInput) change {
				return s.profileTags(ctx, c, in.InstanceProfileName)
			}, s.profile, "InstanceProfileName")),
		api.Op(call(s.listInstanceProfileTags, s.profile, "InstanceProfileName")),
	)
}

// newProfile is the instance profile that a request wants to make.
func (s *service) newProfile(c *api.Call, in any) api.Resource {
	name := arn.InstanceProfile(c.Account(), cleanPath(text(in, "Path")), text(in, "InstanceProfileName"))
	return api.Resource{ARN: name, Account: c.Account()}
}

// profile is the instance profile that the member InstanceProfileName names.
func (s *service) profile(c *api.Call, in any) api.Resource {
	name := text(in, "InstanceProfileName")
	if p, ok := s.iam.FindInstanceProfile(c.Account(), name); ok {
		return api.Resource{ARN: p.ARN(), Account: p.Account, Tags: p.Tags}
	}
	return api.Resource{ARN: arn.InstanceProfile(c.Account(), "/", name), Account: c.Account()}
}

func (s *service) profileTags(ctx context.Context, c *api.Call, name *string) change {
	return func(f func(map[string]string) map[string]string) error {
		return s.iam.UpdateInstanceProfileTags(ctx, c.Account(), aws.ToString(name), f)
	}
}

func (s *service) wireProfile(p *iam.InstanceProfile) *types.InstanceProfile {
	w := s.listedProfile(p)
	w.Tags = wireTags(p.Tags)
	return &w
}

// listedProfile has what the lists show: no tags.
func (s *service) listedProfile(p *iam.InstanceProfile) types.InstanceProfile {
	w := types.InstanceProfile{
		Arn: aws.String(p.ARN()), InstanceProfileName: aws.String(p.Name), InstanceProfileId: aws.String(p.ID), Path: aws.String(p.Path),
		CreateDate: aws.Time(p.CreatedAt), Roles: []types.Role{},
	}
	if p.Role == "" {
		return w
	}
	if r, ok := s.iam.FindRole(p.Account, p.Role); ok {
		w.Roles = append(w.Roles, s.listedRole(r))
	}
	return w
}

// profilesOf are the instance profiles that carry a role.
func (s *service) profilesOf(r *iam.Role) []types.InstanceProfile {
	out := []types.InstanceProfile{}
	for name := range sortedBy(r.Profiles, strings.ToLower) {
		if p, ok := s.iam.FindInstanceProfile(r.Account, name); ok {
			out = append(out, s.listedProfile(p))
		}
	}
	return out
}

func (s *service) createInstanceProfile(
	ctx context.Context, c *api.Call, in *sdk.CreateInstanceProfileInput,
) (*sdk.CreateInstanceProfileOutput, error) {
	tags, err := newTags(c, "iam:TagInstanceProfile", s.newProfile(c, in), in.Tags)
	if err != nil {
		return nil, err
	}
	p, err := s.iam.CreateInstanceProfile(ctx, iam.InstanceProfile{
		Account: c.Account(), Path: aws.ToString(in.Path), Name: aws.ToString(in.InstanceProfileName), Tags: tags,
	})
	if err != nil {
		return nil, err
	}
	return &sdk.CreateInstanceProfileOutput{InstanceProfile: s.wireProfile(p)}, nil
}

func (s *service) getInstanceProfile(
	_ context.Context, c *api.Call, in *sdk.GetInstanceProfileInput,
) (*sdk.GetInstanceProfileOutput, error) {
	p, err := s.iam.GetInstanceProfile(c.Account(), aws.ToString(in.InstanceProfileName))
	if err != nil {
		return nil, err
	}
	return &sdk.GetInstanceProfileOutput{InstanceProfile: s.wireProfile(p)}, nil
}

func profileKey(p *iam.InstanceProfile) string { return strings.ToLower(p.Name) }

func (s *service) listInstanceProfiles(
	_ context.Context, c *api.Call, in *sdk.ListInstanceProfilesInput,
) (*sdk.ListInstanceProfilesOutput, error) {
	all := api.Where(s.iam.AllInstanceProfiles(c.Account()), func(p *iam.InstanceProfile) bool { return pathPrefix(p.Path, in.PathPrefix) })
	p, err := paged(all, profileKey, s.listedProfile, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListInstanceProfilesOutput{InstanceProfiles: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}

func (s *service) listInstanceProfilesForRole(
	_ context.Context, c *api.Call, in *sdk.ListInstanceProfilesForRoleInput,
) (*sdk.ListInstanceProfilesForRoleOutput, error) {
	r, err := s.iam.GetRole(c.Account(), aws.ToString(in.RoleName))
	if err != nil {
		return nil, err
	}
	p, err := paged(sortedBy(s.profilesOf(r), wireProfileKey), wireProfileKey,
		func(p types.InstanceProfile) types.InstanceProfile { return p }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListInstanceProfilesForRoleOutput{InstanceProfiles: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}

func wireProfileKey(p types.InstanceProfile) string {
	return strings.ToLower(aws.ToString(p.InstanceProfileName))
}

func (s *service) deleteInstanceProfile(
	ctx context.Context, c *api.Call, in *sdk.DeleteInstanceProfileInput,
) (*sdk.DeleteInstanceProfileOutput, error) {
	return &sdk.DeleteInstanceProfileOutput{}, s.iam.DeleteInstanceProfile(ctx, c.Account(), aws.ToString(in.InstanceProfileName))
}

// addRoleToInstanceProfile hands a role on to whoever starts an instance, so that the caller must be allowed to pass it.
func (s *service) addRoleToInstanceProfile(
	ctx context.Context, c *api.Call, in *sdk.AddRoleToInstanceProfileInput,
) (*sdk.AddRoleToInstanceProfileOutput, error) {
	role := s.role(c, in)
	err := c.Authorize("iam:PassRole", role, func(keys *policy.Context) {
		resourceTags(role.Tags)(keys)
		keys.Set("iam:PassedToService", "ec2.amazonaws.com")
	})
	if err != nil {
		return nil, err
	}
	return &sdk.AddRoleToInstanceProfileOutput{},
		s.iam.AddRoleToInstanceProfile(ctx, c.Account(), aws.ToString(in.InstanceProfileName), aws.ToString(in.RoleName))
}

func (s *service) removeRoleFromInstanceProfile(
	ctx context.Context, c *api.Call, in *sdk.RemoveRoleFromInstanceProfileInput,
) (*sdk.RemoveRoleFromInstanceProfileOutput, error) {
	return &sdk.RemoveRoleFromInstanceProfileOutput{},
		s.iam.RemoveRoleFromInstanceProfile(ctx, c.Account(), aws.ToString(in.InstanceProfileName), aws.ToString(in.RoleName))
}

func (s *service) listInstanceProfileTags(
	_ context.Context, c *api.Call, in *sdk.ListInstanceProfileTagsInput,
) (*sdk.ListInstanceProfileTagsOutput, error) {
	profile, err := s.iam.GetInstanceProfile(c.Account(), aws.ToString(in.InstanceProfileName))
	if err != nil {
		return nil, err
	}
	p, err := tagPage(profile.Tags, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListInstanceProfileTagsOutput{Tags: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}
