package stsapi_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/api/apitest"
	"github.com/podid/podid/internal/api/stsapi"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/oidc"
	"github.com/podid/podid/internal/policy"
)

const (
	account = "111122223333"
	other   = "444455556666"
	host    = "oidc.example/id/A"
	issuer  = "https://" + host
)

// world is a control plane with STS and one account whose OIDC provider is a cluster's issuer.
type world struct {
	*apitest.Plane
	signer *oidc.Signer
	keys   func(lacking *oidc.KeySet) (*oidc.KeySet, error)
	sts    *api.Typed
	url    string
	admin  *sdk.Client
}

func newWorld(t testing.TB) *world {
	t.Helper()
	signer, err := oidc.NewSigner("ES256")
	must(t, err)
	w := &world{Plane: apitest.New(t), signer: signer}
	published := signer.KeySet()
	w.keys = func(*oidc.KeySet) (*oidc.KeySet, error) { return published, nil }
	w.sts = stsapi.New(stsapi.Config{
		IAM: w.IAM, Authorizer: w.Authorizer, Ring: w.Ring,
		Keys: func(_ context.Context, p *iam.Provider, lacking *oidc.KeySet) (*oidc.KeySet, error) {
			if p.Account != account || p.Host != host {
				return nil, fault.New(fault.NotFound, "issuer", "no such issuer")
			}
			return w.keys(lacking)
		},
	})
	w.url = w.Serve(t, "eu-central-1", nil, w.sts)
	key, err := w.IAM.Bootstrap(t.Context(), account, "cluster")
	must(t, err)
	w.admin = w.client(key.ID, key.Secret, "")
	_, err = w.IAM.CreateProvider(t.Context(), iam.Provider{Account: account, Host: host, ClientIDs: []string{"sts.amazonaws.com"}})
	must(t, err)
	return w
}

func (w *world) client(id, secret, token string) *sdk.Client {
	return w.with(credentials.NewStaticCredentialsProvider(id, secret, token))
}

func (w *world) with(c aws.CredentialsProvider) *sdk.Client {
	return sdk.New(sdk.Options{Region: "eu-central-1", BaseEndpoint: aws.String(w.url), RetryMaxAttempts: 1, Credentials: c})
}

// session is a client that signs with temporary credentials.
func (w *world) session(c *types.Credentials) *sdk.Client {
	return w.client(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
}

func (w *world) role(t testing.TB, name, trust string) string {
	t.Helper()
	r, err := w.IAM.CreateRole(t.Context(), iam.Role{Account: account, Name: name, Trust: policy.NewSource(
		`{"Version":"2012-10-17","Statement":[` + trust + `]}`)})
	must(t, err)
	return r.ARN()
}

// irsa is a trust statement for one service account.
func irsa(subject string) string {
	return `{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::` + account + `:oidc-provider/` + host + `"},` +
		`"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"` + host + `:sub":"` + subject + `","` +
		host + `:aud":"sts.amazonaws.com"}}}`
}

// token is a pod's, changed by the test.
func (w *world) token(t testing.TB, change func(*oidc.ServiceAccountToken)) string {
	t.Helper()
	request := oidc.ServiceAccountToken{
		Issuer: issuer, Audiences: []string{"sts.amazonaws.com"}, IssuedAt: time.Now(), Lifetime: time.Hour,
		Kubernetes: oidc.Kubernetes{
			Namespace: "shop", ServiceAccount: "cart", ServiceAccountUID: "u1", Pod: "cart-1", PodUID: "u2", Node: "node-1", NodeUID: "u3",
		},
	}
	if change != nil {
		change(&request)
	}
	token, err := w.signer.ServiceAccountToken(request)
	must(t, err)
	return token
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
