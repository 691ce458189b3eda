package authz_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

// TestManagedSessionPolicies holds that they mean what they say when they are asked, and deny once they are gone.
func TestManagedSessionPolicies(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	_, err := w.iam.CreatePolicy(ctx, iam.ManagedPolicy{Account: own, Name: "reads"}, doc(allow("s3:GetObject", "*")))
	must(t, err)
	reads := arn.Policy(own, "/", "reads")
	r := w.role(own, "App", trust(byService(pods), ""))
	w.grant(r, allow("s3:*", "*"))
	session := func(texts ...string) authz.Caller {
		t.Helper()
		return w.session(w.assume(r, func(q *authz.Assumption) { q.SessionPolicies, q.PolicyARNs = texts, []string{reads} }))
	}
	narrow, both := session(), session(doc(allow("s3:PutObject", "*")))
	must(t, w.asks(narrow, "s3:GetObject", object))
	text := is(t, w.asks(narrow, "s3:PutObject", object), fault.Denied, "action")
	if !strings.Contains(text, "no session policy allows the s3:PutObject action") {
		t.Errorf("refused with %s", text)
	}
	must(t, w.asks(both, "s3:PutObject", object)) // several are joined
	_, err = w.iam.CreatePolicyVersion(ctx, reads, doc(deny("s3:GetObject", "*")), true)
	must(t, err)
	text = is(t, w.asks(narrow, "s3:GetObject", object), fault.Denied, "action")
	if !strings.HasSuffix(text, "(refused by the session policy: statement 1 (No) of "+reads+" denies it)") {
		t.Errorf("refused with %s", text)
	}
	must(t, w.iam.DeletePolicyVersion(ctx, reads, "v1"))
	must(t, w.iam.DeletePolicy(ctx, reads))
	is(t, w.asks(both, "s3:PutObject", object), fault.Denied, "action")

	// AWS's own may be passed in every account, however long they are.
	aws := "arn:aws:iam::aws:policy/ReadOnlyAccess"
	if _, ok := w.iam.FindPolicy(aws); ok {
		c := w.session(w.assume(r, func(q *authz.Assumption) { q.PolicyARNs = []string{aws} }))
		must(t, w.asks(c, "s3:GetObject", object))
		is(t, w.asks(c, "s3:PutObject", object), fault.Denied, "action")
	}
}

// random is text that does not pack.
func random(r *rand.Rand, n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

// TestPackedSize holds the two ends of section 7.5: the longest policy always packs, the longest tags do not, and what packs fits a token.
func TestPackedSize(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role(own, "App", trust(byService(pods), ""))
	noise := rand.New(rand.NewPCG(1, 2))
	head := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::`
	dense := head + random(noise, 2048-len(head)-len(`"}}`)) + `"}}`
	spaced := strings.ReplaceAll(doc(allow("s3:*", "*")), ",", ",\n"+strings.Repeat(" ", 300))
	many := map[string]string{}
	for range 50 {
		many[random(noise, 128)] = random(noise, 256)
	}
	few := map[string]string{random(noise, 20): random(noise, 20)}
	assume := func(texts []string, tags map[string]string) (credential.Session, error) {
		return w.authz.Assume(w.assume(r, func(q *authz.Assumption) { q.SessionPolicies, q.Tags = texts, tags }))
	}
	tests := []struct {
		name     string
		policies []string
		tags     map[string]string
		least    int
		most     int
		refused  string
	}{
		{"nothing", nil, nil, 0, 0, ""},
		{"a few tags", nil, few, 1, 5, ""},
		{"white space", []string{spaced}, nil, 1, 6, ""},
		{"the longest policy", []string{dense}, nil, 60, 99, ""},
		{"the longest tags", nil, many, 0, 0, "Packed size of session tags consumes "},
		{"both", []string{dense}, many, 0, 0, "Packed policy consumes "},
	}
	for _, tt := range tests {
		s, err := assume(tt.policies, tt.tags)
		if tt.refused != "" {
			if text := is(t, err, fault.Limit, "session policy"); !strings.HasPrefix(text, tt.refused) || !strings.Contains(text, "% of allotted space") {
				t.Errorf("%s: refused with %s", tt.name, text)
			}
			continue
		}
		must(t, err)
		if got := authz.PackedSize(&s); got < tt.least || got > tt.most {
			t.Errorf("%s: %d percent", tt.name, got)
		}
		if _, err := w.ring.Mint(t.Context(), s); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := policy.Parse(policy.Session, dense); err != nil || len(dense) != 2048 {
		t.Fatal(fmt.Errorf("%d characters: %w", len(dense), err))
	}
}
