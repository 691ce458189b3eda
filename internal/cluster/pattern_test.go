package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store/storetest"
)

// withPatterns is a registry with a cluster whose owner allows patterns.
func withPatterns(t testing.TB) *cluster.Registry {
	t.Helper()
	r, err := cluster.New(cluster.Config{DB: storetest.New(t, cluster.Schema()...), Region: region, Now: func() time.Time { return created }})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Create(t.Context(), cluster.Cluster{Account: account, Name: "c", Tags: map[string]string{cluster.TagPatterns: "true"}}, "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func forNames(namespace, serviceAccount string) cluster.Association {
	return cluster.Association{Account: account, Cluster: "c", Namespace: namespace, ServiceAccount: serviceAccount, RoleARN: role}
}

// tag changes the tags of the cluster c.
func tag(ctx context.Context, r *cluster.Registry, value string) error {
	c, _ := r.Find(account, "c")
	return r.Retag(ctx, account, c.ARN(), func(x *cluster.Tagged) error { x.Tags[cluster.TagPatterns] = value; return nil })
}

func TestPatternsAreOffUntilTheOwnerTurnsThemOn(t *testing.T) {
	t.Parallel()
	r, ctx := withCluster(t, quota.Set{}), t.Context()
	_, err := r.CreateAssociation(ctx, forNames("team-*", "*"), "")
	is(t, err, fault.Invalid, "name", "podid.io/pattern-associations=true")
	is(t, tag(ctx, r, "yes"), fault.Invalid, "resource", "true or false")
	must(t, tag(ctx, r, "true"))
	var ids []string
	for i := range 7 {
		a, err := r.CreateAssociation(ctx, forNames(fmt.Sprintf("team-%d-*", i), "*"), "")
		must(t, err)
		ids = append(ids, a.ID)
	}
	err = tag(ctx, r, "false")
	is(t, err, fault.Invalid, "resource", "and others")
	if n := strings.Count(err.Error(), "a-"); n < 5 {
		t.Errorf("%d ids are named in %v", n, err)
	}
	c, _ := r.Find(account, "c")
	off := r.Retag(ctx, account, c.ARN(), func(x *cluster.Tagged) error { clear(x.Tags); return nil })
	is(t, off, fault.Invalid, "resource", "delete")
	for _, id := range ids {
		_, err := r.DeleteAssociation(ctx, account, "c", id)
		must(t, err)
	}
	must(t, tag(ctx, r, "false"))
	_, err = r.CreateAssociation(ctx, forNames("team-*", "*"), "")
	is(t, err, fault.Invalid, "name", "namespace")
}

func TestPatternNames(t *testing.T) {
	t.Parallel()
	r, ctx := withPatterns(t), t.Context()
	for _, good := range [][2]string{{"*", "*"}, {"a*", "b"}, {"*-a", "x.*.y"}, {"a", "*"}, {strings.Repeat("a", 63) + "*", "sa"}} {
		a, err := r.CreateAssociation(ctx, forNames(good[0], good[1]), "")
		if err != nil {
			t.Errorf("%s: %v", good, err)
			continue
		}
		_, err = r.DeleteAssociation(ctx, account, "c", a.ID)
		must(t, err)
	}
	for _, bad := range [][2]string{
		{"**", "*"},
		{"-*", "*"},
		{"*-", "*"},
		{"a.*", "*"},
		{"a?*", "*"},
		{"A*", "*"},
		{"a", ".*"},
		{"a", "x..*"},
		{"a", "x.-*"},
		{strings.Repeat("a", 64) + "*", "*"},
		{"a", strings.Repeat("a", 254) + "*"},
		{"", "*"},
		{"*", ""},
	} {
		_, err := r.CreateAssociation(ctx, forNames(bad[0], bad[1]), "")
		is(t, err, fault.Invalid, "name", "not valid")
	}
	_, err := r.CreateAddon(ctx, cluster.Addon{Account: account, Cluster: "c", Name: "x", Namespace: "kube-system"},
		[]cluster.ServiceAccountRole{{ServiceAccount: "*", RoleARN: role}}, "")
	is(t, err, fault.Invalid, "name", "cannot be a pattern")
}

func TestTheMostSpecificCounts(t *testing.T) {
	t.Parallel()
	r, ctx := withPatterns(t), t.Context()
	ids := map[string]string{}
	for _, name := range []string{"*/*", "team-*/*", "team-a/*", "team-*/cart", "*/cart", "team-a/cart"} {
		namespace, account, _ := strings.Cut(name, "/")
		a, err := r.CreateAssociation(ctx, forNames(namespace, account), "")
		must(t, err)
		ids[name] = a.ID
	}
	tests := []struct{ identity, want string }{
		{"team-a/cart", "team-a/cart"},
		{"team-a/shop", "team-a/*"},
		{"team-b/cart", "team-*/cart"},
		{"team-b/shop", "team-*/*"},
		{"other/cart", "*/cart"},
		{"other/shop", "*/*"},
	}
	check := func(identity, want string) {
		t.Helper()
		namespace, serviceAccount, _ := strings.Cut(identity, "/")
		a, err := r.Lookup(ctx, account, "c", namespace, serviceAccount)
		must(t, err)
		if a.ID != ids[want] {
			t.Errorf("for %s %s/%s counts, want %s", identity, a.Namespace, a.ServiceAccount, want)
		}
	}
	for _, tt := range tests {
		check(tt.identity, tt.want)
	}
	_, err := r.DeleteAssociation(ctx, account, "c", ids["team-a/cart"])
	must(t, err)
	check("team-a/cart", "team-a/*")
	_, err = r.UpdateAssociation(ctx, account, "c", ids["*/*"], "", nil, func(a *cluster.Association) error { a.RoleARN += "2"; return nil })
	must(t, err)
	a, err := r.Lookup(ctx, account, "c", "other", "shop")
	must(t, err)
	if a.RoleARN != role+"2" {
		t.Errorf("the role is %s", a.RoleARN)
	}
	exact, err := r.Exact(ctx, account, "c", "team-*", "*")
	must(t, err)
	if exact.ID != ids["team-*/*"] {
		t.Errorf("got %+v", exact)
	}
	_, err = r.Exact(ctx, account, "c", "team-b", "shop")
	is(t, err, fault.NotFound, "association", "")
	var filtered []string
	for a := range r.Associations(account, "c", "team-*", "", "") {
		filtered = append(filtered, a.ServiceAccount)
	}
	slices.Sort(filtered)
	if diff := cmp.Diff([]string{"*", "cart"}, filtered); diff != "" {
		t.Error(diff)
	}
}

func TestEquallySpecificPatternsAreRefused(t *testing.T) {
	t.Parallel()
	r, ctx := withPatterns(t), t.Context()
	first, err := r.CreateAssociation(ctx, forNames("team-*", "*"), "")
	must(t, err)
	for _, rival := range []string{"*-team", "te*m-a", "team-*"} {
		_, err := r.CreateAssociation(ctx, forNames(rival, "*"), "")
		is(t, err, fault.Exists, "association", "Association already exists: "+first.ID)
	}
	for _, other := range [][2]string{{"te*m-ab", "*"}, {"meat-*", "*"}, {"team-*", "a*"}, {"team-*", "b*"}, {"a", "*-x"}, {"b", "x-*"}} {
		_, err := r.CreateAssociation(ctx, forNames(other[0], other[1]), "")
		must(t, err)
	}
	_, err = r.CreateAssociation(ctx, forNames("team-*", "*a"), "")
	is(t, err, fault.Exists, "association", "neither more nor less specific")
}

// TestConcurrentPatternsHaveOneWinner creates patterns under different names each two of which are equally specific and overlap.
func TestConcurrentPatternsHaveOneWinner(t *testing.T) {
	t.Parallel()
	r := withPatterns(t)
	const rivals = 40
	var g sync.WaitGroup
	errs := make([]error, rivals)
	for i := range rivals {
		g.Go(func() {
			name := []byte(strings.Repeat("a", rivals))
			name[i] = '*'
			_, errs[i] = r.CreateAssociation(t.Context(), forNames(string(name), "sa"), "")
		})
	}
	g.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		is(t, err, fault.Exists, "association", "Association already exists: a-")
	}
	if won != 1 {
		t.Errorf("%d won", won)
	}
}

