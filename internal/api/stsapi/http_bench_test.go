package stsapi_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/api/apitest"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/oidc"
)

// BenchmarkHTTP is the assumption of a role over HTTP with connections that are kept, the record written as a line: by a user, each
// request signed and with two session tags; and by pods, each with an RS256 token that was never shown before. The client, which
// signs, shares the cores. See [apitest.Load] for what is reported.
func BenchmarkHTTP(b *testing.B) {
	w := newWorld(b)
	signer, err := oidc.NewSigner("RS256")
	must(b, err)
	published := signer.KeySet()
	w.signer, w.keys = signer, func(*oidc.KeySet) (*oidc.KeySet, error) { return published, nil }
	records := api.NewRecords(io.Discard, func(err error) { b.Error(err) })
	server := httptest.NewServer(api.NewFront(api.FrontConfig{
		Region: "eu-central-1", Authorizer: w.Authorizer, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Emit: records.Emit,
		Services: []api.Service{w.sts}, Used: w.Authorizer.Used,
	}))
	b.Cleanup(server.Close)
	key, err := w.IAM.CreateAccessKey(b.Context(), account, iam.Administrator)
	must(b, err)
	p := poster{
		url: server.URL, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}, signer: v4.NewSigner(),
		key: aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret},
	}
	open, pod := w.role(b, "open", trustAccount), w.role(b, "pod", irsa(cart))

	b.Run("AssumeRole", func(b *testing.B) {
		apitest.Load(b, func(*testing.B, int) func(*testing.B, int) {
			return func(b *testing.B, i int) {
				p.post(b, true, url.Values{
					"Action": {"AssumeRole"}, "RoleArn": {open}, "RoleSessionName": {fmt.Sprint("session-", i)},
					"Tags.member.1.Key": {"team"}, "Tags.member.1.Value": {"shop"}, "Tags.member.2.Key": {"cost"}, "Tags.member.2.Value": {"1"},
				})
			}
		})
	})
	b.Run("AssumeRoleWithWebIdentity", func(b *testing.B) {
		apitest.Load(b, func(b *testing.B, n int) func(*testing.B, int) {
			tokens := make([]string, n)
			var wait sync.WaitGroup
			for from := range runtime.GOMAXPROCS(0) {
				wait.Go(func() {
					for i := from; i < n; i += runtime.GOMAXPROCS(0) {
						tokens[i] = w.token(b, func(r *oidc.ServiceAccountToken) { r.Kubernetes.Pod = fmt.Sprint("cart-", i) })
					}
				})
			}
			wait.Wait()
			return func(b *testing.B, i int) {
				p.post(b, false, url.Values{
					"Action": {"AssumeRoleWithWebIdentity"}, "RoleArn": {pod}, "RoleSessionName": {fmt.Sprint("session-", i)}, "WebIdentityToken": {tokens[i]},
				})
			}
		})
	})
}

// poster posts forms to a server of its own.
type poster struct {
	url    string
	client *http.Client
	signer *v4.Signer
	key    aws.Credentials
}

func (p *poster) post(b *testing.B, signed bool, form url.Values) {
	form.Set("Version", "2011-06-15")
	body := []byte(form.Encode())
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		b.Error(err)
		return
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if signed {
		sum := sha256.Sum256(body)
		if err := p.signer.SignHTTP(b.Context(), p.key, r, hex.EncodeToString(sum[:]), "sts", "eu-central-1", time.Now()); err != nil {
			b.Error(err)
			return
		}
	}
	resp, err := p.client.Do(r)
	if err != nil {
		b.Error(err)
		return
	}
	defer resp.Body.Close()
	if answer, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		b.Errorf("status %d, %v: %s", resp.StatusCode, err, answer)
	}
}
