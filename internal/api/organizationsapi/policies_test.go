package organizationsapi_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/podid/podid/internal/api/apitest"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/organization"
)

const denyLeaving = `{"Version":"2012-10-17","Statement":[{"Sid":"Secret","Effect":"Deny","Action":"organizations:LeaveOrganization","Resource":"*"}]}`

func scp(name, content string) *organizations.CreatePolicyInput {
	return &organizations.CreatePolicyInput{
		Name: &name, Content: &content, Description: aws.String("about " + name), Type: types.PolicyTypeServiceControlPolicy,
	}
}

// TestPolicies walks a policy from its creation to its end, and holds that it binds while it is attached.
func TestPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	id, root := w.organization()
	w.join()

	made, err := w.own.CreatePolicy(ctx, scp("stay", denyLeaving))
	must(t, err)
	p := made.Policy.PolicySummary
	if *p.Arn != "arn:aws:organizations::"+own+":policy/"+id+"/service_control_policy/"+*p.Id || p.AwsManaged || *made.Policy.Content != denyLeaving {
		t.Errorf("made %+v", p)
	}
	_, err = w.own.CreatePolicy(ctx, scp("stay", denyLeaving))
	apitest.Refused(t, err, "DuplicatePolicyException", 400)
	_, err = w.own.CreatePolicy(ctx, scp("bad", `{"Version":"2012-10-17"}`))
	apitest.Refused(t, err, "MalformedPolicyDocumentException", 400)
	_, err = w.own.CreatePolicy(ctx, &organizations.CreatePolicyInput{
		Name: aws.String("t"), Content: aws.String("{}"), Description: aws.String(""), Type: types.PolicyTypeTagPolicy,
	})
	apitest.Refused(t, err, "PolicyTypeNotAvailableForOrganizationException", 400)

	full, err := w.own.DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: aws.String("p-FullAWSAccess")})
	must(t, err)
	if s := full.Policy.PolicySummary; *s.Arn != "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess" || !s.AwsManaged {
		t.Errorf("full access %+v", s)
	}
	listed, err := w.own.ListPolicies(ctx, &organizations.ListPoliciesInput{Filter: types.PolicyTypeServiceControlPolicy})
	must(t, err)
	none, err := w.own.ListPolicies(ctx, &organizations.ListPoliciesInput{Filter: types.PolicyTypeTagPolicy})
	must(t, err)
	if len(listed.Policies) != 2 || len(none.Policies) != 0 {
		t.Errorf("listed %+v, of another type %+v", listed.Policies, none.Policies)
	}
	_, err = w.own.ListPolicies(ctx, &organizations.ListPoliciesInput{Filter: "NO_POLICY"})
	if apitest.Refused(t, err, "InvalidInputException", 400); reason(t, err) != "INVALID_ENUM_POLICY_TYPE" {
		t.Error(err)
	}

	attach := &organizations.AttachPolicyInput{PolicyId: p.Id, TargetId: aws.String(other)}
	_, err = w.own.AttachPolicy(ctx, attach)
	must(t, err)
	_, err = w.own.AttachPolicy(ctx, attach)
	apitest.Refused(t, err, "DuplicatePolicyAttachmentException", 400)
	_, err = w.other.LeaveOrganization(ctx, &organizations.LeaveOrganizationInput{})
	text := apitest.Refused(t, err, "AccessDeniedException", 400)
	if !strings.Contains(text, "with an explicit deny in a service control policy") || strings.Contains(text, "Secret") {
		t.Errorf("the member is told %q", text)
	}
	targets, err := w.own.ListTargetsForPolicy(ctx, &organizations.ListTargetsForPolicyInput{PolicyId: p.Id})
	must(t, err)
	if len(targets.Targets) != 1 || *targets.Targets[0].TargetId != other || targets.Targets[0].Type != types.TargetTypeAccount ||
		*targets.Targets[0].Name != "a"+other {
		t.Errorf("targets %+v", targets.Targets)
	}
	of, err := w.own.ListPoliciesForTarget(ctx, &organizations.ListPoliciesForTargetInput{TargetId: aws.String(other), Filter: types.PolicyTypeServiceControlPolicy})
	must(t, err)
	if len(of.Policies) != 2 {
		t.Errorf("attached %+v", of.Policies)
	}
	_, err = w.own.DeletePolicy(ctx, &organizations.DeletePolicyInput{PolicyId: p.Id})
	apitest.Refused(t, err, "PolicyInUseException", 400)
	_, err = w.own.DetachPolicy(ctx, &organizations.DetachPolicyInput{PolicyId: aws.String("p-FullAWSAccess"), TargetId: &root})
	if apitest.Refused(t, err, "ConstraintViolationException", 400); reason(t, err) != "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED" {
		t.Error(err)
	}
	_, err = w.own.UpdatePolicy(ctx, &organizations.UpdatePolicyInput{PolicyId: p.Id, Content: aws.String(strings.Replace(denyLeaving, "Leave", "Describe", 1))})
	must(t, err)
	_, err = w.own.DetachPolicy(ctx, &organizations.DetachPolicyInput{PolicyId: p.Id, TargetId: aws.String(other)})
	must(t, err)
	_, err = w.own.DetachPolicy(ctx, &organizations.DetachPolicyInput{PolicyId: p.Id, TargetId: aws.String(other)})
	apitest.Refused(t, err, "PolicyNotAttachedException", 400)
	_, err = w.other.LeaveOrganization(ctx, &organizations.LeaveOrganizationInput{})
	must(t, err)
	_, err = w.own.DeletePolicy(ctx, &organizations.DeletePolicyInput{PolicyId: p.Id})
	must(t, err)
	_, err = w.own.DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: p.Id})
	apitest.Refused(t, err, "PolicyNotFoundException", 400)

	_, err = w.own.EnablePolicyType(ctx, &organizations.EnablePolicyTypeInput{RootId: &root, PolicyType: types.PolicyTypeResourceControlPolicy})
	must(t, err)
	_, err = w.own.EnablePolicyType(ctx, &organizations.EnablePolicyTypeInput{RootId: &root, PolicyType: types.PolicyTypeResourceControlPolicy})
	apitest.Refused(t, err, "PolicyTypeAlreadyEnabledException", 400)
	disabled, err := w.own.DisablePolicyType(ctx, &organizations.DisablePolicyTypeInput{RootId: &root, PolicyType: types.PolicyTypeResourceControlPolicy})
	must(t, err)
	if len(disabled.Root.PolicyTypes) != 1 {
		t.Errorf("policy types %+v", disabled.Root.PolicyTypes)
	}
	_, err = w.own.DisablePolicyType(ctx, &organizations.DisablePolicyTypeInput{RootId: &root, PolicyType: types.PolicyTypeTagPolicy})
	apitest.Refused(t, err, "PolicyTypeNotEnabledException", 400)
	_, err = w.own.DescribeEffectivePolicy(ctx, &organizations.DescribeEffectivePolicyInput{PolicyType: types.EffectivePolicyTypeTagPolicy})
	apitest.Refused(t, err, "EffectivePolicyNotFoundException", 400)
}