// TestPatternsAndTheirSwitch turns patterns off while they are made: none is left where they are off.
func TestPatternsAndTheirSwitch(t *testing.T) {
	t.Parallel()
	r, ctx := withPatterns(t), t.Context()
	for i := range 20 {
		var g sync.WaitGroup
		var made, off error
		var a *cluster.Association
		g.Go(func() { a, made = r.CreateAssociation(ctx, forNames(fmt.Sprintf("n%d-*", i), "*"), "") })
		g.Go(func() { off = tag(ctx, r, "false") })
		g.Wait()
		if (made == nil) == (off == nil) {
			t.Fatalf("round %d: the pattern %v, the switch %v", i, made, off)
		}
		if made == nil {
			_, err := r.DeleteAssociation(ctx, account, "c", a.ID)
			must(t, err)
		}
		must(t, tag(ctx, r, "true"))
	}
}

// TestReplicasAgreeOnPatterns holds that what one replica acknowledged is never refused by another.
func TestReplicasAgreeOnPatterns(t *testing.T) {
	t.Parallel()
	config, ctx := storetest.Config(t, cluster.Schema()...), t.Context()
	var replicas [2]*cluster.Registry
	for i := range replicas {
		r, err := cluster.New(cluster.Config{DB: storetest.Open(t, config), Region: region})
		must(t, err)
		replicas[i] = r
	}
	a, b := replicas[0], replicas[1]
	_, err := a.Create(ctx, cluster.Cluster{Account: account, Name: "c"}, "")
	must(t, err)
	home, err := b.Get(ctx, account, "c")
	must(t, err)
	must(t, tag(ctx, a, "true"))
	must(t, b.CheckIdentity(ctx, home, "n-*", "*"))
	for i := range 30 {
		made, err := a.CreateAssociation(ctx, forNames(fmt.Sprintf("n%d-*", i), "*"), "")
		must(t, err)
		found, err := b.Lookup(ctx, account, "c", fmt.Sprintf("n%d-x", i), "sa")
		must(t, err)
		if found.ID != made.ID {
			t.Errorf("one replica made %s, the other found %s", made.ID, found.ID)
		}
		_, err = b.CreateAssociation(ctx, forNames(fmt.Sprintf("*%dab", i), "*"), "")
		if err == nil || !errors.Is(err, fault.Exists) {
			t.Errorf("the other replica let a rival in: %v", err)
		}
	}
}

