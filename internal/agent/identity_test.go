package agent_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/podid/podid/internal/agent"
	"github.com/podid/podid/internal/fault"
)

// stsService answers GetCallerIdentity for whoever signs with what the agent gave.
func stsService(t *testing.T) *url.URL {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signed := strings.Contains(r.Header.Get("Authorization"), "Credential=ASIA1/") && r.Header.Get("X-Amz-Security-Token") == "session1"
		if !signed || r.FormValue("Action") != "GetCallerIdentity" {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>who are you</Message></Error></ErrorResponse>`)
			return
		}
		fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::444455556666:assumed-role/app/eks-prod-app-1</Arn>`+
			`<Account>444455556666</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	}))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestIdentifyIsAnSDKInAPod(t *testing.T) {
	t.Parallel()
	up := &authService{}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(podToken("app-1", time.Now().Add(time.Hour))), 0o600); err != nil {
		t.Fatal(err)
	}
	c := agent.IdentityConfig{
		URL: "http://" + start(t, newServer(t, loopbackConfig(up))) + "/v1/credentials", TokenFile: file,
		STS: stsService(t), Region: "us-east-1",
	}
	id, err := agent.Identify(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if id.ARN != "arn:aws:sts::444455556666:assumed-role/app/eks-prod-app-1" || id.Account != "444455556666" || time.Until(id.Expires) < 5*time.Hour || id.Took <= 0 {
		t.Errorf("got %+v", id)
	}
	c.STS = nil
	if id, err := agent.Identify(t.Context(), c); err != nil || id.ARN != "" || id.Account != "444455556666" {
		t.Errorf("without STS: got %+v, %v", id, err)
	}

	up.refuse(http.StatusNotFound, "ResourceNotFoundException", "no association")
	if err := os.WriteFile(file, []byte(podToken("app-2", time.Now().Add(time.Hour))), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = agent.Identify(t.Context(), c)
	want := "The agent answers 404: [b69b1279]: (ResourceNotFoundException): no association, fault: client"
	if !errors.Is(err, fault.Denied) || fault.Of(err).Public != want {
		t.Errorf("refused: got %v, want %q", err, want)
	}
}

func TestIdentifySaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("a.b.c"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"hello":"world"}`) }))
	defer other.Close()
	for name, c := range map[string]struct {
		config agent.IdentityConfig
		kind   fault.Kind
	}{
		"nothing injected": {agent.IdentityConfig{}, fault.Invalid},
		"half injected":    {agent.IdentityConfig{URL: other.URL}, fault.Invalid},
		"no token file":    {agent.IdentityConfig{URL: other.URL, TokenFile: token + "s"}, fault.Invalid},
		"plain http STS":   {agent.IdentityConfig{URL: other.URL, TokenFile: token, STS: &url.URL{Scheme: "http", Host: "sts.example.com"}}, fault.Invalid},
		"not an agent":     {agent.IdentityConfig{URL: other.URL, TokenFile: token}, fault.Unavailable},
		"nobody there":     {agent.IdentityConfig{URL: "http://" + freeAddress(t), TokenFile: token}, fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := agent.Identify(t.Context(), c.config); !errors.Is(err, c.kind) {
				t.Errorf("got %v, want %v", err, c.kind)
			}
		})
	}
}
