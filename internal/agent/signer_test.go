package agent_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/podid/podid/internal/agent"
	"github.com/podid/podid/internal/fault"
)

// sts answers AssumeRoleWithWebIdentity and verifies nothing.
type sts struct {
	calls atomic.Int64
	fails atomic.Bool

	mu   sync.Mutex
	form url.Values
}

func (s *sts) RoundTrip(r *http.Request) (*http.Response, error) {
	n := s.calls.Add(1)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.form, err = url.ParseQuery(string(body)); err != nil {
		return nil, err
	}
	if s.fails.Load() {
		return jsonResponse(http.StatusForbidden, "", `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
			<Code>AccessDenied</Code><Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>`), nil
	}
	return jsonResponse(http.StatusOK, "", fmt.Sprintf(`<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
		<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIANODE%d</AccessKeyId><SecretAccessKey>node-secret</SecretAccessKey>
		<SessionToken>node-session</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
		<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>`,
		n, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))), nil
}

func webIdentity(t *testing.T, up http.RoundTripper) (*agent.WebIdentity, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("own.token.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := agent.NewWebIdentity(agent.WebIdentityConfig{
		Endpoint: &url.URL{Scheme: "https", Host: "podid.example.com"}, RoleARN: "arn:aws:iam::111122223333:role/podid-agent",
		SessionName: "ip-10-0-0-1.example:1/x", TokenFile: file, Transport: up,
	})
	if err != nil {
		t.Fatal(err)
	}
	return w, file
}

func wantKey(t *testing.T, s agent.Signer, want string) {
	t.Helper()
	c, err := s.Credentials(t.Context())
	if err != nil || c.AccessKeyID != want {
		t.Errorf("got %q, %v, want %q", c.AccessKeyID, err, want)
	}
}

func TestWebIdentity(t *testing.T) {
	t.Parallel()
	up := &sts{}
	synctest.Test(t, func(t *testing.T) {
		w, file := webIdentity(t, up)
		var asking sync.WaitGroup
		for range 100 {
			asking.Go(func() { wantKey(t, w, "ASIANODE1") })
		}
		asking.Wait()
		if n := up.calls.Load(); n != 1 {
			t.Errorf("%d calls, want 1", n)
		}
		for key, want := range map[string]string{
			"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "WebIdentityToken": "own.token.1",
			"RoleArn": "arn:aws:iam::111122223333:role/podid-agent", "RoleSessionName": "ip-10-0-0-1.example-1-x",
		} {
			if got := up.form.Get(key); got != want {
				t.Errorf("%s: got %q, want %q", key, got, want)
			}
		}
		if err := os.WriteFile(file, []byte("own.token.2"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(55*time.Minute - time.Second)
		wantKey(t, w, "ASIANODE1")
		time.Sleep(2 * time.Second)
		wantKey(t, w, "ASIANODE1") // good for 5 minutes: renewed in the background
		synctest.Wait()
		wantKey(t, w, "ASIANODE2")
		if got := up.form.Get("WebIdentityToken"); got != "own.token.2" {
			t.Errorf("sent %q, want the file's newer token", got)
		}
	})
}

func TestWebIdentityOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	up := &sts{}
	synctest.Test(t, func(t *testing.T) {
		w, _ := webIdentity(t, up)
		wantKey(t, w, "ASIANODE1")
		up.fails.Store(true)
		time.Sleep(58 * time.Minute)
		wantKey(t, w, "ASIANODE1")
		synctest.Wait()
		wantKey(t, w, "ASIANODE1")
		synctest.Wait()
		if n := up.calls.Load(); n != 2 {
			t.Errorf("%d calls, want 2: a failed renewal waits", n)
		}
		time.Sleep(2 * time.Minute)
		_, err := w.Credentials(t.Context())
		if f := fault.Of(err); err == nil || f.Public != "The agent on this node was refused credentials of its own. This is not about your pod." {
			t.Errorf("got %v", err)
		}
		if !strings.Contains(fmt.Sprint(err), "(AccessDenied): Not authorized to perform sts:AssumeRoleWithWebIdentity") {
			t.Errorf("the operator reads %v", err)
		}
		up.fails.Store(false)
		wantKey(t, w, "ASIANODE4")
	})
}

func TestNodeCredentialsThatAreRefusedAreRenewedAtOnce(t *testing.T) {
	t.Parallel()
	identity, up := &sts{}, &authService{}
	up.answer = func(n int64) *http.Response {
		if n == 1 {
			return jsonResponse(http.StatusForbidden, "ExpiredTokenException", `{"message":"the key ring was replaced"}`)
		}
		return nil
	}
	synctest.Test(t, func(t *testing.T) {
		c := config(up)
		c.Signer, _ = webIdentity(t, identity)
		if w := ask(newServer(t, c), podToken("a", time.Now().Add(time.Hour))); w.Code != http.StatusOK {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
		if got := up.last.Header.Get("Authorization"); !strings.Contains(got, "ASIANODE2/") {
			t.Errorf("signed %q, want with the newer credentials", got)
		}
	})
}

func TestProfileIsReadAtEveryUse(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "credentials")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# c\n[other]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = x\n[default]\n" +
		"aws_access_key_id = AKIA1\naws_secret_access_key=s\ns3 =\n  aws_access_key_id = nested\n")
	wantKey(t, agent.Profile{File: file}, "AKIA1")
	wantKey(t, agent.Profile{File: file, Name: "other"}, "AKIAOTHER")
	write("[default]\naws_access_key_id=AKIA2\naws_secret_access_key=s\n")
	wantKey(t, agent.Profile{File: file}, "AKIA2")
	for name, s := range map[string]agent.Signer{
		"no such profile": agent.Profile{File: file, Name: "missing"},
		"no such file":    agent.Profile{File: file + "x"},
		"empty variables": agent.Environment(func(string) string { return "" }),
	} {
		if _, err := s.Credentials(context.Background()); !errors.Is(err, fault.Unavailable) {
			t.Errorf("%s: got %v, want unavailable", name, err)
		}
	}
	wantKey(t, agent.Environment(func(name string) string { return name }), "AWS_ACCESS_KEY_ID")
}
