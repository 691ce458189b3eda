package stsapi_test

import (
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/podid/podid/internal/api/apitest"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/oidc"
)

// TestRotationOfAnIssuer holds that a token of a new key makes the issuer be asked for a newer set, once for each token, and only for that.
func TestRotationOfAnIssuer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	roleARN := w.role(t, "App", irsa(cart))
	before := w.token(t, nil)
	old := w.signer.KeySet()
	var err error
	w.signer, err = oidc.NewSigner("RS256")
	must(t, err)
	after := w.token(t, nil)
	both, err := old.Union(w.signer.KeySet())
	must(t, err)
	asked := 0
	rotated := func(newer *oidc.KeySet, failure error) {
		asked = 0
		w.keys = func(lacking *oidc.KeySet) (*oidc.KeySet, error) {
			if lacking == nil {
				return old, nil
			}
			if lacking != old {
				t.Error("asked with another set than the one that was tried")
			}
			asked++
			return newer, failure
		}
	}

	rotated(both, nil)
	for _, token := range []string{before, after} {
		_, err = w.assume(t, roleARN, token)
		must(t, err)
	}
	if asked != 1 {
		t.Errorf("a newer set was asked for %d times", asked)
	}

	rotated(old, nil)
	_, err = w.assume(t, roleARN, after)
	if text := apitest.Refused(t, err, "InvalidIdentityToken", http.StatusBadRequest); !strings.HasPrefix(text, "Couldn't retrieve verification key") {
		t.Errorf("refused with %s", text)
	}
	rotated(w.signer.KeySet(), nil) // the old key is gone: what it signed is not looked for, as it was good by the set at hand
	_, err = w.assume(t, roleARN, before)
	must(t, err)
	rotated(nil, fault.New(fault.Unavailable, "provider", "down"))
	_, err = w.assume(t, roleARN, after)
	apitest.Refused(t, err, "IDPCommunicationError", http.StatusBadRequest)
	rotated(nil, fault.New(fault.Unavailable, "provider", "down"))
	for _, spoiled := range []string{before[:len(before)-8] + "AAAAAAAA", "a.b.c"} {
		_, err = w.assume(t, roleARN, spoiled)
		apitest.Refused(t, err, "InvalidIdentityToken", http.StatusBadRequest)
	}
	if asked != 0 {
		t.Errorf("a newer set was asked for %d times, for tokens that it cannot help", asked)
	}
}

// TestWebIdentityParameters holds the codes that are about the request and not about its token; the others are in TestWebIdentityRefuses
// and TestKeysThatCannotBeHad.
func TestWebIdentityParameters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	roleARN, token := w.role(t, "App", irsa(cart)), w.token(t, nil)
	in := func(change func(*sdk.AssumeRoleWithWebIdentityInput)) *sdk.AssumeRoleWithWebIdentityInput {
		i := &sdk.AssumeRoleWithWebIdentityInput{RoleArn: &roleARN, RoleSessionName: aws.String("s1"), WebIdentityToken: &token}
		change(i)
		return i
	}
	tests := []struct {
		name string
		in   *sdk.AssumeRoleWithWebIdentityInput
		code string
	}{
		{"session name", in(func(i *sdk.AssumeRoleWithWebIdentityInput) { i.RoleSessionName = aws.String("a b") }), "ValidationError"},
		{"short session name", in(func(i *sdk.AssumeRoleWithWebIdentityInput) { i.RoleSessionName = aws.String("a") }), "ValidationError"},
		{"short", in(func(i *sdk.AssumeRoleWithWebIdentityInput) { i.DurationSeconds = aws.Int32(899) }), "ValidationError"},
		{"long", in(func(i *sdk.AssumeRoleWithWebIdentityInput) { i.DurationSeconds = aws.Int32(43201) }), "ValidationError"},
		{"long for the role", in(func(i *sdk.AssumeRoleWithWebIdentityInput) { i.DurationSeconds = aws.Int32(7200) }), "ValidationError"},
		{"long token", in(func(i *sdk.AssumeRoleWithWebIdentityInput) {
			i.WebIdentityToken = aws.String(strings.Repeat("a", 20001))
		}), "ValidationError"},
		{"policy", in(func(i *sdk.AssumeRoleWithWebIdentityInput) { i.Policy = aws.String(`{"Version":"2012-10-17"}`) }), "MalformedPolicyDocument"},
		{"large policy", in(func(i *sdk.AssumeRoleWithWebIdentityInput) {
			i.Policy = aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::` +
				strings.Repeat("b", 2048) + `"}}`)
		}), "PackedPolicyTooLarge"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := w.with(aws.AnonymousCredentials{}).AssumeRoleWithWebIdentity(t.Context(), test.in)
			apitest.Refused(t, err, test.code, http.StatusBadRequest)
		})
	}
	t.Run("large tags", func(t *testing.T) {
		tags := map[string]any{}
		for i := range 50 {
			sum := sha512.Sum512([]byte{byte(i)})
			tags[fmt.Sprint("key", i)] = []string{hex.EncodeToString(sum[:]) + hex.EncodeToString(sum[:])}
		}
		signed, err := w.signer.Sign(map[string]any{
			"iss": issuer, "aud": "sts.amazonaws.com", "sub": "ci", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
			"https://aws.amazon.com/tags": map[string]any{"principal_tags": tags},
		})
		must(t, err)
		_, err = w.with(aws.AnonymousCredentials{}).AssumeRoleWithWebIdentity(t.Context(), &sdk.AssumeRoleWithWebIdentityInput{
			RoleArn: aws.String(w.role(t, "tagged", strings.Replace(irsa("ci"), `"sts:AssumeRoleWithWebIdentity"`,
				`["sts:AssumeRoleWithWebIdentity","sts:TagSession"]`, 1))),
			RoleSessionName: aws.String("s1"), WebIdentityToken: &signed,
		})
		apitest.Refused(t, err, "PackedPolicyTooLarge", http.StatusBadRequest)
	})
}
