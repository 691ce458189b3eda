package eksauthapi_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/api/apitest"
	"github.com/podid/podid/internal/api/eksauthapi"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/oidc"
)

// BenchmarkHTTP is the exchange as an agent makes it: over HTTP with connections that are kept, each request signed by the session of
// a node's role and with an RS256 token that was never shown before, the record written as a line. The client shares the cores.
func BenchmarkHTTP(b *testing.B) {
	x := newExchanger(b)
	apitest.Load(b, func(b *testing.B, n int) func(*testing.B, int) {
		bodies := x.bodies(b, n)
		return func(b *testing.B, i int) { x.do(b, bodies[i]) }
	})
}

// exchanger sends exchanges to a server of its own.
type exchanger struct {
	w      *world
	url    string
	client *http.Client
	signer *v4.Signer
	node   aws.Credentials
}

func newExchanger(b *testing.B) *exchanger {
	b.Helper()
	w := newWorld(b)
	w.associate(b, cluster.Association{RoleARN: w.role(b, account, "app", podsTrust, "")})
	agent := w.agent(b, w.role(b, account, "agent", podsTrust, `{"Effect":"Allow","Action":"eks-auth:*","Resource":"*"}`), "")
	records := api.NewRecords(io.Discard, func(err error) { b.Error(err) })
	server := httptest.NewServer(api.NewFront(api.FrontConfig{
		Region: region, Authorizer: w.authorizer, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Emit: records.Emit, Used: w.authorizer.Used,
		Services: []api.Service{eksauthapi.New(eksauthapi.Config{Clusters: w.clusters, Authorizer: w.authorizer, Ring: w.ring})},
	}))
	b.Cleanup(server.Close)
	return &exchanger{
		w: w, url: server.URL + "/clusters/" + name + "/assume-role-for-pod-identity", signer: v4.NewSigner(),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
		node: aws.Credentials{
			AccessKeyID: agent.AccessKeyID, SecretAccessKey: agent.SecretAccessKey, SessionToken: agent.SessionToken,
		},
	}
}

// bodies makes requests, each with a token of its own.
func (x *exchanger) bodies(b *testing.B, n int) [][]byte {
	b.Helper()
	out := make([][]byte, n)
	var wait sync.WaitGroup
	for from := range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for i := from; i < n; i += runtime.GOMAXPROCS(0) {
				token := x.w.token(b, func(r *oidc.ServiceAccountToken) { r.Kubernetes.Pod = fmt.Sprint("cart-", i) })
				out[i], _ = json.Marshal(map[string]string{"token": token})
			}
		})
	}
	wait.Wait()
	return out
}

func (x *exchanger) do(b *testing.B, body []byte) {
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, x.url, bytes.NewReader(body))
	if err != nil {
		b.Error(err)
		return
	}
	r.Header.Set("Content-Type", "application/json")
	sum := sha256.Sum256(body)
	if err := x.signer.SignHTTP(b.Context(), x.node, r, hex.EncodeToString(sum[:]), "eks-auth", region, time.Now()); err != nil {
		b.Error(err)
		return
	}
	resp, err := x.client.Do(r)
	if err != nil {
		b.Error(err)
		return
	}
	defer resp.Body.Close()
	if answer, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		b.Errorf("status %d, %v: %s", resp.StatusCode, err, answer)
	}
}