// TestOtherServices holds the reads of what there is not.
func TestOtherServices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.organization()
	access, err := w.own.ListAWSServiceAccessForOrganization(ctx, &organizations.ListAWSServiceAccessForOrganizationInput{})
	must(t, err)
	administrators, err := w.own.ListDelegatedAdministrators(ctx, &organizations.ListDelegatedAdministratorsInput{})
	must(t, err)
	if len(access.EnabledServicePrincipals)+len(administrators.DelegatedAdministrators) != 0 {
		t.Errorf("%+v, %+v", access, administrators)
	}
	_, err = w.own.ListDelegatedServicesForAccount(ctx, &organizations.ListDelegatedServicesForAccountInput{AccountId: aws.String(own)})
	apitest.Refused(t, err, "AccountNotRegisteredException", 400)
	_, err = w.own.DescribeResourcePolicy(ctx, &organizations.DescribeResourcePolicyInput{})
	apitest.Refused(t, err, "ResourcePolicyNotFoundException", 400)
	_, err = w.own.EnableAWSServiceAccess(ctx, &organizations.EnableAWSServiceAccessInput{ServicePrincipal: aws.String("x.amazonaws.com")})
	apitest.Refused(t, err, "UnknownOperationException", 400)
}

// TestInput holds that malformed input is refused before anything is asked.
func TestInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	_, root := w.organization()
	for _, tt := range []struct {
		reason string
		call   func(*organizations.Client) error
	}{
		{"INVALID_PATTERN", func(c *organizations.Client) error {
			_, err := c.DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: aws.String("p-*")})
			return err
		}},
		{"MAX_VALUE_EXCEEDED", func(c *organizations.Client) error {
			_, err := c.ListAccounts(ctx, &organizations.ListAccountsInput{MaxResults: aws.Int32(21)})
			return err
		}},
		{"MIN_VALUE_EXCEEDED", func(c *organizations.Client) error {
			_, err := c.ListAccounts(ctx, &organizations.ListAccountsInput{MaxResults: aws.Int32(0)})
			return err
		}},
		{"INVALID_NEXT_TOKEN", func(c *organizations.Client) error {
			_, err := c.ListAccounts(ctx, &organizations.ListAccountsInput{NextToken: aws.String("%")})
			return err
		}},
		{"INVALID_PARTY_TYPE_TARGET", func(c *organizations.Client) error {
			in := invitation(other)
			in.Target.Type = types.HandshakePartyTypeEmail
			_, err := c.InviteAccountToOrganization(ctx, in)
			return err
		}},
		{"DUPLICATE_TAG_KEY", func(c *organizations.Client) error {
			_, err := c.TagResource(ctx, &organizations.TagResourceInput{ResourceId: &root, Tags: []types.Tag{
				{Key: aws.String("k"), Value: aws.String("1")}, {Key: aws.String("k"), Value: aws.String("2")},
			}})
			return err
		}},
		{"INVALID_SYSTEM_TAGS_PARAMETER", func(c *organizations.Client) error {
			_, err := c.TagResource(ctx, &organizations.TagResourceInput{ResourceId: &root, Tags: []types.Tag{{Key: aws.String("aws:k"), Value: aws.String("1")}}})
			return err
		}},
		{"INVALID_PATTERN", func(c *organizations.Client) error {
			_, err := c.CreateAccount(ctx, &organizations.CreateAccountInput{AccountName: aws.String("x"), Email: aws.String("not an address")})
			return err
		}},
		{"INVALID_ROLE_NAME", func(c *organizations.Client) error {
			_, err := c.CreateAccount(ctx, &organizations.CreateAccountInput{AccountName: aws.String("x"), Email: aws.String("a@example.com"), RoleName: aws.String("a b")})
			return err
		}},
	} {
		err := tt.call(w.own)
		if apitest.Refused(t, err, "InvalidInputException", 400); reason(t, err) != tt.reason {
			t.Errorf("%v, want %s", err, tt.reason)
		}
	}
}

