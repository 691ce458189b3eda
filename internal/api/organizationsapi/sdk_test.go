package organizationsapi_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/api/apitest"
	"github.com/podid/podid/internal/api/stsapi"
	"github.com/podid/podid/internal/iam"
)

func iamUser(account, name string) iam.User { return iam.User{Account: account, Name: name} }

func invitation(account string) *organizations.InviteAccountToOrganizationInput {
	return &organizations.InviteAccountToOrganizationInput{Target: &types.HandshakeParty{Id: aws.String(account), Type: types.HandshakePartyTypeAccount}}
}

// reason is what a refusal carries beside code and text.
func reason(t *testing.T, err error) string {
	t.Helper()
	if e, ok := errors.AsType[*types.ConstraintViolationException](err); ok {
		return string(e.Reason)
	}
	if e, ok := errors.AsType[*types.InvalidInputException](err); ok {
		return string(e.Reason)
	}
	if e, ok := errors.AsType[*types.HandshakeConstraintViolationException](err); ok {
		return string(e.Reason)
	}
	t.Fatalf("%v has no reason", err)
	return ""
}

func TestOrganization(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()

	_, err := w.own.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
	apitest.Refused(t, err, "AWSOrganizationsNotInUseException", 400)
	_, err = w.own.CreateOrganization(ctx, &organizations.CreateOrganizationInput{FeatureSet: types.OrganizationFeatureSetConsolidatedBilling})
	apitest.Refused(t, err, "InvalidInputException", 400)

	made, err := w.own.CreateOrganization(ctx, &organizations.CreateOrganizationInput{FeatureSet: types.OrganizationFeatureSetAll})
	must(t, err)
	o := made.Organization
	if !strings.HasPrefix(*o.Id, "o-") || *o.Arn != "arn:aws:organizations::"+own+":organization/"+*o.Id || *o.MasterAccountId != own ||
		*o.MasterAccountArn != "arn:aws:organizations::"+own+":account/"+*o.Id+"/"+own || o.FeatureSet != types.OrganizationFeatureSetAll {
		t.Errorf("made %+v", o)
	}
	if len(o.AvailablePolicyTypes) != 1 || o.AvailablePolicyTypes[0].Type != types.PolicyTypeServiceControlPolicy {
		t.Errorf("policy types %+v", o.AvailablePolicyTypes)
	}
	roots, err := w.own.ListRoots(ctx, &organizations.ListRootsInput{})
	must(t, err)
	if len(roots.Roots) != 1 || len(roots.Roots[0].PolicyTypes) != 0 {
		t.Errorf("roots %+v: no type of policy is enabled yet", roots.Roots)
	}
	_, err = w.own.CreateOrganization(ctx, &organizations.CreateOrganizationInput{})
	apitest.Refused(t, err, "AlreadyInOrganizationException", 400)
	_, err = w.own.EnableAllFeatures(ctx, &organizations.EnableAllFeaturesInput{})
	if apitest.Refused(t, err, "HandshakeConstraintViolationException", 400); reason(t, err) != "ORGANIZATION_ALREADY_HAS_ALL_FEATURES" {
		t.Error(err)
	}
	accounts, err := w.own.ListAccounts(ctx, &organizations.ListAccountsInput{})
	must(t, err)
	if len(accounts.Accounts) != 1 || *accounts.Accounts[0].Id != own || *accounts.Accounts[0].Name != "a"+own ||
		accounts.Accounts[0].Status != types.AccountStatusActive || accounts.Accounts[0].JoinedTimestamp.IsZero() {
		t.Errorf("accounts %+v", accounts.Accounts)
	}
	_, err = w.own.LeaveOrganization(ctx, &organizations.LeaveOrganizationInput{})
	apitest.Refused(t, err, "MasterCannotLeaveOrganizationException", 400)
	_, err = w.own.DeleteOrganization(ctx, &organizations.DeleteOrganizationInput{})
	must(t, err)
	_, err = w.own.ListRoots(ctx, &organizations.ListRootsInput{})
	apitest.Refused(t, err, "AWSOrganizationsNotInUseException", 400)
}

