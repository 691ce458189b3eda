package podidapi_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/api/podidapi"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/oidc"
	"github.com/podid/podid/internal/organization"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/store/storetest"
)

const (
	account = "111122223333"
	other   = "444455556666"
	region  = "us-west-2"
	id      = "0123456789ABCDEF0123456789ABCDEF"
	issuer  = "https://podid.example/id/" + id
)

type world struct {
	clusters *cluster.Registry
	iam      *iam.Directory
	url      string
	admin    *client.Client
	stopping chan struct{}

	mu      sync.Mutex
	records []*api.Record
	emitted func() // when not nil: called after a record came
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := storetest.New(t, slices.Concat(iam.Schema(), organization.Schema(), credential.Schema(), cluster.Schema())...)
	directory, err := iam.New(iam.Config{DB: db})
	must(t, err)
	ring, err := credential.NewRing(credential.RingConfig{DB: db})
	must(t, err)
	orgs, err := organization.New(organization.Config{DB: db})
	must(t, err)
	authorizer, err := authz.New(authz.Config{IAM: directory, Organizations: orgs, Ring: ring, Now: time.Now})
	must(t, err)
	clusters, err := cluster.New(cluster.Config{DB: db, Region: region})
	must(t, err)
	w := &world{clusters: clusters, iam: directory, stopping: make(chan struct{})}
	server := httptest.NewServer(api.NewFront(api.FrontConfig{
		Region: region, Authorizer: authorizer, Now: time.Now, Strict: true,
		Services: []api.Service{podidapi.New(podidapi.Config{Clusters: clusters, IAM: directory, Stopping: w.stopping})},
		Plain:    map[string]http.Handler{"/id/": podidapi.Discovery(clusters)},
		Logger:   slog.New(slog.NewTextHandler(t.Output(), nil)),
		Emit: func(r *api.Record) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.records = append(w.records, r)
			if w.emitted != nil {
				w.emitted()
			}
		},
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	key, err := directory.Bootstrap(t.Context(), account, "cluster")
	must(t, err)
	w.admin = w.client(key.ID, key.Secret)
	_, err = clusters.Create(t.Context(), cluster.Cluster{Account: account, Name: "c"}, "")
	must(t, err)
	return w
}

func (w *world) client(keyID, secret string) *client.Client {
	return client.New(client.Config{
		Endpoint: w.url, Region: region, HTTP: http.DefaultClient, Now: time.Now, Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, ""),
	})
}

func report(t *testing.T) client.Report {
	t.Helper()
	signer, err := oidc.NewSigner("ES256")
	must(t, err)
	keys, err := signer.KeySet().MarshalJSON()
	must(t, err)
	return client.Report{Issuer: issuer, JWKS: string(keys), Version: "1.36", Nodes: []client.ReportNode{}, Addons: []client.ReportAddon{}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// is asserts what kind of refusal a client sees, and a part of its text.
func is(t *testing.T, err error, kind fault.Kind, text string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %s: %s", err, kind, text)
	}
}

func TestReportAndWatch(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	empty, err := w.admin.WatchCluster(ctx, "c", 0, time.Second)
	must(t, err)
	r := report(t)
	must(t, w.admin.PutClusterReport(ctx, "c", r))
	if c, _ := w.clusters.Find(account, "c"); c.Status() != cluster.Active || c.Issuer != issuer || c.Version != "1.36" {
		t.Errorf("the reported cluster is %+v", c)
	}
	connected, err := w.admin.WatchCluster(ctx, "c", empty.Revision, 30*time.Second)
	must(t, err)

	type answer struct {
		wanted *client.Wanted
		err    error
	}
	woken := make(chan answer, 1)
	go func() {
		wanted, err := w.admin.WatchCluster(ctx, "c", connected.Revision, 30*time.Second)
		woken <- answer{wanted, err}
	}()
	_, err = w.clusters.CreateAddon(ctx, cluster.Addon{Account: account, Cluster: "c", Name: "agent", Version: "v1", Namespace: "kube-system"}, nil, "")
	must(t, err)
	a := <-woken
	must(t, a.err)
	want := &client.Wanted{
		Revision: a.wanted.Revision, Addons: []client.WantedAddon{{Name: "agent", Version: "v1", Namespace: "kube-system", Status: "CREATING"}},
		Nodegroups: []client.WantedNodegroup{}, Associations: []client.WantedAssociation{},
	}
	if diff := cmp.Diff(want, a.wanted); diff != "" {
		t.Error(diff)
	}
	r.Addons = append(r.Addons, client.ReportAddon{Name: "agent", Version: "v1", Healthy: true})
	must(t, w.admin.PutClusterReport(ctx, "c", r))
	next, err := w.admin.WatchCluster(ctx, "c", a.wanted.Revision, 30*time.Second)
	must(t, err)
	if next.Addons[0].Status != "ACTIVE" {
		t.Errorf("the add-on is %+v", next.Addons[0])
	}

	is(t, w.admin.PutClusterReport(ctx, "ghost", r), fault.NotFound, "No cluster found for name: ghost.")
	_, err = w.admin.WatchCluster(ctx, "ghost", 0, 0)
	is(t, err, fault.NotFound, "ghost")
	r.JWKS = "{}"
	is(t, w.admin.PutClusterReport(ctx, "c", r), fault.Invalid, "key")
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	_, err := w.iam.CreateUser(ctx, iam.User{Account: account, Name: "operator", Inline: map[string]*policy.Source{"p": policy.NewSource(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["podid:PutClusterReport","podid:CreateAccount"],` +
			`"Resource":"arn:aws:eks:us-west-2:111122223333:cluster/c"}]}`)}})
	must(t, err)
	key, err := w.iam.CreateAccessKey(ctx, account, "operator")
	must(t, err)
	operator := w.client(key.ID, key.Secret)
	first := report(t)
	must(t, w.admin.PutClusterReport(ctx, "c", first))
	must(t, operator.PutClusterReport(ctx, "c", first))
	is(t, operator.PutClusterReport(ctx, "d", report(t)), fault.Denied, "podid:PutClusterReport on resource: arn:aws:eks:us-west-2:111122223333:cluster/d")
	_, err = operator.WatchCluster(ctx, "c", 0, 0)
	is(t, err, fault.Denied, "podid:WatchCluster")
	_, err = operator.CreateAccount(ctx, client.NewAccount{AccountID: other})
	is(t, err, fault.Denied, "podid:CreateAccount")
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	made, err := w.admin.CreateAccount(ctx, client.NewAccount{AccountID: other, Name: "bucket"})
	must(t, err)
	_, err = w.admin.CreateAccount(ctx, client.NewAccount{AccountID: other})
	is(t, err, fault.Exists, other)
	_, err = w.admin.CreateAccount(ctx, client.NewAccount{AccountID: "1"})
	is(t, err, fault.Invalid, "12 digits")
	list, err := w.admin.ListAccounts(ctx)
	must(t, err)
	if diff := cmp.Diff([]client.Account{{AccountID: account, Name: "cluster"}, {AccountID: other, Name: "bucket"}}, list); diff != "" {
		t.Error(diff)
	}
	stranger := w.client(made.AccessKeyID, made.SecretAccessKey)
	_, err = stranger.CreateAccount(ctx, client.NewAccount{AccountID: "999999999999"})
	is(t, err, fault.Denied, "first account")
	_, err = stranger.ListAccounts(ctx)
	is(t, err, fault.Denied, "first account")
	is(t, stranger.PutClusterReport(ctx, "c", report(t)), fault.NotFound, "No cluster found for name: c.")
	w.mu.Lock()
	defer w.mu.Unlock()
	text, err := json.Marshal(w.records)
	must(t, err)
	if strings.Contains(string(text), made.SecretAccessKey) {
		t.Error("a record holds the secret of an access key")
	}
}
