package iamapi

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/iam"
)

func (s *service) addGroups(t *api.Typed) {
	t.Operations = append(t.Operations,
		api.Op(call(s.createGroup, s.newGroup, "GroupName")),
		api.Op(call(s.getGroup, s.group, "GroupName")),
		api.Op(call(s.listGroups, account)),
		api.Op(call(s.updateGroup, s.group, "GroupName")),
		api.Op(call(s.deleteGroup, s.group, "GroupName")),
		api.Op(call(s.addUserToGroup, s.group, "GroupName", "UserName")),
		api.Op(call(s.removeUserFromGroup, s.group, "GroupName", "UserName")),
		api.Op(call(s.listGroupsForUser, s.user, "UserName")),
	)
}

// newGroup is the group that a request wants to make.
func (s *service) newGroup(c *api.Call, in any) api.Resource {
	return api.Resource{ARN: arn.Group(c.Account(), cleanPath(text(in, "Path")), text(in, "GroupName")), Account: c.Account()}
}

// group is the group that the member GroupName names.
func (s *service) group(c *api.Call, in any) api.Resource {
	name := text(in, "GroupName")
	if g, ok := s.iam.FindGroup(c.Account(), name); ok {
		return api.Resource{ARN: g.ARN(), Account: g.Account}
	}
	return api.Resource{ARN: arn.Group(c.Account(), "/", name), Account: c.Account()}
}

func wireGroup(g *iam.Group) types.Group {
	return types.Group{
		Arn: aws.String(g.ARN()), GroupName: aws.String(g.Name), GroupId: aws.String(g.ID), Path: aws.String(g.Path),
		CreateDate: aws.Time(g.CreatedAt),
	}
}

func groupKey(g *iam.Group) string { return strings.ToLower(g.Name) }

func (s *service) createGroup(ctx context.Context, c *api.Call, in *sdk.CreateGroupInput) (*sdk.CreateGroupOutput, error) {
	g, err := s.iam.CreateGroup(ctx, iam.Group{Account: c.Account(), Path: aws.ToString(in.Path), Name: aws.ToString(in.GroupName)})
	if err != nil {
		return nil, err
	}
	w := wireGroup(g)
	return &sdk.CreateGroupOutput{Group: &w}, nil
}

func (s *service) getGroup(_ context.Context, c *api.Call, in *sdk.GetGroupInput) (*sdk.GetGroupOutput, error) {
	g, err := s.iam.GetGroup(c.Account(), aws.ToString(in.GroupName))
	if err != nil {
		return nil, err
	}
	p, err := paged(s.iam.Members(g), userKey, listedUser, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	w := wireGroup(g)
	return &sdk.GetGroupOutput{Group: &w, Users: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}

func (s *service) listGroups(_ context.Context, c *api.Call, in *sdk.ListGroupsInput) (*sdk.ListGroupsOutput, error) {
	all := api.Where(s.iam.AllGroups(c.Account()), func(g *iam.Group) bool { return pathPrefix(g.Path, in.PathPrefix) })
	p, err := paged(all, groupKey, wireGroup, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListGroupsOutput{Groups: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}

// updateGroup renames. Who may must be allowed on what the group is called then, too.
func (s *service) updateGroup(ctx context.Context, c *api.Call, in *sdk.UpdateGroupInput) (*sdk.UpdateGroupOutput, error) {
	name := aws.ToString(in.GroupName)
	if g, ok := s.iam.FindGroup(c.Account(), name); ok {
		to := arn.Group(c.Account(), given(in.NewPath, g.Path), given(in.NewGroupName, g.Name))
		if err := c.Authorize("iam:UpdateGroup", api.Resource{ARN: to, Account: c.Account()}, nil); err != nil {
			return nil, err
		}
	}
	return &sdk.UpdateGroupOutput{},
		s.iam.RenameGroup(ctx, c.Account(), name, aws.ToString(in.NewGroupName), aws.ToString(in.NewPath))
}

// given is the value of a member, or what holds without it.
func given(value *string, otherwise string) string {
	if text := aws.ToString(value); text != "" {
		return text
	}
	return otherwise
}

func (s *service) deleteGroup(ctx context.Context, c *api.Call, in *sdk.DeleteGroupInput) (*sdk.DeleteGroupOutput, error) {
	return &sdk.DeleteGroupOutput{}, s.iam.DeleteGroup(ctx, c.Account(), aws.ToString(in.GroupName))
}

func (s *service) addUserToGroup(ctx context.Context, c *api.Call, in *sdk.AddUserToGroupInput) (*sdk.AddUserToGroupOutput, error) {
	return &sdk.AddUserToGroupOutput{}, s.iam.AddUserToGroup(ctx, c.Account(), aws.ToString(in.GroupName), aws.ToString(in.UserName))
}

func (s *service) removeUserFromGroup(
	ctx context.Context, c *api.Call, in *sdk.RemoveUserFromGroupInput,
) (*sdk.RemoveUserFromGroupOutput, error) {
	return &sdk.RemoveUserFromGroupOutput{},
		s.iam.RemoveUserFromGroup(ctx, c.Account(), aws.ToString(in.GroupName), aws.ToString(in.UserName))
}

func (s *service) listGroupsForUser(_ context.Context, c *api.Call, in *sdk.ListGroupsForUserInput) (*sdk.ListGroupsForUserOutput, error) {
	u, err := s.iam.GetUser(c.Account(), aws.ToString(in.UserName))
	if err != nil {
		return nil, err
	}
	p, err := paged(slices.Values(s.iam.GroupsByName(u)), groupKey, wireGroup, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListGroupsForUserOutput{Groups: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}