func TestInvitation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	id, _ := w.organization()

	_, err := w.own.InviteAccountToOrganization(ctx, invitation("999999999999"))
	if apitest.Refused(t, err, "InvalidInputException", 400); reason(t, err) != "TARGET_NOT_SUPPORTED" {
		t.Error(err)
	}
	invited, err := w.own.InviteAccountToOrganization(ctx, invitation(other))
	must(t, err)
	h := invited.Handshake
	if h.State != types.HandshakeStateOpen || *h.Arn != "arn:aws:organizations::"+own+":handshake/"+id+"/invite/"+*h.Id {
		t.Errorf("handshake %+v", h)
	}
	_, err = w.own.InviteAccountToOrganization(ctx, invitation(other))
	apitest.Refused(t, err, "DuplicateHandshakeException", 400)
	_, err = w.own.AcceptHandshake(ctx, &organizations.AcceptHandshakeInput{HandshakeId: h.Id})
	apitest.Refused(t, err, "AccessDeniedException", 400)
	third := w.account("777788889999")
	_, err = third.DescribeHandshake(ctx, &organizations.DescribeHandshakeInput{HandshakeId: h.Id})
	apitest.Refused(t, err, "HandshakeNotFoundException", 400)
	_, err = third.AcceptHandshake(ctx, &organizations.AcceptHandshakeInput{HandshakeId: h.Id})
	apitest.Refused(t, err, "HandshakeNotFoundException", 400)

	_, err = w.other.DeclineHandshake(ctx, &organizations.DeclineHandshakeInput{HandshakeId: h.Id})
	must(t, err)
	_, err = w.other.AcceptHandshake(ctx, &organizations.AcceptHandshakeInput{HandshakeId: h.Id})
	apitest.Refused(t, err, "InvalidHandshakeTransitionException", 400)
	again, err := w.own.InviteAccountToOrganization(ctx, invitation(other))
	must(t, err)
	_, err = w.own.CancelHandshake(ctx, &organizations.CancelHandshakeInput{HandshakeId: again.Handshake.Id})
	must(t, err)
	_, err = w.own.CancelHandshake(ctx, &organizations.CancelHandshakeInput{HandshakeId: again.Handshake.Id})
	apitest.Refused(t, err, "HandshakeAlreadyInStateException", 400)
	w.join()

	theirs, err := w.other.ListHandshakesForAccount(ctx, &organizations.ListHandshakesForAccountInput{})
	must(t, err)
	ours, err := w.own.ListHandshakesForOrganization(ctx, &organizations.ListHandshakesForOrganizationInput{})
	must(t, err)
	states := func(list []types.Handshake) []string {
		var out []string
		for _, h := range list {
			out = append(out, string(h.State))
		}
		slices.Sort(out)
		return out
	}
	want := []string{"ACCEPTED", "CANCELED", "DECLINED"}
	if !cmp.Equal(states(theirs.Handshakes), want) || !cmp.Equal(states(ours.Handshakes), want) {
		t.Errorf("handshakes %v, %v", states(theirs.Handshakes), states(ours.Handshakes))
	}
	if _, err := w.other.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{}); err != nil {
		t.Error("a member may describe its organization:", err)
	}
	for _, c := range []*organizations.Client{w.other, third} {
		if _, err := c.ListAccounts(ctx, &organizations.ListAccountsInput{}); err == nil {
			t.Error("only the management account lists accounts")
		}
	}
	_, err = w.other.CreateOrganization(ctx, &organizations.CreateOrganizationInput{})
	apitest.Refused(t, err, "AlreadyInOrganizationException", 400)
	_, err = w.own.DeleteOrganization(ctx, &organizations.DeleteOrganizationInput{})
	apitest.Refused(t, err, "OrganizationNotEmptyException", 400)
	_, err = w.other.LeaveOrganization(ctx, &organizations.LeaveOrganizationInput{})
	must(t, err)
	w.join()
	_, err = w.own.RemoveAccountFromOrganization(ctx, &organizations.RemoveAccountFromOrganizationInput{AccountId: aws.String(other)})
	must(t, err)
	_, err = w.own.DescribeAccount(ctx, &organizations.DescribeAccountInput{AccountId: aws.String(other)})
	apitest.Refused(t, err, "AccountNotFoundException", 400)
}

