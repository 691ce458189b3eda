package oidc

import (
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/podid/podid/internal/fault"
)

const (
	// MaxToken is the length of the longest token that is read, in bytes.
	//
	// spec: pod-identity.md 6.4
	MaxToken = 20_000

	// Leeway is how far the issuer's clock and ours may differ: a token is accepted this long before its not-before and issue times
	// and this long after its expiry.
	Leeway = 30 * time.Second
)

// The causes, for errors.Is, of two refusals that services word in their own way.
var (
	ErrAudience   = errors.New("the token is for another audience")
	ErrUnknownKey = errors.New("the token's key is not in the key set")
)

// Expect is what a token must fit. All of it is required: an empty member fits no token.
type Expect struct {
	Issuer    string
	Audiences []string // the token must be for one of them
	Now       time.Time
}

// Verify proves a token. Its failures have the subject "token" and the kind
//
//	Invalid          not a JWT, or without the claims that every token has
//	Unauthenticated  wrong issuer, key, algorithm, signature or audience, or not valid yet
//	Expired          good once
//
// The issuer is compared first, so that a token of another cluster is told so and not that its key is unknown.
//
// spec: pod-identity.md 2.3, steps 3 to 6
func Verify(token string, keys *KeySet, expect Expect) (*Claims, error) {
	if err := checkSyntax(token); err != nil {
		return nil, err
	}
	jws, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil {
		if bad, ok := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); ok && bad.Got != "" {
			return nil, refused("token is signed with algorithm %.32q, which is not accepted", string(bad.Got))
		}
		return nil, errNotJWT().Because(err)
	}
	claims, err := parseClaims(jws.UnsafePayloadWithoutVerification())
	if err != nil {
		return nil, err
	}
	if expect.Issuer == "" || claims.Issuer != expect.Issuer {
		return nil, refused("token issuer is %s, expected %s (aud %s, sub %s)",
			quote(claims.Issuer), quote(expect.Issuer), quote(claims.Audience...), quote(claims.Subject))
	}
	if err := verifySignature(jws, keys, claims); err != nil {
		return nil, err
	}
	if !claims.meantFor(expect.Audiences) {
		return nil, refused("token audience is %s, expected %s (iss %s, sub %s)",
			quote(claims.Audience...), quote(expect.Audiences...), quote(claims.Issuer), quote(claims.Subject)).Because(ErrAudience)
	}
	if err := claims.checkTime(expect.Now); err != nil {
		return nil, err
	}
	return claims, nil
}

// Issuer reads the issuer of a token without proving anything, in order to find the provider whose keys can.
func Issuer(token string) (string, error) {
	if err := checkSyntax(token); err != nil {
		return "", err
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		return "", errNotJWT().Because(err)
	}
	claims, err := parseClaims(payload)
	if err != nil {
		return "", err
	}
	return claims.Issuer, nil
}

// checkSyntax holds a token to three parts of base64url. The decoders would skip line ends, and so accept a token in many spellings.
func checkSyntax(token string) error {
	if len(token) > MaxToken {
		return badToken("The token is longer than %d bytes", MaxToken)
	}
	dots := 0
	for i := range len(token) {
		switch c := token[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		case c == '.':
			dots++
		default:
			return errNotJWT()
		}
	}
	if dots != 2 {
		return errNotJWT()
	}
	return nil
}

func verifySignature(jws *jose.JSONWebSignature, keys *KeySet, claims *Claims) error {
	h := jws.Signatures[0].Header
	for _, name := range [...]jose.HeaderKey{"crit", "b64"} { // extensions change what is signed; service account tokens have none
		if _, ok := h.ExtraHeaders[name]; ok {
			return refused("token has the header %q, which is not accepted (%s)", string(name), claims.names())
		}
	}
	k := keys.find(h.KeyID)
	switch {
	case k == nil && h.KeyID == "":
		return refused("token names no key (kid), and the key set of its issuer does not have exactly one (%s)",
			claims.names()).Because(ErrUnknownKey)
	case k == nil:
		return refused("token is signed with key %.64q, which is not in the key set of its issuer (%s)",
			h.KeyID, claims.names()).Because(ErrUnknownKey)
	case !slices.Contains(k.algorithms, jose.SignatureAlgorithm(h.Algorithm)):
		return refused("token is signed with algorithm %s, which key %.64q is not for (%s)", h.Algorithm, k.KeyID, claims.names())
	}
	if _, err := jws.Verify(k.Key); err != nil {
		return refused("token signature is not valid for key %.64q of its issuer (%s)", k.KeyID, claims.names()).Because(err)
	}
	return nil
}

func (c *Claims) meantFor(audiences []string) bool {
	return slices.ContainsFunc(audiences, func(want string) bool { return want != "" && slices.Contains(c.Audience, want) })
}

// checkTime checks that now lies in the token's lifetime.
func (c *Claims) checkTime(now time.Time) error {
	switch {
	case now.IsZero():
		return errors.New("oidc: the time of verification was not given")
	case !now.Before(c.Expiry.Add(Leeway)):
		return fault.New(fault.Expired, "token", "Token expired: current date/time %d must be before the expiration date/time %d (%s)",
			now.Unix(), c.Expiry.Unix(), c.names())
	case now.Before(c.NotBefore.Add(-Leeway)):
		return refused("token is not valid before %d, current date/time is %d (%s)", c.NotBefore.Unix(), now.Unix(), c.names())
	case now.Before(c.IssuedAt.Add(-Leeway)):
		return refused("token was issued at %d, current date/time is %d (%s)", c.IssuedAt.Unix(), now.Unix(), c.names())
	}
	return nil
}

// quote prints texts of strangers: each quoted and cut to 256 characters, at most four of them.
func quote(texts ...string) string {
	if len(texts) == 0 {
		return "missing"
	}
	b := []byte{}
	for i, text := range texts {
		if i > 0 {
			b = append(b, ", "...)
		}
		if i == 4 {
			return string(append(b, "..."...))
		}
		if len(text) > 256 {
			text = text[:256]
		}
		b = strconv.AppendQuote(b, text)
	}
	return string(b)
}

func errNotJWT() *fault.Error { return badToken("The token is not a signed JSON Web Token") }
