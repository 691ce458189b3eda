package authz_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
)

// opened mints a session and signs in with it.
func (w *world) opened(s credential.Session, err error) (authz.Caller, func() error) {
	w.t.Helper()
	must(w.t, err)
	c, err := w.ring.Mint(w.t.Context(), s)
	must(w.t, err)
	return w.signIn(c.AccessKeyID, c.SessionToken), func() error {
		_, _, err := w.authz.Caller(w.t.Context(), c.AccessKeyID, c.SessionToken)
		return err
	}
}

func (w *world) asks(c authz.Caller, action, resource string) error {
	return w.authz.Authorize(c, w.network(), authz.Question{Action: action, Resource: resource})
}

// TestSessionTokenIsTheUser holds that such a session is the user of now, and ends with the key that asked for it.
func TestSessionTokenIsTheUser(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	ada := w.user(own, "ada", allow("s3:GetObject", "*"),
		`{"Effect":"Allow","Action":"s3:PutObject","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"false"},`+
			`"DateGreaterThan":{"aws:TokenIssueTime":"2026-11-24T07:00:00Z"},"StringEquals":{"aws:username":"ada"}}}`)
	session, alive := w.opened(w.authz.SessionToken(ada, w.network(), 0))
	if got := session.Session.ExpiresAt.Sub(session.Session.IssuedAt); got != 12*time.Hour {
		t.Errorf("the session lasts %s", got)
	}
	if diff := cmp.Diff(ada.Principal, session.Principal); diff != "" {
		t.Errorf("the session is not its user: %s", diff)
	}
	must(t, w.asks(session, "s3:GetObject", object))
	must(t, w.asks(session, "s3:PutObject", object))
	is(t, w.asks(ada, "s3:PutObject", object), fault.Denied, "action") // a long-term key has neither key
	must(t, w.iam.PutUserPolicy(ctx, own, "ada", "inline", doc(deny("s3:*", "*"))))
	is(t, w.asks(session, "s3:GetObject", object), fault.Denied, "action")

	// Neither a role chain nor bound to its hour.
	r := w.role(own, "App", trust(byAWS(ada.Principal.ARN), ""))
	_, err := w.iam.UpdateRole(ctx, own, "App", func(r *iam.Role) error { r.MaxSession = 2 * time.Hour; return nil })
	must(t, err)
	_, err = w.authz.Assume(w.assume(r, func(q *authz.Assumption) { q.Caller, q.Duration = session, 2*time.Hour }))
	must(t, err)

	_, err = w.authz.SessionToken(session, w.network(), 0)
	is(t, err, fault.Denied, "action")
	_, err = w.authz.Federate(authz.Federation{Caller: session, Name: "bob", Network: w.network()})
	is(t, err, fault.Denied, "action")

	must(t, w.iam.SetAccessKeyActive(ctx, own, "ada", ada.AccessKeyID, false))
	is(t, alive(), fault.Unauthenticated, "session token")
	must(t, w.iam.SetAccessKeyActive(ctx, own, "ada", ada.AccessKeyID, true))
	must(t, alive())
	must(t, w.iam.DeleteAccessKey(ctx, own, "ada", ada.AccessKeyID))
	is(t, alive(), fault.Unauthenticated, "session token")
	must(t, w.iam.DeleteUserPolicy(ctx, own, "ada", "inline"))
	must(t, w.iam.DeleteUser(ctx, own, "ada"))
	w.user(own, "ada")
	is(t, alive(), fault.Unauthenticated, "session token")
}

func TestSessionTokenRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plain, banned := w.user(own, "plain"), w.user(own, "banned", deny("sts:GetSessionToken", "*"))
	root := w.signIn(w.key(own, "").ID, "")
	role := w.session(w.assume(w.role(own, "App", trust(byService(pods), "")), nil))
	tests := []struct {
		name    string
		caller  authz.Caller
		ask     time.Duration
		want    time.Duration
		kind    fault.Kind
		subject string
	}{
		{"no permission is needed", plain, 0, 12 * time.Hour, 0, ""},
		{"longest", plain, 36 * time.Hour, 36 * time.Hour, 0, ""},
		{"too long", plain, 36*time.Hour + time.Second, 0, fault.Invalid, "parameter"},
		{"too short", plain, 899 * time.Second, 0, fault.Invalid, "parameter"},
		{"root", root, 0, time.Hour, 0, ""},
		{"root asks for a day", root, 24 * time.Hour, time.Hour, 0, ""},
		{"root, shortest", root, 15 * time.Minute, 15 * time.Minute, 0, ""},
		{"denied", banned, 0, 0, fault.Denied, "action"},
		{"a role's session", role, 0, 0, fault.Denied, "action"},
		{"nobody", authz.Caller{Principal: arn.Principal{Kind: arn.Anonymous, ARN: "*"}}, 0, 0, fault.Denied, "action"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := w.authz.SessionToken(tt.caller, w.network(), tt.ask)
			is(t, err, tt.kind, tt.subject)
			if got := s.ExpiresAt.Sub(s.IssuedAt); got != tt.want {
				t.Errorf("the session lasts %s, want %s", got, tt.want)
			}
		})
	}
	session, alive := w.opened(w.authz.SessionToken(root, w.network(), 0))
	must(t, w.asks(session, "s3:GetObject", object))
	_, err := w.authz.Assume(w.assume(w.role(own, "ByAccount", trust(byAWS(own), "")), func(q *authz.Assumption) { q.Caller = session }))
	if text := is(t, err, fault.Denied, "role"); text != "Roles may not be assumed by root accounts." {
		t.Errorf("refused with %s", text)
	}
	must(t, w.iam.DeleteAccessKey(t.Context(), own, "", root.AccessKeyID))
	is(t, alive(), fault.Unauthenticated, "session token")
}

