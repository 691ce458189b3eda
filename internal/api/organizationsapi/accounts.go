package organizationsapi

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/organization"
)

func (s *service) addAccounts(t *api.Typed) {
	t.Operations = append(t.Operations,
		api.Op(with(call(s, "", s.createAccount), func(o *api.Operation[sdk.CreateAccountInput, sdk.CreateAccountOutput]) {
			o.Ignores = api.Members{"IamUserAccessToBilling": "there is no billing"}
			o.Differs = []string{
				"The account is there when the call answers: the state is SUCCEEDED at once.",
				"The organization's management account must be the control plane's first account, which is the one that makes accounts.",
				"Nothing is sent to the e-mail address; it must be unique in the organization.",
			}
		})),
		api.Op(call(s, "", s.describeCreateAccountStatus)),
		api.Op(call(s, "", s.listCreateAccountStatus)),
		api.Op(call(s, "AccountId", s.describeAccount)),
		api.Op(call(s, "", s.listAccounts)),
		api.Op(call(s, "ParentId", s.listAccountsForParent)),
		api.Op(call(s, "AccountId", s.moveAccount)),
		api.Op(with(call(s, "AccountId", s.removeAccount),
			func(o *api.Operation[sdk.RemoveAccountFromOrganizationInput, sdk.RemoveAccountFromOrganizationOutput]) {
				o.Differs = []string{"Accounts that CreateAccount made can be removed like others: they need no payment method of their own."}
			})),
		api.Op(call(s, "", s.leaveOrganization)),
		api.Op(with(call(s, "AccountId", s.closeAccount), func(o *api.Operation[sdk.CloseAccountInput, sdk.CloseAccountOutput]) {
			o.Differs = []string{"Refused: accounts are not closed. Attach a service control policy that denies everything instead."}
		})),
	)
}

func wireAccount(o *organization.Organization, id string) types.Account {
	m := o.Accounts[id]
	return types.Account{
		Id: aws.String(id), Arn: aws.String(o.AccountARN(id)), Name: aws.String(m.Name), Email: optional(m.Email),
		Status: types.AccountStatusActive, State: types.AccountStateActive, Paths: []string{o.Path(id)},
		JoinedMethod: types.AccountJoinedMethod(m.Method), JoinedTimestamp: aws.Time(m.Joined),
	}
}

func (s *service) describeAccount(_ context.Context, c *api.Call, in *sdk.DescribeAccountInput) (*sdk.DescribeAccountOutput, error) {
	o, err := s.orgs.View(c.Account())
	if err != nil {
		return nil, err
	}
	id := aws.ToString(in.AccountId)
	if _, err := o.FindAccount(id); err != nil {
		return nil, err
	}
	a := wireAccount(o, id)
	return &sdk.DescribeAccountOutput{Account: &a}, nil
}

func (s *service) listAccounts(_ context.Context, c *api.Call, in *sdk.ListAccountsInput) (*sdk.ListAccountsOutput, error) {
	o, err := s.orgs.View(c.Account())
	if err != nil {
		return nil, err
	}
	p, err := pagedAccounts(o, o.AccountIDs(), in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &sdk.ListAccountsOutput{Accounts: p.items, NextToken: p.next}, nil
}

func pagedAccounts(o *organization.Organization, ids []string, token *string, limit *int32) (page[types.Account], error) {
	return paged(slices.Values(ids), self, func(id string) types.Account { return wireAccount(o, id) }, token, limit)
}

func (s *service) listAccountsForParent(
	_ context.Context, c *api.Call, in *sdk.ListAccountsForParentInput,
) (*sdk.ListAccountsForParentOutput, error) {
	o, err := s.orgs.View(c.Account())
	if err != nil {
		return nil, err
	}
	ids, err := o.AccountsIn(aws.ToString(in.ParentId))
	if err != nil {
		return nil, err
	}
	p, err := pagedAccounts(o, ids, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &sdk.ListAccountsForParentOutput{Accounts: p.items, NextToken: p.next}, nil
}

// moveAccount takes the permission for the account and for both of its parents.
func (s *service) moveAccount(ctx context.Context, c *api.Call, in *sdk.MoveAccountInput) (*sdk.MoveAccountOutput, error) {
	source, destination := aws.ToString(in.SourceParentId), aws.ToString(in.DestinationParentId)
	for _, parent := range []string{source, destination} {
		if err := s.also(c, "organizations:MoveAccount", parent, in); err != nil {
			return nil, err
		}
	}
	return nil, s.orgs.MoveAccount(ctx, c.Account(), aws.ToString(in.AccountId), source, destination)
}

func (s *service) removeAccount(
	ctx context.Context, c *api.Call, in *sdk.RemoveAccountFromOrganizationInput,
) (*sdk.RemoveAccountFromOrganizationOutput, error) {
	return nil, s.orgs.RemoveAccount(ctx, c.Account(), aws.ToString(in.AccountId))
}

func (s *service) leaveOrganization(ctx context.Context, c *api.Call, _ *sdk.LeaveOrganizationInput) (*sdk.LeaveOrganizationOutput, error) {
	return nil, s.orgs.Leave(ctx, c.Account())
}

func (s *service) closeAccount(_ context.Context, c *api.Call, in *sdk.CloseAccountInput) (*sdk.CloseAccountOutput, error) {
	o, err := s.orgs.View(c.Account())
	if err != nil {
		return nil, err
	}
	if _, err := o.FindAccount(aws.ToString(in.AccountId)); err != nil {
		return nil, err
	}
	return nil, fault.New(fault.Unsupported, "operation",
		"podid does not close accounts. Attach a service control policy that denies everything to the account instead.")
}
