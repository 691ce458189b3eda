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

// TestAssumeForAService holds the way of pod identity, and what a refusal tells podid.
func TestAssumeForAService(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tags := map[string]string{"kubernetes-namespace": "shop", "kubernetes-pod-name": "cart-1"}
	open := w.role(own, "Open", trust(byService(pods), ""))
	pod := &credential.Pod{PodName: "cart-1"}
	got, err := w.authz.Assume(w.assume(open, func(q *authz.Assumption) {
		q.Tags, q.TransitiveTagKeys, q.Duration, q.Pod = tags, []string{"kubernetes-namespace"}, 6*time.Hour, pod
	}))
	must(t, err)
	want := credential.Session{
		Principal: arn.Principal{
			Kind: arn.RoleSession, Account: own, ARN: "arn:aws:sts::" + own + ":assumed-role/Open/eks-1", ID: open.ID + ":eks-1",
			RoleARN: open.ARN(), RoleID: open.ID,
		},
		SessionTags: tags, TransitiveTagKeys: []string{"kubernetes-namespace"}, IssuedAt: w.now(), ExpiresAt: w.now().Add(6 * time.Hour),
		Pod: pod, Via: credential.ViaPodIdentity,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the session is %s", diff)
	}

	const prefix = "User: pods.eks.amazonaws.com is not authorized to perform: "
	sentence := func(action string, r *iam.Role, hint string) string {
		return prefix + action + " on resource: " + r.ARN() + " because no role trust policy allows the " + action + " action " + hint
	}
	bare := w.role(own, "Bare", trust(byService(pods), "", "sts:AssumeRole"))
	shop := w.role(own, "Shop", trust(byService(pods), `{"StringEquals":{"aws:RequestTag/kubernetes-namespace":["bank","mint"]}}`))
	fromCluster := w.role(own, "Cluster", trust(byService(pods), `{"StringEquals":{"aws:SourceAccount":"`+own+`"},"ArnEquals":{"aws:SourceArn":"arn:aws:eks:r:`+own+`:cluster/c"}}`))
	ec2 := w.role(own, "Ec2", trust(byService("ec2.amazonaws.com"), ""))
	denied := w.role(own, "Denied", trust(byService(pods), ""), `{"Sid":"Stop","Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}`)
	ghost := &iam.Role{Account: own, Path: "/", Name: "Ghost"}
	tests := []struct {
		name   string
		role   *iam.Role
		change func(*authz.Assumption)
		want   string // empty: allowed
	}{
		{"no tags need no sts:TagSession", bare, nil, ""},
		{
			"tags need sts:TagSession", bare, func(q *authz.Assumption) { q.Tags = tags },
			sentence("sts:TagSession", bare, "(refused by the role's trust policy)"),
		},
		{
			"tag mismatch", shop, func(q *authz.Assumption) { q.Tags = tags },
			sentence("sts:AssumeRole", shop, "(refused by the role's trust policy: statement 1 (Trust) of Shop allows it but for its condition "+
				`StringEquals aws:RequestTag/kubernetes-namespace: the request has "shop", the policy asks for "bank", "mint")`),
		},
		{
			"tag missing", shop, nil,
			sentence("sts:AssumeRole", shop, "(refused by the role's trust policy: statement 1 (Trust) of Shop allows it but for its condition "+
				`StringEquals aws:RequestTag/kubernetes-namespace: the request has no such key, the policy asks for "bank", "mint")`),
		},
		{"tag match", shop, func(q *authz.Assumption) { q.Tags = map[string]string{"Kubernetes-Namespace": "mint"} }, ""},
		{"source", fromCluster, func(q *authz.Assumption) {
			q.SourceAccount, q.SourceARN = own, "arn:aws:eks:r:"+own+":cluster/c"
		}, ""},
		{
			"another service", ec2, nil,
			sentence("sts:AssumeRole", ec2, "(refused by the role's trust policy: statement 1 (Trust) of Ec2 allows it but for its Principal: "+
				`the request has "pods.eks.amazonaws.com", the policy "ec2.amazonaws.com")`),
		},
		{"deny", denied, nil, prefix + "sts:AssumeRole on resource: " + denied.ARN() + " with an explicit deny in a role trust policy " +
			"(refused by the role's trust policy: statement 2 (Stop) of Denied denies it)"},
		{"no such role", ghost, nil, sentence("sts:AssumeRole", ghost, "(refused by the role's trust policy)")},
		{
			"no source identity without permission", bare, func(q *authz.Assumption) { q.SourceIdentity = "ada" },
			sentence("sts:SetSourceIdentity", bare, "(refused by the role's trust policy)"),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := w.authz.Assume(w.assume(tt.role, tt.change))
			if tt.want == "" {
				must(t, err)
				return
			}
			if got := is(t, err, fault.Denied, "role"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestAssumeByUsersAndSessions holds who may pass from one role, and one account, to another.
func TestAssumeByUsersAndSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plain := w.user(own, "plain")
	able := w.user(own, "able", allow("sts:*", "*"))
	foreign := w.user(other, "foreign", allow("sts:*", "*"))
	root := w.signIn(w.key(own, "").ID, "")
	app := w.role(own, "App", trust(byService(pods), ""))
	session := w.session(w.assume(app, nil))
	byAccount := w.role(own, "ByAccount", trust(byAWS(own), ""))
	byUser := w.role(own, "ByUser", trust(byAWS(plain.Principal.ARN), ""))
	byRole := w.role(own, "ByRole", trust(byAWS(app.ARN()), ""))
	bySession := w.role(own, "BySession", trust(byAWS(session.Principal.ARN), ""))
	shared := w.role(own, "Shared", trust(byAWS(other), `{"StringEquals":{"sts:ExternalId":"r/a/c/ns/sa"}}`))
	federated := w.role(own, "Federated", trust(`"Federated":"`+arn.OIDCProvider(own, issuer)+`"`,
		`{"StringEquals":{"`+issuer+`:sub":"cart"}}`, "sts:AssumeRoleWithWebIdentity"))
	everyone := w.role(own, "Everyone", trust(byAWS("*"), "", "sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"))
	anonymous := authz.Caller{Principal: arn.Principal{Kind: arn.Anonymous, ARN: "*"}}
	bearer := authz.Caller{Principal: arn.Principal{Kind: arn.WebIdentity, ARN: arn.OIDCProvider(own, issuer)}}

	tests := []struct {
		name   string
		caller authz.Caller
		role   *iam.Role
		change func(*authz.Assumption)
		denied string // a part of the refusal
	}{
		{"account trusted, no permission", plain, byAccount, nil, "because no identity-based policy allows the sts:AssumeRole action"},
		{"account trusted, permission", able, byAccount, nil, ""},
		{"user trusted", plain, byUser, nil, ""},
		{"another user trusted", able, byUser, nil, "because no role trust policy allows"},
		{"role trusted", session, byRole, nil, ""},
		{"session trusted", session, bySession, nil, ""},
		{"a role does not trust itself", session, app, nil, "because no role trust policy allows"},
		{"foreign, external id", foreign, shared, func(q *authz.Assumption) { q.ExternalID = "r/a/c/ns/sa" }, ""},
		{"foreign, no external id", foreign, shared, nil, "because no role trust policy allows the sts:AssumeRole action (refused by the role's trust policy)"},
		{
			"foreign, other external id", foreign, shared, func(q *authz.Assumption) { q.ExternalID = "r/a/c/ns/sb" },
			"because no role trust policy allows the sts:AssumeRole action (refused by the role's trust policy)",
		},
		{"root", root, byAccount, nil, "Roles may not be assumed by root accounts."},
		{"anonymous", anonymous, everyone, nil, "Not authorized to perform sts:AssumeRole"},
		{"web identity", bearer, federated, func(q *authz.Assumption) {
			q.Action, q.Claims = authz.AssumeRoleWithWebIdentity, map[string][]string{issuer + ":sub": {"cart"}}
		}, ""},
		{"web identity of another subject", bearer, federated, func(q *authz.Assumption) {
			q.Action, q.Claims = authz.AssumeRoleWithWebIdentity, map[string][]string{issuer + ":sub": {"bank"}}
		}, "because no role trust policy allows"},
		{"web identity as if it had signed", bearer, everyone, nil, "Not authorized to perform sts:AssumeRole"},
		{
			"user as if it had a token", able, everyone, func(q *authz.Assumption) { q.Action = authz.AssumeRoleWithWebIdentity },
			"Not authorized to perform sts:AssumeRoleWithWebIdentity",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := w.authz.Assume(w.assume(tt.role, func(q *authz.Assumption) {
				q.Caller = tt.caller
				if tt.change != nil {
					tt.change(q)
				}
			}))
			if tt.denied == "" {
				must(t, err)
				return
			}
			if got := is(t, err, fault.Denied, "role"); !strings.Contains(got, tt.denied) {
				t.Errorf("got  %s\nwant %s", got, tt.denied)
			}
		})
	}
}

// TestRolesCannotBeProbed holds that a stranger hears the same, name apart, of a role that is silent about it, of one that
// denies it, of one that asks for what it does not have, and of none at all.
func TestRolesCannotBeProbed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const denies = `{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"sts:*"}`
	able := w.user(other, "able", allow("sts:*", "*"))
	plain := w.user(other, "plain")
	banned := w.user(other, "banned", deny("sts:AssumeRole", "*"))
	curious := w.user(other, "curious", allow("sts:*", "*"),
		`{"Effect":"Deny","Action":"sts:AssumeRole","Resource":"*","Condition":{"StringLike":{"aws:ResourceTag/team":"r*"}}}`)
	roles := []*iam.Role{
		w.role(own, "silent", trust(byService("ec2.amazonaws.com"), "")),
		w.role(own, "denies", trust(byAWS(other), ""), denies),
		w.role(own, "needsId", trust(byAWS(other), `{"StringEquals":{"sts:ExternalId":"x"}}`)),
		{Account: own, Path: "/ops/", Name: "ghost"},
		{Account: "999999999999", Path: "/", Name: "ghost"},
	}
	w.tag(roles[0], map[string]string{"team": "red"})
	bearer := authz.Caller{Principal: arn.Principal{Kind: arn.WebIdentity, ARN: arn.OIDCProvider(own, issuer)}}
	for _, c := range []authz.Caller{able, plain, banned, curious, bearer} {
		var first string
		for _, r := range roles {
			_, err := w.authz.Assume(w.assume(r, func(q *authz.Assumption) {
				q.Caller = c
				if c.Principal.Kind == arn.WebIdentity {
					q.Action = authz.AssumeRoleWithWebIdentity
				}
			}))
			text := strings.ReplaceAll(is(t, err, fault.Denied, "role"), r.ARN(), "ROLE")
			if first == "" {
				first = text
			}
			if text != first {
				t.Errorf("%s hears of %s\n%s\nand of another\n%s", c.Principal.ARN, r.Name, text, first)
			}
		}
	}
	// In its own account a caller is told of a role that denies it, and of what its own policies lack.
	_, err := w.authz.Assume(w.assume(roles[1], func(q *authz.Assumption) { q.Caller = w.user(own, "mine") }))
	if text := is(t, err, fault.Denied, "role"); !strings.HasSuffix(text, "with an explicit deny in a role trust policy (refused by the role's trust policy)") {
		t.Errorf("refused with %s", text)
	}
}

// TestPrincipalMadeAgain holds that a name is not an identity. spec: iam-policy.md 9
func TestPrincipalMadeAgain(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	first := w.user(own, "ada")
	r := w.role(own, "App", trust(byAWS(first.Principal.ARN), ""))
	q := w.assume(r, func(q *authz.Assumption) { q.Caller = first })
	_, err := w.authz.Assume(q)
	must(t, err)
	must(t, w.iam.DeleteAccessKey(ctx, own, "ada", first.AccessKeyID))
	must(t, w.iam.DeleteUser(ctx, own, "ada"))
	q.Caller = w.user(own, "ada")
	_, err = w.authz.Assume(q)
	is(t, err, fault.Denied, "role")
}

func TestLifetime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.role(own, "App", trust(byService(pods), ""))
	w.grant(app, allow("sts:*", "*"))
	open := w.role(own, "Open", trust(byAWS(own)+","+byService(pods), ""))
	_, err := w.iam.UpdateRole(t.Context(), own, "Open", func(r *iam.Role) error { r.MaxSession = 2 * time.Hour; return nil })
	must(t, err)
	user, session := w.user(own, "ada", allow("sts:*", "*")), w.session(w.assume(app, nil))
	service := authz.ServiceCaller(pods)
	tests := []struct {
		name      string
		caller    authz.Caller
		ask, want time.Duration // want 0: refused
		subject   string
	}{
		{"default", user, 0, time.Hour, ""},
		{"shortest", user, 15 * time.Minute, 15 * time.Minute, ""},
		{"too short", user, 15*time.Minute - time.Second, 0, "parameter"},
		{"negative", user, -time.Hour, 0, "parameter"},
		{"the role's limit", user, 2 * time.Hour, 2 * time.Hour, ""},
		{"beyond the role's limit", user, 2*time.Hour + time.Second, 0, "duration"},
		{"chained default", session, 0, time.Hour, ""},
		{"chained too long", session, time.Hour + time.Second, 0, "duration"},
		{"service beyond the role's limit", service, 6 * time.Hour, 6 * time.Hour, ""},
		{"service beyond every limit", service, 12*time.Hour + time.Second, 0, "parameter"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := w.authz.Assume(w.assume(open, func(q *authz.Assumption) { q.Caller, q.Duration = tt.caller, tt.ask }))
			if tt.want == 0 {
				is(t, err, fault.Invalid, tt.subject)
				return
			}
			must(t, err)
			if got := s.ExpiresAt.Sub(s.IssuedAt); got != tt.want {
				t.Errorf("the session lasts %s, want %s", got, tt.want)
			}
		})
	}
}