func TestUnits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	id, root := w.organization()
	w.join()
	create := func(parent, name string) (string, error) {
		out, err := w.own.CreateOrganizationalUnit(ctx, &organizations.CreateOrganizationalUnitInput{
			ParentId: &parent, Name: &name, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}},
		})
		if err != nil {
			return "", err
		}
		return *out.OrganizationalUnit.Id, nil
	}
	parent, units := root, []string{}
	for _, name := range []string{"1", "2", "3", "4", "5"} {
		unit, err := create(parent, name)
		must(t, err)
		units, parent = append(units, unit), unit
	}
	_, err := create(parent, "6")
	if apitest.Refused(t, err, "ConstraintViolationException", 400); reason(t, err) != "OU_DEPTH_LIMIT_EXCEEDED" {
		t.Error(err)
	}
	_, err = create(root, "1")
	apitest.Refused(t, err, "DuplicateOrganizationalUnitException", 400)
	_, err = create("ou-none-12345678", "x")
	apitest.Refused(t, err, "ParentNotFoundException", 400)

	deepest, err := w.own.DescribeOrganizationalUnit(ctx, &organizations.DescribeOrganizationalUnitInput{OrganizationalUnitId: &parent})
	must(t, err)
	if want := id + "/" + root + "/" + strings.Join(units, "/") + "/"; *deepest.OrganizationalUnit.Path != want {
		t.Errorf("path %s, want %s", *deepest.OrganizationalUnit.Path, want)
	}
	_, err = w.own.UpdateOrganizationalUnit(ctx, &organizations.UpdateOrganizationalUnitInput{OrganizationalUnitId: &parent, Name: aws.String("five")})
	must(t, err)
	move := func(from, to string) error {
		_, err := w.own.MoveAccount(ctx, &organizations.MoveAccountInput{AccountId: aws.String(other), SourceParentId: &from, DestinationParentId: &to})
		return err
	}
	apitest.Refused(t, move(parent, root), "SourceParentNotFoundException", 400)
	apitest.Refused(t, move(root, "ou-none-12345678"), "DestinationParentNotFoundException", 400)
	apitest.Refused(t, move(root, root), "DuplicateAccountException", 400)
	must(t, move(root, parent))
	_, err = w.own.DeleteOrganizationalUnit(ctx, &organizations.DeleteOrganizationalUnitInput{OrganizationalUnitId: &parent})
	apitest.Refused(t, err, "OrganizationalUnitNotEmptyException", 400)

	parents, err := w.own.ListParents(ctx, &organizations.ListParentsInput{ChildId: aws.String(other)})
	must(t, err)
	if len(parents.Parents) != 1 || *parents.Parents[0].Id != parent || parents.Parents[0].Type != types.ParentTypeOrganizationalUnit {
		t.Errorf("parents %+v", parents.Parents)
	}
	children, err := w.own.ListChildren(ctx, &organizations.ListChildrenInput{ParentId: &parent, ChildType: types.ChildTypeAccount})
	must(t, err)
	in, err := w.own.ListAccountsForParent(ctx, &organizations.ListAccountsForParentInput{ParentId: &parent})
	must(t, err)
	if len(children.Children) != 1 || len(in.Accounts) != 1 || *in.Accounts[0].Id != other {
		t.Errorf("children %+v, accounts %+v", children.Children, in.Accounts)
	}
	tags, err := w.own.ListTagsForResource(ctx, &organizations.ListTagsForResourceInput{ResourceId: &parent})
	must(t, err)
	if len(tags.Tags) != 1 || *tags.Tags[0].Key != "team" {
		t.Errorf("tags %+v", tags.Tags)
	}
	_, err = w.own.UntagResource(ctx, &organizations.UntagResourceInput{ResourceId: &parent, TagKeys: []string{"team"}})
	must(t, err)
	_, err = w.own.TagResource(ctx, &organizations.TagResourceInput{ResourceId: aws.String("p-0123456789"), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("")}}})
	apitest.Refused(t, err, "TargetNotFoundException", 400)

	for i := range 25 {
		_, err := create(root, "many-"+string(rune('a'+i)))
		must(t, err)
	}
	n, pages := 0, 0
	for p := organizations.NewListOrganizationalUnitsForParentPaginator(w.own, &organizations.ListOrganizationalUnitsForParentInput{ParentId: &root}); p.HasMorePages(); pages++ {
		page, err := p.NextPage(ctx)
		must(t, err)
		n += len(page.OrganizationalUnits)
	}
	if n != 26 || pages != 2 {
		t.Errorf("%d units on %d pages", n, pages)
	}
}

func TestCreateAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.organization()
	in := &organizations.CreateAccountInput{AccountName: aws.String("shop"), Email: aws.String("shop@example.com")}
	made, err := w.own.CreateAccount(ctx, in)
	must(t, err)
	status := made.CreateAccountStatus
	if status.State != types.CreateAccountStateSucceeded || !strings.HasPrefix(*status.Id, "car-") {
		t.Fatalf("status %+v", status)
	}
	again, err := w.own.CreateAccount(ctx, in)
	must(t, err)
	if again.CreateAccountStatus.FailureReason != types.CreateAccountFailureReasonEmailAlreadyExists || again.CreateAccountStatus.AccountId != nil {
		t.Errorf("the same e-mail address: %+v", again.CreateAccountStatus)
	}
	described, err := w.own.DescribeCreateAccountStatus(ctx, &organizations.DescribeCreateAccountStatusInput{CreateAccountRequestId: status.Id})
	must(t, err)
	if *described.CreateAccountStatus.AccountId != *status.AccountId {
		t.Errorf("described %+v", described.CreateAccountStatus)
	}
	failed, err := w.own.ListCreateAccountStatus(ctx, &organizations.ListCreateAccountStatusInput{States: []types.CreateAccountState{types.CreateAccountStateFailed}})
	must(t, err)
	if len(failed.CreateAccountStatuses) != 1 {
		t.Errorf("failed %+v", failed.CreateAccountStatuses)
	}
	account, err := w.own.DescribeAccount(ctx, &organizations.DescribeAccountInput{AccountId: status.AccountId})
	must(t, err)
	if a := account.Account; *a.Email != "shop@example.com" || *a.Name != "shop" || a.JoinedMethod != types.AccountJoinedMethodCreated {
		t.Errorf("account %+v", a)
	}
	role, ok := w.IAM.FindRole(*status.AccountId, "OrganizationAccountAccessRole")
	if !ok || !slices.Equal(role.Attached, []string{"arn:aws:iam::aws:policy/AdministratorAccess"}) {
		t.Errorf("role %+v", role)
	}
	_, err = w.own.CloseAccount(ctx, &organizations.CloseAccountInput{AccountId: status.AccountId})
	apitest.Refused(t, err, "UnsupportedAPIEndpointException", 400)
	_, err = w.own.DescribeCreateAccountStatus(ctx, &organizations.DescribeCreateAccountStatusInput{CreateAccountRequestId: aws.String("car-00000000")})
	apitest.Refused(t, err, "CreateAccountStatusNotFoundException", 400)

	// The first account makes accounts; an organization of another one invites.
	_, err = w.other.CreateOrganization(ctx, &organizations.CreateOrganizationInput{})
	must(t, err)
	_, err = w.other.CreateAccount(ctx, &organizations.CreateAccountInput{AccountName: aws.String("x"), Email: aws.String("x@example.com")})
	apitest.Refused(t, err, "AccessDeniedException", 400)
	for i := range 9 {
		_, err = w.own.CreateAccount(ctx, &organizations.CreateAccountInput{AccountName: aws.String("n"), Email: aws.String(string(rune('a'+i)) + "@example.com")})
		if i < 8 {
			must(t, err)
		}
	}
	if apitest.Refused(t, err, "ConstraintViolationException", 400); reason(t, err) != "ACCOUNT_NUMBER_LIMIT_EXCEEDED" {
		t.Error(err)
	}
}

// TestAccountRole holds that the management account administers what it made.
func TestAccountRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.Serve(t, region, nil, stsapi.New(stsapi.Config{IAM: w.IAM, Authorizer: w.Authorizer, Ring: w.Ring}))
	w.organization()
	made, err := w.own.CreateAccount(t.Context(), &organizations.CreateAccountInput{
		AccountName: aws.String("shop"), Email: aws.String("shop@example.com"), RoleName: aws.String("Admin"),
	})
	must(t, err)
	key, err := w.IAM.CreateAccessKey(t.Context(), own, iam.Administrator)
	must(t, err)
	config := w.config(key.ID, key.Secret, "")
	config.BaseEndpoint = &url
	session, err := sts.NewFromConfig(config).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::" + *made.CreateAccountStatus.AccountId + ":role/Admin"), RoleSessionName: aws.String("admin"),
	})
	must(t, err)
	member := w.client(*session.Credentials.AccessKeyId, *session.Credentials.SecretAccessKey, *session.Credentials.SessionToken)
	if _, err := member.LeaveOrganization(t.Context(), &organizations.LeaveOrganizationInput{}); err != nil {
		t.Error(err)
	}
}
