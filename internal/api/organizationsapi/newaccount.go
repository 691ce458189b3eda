package organizationsapi

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/organization"
	"github.com/podid/podid/internal/policy"
)

// The role by which the management account administers an account that it made.
const (
	defaultRole       = "OrganizationAccountAccessRole"
	administratorsARN = "arn:aws:iam::aws:policy/AdministratorAccess"
	maxRoleName       = 64
)

// createAccount makes an account. The request for it is written down first, with the account's id, and is finished by whoever asks
// for its status should this process not get to its end: each step can be done twice.
func (s *service) createAccount(ctx context.Context, c *api.Call, in *sdk.CreateAccountInput) (*sdk.CreateAccountOutput, error) {
	o, err := s.orgs.View(c.Account())
	if err != nil {
		return nil, err
	}
	if a, ok := s.iam.FindAccount(o.Management); !ok || !a.Management {
		return nil, fault.New(fault.Denied, "account",
			"Accounts are made by the first account of this control plane only. Have one made there and invite it to the organization.")
	}
	role := aws.ToString(in.RoleName)
	if role == "" {
		role = defaultRole
	}
	if !isRoleName(role) {
		return nil, invalid("INVALID_ROLE_NAME", "You provided a role name that isn't valid.")
	}
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	id, err := s.unusedAccountID()
	if err != nil {
		return nil, err
	}
	r, err := s.orgs.BeginAccount(ctx, c.Account(), organization.AccountRequest{
		AccountID: id, AccountName: aws.ToString(in.AccountName), Email: aws.ToString(in.Email), RoleName: role, Tags: tags,
	})
	if err != nil {
		return nil, err
	}
	if r, err = s.finish(ctx, o, r); err != nil {
		return nil, err
	}
	return &sdk.CreateAccountOutput{CreateAccountStatus: wireRequest(r)}, nil
}

func (s *service) unusedAccountID() (string, error) {
	for {
		id, err := s.orgs.NewAccountID()
		if err != nil {
			return "", err
		}
		if _, taken := s.iam.FindAccount(id); !taken {
			return id, nil
		}
	}
}

func isRoleName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !slices.Contains([]byte("_+=,.@-"), c) {
			return false
		}
	}
	return len(name) <= maxRoleName
}

// finish brings a request for an account to its end. Where the state does not answer the request stays in progress, and the next
// question about it finishes it.
func (s *service) finish(ctx context.Context, o *organization.Organization, r *organization.AccountRequest) (*organization.AccountRequest, error) {
	if r.State != organization.InProgress {
		return r, nil
	}
	failure := ""
	switch err := s.build(ctx, o, r); {
	case errors.Is(err, fault.Unavailable):
		return r, nil
	case err != nil:
		failure = "INTERNAL_FAILURE"
	}
	done, err := s.orgs.FinishAccount(ctx, o.Management, r.ID, failure)
	if errors.Is(err, fault.Exists) { // somebody else took the account into another organization
		done, err = s.orgs.FinishAccount(ctx, o.Management, r.ID, "CONCURRENT_ACCOUNT_MODIFICATION")
	}
	return done, err
}

var errTaken = errors.New("the account id was taken meanwhile")

// build makes the account and the role in it, as far as they are not there.
func (s *service) build(ctx context.Context, o *organization.Organization, r *organization.AccountRequest) error {
	switch _, err := s.iam.CreateAccount(ctx, r.AccountID, r.AccountName); {
	case errors.Is(err, fault.Exists):
		if !s.ours(r) {
			return errTaken
		}
	case err != nil:
		return err
	}
	_, err := s.iam.CreateRole(ctx, iam.Role{
		Account: r.AccountID, Name: r.RoleName, Attached: []string{administratorsARN},
		Trust: policy.NewSource(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + arn.Root(o.Management) +
			`"},"Action":"sts:AssumeRole"}]}`),
	})
	if errors.Is(err, fault.Exists) {
		return nil
	}
	return err
}

// ours reports whether an account that is there is what an earlier attempt made: of the same name, and without anything that only its
// owner can have made.
func (s *service) ours(r *organization.AccountRequest) bool {
	a, ok := s.iam.FindAccount(r.AccountID)
	if !ok || a.Name != r.AccountName || len(a.RootKeys) > 0 {
		return false
	}
	for range s.iam.AllUsers(r.AccountID) {
		return false
	}
	return true
}

func wireRequest(r *organization.AccountRequest) *types.CreateAccountStatus {
	w := &types.CreateAccountStatus{
		Id: aws.String(r.ID), AccountName: aws.String(r.AccountName), State: types.CreateAccountState(r.State),
		RequestedTimestamp: aws.Time(r.RequestedAt), FailureReason: types.CreateAccountFailureReason(r.FailureReason),
	}
	if r.State != organization.InProgress {
		w.CompletedTimestamp = aws.Time(r.CompletedAt)
	}
	if r.State == organization.Succeeded {
		w.AccountId = aws.String(r.AccountID)
	}
	return w
}

func (s *service) describeCreateAccountStatus(
	ctx context.Context, c *api.Call, in *sdk.DescribeCreateAccountStatusInput,
) (*sdk.DescribeCreateAccountStatusOutput, error) {
	o, err := s.orgs.View(c.Account())
	if err != nil {
		return nil, err
	}
	r, err := s.orgs.FindRequest(o, aws.ToString(in.CreateAccountRequestId))
	if err != nil {
		return nil, err
	}
	if r, err = s.finish(ctx, o, r); err != nil {
		return nil, err
	}
	return &sdk.DescribeCreateAccountStatusOutput{CreateAccountStatus: wireRequest(r)}, nil
}

func (s *service) listCreateAccountStatus(
	ctx context.Context, c *api.Call, in *sdk.ListCreateAccountStatusInput,
) (*sdk.ListCreateAccountStatusOutput, error) {
	o, err := s.orgs.View(c.Account())
	if err != nil {
		return nil, err
	}
	for _, state := range in.States {
		if !slices.Contains(state.Values(), state) {
			return nil, invalid("INVALID_ENUM", "You specified an invalid value for States.")
		}
	}
	for r := range s.orgs.Requests(o) {
		if _, err := s.finish(ctx, o, r); err != nil {
			return nil, err
		}
	}
	all := api.Where(s.orgs.Requests(o), func(r *organization.AccountRequest) bool {
		return len(in.States) == 0 || slices.Contains(in.States, types.CreateAccountState(r.State))
	})
	p, err := paged(all, func(r *organization.AccountRequest) string { return r.ID },
		func(r *organization.AccountRequest) types.CreateAccountStatus { return *wireRequest(r) }, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &sdk.ListCreateAccountStatusOutput{CreateAccountStatuses: p.items, NextToken: p.next}, nil
}
