package iamapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/iam"
)

const awsReadOnly = "arn:aws:iam::aws:policy/ReadOnlyAccess"

// ok discards an answer.
func ok[T any](t *testing.T, out T, err error) T {
	t.Helper()
	must(t, err)
	return out
}

func TestGroup(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	made, err := w.admin.CreateGroup(ctx, &sdk.CreateGroupInput{GroupName: aws.String("Devs"), Path: aws.String("/team/")})
	g := ok(t, made, err).Group
	if *g.Arn != "arn:aws:iam::111122223333:group/team/Devs" || !strings.HasPrefix(*g.GroupId, "AGPA") {
		t.Errorf("made %+v", g)
	}
	ada := w.user(t, "ada", `[{"Effect":"Allow","Action":"iam:GetUser","Resource":"*"}]`)
	w.user(t, "bob", `[{"Effect":"Allow","Action":"iam:GetUser","Resource":"*"}]`)
	for _, name := range []string{"bob", "ada"} {
		_, err = w.admin.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{GroupName: aws.String("devs"), UserName: aws.String(name)})
		must(t, err)
	}
	_, err = ada.ListUsers(ctx, &sdk.ListUsersInput{})
	refused(t, err, "AccessDenied", http.StatusForbidden, "")
	_, err = w.admin.PutGroupPolicy(ctx, &sdk.PutGroupPolicyInput{GroupName: aws.String("Devs"), PolicyName: aws.String("list"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:ListUsers","Resource":"*"}}`)})
	must(t, err)
	_, err = ada.ListUsers(ctx, &sdk.ListUsersInput{})
	must(t, err)

	var members []string
	for p := sdk.NewGetGroupPaginator(w.admin, &sdk.GetGroupInput{GroupName: aws.String("Devs"), MaxItems: aws.Int32(1)}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		for _, u := range ok(t, page, err).Users {
			members = append(members, *u.UserName)
		}
	}
	if diff := cmp.Diff([]string{"ada", "bob"}, members); diff != "" {
		t.Error(diff)
	}
	_, err = w.admin.UpdateGroup(ctx, &sdk.UpdateGroupInput{GroupName: aws.String("Devs"), NewGroupName: aws.String("Developers"), NewPath: aws.String("/")})
	must(t, err)
	of, err := w.admin.ListGroupsForUser(ctx, &sdk.ListGroupsForUserInput{UserName: aws.String("ada")})
	if groups := ok(t, of, err).Groups; len(groups) != 1 || *groups[0].Arn != "arn:aws:iam::111122223333:group/Developers" {
		t.Errorf("ada is in %v", groups)
	}
	text, err := w.admin.GetGroupPolicy(ctx, &sdk.GetGroupPolicyInput{GroupName: aws.String("Developers"), PolicyName: aws.String("list")})
	if document, _ := url.PathUnescape(*ok(t, text, err).PolicyDocument); !strings.Contains(document, "iam:ListUsers") {
		t.Errorf("the policy is %s", document)
	}
	_, err = w.admin.GetGroupPolicy(ctx, &sdk.GetGroupPolicyInput{GroupName: aws.String("Developers"), PolicyName: aws.String("ghost")})
	refused(t, err, "NoSuchEntity", http.StatusNotFound, "The group policy with name ghost cannot be found.")
	_, err = w.admin.AttachGroupPolicy(ctx, &sdk.AttachGroupPolicyInput{GroupName: aws.String("Developers"), PolicyArn: aws.String(awsReadOnly)})
	must(t, err)
	attached, err := w.admin.ListAttachedGroupPolicies(ctx, &sdk.ListAttachedGroupPoliciesInput{GroupName: aws.String("Developers")})
	if list := ok(t, attached, err).AttachedPolicies; len(list) != 1 || *list[0].PolicyArn != awsReadOnly {
		t.Errorf("attached are %v", list)
	}
	_, err = w.admin.DeleteGroup(ctx, &sdk.DeleteGroupInput{GroupName: aws.String("Developers")})
	refused(t, err, "DeleteConflict", http.StatusConflict, "Cannot delete entity, must remove users from group first.")
	_, err = w.admin.RemoveUserFromGroup(ctx, &sdk.RemoveUserFromGroupInput{GroupName: aws.String("Developers"), UserName: aws.String("ada")})
	must(t, err)
	_, err = ada.ListUsers(ctx, &sdk.ListUsersInput{})
	refused(t, err, "AccessDenied", http.StatusForbidden, "")

	// Nobody can be trusted by the name of a group.
	_, err = w.admin.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String(trusting(*g.Arn))})
	refused(t, err, "MalformedPolicyDocument", http.StatusBadRequest, "")
}

