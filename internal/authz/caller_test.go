package authz_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
)

func TestCallerOfALongTermKey(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	_, err := w.iam.CreateUser(ctx, iam.User{Account: own, Path: "/ops/", Name: "Ada", Tags: map[string]string{"team": "a"}})
	must(t, err)
	root, key, idle := w.key(own, ""), w.key(own, "Ada"), w.key(own, "Ada")
	must(t, w.iam.SetAccessKeyActive(ctx, own, "Ada", idle.ID, false))
	ada, _ := w.iam.FindUser(own, "Ada")

	got, secret, err := w.authz.Caller(ctx, root.ID, "")
	must(t, err)
	want := authz.Caller{AccessKeyID: root.ID, Principal: arn.Principal{Kind: arn.RootUser, Account: own, ARN: arn.Root(own), ID: own}}
	if diff := cmp.Diff(want, got); diff != "" || secret != root.Secret {
		t.Errorf("the root user is %s", diff)
	}
	got, secret, err = w.authz.Caller(ctx, key.ID, "")
	must(t, err)
	want = authz.Caller{AccessKeyID: key.ID, Principal: arn.Principal{
		Kind: arn.IAMUser, Account: own, ARN: "arn:aws:iam::" + own + ":user/ops/Ada", ID: ada.ID, UserName: "Ada", Tags: ada.Tags,
	}}
	if diff := cmp.Diff(want, got); diff != "" || secret != key.Secret {
		t.Errorf("the user is %s", diff)
	}

	_, _, unknown := w.authz.Caller(ctx, "AKIAAAAAAAAAAAAAAAAA", "")
	text := is(t, unknown, fault.Unauthenticated, "access key")
	_, _, inactive := w.authz.Caller(ctx, idle.ID, "")
	if got := is(t, inactive, fault.Unauthenticated, "access key"); got != text {
		t.Errorf("an inactive key is told from an unknown one: %s", got)
	}
	_, _, err = w.authz.Caller(ctx, key.ID, "token")
	is(t, err, fault.Unauthenticated, "session token")
	_, _, err = w.authz.Caller(ctx, "", "")
	is(t, err, fault.Unauthenticated, "access key")
}

func TestCallerOfASession(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	r := w.role(own, "App", trust(byService(pods), ""))
	w.tag(r, map[string]string{"Team": "role", "cost": "1"})
	q := w.assume(r, func(q *authz.Assumption) { q.Tags = map[string]string{"team": "session"} })
	id, token := w.mint(q)
	c := w.signIn(id, token)
	if diff := cmp.Diff(map[string]string{"team": "session", "cost": "1"}, c.Principal.Tags); diff != "" {
		t.Errorf("the principal tags are %s", diff)
	}
	if c.AccessKeyID != id || c.Session == nil || c.Principal.ID != r.ID+":eks-1" ||
		c.Principal.ARN != "arn:aws:sts::"+own+":assumed-role/App/eks-1" || c.Principal.RoleARN != r.ARN() {
		t.Errorf("the caller is %+v", c)
	}
	w.tag(r, map[string]string{"cost": "2"})
	if got := w.signIn(id, token).Principal.Tags["cost"]; got != "2" {
		t.Errorf("the role's tag is %s: it is not read as it is now", got)
	}
	refused := func(why string, kind fault.Kind, id, token string) {
		t.Helper()
		_, secret, err := w.authz.Caller(ctx, id, token)
		is(t, err, kind, "session token")
		if secret != "" {
			t.Errorf("%s: a secret is told", why)
		}
	}
	otherID, _ := w.mint(q)
	refused("another session's token", fault.Unauthenticated, otherID, token)
	refused("no token", fault.Unauthenticated, id, "")

	revoke := func(at time.Time) {
		t.Helper()
		_, err := w.iam.UpdateRole(ctx, own, "App", func(r *iam.Role) error { r.RevokedBefore = at; return nil })
		must(t, err)
	}
	revoke(w.now().Add(-time.Second))
	w.signIn(id, token)
	revoke(w.now())
	refused("revoked in the second in which it began", fault.Expired, id, token)
	w.advance(time.Second)
	w.signIn(w.mint(q))
	revoke(time.Time{})

	must(t, w.iam.DeleteRole(ctx, own, "App"))
	refused("deleted role", fault.Unauthenticated, id, token)
	w.role(own, "App", trust(byService(pods), ""))
	refused("role made again", fault.Unauthenticated, id, token)
	if _, err := w.authz.SessionCaller(*c.Session); err == nil {
		t.Error("the session of a role that was made again is a caller")
	}
	if w.authz.Allowed(c, w.network(), authz.Question{Action: "sts:GetSessionToken"}) {
		t.Error("a caller whose role is gone is let in")
	}
}

func TestNewNeedsEverything(t *testing.T) {
	t.Parallel()
	if _, err := authz.New(authz.Config{}); err == nil {
		t.Error("an authorizer without a directory")
	}
}

func TestExpiredSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, token := w.mint(w.assume(w.role(own, "App", trust(byService(pods), "")), nil))
	w.advance(time.Hour)
	_, _, err := w.authz.Caller(context.WithoutCancel(t.Context()), id, token)
	is(t, err, fault.Expired, "session token")
}
