package cluster_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store/storetest"
)

func TestEndPods(t *testing.T) {
	t.Parallel()
	db, ctx := storetest.New(t, cluster.Schema()...), t.Context()
	r, err := cluster.New(cluster.Config{DB: db, Region: region, Limits: cluster.Limits{EndedPods: 101}})
	must(t, err)
	first, err := r.Create(ctx, cluster.Cluster{Account: account, Name: "c"}, "")
	must(t, err)
	const uid = "2a1d9b4c-5f2e-4f7b-9c8d-0123456789ab"
	if r.Ended(first, uid) {
		t.Error("a pod that nobody told of has ended")
	}
	must(t, r.EndPods(ctx, account, "c", []string{uid, uid}))
	if !r.Ended(first, uid) || r.Ended(first, "other") || r.Ended(first, "") {
		t.Error("the wrong pods have ended")
	}
	told := db.Snapshot().Revision()
	must(t, r.EndPods(ctx, account, "c", []string{uid}))
	if again := db.Snapshot().Revision(); again != told {
		t.Errorf("telling it again was a write: revision %d after %d", again, told)
	}

	many := make([]string, cluster.MaxEndedPods)
	for i := range many {
		many[i] = fmt.Sprint("uid-", i)
	}
	must(t, r.EndPods(ctx, account, "c", many)) // in one transaction
	if !r.Ended(first, many[0]) || !r.Ended(first, many[len(many)-1]) {
		t.Error("of many pods some have not ended")
	}
	is(t, r.EndPods(ctx, account, "c", []string{"one-more"}), fault.Limit, "ended pods", "101 pods")
	must(t, r.EndPods(ctx, account, "c", many)) // all known

	for _, bad := range [][]string{nil, append(many, "x"), {"ok", ""}, {"a/b"}, {strings.Repeat("a", 65)}} {
		is(t, r.EndPods(ctx, account, "c", bad), fault.Invalid, "ended pods", "")
	}
	is(t, r.EndPods(ctx, account, "ghost", []string{uid}), fault.NotFound, "cluster", "ghost")

	_, err = r.Delete(ctx, account, "c")
	must(t, err)
	next, err := r.Create(ctx, cluster.Cluster{Account: account, Name: "c"}, "")
	must(t, err)
	if r.Ended(next, uid) {
		t.Error("a new cluster of the same name knows of the old one's pods")
	}
}

// TestEndedPodsAreForgotten holds that the memory of an ended pod has an end, and that it is not before that of the pod's tokens.
func TestEndedPodsAreForgotten(t *testing.T) {
	t.Parallel()
	if cluster.EndedFor <= cluster.MaxTokenAge {
		t.Errorf("ended pods are remembered for %s, and their tokens may live for %s", cluster.EndedFor, cluster.MaxTokenAge)
	}
	db, ctx := storetest.New(t, cluster.Schema()...), t.Context()
	r, err := cluster.New(cluster.Config{DB: db, Region: region})
	must(t, err)
	cluster.RememberEnded(r, time.Second)
	c, err := r.Create(ctx, cluster.Cluster{Account: account, Name: "c"}, "")
	must(t, err)
	must(t, r.EndPods(ctx, account, "c", []string{"uid-1", "uid-2"}))
	if !r.Ended(c, "uid-1") {
		t.Error("the pod has not ended")
	}
	for {
		s := db.Snapshot()
		if !r.Ended(c, "uid-1") && !r.Ended(c, "uid-2") {
			return
		}
		<-db.Changed(s.Revision())
	}
}