func trusting(principal string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"sts:AssumeRole"}}`
}

func TestUserSettings(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	ada := w.user(t, "ada", `[{"Effect":"Allow","Action":["iam:GetUser","iam:UpdateUser"],"Resource":"arn:aws:iam::*:user/ada"}]`)
	_, err := ada.UpdateUser(ctx, &sdk.UpdateUserInput{UserName: aws.String("ada"), NewUserName: aws.String("root")})
	refused(t, err, "AccessDenied", http.StatusForbidden, "") // what the user would be called is not allowed
	_, err = w.admin.UpdateUser(ctx, &sdk.UpdateUserInput{UserName: aws.String("ada"), NewUserName: aws.String("grace"), NewPath: aws.String("/team/")})
	must(t, err)
	_, err = w.admin.TagUser(ctx, &sdk.TagUserInput{UserName: aws.String("grace"), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}, {Key: aws.String("env"), Value: aws.String("")}}})
	must(t, err)
	_, err = w.admin.UntagUser(ctx, &sdk.UntagUserInput{UserName: aws.String("grace"), TagKeys: []string{"ENV"}})
	must(t, err)
	tags, err := w.admin.ListUserTags(ctx, &sdk.ListUserTagsInput{UserName: aws.String("grace")})
	if list := ok(t, tags, err).Tags; len(list) != 1 || *list[0].Key != "team" {
		t.Errorf("the tags are %v", list)
	}
	_, err = w.admin.PutUserPermissionsBoundary(ctx, &sdk.PutUserPermissionsBoundaryInput{UserName: aws.String("grace"), PermissionsBoundary: aws.String("arn:aws:iam::111122223333:policy/ghost")})
	refused(t, err, "NoSuchEntity", http.StatusNotFound, "Scope ARN: arn:aws:iam::111122223333:policy/ghost does not exist or is not attachable.")
	_, err = w.admin.PutUserPermissionsBoundary(ctx, &sdk.PutUserPermissionsBoundaryInput{UserName: aws.String("grace"), PermissionsBoundary: aws.String(awsReadOnly)})
	must(t, err)
	got, err := w.admin.GetUser(ctx, &sdk.GetUserInput{UserName: aws.String("grace")})
	if u := ok(t, got, err).User; *u.Arn != "arn:aws:iam::111122223333:user/team/grace" || *u.PermissionsBoundary.PermissionsBoundaryArn != awsReadOnly {
		t.Errorf("the user is %+v", u)
	}
	_, err = w.admin.DeleteUserPermissionsBoundary(ctx, &sdk.DeleteUserPermissionsBoundaryInput{UserName: aws.String("grace")})
	must(t, err)
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	const first, second = "correct-Horse 1", "Battery/Staple 2"
	ada := w.user(t, "ada", `[{"Effect":"Allow","Action":"iam:ChangePassword","Resource":"arn:aws:iam::*:user/${aws:username}"}]`)
	_, err := w.admin.GetLoginProfile(ctx, &sdk.GetLoginProfileInput{UserName: aws.String("ada")})
	refused(t, err, "NoSuchEntity", http.StatusNotFound, "Login Profile for User ada cannot be found.")
	_, err = w.admin.CreateLoginProfile(ctx, &sdk.CreateLoginProfileInput{UserName: aws.String("ada"), Password: aws.String("short")})
	refused(t, err, "PasswordPolicyViolation", http.StatusBadRequest, "")
	typed[*types.PasswordPolicyViolationException](t, err)
	made, err := w.admin.CreateLoginProfile(ctx, &sdk.CreateLoginProfileInput{UserName: aws.String("ADA"), Password: aws.String(first), PasswordResetRequired: true})
	if p := ok(t, made, err).LoginProfile; *p.UserName != "ada" || !p.PasswordResetRequired {
		t.Errorf("made %+v", p)
	}
	_, err = w.admin.UpdateLoginProfile(ctx, &sdk.UpdateLoginProfileInput{UserName: aws.String("ada"), PasswordResetRequired: aws.Bool(false)})
	must(t, err)
	_, err = ada.ChangePassword(ctx, &sdk.ChangePasswordInput{OldPassword: aws.String(second), NewPassword: aws.String(second)})
	refused(t, err, "AccessDenied", http.StatusForbidden, "The old password was incorrect.")
	_, err = ada.ChangePassword(ctx, &sdk.ChangePasswordInput{OldPassword: aws.String(first), NewPassword: aws.String(second)})
	must(t, err)
	if _, right := w.IAM.CheckPassword(account, "ada", second); !right {
		t.Error("the new password is not in force")
	}
	root, err := w.IAM.CreateAccessKey(ctx, account, "")
	must(t, err)
	_, err = w.client(root.ID, root.Secret).ChangePassword(ctx, &sdk.ChangePasswordInput{OldPassword: aws.String(first), NewPassword: aws.String(second)})
	refused(t, err, "InvalidUserType", http.StatusBadRequest, "")
	_, err = w.admin.DeleteUser(ctx, &sdk.DeleteUserInput{UserName: aws.String("ada")})
	refused(t, err, "DeleteConflict", http.StatusConflict, "")
	_, err = w.admin.DeleteLoginProfile(ctx, &sdk.DeleteLoginProfileInput{UserName: aws.String("ada")})
	must(t, err)

	records, err := json.Marshal(w.Records())
	must(t, err)
	for _, password := range []string{first, second, "short"} {
		if strings.Contains(string(records), password) {
			t.Errorf("the records hold the password %s", password)
		}
	}

	_, err = w.admin.GetAccountPasswordPolicy(ctx, &sdk.GetAccountPasswordPolicyInput{})
	refused(t, err, "NoSuchEntity", http.StatusNotFound, "The Password Policy with domain name 111122223333 cannot be found.")
	_, err = w.admin.UpdateAccountPasswordPolicy(ctx, &sdk.UpdateAccountPasswordPolicyInput{MinimumPasswordLength: aws.Int32(14), MaxPasswordAge: aws.Int32(90), RequireNumbers: true})
	must(t, err)
	policy, err := w.admin.GetAccountPasswordPolicy(ctx, &sdk.GetAccountPasswordPolicyInput{})
	if p := ok(t, policy, err).PasswordPolicy; *p.MinimumPasswordLength != 14 || *p.MaxPasswordAge != 90 || !p.ExpirePasswords || !p.RequireNumbers || p.PasswordReusePrevention != nil {
		t.Errorf("the policy is %+v", p)
	}
	_, err = w.admin.DeleteAccountPasswordPolicy(ctx, &sdk.DeleteAccountPasswordPolicyInput{})
	must(t, err)
}

func TestAWSPolicies(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	got, err := w.admin.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: aws.String(awsReadOnly)})
	if p := ok(t, got, err).Policy; *p.PolicyName != "ReadOnlyAccess" || !p.IsAttachable || *p.AttachmentCount != 0 {
		t.Errorf("the policy is %+v", p)
	}
	version, err := w.admin.GetPolicyVersion(ctx, &sdk.GetPolicyVersionInput{PolicyArn: aws.String(awsReadOnly), VersionId: got.Policy.DefaultVersionId})
	if document, _ := url.PathUnescape(*ok(t, version, err).PolicyVersion.Document); !strings.Contains(document, "s3:Get*") {
		t.Errorf("the document is %s", document)
	}
	w.user(t, "ada", `[{"Effect":"Allow","Action":"iam:GetUser","Resource":"*"}]`)
	_, err = w.admin.AttachUserPolicy(ctx, &sdk.AttachUserPolicyInput{UserName: aws.String("ada"), PolicyArn: aws.String(awsReadOnly)})
	must(t, err)
	_, err = w.admin.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: aws.String("ReadOnlyAccess"), PolicyDocument: aws.String(allowS3)})
	must(t, err)
	names := func(in sdk.ListPoliciesInput) (list []string) {
		in.MaxItems = aws.Int32(10)
		for p := sdk.NewListPoliciesPaginator(w.admin, &in); p.HasMorePages(); {
			page, err := p.NextPage(ctx)
			for _, p := range ok(t, page, err).Policies {
				list = append(list, *p.Arn)
			}
		}
		return list
	}
	const own = "arn:aws:iam::111122223333:policy/ReadOnlyAccess"
	if list := names(sdk.ListPoliciesInput{}); len(list) != 22 || !slices.Contains(list, own) || !slices.Contains(list, awsReadOnly) {
		t.Errorf("all are %v", list)
	}
	if list := names(sdk.ListPoliciesInput{Scope: types.PolicyScopeTypeLocal}); !slices.Equal(list, []string{own}) {
		t.Errorf("the account's are %v", list)
	}
	if list := names(sdk.ListPoliciesInput{Scope: types.PolicyScopeTypeAws, PathPrefix: aws.String("/service-role/")}); len(list) != 2 {
		t.Errorf("those of drivers are %v", list)
	}
	if list := names(sdk.ListPoliciesInput{OnlyAttached: true}); !slices.Equal(list, []string{awsReadOnly}) {
		t.Errorf("attached are %v", list)
	}
	for what, call := range map[string]func() error{
		"delete": func() error {
			_, err := w.admin.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: aws.String(awsReadOnly)})
			return err
		},
		"version": func() error {
			_, err := w.admin.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyArn: aws.String(awsReadOnly), PolicyDocument: aws.String(allowS3)})
			return err
		},
		"tag": func() error {
			_, err := w.admin.TagPolicy(ctx, &sdk.TagPolicyInput{PolicyArn: aws.String(awsReadOnly), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("")}}})
			return err
		},
	} {
		t.Run(what, func(t *testing.T) { refused(t, call(), "AccessDenied", http.StatusForbidden, "") })
	}
	_, err = w.IAM.CreateAccount(ctx, other, "other")
	must(t, err)
	_, err = w.admin.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: aws.String("arn:aws:iam::aws:policy/ghost")})
	refused(t, err, "NoSuchEntity", http.StatusNotFound, "Policy arn:aws:iam::aws:policy/ghost was not found.")
}

func TestEntitiesForPolicy(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	made, err := w.admin.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: aws.String("P"), PolicyDocument: aws.String(allowS3)})
	policyARN := ok(t, made, err).Policy.Arn
	for _, name := range []string{"ada", "bob"} {
		_, err = w.admin.CreateUser(ctx, &sdk.CreateUserInput{UserName: aws.String(name), Path: aws.String("/" + name + "/"), PermissionsBoundary: policyARN})
		must(t, err)
	}
	_, err = w.admin.AttachUserPolicy(ctx, &sdk.AttachUserPolicyInput{UserName: aws.String("ada"), PolicyArn: policyARN})
	must(t, err)
	_, err = w.admin.CreateGroup(ctx, &sdk.CreateGroupInput{GroupName: aws.String("g")})
	must(t, err)
	_, err = w.admin.AttachGroupPolicy(ctx, &sdk.AttachGroupPolicyInput{GroupName: aws.String("g"), PolicyArn: policyARN})
	must(t, err)
	_, err = w.admin.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String(trustEKS)})
	must(t, err)
	_, err = w.admin.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: aws.String("r"), PolicyArn: policyARN})
	must(t, err)
	for _, tt := range []struct {
		in   sdk.ListEntitiesForPolicyInput
		want string
	}{
		{sdk.ListEntitiesForPolicyInput{}, "g r ada bob"},
		{sdk.ListEntitiesForPolicyInput{EntityFilter: types.EntityTypeUser}, "ada bob"},
		{sdk.ListEntitiesForPolicyInput{EntityFilter: types.EntityTypeUser, PolicyUsageFilter: types.PolicyUsageTypePermissionsPolicy}, "ada"},
		{sdk.ListEntitiesForPolicyInput{PolicyUsageFilter: types.PolicyUsageTypePermissionsBoundary}, "ada bob"},
		{sdk.ListEntitiesForPolicyInput{PathPrefix: aws.String("/bob/")}, "bob"},
		{sdk.ListEntitiesForPolicyInput{EntityFilter: types.EntityTypeRole}, "r"},
	} {
		tt.in.PolicyArn, tt.in.MaxItems = policyARN, aws.Int32(1)
		var got []string
		for p := sdk.NewListEntitiesForPolicyPaginator(w.admin, &tt.in); p.HasMorePages(); {
			page, err := p.NextPage(ctx)
			out := ok(t, page, err)
			for _, g := range out.PolicyGroups {
				got = append(got, *g.GroupName)
			}
			for _, r := range out.PolicyRoles {
				got = append(got, *r.RoleName)
			}
			for _, u := range out.PolicyUsers {
				got = append(got, *u.UserName)
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%+v: got %v, want %s", tt.in, got, tt.want)
		}
	}
	details, err := w.admin.GetAccountAuthorizationDetails(ctx, &sdk.GetAccountAuthorizationDetailsInput{})
	out := ok(t, details, err)
	if len(out.UserDetailList) != 3 || len(out.GroupDetailList) != 1 || len(out.RoleDetailList) != 1 || len(out.Policies) != 1 {
		t.Errorf("the details are %d users, %d groups, %d roles, %d policies", len(out.UserDetailList), len(out.GroupDetailList), len(out.RoleDetailList), len(out.Policies))
	}
	if document := *out.Policies[0].PolicyVersionList[0].Document; strings.ContainsAny(document, `{" `) {
		t.Errorf("the document is %s", document)
	}
	n, pages := 0, 0
	for p := sdk.NewGetAccountAuthorizationDetailsPaginator(w.admin, &sdk.GetAccountAuthorizationDetailsInput{
		Filter: []types.EntityType{types.EntityTypeUser, types.EntityTypeGroup}, MaxItems: aws.Int32(3),
	}); p.HasMorePages(); pages++ {
		page, err := p.NextPage(ctx)
		n += len(ok(t, page, err).UserDetailList) + len(page.GroupDetailList) + len(page.RoleDetailList) + len(page.Policies)
	}
	if n != 4 || pages != 2 {
		t.Errorf("%d users and groups on %d pages", n, pages)
	}
	_, err = w.admin.AttachGroupPolicy(ctx, &sdk.AttachGroupPolicyInput{GroupName: aws.String("g"), PolicyArn: aws.String(awsReadOnly)})
	must(t, err)
	details, err = w.admin.GetAccountAuthorizationDetails(ctx, &sdk.GetAccountAuthorizationDetailsInput{Filter: []types.EntityType{types.EntityTypeAWSManagedPolicy}})
	if list := ok(t, details, err).Policies; len(list) != 1 || *list[0].Arn != awsReadOnly || *list[0].AttachmentCount != 1 {
		t.Errorf("of AWS's policies the account uses %+v", list)
	}
	_, err = w.admin.ListEntitiesForPolicy(ctx, &sdk.ListEntitiesForPolicyInput{PolicyArn: policyARN, EntityFilter: "Nobody"})
	refused(t, err, "ValidationError", http.StatusBadRequest, "1 validation error detected: Value 'Nobody' at 'entityFilter' failed to satisfy constraint: "+
		"Member must satisfy enum value set: [User, Role, Group, LocalManagedPolicy, AWSManagedPolicy]")
	_, err = w.admin.GetAccountAuthorizationDetails(ctx, &sdk.GetAccountAuthorizationDetailsInput{Filter: []types.EntityType{"Everything"}})
	refused(t, err, "ValidationError", http.StatusBadRequest, "")
	summary, err := w.admin.GetAccountSummary(ctx, &sdk.GetAccountSummaryInput{})
	if m := ok(t, summary, err).SummaryMap; m["Users"] != 3 || m["Groups"] != 1 || m["Roles"] != 1 || m["UsersQuota"] != 5000 || m["PolicyVersionsInUse"] != 1 {
		t.Errorf("the summary is %v", m)
	}
}

