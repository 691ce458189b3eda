package iamapi_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/api/apitest"
	"github.com/podid/podid/internal/api/iamapi"
	"github.com/podid/podid/internal/api/stsapi"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/oidc"
)

const (
	account   = "111122223333"
	other     = "444455556666"
	connected = "https://oidc.example/id/CLUSTER" // the issuer of a cluster of the account

	allowS3  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/a b+c/*"}]}`
	trustEKS = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},` +
		`"Action":["sts:AssumeRole","sts:TagSession"]}]}`
)

// world is a control plane with IAM and STS, one account, and its administrator as an SDK client.
type world struct {
	*apitest.Plane
	url   string
	admin *sdk.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Plane: apitest.New(t)}
	w.url = w.Serve(t, "eu-central-1", nil, iamapi.New(iamapi.Config{IAM: w.IAM, Connected: func(a, i string) bool { return a == account && i == connected }}),
		stsapi.New(stsapi.Config{IAM: w.IAM, Authorizer: w.Authorizer, Ring: w.Ring, Keys: noKeys}))
	key, err := w.IAM.Bootstrap(t.Context(), account, "cluster")
	must(t, err)
	w.admin = w.client(key.ID, key.Secret)
	return w
}

func noKeys(context.Context, *iam.Provider, *oidc.KeySet) (*oidc.KeySet, error) {
	return nil, fault.New(fault.NotFound, "provider", "no keys")
}

func (w *world) client(id, secret string) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(w.url), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(id, secret, ""),
	})
}

// user makes a user with one inline policy and returns a client that signs as it.
func (w *world) user(t *testing.T, name, statement string) *sdk.Client {
	t.Helper()
	_, err := w.IAM.CreateUser(t.Context(), iam.User{Account: account, Name: name})
	must(t, err)
	must(t, w.IAM.PutUserPolicy(t.Context(), account, name, "p", `{"Version":"2012-10-17","Statement":`+statement+`}`))
	key, err := w.IAM.CreateAccessKey(t.Context(), account, name)
	must(t, err)
	return w.client(key.ID, key.Secret)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused asserts code, status and, when it is not empty, the text of an error.
func refused(t *testing.T, err error, code string, status int, text string) {
	t.Helper()
	if got := apitest.Refused(t, err, code, status); text != "" && got != text {
		t.Fatalf("got  %s\nwant %s", got, text)
	}
}

func typed[E error](t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[E](err); !ok {
		t.Errorf("%v is not a %T", err, *new(E))
	}
}

func TestRole(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	made, err := w.admin.CreateRole(ctx, &sdk.CreateRoleInput{
		RoleName: aws.String("App"), Path: aws.String("/team/"), AssumeRolePolicyDocument: aws.String(trustEKS),
		Description: aws.String("writes"), MaxSessionDuration: aws.Int32(7200), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}},
	})
	must(t, err)
	r := made.Role
	if trust, _ := url.PathUnescape(*r.AssumeRolePolicyDocument); trust != trustEKS || strings.ContainsAny(*r.AssumeRolePolicyDocument, `{" `) {
		t.Errorf("the trust policy is %s", *r.AssumeRolePolicyDocument)
	}
	if *r.Arn != "arn:aws:iam::111122223333:role/team/App" || *r.MaxSessionDuration != 7200 || len(r.Tags) != 1 {
		t.Errorf("made %+v", r)
	}
	got, err := w.admin.GetRole(ctx, &sdk.GetRoleInput{RoleName: aws.String("app")})
	must(t, err)
	if diff := cmp.Diff(r.RoleId, got.Role.RoleId); diff != "" {
		t.Error(diff)
	}

	_, err = w.admin.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("APP"), AssumeRolePolicyDocument: aws.String(trustEKS)})
	refused(t, err, "EntityAlreadyExists", http.StatusConflict, "Role with name APP already exists.")
	typed[*types.EntityAlreadyExistsException](t, err)
	if rec := w.Last(); rec.EventName != "CreateRole" || rec.EventSource != "iam.amazonaws.com" || rec.ErrorCode != "EntityAlreadyExists" ||
		rec.UserIdentity.UserName != iam.Administrator || rec.AdditionalData.Status != http.StatusConflict || rec.ReadOnly {
		t.Errorf("the record is %+v", rec)
	}
	_, err = w.admin.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("bad"), AssumeRolePolicyDocument: aws.String(`{}`)})
	refused(t, err, "MalformedPolicyDocument", http.StatusBadRequest, "")
	typed[*types.MalformedPolicyDocumentException](t, err)
	_, err = w.admin.CreateRole(ctx, &sdk.CreateRoleInput{
		RoleName: aws.String("bad"), AssumeRolePolicyDocument: aws.String(trustEKS),
		Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("")}, {Key: aws.String("A"), Value: aws.String("")}},
	})
	refused(t, err, "InvalidInput", http.StatusBadRequest, "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
	_, err = w.admin.GetRole(ctx, &sdk.GetRoleInput{RoleName: aws.String("ghost")})
	refused(t, err, "NoSuchEntity", http.StatusNotFound, "The role with name ghost cannot be found.")
	typed[*types.NoSuchEntityException](t, err)

	_, err = w.admin.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: aws.String("App"), PolicyName: aws.String("write"), PolicyDocument: aws.String(allowS3)})
	must(t, err)
	inline, err := w.admin.GetRolePolicy(ctx, &sdk.GetRolePolicyInput{RoleName: aws.String("App"), PolicyName: aws.String("write")})
	must(t, err)
	if text, _ := url.QueryUnescape(*inline.PolicyDocument); text != allowS3 { // both ways of decoding agree
		t.Errorf("the inline policy is %s", text)
	}
	_, err = w.admin.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: aws.String("App")})
	refused(t, err, "DeleteConflict", http.StatusConflict, "Cannot delete entity, must delete policies first.")
	typed[*types.DeleteConflictException](t, err)

	_, err = w.admin.TagRole(ctx, &sdk.TagRoleInput{RoleName: aws.String("App"), Tags: []types.Tag{{Key: aws.String("Team"), Value: aws.String("b")}, {Key: aws.String("env"), Value: aws.String("x")}}})
	must(t, err)
	_, err = w.admin.UntagRole(ctx, &sdk.UntagRoleInput{RoleName: aws.String("App"), TagKeys: []string{"ENV"}})
	must(t, err)
	tags, err := w.admin.ListRoleTags(ctx, &sdk.ListRoleTagsInput{RoleName: aws.String("App")})
	must(t, err)
	if len(tags.Tags) != 1 || *tags.Tags[0].Key != "Team" || *tags.Tags[0].Value != "b" {
		t.Errorf("the tags are %v", tags.Tags)
	}
	_, err = w.admin.UpdateRole(ctx, &sdk.UpdateRoleInput{RoleName: aws.String("App"), Description: aws.String("other")})
	must(t, err)
	_, err = w.admin.UpdateAssumeRolePolicy(ctx, &sdk.UpdateAssumeRolePolicyInput{RoleName: aws.String("App"), PolicyDocument: aws.String(
		strings.Replace(trustEKS, `{"Service":"pods.eks.amazonaws.com"}`, `{"AWS":"`+other+`"}`, 1))})
	refused(t, err, "MalformedPolicyDocument", http.StatusBadRequest, `Invalid principal in policy: "AWS":"444455556666"`)
	if profiles, err := w.admin.ListInstanceProfilesForRole(ctx, &sdk.ListInstanceProfilesForRoleInput{RoleName: aws.String("App")}); err != nil || len(profiles.InstanceProfiles) != 0 {
		t.Errorf("instance profiles: %v, %v", profiles, err)
	}
	_, err = w.admin.DeleteRolePolicy(ctx, &sdk.DeleteRolePolicyInput{RoleName: aws.String("App"), PolicyName: aws.String("write")})
	must(t, err)
	_, err = w.admin.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: aws.String("App")})
	must(t, err)
}

func TestManagedPolicyAndBoundary(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	made, err := w.admin.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: aws.String("P"), Path: aws.String("/x/"), PolicyDocument: aws.String(allowS3)})
	must(t, err)
	policyARN := made.Policy.Arn
	_, err = w.admin.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String(trustEKS), PermissionsBoundary: policyARN})
	must(t, err)
	_, err = w.admin.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: aws.String("r"), PolicyArn: policyARN})
	must(t, err)
	attached, err := w.admin.ListAttachedRolePolicies(ctx, &sdk.ListAttachedRolePoliciesInput{RoleName: aws.String("r"), PathPrefix: aws.String("/x/")})
	must(t, err)
	if len(attached.AttachedPolicies) != 1 || *attached.AttachedPolicies[0].PolicyName != "P" {
		t.Errorf("attached are %v", attached.AttachedPolicies)
	}
	got, err := w.admin.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: policyARN})
	must(t, err)
	if *got.Policy.AttachmentCount != 1 || *got.Policy.PermissionsBoundaryUsageCount != 1 || *got.Policy.DefaultVersionId != "v1" {
		t.Errorf("the policy is %+v", got.Policy)
	}
	if role, _ := w.admin.GetRole(ctx, &sdk.GetRoleInput{RoleName: aws.String("r")}); *role.Role.PermissionsBoundary.PermissionsBoundaryArn != *policyARN {
		t.Errorf("the boundary is %+v", role.Role.PermissionsBoundary)
	}
	_, err = w.admin.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: policyARN})
	refused(t, err, "DeleteConflict", http.StatusConflict, "Cannot delete a policy attached to entities.")
	_, err = w.admin.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: aws.String("r"), PolicyArn: aws.String("arn:aws:iam::111122223333:policy/ghost")})
	refused(t, err, "NoSuchEntity", http.StatusNotFound, "Policy arn:aws:iam::111122223333:policy/ghost does not exist or is not attachable.")

	v, err := w.admin.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyArn: policyARN, PolicyDocument: aws.String(allowS3)})
	must(t, err)
	_, err = w.admin.SetDefaultPolicyVersion(ctx, &sdk.SetDefaultPolicyVersionInput{PolicyArn: policyARN, VersionId: v.PolicyVersion.VersionId})
	must(t, err)
	version, err := w.admin.GetPolicyVersion(ctx, &sdk.GetPolicyVersionInput{PolicyArn: policyARN, VersionId: v.PolicyVersion.VersionId})
	must(t, err)
	if text, _ := url.QueryUnescape(*version.PolicyVersion.Document); text != allowS3 || !version.PolicyVersion.IsDefaultVersion {
		t.Errorf("the version is %+v", version.PolicyVersion)
	}
	_, err = w.admin.DeletePolicyVersion(ctx, &sdk.DeletePolicyVersionInput{PolicyArn: policyARN, VersionId: aws.String("v1")})
	must(t, err)
	versions, err := w.admin.ListPolicyVersions(ctx, &sdk.ListPolicyVersionsInput{PolicyArn: policyARN})
	must(t, err)
	if len(versions.Versions) != 1 || *versions.Versions[0].VersionId != "v2" {
		t.Errorf("the versions are %v", versions.Versions)
	}
	_, err = w.admin.DetachRolePolicy(ctx, &sdk.DetachRolePolicyInput{RoleName: aws.String("r"), PolicyArn: policyARN})
	must(t, err)
	_, err = w.admin.DeleteRolePermissionsBoundary(ctx, &sdk.DeleteRolePermissionsBoundaryInput{RoleName: aws.String("r")})
	must(t, err)
	_, err = w.admin.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: policyARN})
	must(t, err)
}

func TestUserAndAccessKeys(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	_, err := w.admin.CreateUser(ctx, &sdk.CreateUserInput{UserName: aws.String("ada")})
	must(t, err)
	key, err := w.admin.CreateAccessKey(ctx, &sdk.CreateAccessKeyInput{UserName: aws.String("ada")})
	must(t, err)
	if rec := w.Last(); strings.Contains(cmp.Diff(nil, rec.ResponseElements), *key.AccessKey.SecretAccessKey) {
		t.Error("the record holds the secret")
	}
	ada := w.client(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey)
	_, err = ada.GetUser(ctx, &sdk.GetUserInput{})
	refused(t, err, "AccessDenied", http.StatusForbidden, "")
	if !strings.Contains(err.Error(), "arn:aws:iam::111122223333:user/ada is not authorized to perform: iam:GetUser on resource: arn:aws:iam::111122223333:user/ada") {
		t.Errorf("refused with %v", err)
	}
	_, err = w.admin.PutUserPolicy(ctx, &sdk.PutUserPolicyInput{UserName: aws.String("ada"), PolicyName: aws.String("self"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"arn:aws:iam::*:user/${aws:username}"}]}`)})
	must(t, err)
	me, err := ada.GetUser(ctx, &sdk.GetUserInput{})
	must(t, err)
	if *me.User.UserName != "ada" {
		t.Errorf("the caller is %+v", me.User)
	}
	_, err = ada.GetUser(ctx, &sdk.GetUserInput{UserName: aws.String(iam.Administrator)})
	refused(t, err, "AccessDenied", http.StatusForbidden, "")

	_, err = w.admin.UpdateAccessKey(ctx, &sdk.UpdateAccessKeyInput{UserName: aws.String("ada"), AccessKeyId: key.AccessKey.AccessKeyId, Status: types.StatusTypeInactive})
	must(t, err)
	_, err = ada.GetUser(ctx, &sdk.GetUserInput{})
	refused(t, err, "InvalidClientTokenId", http.StatusForbidden, "")
	keys, err := w.admin.ListAccessKeys(ctx, &sdk.ListAccessKeysInput{UserName: aws.String("ada")})
	must(t, err)
	if len(keys.AccessKeyMetadata) != 1 || keys.AccessKeyMetadata[0].Status != types.StatusTypeInactive {
		t.Errorf("the keys are %v", keys.AccessKeyMetadata)
	}
	_, err = w.admin.DeleteUser(ctx, &sdk.DeleteUserInput{UserName: aws.String("ada")})
	refused(t, err, "DeleteConflict", http.StatusConflict, "Cannot delete entity, must delete access keys first.")
	for _, call := range []func() error{
		func() error {
			_, err := w.admin.DeleteAccessKey(ctx, &sdk.DeleteAccessKeyInput{UserName: aws.String("ada"), AccessKeyId: key.AccessKey.AccessKeyId})
			return err
		},
		func() error {
			_, err := w.admin.DeleteUserPolicy(ctx, &sdk.DeleteUserPolicyInput{UserName: aws.String("ada"), PolicyName: aws.String("self")})
			return err
		},
		func() error {
			_, err := w.admin.DeleteUser(ctx, &sdk.DeleteUserInput{UserName: aws.String("ada")})
			return err
		},
	} {
		must(t, call())
	}

	root, err := w.IAM.CreateAccessKey(ctx, account, "")
	must(t, err)
	got, err := w.client(root.ID, root.Secret).GetUser(ctx, &sdk.GetUserInput{})
	must(t, err)
	if *got.User.Arn != "arn:aws:iam::111122223333:root" || *got.User.UserId != account {
		t.Errorf("the root user is %+v", got.User)
	}
}

func TestProvider(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	made, err := w.admin.CreateOpenIDConnectProvider(ctx, &sdk.CreateOpenIDConnectProviderInput{
		Url: aws.String("https://oidc.example/id/A"), ClientIDList: []string{"sts.amazonaws.com"}, ThumbprintList: []string{strings.Repeat("aB", 20)},
	})
	must(t, err)
	_, err = w.admin.AddClientIDToOpenIDConnectProvider(ctx, &sdk.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: made.OpenIDConnectProviderArn, ClientID: aws.String("x")})
	must(t, err)
	got, err := w.admin.GetOpenIDConnectProvider(ctx, &sdk.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: made.OpenIDConnectProviderArn})
	must(t, err)
	if *got.Url != "oidc.example/id/A" || !slices.Equal(got.ClientIDList, []string{"sts.amazonaws.com", "x"}) || len(got.ThumbprintList) != 1 {
		t.Errorf("the provider is %+v", got)
	}
	_, err = w.admin.CreateOpenIDConnectProvider(ctx, &sdk.CreateOpenIDConnectProviderInput{Url: aws.String("https://oidc.example/id/A")})
	refused(t, err, "EntityAlreadyExists", http.StatusConflict, "Provider with url https://oidc.example/id/A already exists.")
	_, err = w.admin.CreateOpenIDConnectProvider(ctx, &sdk.CreateOpenIDConnectProviderInput{Url: aws.String("http://oidc.example")})
	refused(t, err, "ValidationError", http.StatusBadRequest, "Invalid Open ID Connect Provider URL")
	list, err := w.admin.ListOpenIDConnectProviders(ctx, &sdk.ListOpenIDConnectProvidersInput{})
	must(t, err)
	if len(list.OpenIDConnectProviderList) != 1 {
		t.Errorf("the providers are %v", list.OpenIDConnectProviderList)
	}
	for range 2 { // deleting twice is no failure
		_, err = w.admin.DeleteOpenIDConnectProvider(ctx, &sdk.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: made.OpenIDConnectProviderArn})
		must(t, err)
	}
	_, err = w.admin.GetOpenIDConnectProvider(ctx, &sdk.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: made.OpenIDConnectProviderArn})
	refused(t, err, "NoSuchEntity", http.StatusNotFound, "")
}

// TestProviderOfCluster holds that the provider that connecting a cluster made can be created by whoever manages providers, once, and
// that this lets nobody in who was not let in before.
func TestProviderOfCluster(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	create := func(clientIDs ...string) error {
		_, err := w.admin.CreateOpenIDConnectProvider(ctx, &sdk.CreateOpenIDConnectProviderInput{
			Url: aws.String(connected), ClientIDList: clientIDs, ThumbprintList: []string{strings.Repeat("aB", 20)},
			Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("shop")}},
		})
		return err
	}
	_, err := w.IAM.CreateProvider(ctx, iam.Provider{Account: account, Host: strings.TrimPrefix(connected, "https://"), ClientIDs: []string{"sts.amazonaws.com"}})
	must(t, err)
	for _, others := range [][]string{{}, {"sts.amazonaws.com", "x"}, {"x"}} {
		refused(t, create(others...), "EntityAlreadyExists", http.StatusConflict, "Provider with url "+connected+" already exists.")
	}
	must(t, create("sts.amazonaws.com"))
	got, err := w.admin.GetOpenIDConnectProvider(ctx, &sdk.GetOpenIDConnectProviderInput{
		OpenIDConnectProviderArn: aws.String("arn:aws:iam::" + account + ":oidc-provider/" + strings.TrimPrefix(connected, "https://")),
	})
	must(t, err)
	if !slices.Equal(got.ClientIDList, []string{"sts.amazonaws.com"}) || len(got.ThumbprintList) != 1 || len(got.Tags) != 1 {
		t.Errorf("the provider is %+v", got)
	}
	refused(t, create("sts.amazonaws.com"), "EntityAlreadyExists", http.StatusConflict, "")
}

func TestPaginator(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	want := []string{"a", "B", "c", "D", "e"}
	for i, name := range []string{"e", "D", "c", "B", "a", "elsewhere"} {
		path := "/in/"
		if i == 5 {
			path = "/out/"
		}
		_, err := w.admin.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String(name), Path: aws.String(path), AssumeRolePolicyDocument: aws.String(trustEKS)})
		must(t, err)
	}
	var got []string
	pages := 0
	for p := sdk.NewListRolesPaginator(w.admin, &sdk.ListRolesInput{MaxItems: aws.Int32(2), PathPrefix: aws.String("/in/")}); p.HasMorePages(); pages++ {
		page, err := p.NextPage(ctx)
		must(t, err)
		for _, r := range page.Roles {
			got = append(got, *r.RoleName)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || pages != 3 {
		t.Errorf("%d pages: %s", pages, diff)
	}
	_, err := w.admin.ListRoles(ctx, &sdk.ListRolesInput{Marker: aws.String("!")})
	refused(t, err, "ValidationError", http.StatusBadRequest, "Invalid Marker.")
	_, err = w.admin.ListRoles(ctx, &sdk.ListRolesInput{MaxItems: aws.Int32(1001)})
	refused(t, err, "ValidationError", http.StatusBadRequest, "")
}

// TestConditionKeys drives one decision through each condition key of the service.
func TestConditionKeys(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	bound, err := w.admin.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: aws.String("bound"), PolicyDocument: aws.String(allowS3)})
	must(t, err)
	free, err := w.admin.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: aws.String("free"), PolicyDocument: aws.String(allowS3)})
	must(t, err)
	allow := func(action, operator, key, value string) string {
		return `{"Effect":"Allow","Action":[` + action + `],"Resource":"*","Condition":{"` + operator + `":{"` + key + `":"` + value + `"}}}`
	}
	delegate := w.user(t, "delegate", "["+strings.Join([]string{
		allow(`"iam:CreateRole","iam:PutRolePolicy"`, "StringEquals", "iam:PermissionsBoundary", *bound.Policy.Arn),
		allow(`"iam:AttachRolePolicy"`, "ArnEquals", "iam:PolicyARN", *bound.Policy.Arn),
		allow(`"iam:TagRole"`, "StringEquals", "aws:RequestTag/team", "a"),
		allow(`"iam:UntagRole"`, "ForAllValues:StringEquals", "aws:TagKeys", "env"),
		allow(`"iam:DeleteRole"`, "StringEquals", "iam:ResourceTag/team", "a"),
	}, ",")+"]")
	create := func(name string, boundary *string, tags ...types.Tag) error {
		_, err := delegate.CreateRole(ctx, &sdk.CreateRoleInput{
			RoleName: aws.String(name), AssumeRolePolicyDocument: aws.String(trustEKS), PermissionsBoundary: boundary, Tags: tags,
		})
		return err
	}
	tag := func(k, v string) types.Tag { return types.Tag{Key: aws.String(k), Value: aws.String(v)} }
	put := func(name string) error {
		_, err := delegate.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: aws.String(name), PolicyName: aws.String("p"), PolicyDocument: aws.String(allowS3)})
		return err
	}
	attach := func(policyARN *string) error {
		_, err := delegate.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: aws.String("bounded"), PolicyArn: policyARN})
		return err
	}
	untag := func(key string) error {
		_, err := delegate.UntagRole(ctx, &sdk.UntagRoleInput{RoleName: aws.String("bounded"), TagKeys: []string{key}})
		return err
	}
	remove := func(name string) error {
		_, err := delegate.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: aws.String(name)})
		return err
	}
	_, err = w.admin.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("unbounded"), AssumeRolePolicyDocument: aws.String(trustEKS)})
	must(t, err)
	steps := []struct {
		name    string
		call    func() error
		allowed bool
	}{
		{"create without the boundary", func() error { return create("x", nil) }, false},
		{"create with another boundary", func() error { return create("x", free.Policy.Arn) }, false},
		{"create with a tag that may not be given", func() error { return create("x", bound.Policy.Arn, tag("team", "b")) }, false},
		{"create", func() error { return create("bounded", bound.Policy.Arn, tag("team", "a"), tag("env", "x")) }, true},
		{"put into a role without the boundary", func() error { return put("unbounded") }, false},
		{"put", func() error { return put("bounded") }, true},
		{"attach another policy", func() error { return attach(free.Policy.Arn) }, false},
		{"attach", func() error { return attach(bound.Policy.Arn) }, true},
		{"untag another key", func() error { return untag("team") }, false},
		{"untag", func() error { return untag("env") }, true},
		{"delete a role without the tag", func() error { return remove("unbounded") }, false},
		{"delete gets as far as the conflict", func() error {
			err := remove("bounded")
			if _, ok := errors.AsType[*types.DeleteConflictException](err); ok {
				return nil
			}
			return err
		}, true},
	}
	for _, step := range steps {
		err := step.call()
		if step.allowed && err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		if !step.allowed {
			refused(t, err, "AccessDenied", http.StatusForbidden, "")
		}
	}
}

// TestForms sends what no SDK would.
func TestForms(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	_, err := w.admin.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: aws.String("arn:aws:iam::444455556666:policy/p")})
	refused(t, err, "AccessDenied", http.StatusForbidden, "") // nobody here may touch another account's
	_, err = w.admin.GetRole(ctx, &sdk.GetRoleInput{RoleName: aws.String("")})
	refused(t, err, "NoSuchEntity", http.StatusNotFound, "")
	_, err = w.admin.GetRole(ctx, &sdk.GetRoleInput{RoleName: aws.String(strings.Repeat("x", 3000))})
	refused(t, err, "ValidationError", http.StatusBadRequest, "")
	_, err = w.admin.UpdateAccessKey(ctx, &sdk.UpdateAccessKeyInput{AccessKeyId: aws.String("AKIAAAAAAAAAAAAAAAAA"), Status: "Sometimes"})
	refused(t, err, "ValidationError", http.StatusBadRequest, "")
	_, err = w.admin.GetSSHPublicKey(ctx, &sdk.GetSSHPublicKeyInput{
		UserName: aws.String("u"), SSHPublicKeyId: aws.String("APKAAAAAAAAAAAAAAAAA"), Encoding: types.EncodingTypeSsh,
	})
	refused(t, err, "InvalidAction", http.StatusBadRequest, "")
	_, err = w.client("AKIAAAAAAAAAAAAAAAAA", "x").ListRoles(ctx, &sdk.ListRolesInput{})
	refused(t, err, "InvalidClientTokenId", http.StatusForbidden, "")
}
