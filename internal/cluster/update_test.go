package cluster_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store/storetest"
)

// TestUpdatesAreForgotten holds that a cluster does not gather updates for ever: the newest stay.
func TestUpdatesAreForgotten(t *testing.T) {
	t.Parallel()
	now := created
	r, err := cluster.New(cluster.Config{
		DB: storetest.New(t, cluster.Schema()...), Region: region, Now: func() time.Time { now = now.Add(time.Second); return now },
	})
	must(t, err)
	ctx := t.Context()
	_, err = r.Create(ctx, cluster.Cluster{Account: account, Name: "c"}, "")
	must(t, err)
	_, err = r.CreateNodegroup(ctx, cluster.Nodegroup{Account: account, Cluster: "c", Name: "n"}, "")
	must(t, err)
	group, err := r.UpdateNodegroup(ctx, account, "c", "n", cluster.Change{Type: "ConfigUpdate"}, func(*cluster.Nodegroup) error { return nil })
	must(t, err)
	var last *cluster.Update
	for i := range 50 {
		last, err = r.UpdateCluster(ctx, account, "c", cluster.Change{Type: "LoggingUpdate"}, func(c *cluster.Cluster) error {
			c.Settings = fmt.Appendf(nil, "%d", i)
			c.Name = "another" // is not changed
			return nil
		})
		must(t, err)
	}
	if n := len(r.Updates(account, "c", "")); n != 50 {
		t.Errorf("%d updates are remembered", n)
	}
	_, err = r.Update(account, "c", "n", group.ID)
	is(t, err, fault.NotFound, "update", "No update found for ID")
	_, err = r.Update(account, "c", "", last.ID)
	must(t, err)
	if c, _ := r.Find(account, "c"); string(c.Settings) != "49" {
		t.Errorf("the settings are %s", c.Settings)
	}
	_, err = r.UpdateNodegroup(ctx, account, "c", "n", cluster.Change{}, func(*cluster.Nodegroup) error { return fault.New(fault.Invalid, "x", "no") })
	is(t, err, fault.Invalid, "x", "no")
	_, err = r.DeleteNodegroup(ctx, account, "c", "n")
	must(t, err)
	_, err = r.Delete(ctx, account, "c")
	must(t, err)
	if n := len(r.Updates(account, "c", "")); n != 0 {
		t.Errorf("%d updates outlive their cluster", n)
	}
}

// TestManyAccessEntries holds that a cluster with more access entries than one transaction may touch is deleted with all of them.
func TestManyAccessEntries(t *testing.T) {
	t.Parallel()
	r, ctx := registry(t, quota.Set{}), t.Context()
	_, err := r.Create(ctx, cluster.Cluster{Account: account, Name: "c", AuthenticationMode: cluster.ModeAPI, Creator: "arn:aws:iam::" + account + ":root"}, "")
	must(t, err)
	root, ok := r.FindAccessEntry(account, "c", "arn:aws:iam::"+account+":root")
	if !ok || len(root.Policies) != 1 || root.Username != root.PrincipalARN {
		t.Fatalf("its creator has the entry %+v", root)
	}
	for i := range 130 {
		_, err := r.CreateAccessEntry(ctx, cluster.AccessEntry{
			Account: account, Cluster: "c", PrincipalARN: fmt.Sprintf("arn:aws:iam::%s:user/team/u-%d", account, i),
		}, "")
		must(t, err)
	}
	_, err = r.Delete(ctx, account, "c")
	must(t, err)
	for e := range r.AccessEntries(account, "c") {
		t.Errorf("%s outlives its cluster", e.PrincipalARN)
	}
}
