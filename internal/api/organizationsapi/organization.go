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

func (s *service) addOrganization(t *api.Typed) {
	t.Operations = append(t.Operations,
		api.Op(with(call(s, "", s.createOrganization), func(o *api.Operation[sdk.CreateOrganizationInput, sdk.CreateOrganizationOutput]) {
			o.Differs = []string{
				"FeatureSet is ALL: CONSOLIDATED_BILLING is refused, as there is no billing.",
				"Accounts that were not made by CreateAccount have no e-mail address, so MasterAccountEmail is absent.",
			}
		})),
		api.Op(call(s, "", s.describeOrganization)),
		api.Op(call(s, "", s.deleteOrganization)),
		api.Op(with(call(s, "", s.enableAllFeatures), func(o *api.Operation[sdk.EnableAllFeaturesInput, sdk.EnableAllFeaturesOutput]) {
			o.Differs = []string{"Every organization has all features from the start, so the call always answers that it has."}
		})),
		api.Op(call(s, "", s.listRoots)),
	)
}

func (s *service) createOrganization(ctx context.Context, c *api.Call, in *sdk.CreateOrganizationInput) (*sdk.CreateOrganizationOutput, error) {
	if in.FeatureSet == types.OrganizationFeatureSetConsolidatedBilling {
		return nil, invalid("INVALID_ENUM", "podid has no consolidated billing: the FeatureSet of an organization is ALL.")
	}
	name, err := s.accountName(c)
	if err != nil {
		return nil, err
	}
	o, err := s.orgs.Create(ctx, c.Account(), name)
	if err != nil {
		return nil, err
	}
	return &sdk.CreateOrganizationOutput{Organization: wireOrganization(o)}, nil
}

// accountName is what the caller's account is called.
func (s *service) accountName(c *api.Call) (string, error) {
	a, ok := s.iam.FindAccount(c.Account())
	if !ok {
		return "", fault.New(fault.Denied, "account", "The account %s cannot be found.", c.Account())
	}
	return a.Name, nil
}

func wireOrganization(o *organization.Organization) *types.Organization {
	return &types.Organization{
		Id: aws.String(o.ID), Arn: aws.String(o.ARN()), FeatureSet: types.OrganizationFeatureSetAll,
		MasterAccountId: aws.String(o.Management), MasterAccountArn: aws.String(o.AccountARN(o.Management)),
		MasterAccountEmail: optional(o.Accounts[o.Management].Email),
		// AWS tells this of every organization, whatever is enabled in its root: ListRoots tells that.
		AvailablePolicyTypes: []types.PolicyTypeSummary{{Type: types.PolicyTypeServiceControlPolicy, Status: types.PolicyTypeStatusEnabled}},
	}
}

func policyTypes(o *organization.Organization) []types.PolicyTypeSummary {
	out := make([]types.PolicyTypeSummary, 0, len(o.Types))
	for _, t := range o.Types {
		out = append(out, types.PolicyTypeSummary{Type: types.PolicyType(t), Status: types.PolicyTypeStatusEnabled})
	}
	return out
}

func (s *service) describeOrganization(
	_ context.Context, c *api.Call, _ *sdk.DescribeOrganizationInput,
) (*sdk.DescribeOrganizationOutput, error) {
	o, err := s.orgs.Describe(c.Account())
	if err != nil {
		return nil, err
	}
	return &sdk.DescribeOrganizationOutput{Organization: wireOrganization(o)}, nil
}

func (s *service) deleteOrganization(ctx context.Context, c *api.Call, _ *sdk.DeleteOrganizationInput) (*sdk.DeleteOrganizationOutput, error) {
	return nil, s.orgs.Delete(ctx, c.Account())
}

func (s *service) enableAllFeatures(_ context.Context, c *api.Call, _ *sdk.EnableAllFeaturesInput) (*sdk.EnableAllFeaturesOutput, error) {
	if _, err := s.orgs.View(c.Account()); err != nil {
		return nil, err
	}
	return nil, fault.New(fault.Limit, "handshake", "The organization already has all features enabled.").
		With("Reason", "ORGANIZATION_ALREADY_HAS_ALL_FEATURES")
}

func (s *service) listRoots(_ context.Context, c *api.Call, in *sdk.ListRootsInput) (*sdk.ListRootsOutput, error) {
	o, err := s.orgs.View(c.Account())
	if err != nil {
		return nil, err
	}
	p, err := paged(slices.Values([]string{o.RootID}), self, func(string) types.Root { return wireRoot(o) }, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &sdk.ListRootsOutput{Roots: p.items, NextToken: p.next}, nil
}

func wireRoot(o *organization.Organization) types.Root {
	return types.Root{
		Id: aws.String(o.RootID), Arn: aws.String(o.RootARN()), Name: aws.String(organization.RootName), PolicyTypes: policyTypes(o),
	}
}