// TestLookupAgainstTheRule compares lookups with the rule applied to every association, in a cluster that changes.
func TestLookupAgainstTheRule(t *testing.T) {
	t.Parallel()
	r, ctx := withPatterns(t), t.Context()
	random := rand.New(rand.NewPCG(3, 4))
	name := func(stars bool) string {
		for {
			out := make([]byte, 1+random.IntN(4))
			for i := range out {
				if out[i] = "ab"[random.IntN(2)]; stars && random.IntN(3) == 0 {
					out[i] = '*'
				}
			}
			if !strings.Contains(string(out), "**") {
				return string(out)
			}
		}
	}
	held := map[string]*cluster.Association{}
	for range 150 {
		if random.IntN(4) == 0 {
			for id := range held {
				_, err := r.DeleteAssociation(ctx, account, "c", id)
				must(t, err)
				delete(held, id)
				break
			}
		} else if a, err := r.CreateAssociation(ctx, forNames(name(true), name(true)), ""); err == nil {
			held[a.ID] = a
		} else if !errors.Is(err, fault.Exists) {
			t.Fatal(err)
		}
		for range 20 {
			namespace, serviceAccount := name(false), name(false)
			var best *cluster.Association
			for _, a := range held {
				if globs(a.Namespace, namespace) && globs(a.ServiceAccount, serviceAccount) && (best == nil || moreSpecific(a, best)) {
					best = a
				}
			}
			got, err := r.Lookup(ctx, account, "c", namespace, serviceAccount)
			switch {
			case best == nil:
				is(t, err, fault.NotFound, "association", "")
			case err != nil || got.ID != best.ID:
				t.Fatalf("%s/%s: got %+v, %v, want %+v", namespace, serviceAccount, got, err, best)
			}
		}
	}
}

// globs is the rule for one name, written as plainly as it can be.
func globs(pattern, name string) bool {
	if pattern == "" || name == "" {
		return strings.Trim(pattern, "*") == "" && name == ""
	}
	if pattern[0] == '*' {
		return globs(pattern[1:], name) || globs(pattern, name[1:])
	}
	return pattern[0] == name[0] && globs(pattern[1:], name[1:])
}

func moreSpecific(a, b *cluster.Association) bool {
	for _, names := range [][2]string{{a.Namespace, b.Namespace}, {a.ServiceAccount, b.ServiceAccount}} {
		exactA, exactB := !strings.Contains(names[0], "*"), !strings.Contains(names[1], "*")
		if exactA != exactB {
			return exactA
		}
		if a, b := len(strings.ReplaceAll(names[0], "*", "")), len(strings.ReplaceAll(names[1], "*", "")); !exactA && a != b {
			return a > b
		}
	}
	return false
}

