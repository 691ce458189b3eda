package iamapi

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

func (s *service) addUsers(t *api.Typed) {
	t.Operations = append(t.Operations,
		api.Op(with(call(s.createUser, s.newUser, "UserName"), func(_ *api.Call, in *sdk.CreateUserInput, keys *policy.Context) {
			requestKeys(keys, in.PermissionsBoundary, in.Tags)
		})),
		api.Op(call(s.getUser, s.user)),
		api.Op(call(s.listUsers, account)),
		api.Op(call(s.deleteUser, s.user, "UserName")),
	)
}

func (s *service) addAccessKeys(t *api.Typed) {
	t.Operations = append(t.Operations,
		api.Op(call(s.createAccessKey, s.user)),
		api.Op(call(s.listAccessKeys, s.user)),
		api.Op(call(s.updateAccessKey, s.user, "AccessKeyId", "Status")),
		api.Op(call(s.deleteAccessKey, s.user, "AccessKeyId")),
	)
}

// requestKeys sets the condition keys of a request that makes something. spec: iam-policy.md 10
func requestKeys(keys *policy.Context, boundary *string, tags []types.Tag) {
	if boundary != nil {
		keys.Set("iam:PermissionsBoundary", *boundary)
	}
	api.TagKeys(keys, tagMap(tags))
}

// newUser is the user that a request wants to make.
func (s *service) newUser(c *api.Call, in any) api.Resource {
	return api.Resource{ARN: arn.User(c.Account(), cleanPath(text(in, "Path")), text(in, "UserName")), Account: c.Account()}
}

