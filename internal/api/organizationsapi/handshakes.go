package organizationsapi

import (
	"context"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/organization"
)

func (s *service) addHandshakes(t *api.Typed) {
	t.Operations = append(t.Operations,
		api.Op(with(call(s, "", s.inviteAccount),
			func(o *api.Operation[sdk.InviteAccountToOrganizationInput, sdk.InviteAccountToOrganizationOutput]) {
				o.Differs = []string{
					"An account is invited by its id; Target.Type EMAIL is refused, as nothing is sent by mail.",
					"The handshake is OPEN at once. Its ARN's account is the management account's, as with AWS.",
				}
			})),
		api.Op(call(s, "HandshakeId", s.describeHandshake)),
		api.Op(call(s, "HandshakeId", s.acceptHandshake)),
		api.Op(call(s, "HandshakeId", s.declineHandshake)),
		api.Op(call(s, "HandshakeId", s.cancelHandshake)),
		api.Op(call(s, "", s.listHandshakesForAccount)),
		api.Op(call(s, "", s.listHandshakesForOrganization)),
	)
}

func (s *service) wireHandshake(h *organization.Handshake) types.Handshake {
	resource := func(kind types.HandshakeResourceType, value string, of ...types.HandshakeResource) types.HandshakeResource {
		return types.HandshakeResource{Type: kind, Value: aws.String(value), Resources: of}
	}
	w := types.Handshake{
		Id: aws.String(h.ID), Arn: aws.String(h.ARN()), Action: types.ActionTypeInviteAccountToOrganization, State: types.HandshakeState(s.orgs.State(h)),
		RequestedTimestamp: aws.Time(h.RequestedAt), ExpirationTimestamp: aws.Time(h.ExpiresAt),
		Parties: []types.HandshakeParty{
			{Id: aws.String(h.Organization[len("o-"):]), Type: types.HandshakePartyTypeOrganization},
			{Id: aws.String(h.Account), Type: types.HandshakePartyTypeAccount},
		},
		Resources: []types.HandshakeResource{
			resource(types.HandshakeResourceTypeOrganization, h.Organization,
				resource(types.HandshakeResourceTypeMasterName, h.ManagementName),
				resource(types.HandshakeResourceTypeOrganizationFeatureSet, string(types.OrganizationFeatureSetAll))),
			resource(types.HandshakeResourceTypeAccount, h.Account),
		},
	}
	if h.Notes != "" {
		w.Resources = append(w.Resources, resource(types.HandshakeResourceTypeNotes, h.Notes))
	}
	return w
}

func (s *service) inviteAccount(
	ctx context.Context, c *api.Call, in *sdk.InviteAccountToOrganizationInput,
) (*sdk.InviteAccountToOrganizationOutput, error) {
	target := aws.ToString(in.Target.Id)
	if in.Target.Type != types.HandshakePartyTypeAccount {
		return nil, invalid("INVALID_PARTY_TYPE_TARGET", "You specified the wrong type of entity as a target: podid invites accounts by id.")
	}
	if arn.CheckAccount(target) != nil {
		return nil, invalid("INVALID_PATTERN_TARGET_ID", "The target id of an account has 12 digits.")
	}
	if err := s.also(c, "organizations:InviteAccountToOrganization", target, in); err != nil {
		return nil, err
	}
	if _, ok := s.iam.FindAccount(target); !ok {
		return nil, invalid("TARGET_NOT_SUPPORTED", "There is no account %s.", target)
	}
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	h, err := s.orgs.Invite(ctx, c.Account(), target, aws.ToString(in.Notes), tags)
	if err != nil {
		return nil, err
	}
	w := s.wireHandshake(h)
	return &sdk.InviteAccountToOrganizationOutput{Handshake: &w}, nil
}

func (s *service) describeHandshake(_ context.Context, c *api.Call, in *sdk.DescribeHandshakeInput) (*sdk.DescribeHandshakeOutput, error) {
	h, err := s.orgs.FindHandshake(c.Account(), aws.ToString(in.HandshakeId))
	if err != nil {
		return nil, err
	}
	w := s.wireHandshake(h)
	return &sdk.DescribeHandshakeOutput{Handshake: &w}, nil
}

func (s *service) acceptHandshake(ctx context.Context, c *api.Call, in *sdk.AcceptHandshakeInput) (*sdk.AcceptHandshakeOutput, error) {
	name, err := s.accountName(c)
	if err != nil {
		return nil, err
	}
	h, err := s.orgs.Accept(ctx, c.Account(), name, aws.ToString(in.HandshakeId))
	if err != nil {
		return nil, err
	}
	w := s.wireHandshake(h)
	return &sdk.AcceptHandshakeOutput{Handshake: &w}, nil
}

func (s *service) declineHandshake(ctx context.Context, c *api.Call, in *sdk.DeclineHandshakeInput) (*sdk.DeclineHandshakeOutput, error) {
	h, err := s.orgs.Decline(ctx, c.Account(), aws.ToString(in.HandshakeId))
	if err != nil {
		return nil, err
	}
	w := s.wireHandshake(h)
	return &sdk.DeclineHandshakeOutput{Handshake: &w}, nil
}

func (s *service) cancelHandshake(ctx context.Context, c *api.Call, in *sdk.CancelHandshakeInput) (*sdk.CancelHandshakeOutput, error) {
	h, err := s.orgs.Cancel(ctx, c.Account(), aws.ToString(in.HandshakeId))
	if err != nil {
		return nil, err
	}
	w := s.wireHandshake(h)
	return &sdk.CancelHandshakeOutput{Handshake: &w}, nil
}

func (s *service) listHandshakesForAccount(
	_ context.Context, c *api.Call, in *sdk.ListHandshakesForAccountInput,
) (*sdk.ListHandshakesForAccountOutput, error) {
	all := s.orgs.Handshakes(func(h *organization.Handshake) bool { return h.Account == c.Account() && keeps(in.Filter) })
	p, err := s.pagedHandshakes(all, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &sdk.ListHandshakesForAccountOutput{Handshakes: p.items, NextToken: p.next}, nil
}

func (s *service) listHandshakesForOrganization(
	_ context.Context, c *api.Call, in *sdk.ListHandshakesForOrganizationInput,
) (*sdk.ListHandshakesForOrganizationOutput, error) {
	o, err := s.orgs.View(c.Account())
	if err != nil {
		return nil, err
	}
	all := s.orgs.Handshakes(func(h *organization.Handshake) bool { return h.Organization == o.ID && keeps(in.Filter) })
	p, err := s.pagedHandshakes(all, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &sdk.ListHandshakesForOrganizationOutput{Handshakes: p.items, NextToken: p.next}, nil
}

// keeps reports whether a filter lets invitations through, which are the only handshakes there are. None has a parent.
func keeps(f *types.HandshakeFilter) bool {
	return f == nil || (f.ActionType == "" || f.ActionType == types.ActionTypeInviteAccountToOrganization) && aws.ToString(f.ParentHandshakeId) == ""
}

func (s *service) pagedHandshakes(all iter.Seq[*organization.Handshake], token *string, limit *int32) (page[types.Handshake], error) {
	return paged(all, func(h *organization.Handshake) string { return h.ID }, s.wireHandshake, token, limit)
}