// TestPermissions holds which resources and keys the permissions of calls are about.
func TestPermissions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	id, root := w.organization()
	w.join()
	const prefix = "arn:aws:organizations::" + own + ":"
	one, err := w.own.CreatePolicy(ctx, scp("one", denyLeaving))
	must(t, err)
	two, err := w.own.CreatePolicy(ctx, scp("two", denyLeaving))
	must(t, err)
	_, err = w.own.TagResource(ctx, &organizations.TagResourceInput{ResourceId: aws.String(other), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}}})
	must(t, err)
	limited := w.user(own, "limited", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"organizations:AttachPolicy","Resource":["`+prefix+`policy/`+id+`/service_control_policy/`+*one.Policy.PolicySummary.Id+`","`+
		prefix+`account/`+id+`/`+other+`"],"Condition":{"StringEquals":{"organizations:PolicyType":"SERVICE_CONTROL_POLICY"}}},
		{"Effect":"Allow","Action":"organizations:DescribeAccount","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"a"}}},
		{"Effect":"Allow","Action":"organizations:CreateOrganizationalUnit","Resource":"`+prefix+`root/`+id+`/`+root+`","Condition":{"StringEquals":{"aws:RequestTag/team":"a"}}},
		{"Effect":"Allow","Action":"organizations:ListPolicies","Resource":"*","Condition":{"StringEquals":{"organizations:PolicyType":"SERVICE_CONTROL_POLICY"}}}]}`)
	attach := func(policy, target string) error {
		_, err := limited.AttachPolicy(ctx, &organizations.AttachPolicyInput{PolicyId: &policy, TargetId: &target})
		return err
	}
	unit := func(team string) error {
		_, err := limited.CreateOrganizationalUnit(ctx, &organizations.CreateOrganizationalUnitInput{
			ParentId: &root, Name: aws.String("u"), Tags: []types.Tag{{Key: aws.String("team"), Value: &team}},
		})
		return err
	}
	list := func(of types.PolicyType) error {
		_, err := limited.ListPolicies(ctx, &organizations.ListPoliciesInput{Filter: of})
		return err
	}
	describe := func(account string) error {
		_, err := limited.DescribeAccount(ctx, &organizations.DescribeAccountInput{AccountId: &account})
		return err
	}
	for name, tt := range map[string]struct {
		err     error
		allowed bool
	}{
		"the policy and the target":  {attach(*one.Policy.PolicySummary.Id, other), true},
		"another policy":             {attach(*two.Policy.PolicySummary.Id, other), false},
		"another target":             {attach(*one.Policy.PolicySummary.Id, root), false},
		"a unit with the tag":        {unit("a"), true},
		"a unit with another tag":    {unit("b"), false},
		"policies of the type":       {list(types.PolicyTypeServiceControlPolicy), true},
		"policies of another type":   {list(types.PolicyTypeResourceControlPolicy), false},
		"an account with the tag":    {describe(other), true},
		"an account without the tag": {describe(own), false},
	} {
		if tt.allowed {
			if tt.err != nil {
				t.Errorf("%s: %v", name, tt.err)
			}
			continue
		}
		apitest.Refused(t, tt.err, "AccessDeniedException", 400)
	}
}

