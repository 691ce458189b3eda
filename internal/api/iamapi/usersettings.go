package iamapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

func (s *service) addUserSettings(t *api.Typed) {
	t.Operations = append(t.Operations,
		api.Op(call(s.updateUser, s.user, "UserName")),
		api.Op(with(call(s.putUserPermissionsBoundary, s.user, "UserName", "PermissionsBoundary"),
			func(_ *api.Call, in *sdk.PutUserPermissionsBoundaryInput, keys *policy.Context) {
				requestKeys(keys, in.PermissionsBoundary, nil)
			})),
		api.Op(with(call(s.deleteUserPermissionsBoundary, s.user, "UserName"), userKeys[sdk.DeleteUserPermissionsBoundaryInput](s))),
		api.Op(tagging[sdk.TagUserInput, sdk.TagUserOutput](func(ctx context.Context, c *api.Call, in *sdk.TagUserInput) change {
			return s.userTags(ctx, c, in.UserName)
		}, s.user, "UserName")),
		api.Op(untagging[sdk.UntagUserInput, sdk.UntagUserOutput](func(ctx context.Context, c *api.Call, in *sdk.UntagUserInput) change {
			return s.userTags(ctx, c, in.UserName)
		}, s.user, "UserName")),
		api.Op(call(s.listUserTags, s.user, "UserName")),
	)
}

func (s *service) userTags(ctx context.Context, c *api.Call, name *string) change {
	return func(f func(map[string]string) map[string]string) error {
		_, err := s.iam.UpdateUser(ctx, c.Account(), aws.ToString(name), func(u *iam.User) error {
			u.Tags = f(u.Tags)
			return nil
		})
		return err
	}
}

// updateUser renames. Who may must be allowed on what the user is called then, too.
func (s *service) updateUser(ctx context.Context, c *api.Call, in *sdk.UpdateUserInput) (*sdk.UpdateUserOutput, error) {
	name := aws.ToString(in.UserName)
	if u, ok := s.iam.FindUser(c.Account(), name); ok {
		to := arn.User(c.Account(), given(in.NewPath, u.Path), given(in.NewUserName, u.Name))
		if err := c.Authorize("iam:UpdateUser", api.Resource{ARN: to, Account: c.Account(), Tags: u.Tags}, resourceTags(u.Tags)); err != nil {
			return nil, err
		}
	}
	return &sdk.UpdateUserOutput{}, s.iam.RenameUser(ctx, c.Account(), name, aws.ToString(in.NewUserName), aws.ToString(in.NewPath))
}

// resourceTags sets IAM's own condition keys for the tags of a resource.
func resourceTags(tags map[string]string) func(*policy.Context) {
	return func(keys *policy.Context) {
		for key, value := range tags {
			keys.Set("iam:ResourceTag/"+key, value)
		}
	}
}

func (s *service) putUserPermissionsBoundary(
	ctx context.Context, c *api.Call, in *sdk.PutUserPermissionsBoundaryInput,
) (*sdk.PutUserPermissionsBoundaryOutput, error) {
	return &sdk.PutUserPermissionsBoundaryOutput{}, s.setUserBoundary(ctx, c, in.UserName, aws.ToString(in.PermissionsBoundary))
}

func (s *service) deleteUserPermissionsBoundary(
	ctx context.Context, c *api.Call, in *sdk.DeleteUserPermissionsBoundaryInput,
) (*sdk.DeleteUserPermissionsBoundaryOutput, error) {
	return &sdk.DeleteUserPermissionsBoundaryOutput{}, s.setUserBoundary(ctx, c, in.UserName, "")
}

func (s *service) setUserBoundary(ctx context.Context, c *api.Call, name *string, policyARN string) error {
	_, err := s.iam.UpdateUser(ctx, c.Account(), aws.ToString(name), func(u *iam.User) error {
		u.Boundary = policyARN
		return nil
	})
	return err
}

func (s *service) listUserTags(_ context.Context, c *api.Call, in *sdk.ListUserTagsInput) (*sdk.ListUserTagsOutput, error) {
	u, err := s.iam.GetUser(c.Account(), aws.ToString(in.UserName))
	if err != nil {
		return nil, err
	}
	p, err := tagPage(u.Tags, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListUserTagsOutput{Tags: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}
