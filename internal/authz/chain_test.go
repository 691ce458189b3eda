package authz_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
)

// TestChainCarriesTags holds that transitive tags follow a chain, count as request tags on the way, and cannot be replaced.
func TestChainCarriesTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.role(own, "App", trust(byService(pods), ""))
	w.grant(app, allow("sts:*", "*"))
	session := w.session(w.assume(app, func(q *authz.Assumption) {
		q.Tags = map[string]string{"Team": "a", "pod": "p"}
		q.TransitiveTagKeys, q.SourceIdentity = []string{"team", "TEAM", "Team"}, "ada"
	}))
	if diff := cmp.Diff([]string{"Team"}, session.Session.TransitiveTagKeys); diff != "" {
		t.Errorf("the transitive keys are %s", diff)
	}
	condition := `{"StringEquals":{"aws:RequestTag/team":"a","aws:PrincipalTag/pod":"p","sts:SourceIdentity":"ada","aws:SourceIdentity":"ada",` +
		`"aws:ResourceTag/TEAM":"a","iam:ResourceTag/team":"a","aws:ResourceTag/cost":"1"},` +
		`"ForAllValues:StringEquals":{"aws:TagKeys":["Team","extra"],"sts:TransitiveTagKeys":["Team","extra"]},` +
		`"Null":{"aws:ResourceTag/pod":"true","aws:RequestTag/pod":"true"}}`
	target := w.role(other, "Target", trust(byAWS(own), condition))
	w.tag(target, map[string]string{"tEAM": "role", "cost": "1"})
	chain := func(change func(*authz.Assumption)) authz.Assumption {
		return w.assume(target, func(q *authz.Assumption) {
			q.Caller = session
			if change != nil {
				change(q)
			}
		})
	}
	got, err := w.authz.Assume(chain(func(q *authz.Assumption) {
		q.Tags, q.TransitiveTagKeys = map[string]string{"extra": "1"}, []string{"EXTRA"}
	}))
	must(t, err)
	if diff := cmp.Diff(map[string]string{"Team": "a", "extra": "1"}, got.SessionTags); diff != "" || got.SourceIdentity != "ada" {
		t.Errorf("the session has the tags %s and the source identity %s", diff, got.SourceIdentity)
	}
	if diff := cmp.Diff([]string{"Team", "extra"}, got.TransitiveTagKeys); diff != "" {
		t.Errorf("the session hands on %s", diff)
	}

	_, err = w.authz.Assume(chain(func(q *authz.Assumption) { q.Tags = map[string]string{"tEam": "b"} }))
	if text := is(t, err, fault.Invalid, "tags"); !strings.Contains(text, "inherited") {
		t.Errorf("refused with %s", text)
	}
	_, err = w.authz.Assume(chain(func(q *authz.Assumption) { q.SourceIdentity = "eve" }))
	is(t, err, fault.Denied, "role")
	_, err = w.authz.Assume(chain(func(q *authz.Assumption) { q.SourceIdentity = "ada" }))
	must(t, err)

	// Inherited tags need sts:TagSession, and a carried source identity sts:SetSourceIdentity, on both sides.
	for _, missing := range []string{"sts:TagSession", "sts:SetSourceIdentity"} {
		actions := []string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"}
		r := w.role(other, "No"+strings.TrimPrefix(missing, "sts:"), trust(byAWS(own), "", without(actions, missing)...))
		_, err := w.authz.Assume(w.assume(r, func(q *authz.Assumption) { q.Caller = session }))
		if text := is(t, err, fault.Denied, "role"); !strings.Contains(text, "no role trust policy allows the "+missing+" action") {
			t.Errorf("refused with %s", text)
		}
	}
	w.grant(app, allow("sts:AssumeRole", "*"))
	_, err = w.authz.Assume(chain(nil))
	if text := is(t, err, fault.Denied, "role"); !strings.Contains(text, "no identity-based policy allows the sts:TagSession action") {
		t.Errorf("refused with %s", text)
	}
}

// TestInheritedTagsMarkNoRole holds that a caller cannot put a tag of its own on the role it asks for.
func TestInheritedTagsMarkNoRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.role(own, "App", trust(byService(pods), ""))
	w.grant(app, `{"Effect":"Allow","Action":"sts:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"a"}}}`)
	session := w.session(w.assume(app, func(q *authz.Assumption) {
		q.Tags, q.TransitiveTagKeys = map[string]string{"team": "a"}, []string{"team"}
	}))
	untagged := w.role(own, "Untagged", trust(byAWS(own), ""))
	_, err := w.authz.Assume(w.assume(untagged, func(q *authz.Assumption) { q.Caller = session }))
	is(t, err, fault.Denied, "role")
}

func without(list []string, item string) []string {
	var out []string
	for _, s := range list {
		if s != item {
			out = append(out, s)
		}
	}
	return out
}

