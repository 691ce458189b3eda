package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/podid/podid/internal/fault"
)

// session is what EKS Auth gave for a token.
type session struct {
	accessKeyID, secretAccessKey, sessionToken string
	account                                    string // of the role that the pod became
	expires                                    time.Time
	requestID                                  string
}

// eksAuth is the client of the one operation AssumeRoleForPodIdentity. spec: pod-identity.md 2.1
type eksAuth struct {
	url       *url.URL
	region    string
	signer    Signer
	v4        *v4.Signer
	transport http.RoundTripper
	now       func() time.Time
	node      nodeMembers
	answered  atomic.Bool // the last exchange ended with the answer of a healthy service
}

// nodeMembers is what the request says of the node. spec: pod-identity.md 2.2
type nodeMembers struct {
	NodeName   string `json:"eksNodeName,omitempty"`
	InstanceID string `json:"instanceId,omitempty"`
	Zone       string `json:"zone,omitempty"`
}

func newEKSAuth(c Config) *eksAuth {
	return &eksAuth{
		url:       c.Endpoint.JoinPath("clusters", c.ClusterName, "assume-role-for-pod-identity"),
		region:    c.Region,
		signer:    c.Signer,
		v4:        v4.NewSigner(),
		transport: c.Transport,
		now:       c.Now,
		node:      nodeMembers{c.NodeName, c.InstanceID, c.Zone},
	}
}

// assume exchanges a pod's token for a session. A refusal of the service is a *refusal; everything else is a fault.
func (e *eksAuth) assume(ctx context.Context, token string) (*session, error) {
	body, err := json.Marshal(struct {
		Token string `json:"token"`
		nodeMembers
	}{token, e.node})
	if err != nil {
		return nil, fault.New(fault.Internal, "upstream", "The request could not be written.")
	}
	hash := sha256.Sum256(body)
	var signedWith string
	build := func(ctx context.Context, _ int) (*http.Request, error) {
		credentials, err := e.signer.Credentials(ctx)
		if err != nil {
			return nil, err
		}
		signedWith = credentials.AccessKeyID
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url.String(), bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		r.Header.Set("Content-Type", "application/json")
		return r, e.v4.SignHTTP(ctx, credentials, r, hex.EncodeToString(hash[:]), "eks-auth", e.region, e.now())
	}
	// A 403 with such a name is about the node's own credentials, never about the pod's token: the provider gets one chance
	// to bring newer ones.
	again := func(a *answer, n int) bool {
		f, renews := e.signer.(forgetter)
		stale := n == 1 && renews && a.status == http.StatusForbidden && nodeCredentials(errorCode(a))
		if stale {
			f.forget(signedWith)
		}
		return stale
	}
	a, err := call(ctx, e.transport, build, again)
	e.answered.Store(err == nil && !a.transient() && a.status != http.StatusForbidden)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, refusalOf(a)
	}
	return parseSession(a)
}

// forgetter is a Signer that can drop credentials which were refused.
type forgetter interface{ forget(accessKeyID string) }

// nodeCredentials tells the codes by which a front end refuses the caller's own credentials.
func nodeCredentials(code string) bool {
	switch code {
	case "ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidClientTokenId":
		return true
	}
	return false
}

// parseSession reads the answer. spec: pod-identity.md 2.4
func parseSession(a *answer) (*session, error) {
	var out struct {
		Credentials struct {
			AccessKeyID     string  `json:"accessKeyId"`
			SecretAccessKey string  `json:"secretAccessKey"`
			SessionToken    string  `json:"sessionToken"`
			Expiration      float64 `json:"expiration"`
		} `json:"credentials"`
		AssumedRoleUser struct {
			ARN string `json:"arn"`
		} `json:"assumedRoleUser"`
	}
	unusable := fault.New(fault.Unavailable, "upstream", "The service's answer cannot be used.")
	if err := json.Unmarshal(a.body, &out); err != nil {
		return nil, unusable // the cause would quote a body that holds secrets
	}
	c := out.Credentials
	if c.AccessKeyID == "" || c.SecretAccessKey == "" || c.SessionToken == "" || c.Expiration <= 0 || c.Expiration > 1<<37 {
		return nil, unusable.Because(errors.New("members are missing"))
	}
	whole, fraction := math.Modf(c.Expiration)
	s := &session{
		accessKeyID: c.AccessKeyID, secretAccessKey: c.SecretAccessKey, sessionToken: c.SessionToken,
		expires:   time.Unix(int64(whole), int64(math.Round(fraction*1e3))*int64(time.Millisecond)),
		requestID: requestID(a),
	}
	if parts := strings.SplitN(out.AssumedRoleUser.ARN, ":", 6); len(parts) == 6 {
		s.account = parts[4]
	}
	return s, nil
}

// reach asks whether the service answers at all. Every answer that is not a failure of the service will do, also that there is no such
// operation.
func (e *eksAuth) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, e.url.ResolveReference(&url.URL{Path: "/"}).String(), http.NoBody)
	if err != nil {
		return err
	}
	res, err := e.transport.RoundTrip(r)
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode >= http.StatusInternalServerError && res.StatusCode != http.StatusNotImplemented {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	return nil
}
