package oidc

import (
	"time"

	"github.com/go-jose/go-jose/v4/json" // case-sensitive and strict about duplicates, which encoding/json is not
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/podid/podid/internal/fault"
)

// Bounds of single claims; the token as a whole has one, too. Those of tags are STS's for session tags.
const (
	maxText      = 1024
	maxAudiences = 50
	maxTags      = 50
	maxTagKey    = 128
	maxTagValue  = 256
)

// Claims is what a proven token says.
type Claims struct {
	Issuer                string
	Subject               string
	Audience              []string
	AuthorizedParty       string // azp; where it is set, policies see it as the audience
	AuthenticationMethods []string
	Expiry                time.Time
	NotBefore             time.Time // zero: not given
	IssuedAt              time.Time // zero: not given
	ID                    string
	Kubernetes            *Kubernetes // nil: not a service account token
	PrincipalTags         map[string]string
	TransitiveTagKeys     []string
	SourceIdentity        string
}

// Kubernetes is what a service account token is bound to. Pod and node are empty for a token that is not bound to them; clusters
// before 1.30 do not tell the node.
type Kubernetes struct {
	Namespace         string
	ServiceAccount    string
	ServiceAccountUID string
	Pod               string
	PodUID            string
	Node              string
	NodeUID           string
}

// wire is the payload of a token.
type wire struct {
	jwt.Claims
	AuthorizedParty       string          `json:"azp"`
	AuthenticationMethods jwt.Audience    `json:"amr"` // one string or a list, as aud is
	Kubernetes            *wireKubernetes `json:"kubernetes.io"`
	Tags                  *wireTags       `json:"https://aws.amazon.com/tags"`
	SourceIdentity        string          `json:"https://aws.amazon.com/source_identity"`
}

type wireKubernetes struct {
	Namespace      string  `json:"namespace,omitempty"`
	Node           *object `json:"node,omitempty"`
	Pod            *object `json:"pod,omitempty"`
	ServiceAccount *object `json:"serviceaccount,omitempty"`
}

type object struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

type wireTags struct {
	PrincipalTags     map[string][]string `json:"principal_tags"` // one value each
	TransitiveTagKeys []string            `json:"transitive_tag_keys"`
}

func parseClaims(payload []byte) (*Claims, error) {
	var w wire
	if err := json.Unmarshal(payload, &w); err != nil {
		return nil, badToken("The token's claims are not what a JWT has").Because(err)
	}
	c := &Claims{
		Issuer: w.Issuer, Subject: w.Subject, Audience: w.Audience, ID: w.ID,
		AuthorizedParty: w.AuthorizedParty, AuthenticationMethods: w.AuthenticationMethods, SourceIdentity: w.SourceIdentity,
		Expiry: date(w.Expiry), NotBefore: date(w.NotBefore), IssuedAt: date(w.IssuedAt),
		Kubernetes: w.Kubernetes.flat(),
	}
	if err := c.setTags(w.Tags); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}

func date(n *jwt.NumericDate) time.Time {
	if n == nil {
		return time.Time{}
	}
	return n.Time().UTC()
}

func (w *wireKubernetes) flat() *Kubernetes {
	if w == nil {
		return nil
	}
	k := &Kubernetes{Namespace: w.Namespace}
	if w.ServiceAccount != nil {
		k.ServiceAccount, k.ServiceAccountUID = w.ServiceAccount.Name, w.ServiceAccount.UID
	}
	if w.Pod != nil {
		k.Pod, k.PodUID = w.Pod.Name, w.Pod.UID
	}
	if w.Node != nil {
		k.Node, k.NodeUID = w.Node.Name, w.Node.UID
	}
	return k
}

func (c *Claims) setTags(w *wireTags) error {
	if w == nil {
		return nil
	}
	if len(w.PrincipalTags) > maxTags || len(w.TransitiveTagKeys) > maxTags {
		return badToken("The token has more than %d principal tags", maxTags)
	}
	c.PrincipalTags = make(map[string]string, len(w.PrincipalTags))
	for name, values := range w.PrincipalTags {
		if len(values) != 1 || name == "" || len([]rune(name)) > maxTagKey || len([]rune(values[0])) > maxTagValue {
			return badToken("The token's principal tag %.64q must have one value, a key of 1 to %d characters and a value of up to %d",
				name, maxTagKey, maxTagValue)
		}
		c.PrincipalTags[name] = values[0]
	}
	for _, name := range w.TransitiveTagKeys {
		if name == "" || len([]rune(name)) > maxTagKey {
			return badToken("The token's transitive tag keys must have 1 to %d characters", maxTagKey)
		}
	}
	c.TransitiveTagKeys = w.TransitiveTagKeys
	return nil
}

// check holds the bounds, and that the claims every token needs are there.
func (c *Claims) check() error {
	for _, list := range [][]string{c.Audience, c.AuthenticationMethods} {
		if len(list) > maxAudiences {
			return badToken("The token has more than %d audiences", maxAudiences)
		}
		for _, text := range list {
			if len(text) > maxText {
				return errTooLong()
			}
		}
	}
	for _, text := range [...]string{c.Issuer, c.Subject, c.ID, c.AuthorizedParty, c.SourceIdentity} {
		if len(text) > maxText {
			return errTooLong()
		}
	}
	if k := c.Kubernetes; k != nil {
		for _, text := range [...]string{k.Namespace, k.ServiceAccount, k.ServiceAccountUID, k.Pod, k.PodUID, k.Node, k.NodeUID} {
			if len(text) > maxText {
				return errTooLong()
			}
		}
	}
	switch {
	case c.Issuer == "":
		return badToken("The token has no issuer (iss)")
	case c.Subject == "":
		return badToken("The token has no subject (sub)")
	case c.Expiry.IsZero():
		return badToken("The token has no expiration (exp)")
	}
	return nil
}

// RequirePodBound checks that the token belongs to one pod of a service account, and that its subject is that service account.
// The failure is fault.Unauthenticated, subject "token".
//
// spec: pod-identity.md 2.3, step 7
func (c *Claims) RequirePodBound() error {
	k := c.Kubernetes
	if k == nil || k.Namespace == "" || k.ServiceAccount == "" || k.ServiceAccountUID == "" {
		return refused("token is not a Kubernetes service account token (%s)", c.names())
	}
	if k.Pod == "" || k.PodUID == "" {
		return refused("token is not bound to a pod: it must come from a projected volume of the pod (%s)", c.names())
	}
	if want := "system:serviceaccount:" + k.Namespace + ":" + k.ServiceAccount; c.Subject != want {
		return refused("token subject is %s, expected %s (iss %s, aud %s)",
			quote(c.Subject), quote(want), quote(c.Issuer), quote(c.Audience...))
	}
	return nil
}

// names tells whose token it is, in every refusal.
func (c *Claims) names() string {
	return "iss " + quote(c.Issuer) + ", aud " + quote(c.Audience...) + ", sub " + quote(c.Subject)
}

func badToken(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "token", format, args...)
}

func refused(format string, args ...any) *fault.Error {
	return fault.New(fault.Unauthenticated, "token", format, args...)
}

func errTooLong() error { return badToken("A claim of the token is longer than %d bytes", maxText) }