func TestInstanceProfile(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	_, err := w.admin.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("node"), AssumeRolePolicyDocument: aws.String(trustEKS)})
	must(t, err)
	made, err := w.admin.CreateInstanceProfile(ctx, &sdk.CreateInstanceProfileInput{InstanceProfileName: aws.String("nodes"), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
	if p := ok(t, made, err).InstanceProfile; len(p.Roles) != 0 || len(p.Tags) != 1 {
		t.Errorf("made %+v", p)
	}
	maker := w.user(t, "maker", `[{"Effect":"Allow","Action":"iam:AddRoleToInstanceProfile","Resource":"*"}]`)
	add := &sdk.AddRoleToInstanceProfileInput{InstanceProfileName: aws.String("nodes"), RoleName: aws.String("node")}
	_, err = maker.AddRoleToInstanceProfile(ctx, add)
	refused(t, err, "AccessDenied", http.StatusForbidden, "")
	if !strings.Contains(err.Error(), "iam:PassRole on resource: arn:aws:iam::111122223333:role/node") {
		t.Errorf("refused with %v", err)
	}
	must(t, w.IAM.PutUserPolicy(ctx, account, "maker", "pass", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:PassRole","Resource":"*",`+
		`"Condition":{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}}}`))
	_, err = maker.AddRoleToInstanceProfile(ctx, add)
	must(t, err)
	of, err := w.admin.ListInstanceProfilesForRole(ctx, &sdk.ListInstanceProfilesForRoleInput{RoleName: aws.String("node")})
	if list := ok(t, of, err).InstanceProfiles; len(list) != 1 || *list[0].Roles[0].RoleName != "node" {
		t.Errorf("the profiles are %+v", list)
	}
	_, err = w.admin.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: aws.String("node")})
	refused(t, err, "DeleteConflict", http.StatusConflict, "Cannot delete entity, must remove roles from instance profile first.")
	_, err = w.admin.RemoveRoleFromInstanceProfile(ctx, &sdk.RemoveRoleFromInstanceProfileInput{InstanceProfileName: aws.String("nodes"), RoleName: aws.String("node")})
	must(t, err)
	_, err = w.admin.DeleteInstanceProfile(ctx, &sdk.DeleteInstanceProfileInput{InstanceProfileName: aws.String("nodes")})
	must(t, err)
	_, err = w.admin.GetInstanceProfile(ctx, &sdk.GetInstanceProfileInput{InstanceProfileName: aws.String("nodes")})
	refused(t, err, "NoSuchEntity", http.StatusNotFound, "Instance Profile nodes cannot be found.")
}

