package agent_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/podid/podid/internal/agent"
)

// authService speaks EKS Auth's wire and verifies nothing. As a RoundTripper it needs no network, so that it works inside a
// synctest bubble.
type authService struct {
	lifetime time.Duration // of the sessions; 0: 6 h
	calls    atomic.Int64
	renewed  chan struct{} // closed to let calls through; nil: they are not held

	mu      sync.Mutex
	answer  func(n int64) *http.Response // nil result: a session
	last    *http.Request
	body    []byte
	byToken map[string]int
}

func (a *authService) RoundTrip(r *http.Request) (*http.Response, error) {
	n := a.calls.Add(1)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if a.renewed != nil {
		select {
		case <-a.renewed:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	var in struct{ Token string }
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byToken == nil {
		a.byToken = map[string]int{}
	}
	a.byToken[in.Token]++
	a.last, a.body = r, body
	if a.answer != nil {
		if res := a.answer(n); res != nil {
			return res, nil
		}
	}
	lifetime := a.lifetime
	if lifetime == 0 {
		lifetime = 6 * time.Hour
	}
	return jsonResponse(http.StatusOK, "", fmt.Sprintf(`{"subject":{"namespace":"default","serviceAccount":"app"},
		"audience":"pods.eks.amazonaws.com","podIdentityAssociation":{"associationArn":"arn","associationId":"a-1"},
		"assumedRoleUser":{"arn":"arn:aws:sts::444455556666:assumed-role/app/eks-prod-app-1","assumeRoleId":"AROA:eks"},
		"credentials":{"accessKeyId":"ASIA%d","secretAccessKey":"secret%d","sessionToken":"session%d","expiration":%d.25}}`,
		n, n, n, time.Now().Add(lifetime).Unix())), nil
}

// refuse makes every later answer the given one; status 0 makes them sessions again.
func (a *authService) refuse(status int, code, message string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = nil
	if status != 0 {
		a.answer = func(int64) *http.Response {
			return jsonResponse(status, code, fmt.Sprintf(`{"message":%q}`, message))
		}
	}
}

func jsonResponse(status int, code, body string) *http.Response {
	h := http.Header{"X-Amzn-Requestid": {"b69b1279"}, "Content-Type": {"application/json"}}
	if code != "" {
		h.Set("X-Amzn-ErrorType", code)
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

type fixedSigner struct{}

func (fixedSigner) Credentials(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIANODE", SecretAccessKey: "node secret"}, nil
}

func config(upstream http.RoundTripper) agent.Config {
	return agent.Config{
		ClusterName: "prod", Endpoint: &url.URL{Scheme: "https", Host: "podid.example.com"}, Region: "us-east-1",
		Signer: fixedSigner{}, Transport: upstream, NodeName: "worker-1",
	}
}

func newServer(t testing.TB, c agent.Config) *agent.Server {
	t.Helper()
	s, err := agent.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// podToken is what a kubelet would project; its signature is not one.
func podToken(pod string, expires time.Time) string {
	segment := func(format string, args ...any) string {
		return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, format, args...))
	}
	return segment(`{"alg":"RS256","kid":"k"}`) + "." + segment(`{"aud":["pods.eks.amazonaws.com"],"exp":%d,"iat":1,"nbf":1,
		"iss":"https://issuer.example.com","kubernetes.io":{"namespace":"default","node":{"name":"worker-1","uid":"n"},
		"pod":{"name":%q,"uid":"uid-%[2]s"},"serviceaccount":{"name":"app","uid":"s"}},
		"sub":"system:serviceaccount:default:app"}`, expires.Unix(), pod) + "." + segment("%0256d", 7)
}

func ask(h http.Handler, token string) *httptest.ResponseRecorder {
	return askContext(context.Background(), h, token)
}

func askContext(ctx context.Context, h http.Handler, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://169.254.170.23/v1/credentials", nil)
	if token != "" {
		r.Header.Set("Authorization", token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
