package stsapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/podid/podid/internal/api/apitest"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/iam"
)

// user makes a user with an inline policy and returns a client for its key.
func (w *world) user(t *testing.T, name, statement string) (*sdk.Client, *iam.AccessKey) {
	t.Helper()
	_, err := w.IAM.CreateUser(t.Context(), iam.User{Account: account, Name: name})
	must(t, err)
	must(t, w.IAM.PutUserPolicy(t.Context(), account, name, "p", `{"Version":"2012-10-17","Statement":`+statement+`}`))
	key, err := w.IAM.CreateAccessKey(t.Context(), account, name)
	must(t, err)
	return w.client(key.ID, key.Secret, ""), key
}

const allowSTS = `{"Effect":"Allow","Action":"sts:*","Resource":"*"}`

func TestGetSessionToken(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	ada, key := w.user(t, "ada", allowSTS)
	out, err := ada.GetSessionToken(ctx, &sdk.GetSessionTokenInput{DurationSeconds: aws.Int32(129600)})
	must(t, err)
	if left := time.Until(*out.Credentials.Expiration); left < 35*time.Hour || left > 36*time.Hour {
		t.Errorf("the session lasts %s", left)
	}
	if int(*out.SessionTokenSize) != len(*out.Credentials.SessionToken) {
		t.Errorf("the token has size %d", *out.SessionTokenSize)
	}
	if rec := w.Last(); rec.AdditionalData.Credential != arn.User(account, "/", "ada") || rec.ReadOnly {
		t.Errorf("the record is %+v", rec)
	}
	session := w.session(out.Credentials)
	me, err := session.GetCallerIdentity(ctx, &sdk.GetCallerIdentityInput{})
	must(t, err)
	if *me.Arn != arn.User(account, "/", "ada") || !strings.HasPrefix(*me.UserId, "AIDA") {
		t.Errorf("the session is %s, %s", *me.Arn, *me.UserId)
	}
	if id := w.Last().UserIdentity; id.Type != "IAMUser" || id.UserName != "ada" || id.Session == nil || id.Session.Issuer.ARN != "" {
		t.Errorf("the record's identity is %+v", id)
	}
	roleARN := w.role(t, "App", trustAccount)
	_, err = session.AssumeRole(ctx, &sdk.AssumeRoleInput{RoleArn: &roleARN, RoleSessionName: aws.String("s1")})
	must(t, err)

	_, err = session.GetSessionToken(ctx, &sdk.GetSessionTokenInput{})
	if text := apitest.Refused(t, err, "AccessDenied", http.StatusForbidden); text != "Cannot call GetSessionToken with session credentials" {
		t.Errorf("refused with %s", text)
	}
	_, err = session.GetAccessKeyInfo(ctx, &sdk.GetAccessKeyInfoInput{AccessKeyId: &key.ID})
	apitest.Refused(t, err, "AccessDenied", http.StatusForbidden)
	for _, seconds := range []int32{899, 129601} {
		_, err = ada.GetSessionToken(ctx, &sdk.GetSessionTokenInput{DurationSeconds: aws.Int32(seconds)})
		if text := apitest.Refused(t, err, "ValidationError", http.StatusBadRequest); !strings.Contains(text, "at 'durationSeconds' failed to satisfy constraint") {
			t.Errorf("refused with %s", text)
		}
	}
	_, err = ada.GetSessionToken(ctx, &sdk.GetSessionTokenInput{SerialNumber: aws.String("arn:aws:iam::1:mfa/x"), TokenCode: aws.String("123456")})
	apitest.Refused(t, err, "ValidationError", http.StatusBadRequest)

	must(t, w.IAM.SetAccessKeyActive(ctx, account, "ada", key.ID, false))
	_, err = session.GetCallerIdentity(ctx, &sdk.GetCallerIdentityInput{})
	apitest.Refused(t, err, "InvalidClientTokenId", http.StatusForbidden)

	root, err := w.IAM.CreateAccessKey(ctx, account, "")
	must(t, err)
	out, err = w.client(root.ID, root.Secret, "").GetSessionToken(ctx, &sdk.GetSessionTokenInput{DurationSeconds: aws.Int32(7200)})
	must(t, err)
	if left := time.Until(*out.Credentials.Expiration); left > time.Hour {
		t.Errorf("the root user's session lasts %s", left)
	}
	_, err = w.session(out.Credentials).AssumeRole(ctx, &sdk.AssumeRoleInput{RoleArn: &roleARN, RoleSessionName: aws.String("s1")})
	apitest.Refused(t, err, "AccessDenied", http.StatusForbidden)
}

