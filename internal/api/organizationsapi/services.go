package organizationsapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/fault"
)

// addServices adds the reads of what other AWS services do in organizations. None does anything here, and the reads say so.
func (s *service) addServices(t *api.Typed) {
	none := []string{"No service has access to an organization and no account administers it for others: the list is empty."}
	t.Operations = append(t.Operations,
		api.Op(with(call(s, "", s.listServiceAccess),
			func(o *api.Operation[sdk.ListAWSServiceAccessForOrganizationInput, sdk.ListAWSServiceAccessForOrganizationOutput]) {
				o.Differs = none
			})),
		api.Op(with(call(s, "", s.listDelegatedAdministrators),
			func(o *api.Operation[sdk.ListDelegatedAdministratorsInput, sdk.ListDelegatedAdministratorsOutput]) {
				o.Differs = none
			})),
		api.Op(with(call(s, "AccountId", s.listDelegatedServices),
			func(o *api.Operation[sdk.ListDelegatedServicesForAccountInput, sdk.ListDelegatedServicesForAccountOutput]) {
				o.Differs = []string{"No account administers the organization for others, so none is registered."}
			})),
		api.Op(with(call(s, "", s.describeResourcePolicy),
			func(o *api.Operation[sdk.DescribeResourcePolicyInput, sdk.DescribeResourcePolicyOutput]) {
				o.Differs = []string{"Organizations have no resource policy, as only their management account administers them."}
			})),
	)
}

func (s *service) listServiceAccess(
	_ context.Context, c *api.Call, in *sdk.ListAWSServiceAccessForOrganizationInput,
) (*sdk.ListAWSServiceAccessForOrganizationOutput, error) {
	if _, err := s.orgs.View(c.Account()); err != nil {
		return nil, err
	}
	p, err := paged(nothing, self, func(string) types.EnabledServicePrincipal { return types.EnabledServicePrincipal{} }, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &sdk.ListAWSServiceAccessForOrganizationOutput{EnabledServicePrincipals: p.items}, nil
}

func nothing(func(string) bool) {}

func (s *service) listDelegatedAdministrators(
	_ context.Context, c *api.Call, in *sdk.ListDelegatedAdministratorsInput,
) (*sdk.ListDelegatedAdministratorsOutput, error) {
	if _, err := s.orgs.View(c.Account()); err != nil {
		return nil, err
	}
	p, err := paged(nothing, self, func(string) types.DelegatedAdministrator { return types.DelegatedAdministrator{} }, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &sdk.ListDelegatedAdministratorsOutput{DelegatedAdministrators: p.items}, nil
}

func (s *service) listDelegatedServices(
	_ context.Context, c *api.Call, in *sdk.ListDelegatedServicesForAccountInput,
) (*sdk.ListDelegatedServicesForAccountOutput, error) {
	o, err := s.orgs.View(c.Account())
	if err != nil {
		return nil, err
	}
	if _, err := o.FindAccount(aws.ToString(in.AccountId)); err != nil {
		return nil, err
	}
	return nil, fault.New(fault.NotFound, "delegated administrator", "The provided account is not a registered delegated administrator for your organization.")
}

func (s *service) describeResourcePolicy(
	_ context.Context, c *api.Call, _ *sdk.DescribeResourcePolicyInput,
) (*sdk.DescribeResourcePolicyOutput, error) {
	if _, err := s.orgs.Describe(c.Account()); err != nil {
		return nil, err
	}
	return nil, fault.New(fault.NotFound, "resource policy", "We can't find a resource policy of this organization.")
}
