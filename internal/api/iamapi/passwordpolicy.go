package iamapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/iam"
)

// leastLength is the minimum of a policy that does not name one.
const leastLength = 6

func (s *service) addPasswordPolicy(t *api.Typed) {
	update := call(s.updateAccountPasswordPolicy, account)
	update.Keeps = api.Members{"AllowUsersToChangePassword": "whether a user may is decided by iam:ChangePassword in policies alone"}
	t.Operations = append(t.Operations,
		api.Op(call(s.getAccountPasswordPolicy, account)),
		api.Op(update),
		api.Op(call(s.deleteAccountPasswordPolicy, account)),
	)
}

func (s *service) getAccountPasswordPolicy(
	_ context.Context, c *api.Call, _ *sdk.GetAccountPasswordPolicyInput,
) (*sdk.GetAccountPasswordPolicyOutput, error) {
	p, err := s.iam.PasswordPolicy(c.Account())
	if err != nil {
		return nil, err
	}
	w := &types.PasswordPolicy{
		MinimumPasswordLength: number(p.MinimumLength), RequireSymbols: p.RequireSymbols, RequireNumbers: p.RequireNumbers,
		RequireUppercaseCharacters: p.RequireUppercase, RequireLowercaseCharacters: p.RequireLowercase,
		AllowUsersToChangePassword: p.UsersMayChange, ExpirePasswords: p.MaxAgeDays > 0, HardExpiry: aws.Bool(p.HardExpiry),
	}
	if p.MaxAgeDays > 0 {
		w.MaxPasswordAge = number(p.MaxAgeDays)
	}
	if p.ReusePrevention > 0 {
		w.PasswordReusePrevention = number(p.ReusePrevention)
	}
	return &sdk.GetAccountPasswordPolicyOutput{PasswordPolicy: w}, nil
}

func number(n int) *int32 { return aws.Int32(int32(n)) } //nolint:gosec // what is numbered here is far below 2^31

// updateAccountPasswordPolicy sets all of a policy: what is not named has its default.
func (s *service) updateAccountPasswordPolicy(
	ctx context.Context, c *api.Call, in *sdk.UpdateAccountPasswordPolicyInput,
) (*sdk.UpdateAccountPasswordPolicyOutput, error) {
	p := iam.PasswordPolicy{
		MinimumLength: leastLength, RequireSymbols: in.RequireSymbols, RequireNumbers: in.RequireNumbers,
		RequireUppercase: in.RequireUppercaseCharacters, RequireLowercase: in.RequireLowercaseCharacters,
		UsersMayChange: in.AllowUsersToChangePassword, MaxAgeDays: int(aws.ToInt32(in.MaxPasswordAge)),
		ReusePrevention: int(aws.ToInt32(in.PasswordReusePrevention)), HardExpiry: aws.ToBool(in.HardExpiry),
	}
	if in.MinimumPasswordLength != nil {
		p.MinimumLength = int(*in.MinimumPasswordLength)
	}
	return &sdk.UpdateAccountPasswordPolicyOutput{}, s.iam.SetPasswordPolicy(ctx, c.Account(), p)
}

func (s *service) deleteAccountPasswordPolicy(
	ctx context.Context, c *api.Call, _ *sdk.DeleteAccountPasswordPolicyInput,
) (*sdk.DeleteAccountPasswordPolicyOutput, error) {
	return &sdk.DeleteAccountPasswordPolicyOutput{}, s.iam.DeletePasswordPolicy(ctx, c.Account())
}
