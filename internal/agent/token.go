package agent

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"
)

// maxToken bounds a service account token, in bytes. Those of Kubernetes have about 1,200.
const maxToken = 16 << 10

// tokenKey is the identity of a token: its whole text, hashed, so that nobody learns from the time of a lookup how much of
// a guessed token was right.
type tokenKey [sha256.Size]byte

func keyOf(token string) tokenKey { return sha256.Sum256([]byte(token)) }

// claims is what a token says of itself. Nothing of it is proven.
type claims struct {
	Namespace, ServiceAccount, Pod, PodUID, Node string
	Expires, NotBefore                           time.Time // zero: the token does not say
}

var (
	errSegments  = errors.New("token is malformed: token contains an invalid number of segments")
	errTooLong   = errors.New("token is malformed: token is too long")
	errAlphabet  = errors.New("token is malformed: token contains characters outside base64url")
	errHeader    = errors.New("token is malformed: could not decode the header")
	errAlgorithm = errors.New("token is unverifiable: signing method (alg) is unspecified")
	errClaims    = errors.New("token is malformed: could not decode the claims")
	errExpired   = errors.New("token is expired")
	errNotYet    = errors.New("token is not valid yet")
)

// peek reads a token's claims without proving them. Its errors quote nothing of the token.
func peek(token string) (claims, error) {
	if len(token) > maxToken {
		return claims{}, errTooLong
	}
	header, rest, _ := strings.Cut(token, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	if header == "" || payload == "" || signature == "" || strings.Contains(signature, ".") {
		return claims{}, errSegments
	}
	if strings.ContainsFunc(token, func(r rune) bool { return !tokenRune(r) }) {
		return claims{}, errAlphabet
	}
	var head struct {
		Algorithm string `json:"alg"`
	}
	if decodeSegment(header, &head) != nil {
		return claims{}, errHeader
	}
	if head.Algorithm == "" || head.Algorithm == "none" {
		return claims{}, errAlgorithm
	}
	var body struct {
		Expires    numericDate `json:"exp"`
		NotBefore  numericDate `json:"nbf"`
		Kubernetes struct {
			Namespace      string `json:"namespace"`
			ServiceAccount struct {
				Name string `json:"name"`
			} `json:"serviceaccount"`
			Pod struct {
				Name string `json:"name"`
				UID  string `json:"uid"`
			} `json:"pod"`
			Node struct {
				Name string `json:"name"`
			} `json:"node"`
		} `json:"kubernetes.io"`
	}
	if decodeSegment(payload, &body) != nil {
		return claims{}, errClaims
	}
	k := body.Kubernetes
	return claims{
		Namespace: bounded(k.Namespace), ServiceAccount: bounded(k.ServiceAccount.Name),
		Pod: bounded(k.Pod.Name), PodUID: bounded(k.Pod.UID), Node: bounded(k.Node.Name),
		Expires: body.Expires.Time, NotBefore: body.NotBefore.Time,
	}, nil
}

func tokenRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == '.'
}

func decodeSegment(segment string, v any) error {
	text, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// bounded cuts a claim to what a Kubernetes name can have; it goes into logs and stays in memory.
func bounded(s string) string { return strings.Clone(s[:min(len(s), 253)]) }

// numericDate is a JWT's time: seconds since the epoch, fractions allowed.
type numericDate struct{ time.Time }

func (d *numericDate) UnmarshalJSON(text []byte) error {
	var seconds *float64
	if err := json.Unmarshal(text, &seconds); err != nil || seconds == nil {
		return err
	}
	const limit = 1 << 37 // some year far ahead, so that the conversion cannot overflow
	whole, fraction := math.Modf(max(-limit, min(limit, *seconds)))
	d.Time = time.Unix(int64(whole), int64(fraction*1e9))
	return nil
}

// current says whether the token can be in force now, as far as it says so itself.
func (c *claims) current(now time.Time) error {
	switch {
	case !c.Expires.IsZero() && !now.Before(c.Expires):
		return errExpired
	case !c.NotBefore.IsZero() && now.Before(c.NotBefore):
		return errNotYet
	}
	return nil
}
