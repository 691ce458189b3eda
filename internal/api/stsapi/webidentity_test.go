package stsapi_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/api/apitest"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/oidc"
)

const cart = "system:serviceaccount:shop:cart"

func (w *world) assume(t *testing.T, roleARN, token string) (*sdk.AssumeRoleWithWebIdentityOutput, error) {
	t.Helper()
	return w.with(aws.AnonymousCredentials{}).AssumeRoleWithWebIdentity(t.Context(), &sdk.AssumeRoleWithWebIdentityInput{
		RoleArn: &roleARN, RoleSessionName: aws.String("s1"), WebIdentityToken: &token,
	})
}

func TestAssumeRoleWithWebIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	roleARN := w.role(t, "App", irsa(cart))
	token := w.token(t, nil)
	out, err := w.assume(t, roleARN, token)
	must(t, err)
	const (
		sessionARN  = "arn:aws:sts::111122223333:assumed-role/App/s1"
		providerARN = "arn:aws:iam::111122223333:oidc-provider/" + host
	)
	if *out.AssumedRoleUser.Arn != sessionARN || *out.Provider != providerARN || *out.Audience != "sts.amazonaws.com" ||
		*out.SubjectFromWebIdentityToken != cart {
		t.Errorf("assumed %+v", out)
	}
	me, err := w.session(out.Credentials).GetCallerIdentity(t.Context(), &sdk.GetCallerIdentityInput{})
	must(t, err)
	if *me.Arn != sessionARN {
		t.Errorf("the session is %s", *me.Arn)
	}
	pod := &credential.Pod{Namespace: "shop", ServiceAccount: "cart", PodName: "cart-1", PodUID: "u2", Node: "node-1"}
	if diff := cmp.Diff(pod, w.Last().AdditionalData.Pod); diff != "" {
		t.Errorf("the session's own calls do not tell the pod: %s", diff)
	}
	rec := w.Records()[0]
	if diff := cmp.Diff(pod, rec.AdditionalData.Pod); diff != "" {
		t.Error(diff)
	}
	wantIdentity := api.UserIdentity{Type: "WebIdentityUser", PrincipalID: providerARN + ":sts.amazonaws.com:" + cart, UserName: cart}
	if diff := cmp.Diff(wantIdentity, rec.UserIdentity); diff != "" {
		t.Error(diff)
	}
	if rec.AdditionalData.Credential != sessionARN || rec.RecipientAccountID != account || strings.Contains(cmp.Diff(nil, rec.RequestParameters), token) {
		t.Errorf("the record is %+v", rec)
	}
}

func TestWebIdentityTagsAndSourceIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	trust := strings.Replace(irsa("ci"), `"sts:AssumeRoleWithWebIdentity"`,
		`["sts:AssumeRoleWithWebIdentity","sts:TagSession","sts:SetSourceIdentity"]`, 1)
	open := w.role(t, "open", trust)
	narrow := w.role(t, "narrow", strings.Replace(trust, `"StringEquals":{`, `"StringEquals":{"aws:RequestTag/team":"b",`, 1))
	untagged := w.role(t, "untagged", irsa("ci"))
	token, err := w.signer.Sign(map[string]any{
		"iss": issuer, "aud": "sts.amazonaws.com", "sub": "ci", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		"https://aws.amazon.com/tags":            map[string]any{"principal_tags": map[string]any{"team": []string{"a"}}},
		"https://aws.amazon.com/source_identity": "ada",
	})
	must(t, err)
	out, err := w.assume(t, open, token)
	must(t, err)
	if *out.SourceIdentity != "ada" {
		t.Errorf("the source identity is %s", *out.SourceIdentity)
	}
	if pod := w.Last().AdditionalData.Pod; pod != nil {
		t.Errorf("a token that is no service account's has the pod %+v", pod)
	}
	for _, roleARN := range []string{narrow, untagged} {
		_, err = w.assume(t, roleARN, token)
		apitest.Refused(t, err, "AccessDenied", http.StatusForbidden)
	}
}

func TestAuthorizedPartyIsTheAudience(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	byAudience := w.role(t, "byAudience", irsa("ci"))
	byParty := w.role(t, "byParty", strings.Replace(irsa("ci"), `:aud":"sts.amazonaws.com"`, `:aud":"app"`, 1))
	token, err := w.signer.Sign(map[string]any{
		"iss": issuer, "aud": "sts.amazonaws.com", "azp": "app", "sub": "ci", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	})
	must(t, err)
	_, err = w.assume(t, byAudience, token)
	apitest.Refused(t, err, "AccessDenied", http.StatusForbidden)
	_, err = w.assume(t, byParty, token)
	must(t, err)
}

func TestWebIdentityRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	roleARN := w.role(t, "App", irsa(cart))
	stranger, err := oidc.NewSigner("ES256")
	must(t, err)
	forged, err := stranger.ServiceAccountToken(oidc.ServiceAccountToken{
		Issuer: issuer, Audiences: []string{"sts.amazonaws.com"}, IssuedAt: time.Now(), Lifetime: time.Hour,
		Kubernetes: oidc.Kubernetes{Namespace: "shop", ServiceAccount: "cart"},
	})
	must(t, err)
	good := w.token(t, nil)
	head, signature, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(signature, ".")
	otherPayload := strings.Split(w.token(t, func(r *oidc.ServiceAccountToken) { r.Kubernetes.Namespace = "kube-system" }), ".")[1]
	const noKey = "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements"
	tests := []struct {
		name  string
		role  string
		token string
		code  string
		text  string // how it begins
	}{
		{
			"unknown issuer", roleARN, w.token(t, func(r *oidc.ServiceAccountToken) { r.Issuer = "https://elsewhere.example" }),
			"InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://elsewhere.example",
		},
		{
			"issuer without https", roleARN, w.token(t, func(r *oidc.ServiceAccountToken) { r.Issuer = host }),
			"InvalidIdentityToken", "No OpenIDConnect provider found in your account for " + host,
		},
		{
			"another account", strings.Replace(roleARN, account, other, 1), good,
			"InvalidIdentityToken", "No OpenIDConnect provider found in your account for " + issuer,
		},
		{
			"audience", roleARN, w.token(t, func(r *oidc.ServiceAccountToken) { r.Audiences = []string{"pods.eks.amazonaws.com"} }),
			"InvalidIdentityToken", "Incorrect token audience",
		},
		{
			"expired", roleARN, w.token(t, func(r *oidc.ServiceAccountToken) { r.IssuedAt = r.IssuedAt.Add(-2 * time.Hour) }),
			"ExpiredTokenException", "Token expired: current date/time ",
		},
		{"foreign key", roleARN, forged, "InvalidIdentityToken", noKey},
		{"changed payload", roleARN, head + "." + otherPayload + "." + signature, "InvalidIdentityToken", "The web identity token could not be validated ("},
		{"no signature", roleARN, head + "." + payload + ".", "InvalidIdentityToken", ""},
		{"no JWT", roleARN, "abcd", "InvalidIdentityToken", "The web identity token could not be validated ("},
		{"short", roleARN, "abc", "ValidationError", ""},
		{"not a role", "arn:aws:iam::111122223333:user/App", good, "ValidationError", ""},
		{
			"another service account", roleARN, w.token(t, func(r *oidc.ServiceAccountToken) { r.Kubernetes.ServiceAccount = "web" }),
			"AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity (",
		},
		{"unknown role", roleARN + "x", good, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity ("},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.assume(t, tt.role, tt.token)
			status := http.StatusBadRequest
			if tt.code == "AccessDenied" {
				status = http.StatusForbidden
			}
			if text := apitest.Refused(t, err, tt.code, status); !strings.HasPrefix(text, tt.text) {
				t.Errorf("refused with %s\nwant %s", text, tt.text)
			}
			rec := w.Last()
			if rec.ErrorCode != tt.code || rec.AdditionalData.Credential != "" {
				t.Errorf("the record is %+v", rec)
			}
			if proven := rec.UserIdentity.Type == "WebIdentityUser"; proven != (tt.code == "AccessDenied") {
				t.Errorf("the record says that the caller is %+v", rec.UserIdentity)
			}
		})
	}
}

// TestRolesCannotBeProbed holds that a proven stranger hears the same of a role that is there and of one that is not.
func TestRolesCannotBeProbed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	there := w.role(t, "there", irsa(cart))
	gone := strings.Replace(there, "role/there", "role/ghost", 1)
	token := w.token(t, func(r *oidc.ServiceAccountToken) { r.Kubernetes.Namespace = "other" })
	_, err := w.assume(t, there, token)
	first := apitest.Refused(t, err, "AccessDenied", http.StatusForbidden)
	_, err = w.assume(t, gone, token)
	second := apitest.Refused(t, err, "AccessDenied", http.StatusForbidden)
	if diff := cmp.Diff(strings.Replace(first, there, gone, 1), second); diff != "" {
		t.Error(diff)
	}
}

func TestKeysThatCannotBeHad(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	roleARN, token := w.role(t, "App", irsa(cart)), w.token(t, nil)
	w.keys = func(*oidc.KeySet) (*oidc.KeySet, error) {
		return nil, fault.New(fault.Unavailable, "provider", "timeout")
	}
	_, err := w.assume(t, roleARN, token)
	apitest.Refused(t, err, "IDPCommunicationError", http.StatusBadRequest)
	if _, ok := errors.AsType[*types.IDPCommunicationErrorException](err); !ok {
		t.Errorf("%v is not the SDK's own type", err)
	}
	w.keys = func(*oidc.KeySet) (*oidc.KeySet, error) { return nil, fault.New(fault.NotFound, "provider", "no keys") }
	_, err = w.assume(t, roleARN, token)
	apitest.Refused(t, err, "InvalidIdentityToken", http.StatusBadRequest)
	if _, ok := errors.AsType[*types.InvalidIdentityTokenException](err); !ok {
		t.Errorf("%v is not the SDK's own type", err)
	}
}
