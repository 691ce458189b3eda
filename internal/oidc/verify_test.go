package oidc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/oidc"
)

const (
	issuer   = "https://oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
	audience = "pods.eks.amazonaws.com"
)

var (
	now    = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	expect = oidc.Expect{Issuer: issuer, Audiences: []string{audience}, Now: now}
	pod    = oidc.Kubernetes{
		Namespace: "shop", ServiceAccount: "cart", ServiceAccountUID: "5f0ad74a-0000-4000-8000-000000000001",
		Pod: "cart-7d4b9c-x2x7z", PodUID: "5f0ad74a-0000-4000-8000-000000000002", Node: "node-1", NodeUID: "5f0ad74a-0000-4000-8000-000000000003",
	}
)

// rsaSigner is shared: making an RSA key takes longer than all other tests.
var rsaSigner = sync.OnceValue(func() *oidc.Signer {
	s, err := oidc.NewSigner("RS256")
	if err != nil {
		panic(err)
	}
	return s
})

func newSigner(t testing.TB) *oidc.Signer {
	t.Helper()
	s, err := oidc.NewSigner("ES256")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// podToken makes a token as a kube-apiserver does, for the pod above.
func podToken(t testing.TB, s *oidc.Signer, change func(*oidc.ServiceAccountToken)) string {
	t.Helper()
	in := oidc.ServiceAccountToken{
		Issuer: issuer, Audiences: []string{audience}, Kubernetes: pod, IssuedAt: now.Add(-time.Hour), Lifetime: 24 * time.Hour,
	}
	if change != nil {
		change(&in)
	}
	token, err := s.ServiceAccountToken(in)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// refusal checks kind and subject of a failure, and that it does not repeat the token.
func refusal(t *testing.T, err error, kind fault.Kind, subject, token string) *fault.Error {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		t.Fatalf("error is %v, want a fault", err)
	}
	if f.Kind != kind || f.Subject != subject {
		t.Errorf("fault is %v %s, want %v %s: %v", f.Kind, f.Subject, kind, subject, err)
	}
	for part := range strings.SplitSeq(token, ".") {
		if len(part) > 16 && strings.Contains(err.Error(), part) {
			t.Errorf("the refusal repeats the token: %v", err)
		}
	}
	return f
}

func TestVerify(t *testing.T) {
	t.Parallel()
	for _, s := range []*oidc.Signer{rsaSigner(), newSigner(t)} {
		got, err := oidc.Verify(podToken(t, s, nil), s.KeySet(), expect)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.ID) != 36 {
			t.Errorf("jti is %q", got.ID)
		}
		got.ID = ""
		want := &oidc.Claims{
			Issuer: issuer, Subject: "system:serviceaccount:shop:cart", Audience: []string{audience},
			Expiry: now.Add(23 * time.Hour), NotBefore: now.Add(-time.Hour), IssuedAt: now.Add(-time.Hour), Kubernetes: &pod,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if err := got.RequirePodBound(); err != nil {
			t.Error(err)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	s, other := newSigner(t), newSigner(t)
	const sub = "system:serviceaccount:shop:cart"
	tests := map[string]struct {
		signer *oidc.Signer
		change func(*oidc.ServiceAccountToken)
		expect func(*oidc.Expect)
		kind   fault.Kind
		public string
	}{
		"another audience": {
			change: func(in *oidc.ServiceAccountToken) { in.Audiences = []string{"sts.amazonaws.com"} },
			kind:   fault.Unauthenticated,
			public: `token audience is "sts.amazonaws.com", expected "pods.eks.amazonaws.com" (iss "` + issuer + `", sub "` + sub + `")`,
		},
		"no audience expected": {
			expect: func(e *oidc.Expect) { e.Audiences = nil }, kind: fault.Unauthenticated,
			public: `token audience is "pods.eks.amazonaws.com", expected missing (iss "` + issuer + `", sub "` + sub + `")`,
		},
		"another issuer": {
			change: func(in *oidc.ServiceAccountToken) { in.Issuer = "https://other.example" },
			kind:   fault.Unauthenticated,
			public: `token issuer is "https://other.example", expected "` + issuer + `" (aud "pods.eks.amazonaws.com", sub "` + sub + `")`,
		},
		"no issuer expected": {
			expect: func(e *oidc.Expect) { e.Issuer = "" }, kind: fault.Unauthenticated,
			public: `token issuer is "` + issuer + `", expected "" (aud "pods.eks.amazonaws.com", sub "` + sub + `")`,
		},
		"expired": {
			expect: func(e *oidc.Expect) { e.Now = now.Add(23*time.Hour + oidc.Leeway) }, kind: fault.Expired,
			public: "Token expired: current date/time 1795604430 must be before the expiration date/time 1795604400 " +
				`(iss "` + issuer + `", aud "pods.eks.amazonaws.com", sub "` + sub + `")`,
		},
		"not yet valid": {
			change: func(in *oidc.ServiceAccountToken) { in.IssuedAt = now.Add(oidc.Leeway + time.Second) },
			kind:   fault.Unauthenticated,
			public: `token is not valid before 1795521631, current date/time is 1795521600 (iss "` + issuer + `", aud "pods.eks.amazonaws.com", sub "` + sub + `")`,
		},
		"a foreign key": {
			signer: other, kind: fault.Unauthenticated,
			public: `token is signed with key "` + other.KeySet().KeyIDs()[0] + `", which is not in the key set of its issuer (iss "` +
				issuer + `", aud "pods.eks.amazonaws.com", sub "` + sub + `")`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := expect
			if test.expect != nil {
				test.expect(&e)
			}
			signer := s
			if test.signer != nil {
				signer = test.signer
			}
			token := podToken(t, signer, test.change)
			claims, err := oidc.Verify(token, s.KeySet(), e)
			if f := refusal(t, err, test.kind, "token", token); f.Public != test.public || claims != nil {
				t.Errorf("got  %s\nwant %s", f.Public, test.public)
			}
		})
	}
}

func TestVerifyWithinLeeway(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	token := podToken(t, s, nil)
	for _, at := range []time.Time{now.Add(-time.Hour - oidc.Leeway), now.Add(23*time.Hour + oidc.Leeway - time.Second)} {
		e := expect
		e.Now = at
		if _, err := oidc.Verify(token, s.KeySet(), e); err != nil {
			t.Errorf("at %s: %v", at, err)
		}
	}
	e := expect
	e.Now = time.Time{}
	if _, err := oidc.Verify(token, s.KeySet(), e); err == nil {
		t.Error("a token was accepted at no time")
	}
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func TestVerifyForgeries(t *testing.T) {
	t.Parallel()
	s := rsaSigner()
	token := podToken(t, s, nil)
	f := strings.Split(token, ".")
	id := s.KeySet().KeyIDs()[0]
	claims, err := base64.RawURLEncoding.DecodeString(f[1])
	if err != nil {
		t.Fatal(err)
	}
	// The HMAC secrets an attacker would try: every spelling of the public key.
	var set jose.JSONWebKeySet
	jwks, err := s.KeySet().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(jwks, &set); err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(set.Keys[0].Key)
	if err != nil {
		t.Fatal(err)
	}
	hs256 := func(secret []byte) string {
		text := encode(`{"alg":"HS256","kid":"`+id+`"}`) + "." + f[1]
		h := hmac.New(sha256.New, secret)
		h.Write([]byte(text))
		return text + "." + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
	}
	signature, err := base64.RawURLEncoding.DecodeString(f[2])
	if err != nil {
		t.Fatal(err)
	}
	signature[len(signature)/2] ^= 1
	tests := map[string]struct {
		token string
		kind  fault.Kind
	}{
		"alg none":                 {encode(`{"alg":"none","kid":"`+id+`"}`) + "." + f[1] + ".", fault.Unauthenticated},
		"alg none with signature":  {encode(`{"alg":"none","kid":"`+id+`"}`) + "." + f[1] + "." + f[2], fault.Unauthenticated},
		"HS256 with the DER":       {hs256(der), fault.Unauthenticated},
		"HS256 with the PEM":       {hs256(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), fault.Unauthenticated},
		"HS256 with the JWKS":      {hs256(jwks), fault.Unauthenticated},
		"algorithm of another key": {encode(`{"alg":"ES256","kid":"`+id+`"}`) + "." + f[1] + "." + f[2], fault.Unauthenticated},
		"algorithm of the type":    {encode(`{"alg":"RS512","kid":"`+id+`"}`) + "." + f[1] + "." + f[2], fault.Unauthenticated},
		"no algorithm":             {encode(`{"kid":"`+id+`"}`) + "." + f[1] + "." + f[2], fault.Invalid},
		"critical extension":       {encode(`{"alg":"RS256","b64":true,"crit":["b64"],"kid":"`+id+`"}`) + "." + f[1] + "." + f[2], fault.Unauthenticated},
		"changed payload":          {f[0] + "." + encode(strings.Replace(string(claims), "shop", "bank", 1)) + "." + f[2], fault.Unauthenticated},
		"changed signature":        {f[0] + "." + f[1] + "." + base64.RawURLEncoding.EncodeToString(signature), fault.Unauthenticated},
		"no signature":             {f[0] + "." + f[1] + ".", fault.Unauthenticated},
		"two parts":                {f[0] + "." + f[1], fault.Invalid},
		"four parts":               {token + "." + f[2], fault.Invalid},
		"JSON serialization":       {`{"payload":"` + f[1] + `","protected":"` + f[0] + `","signature":"` + f[2] + `"}`, fault.Invalid},
		"a line end":               {token + "\n", fault.Invalid},
		"padding":                  {token + "=", fault.Invalid},
		"empty":                    {"", fault.Invalid},
		"dots":                     {"..", fault.Invalid},
		"oversized":                {f[0] + "." + strings.Repeat("A", oidc.MaxToken) + "." + f[2], fault.Invalid},
		"duplicate claim":          {f[0] + "." + encode(`{"iss":"a",`+string(claims[1:])) + "." + f[2], fault.Invalid},
		"payload not an object":    {f[0] + "." + encode(`[]`) + "." + f[2], fault.Invalid},
		"null payload":             {f[0] + "." + encode(`null`) + "." + f[2], fault.Invalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := oidc.Verify(test.token, s.KeySet(), expect)
			refusal(t, err, test.kind, "token", test.token)
		})
	}
}

func TestVerifyKeyRotation(t *testing.T) {
	t.Parallel()
	first, second := newSigner(t), rsaSigner()
	both, err := first.KeySet().Union(second.KeySet())
	if err != nil {
		t.Fatal(err)
	}
	if both, err = both.Union(first.KeySet()); err != nil || len(both.KeyIDs()) != 2 {
		t.Fatalf("union has keys %v, %v", both.KeyIDs(), err)
	}
	for _, s := range []*oidc.Signer{first, second} {
		if _, err := oidc.Verify(podToken(t, s, nil), both, expect); err != nil {
			t.Error(err)
		}
	}
	token := podToken(t, first, nil)
	_, err = oidc.Verify(token, second.KeySet(), expect)
	refusal(t, err, fault.Unauthenticated, "token", token)
	if !errors.Is(err, oidc.ErrUnknownKey) {
		t.Errorf("cause of %v is not ErrUnknownKey", err)
	}
	_, err = oidc.Verify(token, nil, expect)
	refusal(t, err, fault.Unauthenticated, "token", token)
	e := expect
	e.Audiences = []string{"", "sts.amazonaws.com"}
	if _, err = oidc.Verify(token, first.KeySet(), e); !errors.Is(err, oidc.ErrAudience) {
		t.Errorf("cause of %v is not ErrAudience", err)
	}
}

// oneKey makes a signer without a key id and the key set that goes with it.
func oneKey(t *testing.T, alg jose.SignatureAlgorithm, private crypto.Signer) (jose.Signer, []byte) {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: private}, nil)
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: private.Public()}}})
	if err != nil {
		t.Fatal(err)
	}
	return s, jwks
}

