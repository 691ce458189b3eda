// Package eksauthapi is EKS Auth: a pod's token in, the credentials of its role out.
//
// It owns the one operation, AssumeRoleForPodIdentity, and the order of its steps: the token is proven with the cluster's own
// keys, offline; its pod must not have ended; the association that counts for its service account is looked up; the role's trust policy
// is asked on behalf of pods.eks.amazonaws.com; where there is a target role, its trust policy is asked on behalf of the first role's
// session; a session is minted. Nothing is written. A refusal begins with AWS's sentence and then says which step refused and what it saw.
//
// spec: pod-identity.md 2
package eksauthapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/fault"
)

// ServicePrincipal is who assumes an association's role, and Audience whom a pod's token must be for.
const (
	ServicePrincipal = "pods.eks.amazonaws.com"
	Audience         = "pods.eks.amazonaws.com"
)

// AssumeRoleForPodIdentityInput is the request. spec: pod-identity.md 2.2
type AssumeRoleForPodIdentityInput struct {
	ClusterName *string
	Token       *string // the pod's service account token; never recorded
	EksNodeName *string
	InstanceId  *string //nolint:revive,staticcheck // the model's spelling
	Zone        *string
}

// AssumeRoleForPodIdentityOutput is the answer. spec: pod-identity.md 2.4
type AssumeRoleForPodIdentityOutput struct {
	Subject                Subject
	Audience               string
	PodIdentityAssociation AssociationRef
	AssumedRoleUser        AssumedRoleUser
	Credentials            Credentials
}

// Subject is whose token it was.
type Subject struct {
	Namespace      string
	ServiceAccount string
}

// AssociationRef names the association that gave the role.
type AssociationRef struct {
	AssociationArn string
	AssociationId  string //nolint:revive,staticcheck // the model's spelling
}

// AssumedRoleUser is the session's principal: that of the target role where there is one.
type AssumedRoleUser struct {
	Arn          string
	AssumeRoleId string //nolint:revive,staticcheck // the model's spelling, not AssumedRoleId
}

// Credentials are the session's.
type Credentials struct {
	AccessKeyId     string //nolint:revive,staticcheck // the model's spelling
	SecretAccessKey string
	SessionToken    string
	Expiration      time.Time
}

// faults words each way to fail as EKS Auth does. AccessDenied has status 400 here: the model says so, and an agent tells by
// it that the pod is refused and not the node. spec: pod-identity.md 2.5
var faults = api.Faults{
	{Kind: fault.Denied, Subject: "role", Shape: api.Shape{Code: "AccessDeniedException", Status: http.StatusBadRequest}},
	{Kind: fault.Denied, Subject: "node", Shape: api.Shape{Code: "AccessDeniedException", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Subject: "token", Shape: api.Shape{Code: "InvalidTokenException", Status: http.StatusBadRequest}},
	{Kind: fault.Unauthenticated, Subject: "token", Shape: api.Shape{Code: "InvalidTokenException", Status: http.StatusBadRequest}},
	{Kind: fault.Expired, Subject: "token", Shape: api.Shape{Code: "ExpiredTokenException", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Subject: "parameter", Shape: api.Shape{Code: "InvalidParameterException", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Shape: api.Shape{Code: "InvalidRequestException", Status: http.StatusBadRequest}},
	{Kind: fault.Conflict, Shape: api.Shape{Code: "InvalidRequestException", Status: http.StatusBadRequest}},
	{Kind: fault.Limit, Shape: api.Shape{Code: "InvalidRequestException", Status: http.StatusBadRequest}},
	{Kind: fault.NotFound, Shape: api.Shape{Code: "ResourceNotFoundException", Status: http.StatusNotFound}},
	{Kind: fault.Unavailable, Shape: api.Shape{Code: "ServiceUnavailableException", Status: http.StatusServiceUnavailable}},
	{Kind: fault.Internal, Shape: api.Shape{Code: "InternalServerException", Status: http.StatusInternalServerError}},
}

// modelled lists the errors of the operation's model.
var modelled = []string{
	"AccessDeniedException", "ExpiredTokenException", "InternalServerException", "InvalidParameterException", "InvalidRequestException",
	"InvalidTokenException", "ResourceNotFoundException", "ServiceUnavailableException", "ThrottlingException",
}

// Config is what the service needs; every field but KeyWait is required.
type Config struct {
	Clusters   *cluster.Registry
	Authorizer *authz.Authorizer
	Ring       *credential.Ring

	// KeyWait is how long a token of a key that its cluster has not published waits for that; 0: 2 s. After a rotation pods have such
	// tokens for as long as the operator needs to tell of the key.
	KeyWait time.Duration
}

// bare takes the members off an error that EKS's errors have and those of EKS Auth do not: these are a text and nothing else.
func bare(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || len(f.Members) == 0 {
		return err
	}
	c := *f
	c.Members = nil
	return &c
}

// keyWait is the default: what the SDKs' patience with the credential endpoint allows.
const keyWait = 2 * time.Second

// maxKeyWaits bounds the tokens that wait for a key at one time; further ones are refused at once. Whoever sends forged tokens can keep
// others from waiting, and nothing more.
const maxKeyWaits = 8

type service struct {
	Config

	keyWaits chan struct{} // one for each token that waits for a key
}

func newService(c Config) *service {
	if c.KeyWait == 0 {
		c.KeyWait = keyWait
	}
	return &service{c, make(chan struct{}, maxKeyWaits)}
}

// New makes the service.
func New(c Config) *api.Typed {
	s := newService(c)
	return &api.Typed{
		SigningName: "eks-auth", EventSource: "eks-auth.amazonaws.com", Protocol: api.RESTJSON{}, Faults: faults,
		Quiet: true, // agents pass its texts on to pods
		Operations: []api.AnyOperation{
			api.Op(api.Operation[AssumeRoleForPodIdentityInput, AssumeRoleForPodIdentityOutput]{
				Name:   "AssumeRoleForPodIdentity",
				HTTP:   api.HTTP{Method: http.MethodPost, URI: "/clusters/{clusterName}/assume-role-for-pod-identity"},
				Action: "eks-auth:AssumeRoleForPodIdentity", ReadOnly: true,
				Check: checkInput,
				Resource: func(c *api.Call, in *AssumeRoleForPodIdentityInput) api.Resource {
					r := api.Resource{ARN: arn.Cluster(c.Region, c.Account(), *in.ClusterName), Account: c.Account()}
					if found, ok := s.Clusters.Find(c.Account(), *in.ClusterName); ok {
						r.Tags = found.Tags
					}
					return r
				},
				Run: func(ctx context.Context, c *api.Call, in *AssumeRoleForPodIdentityInput) (*AssumeRoleForPodIdentityOutput, error) {
					out, err := s.assumeRoleForPodIdentity(ctx, c, in)
					return out, bare(err)
				},
				May: modelled,
				Ignores: api.Members{
					"InstanceId": "it goes into the record of the request, and nothing is decided by it: clusters report no instance ids",
					"Zone":       "it goes into the record of the request, and nothing is decided by it",
				},
				Differs: []string{
					"Where it is known on which node the caller is (it says so, or it is an agent that signed in with its own token) and on which the pod is " +
						"(tokens tell since Kubernetes 1.30), both must be the same.",
					"Tokens of pods that have ended are refused, and tokens that were issued so long ago that the kubelet must have replaced them.",
					"A service account without an association of its own gets the most specific one whose pattern it matches, where the cluster has patterns.",
					"An association may choose by tags which session tags a session has, and its name.",
				},
			}),
		},
	}
}