func TestPreview(t *testing.T) {
	t.Parallel()
	r, ctx := withPatterns(t), t.Context()
	for _, names := range [][2]string{{"*", "*"}, {"team-*", "*"}, {"team-a", "cart"}, {"other", "cart"}} {
		_, err := r.CreateAssociation(ctx, forNames(names[0], names[1]), "")
		must(t, err)
	}
	show := func(p *cluster.Preview) string {
		list := func(of ...*cluster.Association) string {
			var out []string
			for _, a := range of {
				if a != nil {
					out = append(out, a.Namespace+"/"+a.ServiceAccount)
				}
			}
			return strings.Join(out, " ")
		}
		return fmt.Sprintf("winner [%s] before [%s] after [%s] refused %t", list(p.Winner), list(p.Before...), list(p.After...), p.Refusal != "")
	}
	tests := []struct{ namespace, account, want string }{
		{"team-a", "cart", "winner [team-a/cart] before [] after [team-*/* */*] refused true"},
		{"team-b", "cart", "winner [team-*/*] before [] after [*/*] refused false"},
		{"x", "y", "winner [*/*] before [] after [] refused false"},
		{"team-*", "cart", "winner [] before [team-a/cart] after [team-*/* */*] refused false"},
		{"*", "cart", "winner [] before [team-a/cart other/cart team-*/*] after [*/*] refused false"},
		{"*-team", "*", "winner [] before [] after [*/*] refused true"},
		{"*", "*", "winner [] before [team-a/cart other/cart team-*/*] after [] refused true"},
	}
	for _, tt := range tests {
		p, err := r.Preview(ctx, account, "c", tt.namespace, tt.account)
		must(t, err)
		got := show(p)
		if tt.namespace == "*" { // two exact ones in either order
			got = strings.ReplaceAll(got, "other/cart team-a/cart", "team-a/cart other/cart")
		}
		if got != tt.want {
			t.Errorf("%s/%s: got  %s\nwant %s", tt.namespace, tt.account, got, tt.want)
		}
	}
	_, err := r.Preview(ctx, account, "c", "a?", "*")
	is(t, err, fault.Invalid, "name", "namespace")
	_, err = r.Preview(ctx, account, "ghost", "a", "b")
	is(t, err, fault.NotFound, "cluster", "ghost")
}

func TestPatternsGoWithTheirCluster(t *testing.T) {
	t.Parallel()
	r, ctx := withPatterns(t), t.Context()
	for i := range 90 {
		_, err := r.CreateAssociation(ctx, forNames(fmt.Sprintf("team-%d-*", i), "*"), "")
		must(t, err)
	}
	_, err := r.Delete(ctx, account, "c")
	must(t, err)
	_, err = r.Create(ctx, cluster.Cluster{Account: account, Name: "c"}, "")
	must(t, err)
	_, err = r.Lookup(ctx, account, "c", "team-1-x", "sa")
	is(t, err, fault.NotFound, "association", "")
}

func TestExternalIDOfPatterns(t *testing.T) {
	t.Parallel()
	r, ctx := withPatterns(t), t.Context()
	in := forNames("team-*", "*")
	in.TargetRoleARN = "arn:aws:iam::444455556666:role/target"
	a, err := r.CreateAssociation(ctx, in, "")
	must(t, err)
	if a.ExternalID != "us-west-2/111122223333/c/team-*/*" || a.ExternalIDOf("team-a", "cart") != "us-west-2/111122223333/c/team-a/cart" {
		t.Errorf("got %s and %s", a.ExternalID, a.ExternalIDOf("team-a", "cart"))
	}
}

// BenchmarkLookupByPattern is the lookup of a token exchange among 5,000 patterns. The bar is 5 us.
func BenchmarkLookupByPattern(b *testing.B) {
	r := withPatterns(b)
	var g errgroup.Group
	g.SetLimit(4)
	for i := range 5000 {
		g.Go(func() error {
			_, err := r.CreateAssociation(b.Context(), forNames(fmt.Sprintf("team-%d-*", i), "*"), "")
			return err
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	names := make([]string, 5000)
	for i := range names {
		names[i] = fmt.Sprintf("team-%d-x", i)
	}
	if _, err := r.Lookup(b.Context(), account, "c", names[0], "cart"); err != nil { // makes the index
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := r.Lookup(b.Context(), account, "c", names[i%len(names)], "cart"); err != nil {
			b.Fatal(err)
		}
	}
}
