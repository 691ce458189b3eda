package authz_test

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/organization"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/store"
	"github.com/podid/podid/internal/store/storetest"
)

const (
	own    = "111122223333"
	other  = "444455556666"
	pods   = "pods.eks.amazonaws.com"
	issuer = "oidc.example/id/A"
)

// world is two accounts on a real store, under a clock of its own.
type world struct {
	t     *testing.T
	db    *store.DB
	iam   *iam.Directory
	orgs  *organization.Directory
	ring  *credential.Ring
	authz *authz.Authorizer
	clock atomic.Int64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	w.clock.Store(time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC).Unix())
	db := storetest.New(t, slices.Concat(iam.Schema(), organization.Schema(), credential.Schema())...)
	w.db = db
	var err error
	w.iam, err = iam.New(iam.Config{DB: db, Now: w.now})
	must(t, err)
	w.orgs, err = organization.New(organization.Config{DB: db, Now: w.now})
	must(t, err)
	w.ring, err = credential.NewRing(credential.RingConfig{DB: db, Now: w.now})
	must(t, err)
	w.authz, err = authz.New(authz.Config{IAM: w.iam, Organizations: w.orgs, Ring: w.ring, Now: w.now})
	must(t, err)
	for _, account := range []string{own, other} {
		_, err := w.iam.CreateAccount(t.Context(), account, "a"+account)
		must(t, err)
	}
	return w
}

func (w *world) now() time.Time { return time.Unix(w.clock.Load(), 0).UTC() }

func (w *world) advance(d time.Duration) { w.clock.Add(int64(d / time.Second)) }

// doc is a policy of the statements.
func doc(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

func allow(action, resource string) string {
	return `{"Sid":"Yes","Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"}`
}

func deny(action, resource string) string {
	return `{"Sid":"No","Effect":"Deny","Action":"` + action + `","Resource":"` + resource + `"}`
}

// trust lets a principal in; the condition is JSON or empty.
func trust(principal, condition string, actions ...string) string {
	if len(actions) == 0 {
		actions = []string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"}
	}
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return `{"Sid":"Trust","Effect":"Allow","Principal":{` + principal + `},"Action":["` + strings.Join(actions, `","`) + `"]` + condition + `}`
}

func byAWS(name string) string { return `"AWS":"` + name + `"` }

func byService(name string) string { return `"Service":"` + name + `"` }

func (w *world) role(account, name string, statements ...string) *iam.Role {
	w.t.Helper()
	r, err := w.iam.CreateRole(w.t.Context(), iam.Role{Account: account, Name: name, Trust: policy.NewSource(doc(statements...))})
	must(w.t, err)
	return r
}

func (w *world) tag(r *iam.Role, tags map[string]string) {
	w.t.Helper()
	_, err := w.iam.UpdateRole(w.t.Context(), r.Account, r.Name, func(r *iam.Role) error { r.Tags = tags; return nil })
	must(w.t, err)
}

// grant gives a role an inline policy.
func (w *world) grant(r *iam.Role, statements ...string) {
	w.t.Helper()
	must(w.t, w.iam.PutRolePolicy(w.t.Context(), r.Account, r.Name, "inline", doc(statements...)))
}

// user makes a user with an inline policy and returns it as a caller.
func (w *world) user(account, name string, statements ...string) authz.Caller {
	w.t.Helper()
	_, err := w.iam.CreateUser(w.t.Context(), iam.User{Account: account, Name: name})
	must(w.t, err)
	if len(statements) > 0 {
		must(w.t, w.iam.PutUserPolicy(w.t.Context(), account, name, "inline", doc(statements...)))
	}
	return w.signIn(w.key(account, name).ID, "")
}

func (w *world) key(account, name string) *iam.AccessKey {
	w.t.Helper()
	k, err := w.iam.CreateAccessKey(w.t.Context(), account, name)
	must(w.t, err)
	return k
}

func (w *world) signIn(id, token string) authz.Caller {
	w.t.Helper()
	c, _, err := w.authz.Caller(w.t.Context(), id, token)
	must(w.t, err)
	return c
}

// assume is a service's assumption of a role.
func (w *world) assume(r *iam.Role, change func(*authz.Assumption)) authz.Assumption {
	q := authz.Assumption{
		Caller: authz.ServiceCaller(pods), Action: authz.AssumeRole, RoleARN: r.ARN(), SessionName: "eks-1", Via: credential.ViaPodIdentity,
		Network: w.network(),
	}
	if change != nil {
		change(&q)
	}
	return q
}

func (w *world) network() authz.Network { return authz.Network{Region: "eu-central-1", Time: w.now()} }

// session assumes a role and signs in with what it got.
func (w *world) session(q authz.Assumption) authz.Caller {
	w.t.Helper()
	return w.signIn(w.mint(q))
}

func (w *world) mint(q authz.Assumption) (id, token string) {
	w.t.Helper()
	s, err := w.authz.Assume(q)
	must(w.t, err)
	c, err := w.ring.Mint(w.t.Context(), s)
	must(w.t, err)
	return c.AccessKeyID, c.SessionToken
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// is asserts kind and subject of a failure and returns its public text. No subject means no failure.
func is(t *testing.T, err error, kind fault.Kind, subject string) string {
	t.Helper()
	if subject == "" {
		must(t, err)
		return ""
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != kind || f.Subject != subject {
		t.Fatalf("got  %v\nwant %v %s", err, kind, subject)
	}
	return f.Public
}