func TestServiceLinkedRole(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	maker := w.user(t, "maker", `[{"Effect":"Allow","Action":"iam:*","Resource":"*","Condition":{"StringEquals":{"iam:AWSServiceName":"eks.amazonaws.com"}}}]`)
	_, err := maker.CreateServiceLinkedRole(ctx, &sdk.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("spot.amazonaws.com")})
	refused(t, err, "AccessDenied", http.StatusForbidden, "")
	made, err := maker.CreateServiceLinkedRole(ctx, &sdk.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("eks.amazonaws.com")})
	r := ok(t, made, err).Role
	_, err = w.admin.CreateServiceLinkedRole(ctx, &sdk.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("eks.amazonaws.com")})
	refused(t, err, "InvalidInput", http.StatusBadRequest, "")
	_, err = w.admin.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: r.RoleName})
	refused(t, err, "UnmodifiableEntity", http.StatusBadRequest, "")
	typed[*types.UnmodifiableEntityException](t, err)
	described, err := w.admin.UpdateRoleDescription(ctx, &sdk.UpdateRoleDescriptionInput{RoleName: r.RoleName, Description: aws.String("other")})
	if got := ok(t, described, err).Role; *got.Description != "other" {
		t.Errorf("the role is %+v", got)
	}
	task, err := maker.DeleteServiceLinkedRole(ctx, &sdk.DeleteServiceLinkedRoleInput{RoleName: r.RoleName})
	must(t, err)
	status, err := w.admin.GetServiceLinkedRoleDeletionStatus(ctx, &sdk.GetServiceLinkedRoleDeletionStatusInput{DeletionTaskId: task.DeletionTaskId})
	if got := ok(t, status, err).Status; got != types.DeletionTaskStatusTypeSucceeded {
		t.Errorf("the deletion is %s", got)
	}
}