func TestGetFederationToken(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	broker, _ := w.user(t, "broker", allowSTS)
	out, err := broker.GetFederationToken(ctx, &sdk.GetFederationTokenInput{
		Name: aws.String("bob"), Policy: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`),
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}},
	})
	must(t, err)
	const bob = "arn:aws:sts::" + account + ":federated-user/bob"
	if *out.FederatedUser.Arn != bob || *out.FederatedUser.FederatedUserId != account+":bob" || *out.PackedPolicySize < 1 || *out.PackedPolicySize > 10 {
		t.Errorf("the federated user is %+v, %d percent", out.FederatedUser, *out.PackedPolicySize)
	}
	if left := time.Until(*out.Credentials.Expiration); left < 11*time.Hour || left > 12*time.Hour {
		t.Errorf("the session lasts %s", left)
	}
	session := w.session(out.Credentials)
	me, err := session.GetCallerIdentity(ctx, &sdk.GetCallerIdentityInput{})
	must(t, err)
	if *me.Arn != bob || *me.UserId != account+":bob" || *me.Account != account {
		t.Errorf("the session is %s, %s", *me.Arn, *me.UserId)
	}
	id := w.Last().UserIdentity
	if id.Type != "FederatedUser" || id.Session.Issuer.Type != "IAMUser" || id.Session.Issuer.ARN != arn.User(account, "/", "broker") {
		t.Errorf("the record's identity is %+v", id)
	}
	roleARN := w.role(t, "App", trustAccount)
	_, err = session.AssumeRole(ctx, &sdk.AssumeRoleInput{RoleArn: &roleARN, RoleSessionName: aws.String("s1")})
	apitest.Refused(t, err, "AccessDenied", http.StatusForbidden)
	_, err = session.GetFederationToken(ctx, &sdk.GetFederationTokenInput{Name: aws.String("eve")})
	apitest.Refused(t, err, "AccessDenied", http.StatusForbidden)
	_, err = broker.GetFederationToken(ctx, &sdk.GetFederationTokenInput{Name: aws.String("a")})
	apitest.Refused(t, err, "ValidationError", http.StatusBadRequest)
	_, err = broker.GetFederationToken(ctx, &sdk.GetFederationTokenInput{Name: aws.String("bob"), Policy: aws.String("{")})
	apitest.Refused(t, err, "MalformedPolicyDocument", http.StatusBadRequest)
	plain, _ := w.user(t, "plain", strings.Replace(allowSTS, "sts:*", "s3:*", 1))
	_, err = plain.GetFederationToken(ctx, &sdk.GetFederationTokenInput{Name: aws.String("bob")})
	if text := apitest.Refused(t, err, "AccessDenied", http.StatusForbidden); !strings.Contains(text, "sts:GetFederationToken on resource: "+bob) {
		t.Errorf("refused with %s", text)
	}
}

func TestAssumeRootIsRefused(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	in := &sdk.AssumeRootInput{
		TargetPrincipal: aws.String(other),
		TaskPolicyArn:   &types.PolicyDescriptorType{Arn: aws.String("arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials")},
	}
	_, err := w.admin.AssumeRoot(ctx, in)
	text := apitest.Refused(t, err, "AccessDenied", http.StatusForbidden)
	if !strings.HasPrefix(text, "Not authorized to perform sts:AssumeRoot (podid has no centralized root access") || !strings.Contains(text, arn.Root(other)) {
		t.Errorf("refused with %s", text)
	}
	in.DurationSeconds = aws.Int32(901)
	_, err = w.admin.AssumeRoot(ctx, in)
	apitest.Refused(t, err, "ValidationError", http.StatusBadRequest)
}
