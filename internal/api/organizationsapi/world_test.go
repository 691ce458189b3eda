package organizationsapi_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/podid/podid/internal/api/apitest"
	"github.com/podid/podid/internal/api/organizationsapi"
)

const (
	own    = "111122223333" // the control plane's first account
	other  = "444455556666"
	region = "eu-central-1"
)

// world is a control plane with two accounts and an administrator's client in each.
type world struct {
	*apitest.Plane

	t          *testing.T
	url        string
	own, other *organizations.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Plane: apitest.New(t), t: t}
	w.url = w.Serve(t, region, nil, organizationsapi.New(organizationsapi.Config{Organizations: w.Organizations, IAM: w.IAM}))
	w.own, w.other = w.account(own), w.account(other)
	return w
}

// account makes an account and returns its administrator's client.
func (w *world) account(id string) *organizations.Client {
	w.t.Helper()
	key, err := w.IAM.Bootstrap(w.t.Context(), id, "a"+id)
	must(w.t, err)
	return w.client(key.ID, key.Secret, "")
}

func (w *world) config(id, secret, token string) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: aws.String(w.url), Credentials: credentials.NewStaticCredentialsProvider(id, secret, token),
		HTTPClient: awshttp.NewBuildableClient(), RetryMaxAttempts: 1,
	}
}

func (w *world) client(id, secret, token string) *organizations.Client {
	return organizations.NewFromConfig(w.config(id, secret, token))
}

// user makes a user with an inline policy and returns its client.
func (w *world) user(account, name, document string) *organizations.Client {
	w.t.Helper()
	_, err := w.IAM.CreateUser(w.t.Context(), iamUser(account, name))
	must(w.t, err)
	must(w.t, w.IAM.PutUserPolicy(w.t.Context(), account, name, "inline", document))
	key, err := w.IAM.CreateAccessKey(w.t.Context(), account, name)
	must(w.t, err)
	return w.client(key.ID, key.Secret, "")
}

// organization makes one of the first account and returns its id and its root's.
func (w *world) organization() (id, root string) {
	w.t.Helper()
	out, err := w.own.CreateOrganization(w.t.Context(), &organizations.CreateOrganizationInput{})
	must(w.t, err)
	roots, err := w.own.ListRoots(w.t.Context(), &organizations.ListRootsInput{})
	must(w.t, err)
	_, err = w.own.EnablePolicyType(w.t.Context(), &organizations.EnablePolicyTypeInput{
		RootId: roots.Roots[0].Id, PolicyType: types.PolicyTypeServiceControlPolicy,
	})
	must(w.t, err)
	return *out.Organization.Id, *roots.Roots[0].Id
}

// join invites the second account, which accepts.
func (w *world) join() {
	w.t.Helper()
	invited, err := w.own.InviteAccountToOrganization(w.t.Context(), invitation(other))
	must(w.t, err)
	_, err = w.other.AcceptHandshake(w.t.Context(), &organizations.AcceptHandshakeInput{HandshakeId: invited.Handshake.Id})
	must(w.t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