func TestVerifyAlgorithms(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[jose.SignatureAlgorithm]crypto.Signer{
		jose.RS256: rsaKey, jose.RS384: rsaKey, jose.RS512: rsaKey, jose.PS256: rsaKey, jose.PS384: rsaKey, jose.PS512: rsaKey,
		jose.EdDSA: edKey,
	}
	for alg, curve := range map[jose.SignatureAlgorithm]elliptic.Curve{
		jose.ES256: elliptic.P256(), jose.ES384: elliptic.P384(), jose.ES512: elliptic.P521(),
	} {
		if keys[alg], err = ecdsa.GenerateKey(curve, rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	for alg, private := range keys {
		s, jwks := oneKey(t, alg, private)
		set, err := oidc.ParseKeySet(jwks)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		jws, err := s.Sign([]byte(`{"iss":"` + issuer + `","sub":"s","aud":"` + audience + `","exp":1795604400.5}`))
		if err != nil {
			t.Fatal(err)
		}
		token, err := jws.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := oidc.Verify(token, set, expect); err != nil {
			t.Errorf("%s without key id, one key: %v", alg, err)
		}
		two, err := newSigner(t).KeySet().Union(newSigner(t).KeySet())
		if err != nil {
			t.Fatal(err)
		}
		_, err = oidc.Verify(token, two, expect)
		refusal(t, err, fault.Unauthenticated, "token", token)
	}
}

func TestIssuer(t *testing.T) {
	t.Parallel()
	if got, err := oidc.Issuer(podToken(t, newSigner(t), nil)); err != nil || got != issuer {
		t.Errorf("issuer is %q, %v", got, err)
	}
	for _, token := range []string{"", "a.b", "a.b.c", encode("{}") + "." + encode("{}") + ".", strings.Repeat("a", oidc.MaxToken+1)} {
		_, err := oidc.Issuer(token)
		refusal(t, err, fault.Invalid, "token", "")
	}
}

func FuzzVerify(f *testing.F) {
	s, err := oidc.NewSigner("ES256")
	if err != nil {
		f.Fatal(err)
	}
	good := podToken(f, s, nil)
	parts := strings.Split(good, ".")
	f.Add(good)
	f.Add(parts[0] + "." + parts[1] + ".")
	f.Add(encode(`{"alg":"none"}`) + "." + parts[1] + ".")
	f.Add(encode(`{"alg":"RS256","kid":"x","jwk":{"kty":"oct","k":"AA"}}`) + "." + encode(`{"iss":"i","sub":"s","exp":1e300}`) + ".AA")
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := oidc.Verify(token, s.KeySet(), expect)
		if err == nil && token[:strings.LastIndexByte(token, '.')] != good[:strings.LastIndexByte(good, '.')] {
			t.Errorf("accepted %q: %+v", token, claims)
		}
		if err != nil && fault.Of(err).Subject != "token" {
			t.Errorf("unclassified failure: %v", err)
		}
		_, _ = oidc.Issuer(token)
	})
}

func BenchmarkVerify(b *testing.B) {
	for name, s := range map[string]*oidc.Signer{"RS256": rsaSigner(), "ES256": newSigner(b)} {
		b.Run(name, func(b *testing.B) {
			token := podToken(b, s, nil)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := oidc.Verify(token, s.KeySet(), expect); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
