package cluster_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/oidc"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store/storetest"
)

const (
	account = "111122223333"
	region  = "us-west-2"
	role    = "arn:aws:iam::111122223333:role/app"
	issuer  = "https://oidc.podid.internal/id/0123456789ABCDEF0123456789ABCDEF"
)

var created = time.Date(2026, 11, 24, 8, 0, 0, 922_000_000, time.UTC)

func registry(t *testing.T, quotas quota.Set) *cluster.Registry {
	t.Helper()
	r, err := cluster.New(cluster.Config{
		DB: storetest.New(t, cluster.Schema()...), Region: region, Now: func() time.Time { return created }, Quotas: quotas,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func withCluster(t *testing.T, quotas quota.Set) *cluster.Registry {
	t.Helper()
	r := registry(t, quotas)
	if _, err := r.Create(t.Context(), cluster.Cluster{Account: account, Name: "c"}, ""); err != nil {
		t.Fatal(err)
	}
	return r
}

func association(serviceAccount string) cluster.Association {
	return cluster.Association{Account: account, Cluster: "c", Namespace: "ns", ServiceAccount: serviceAccount, RoleARN: role}
}

var jwks = sync.OnceValue(func() string {
	s, err := oidc.NewSigner("ES256")
	if err != nil {
		return ""
	}
	text, _ := s.KeySet().MarshalJSON()
	return string(text)
})

func report() cluster.Report {
	return cluster.Report{Issuer: issuer, JWKS: jwks(), Version: "1.36", Endpoint: "https://10.0.0.1:6443"}
}

// is asserts kind and subject of a failure, and a part of its text.
func is(t *testing.T, err error, kind fault.Kind, subject, text string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != kind || f.Subject != subject || !strings.Contains(f.Public, text) {
		t.Errorf("got %v, want %s %s: %s", err, kind, subject, text)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAssociationLife(t *testing.T) {
	t.Parallel()
	r, ctx := withCluster(t, quota.Set{}), t.Context()
	in := association("sa")
	in.Tags = map[string]string{"team": "a"}
	a, err := r.CreateAssociation(ctx, in, "")
	must(t, err)
	if !regexp.MustCompile(`^a-[a-z0-9]{17}$`).MatchString(a.ID) {
		t.Errorf("the id is %q", a.ID)
	}
	if want := "arn:aws:eks:us-west-2:111122223333:podidentityassociation/c/" + a.ID; a.ARN() != want {
		t.Errorf("the ARN is %s, want %s", a.ARN(), want)
	}
	found, err := r.Lookup(ctx, account, "c", "ns", "sa")
	must(t, err)
	byID, err := r.Association(ctx, account, "c", a.ID)
	must(t, err)
	if diff := cmp.Diff(a, found) + cmp.Diff(a, byID); diff != "" {
		t.Error(diff)
	}
	up, err := r.UpdateAssociation(ctx, account, "c", a.ID, "", nil, func(a *cluster.Association) error {
		a.TargetRoleARN, a.Namespace = "arn:aws:iam::444455556666:role/x/target", "other"
		return nil
	})
	must(t, err)
	if up.ExternalID != "us-west-2/111122223333/c/ns/sa" || up.Namespace != "ns" {
		t.Errorf("updated to %+v", up)
	}
	_, err = r.UpdateAssociation(ctx, account, "c", a.ID, "", nil, func(a *cluster.Association) error { a.Policy = `{}`; return nil })
	is(t, err, fault.Invalid, "policy document", "")
	_, err = r.DeleteAssociation(ctx, account, "c", a.ID)
	must(t, err)
	_, err = r.Lookup(ctx, account, "c", "ns", "sa")
	is(t, err, fault.NotFound, "association", `service account "sa" of namespace "ns" found in cluster: c`)
	_, err = r.DeleteAssociation(ctx, account, "c", a.ID)
	is(t, err, fault.NotFound, "association", a.ID)
}

func TestCreateAssociationRefuses(t *testing.T) {
	t.Parallel()
	r, ctx := withCluster(t, quota.Set{}.With(quota.AssociationsPerCluster, 2)), t.Context()
	const session = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
	tests := []struct {
		name    string
		change  func(*cluster.Association)
		kind    fault.Kind
		subject string
		text    string
	}{
		{"unknown cluster", func(a *cluster.Association) { a.Cluster = "ghost" }, fault.NotFound, "cluster", "No cluster found for name: ghost."},
		{"namespace", func(a *cluster.Association) { a.Namespace = "a.b" }, fault.Invalid, "name", "namespace"},
		{"namespace too long", func(a *cluster.Association) { a.Namespace = strings.Repeat("a", 64) }, fault.Invalid, "name", "namespace"},
		{"service account", func(a *cluster.Association) { a.ServiceAccount = "-x" }, fault.Invalid, "name", "service account"},
		{"no role", func(a *cluster.Association) { a.RoleARN = "app" }, fault.Invalid, "role", "not valid"},
		{
			"role of another account", func(a *cluster.Association) { a.RoleARN = "arn:aws:iam::444455556666:role/app" },
			fault.Invalid, "role", "belongs to account 444455556666",
		},
		{"target role", func(a *cluster.Association) { a.TargetRoleARN = "x" }, fault.Invalid, "target role", ""},
		{"policy and tags", func(a *cluster.Association) { a.Policy = session }, fault.Invalid, "policy document", "PackedPolicyTooLarge"},
		{
			"policy too long", func(a *cluster.Association) { a.Policy, a.DisableSessionTags = session+strings.Repeat(" ", 2048), true },
			fault.Invalid, "policy document", "at most 2048",
		},
		{
			"policy of another grammar", func(a *cluster.Association) { a.Policy, a.DisableSessionTags = `{"Version":1}`, true },
			fault.Invalid, "policy document", "not valid",
		},
		{"tags", func(a *cluster.Association) { a.Tags = map[string]string{"AWS:x": ""} }, fault.Invalid, "tags", "reserved"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := association("sa")
			tt.change(&a)
			_, err := r.CreateAssociation(ctx, a, "")
			is(t, err, tt.kind, tt.subject, tt.text)
		})
	}
	for _, sa := range []string{"one", "two"} {
		_, err := r.CreateAssociation(ctx, association(sa), "")
		must(t, err)
	}
	_, err := r.CreateAssociation(ctx, association("three"), "")
	is(t, err, fault.Limit, "association", "limit of 2")
}

func TestConcurrentCreatesHaveOneWinner(t *testing.T) {
	t.Parallel()
	r := withCluster(t, quota.Set{})
	const callers = 100
	ids, errs := make([]string, callers), make([]error, callers)
	var g sync.WaitGroup
	for i := range callers {
		g.Go(func() {
			a, err := r.CreateAssociation(t.Context(), association("sa"), fmt.Sprint("token-", i))
			if errs[i] = err; err == nil {
				ids[i] = a.ID
			}
		})
	}
	g.Wait()
	winner, err := r.Lookup(t.Context(), account, "c", "ns", "sa")
	must(t, err)
	won := 0
	for i := range callers {
		if ids[i] != "" {
			won++
			continue
		}
		is(t, errs[i], fault.Exists, "association", "Association already exists: "+winner.ID)
	}
	if won != 1 {
		t.Errorf("%d callers won", won)
	}
}

func TestClientRequestToken(t *testing.T) {
	t.Parallel()
	r, ctx := withCluster(t, quota.Set{}.With(quota.AssociationsPerCluster, 1)), t.Context()
	first, err := r.CreateAssociation(ctx, association("sa"), "t")
	must(t, err)
	again, err := r.CreateAssociation(ctx, association("sa"), "t")
	must(t, err)
	if again.ID != first.ID {
		t.Errorf("the repeated request made %s, the first %s", again.ID, first.ID)
	}
	_, err = r.CreateAssociation(ctx, association("other"), "t")
	is(t, err, fault.Invalid, "client request token", "other parameters")
	_, err = r.DeleteAssociation(ctx, account, "c", first.ID)
	must(t, err)
	_, err = r.CreateAssociation(ctx, association("sa"), "t")
	is(t, err, fault.Conflict, "client request token", first.ID)
}

func TestWantedBecomesTrue(t *testing.T) {
	t.Parallel()
	r, ctx := withCluster(t, quota.Set{}), t.Context()
	_, err := r.CreateNodegroup(ctx, cluster.Nodegroup{Account: account, Cluster: "c", Name: "n"}, "t")
	must(t, err)
	addon, err := r.CreateAddon(ctx, cluster.Addon{Account: account, Cluster: "c", Name: "agent", Version: "v1", Namespace: "kube-system"},
		[]cluster.ServiceAccountRole{{ServiceAccount: "sa", RoleARN: role}}, "t")
	must(t, err)
	statuses := func() [3]cluster.Status {
		c, _ := r.Find(account, "c")
		n, _ := r.Nodegroup(account, "c", "n")
		a, _ := r.Addon(account, "c", "agent")
		p := r.Report(account, "c")
		return [3]cluster.Status{c.Status(), n.Status(p), a.Status(p)}
	}
	step := func(p cluster.Report, want ...cluster.Status) {
		t.Helper()
		must(t, r.PutReport(ctx, account, "c", p))
		if diff := cmp.Diff([3]cluster.Status(want), statuses()); diff != "" {
			t.Error(diff)
		}
	}
	if got := statuses(); got != [3]cluster.Status{"CREATING", "CREATING", "CREATING"} {
		t.Errorf("before the first report: %v", got)
	}
	p := report()
	step(p, "ACTIVE", "CREATING", "CREATING")
	p.Nodes = []cluster.ReportedNode{{Name: "node", Nodegroup: "n"}}
	p.Addons = []cluster.ReportedAddon{{Name: "agent", Version: "v1", Message: "pulling"}}
	step(p, "ACTIVE", "CREATING", "CREATING")
	p.Nodes[0].Ready, p.Addons[0].Healthy = true, true
	step(p, "ACTIVE", "ACTIVE", "ACTIVE")
	down := report()
	step(down, "ACTIVE", "DEGRADED", "DEGRADED")
	step(p, "ACTIVE", "ACTIVE", "ACTIVE")

	owned, err := r.Lookup(ctx, account, "c", "kube-system", "sa")
	must(t, err)
	if owned.OwnerARN != addon.ARN() || cmp.Diff(addon.AssociationARNs(), []string{owned.ARN()}) != "" {
		t.Errorf("the add-on %s owns %v; the association is %+v", addon.ARN(), addon.AssociationARNs(), owned)
	}
	_, err = r.Delete(ctx, account, "c")
	is(t, err, fault.Conflict, "cluster", "Cluster has nodegroups attached")
	_, err = r.DeleteAddon(ctx, account, "c", "agent", false)
	must(t, err)
	_, err = r.DeleteNodegroup(ctx, account, "c", "n")
	must(t, err)
	_, err = r.Lookup(ctx, account, "c", "kube-system", "sa")
	is(t, err, fault.NotFound, "association", "")
	step(p, "ACTIVE", "DELETING", "DELETING")
	must(t, r.PutReport(ctx, account, "c", down))
	_, err = r.Nodegroup(account, "c", "n")
	is(t, err, fault.NotFound, "node group", "")
	_, err = r.Addon(account, "c", "agent")
	is(t, err, fault.NotFound, "add-on", "No addon: agent found in cluster: c")
}

func TestDelete(t *testing.T) {
	t.Parallel()
	r, ctx := withCluster(t, quota.Set{}), t.Context()
	must(t, r.PutReport(ctx, account, "c", report()))
	for i := range 120 { // more than one transaction holds
		_, err := r.CreateAssociation(ctx, association(fmt.Sprint("sa-", i)), "")
		must(t, err)
	}
	if c, ok := r.Hosted(issuer[len(issuer)-32:]); !ok || c.Name != "c" {
		t.Errorf("the issuer's id belongs to %+v", c)
	}
	_, err := r.CreateNodegroup(ctx, cluster.Nodegroup{Account: account, Cluster: "c", Name: "n"}, "")
	must(t, err)
	_, err = r.DeleteNodegroup(ctx, account, "c", "n")
	must(t, err)
	must(t, r.PutReport(ctx, account, "c", report()))
	c, err := r.Delete(ctx, account, "c")
	must(t, err)
	if c.Status() != cluster.Deleting {
		t.Errorf("the deleted cluster is %s", c.Status())
	}
	_, err = r.Get(ctx, account, "c")
	is(t, err, fault.NotFound, "cluster", "No cluster found for name: c.")
	_, ok := r.Hosted(issuer[len(issuer)-32:])
	if ok {
		t.Error("the issuer's id is still taken")
	}
	again, err := r.Create(ctx, cluster.Cluster{Account: account, Name: "c"}, "")
	must(t, err)
	for a := range r.Associations(account, "c", "", "", "") {
		t.Errorf("the new cluster has %s", a.ID)
	}
	if again.ID == c.ID || again.Status() != cluster.Creating {
		t.Errorf("the new cluster is %+v", again)
	}
}

func TestIssuers(t *testing.T) {
	t.Parallel()
	r, ctx := withCluster(t, quota.Set{}), t.Context()
	const other = "444455556666"
	for _, c := range []cluster.Cluster{{Account: account, Name: "d"}, {Account: other, Name: "thief"}} {
		_, err := r.Create(ctx, c, "")
		must(t, err)
	}
	must(t, r.PutReport(ctx, account, "c", report()))
	must(t, r.PutReport(ctx, other, "thief", report()))
	if c, ok := r.Hosted(issuer[len(issuer)-32:]); !ok || c.Account != account {
		t.Errorf("the id was taken over by %+v", c)
	}
	if got := r.ByIssuer(account, issuer); len(got) != 1 || got[0].Name != "c" {
		t.Errorf("one cluster has the issuer, found %v", got)
	}
	must(t, r.PutReport(ctx, account, "d", report()))
	if got := r.ByIssuer(account, issuer); len(got) != 2 {
		t.Errorf("two clusters have the issuer, found %v", got)
	}
	if got := r.ByIssuer(account, ""); got != nil {
		t.Errorf("nobody has no issuer, found %v", got)
	}
	for _, bad := range []string{"", "http://x/id", "https://", "https://x?y", "https://u@x/", "https://x/#f", "https://x/" + strings.Repeat("y", 255)} {
		p := report()
		p.Issuer = bad
		is(t, r.PutReport(ctx, account, "c", p), fault.Invalid, "report", "issuer")
	}
	p := report()
	p.JWKS = `{"keys":[]}`
	is(t, r.PutReport(ctx, account, "c", p), fault.Invalid, "report", "key")
}

func TestTags(t *testing.T) {
	t.Parallel()
	r, ctx := withCluster(t, quota.Set{}), t.Context()
	a, err := r.CreateAssociation(ctx, association("sa"), "")
	must(t, err)
	n, err := r.CreateNodegroup(ctx, cluster.Nodegroup{Account: account, Cluster: "c", Name: "n"}, "")
	must(t, err)
	c, _ := r.Find(account, "c")
	for _, resource := range []string{c.ARN(), n.ARN(), a.ARN()} {
		must(t, r.Retag(ctx, account, resource, func(x *cluster.Tagged) error { x.Tags["k"] = "v"; return nil }))
		tagged, err := r.Tagged(account, resource)
		must(t, err)
		if diff := cmp.Diff(map[string]string{"k": "v"}, tagged.Tags); diff != "" {
			t.Error(diff)
		}
		is(t, r.Retag(ctx, account, resource, func(x *cluster.Tagged) error { x.Tags["aws:k"] = "v"; return nil }), fault.Invalid, "resource", "reserved")
		_, err = r.Tagged("444455556666", resource)
		is(t, err, fault.NotFound, "resource", "")
		_, err = r.Tagged(account, resource+"x")
		is(t, err, fault.NotFound, "resource", "")
	}
	for _, bad := range []string{"c", "arn:aws:s3:::b", "arn:aws:eks:us-west-2:111122223333:cluster/a/b", "arn:aws:eks:us-west-2:111122223333:x/a"} {
		_, err := r.Tagged(account, bad)
		is(t, err, fault.Invalid, "resource", "")
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	r, ctx := withCluster(t, quota.Set{}), t.Context()
	w, err := r.Watch(ctx, account, "c", 0, time.Minute)
	must(t, err)
	same, err := r.Watch(ctx, account, "c", w.Revision, 0)
	must(t, err)
	if same.Revision != w.Revision {
		t.Errorf("nothing changed, but the revision from %d to %d", w.Revision, same.Revision)
	}
	woken := make(chan *cluster.Wanted, 1)
	go func() {
		next, _ := r.Watch(ctx, account, "c", w.Revision, time.Minute)
		woken <- next
	}()
	_, err = r.Create(ctx, cluster.Cluster{Account: account, Name: "unrelated"}, "")
	must(t, err)
	made, err := r.CreateAssociation(ctx, association("sa"), "")
	must(t, err)
	next := <-woken
	if diff := cmp.Diff([]cluster.WantedAssociation{{ID: made.ID, Namespace: "ns", ServiceAccount: "sa"}}, next.Associations); diff != "" || next.Revision == w.Revision {
		t.Errorf("revision %d after %d: %s", next.Revision, w.Revision, diff)
	}
	_, err = r.Watch(ctx, account, "ghost", 0, 0)
	is(t, err, fault.NotFound, "cluster", "ghost")
}
