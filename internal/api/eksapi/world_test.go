package eksapi_test

import (
	"errors"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/api/eksapi"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/oidc"
	"github.com/podid/podid/internal/organization"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
	"github.com/podid/podid/internal/store/storetest"
)

const (
	account = "111122223333"
	other   = "444455556666"
	region  = "us-west-2"
	issuer  = "https://oidc.podid.internal/id/0123456789ABCDEF0123456789ABCDEF"

	authority = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t" // as a kubeconfig has it: base64 of PEM

	podsTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},` +
		`"Action":["sts:AssumeRole","sts:TagSession"]}]}`
	ec2Trust = `{"Version":"2012-10-17","Statement":[{"Sid":"podsEksAmazonawsCom","Effect":"Allow",` +
		`"Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
)

// world is a control plane with EKS and one account, seen through the AWS SDK.
type world struct {
	clusters *cluster.Registry
	iam      *iam.Directory
	url      string
	admin    *sdk.Client
	role     string // trusts pods

	mu      sync.Mutex
	records []*api.Record
}

func newWorld(t *testing.T, quotas quota.Set) *world {
	t.Helper()
	w := newReplica(t, storetest.New(t, schema()...), quotas)
	key, err := w.iam.Bootstrap(t.Context(), account, "cluster")
	must(t, err)
	w.admin = w.client(key.ID, key.Secret)
	w.role = w.newRole(t, "app", podsTrust)
	return w
}

func schema() []store.Definition {
	return slices.Concat(iam.Schema(), organization.Schema(), credential.Schema(), cluster.Schema())
}

// newReplica is a control plane on a store, without a client.
func newReplica(t *testing.T, db *store.DB, quotas quota.Set) *world {
	t.Helper()
	directory, err := iam.New(iam.Config{DB: db})
	must(t, err)
	ring, err := credential.NewRing(credential.RingConfig{DB: db})
	must(t, err)
	orgs, err := organization.New(organization.Config{DB: db})
	must(t, err)
	authorizer, err := authz.New(authz.Config{IAM: directory, Organizations: orgs, Ring: ring, Now: time.Now})
	must(t, err)
	clusters, err := cluster.New(cluster.Config{DB: db, Region: region, Quotas: quotas})
	must(t, err)
	w := &world{clusters: clusters, iam: directory}
	server := httptest.NewServer(api.NewFront(api.FrontConfig{
		Region: region, Authorizer: authorizer, Now: time.Now, Strict: true,
		Services: []api.Service{eksapi.New(eksapi.Config{Clusters: clusters, IAM: directory})},
		Logger:   slog.New(slog.NewTextHandler(t.Output(), nil)),
		Emit: func(r *api.Record) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.records = append(w.records, r)
		},
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

func (w *world) client(id, secret string) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: region, BaseEndpoint: aws.String(w.url), RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider(id, secret, ""),
	})
}

func (w *world) newRole(t *testing.T, name, trust string) string {
	t.Helper()
	r, err := w.iam.CreateRole(t.Context(), iam.Role{Account: account, Name: name, Path: "/pods/", Trust: policy.NewSource(trust)})
	must(t, err)
	return r.ARN()
}

// user is a client of a user who may do what the policy says.
func (w *world) user(t *testing.T, name, document string) *sdk.Client {
	t.Helper()
	_, err := w.iam.CreateUser(t.Context(), iam.User{
		Account: account, Name: name, Inline: map[string]*policy.Source{"p": policy.NewSource(document)},
	})
	must(t, err)
	key, err := w.iam.CreateAccessKey(t.Context(), account, name)
	must(t, err)
	return w.client(key.ID, key.Secret)
}

func (w *world) createCluster(t *testing.T, name string) *types.Cluster {
	t.Helper()
	out, err := w.admin.CreateCluster(t.Context(), &sdk.CreateClusterInput{
		Name: &name, RoleArn: &w.role, ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: []string{"subnet-1"}},
		Tags: map[string]string{"env": "test"},
	})
	must(t, err)
	return out.Cluster
}

// report connects the cluster c.
func (w *world) report(t *testing.T, p cluster.Report) {
	t.Helper()
	signer, err := oidc.NewSigner("ES256")
	must(t, err)
	keys, err := signer.KeySet().MarshalJSON()
	must(t, err)
	p.Issuer, p.JWKS, p.Version, p.Endpoint = issuer, string(keys), "1.36", "https://10.0.0.1:6443"
	p.CertificateAuthority = authority
	must(t, w.clusters.PutReport(t.Context(), account, "c", p))
}

func (w *world) last() *api.Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.records[len(w.records)-1]
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused asserts the modelled type of an error and a part of its text.
func refused[E error](t *testing.T, err error, text string) {
	t.Helper()
	e, ok := errors.AsType[E](err)
	if !ok || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %T: %s", err, e, text)
	}
}
