package devcluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/podid/podid/internal/devcluster"
	"github.com/podid/podid/internal/oidc"
)

// TestClose_tellsTheControlPlane holds that the control plane learns of a pod's end, from the operator, also when it does not answer at
// first.
func TestClose_tellsTheControlPlane(t *testing.T) {
	t.Parallel()
	told := make(chan []string, 10)
	asked := 0
	var full atomic.Bool
	refused := make(chan struct{}, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		switch {
		case form.Get("Action") == "AssumeRoleWithWebIdentity":
			token, err := oidc.Issuer(form.Get("WebIdentityToken"))
			if err != nil || !strings.HasPrefix(token, "https://") || form.Get("RoleArn") != "arn:aws:iam::111122223333:role/podid-operator-local" {
				t.Errorf("signed in with %v (%v)", form, err)
			}
			fmt.Fprint(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>`+
				`<AccessKeyId>AKID</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>`+
				`<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`)
		case r.Method == http.MethodPost && r.URL.Path == "/clusters/local/ended-pods":
			if asked++; asked == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			if full.Load() {
				w.Header().Set("X-Amzn-Errortype", "ResourceLimitExceededException")
				w.WriteHeader(http.StatusBadRequest)
				refused <- struct{}{}
				return
			}
			var in struct{ PodUIDs []string }
			if err := json.Unmarshal(body, &in); err != nil || r.Header.Get("X-Amz-Security-Token") != "token" {
				t.Errorf("told %s: %v", body, err)
			}
			told <- in.PodUIDs
			fmt.Fprint(w, "{}")
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer s.Close()
	dir, err := os.MkdirTemp("", "podid-devcluster-") //nolint:usetesting // its name is too long
	if err != nil {
		t.Fatal(err)
	}
	c, err := devcluster.New(devcluster.Config{
		Dir: dir, Name: "local", Account: "111122223333", Region: "eu-west-1", Endpoint: s.URL, CredentialsURI: "http://127.0.0.1:2/v1/credentials",
		Administrator: aws.AnonymousCredentials{}, HTTP: s.Client(), AgentAnswers: func(context.Context) bool { return true }, Now: time.Now,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	defer func() {
		cancel()
		if err := errors.Join(<-ended, os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	}()
	<-c.Ready()
	k, err := devcluster.Dial(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	end := func() string {
		p, err := k.StartPod(ctx, devcluster.PodSpec{Namespace: "shop", ServiceAccount: "uploader"})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		return p.UID
	}
	waits := map[string]bool{}
	for range 3 {
		waits[end()] = true
	}
	for len(waits) > 0 {
		for _, uid := range <-told {
			if !waits[uid] {
				t.Errorf("told of %s, which no pod is, or twice", uid)
			}
			delete(waits, uid)
		}
	}

	full.Store(true) // what is over the limit is not told again, or all that comes after would wait
	end()
	<-refused
	full.Store(false)
	if after, got := end(), <-told; len(got) != 1 || got[0] != after {
		t.Errorf("told of %v, want %s alone", got, after)
	}
}