// TestFederatedUser holds what such a user may do: what its maker may, the session policies allow, and resource policies grant by name.
func TestFederatedUser(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	broker := w.user(own, "broker", `{"Effect":"Allow","Action":"sts:*","Resource":"*"}`, allow("s3:*", "arn:aws:s3:::photos/*"), deny("s3:DeleteObject", "*"))
	_, err := w.iam.UpdateUser(ctx, own, "broker", func(u *iam.User) error {
		u.Tags = map[string]string{"Team": "brokers", "cost": "1"}
		return nil
	})
	must(t, err)
	root := w.signIn(w.key(own, "").ID, "")
	federate := func(by authz.Caller, policies ...string) authz.Caller {
		t.Helper()
		c, _ := w.opened(w.authz.Federate(authz.Federation{
			Caller: by, Name: "bob", SessionPolicies: policies, Tags: map[string]string{"team": "shop"}, Network: w.network(),
		}))
		return c
	}
	reads := doc(`{"Effect":"Allow","Action":["s3:GetObject","s3:DeleteObject","iam:*"],"Resource":"*"}`)
	bob, bare, byRoot := federate(broker, reads), federate(broker), federate(root, reads)
	if p := bob.Principal; p.ARN != "arn:aws:sts::"+own+":federated-user/bob" || p.ID != own+":bob" || p.UserARN != broker.Principal.ARN {
		t.Errorf("the federated user is %+v", p)
	}
	if diff := cmp.Diff(map[string]string{"team": "shop", "cost": "1"}, bob.Principal.Tags); diff != "" {
		t.Errorf("the principal tags are %s", diff)
	}
	toBob := bucketPolicy(t, grantTo(`{"AWS":"`+bob.Principal.ARN+`"}`, ""))
	toBroker := bucketPolicy(t, grantTo(`{"AWS":"`+broker.Principal.ARN+`"}`, ""))
	const music = "arn:aws:s3:::music/song"
	tests := []struct {
		name             string
		caller           authz.Caller
		action, resource string
		grant            bool // the resource policy names the federated user
		maker            bool // or the user who made it
		allowed          bool
	}{
		{"both allow", bob, "s3:GetObject", object, false, false, true},
		{"the user does not", bob, "s3:GetObject", music, false, false, false},
		{"the user denies", bob, "s3:DeleteObject", object, false, false, false},
		{"the session policy does not", bob, "s3:PutObject", object, false, false, false},
		{"the user does not, by far", bob, "iam:ListUsers", "*", false, false, false},
		{"no session policy", bare, "s3:GetObject", object, false, false, false},
		{"no session policy, granted by name", bare, "s3:GetObject", object, true, false, true},
		{"no session policy, the user is granted", bare, "s3:GetObject", object, false, true, false},
		{"the user is granted", bob, "s3:GetObject", object, false, true, true},
		{"made by the root user", byRoot, "s3:GetObject", music, false, false, true},
		{"made by the root user, beyond its policy", byRoot, "s3:PutObject", music, false, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := authz.Question{Action: tt.action, Resource: tt.resource}
			if tt.grant {
				q.ResourcePolicy = toBob
			} else if tt.maker {
				q.ResourcePolicy = toBroker
			}
			if got := w.authz.Allowed(tt.caller, w.network(), q); got != tt.allowed {
				t.Errorf("allowed: %t", got)
			}
		})
	}
	_, err = w.iam.CreateGroup(ctx, iam.Group{Account: own, Name: "listeners"})
	must(t, err)
	must(t, w.iam.PutGroupPolicy(ctx, own, "listeners", "music", doc(allow("s3:GetObject", "arn:aws:s3:::music/*"))))
	must(t, w.iam.AddUserToGroup(ctx, own, "listeners", "broker"))
	must(t, w.asks(bob, "s3:GetObject", music))

	_, err = w.authz.Assume(w.assume(w.role(own, "ByAccount", trust(byAWS(own), "")), func(q *authz.Assumption) { q.Caller = bob }))
	is(t, err, fault.Denied, "role")
}

func TestFederateRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	managers := w.user(own, "managers", allow("sts:GetFederationToken", "arn:aws:sts::"+own+":federated-user/Manager*"))
	able := w.user(own, "able", allow("sts:*", "*"))
	tagger := w.user(own, "tagger", `{"Effect":"Allow","Action":"sts:*","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"team"},`+
		`"StringEqualsIfExists":{"aws:RequestTag/team":"shop"}}}`)
	tests := []struct {
		name    string
		caller  authz.Caller
		change  func(*authz.Federation)
		kind    fault.Kind
		subject string
	}{
		{"a name that is allowed", managers, func(q *authz.Federation) { q.Name = "ManagerAda" }, 0, ""},
		{"a name that is not", managers, nil, fault.Denied, "action"},
		{"tags need sts:TagSession", managers, func(q *authz.Federation) {
			q.Name, q.Tags = "ManagerAda", map[string]string{"k": "v"}
		}, fault.Denied, "action"},
		{"a tag that is allowed", tagger, func(q *authz.Federation) { q.Tags = map[string]string{"team": "shop"} }, 0, ""},
		{"a tag that is not", tagger, func(q *authz.Federation) { q.Tags = map[string]string{"team": "bank"} }, fault.Denied, "action"},
		{"short name", able, func(q *authz.Federation) { q.Name = "a" }, fault.Invalid, "parameter"},
		{"long name", able, func(q *authz.Federation) { q.Name = strings.Repeat("a", 33) }, fault.Invalid, "parameter"},
		{"name that would be another ARN", able, func(q *authz.Federation) { q.Name = "a/b" }, fault.Invalid, "parameter"},
		{"tags", able, func(q *authz.Federation) { q.Tags = map[string]string{"aws:x": ""} }, fault.Invalid, "tags"},
		{"policy", able, func(q *authz.Federation) { q.SessionPolicies = []string{"{"} }, fault.Invalid, "policy document"},
		{"managed policy", able, func(q *authz.Federation) { q.PolicyARNs = []string{arn.Policy(own, "/", "none")} }, fault.Invalid, "policy document"},
		{"11 managed policies", able, func(q *authz.Federation) { q.PolicyARNs = make([]string, 11) }, fault.Invalid, "parameter"},
		{"duration", able, func(q *authz.Federation) { q.Duration = 37 * time.Hour }, fault.Invalid, "parameter"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := authz.Federation{Caller: tt.caller, Name: "bob", Network: w.network()}
			if tt.change != nil {
				tt.change(&q)
			}
			_, err := w.authz.Federate(q)
			is(t, err, tt.kind, tt.subject)
		})
	}
}

// TestMayCall holds which calls temporary credentials are good for at all. spec: iam-policy.md 7.1
func TestMayCall(t *testing.T) {
	t.Parallel()
	session := &credential.Session{}
	as := func(k arn.Kind) authz.Caller {
		return authz.Caller{Principal: arn.Principal{Kind: k}, Session: session}
	}
	user, federated, role := as(arn.IAMUser), as(arn.FederatedUser), as(arn.RoleSession)
	tests := []struct {
		caller  authz.Caller
		service string
		call    string
		allowed bool
	}{
		{user, "iam", "GetUser", false},
		{user, "sts", "AssumeRole", true},
		{user, "sts", "GetCallerIdentity", true},
		{user, "sts", "DecodeAuthorizationMessage", false},
		{user, "s3", "GetObject", true},
		{as(arn.RootUser), "iam", "GetUser", false},
		{federated, "iam", "GetUser", false},
		{federated, "sts", "GetCallerIdentity", true},
		{federated, "sts", "AssumeRole", false},
		{federated, "eks", "ListClusters", true},
		{role, "iam", "GetUser", true},
		{role, "sts", "DecodeAuthorizationMessage", true},
		{authz.Caller{Principal: arn.Principal{Kind: arn.IAMUser}}, "iam", "GetUser", true},
	}
	for _, tt := range tests {
		if err := tt.caller.MayCall(tt.service, tt.call); (err == nil) != tt.allowed {
			t.Errorf("%s calls %s:%s: %v", tt.caller.Principal.Kind, tt.service, tt.call, err)
		}
	}
}

// TestRevokedByPolicy holds that AWS's way to revoke sessions works: a Deny of what was issued before a time.
func TestRevokedByPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role(own, "App", trust(byService(pods), ""))
	w.grant(r, allow("s3:*", "*"))
	old := w.session(w.assume(r, nil))
	must(t, w.asks(old, "s3:GetObject", object))
	w.advance(time.Minute)
	must(t, w.iam.PutRolePolicy(t.Context(), own, "App", "AWSRevokeOlderSessions", doc(`{"Effect":"Deny","Action":["*"],"Resource":["*"],`+
		`"Condition":{"DateLessThan":{"aws:TokenIssueTime":"`+w.now().Format(time.RFC3339)+`"}}}`)))
	text := is(t, w.asks(old, "s3:GetObject", object), fault.Denied, "action")
	if !strings.Contains(text, "statement 1 of AWSRevokeOlderSessions denies it") {
		t.Errorf("refused with %s", text)
	}
	must(t, w.asks(w.session(w.assume(r, nil)), "s3:GetObject", object))
}
