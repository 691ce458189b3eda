package stsapi_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/api/apitest"
	"github.com/podid/podid/internal/iam"
)

const (
	trustAccount = `{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}`
	nobody       = `{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}`
)

func TestAssumeRole(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	roleARN := w.role(t, "App", trustAccount)
	out, err := w.admin.AssumeRole(ctx, &sdk.AssumeRoleInput{
		RoleArn: aws.String(roleARN), RoleSessionName: aws.String("s1"), DurationSeconds: aws.Int32(900), SourceIdentity: aws.String("ada"),
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}}, TransitiveTagKeys: []string{"team"},
	})
	must(t, err)
	const sessionARN = "arn:aws:sts::111122223333:assumed-role/App/s1"
	if *out.AssumedRoleUser.Arn != sessionARN || *out.SourceIdentity != "ada" || !strings.HasPrefix(*out.AssumedRoleUser.AssumedRoleId, "AROA") {
		t.Errorf("assumed %+v", out.AssumedRoleUser)
	}
	if left := time.Until(*out.Credentials.Expiration); left < 14*time.Minute || left > 15*time.Minute {
		t.Errorf("the session lasts %s", left)
	}
	if int(*out.SessionTokenSize) != len(*out.Credentials.SessionToken) || *out.SessionTokenUtilization < 1 || *out.PackedPolicySize != 1 {
		t.Errorf("the token has size %d, %d percent, packed %d", *out.SessionTokenSize, *out.SessionTokenUtilization, *out.PackedPolicySize)
	}
	rec := w.Last()
	if rec.EventName != "AssumeRole" || rec.AdditionalData.Credential != sessionARN || len(rec.Resources) != 1 || rec.Resources[0].ARN != roleARN {
		t.Errorf("the record is %+v", rec)
	}
	if shown := cmp.Diff(nil, rec.ResponseElements); strings.Contains(shown, *out.Credentials.SecretAccessKey) ||
		strings.Contains(shown, *out.Credentials.SessionToken) || !strings.Contains(shown, *out.Credentials.AccessKeyId) {
		t.Errorf("the record's answer is %s", shown)
	}

	me, err := w.session(out.Credentials).GetCallerIdentity(ctx, &sdk.GetCallerIdentityInput{})
	must(t, err)
	if *me.Arn != sessionARN || *me.Account != account || *me.UserId != *out.AssumedRoleUser.AssumedRoleId {
		t.Errorf("the session is %s, %s, %s", *me.Arn, *me.Account, *me.UserId)
	}

	_, err = w.session(out.Credentials).AssumeRole(ctx, &sdk.AssumeRoleInput{
		RoleArn: aws.String(roleARN), RoleSessionName: aws.String("s2"), DurationSeconds: aws.Int32(900),
	})
	apitest.Refused(t, err, "AccessDenied", http.StatusForbidden) // the role's own policies do not let it
	must(t, w.IAM.PutRolePolicy(ctx, account, "App", "p", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:*","Resource":"*"}}`))
	_, err = w.session(out.Credentials).AssumeRole(ctx, &sdk.AssumeRoleInput{
		RoleArn: aws.String(roleARN), RoleSessionName: aws.String("s2"), DurationSeconds: aws.Int32(3601),
	})
	if text := apitest.Refused(t, err, "ValidationError", http.StatusBadRequest); !strings.Contains(text, "role chaining") {
		t.Errorf("refused with %s", text)
	}
	chained, err := w.session(out.Credentials).AssumeRole(ctx, &sdk.AssumeRoleInput{RoleArn: aws.String(roleARN), RoleSessionName: aws.String("s2")})
	must(t, err)
	if *chained.SourceIdentity != "ada" {
		t.Errorf("the source identity of the chain is %s", *chained.SourceIdentity)
	}
}

func TestAssumeRoleRefuses(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	open, closed := w.role(t, "open", trustAccount), w.role(t, "closed", nobody)
	ghost := strings.Replace(closed, "closed", "ghosts", 1)
	in := func(change func(*sdk.AssumeRoleInput)) *sdk.AssumeRoleInput {
		i := &sdk.AssumeRoleInput{RoleArn: aws.String(open), RoleSessionName: aws.String("s1")}
		change(i)
		return i
	}
	tests := []struct {
		name   string
		in     *sdk.AssumeRoleInput
		code   string
		status int
		text   string // a part of it
	}{
		{"silent trust", in(func(i *sdk.AssumeRoleInput) { i.RoleArn = &closed }), "AccessDenied", 403, "is not authorized to perform: sts:AssumeRole on resource: " + closed},
		{"no such role", in(func(i *sdk.AssumeRoleInput) { i.RoleArn = &ghost }), "AccessDenied", 403, "is not authorized to perform: sts:AssumeRole on resource: " + ghost},
		{"no such account", in(func(i *sdk.AssumeRoleInput) { i.RoleArn = aws.String("arn:aws:iam::" + other + ":role/x") }), "AccessDenied", 403, ""},
		{"not an ARN", in(func(i *sdk.AssumeRoleInput) { i.RoleArn = aws.String("open-open-open-open-open") }), "ValidationError", 400, ""},
		{"session name", in(func(i *sdk.AssumeRoleInput) { i.RoleSessionName = aws.String("a b") }), "ValidationError", 400, ""},
		{"too short", in(func(i *sdk.AssumeRoleInput) { i.DurationSeconds = aws.Int32(0) }), "ValidationError", 400, ""},
		{"too long for anybody", in(func(i *sdk.AssumeRoleInput) { i.DurationSeconds = aws.Int32(43201) }), "ValidationError", 400, ""},
		{"too long for the role", in(func(i *sdk.AssumeRoleInput) { i.DurationSeconds = aws.Int32(7200) }), "ValidationError", 400, "MaxSessionDuration"},
		{"policy", in(func(i *sdk.AssumeRoleInput) { i.Policy = aws.String(`{"Version":"2012-10-17"}`) }), "MalformedPolicyDocument", 400, "Syntax errors in policy."},
		{"empty policy", in(func(i *sdk.AssumeRoleInput) { i.Policy = aws.String("") }), "ValidationError", 400, ""},
		{"large tags", in(func(i *sdk.AssumeRoleInput) {
			for n := range 50 {
				i.Tags = append(i.Tags, types.Tag{Key: aws.String(fmt.Sprint("key", n)), Value: aws.String(noise(strconv.Itoa(n)))})
			}
		}), "PackedPolicyTooLarge", 400, "Packed size of session tags consumes "},
		{"large policy", in(func(i *sdk.AssumeRoleInput) {
			i.Policy = aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::` + strings.Repeat("b", 2048) + `"}}`)
		}), "PackedPolicyTooLarge", 400, ""},
		{"tag twice", in(func(i *sdk.AssumeRoleInput) {
			i.Tags = []types.Tag{{Key: aws.String("k"), Value: aws.String("")}, {Key: aws.String("k"), Value: aws.String("")}}
		}), "ValidationError", 400, "Duplicate tag keys"},
		{"MFA", in(func(i *sdk.AssumeRoleInput) {
			i.SerialNumber, i.TokenCode = aws.String("arn:aws:iam::1:mfa/x"), aws.String("123456")
		}), "ValidationError", 400, ""},
		{"contexts", in(func(i *sdk.AssumeRoleInput) {
			i.ProvidedContexts = []types.ProvidedContext{{ContextAssertion: aws.String("assertion")}}
		}), "ValidationError", 400, ""},
		{"padding", in(func(i *sdk.AssumeRoleInput) { i.MinimumSessionTokenSize = aws.Int32(4096) }), "ValidationError", 400, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.admin.AssumeRole(ctx, tt.in)
			if text := apitest.Refused(t, err, tt.code, tt.status); !strings.Contains(text, tt.text) {
				t.Errorf("refused with %s\nwant %s", text, tt.text)
			}
			if rec := w.Last(); rec.ErrorCode != tt.code || rec.AdditionalData.Credential != "" {
				t.Errorf("the record is %+v", rec)
			}
		})
	}
	_, err := w.admin.AssumeRole(ctx, in(func(i *sdk.AssumeRoleInput) { i.RoleArn = &closed }))
	there := apitest.Refused(t, err, "AccessDenied", http.StatusForbidden)
	_, err = w.admin.AssumeRole(ctx, in(func(i *sdk.AssumeRoleInput) { i.RoleArn = &ghost }))
	if diff := cmp.Diff(strings.ReplaceAll(there, closed, ghost), apitest.Refused(t, err, "AccessDenied", http.StatusForbidden)); diff != "" {
		t.Errorf("a role that is there and one that is not are refused differently: %s", diff)
	}
	root, err := w.IAM.CreateAccessKey(ctx, account, "")
	must(t, err)
	_, err = w.client(root.ID, root.Secret, "").AssumeRole(ctx, in(func(*sdk.AssumeRoleInput) {}))
	if text := apitest.Refused(t, err, "AccessDenied", http.StatusForbidden); text != "Roles may not be assumed by root accounts." {
		t.Errorf("refused with %s", text)
	}
}

