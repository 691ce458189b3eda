package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/podid/podid/internal/fault"
)

// maxTokenFile bounds what is read of a token file, in bytes: one too long to be a token is the agent's to refuse.
const maxTokenFile = maxToken + 1

// IdentityConfig says where a pod finds who it is: what the webhook put into its environment, and STS.
type IdentityConfig struct {
	URL       string // AWS_CONTAINER_CREDENTIALS_FULL_URI
	TokenFile string // AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE

	STS       *url.URL          // asked who the credentials are; nil: nobody is asked
	Region    string            // of the signature
	Transport http.RoundTripper // to STS; nil: [NewTransport] with the system's roots
	Now       func() time.Time  // nil: time.Now
}

// Identity is who a pod is. It holds no secrets.
type Identity struct {
	ARN     string // "": STS was not asked
	Account string
	Expires time.Time
	Took    time.Duration // from the pod's question to the agent's answer
}

// Identify does what an AWS SDK does in a pod: it reads the token, asks the agent for credentials, and signs a first request with
// them. A refusal is a [fault.Denied] whose text is the agent's or the service's.
func Identify(ctx context.Context, c IdentityConfig) (*Identity, error) {
	if c.URL == "" || c.TokenFile == "" {
		return nil, invalid("AWS_CONTAINER_CREDENTIALS_FULL_URI and AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE are not set: no webhook injected this pod.")
	}
	if c.STS != nil {
		if err := CheckEndpoint(c.STS); err != nil {
			return nil, err
		}
	}
	if c.Transport == nil {
		c.Transport = NewTransport(nil)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	start := c.Now()
	credentials, err := c.credentials(ctx)
	if err != nil {
		return nil, err
	}
	id := &Identity{Account: credentials.AccountID, Expires: credentials.Expires, Took: c.Now().Sub(start)}
	if c.STS == nil {
		return id, nil
	}
	id.ARN, id.Account, err = c.caller(ctx, credentials)
	return id, err
}

// credentials asks the agent, and never through a proxy.
func (c *IdentityConfig) credentials(ctx context.Context) (aws.Credentials, error) {
	f, err := os.Open(c.TokenFile)
	if err != nil {
		return aws.Credentials{}, invalid("The pod's token cannot be read: %v.", err)
	}
	defer f.Close() //nolint:errcheck // closing what was read loses nothing
	token, err := io.ReadAll(io.LimitReader(f, maxTokenFile))
	if err != nil {
		return aws.Credentials{}, invalid("The pod's token cannot be read: %v.", err)
	}
	direct := NewTransport(nil)
	direct.Proxy = nil
	direct.DisableKeepAlives = true
	a, err := call(ctx, direct, func(ctx context.Context, _ int) (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, http.NoBody)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", strings.TrimSpace(string(token)))
		r.Header.Set("Accept", "application/json")
		return r, nil
	}, nil)
	if err != nil {
		return aws.Credentials{}, fault.New(fault.Unavailable, "agent", "No agent answers at %s.", c.URL).Because(err)
	}
	if a.status != http.StatusOK {
		return aws.Credentials{}, fault.New(fault.Denied, "identity", "The agent answers %d: %s", a.status, oneLine(string(a.body)))
	}
	var out struct {
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		Token           string
		AccountID       string `json:"AccountId"`
		Expiration      time.Time
	}
	if json.Unmarshal(a.body, &out) != nil || out.AccessKeyID == "" || out.SecretAccessKey == "" || out.Token == "" {
		return aws.Credentials{}, fault.New(fault.Unavailable, "agent", "What answers at %s is not an agent: there are no credentials in its answer.", c.URL)
	}
	return aws.Credentials{
		AccessKeyID: out.AccessKeyID, SecretAccessKey: out.SecretAccessKey, SessionToken: out.Token,
		AccountID: out.AccountID, CanExpire: true, Expires: out.Expiration, Source: "podid-agent",
	}, nil
}

// caller asks STS whose credentials these are.
func (c *IdentityConfig) caller(ctx context.Context, credentials aws.Credentials) (arn, account string, err error) {
	const form = "Action=GetCallerIdentity&Version=2011-06-15"
	hash := sha256.Sum256([]byte(form))
	a, err := call(ctx, c.Transport, func(ctx context.Context, _ int) (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.STS.JoinPath("/").String(), bytes.NewReader([]byte(form)))
		if err != nil {
			return nil, err
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r, v4.NewSigner().SignHTTP(ctx, credentials, r, hex.EncodeToString(hash[:]), "sts", c.Region, c.Now())
	}, nil)
	if err != nil {
		return "", "", fault.New(fault.Unavailable, "STS", "The agent gave credentials, but STS does not answer at %s.", c.STS).Because(err)
	}
	var out struct {
		ARN     string `xml:"GetCallerIdentityResult>Arn"`
		Account string `xml:"GetCallerIdentityResult>Account"`
		Code    string `xml:"Error>Code"`
		Message string `xml:"Error>Message"`
	}
	if xml.Unmarshal(a.body, &out) != nil || a.status != http.StatusOK || out.ARN == "" {
		return "", "", fault.New(fault.Denied, "STS", "The agent gave credentials, but STS answers %d %s: %s",
			a.status, oneLine(out.Code), oneLine(out.Message))
	}
	return out.ARN, out.Account, nil
}
