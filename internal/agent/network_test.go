package agent_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"

	"github.com/podid/podid/internal/agent"
	"github.com/podid/podid/internal/fault"
)

// start serves an agent on a loopback port until the test ends, and returns its address.
func start(t testing.TB, s *agent.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("Serve ended with %v", err)
		}
	})
	return l.Addr().String()
}

func loopbackConfig(upstream http.RoundTripper) agent.Config {
	c := config(upstream)
	c.AllowedHosts = []string{"127.0.0.1"}
	return c
}

func TestTheSDKsProviderGetsAndRenewsCredentials(t *testing.T) {
	t.Parallel()
	up := &authService{}
	address := start(t, newServer(t, loopbackConfig(up)))
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(podToken("app-1", time.Now().Add(time.Hour))), 0o600); err != nil {
		t.Fatal(err)
	}
	provider := endpointcreds.New("http://"+address+"/v1/credentials", func(o *endpointcreds.Options) {
		o.AuthorizationTokenProvider = endpointcreds.TokenProviderFunc(func() (string, error) {
			text, err := os.ReadFile(file)
			return string(text), err
		})
	})
	got, err := provider.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.AccessKeyID != "ASIA1" || got.SecretAccessKey != "secret1" || got.SessionToken != "session1" ||
		got.AccountID != "444455556666" || !got.CanExpire || time.Until(got.Expires) < 5*time.Hour {
		t.Errorf("got %+v", got)
	}
	up.refuse(http.StatusNotFound, "ResourceNotFoundException", "no association")
	if err := os.WriteFile(file, []byte(podToken("app-2", time.Now().Add(time.Hour))), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = provider.Retrieve(t.Context())
	if err == nil || !strings.Contains(err.Error(), "(ResourceNotFoundException): no association, fault: client") {
		t.Errorf("the SDK says %v, want EKS Auth's reason in it", err)
	}
}

func TestProbesAreHonest(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	up := roundTripper(func(r *http.Request) (*http.Response, error) {
		if down.Load() {
			return nil, errors.New("connection refused")
		}
		if r.Method == http.MethodHead {
			return jsonResponse(http.StatusForbidden, "", ""), nil
		}
		return (&authService{}).RoundTrip(r)
	})
	var ahead atomic.Int64 // of the real clock
	c := loopbackConfig(up)
	c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	c.ProbeAddress = freeAddress(t)
	signer := &switchedSigner{}
	c.Signer = signer
	s := newServer(t, c)
	want := func(path string, status int, text string) {
		t.Helper()
		res, err := http.Get("http://" + c.ProbeAddress + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != status || !strings.Contains(string(body), text) {
			t.Errorf("%s: got %d %q %v, want %d with %q", path, res.StatusCode, body, err, status, text)
		}
	}
	address := start(t, s)
	await(t, c.ProbeAddress)
	await(t, address)
	want("/healthz", 200, "")
	want("/readyz", 200, "")
	signer.fails.Store(true)
	want("/readyz", 503, "credentials to sign with: no key in the file")
	want("/healthz", 200, "")
	signer.fails.Store(false)
	down.Store(true)
	ahead.Add(int64(time.Minute))
	want("/readyz", 503, "EKS Auth at podid.example.com: connection refused")
	want("/healthz", 200, "")
	down.Store(false)
	want("/readyz", 503, "connection refused") // not asked again so soon
	ahead.Add(int64(time.Minute))
	want("/readyz", 200, "")
	want("/metrics", 200, `podid_agent_requests_total{result="hit"} 0`)
}

type switchedSigner struct{ fails atomic.Bool }

func (s *switchedSigner) Credentials(ctx context.Context) (aws.Credentials, error) {
	if s.fails.Load() {
		return aws.Credentials{}, errors.New("no key in the file")
	}
	return fixedSigner{}.Credentials(ctx)
}

// freeAddress finds a loopback port that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// await returns once somebody listens.
func await(t testing.TB, address string) {
	t.Helper()
	for range 500 {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			c.Close()
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Fatalf("nobody listens on %s", address)
}

func TestRunRefusesAnAddressThatIsNotThere(t *testing.T) {
	t.Parallel()
	c := config(&authService{})
	c.BindHosts = []string{"[fd00:ec2::23]"} // asked for by name: not optional
	if err := newServer(t, c).Run(t.Context()); !errors.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
}

func TestRunServesUntilTold(t *testing.T) {
	t.Parallel()
	c := loopbackConfig(&authService{})
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	c.BindHosts = []string{"127.0.0.1"}
	c.Port, err = net.LookupPort("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- newServer(t, c).Run(ctx) }()
	await(t, address)
	stop()
	if err := <-ran; err != nil {
		t.Errorf("Run ended with %v", err)
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("somebody still listens")
	}
}

func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	address := start(t, newServer(t, loopbackConfig(&authService{})))
	r, err := http.NewRequest(http.MethodGet, "http://"+address+"/v1/credentials", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", strings.Repeat("a", 64<<10))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %d, want 431", res.StatusCode)
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*agent.Config){
		"no cluster":           func(c *agent.Config) { c.ClusterName = "" },
		"a cluster with slash": func(c *agent.Config) { c.ClusterName = "a/../b" },
		"no region":            func(c *agent.Config) { c.Region = "" },
		"no signer":            func(c *agent.Config) { c.Signer = nil },
		"no endpoint":          func(c *agent.Config) { c.Endpoint = nil },
		"an endpoint's path":   func(c *agent.Config) { c.Endpoint = &url.URL{Scheme: "https", Host: "h", Path: "/x"} },
		"plain http":           func(c *agent.Config) { c.Endpoint = &url.URL{Scheme: "http", Host: "podid.example.com"} },
		"a negative rate":      func(c *agent.Config) { c.RefreshRate = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := config(&authService{})
			change(&c)
			if _, err := agent.New(c); !errors.Is(err, fault.Invalid) {
				t.Errorf("got %v, want invalid", err)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the token went elsewhere") }))
	defer thief.Close()
	up := httptest.NewServer(http.RedirectHandler(thief.URL, http.StatusTemporaryRedirect))
	defer up.Close()
	c := config(nil)
	var err error
	if c.Endpoint, err = url.Parse(up.URL); err != nil {
		t.Fatal(err)
	}
	if w := ask(newServer(t, c), podToken("a", time.Now().Add(time.Hour))); w.Code != http.StatusBadGateway {
		t.Errorf("got %d, want 502", w.Code)
	}
}
