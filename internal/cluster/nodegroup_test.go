package cluster_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store/storetest"
)

// TestObservedNodegroups holds that a node group that nobody created is there for as long as nodes of it are, and that one that was
// created is not touched by that.
func TestObservedNodegroups(t *testing.T) {
	t.Parallel()
	now, ctx := created, t.Context()
	db := storetest.New(t, cluster.Schema()...)
	r, err := cluster.New(cluster.Config{DB: db, Region: region, Now: func() time.Time { return now }})
	must(t, err)
	c, err := r.Create(ctx, cluster.Cluster{Account: account, Name: "c"}, "")
	must(t, err)
	_, err = r.CreateNodegroup(ctx, cluster.Nodegroup{Account: account, Cluster: "c", Name: "made"}, "")
	must(t, err)
	groups := func() (names []string) {
		t.Helper()
		for _, g := range r.Nodegroups(account, "c") {
			names = append(names, g.Name+" "+string(g.Status(r.Report(account, "c"))))
		}
		return names
	}
	step := func(p cluster.Report, want ...string) {
		t.Helper()
		must(t, r.PutReport(ctx, account, "c", p))
		if diff := cmp.Diff(want, groups()); diff != "" {
			t.Error(diff)
		}
	}
	p := report()
	step(p, "made CREATING")
	p.Nodes = []cluster.ReportedNode{
		{Name: "1", Ready: true, Nodegroup: "pool"},
		{Name: "2", Nodegroup: "pool"},
		{Name: "3", Nodegroup: "a.b"},
		{Name: "4", Ready: true},
		{Name: "5", Ready: true, Nodegroup: "no name"},
		{Name: "6", Ready: true, Nodegroup: strings.Repeat("n", 64)},
	}
	step(p, "a.b DEGRADED", "made CREATING", "pool ACTIVE")
	seen, err := r.Nodegroup(account, "c", "pool")
	must(t, err)
	if !seen.Observed || !seen.CreatedAt.Equal(created) || len(seen.Nodes(r.Report(account, "c"))) != 2 {
		t.Errorf("the observed group is %+v", seen)
	}
	tagged, err := r.Tagged(account, seen.ARN())
	must(t, err)
	if len(tagged.Tags) != 0 {
		t.Errorf("it has the tags %v", tagged.Tags)
	}
	is(t, r.Retag(ctx, account, seen.ARN(), func(*cluster.Tagged) error { return nil }), fault.NotFound, "resource", "")
	_, err = r.DeleteNodegroup(ctx, account, "c", "pool")
	is(t, err, fault.Invalid, "node group", "Nobody created the node group pool")

	// The same truth is no write; another one leaves the group what it was.
	now = now.Add(time.Hour)
	told := db.Snapshot().Revision()
	step(p, "a.b DEGRADED", "made CREATING", "pool ACTIVE")
	if again := db.Snapshot().Revision(); again != told {
		t.Errorf("the same report was a write: revision %d after %d", again, told)
	}
	p.Nodes = []cluster.ReportedNode{{Name: "7", Ready: true, Nodegroup: "pool"}, {Name: "8", Ready: true, Nodegroup: "made"}}
	step(p, "made ACTIVE", "pool ACTIVE")
	same, err := r.Nodegroup(account, "c", "pool")
	must(t, err)
	if diff := cmp.Diff(seen, same); diff != "" {
		t.Error(diff)
	}
	made, err := r.CreateNodegroup(ctx, cluster.Nodegroup{Account: account, Cluster: "c", Name: "pool"}, "")
	must(t, err)
	if found, _ := r.Nodegroup(account, "c", "pool"); found.Observed || found.UUID != made.UUID {
		t.Errorf("once it was created it is %+v", found)
	}
	_, err = r.DeleteNodegroup(ctx, account, "c", "pool")
	must(t, err)
	step(report(), "made DEGRADED")

	w, err := r.Watch(ctx, account, "c", 0, 0)
	must(t, err)
	if diff := cmp.Diff([]cluster.WantedNodegroup{{Name: "made", Status: "DEGRADED"}}, w.Nodegroups); diff != "" {
		t.Error("what is observed is not wanted:", diff)
	}
	p.Nodes = []cluster.ReportedNode{{Name: "1", Ready: true, Nodegroup: "pool"}}
	step(p, "made DEGRADED", "pool ACTIVE")
	_, err = r.DeleteNodegroup(ctx, account, "c", "made")
	must(t, err)
	must(t, r.PutReport(ctx, account, "c", p))
	_, err = r.Delete(ctx, account, "c") // nodes do not hold a cluster: it is the wish that is deleted
	must(t, err)
	for _, g := range r.Nodegroups(account, c.Name) {
		t.Errorf("the deleted cluster has the node group %s", g.Name)
	}
	p.Nodes[0].Version = strings.Repeat("v", 65)
	is(t, r.PutReport(ctx, account, "c", p), fault.Invalid, "report", "version")
}
