package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/oidc"
)

// A public key of an EKS cluster's shape, and one on a curve.
func publicKeys(t testing.TB) (rsaJWK, ecJWK string) {
	t.Helper()
	union, err := rsaSigner().KeySet().Union(newSigner(t).KeySet())
	if err != nil {
		t.Fatal(err)
	}
	text, err := union.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	return string(set.Keys[0]), string(set.Keys[1])
}

func TestParseKeySet(t *testing.T) {
	t.Parallel()
	one, two := publicKeys(t)
	text := `{"keys":[` + one + `,` + two + `,{"kty":"OKP","crv":"X25519","x":"AA"},{"kty":"new"},{"kty":"RSA","use":"enc"}]}`
	set, err := oidc.ParseKeySet([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	again, err := set.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"keys":[`+one+`,`+two+`]}`, string(again)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"RS256", "ES256"}, set.Algorithms()); diff != "" {
		t.Error(diff)
	}
	if ids := set.KeyIDs(); len(ids) != 2 || len(ids[0]) != 43 || len(ids[1]) != 43 {
		t.Errorf("key ids are %q", ids)
	}
}

func TestParseKeySetRefuses(t *testing.T) {
	t.Parallel()
	one, two := publicKeys(t)
	private := func(k any) string {
		text, err := json.Marshal(jose.JSONWebKey{Key: k, KeyID: "k"})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaOf := func(bits uint, e int) string {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return private(&rsa.PublicKey{N: n.SetBit(n, 0, 1), E: e})
	}
	without := func(jwk, member string) string {
		var m map[string]any
		if err := json.Unmarshal([]byte(jwk), &m); err != nil {
			t.Fatal(err)
		}
		delete(m, member)
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	off := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	tests := map[string]string{
		"not JSON":                  `{`,
		"not an object":             `[]`,
		"empty":                     ``,
		"no keys":                   `{"keys":[]}`,
		"no usable keys":            `{"keys":[{"kty":"RSA","use":"enc"}]}`,
		"a key that is no object":   `{"keys":[1]}`,
		"private key":               `{"keys":[` + one + `,` + private(ec) + `]}`,
		"symmetric key":             `{"keys":[` + one + `,` + private([]byte("secret")) + `]}`,
		"short RSA key":             `{"keys":[` + rsaOf(1024, 65537) + `]}`,
		"huge RSA key":              `{"keys":[` + rsaOf(8200, 65537) + `]}`,
		"RSA exponent 1":            `{"keys":[` + rsaOf(2048, 1) + `]}`,
		"point off the curve":       `{"keys":[{"kty":"EC","crv":"P-256","x":"` + off + `","y":"` + off + `"}]}`,
		"short Ed25519 key":         `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`,
		"two keys with one kid":     `{"keys":[` + one + `,` + one + `]}`,
		"several keys, one no kid":  `{"keys":[` + one + `,` + without(two, "kid") + `]}`,
		"too many keys":             `{"keys":[` + strings.Repeat(`{"kty":"x"},`, 100) + one + `]}`,
		"too large":                 `{"keys":[` + one + `]}` + strings.Repeat(" ", 128<<10),
		"RSA numbers missing":       `{"keys":[{"kty":"RSA","kid":"a"}]}`,
		"algorithm of another type": `{"keys":[` + strings.Replace(one, "RS256", "ES256", 1) + `]}`,
		"HMAC algorithm":            `{"keys":[` + strings.Replace(one, "RS256", "HS256", 1) + `]}`,
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, err := oidc.ParseKeySet([]byte(text))
			if set != nil {
				t.Errorf("got a set with keys %q", set.KeyIDs())
			}
			refusal(t, err, fault.Invalid, "key set", "")
		})
	}
}

func TestSignerPEM(t *testing.T) {
	t.Parallel()
	for _, s := range []*oidc.Signer{rsaSigner(), newSigner(t)} {
		text, err := s.PEM()
		if err != nil {
			t.Fatal(err)
		}
		again, err := oidc.ParseSigner(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := oidc.Verify(podToken(t, again, nil), s.KeySet(), expect); err != nil {
			t.Error(err)
		}
		if _, err := oidc.ParseSigner(append(text, text...)); err == nil {
			t.Error("two keys were read as one")
		}
	}
	for _, text := range []string{"", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if _, err := oidc.ParseSigner([]byte(text)); err == nil {
			t.Errorf("%q was read as a key", text)
		}
	}
	if _, err := oidc.NewSigner("HS256"); err == nil {
		t.Error("a signer for HS256 was made")
	}
	if _, err := newSigner(t).ServiceAccountToken(oidc.ServiceAccountToken{Issuer: issuer}); err == nil {
		t.Error("a token without audience was made")
	}
}

// TestServiceAccountToken compares the bytes with those of a kube-apiserver.
func TestServiceAccountToken(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	token := podToken(t, s, nil)
	f := strings.Split(token, ".")
	head, err := base64.RawURLEncoding.DecodeString(f[0])
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"alg":"ES256","kid":"` + s.KeySet().KeyIDs()[0] + `"}`; string(head) != want {
		t.Errorf("header is %s, want %s", head, want)
	}
	claims, err := base64.RawURLEncoding.DecodeString(f[1])
	if err != nil {
		t.Fatal(err)
	}
	var id struct{ JTI string }
	if err := json.Unmarshal(claims, &id); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"aud":["pods.eks.amazonaws.com"],"exp":1795604400,"iat":1795518000,"iss":%q,"jti":%q,"kubernetes.io":`+
		`{"namespace":"shop","node":{"name":"node-1","uid":"5f0ad74a-0000-4000-8000-000000000003"},`+
		`"pod":{"name":"cart-7d4b9c-x2x7z","uid":"5f0ad74a-0000-4000-8000-000000000002"},`+
		`"serviceaccount":{"name":"cart","uid":"5f0ad74a-0000-4000-8000-000000000001"}},`+
		`"nbf":1795518000,"sub":"system:serviceaccount:shop:cart"}`, issuer, id.JTI)
	if diff := cmp.Diff(want, string(claims)); diff != "" {
		t.Error(diff)
	}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(oidc.NewDiscovery("https://i", "https://i/keys", rsaSigner().KeySet()))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"issuer":"https://i","jwks_uri":"https://i/keys","authorization_endpoint":"urn:kubernetes:programmatic_authorization",` +
		`"response_types_supported":["id_token"],"subject_types_supported":["public"],` +
		`"id_token_signing_alg_values_supported":["RS256"],"claims_supported":["sub","iss"]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	base := func(extra string) json.RawMessage {
		return json.RawMessage(`{"iss":"` + issuer + `","sub":"me","aud":"` + audience + `","exp":1795604400` + extra + `}`)
	}
	verify := func(t *testing.T, claims json.RawMessage) (*oidc.Claims, string, error) {
		t.Helper()
		token, err := s.Sign(claims)
		if err != nil {
			t.Fatal(err)
		}
		c, err := oidc.Verify(token, s.KeySet(), expect)
		return c, token, err
	}
	got, _, err := verify(t, base(`,"azp":"client","amr":["mfa"],"https://aws.amazon.com/source_identity":"alice",`+
		`"https://aws.amazon.com/tags":{"principal_tags":{"team":["shop"]},"transitive_tag_keys":["team"]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &oidc.Claims{
		Issuer: issuer, Subject: "me", Audience: []string{audience}, AuthorizedParty: "client", AuthenticationMethods: []string{"mfa"},
		Expiry: time.Unix(1795604400, 0).UTC(), PrincipalTags: map[string]string{"team": "shop"}, TransitiveTagKeys: []string{"team"},
		SourceIdentity: "alice",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	long := strings.Repeat("x", 1025)
	for name, claims := range map[string]json.RawMessage{
		"no issuer":               json.RawMessage(`{"sub":"me","exp":1795604400}`),
		"no subject":              json.RawMessage(`{"iss":"` + issuer + `","exp":1795604400}`),
		"no expiry":               json.RawMessage(`{"iss":"` + issuer + `","sub":"me"}`),
		"expiry of another type":  base(`,"nbf":"soon"`),
		"expiry out of range":     base(`,"nbf":1e300`),
		"long id":                 base(`,"jti":"` + long + `"`),
		"long namespace":          base(`,"kubernetes.io":{"namespace":"` + long + `"}`),
		"kubernetes is a string":  base(`,"kubernetes.io":"x"`),
		"tag with two values":     base(`,"https://aws.amazon.com/tags":{"principal_tags":{"a":["1","2"]}}`),
		"tag without value":       base(`,"https://aws.amazon.com/tags":{"principal_tags":{"a":[]}}`),
		"tag with long key":       base(`,"https://aws.amazon.com/tags":{"principal_tags":{"` + long[:129] + `":["1"]}}`),
		"transitive key is empty": base(`,"https://aws.amazon.com/tags":{"transitive_tag_keys":[""]}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, token, err := verify(t, claims)
			refusal(t, err, fault.Invalid, "token", token)
		})
	}
}

func TestRequirePodBound(t *testing.T) {
	t.Parallel()
	good := oidc.Claims{Issuer: issuer, Subject: "system:serviceaccount:shop:cart", Kubernetes: &pod}
	if err := good.RequirePodBound(); err != nil {
		t.Error(err)
	}
	with := func(change func(*oidc.Kubernetes)) *oidc.Claims {
		c, k := good, pod
		change(&k)
		c.Kubernetes = &k
		return &c
	}
	for name, test := range map[string]struct {
		claims *oidc.Claims
		public string
	}{
		"not Kubernetes": {
			&oidc.Claims{Issuer: issuer, Subject: "me"},
			`token is not a Kubernetes service account token (iss "` + issuer + `", aud missing, sub "me")`,
		},
		"no pod": {
			with(func(k *oidc.Kubernetes) { k.Pod, k.PodUID = "", "" }),
			`token is not bound to a pod: it must come from a projected volume of the pod (iss "` + issuer +
				`", aud missing, sub "system:serviceaccount:shop:cart")`,
		},
		"no pod UID": {
			with(func(k *oidc.Kubernetes) { k.PodUID = "" }),
			`token is not bound to a pod: it must come from a projected volume of the pod (iss "` + issuer +
				`", aud missing, sub "system:serviceaccount:shop:cart")`,
		},
		"another namespace": {
			with(func(k *oidc.Kubernetes) { k.Namespace = "bank" }),
			`token subject is "system:serviceaccount:shop:cart", expected "system:serviceaccount:bank:cart" (iss "` + issuer + `", aud missing)`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if f := refusal(t, test.claims.RequirePodBound(), fault.Unauthenticated, "token", ""); f.Public != test.public {
				t.Errorf("got  %s\nwant %s", f.Public, test.public)
			}
		})
	}
}

func FuzzParseKeySet(f *testing.F) {
	one, two := publicKeys(f)
	f.Add([]byte(`{"keys":[` + one + `,` + two + `]}`))
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		set, err := oidc.ParseKeySet(text)
		if err != nil {
			if f := fault.Of(err); f.Kind != fault.Invalid || f.Subject != "key set" {
				t.Errorf("unclassified failure: %v", err)
			}
			return
		}
		again, err := set.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(again), `"d":`) || strings.Contains(string(again), `"k":`) {
			t.Errorf("a secret came through: %s", again)
		}
		if _, err := oidc.ParseKeySet(again); err != nil {
			t.Errorf("%s: %v", again, err)
		}
	})
}
