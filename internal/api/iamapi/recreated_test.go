package iamapi_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// assume assumes a role with long-term keys, or with those of another session, and signs STS calls with what it got.
func (w *world) assume(t *testing.T, from *sts.Client, role string) (*sts.Client, error) {
	t.Helper()
	out, err := from.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::" + account + ":role/" + role), RoleSessionName: aws.String("session")})
	if err != nil {
		return nil, err
	}
	c := out.Credentials
	return w.sts(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken), nil
}

func (w *world) sts(id, secret, token string) *sts.Client {
	return sts.New(sts.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(w.url), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(id, secret, token),
	})
}

// trust is a role's trust policy as it is shown.
func (w *world) trust(t *testing.T, role string) string {
	t.Helper()
	got, err := w.admin.GetRole(t.Context(), &sdk.GetRoleInput{RoleName: aws.String(role)})
	must(t, err)
	text, err := url.PathUnescape(*got.Role.AssumeRolePolicyDocument)
	must(t, err)
	return text
}

// TestRoleMadeAgainIsSomebodyElse deletes a role that another one trusts and makes it again under its name.
func TestRoleMadeAgainIsSomebodyElse(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	key, err := w.IAM.CreateAccessKey(ctx, account, "administrator")
	must(t, err)
	admin := w.sts(key.ID, key.Secret, "")
	const callerARN = "arn:aws:iam::111122223333:role/caller"
	again := func() (id string) {
		made, err := w.admin.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("caller"), AssumeRolePolicyDocument: aws.String(trusting(account))})
		must(t, err)
		_, err = w.admin.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: aws.String("caller"), PolicyName: aws.String("p"), PolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"sts:GetSessionToken","Resource":"*"}}`)})
		must(t, err)
		return *made.Role.RoleId
	}
	first := again()
	_, err = w.admin.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("target"), AssumeRolePolicyDocument: aws.String(trusting(callerARN))})
	must(t, err)
	caller, err := w.assume(t, admin, "caller")
	must(t, err)
	_, err = w.assume(t, caller, "target")
	must(t, err)
	if got := w.trust(t, "target"); got != trusting(callerARN) {
		t.Errorf("while the role is there the trust is %s", got)
	}

	_, err = w.admin.DeleteRolePolicy(ctx, &sdk.DeleteRolePolicyInput{RoleName: aws.String("caller"), PolicyName: aws.String("p")})
	must(t, err)
	_, err = w.admin.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: aws.String("caller")})
	must(t, err)
	if got := w.trust(t, "target"); got != trusting(first) {
		t.Errorf("once the role is deleted the trust is %s, want its id", got)
	}
	_, err = w.assume(t, caller, "target")
	refused(t, err, "InvalidClientTokenId", http.StatusForbidden, "") // the session of a role that is gone

	if second := again(); second == first {
		t.Fatal("the role has the id of the old one")
	}
	caller, err = w.assume(t, admin, "caller")
	must(t, err)
	if got := w.trust(t, "target"); got != trusting(first) {
		t.Errorf("once the role is made again the trust is %s", got)
	}
	_, err = w.assume(t, caller, "target")
	refused(t, err, "AccessDenied", http.StatusForbidden, "")

	_, err = w.admin.UpdateAssumeRolePolicy(ctx, &sdk.UpdateAssumeRolePolicyInput{RoleName: aws.String("target"), PolicyDocument: aws.String(trusting(callerARN))})
	must(t, err)
	_, err = w.assume(t, caller, "target")
	must(t, err)
}