// noise is 256 characters that do not pack.
func noise(seed string) string {
	var b strings.Builder
	for i := range 4 {
		sum := sha256.Sum256([]byte(seed + strconv.Itoa(i)))
		b.WriteString(hex.EncodeToString(sum[:]))
	}
	return b.String()
}

func TestGetCallerIdentityNeedsNoPermission(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	u, err := w.IAM.CreateUser(ctx, iam.User{Account: account, Name: "ada"})
	must(t, err)
	must(t, w.IAM.PutUserPolicy(ctx, account, "ada", "none", `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`))
	key, err := w.IAM.CreateAccessKey(ctx, account, "ada")
	must(t, err)
	me, err := w.client(key.ID, key.Secret, "").GetCallerIdentity(ctx, &sdk.GetCallerIdentityInput{})
	must(t, err)
	if *me.Arn != u.ARN() || *me.UserId != u.ID || *me.Account != account {
		t.Errorf("the caller is %s, %s, %s", *me.Arn, *me.UserId, *me.Account)
	}
	_, err = w.client(key.ID, key.Secret, "").GetAccessKeyInfo(ctx, &sdk.GetAccessKeyInfoInput{AccessKeyId: &key.ID})
	apitest.Refused(t, err, "AccessDenied", http.StatusForbidden)
	_, err = w.client(key.ID, key.Secret+"x", "").GetCallerIdentity(ctx, &sdk.GetCallerIdentityInput{})
	apitest.Refused(t, err, "SignatureDoesNotMatch", http.StatusForbidden)
	_, err = w.client(key.ID, key.Secret, "token").GetCallerIdentity(ctx, &sdk.GetCallerIdentityInput{})
	apitest.Refused(t, err, "InvalidClientTokenId", http.StatusForbidden)
	_, err = w.with(aws.AnonymousCredentials{}).GetCallerIdentity(ctx, &sdk.GetCallerIdentityInput{})
	apitest.Refused(t, err, "MissingAuthenticationToken", http.StatusForbidden)

	info, err := w.admin.GetAccessKeyInfo(ctx, &sdk.GetAccessKeyInfoInput{AccessKeyId: &key.ID})
	must(t, err)
	if *info.Account != account {
		t.Errorf("the key is %s's", *info.Account)
	}
	_, err = w.admin.GetAccessKeyInfo(ctx, &sdk.GetAccessKeyInfoInput{AccessKeyId: aws.String("AKIAAAAAAAAAAAAAAAAA")})
	apitest.Refused(t, err, "ValidationError", http.StatusBadRequest)
	_, err = w.admin.GetAccessKeyInfo(ctx, &sdk.GetAccessKeyInfoInput{AccessKeyId: aws.String("AKIA-AAAAAAAAAAAAAAA")})
	apitest.Refused(t, err, "ValidationError", http.StatusBadRequest)
}

// TestRecreatedUser holds that a trust policy means the user who was there when it was written, whoever has the name now.
func TestRecreatedUser(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	ada := func() (*sdk.Client, string) {
		u, err := w.IAM.CreateUser(ctx, iam.User{Account: account, Name: "ada"})
		must(t, err)
		key, err := w.IAM.CreateAccessKey(ctx, account, "ada")
		must(t, err)
		return w.client(key.ID, key.Secret, ""), u.ARN()
	}
	client, userARN := ada()
	roleARN := w.role(t, "App", `{"Effect":"Allow","Principal":{"AWS":"`+userARN+`"},"Action":"sts:AssumeRole"}`)
	in := &sdk.AssumeRoleInput{RoleArn: &roleARN, RoleSessionName: aws.String("s1")}
	_, err := client.AssumeRole(ctx, in)
	must(t, err)

	keys, err := w.IAM.AccessKeys(account, "ada")
	must(t, err)
	must(t, w.IAM.DeleteAccessKey(ctx, account, "ada", keys[0].ID))
	must(t, w.IAM.DeleteUser(ctx, account, "ada"))
	client, _ = ada()
	_, err = client.AssumeRole(ctx, in)
	apitest.Refused(t, err, "AccessDenied", http.StatusForbidden)
}
