package iamapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
)

func (s *service) addLoginProfiles(t *api.Typed) {
	t.Operations = append(t.Operations,
		api.Op(call(s.createLoginProfile, s.user, "Password")),
		api.Op(call(s.getLoginProfile, s.user)),
		api.Op(call(s.updateLoginProfile, s.user, "UserName")),
		api.Op(call(s.deleteLoginProfile, s.user)),
		api.Op(call(s.changePassword, s.user, "OldPassword", "NewPassword")),
	)
}

func (s *service) createLoginProfile(
	ctx context.Context, c *api.Call, in *sdk.CreateLoginProfileInput,
) (*sdk.CreateLoginProfileOutput, error) {
	name, err := userName(c, in.UserName)
	if err != nil {
		return nil, err
	}
	p, err := s.iam.CreateLoginProfile(ctx, c.Account(), name, aws.ToString(in.Password), in.PasswordResetRequired)
	if err != nil {
		return nil, err
	}
	return &sdk.CreateLoginProfileOutput{LoginProfile: s.wireLogin(c, name, p)}, nil
}

// wireLogin is all that anybody gets to see of a password.
func (s *service) wireLogin(c *api.Call, user string, p *iam.LoginProfile) *types.LoginProfile {
	if u, ok := s.iam.FindUser(c.Account(), user); ok {
		user = u.Name
	}
	return &types.LoginProfile{UserName: aws.String(user), CreateDate: aws.Time(p.CreatedAt), PasswordResetRequired: p.ResetRequired}
}

func (s *service) getLoginProfile(_ context.Context, c *api.Call, in *sdk.GetLoginProfileInput) (*sdk.GetLoginProfileOutput, error) {
	name, err := userName(c, in.UserName)
	if err != nil {
		return nil, err
	}
	p, err := s.iam.LoginProfile(c.Account(), name)
	if err != nil {
		return nil, err
	}
	return &sdk.GetLoginProfileOutput{LoginProfile: s.wireLogin(c, name, p)}, nil
}

func (s *service) updateLoginProfile(
	ctx context.Context, c *api.Call, in *sdk.UpdateLoginProfileInput,
) (*sdk.UpdateLoginProfileOutput, error) {
	return &sdk.UpdateLoginProfileOutput{},
		s.iam.UpdateLoginProfile(ctx, c.Account(), aws.ToString(in.UserName), in.Password, in.PasswordResetRequired)
}

func (s *service) deleteLoginProfile(
	ctx context.Context, c *api.Call, in *sdk.DeleteLoginProfileInput,
) (*sdk.DeleteLoginProfileOutput, error) {
	name, err := userName(c, in.UserName)
	if err != nil {
		return nil, err
	}
	return &sdk.DeleteLoginProfileOutput{}, s.iam.DeleteLoginProfile(ctx, c.Account(), name)
}

// changePassword is for users themselves: the member that names one is missing.
func (s *service) changePassword(ctx context.Context, c *api.Call, in *sdk.ChangePasswordInput) (*sdk.ChangePasswordOutput, error) {
	if c.Caller.Principal.Kind != arn.IAMUser {
		return nil, fault.New(fault.Invalid, "user type", "Only IAM Users can change their own password.")
	}
	return &sdk.ChangePasswordOutput{}, s.iam.ChangePassword(ctx, c.Account(), c.Caller.Principal.UserName,
		aws.ToString(in.OldPassword), aws.ToString(in.NewPassword))
}