// TestAccountIsFinished holds that a request whose process ended in the middle is finished by the next question about it, however far
// it had come, and that nobody else's account is taken for its own.
func TestAccountIsFinished(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		before func(context.Context, *world, *organization.AccountRequest) error
		want   types.CreateAccountState
	}{
		"nothing was made": {func(context.Context, *world, *organization.AccountRequest) error { return nil }, types.CreateAccountStateSucceeded},
		"the account was made": {func(ctx context.Context, w *world, r *organization.AccountRequest) error {
			_, err := w.IAM.CreateAccount(ctx, r.AccountID, r.AccountName)
			return err
		}, types.CreateAccountStateSucceeded},
		"somebody else has the id": {func(ctx context.Context, w *world, r *organization.AccountRequest) error {
			_, err := w.IAM.Bootstrap(ctx, r.AccountID, r.AccountName)
			return err
		}, types.CreateAccountStateFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			ctx := t.Context()
			w.organization()
			r, err := w.Organizations.BeginAccount(ctx, own, organization.AccountRequest{
				AccountID: "777788889999", AccountName: "shop", Email: "shop@example.com", RoleName: "Admin",
			})
			must(t, err)
			must(t, tt.before(ctx, w, r))
			got, err := w.own.DescribeCreateAccountStatus(ctx, &organizations.DescribeCreateAccountStatusInput{CreateAccountRequestId: &r.ID})
			must(t, err)
			if got.CreateAccountStatus.State != tt.want {
				t.Fatalf("state %+v", got.CreateAccountStatus)
			}
			_, member := w.IAM.FindRole(r.AccountID, "Admin")
			accounts, err := w.own.ListAccounts(ctx, &organizations.ListAccountsInput{})
			must(t, err)
			listed := slices.ContainsFunc(accounts.Accounts, func(a types.Account) bool { return *a.Id == r.AccountID })
			if want := tt.want == types.CreateAccountStateSucceeded; member != want || listed != want {
				t.Errorf("role %v, listed %v", member, listed)
			}
			if _, err := w.Organizations.Describe(r.AccountID); tt.want == types.CreateAccountStateFailed && !errors.Is(err, fault.NotFound) {
				t.Error("the other's account is a member")
			}
		})
	}
}