func TestAssumeChecksParameters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role(own, "App", trust(byService(pods), ""))
	many := map[string]string{}
	for i := range 51 {
		many[fmt.Sprintf("k%d", i)] = ""
	}
	tag := func(k, v string) func(*authz.Assumption) {
		return func(q *authz.Assumption) { q.Tags = map[string]string{k: v} }
	}
	_, err := w.iam.CreatePolicy(t.Context(), iam.ManagedPolicy{Account: own, Name: "mine"}, doc(allow("s3:*", "*")))
	must(t, err)
	_, err = w.iam.CreatePolicy(t.Context(), iam.ManagedPolicy{Account: other, Name: "theirs"}, doc(allow("s3:*", "*")))
	must(t, err)
	tests := []struct {
		name    string
		change  func(*authz.Assumption)
		kind    fault.Kind
		subject string // empty: allowed
	}{
		{"not an ARN", func(q *authz.Assumption) { q.RoleARN = "App" }, fault.Invalid, "parameter"},
		{"a user's ARN", func(q *authz.Assumption) { q.RoleARN = arn.User(own, "/", "ada") }, fault.Invalid, "parameter"},
		{"no account", func(q *authz.Assumption) { q.RoleARN = "arn:aws:iam::1:role/App" }, fault.Invalid, "parameter"},
		{"another partition", func(q *authz.Assumption) { q.RoleARN = "arn:aws-cn:iam::" + own + ":role/App" }, fault.Denied, "role"},
		{"another letter case", func(q *authz.Assumption) { q.RoleARN = arn.Role(own, "/", "app") }, fault.Denied, "role"},
		{"another path", func(q *authz.Assumption) { q.RoleARN = arn.Role(own, "/ops/", "App") }, fault.Denied, "role"},
		{"short session name", func(q *authz.Assumption) { q.SessionName = "a" }, fault.Invalid, "parameter"},
		{"long session name", func(q *authz.Assumption) { q.SessionName = strings.Repeat("a", 65) }, fault.Invalid, "parameter"},
		{"session name that would be another ARN", func(q *authz.Assumption) { q.SessionName = "a/b" }, fault.Invalid, "parameter"},
		{"external id", func(q *authz.Assumption) { q.ExternalID = "a b" }, fault.Invalid, "parameter"},
		{"source identity", func(q *authz.Assumption) { q.SourceIdentity = "aws:x" }, fault.Invalid, "parameter"},
		{"source identity of one letter", func(q *authz.Assumption) { q.SourceIdentity = "x" }, fault.Invalid, "parameter"},
		{"51 tags", func(q *authz.Assumption) { q.Tags = many }, fault.Invalid, "tags"},
		{"empty tag key", tag("", ""), fault.Invalid, "tags"},
		{"long tag key", tag(strings.Repeat("k", 129), ""), fault.Invalid, "tags"},
		{"long tag value", tag("k", strings.Repeat("v", 257)), fault.Invalid, "tags"},
		{"tag text", tag("k", "a,b"), fault.Invalid, "tags"},
		{"tag that is no UTF-8", tag("k\xff", ""), fault.Invalid, "tags"},
		{"reserved tag", tag("aWs:x", ""), fault.Invalid, "tags"},
		{"reserved tag, long s", tag("aw\u017f:x", ""), fault.Invalid, "tags"},
		{"long s", tag("kubernete\u017f", ""), fault.Invalid, "tags"},
		{"Kelvin sign", tag("\u212aey", ""), fault.Invalid, "tags"},
		{"letters of the world", tag("größe", "日本 1"), fault.Invalid, ""},
		{"tags that differ in case", func(q *authz.Assumption) { q.Tags = map[string]string{"k": "1", "K": "2"} }, fault.Invalid, "tags"},
		{"tags that fold alike", func(q *authz.Assumption) { q.Tags = map[string]string{"ς": "1", "σ": "2"} }, fault.Invalid, "tags"},
		{"transitive key without tag", func(q *authz.Assumption) { q.TransitiveTagKeys = []string{"k"} }, fault.Invalid, "tags"},
		{"session policy", func(q *authz.Assumption) { q.SessionPolicies = []string{"{"} }, fault.Invalid, "policy document"},
		{"session policies too long", func(q *authz.Assumption) {
			q.SessionPolicies = []string{doc(allow("s3:*", "arn:aws:s3:::"+strings.Repeat("b", 2048)))}
		}, fault.Limit, "session policy"},
		{"managed session policy", func(q *authz.Assumption) { q.PolicyARNs = []string{arn.Policy(own, "/", "mine")} }, 0, ""},
		{"no such managed policy", func(q *authz.Assumption) { q.PolicyARNs = []string{arn.Policy(own, "/", "none")} }, fault.Invalid, "policy document"},
		{"another account's policy", func(q *authz.Assumption) { q.PolicyARNs = []string{arn.Policy(other, "/", "theirs")} }, fault.Invalid, "policy document"},
		{"11 managed policies", func(q *authz.Assumption) { q.PolicyARNs = make([]string, 11) }, fault.Invalid, "parameter"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := w.authz.Assume(w.assume(r, tt.change))
			is(t, err, tt.kind, tt.subject)
		})
	}
}
