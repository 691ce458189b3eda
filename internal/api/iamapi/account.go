package iamapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/podid/podid/internal/api"
)

func (s *service) addAccount(t *api.Typed) {
	summary := call(s.getAccountSummary, account)
	summary.Differs = []string{"What podid does not have (MFA devices, server and signing certificates) counts 0, as do its quotas."}
	t.Operations = append(t.Operations,
		api.Op(call(s.createAccountAlias, account, "AccountAlias")),
		api.Op(call(s.deleteAccountAlias, account, "AccountAlias")),
		api.Op(call(s.listAccountAliases, account)),
		api.Op(summary),
		api.Op(call(s.getAccountAuthorizationDetails, account)),
	)
}

func (s *service) createAccountAlias(
	ctx context.Context, c *api.Call, in *sdk.CreateAccountAliasInput,
) (*sdk.CreateAccountAliasOutput, error) {
	return &sdk.CreateAccountAliasOutput{}, s.iam.SetAccountAlias(ctx, c.Account(), aws.ToString(in.AccountAlias))
}

func (s *service) deleteAccountAlias(
	ctx context.Context, c *api.Call, in *sdk.DeleteAccountAliasInput,
) (*sdk.DeleteAccountAliasOutput, error) {
	return &sdk.DeleteAccountAliasOutput{}, s.iam.DeleteAccountAlias(ctx, c.Account(), aws.ToString(in.AccountAlias))
}

func (s *service) listAccountAliases(
	_ context.Context, c *api.Call, in *sdk.ListAccountAliasesInput,
) (*sdk.ListAccountAliasesOutput, error) {
	var all []string
	if a, ok := s.iam.FindAccount(c.Account()); ok && a.Alias != "" {
		all = []string{a.Alias}
	}
	p, err := paged(sortedBy(all, self), self, self, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListAccountAliasesOutput{AccountAliases: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}

func (s *service) getAccountSummary(_ context.Context, c *api.Call, _ *sdk.GetAccountSummaryInput) (*sdk.GetAccountSummaryOutput, error) {
	numbers := map[string]int32{}
	for called, n := range s.iam.Summary(c.Account()) {
		numbers[called] = *number(n)
	}
	return &sdk.GetAccountSummaryOutput{SummaryMap: numbers}, nil
}