func TestAccountAndAbsent(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	_, err := w.admin.CreateAccountAlias(ctx, &sdk.CreateAccountAliasInput{AccountAlias: aws.String("my-account")})
	must(t, err)
	aliases, err := w.admin.ListAccountAliases(ctx, &sdk.ListAccountAliasesInput{})
	if got := ok(t, aliases, err).AccountAliases; !slices.Equal(got, []string{"my-account"}) {
		t.Errorf("the aliases are %v", got)
	}
	_, err = w.admin.DeleteAccountAlias(ctx, &sdk.DeleteAccountAliasInput{AccountAlias: aws.String("other")})
	refused(t, err, "NoSuchEntity", http.StatusNotFound, "The account alias other does not exist.")
	_, err = w.admin.DeleteAccountAlias(ctx, &sdk.DeleteAccountAliasInput{AccountAlias: aws.String("my-account")})
	must(t, err)

	name, ghost := aws.String(iam.Administrator), aws.String("ghost")
	_, err = w.admin.ListMFADevices(ctx, &sdk.ListMFADevicesInput{UserName: name})
	must(t, err)
	_, err = w.admin.ListMFADevices(ctx, &sdk.ListMFADevicesInput{UserName: ghost})
	refused(t, err, "NoSuchEntity", http.StatusNotFound, "")
	_, err = w.admin.ListSSHPublicKeys(ctx, &sdk.ListSSHPublicKeysInput{UserName: name})
	must(t, err)
	_, err = w.admin.ListSigningCertificates(ctx, &sdk.ListSigningCertificatesInput{UserName: name})
	must(t, err)
	_, err = w.admin.ListServiceSpecificCredentials(ctx, &sdk.ListServiceSpecificCredentialsInput{AllUsers: aws.Bool(true)})
	must(t, err)
	_, err = w.admin.ListVirtualMFADevices(ctx, &sdk.ListVirtualMFADevicesInput{})
	must(t, err)
	_, err = w.admin.ListServerCertificates(ctx, &sdk.ListServerCertificatesInput{})
	must(t, err)
	_, err = w.admin.ListSAMLProviders(ctx, &sdk.ListSAMLProvidersInput{})
	must(t, err)
}

