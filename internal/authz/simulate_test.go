package authz_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/organization"
	"github.com/podid/podid/internal/policy"
)

// row is a case of the engine's own corpus, as far as a user or a role can be in it.
type row struct {
	ID       string `json:"id"`
	Policies *struct {
		Identity []json.RawMessage `json:"identity"`
		Resource json.RawMessage   `json:"resource"`
		Boundary []json.RawMessage `json:"boundary"`
		Session  []json.RawMessage `json:"session"`
		SCP      []json.RawMessage `json:"scp"`
		RCP      []json.RawMessage `json:"rcp"`
		Trust    json.RawMessage   `json:"trust"`
	} `json:"policies"`
	Principal struct {
		Type    string            `json:"type"`
		Account string            `json:"account"`
		Tags    map[string]string `json:"tags"`
	} `json:"principal"`
	Request struct {
		Action          string              `json:"action"`
		Resource        string              `json:"resource"`
		ResourceAccount string              `json:"resourceAccount"`
		Context         map[string][]string `json:"context"`
	} `json:"request"`
	Expect string `json:"expect"`
}

func document(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

func given(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// enact makes the row's caller, with its policies, and tells whether it can be: that it is a user or a session of a role in an account
// that is here, and that its policies may be written.
func (w *world) enact(r *row) (authz.Caller, bool) {
	p, ctx := r.Policies, w.t.Context()
	if len(p.Session)+len(p.SCP)+len(p.RCP) > 0 || given(p.Trust) || r.Principal.Account != own {
		return authz.Caller{}, false
	}
	inline := map[string]*policy.Source{}
	for i, raw := range p.Identity {
		inline[fmt.Sprint("p", i)] = policy.NewSource(document(raw))
	}
	boundary := ""
	if len(p.Boundary) > 0 {
		b, err := w.iam.CreatePolicy(ctx, iam.ManagedPolicy{Account: own, Name: "bound"}, document(p.Boundary[0]))
		if err != nil {
			return authz.Caller{}, false
		}
		boundary = b.ARN()
	}
	switch r.Principal.Type {
	case "user":
		_, err := w.iam.CreateUser(ctx, iam.User{Account: own, Path: "/team/", Name: "ann", Inline: inline, Boundary: boundary, Tags: r.Principal.Tags})
		if err != nil {
			return authz.Caller{}, false
		}
		return w.signIn(w.key(own, "ann").ID, ""), true
	case "assumedRole":
		role, err := w.iam.CreateRole(ctx, iam.Role{
			Account: own, Path: "/team/", Name: "app", Inline: inline, Boundary: boundary, Tags: r.Principal.Tags,
			Trust: policy.NewSource(doc(trust(byService(pods), ""))),
		})
		if err != nil {
			return authz.Caller{}, false
		}
		return w.session(w.assume(role, nil)), true
	}
	return authz.Caller{}, false
}

// forget removes what a case made.
func (w *world) forget() {
	ctx := w.t.Context()
	if u, ok := w.iam.FindUser(own, "ann"); ok {
		for _, id := range u.Keys {
			must(w.t, w.iam.DeleteAccessKey(ctx, own, "ann", id))
		}
		_, err := w.iam.UpdateUser(ctx, own, "ann", func(u *iam.User) error { u.Inline = nil; return nil })
		must(w.t, err)
		must(w.t, w.iam.DeleteUser(ctx, own, "ann"))
	}
	if _, ok := w.iam.FindRole(own, "app"); ok {
		_, err := w.iam.UpdateRole(ctx, own, "app", func(r *iam.Role) error { r.Inline = nil; return nil })
		must(w.t, err)
		must(w.t, w.iam.DeleteRole(ctx, own, "app"))
	}
	if b := arn.Policy(own, "/", "bound"); w.exists(b) {
		must(w.t, w.iam.DeletePolicy(ctx, b))
	}
}

func (w *world) exists(policyARN string) bool {
	_, ok := w.iam.FindPolicy(policyARN)
	return ok
}

// TestSimulationAgrees puts the engine's corpus to real callers and to simulations of them: both must come out alike.
func TestSimulationAgrees(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../policy/testdata/*.jsonl")
	must(t, err)
	w := newWorld(t)
	compared := make(map[policy.Outcome]int)
	for _, file := range files {
		f, err := os.Open(file)
		must(t, err)
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 4<<20)
		for lines.Scan() {
			var r row
			if json.Unmarshal(lines.Bytes(), &r) != nil || r.Policies == nil {
				continue
			}
			if c, ok := w.enact(&r); ok {
				compared[w.agree(&r, c)]++
			}
			w.forget()
		}
		must(t, lines.Err())
	}
	if compared[policy.Allow] < 50 || compared[policy.ImplicitDeny] < 50 || compared[policy.ExplicitDeny] < 10 {
		t.Errorf("too few cases were compared: %v", compared)
	}
}

// agree asks for the caller, and simulates it under the condition keys of the real request.
func (w *world) agree(r *row, c authz.Caller) policy.Outcome {
	var resource *policy.Document
	if given(r.Policies.Resource) {
		resource = policy.NewSource(document(r.Policies.Resource)).As(policy.Bucket)
	}
	keys := map[string][]string{}
	err := w.authz.Authorize(c, w.network(), authz.Question{
		Action: r.Request.Action, Resource: r.Request.Resource, ResourceAccount: r.Request.ResourceAccount, ResourcePolicy: resource,
		Keys: func(k *policy.Context) {
			for name, values := range r.Request.Context {
				k.Set(name, values...)
			}
			k.All(func(name string, values []string) bool {
				keys[name] = slices.Clone(values)
				return true
			})
		},
	})
	actual := policy.Allow
	if err != nil {
		trace, ok := authz.DenialOf(err)
		if !ok {
			w.t.Fatalf("%s: %v", r.ID, err)
		}
		actual = trace.Outcome
	}
	account := r.Request.ResourceAccount
	if account == "" {
		account = own
	}
	q := authz.Simulation{
		Caller: c.Principal, Action: r.Request.Action, Resource: r.Request.Resource, ResourceAccount: account, ResourcePolicy: resource, Organization: true,
		Keys: func(k *policy.Context) {
			for _, name := range slices.Sorted(maps.Keys(keys)) {
				k.Set(name, keys[name]...)
			}
		},
	}
	for _, raw := range r.Policies.Identity {
		q.Identity = append(q.Identity, policy.NewSource(document(raw)).As(policy.Identity))
	}
	if len(r.Policies.Boundary) > 0 {
		q.Boundary = policy.NewSource(document(r.Policies.Boundary[0])).As(policy.Boundary)
	}
	s := w.authz.Simulate(q)
	if s.Outcome != actual {
		w.t.Errorf("%s: really %s, simulated %s", r.ID, actual, s.Outcome)
	}
	always := r.Request.Action == "sts:GetCallerIdentity" || r.Request.Action == "sts:GetSessionToken" // whatever the policies
	if (len(s.Matched) == 0) != (s.Outcome == policy.ImplicitDeny) && !always {
		w.t.Errorf("%s: %s by the statements %v", r.ID, s.Outcome, s.Matched)
	}
	return actual
}

// TestSimulateMatched tells which statements make a decision, and what is not known of the request.
func TestSimulateMatched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	compile := func(kind policy.Kind, statements ...string) *policy.Document {
		return policy.NewSource(doc(statements...)).As(kind)
	}
	allowed := policy.Allow
	got := w.authz.Simulate(authz.Simulation{
		Caller: arn.Principal{Kind: arn.IAMUser, Account: own}, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", ResourceAccount: own,
		Identity: []*policy.Document{
			compile(policy.Identity, allow("s3:PutObject", "*")),
			compile(policy.Identity, allow("s3:GetObject", "arn:aws:s3:::b/${aws:username}"), `{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}`),
		},
		Boundary: compile(policy.Boundary, allow("s3:*", "*")), Looked: []string{"aws:username", "aws:ResourceAccount"},
	})
	want := authz.Simulated{
		Outcome: policy.Allow, Matched: []authz.Matched{{Layer: policy.IdentityLayer, Document: 1, Statement: 1}},
		Missing: []string{"aws:username"}, Identity: &allowed, Boundary: &allowed,
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
}

// TestSimulateOrganization holds that service control policies count where they may be told, and that none of their statements is.
func TestSimulateOrganization(t *testing.T) {
	t.Parallel()
	w := newTree(t)
	w.attach(organization.SCP, w.unit, deny("s3:GetObject", "*"))
	q := authz.Simulation{
		Caller: arn.Principal{Kind: arn.IAMUser, Account: other}, Action: "s3:GetObject", Resource: "*", ResourceAccount: other,
		Identity: []*policy.Document{policy.NewSource(doc(allow("s3:*", "*"))).As(policy.Identity)},
	}
	for _, c := range []struct {
		account string
		counts  bool
		want    policy.Outcome
		allowed *policy.Outcome
	}{
		{other, true, policy.ExplicitDeny, new(policy.ExplicitDeny)},
		{other, false, policy.Allow, nil},
		{own, true, policy.Allow, nil}, // manages the organization
	} {
		q.Caller.Account, q.ResourceAccount, q.Organization = c.account, c.account, c.counts
		got := w.authz.Simulate(q)
		if diff := cmp.Diff([]any{got.Outcome, got.Organization}, []any{c.want, c.allowed}); diff != "" {
			t.Errorf("%s, %v\n%s", c.account, c.counts, diff)
		}
		if c.want == policy.ExplicitDeny && len(got.Matched) != 0 {
			t.Errorf("the organization's statements are told: %v", got.Matched)
		}
	}
}
