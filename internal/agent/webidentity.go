package agent

import (
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/podid/podid/internal/fault"
)

const (
	signerMargin  = 5 * time.Minute // before expiry the node's credentials are renewed
	signerPause   = 5 * time.Second // between attempts to renew credentials that are still good
	maxIdentity   = 20_000          // bytes of a web identity token. spec: pod-identity.md 6.4
	signerSession = time.Hour
)

// WebIdentityConfig says how the agent proves itself. All but Transport and Now are required.
type WebIdentityConfig struct {
	Endpoint    *url.URL          // of STS; in podid the same as of EKS Auth
	RoleARN     string            // the agent's role
	SessionName string            // usually the node's name; unfit characters become "-"
	TokenFile   string            // the agent's own projected service account token; read at every exchange
	Transport   http.RoundTripper // nil: [NewTransport] with the system's roots
	Now         func() time.Time  // nil: time.Now
}

// WebIdentity is the Signer of an agent that runs as a pod itself: it trades its own service account token for its role's
// credentials, so that no long-lived secret is on the node. It keeps credentials until 5 minutes before they expire, or for
// half their lifetime if that is less; if they cannot be renewed then, it keeps them until they expire. spec: pod-identity.md 6.4
type WebIdentity struct {
	c WebIdentityConfig

	mu      sync.Mutex
	now     aws.Credentials
	renewAt time.Time
	flight  *signerFlight // nil: no exchange under way
}

type signerFlight struct {
	done        chan struct{}
	credentials aws.Credentials
	err         error
}

// NewWebIdentity checks the config. It reads and sends nothing.
func NewWebIdentity(c WebIdentityConfig) (*WebIdentity, error) {
	if err := CheckEndpoint(c.Endpoint); err != nil {
		return nil, err
	}
	if c.RoleARN == "" || c.TokenFile == "" {
		return nil, invalid("A role ARN and a web identity token file are needed, both.")
	}
	if c.Transport == nil {
		c.Transport = NewTransport(nil)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.SessionName = sessionName(c.SessionName)
	return &WebIdentity{c: c}, nil
}

// Credentials implements [Signer].
func (w *WebIdentity) Credentials(ctx context.Context) (aws.Credentials, error) {
	w.mu.Lock()
	now := w.c.Now()
	good := w.now.HasKeys() && now.Before(w.now.Expires)
	if good && (now.Before(w.renewAt) || w.flight != nil) {
		defer w.mu.Unlock()
		return w.now, nil
	}
	f := w.flight
	if f == nil {
		f = &signerFlight{done: make(chan struct{})}
		w.flight = f
		go w.renew(context.WithoutCancel(ctx), f)
	}
	have := w.now
	w.mu.Unlock()
	if good {
		return have, nil
	}
	select {
	case <-f.done:
		return f.credentials, f.err
	case <-ctx.Done():
		return aws.Credentials{}, unreachable(ctx.Err())
	}
}

func (w *WebIdentity) renew(ctx context.Context, f *signerFlight) {
	ctx, cancel := context.WithTimeout(ctx, flightTimeout)
	defer cancel()
	f.credentials, f.err = w.exchange(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.c.Now()
	if f.err == nil {
		w.now = f.credentials
		w.renewAt = f.credentials.Expires.Add(-min(signerMargin, f.credentials.Expires.Sub(now)/2))
	} else {
		w.renewAt = now.Add(signerPause)
	}
	w.flight = nil
	close(f.done)
}

// forget drops credentials that were refused, so that the next call gets new ones.
func (w *WebIdentity) forget(accessKeyID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now.AccessKeyID == accessKeyID {
		w.now = aws.Credentials{}
	}
}

func (w *WebIdentity) exchange(ctx context.Context) (aws.Credentials, error) {
	token, err := os.ReadFile(w.c.TokenFile)
	if err != nil {
		return aws.Credentials{}, fault.New(fault.Unavailable, "node credentials", "The agent cannot read its own token.").Because(err)
	}
	if len(token) == 0 || len(token) > maxIdentity {
		return aws.Credentials{}, fault.New(fault.Unavailable, "node credentials", "The agent's own token has %d bytes.", len(token))
	}
	form := url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"},
		"RoleArn": {w.c.RoleARN}, "RoleSessionName": {w.c.SessionName},
		"WebIdentityToken": {strings.TrimSpace(string(token))},
		"DurationSeconds":  {strconv.Itoa(int(signerSession.Seconds()))},
	}.Encode()
	a, err := call(ctx, w.c.Transport, func(ctx context.Context, _ int) (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.c.Endpoint.JoinPath("/").String(), strings.NewReader(form))
		if err != nil {
			return nil, err
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r, nil
	}, nil)
	if err != nil {
		return aws.Credentials{}, err
	}
	if a.status != http.StatusOK {
		return aws.Credentials{}, stsRefusal(a)
	}
	return parseIdentity(a.body, w.c.Now())
}

func parseIdentity(body []byte, now time.Time) (aws.Credentials, error) {
	var out struct {
		XMLName xml.Name `xml:"AssumeRoleWithWebIdentityResponse"`
		Result  struct {
			AccessKeyID     string    `xml:"AccessKeyId"`
			SecretAccessKey string    `xml:"SecretAccessKey"`
			SessionToken    string    `xml:"SessionToken"`
			Expiration      time.Time `xml:"Expiration"`
		} `xml:"AssumeRoleWithWebIdentityResult>Credentials"`
	}
	err := xml.Unmarshal(body, &out)
	if c := out.Result; err != nil || c.AccessKeyID == "" || c.SecretAccessKey == "" || !now.Before(c.Expiration) {
		return aws.Credentials{}, fault.New(fault.Unavailable, "node credentials", "The answer of STS to the agent cannot be used.")
	}
	return aws.Credentials{
		AccessKeyID: out.Result.AccessKeyID, SecretAccessKey: out.Result.SecretAccessKey, SessionToken: out.Result.SessionToken,
		Source: "podid-agent web identity", CanExpire: true, Expires: out.Result.Expiration,
	}, nil
}

// stsRefusal keeps the service's words for the operator; a pod learns only that the node has no credentials.
func stsRefusal(a *answer) error {
	var out struct {
		Code    string `xml:"Error>Code"`
		Message string `xml:"Error>Message"`
	}
	if xml.Unmarshal(a.body, &out) != nil || out.Code == "" {
		out.Code, out.Message = "UnknownError", http.StatusText(a.status)
	}
	r := &refusal{status: a.status, code: oneLine(out.Code), message: oneLine(out.Message), requestID: requestID(a)}
	return fault.New(fault.Unavailable, "node credentials",
		"The agent on this node was refused credentials of its own. This is not about your pod.").Because(errors.New(r.Error()))
}

// sessionName makes a role session name: 2 to 64 of [\w+=,.@-]. spec: pod-identity.md 6.4
func sessionName(s string) string {
	s = strings.Map(func(r rune) rune {
		if tokenRune(r) || strings.ContainsRune("+=,@", r) {
			return r
		}
		return '-'
	}, s)
	s = s[:min(len(s), 64)]
	if len(s) < 2 {
		return "podid-agent"
	}
	return s
}
