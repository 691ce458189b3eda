package eksauthapi_test

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
	sdk "github.com/aws/aws-sdk-go-v2/service/eksauth"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/api/eksauthapi"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/oidc"
	"github.com/podid/podid/internal/organization"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/store/storetest"
)

const (
	account    = "111122223333"
	other      = "444455556666"
	region     = "us-west-2"
	issuer     = "https://oidc.podid.internal/id/0123456789ABCDEF0123456789ABCDEF"
	name       = "eksworkshop-eksctl"
	clusterARN = "arn:aws:eks:us-west-2:111122223333:cluster/eksworkshop-eksctl"

	podsTrust = `{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}`
)

// world is a control plane with EKS Auth and one connected cluster, seen through the AWS SDK.
type world struct {
	clusters   *cluster.Registry
	iam        *iam.Directory
	ring       *credential.Ring
	authorizer *authz.Authorizer
	signer     *oidc.Signer
	url        string
	admin      *sdk.Client

	mu      sync.Mutex
	records []*api.Record
}

func newWorld(t testing.TB) *world {
	t.Helper()
	db := storetest.New(t, slices.Concat(iam.Schema(), organization.Schema(), credential.Schema(), cluster.Schema())...)
	w := &world{}
	var err error
	w.iam, err = iam.New(iam.Config{DB: db})
	must(t, err)
	w.ring, err = credential.NewRing(credential.RingConfig{DB: db})
	must(t, err)
	orgs, err := organization.New(organization.Config{DB: db})
	must(t, err)
	w.authorizer, err = authz.New(authz.Config{IAM: w.iam, Organizations: orgs, Ring: w.ring, Now: time.Now})
	must(t, err)
	w.clusters, err = cluster.New(cluster.Config{DB: db, Region: region})
	must(t, err)
	w.signer, err = oidc.NewSigner("RS256")
	must(t, err)
	server := httptest.NewServer(api.NewFront(api.FrontConfig{
		Region: region, Authorizer: w.authorizer, Now: time.Now, Strict: true,
		Services: []api.Service{eksauthapi.New(eksauthapi.Config{Clusters: w.clusters, Authorizer: w.authorizer, Ring: w.ring})},
		Logger:   slog.New(slog.NewTextHandler(t.Output(), nil)),
		Emit: func(r *api.Record) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.records = append(w.records, r)
		},
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	key, err := w.iam.Bootstrap(t.Context(), account, "cluster")
	must(t, err)
	_, err = w.iam.Bootstrap(t.Context(), other, "bucket")
	must(t, err)
	w.admin = w.client(key.ID, key.Secret, "")
	_, err = w.clusters.Create(t.Context(), cluster.Cluster{Account: account, Name: name}, "")
	must(t, err)
	w.report(t, w.signer)
	return w
}

// report connects the cluster with the keys of a signer.
func (w *world) report(t testing.TB, s *oidc.Signer) {
	t.Helper()
	keys, err := s.KeySet().MarshalJSON()
	must(t, err)
	must(t, w.clusters.PutReport(t.Context(), account, name, cluster.Report{Issuer: issuer, JWKS: string(keys)}))
}

func (w *world) client(id, secret, token string) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: region, BaseEndpoint: aws.String(w.url), RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider(id, secret, token),
	})
}

// role makes a role with trust statements, and with a policy unless that is empty.
func (w *world) role(t testing.TB, owner, roleName, trust, allow string) string {
	t.Helper()
	r := iam.Role{Account: owner, Name: roleName, Trust: policy.NewSource(`{"Version":"2012-10-17","Statement":[` + trust + `]}`)}
	if allow != "" {
		r.Inline = map[string]*policy.Source{"p": policy.NewSource(`{"Version":"2012-10-17","Statement":[` + allow + `]}`)}
	}
	made, err := w.iam.CreateRole(t.Context(), r)
	must(t, err)
	return made.ARN()
}

func (w *world) associate(t testing.TB, a cluster.Association) *cluster.Association {
	t.Helper()
	a.Account, a.Cluster, a.Namespace, a.ServiceAccount = account, name, "shop", "cart"
	made, err := w.clusters.CreateAssociation(t.Context(), a, "")
	must(t, err)
	return made
}

// token is a pod's, changed by the test.
func (w *world) token(t testing.TB, change func(*oidc.ServiceAccountToken)) string {
	t.Helper()
	request := oidc.ServiceAccountToken{
		Issuer: issuer, Audiences: []string{eksauthapi.Audience}, IssuedAt: time.Now(), Lifetime: time.Hour,
		Kubernetes: oidc.Kubernetes{
			Namespace: "shop", ServiceAccount: "cart", ServiceAccountUID: "u1", Pod: "cart-56b9f94b4-dvd5c", PodUID: "u2", Node: "node-1", NodeUID: "u3",
		},
	}
	if change != nil {
		change(&request)
	}
	token, err := w.signer.ServiceAccountToken(request)
	must(t, err)
	return token
}

func (w *world) exchange(t testing.TB, c *sdk.Client, token string) (*sdk.AssumeRoleForPodIdentityOutput, error) {
	t.Helper()
	return c.AssumeRoleForPodIdentity(t.Context(), &sdk.AssumeRoleForPodIdentityInput{ClusterName: aws.String(name), Token: &token})
}

// session opens what an answer handed out.
func (w *world) session(t testing.TB, out *sdk.AssumeRoleForPodIdentityOutput) credential.Session {
	t.Helper()
	s, secret, err := w.ring.Open(t.Context(), *out.Credentials.AccessKeyId, *out.Credentials.SessionToken)
	must(t, err)
	if secret != *out.Credentials.SecretAccessKey {
		t.Error("the secret is not the session's")
	}
	return s
}

func (w *world) last() *api.Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.records[len(w.records)-1]
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused asserts the modelled type of an error and parts of its text.
func refused[E error](t *testing.T, err error, texts ...string) {
	t.Helper()
	e, ok := errors.AsType[E](err)
	if !ok {
		t.Fatalf("got %v, want %T", err, e)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("got  %v\nwant %s", err, text)
		}
	}
}