func TestTagsOfPoliciesAndProviders(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	tags := []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}, {Key: aws.String("env"), Value: aws.String("b")}}
	p, err := w.admin.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: aws.String("P"), PolicyDocument: aws.String(allowS3)})
	must(t, err)
	_, err = w.admin.TagPolicy(ctx, &sdk.TagPolicyInput{PolicyArn: p.Policy.Arn, Tags: tags})
	must(t, err)
	_, err = w.admin.UntagPolicy(ctx, &sdk.UntagPolicyInput{PolicyArn: p.Policy.Arn, TagKeys: []string{"env"}})
	must(t, err)
	ofPolicy, err := w.admin.ListPolicyTags(ctx, &sdk.ListPolicyTagsInput{PolicyArn: p.Policy.Arn})
	if got := ok(t, ofPolicy, err).Tags; len(got) != 1 || *got[0].Value != "a" {
		t.Errorf("the policy's tags are %v", got)
	}
	o, err := w.admin.CreateOpenIDConnectProvider(ctx, &sdk.CreateOpenIDConnectProviderInput{Url: aws.String("https://oidc.example/x")})
	must(t, err)
	_, err = w.admin.TagOpenIDConnectProvider(ctx, &sdk.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: o.OpenIDConnectProviderArn, Tags: tags})
	must(t, err)
	_, err = w.admin.UntagOpenIDConnectProvider(ctx, &sdk.UntagOpenIDConnectProviderInput{OpenIDConnectProviderArn: o.OpenIDConnectProviderArn, TagKeys: []string{"team"}})
	must(t, err)
	ofProvider, err := w.admin.ListOpenIDConnectProviderTags(ctx, &sdk.ListOpenIDConnectProviderTagsInput{OpenIDConnectProviderArn: o.OpenIDConnectProviderArn})
	if got := ok(t, ofProvider, err).Tags; len(got) != 1 || *got[0].Value != "b" {
		t.Errorf("the provider's tags are %v", got)
	}
	careful := w.user(t, "careful", `[{"Effect":"Allow","Action":"iam:TagPolicy","Resource":"*","Condition":{"StringEquals":{"iam:ResourceTag/team":"a"},`+
		`"ForAllValues:StringEquals":{"aws:TagKeys":"env"}}}]`)
	_, err = careful.TagPolicy(ctx, &sdk.TagPolicyInput{PolicyArn: p.Policy.Arn, Tags: tags})
	refused(t, err, "AccessDenied", http.StatusForbidden, "")
	_, err = careful.TagPolicy(ctx, &sdk.TagPolicyInput{PolicyArn: p.Policy.Arn, Tags: tags[1:]})
	must(t, err)
}