func cleanPath(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// user is the user whom the member UserName names; the caller when it is absent.
func (s *service) user(c *api.Call, in any) api.Resource {
	name, err := userName(c, optional(text(in, "UserName")))
	switch {
	case err != nil:
		return api.Resource{} // the call itself says what is wrong
	case name == "":
		return api.Resource{ARN: arn.Root(c.Account()), Account: c.Account()}
	}
	if u, ok := s.iam.FindUser(c.Account(), name); ok {
		return api.Resource{ARN: u.ARN(), Account: u.Account, Tags: u.Tags}
	}
	return api.Resource{ARN: arn.User(c.Account(), "/", name), Account: c.Account()}
}

// userName is the user a call is about: the one it names, else the caller. The root user has the empty name.
func userName(c *api.Call, given *string) (string, error) {
	switch p := c.Caller.Principal; {
	case given != nil:
		return *given, nil
	case p.Kind == arn.IAMUser:
		return p.UserName, nil
	case p.Kind == arn.RootUser:
		return "", nil
	}
	return "", fault.New(fault.Invalid, "parameter", "Must specify userName when calling with non-User credentials")
}

func (s *service) createUser(ctx context.Context, c *api.Call, in *sdk.CreateUserInput) (*sdk.CreateUserOutput, error) {
	tags, err := newTags(c, "iam:TagUser", s.newUser(c, in), in.Tags)
	if err != nil {
		return nil, err
	}
	u, err := s.iam.CreateUser(ctx, iam.User{
		Account: c.Account(), Path: aws.ToString(in.Path), Name: aws.ToString(in.UserName),
		Boundary: aws.ToString(in.PermissionsBoundary), Tags: tags,
	})
	if err != nil {
		return nil, err
	}
	return &sdk.CreateUserOutput{User: wireUser(u)}, nil
}

func userKey(u *iam.User) string { return strings.ToLower(u.Name) }

func wireUser(u *iam.User) *types.User {
	w := listedUser(u)
	w.PermissionsBoundary, w.Tags = boundary(u.Boundary), wireTags(u.Tags)
	return &w
}

// listedUser has what ListUsers shows: no tags and no boundary.
func listedUser(u *iam.User) types.User {
	return types.User{
		Arn: aws.String(u.ARN()), UserName: aws.String(u.Name), UserId: aws.String(u.ID), Path: aws.String(u.Path),
		CreateDate: aws.Time(u.CreatedAt),
	}
}

func (s *service) getUser(_ context.Context, c *api.Call, in *sdk.GetUserInput) (*sdk.GetUserOutput, error) {
	name, err := userName(c, in.UserName)
	if err != nil {
		return nil, err
	}
	if name == "" {
		a, ok := s.iam.FindAccount(c.Account())
		if !ok {
			return nil, fault.New(fault.NotFound, "account", "The account %s cannot be found.", c.Account())
		}
		return &sdk.GetUserOutput{User: &types.User{
			Arn: aws.String(arn.Root(a.ID)), UserId: aws.String(a.ID), CreateDate: aws.Time(a.CreatedAt),
		}}, nil
	}
	u, err := s.iam.GetUser(c.Account(), name)
	if err != nil {
		return nil, err
	}
	return &sdk.GetUserOutput{User: wireUser(u)}, nil
}

func (s *service) listUsers(_ context.Context, c *api.Call, in *sdk.ListUsersInput) (*sdk.ListUsersOutput, error) {
	all := api.Where(s.iam.AllUsers(c.Account()), func(u *iam.User) bool { return pathPrefix(u.Path, in.PathPrefix) })
	p, err := paged(all, userKey, listedUser, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListUsersOutput{Users: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}

func (s *service) deleteUser(ctx context.Context, c *api.Call, in *sdk.DeleteUserInput) (*sdk.DeleteUserOutput, error) {
	return &sdk.DeleteUserOutput{}, s.iam.DeleteUser(ctx, c.Account(), aws.ToString(in.UserName))
}

func (s *service) createAccessKey(ctx context.Context, c *api.Call, in *sdk.CreateAccessKeyInput) (*sdk.CreateAccessKeyOutput, error) {
	name, err := userName(c, in.UserName)
	if err != nil {
		return nil, err
	}
	k, err := s.iam.CreateAccessKey(ctx, c.Account(), name)
	if err != nil {
		return nil, err
	}
	return &sdk.CreateAccessKeyOutput{AccessKey: &types.AccessKey{
		AccessKeyId: aws.String(k.ID), SecretAccessKey: aws.String(k.Secret), Status: keyStatus(k), UserName: aws.String(k.UserName),
		CreateDate: aws.Time(k.CreatedAt),
	}}, nil
}

func keyStatus(k *iam.AccessKey) types.StatusType {
	if k.Active {
		return types.StatusTypeActive
	}
	return types.StatusTypeInactive
}

func (s *service) listAccessKeys(_ context.Context, c *api.Call, in *sdk.ListAccessKeysInput) (*sdk.ListAccessKeysOutput, error) {
	name, err := userName(c, in.UserName)
	if err != nil {
		return nil, err
	}
	keys, err := s.iam.AccessKeys(c.Account(), name)
	if err != nil {
		return nil, err
	}
	p, err := paged(sortedBy(keys, accessKeyID), accessKeyID, func(k *iam.AccessKey) types.AccessKeyMetadata {
		return types.AccessKeyMetadata{
			AccessKeyId: aws.String(k.ID), Status: keyStatus(k), UserName: aws.String(k.UserName), CreateDate: aws.Time(k.CreatedAt),
		}
	}, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListAccessKeysOutput{AccessKeyMetadata: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}

func accessKeyID(k *iam.AccessKey) string { return k.ID }

func (s *service) updateAccessKey(ctx context.Context, c *api.Call, in *sdk.UpdateAccessKeyInput) (*sdk.UpdateAccessKeyOutput, error) {
	name, err := userName(c, in.UserName)
	if err != nil {
		return nil, err
	}
	if in.Status != types.StatusTypeActive && in.Status != types.StatusTypeInactive {
		return nil, fault.New(fault.Invalid, "parameter", "1 validation error detected: Value '%s' at 'status' failed to satisfy constraint: "+
			"Member must satisfy enum value set: [Active, Inactive]", in.Status)
	}
	active := in.Status == types.StatusTypeActive
	return &sdk.UpdateAccessKeyOutput{}, s.iam.SetAccessKeyActive(ctx, c.Account(), name, aws.ToString(in.AccessKeyId), active)
}

func (s *service) deleteAccessKey(ctx context.Context, c *api.Call, in *sdk.DeleteAccessKeyInput) (*sdk.DeleteAccessKeyOutput, error) {
	name, err := userName(c, in.UserName)
	if err != nil {
		return nil, err
	}
	return &sdk.DeleteAccessKeyOutput{}, s.iam.DeleteAccessKey(ctx, c.Account(), name, aws.ToString(in.AccessKeyId))
}
