// Package credential makes temporary credentials that no replica has to remember.
//
// The session token is the session: [Ring.Mint] seals a [Session] under the newest key of a ring, [Ring.Open] opens it with the
// key that it names. The secret access key is derived from the same key and the access key id. The ring's keys are the only
// thing stored; every replica has them, so any replica opens what another one minted, and minting writes nothing.
//
// What a session may do, and whether it was revoked, is for others to say: this package proves who the bearer is, and until when.
package credential

import (
	"time"

	"github.com/podid/podid/internal/arn"
)

// The ways in which a session came to be, as Session.Via has them.
const (
	ViaPodIdentity = "PodIdentity"
	ViaAssumeRole  = "AssumeRole"
	ViaWebIdentity = "WebIdentity"

	ViaSessionToken    = "SessionToken"
	ViaFederationToken = "FederationToken"
)

// MaxLifetime is the longest that a session may live: what GetFederationToken and GetSessionToken grant at most. A key of the ring
// is kept for as long after its last use, so that no session outlives the key that opens it.
const MaxLifetime = 36 * time.Hour

// Session is what temporary credentials stand for.
type Session struct {
	Principal   arn.Principal // a role session, a federated user, or a user or root user by temporary credentials
	AccessKeyID string        // ASIA...; filled by Mint

	SessionPolicies   []string          // texts of the inline session policies
	PolicyARNs        []string          // managed session policies, which mean what they say when they are asked
	SessionTags       map[string]string // the tags of the session itself, of which Principal.Tags are a superset
	TransitiveTagKeys []string          // keys of SessionTags that the next session of the chain inherits
	SourceIdentity    string

	// IssuedAt and ExpiresAt are whole seconds in UTC; Mint cuts off the rest.
	IssuedAt, ExpiresAt time.Time

	Pod               *Pod   // the pod it was made for; nil for other sessions
	Via               string // one of the Via constants
	FederatedProvider string // ARN of the identity provider, for web identities
	SourceKeyID       string // the long-term access key that asked for it, for users, root users and federated users
}

// Pod is where a session of pod identity came from. spec: pod-identity.md 2.6
type Pod struct {
	ClusterARN     string `json:"clusterArn,omitempty"`
	Namespace      string `json:"namespace,omitempty"`
	ServiceAccount string `json:"serviceAccount,omitempty"`
	PodName        string `json:"podName,omitempty"`
	PodUID         string `json:"podUid,omitempty"`
	Node           string `json:"node,omitempty"`
	AssociationID  string `json:"associationId,omitempty"`
}

// Credentials are what a client signs with.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Expiration      time.Time
}
