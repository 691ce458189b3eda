package cluster_test

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/store/storetest"
)

// BenchmarkWatch is what a cluster with 5,000 associations costs at each write of somebody else: one look that finds nothing new.
// The bar is 5 us.
func BenchmarkWatch(b *testing.B) {
	r, err := cluster.New(cluster.Config{DB: storetest.New(b, cluster.Schema()...), Region: region})
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"c", "other"} {
		if _, err := r.Create(b.Context(), cluster.Cluster{Account: account, Name: name}, ""); err != nil {
			b.Fatal(err)
		}
	}
	var g errgroup.Group
	g.SetLimit(64)
	for i := range 5000 {
		g.Go(func() error {
			_, err := r.CreateAssociation(b.Context(), association(fmt.Sprint("sa-", i)), "")
			return err
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	w, err := r.Watch(b.Context(), account, "c", 0, time.Minute)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if same, err := r.Watch(b.Context(), account, "c", w.Revision, 0); err != nil || same.Revision != w.Revision {
			b.Fatal(same, err)
		}
	}
}

// BenchmarkWatchAnswer is how long after the call that made an association a watch of the cluster has told of it. The bar is 20 ms.
func BenchmarkWatchAnswer(b *testing.B) {
	r, err := cluster.New(cluster.Config{DB: storetest.New(b, cluster.Schema()...), Region: region})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := r.Create(b.Context(), cluster.Cluster{Account: account, Name: "c"}, ""); err != nil {
		b.Fatal(err)
	}
	w, err := r.Watch(b.Context(), account, "c", 0, time.Minute)
	if err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	for i := range b.N {
		told := make(chan *cluster.Wanted)
		go func() {
			next, _ := r.Watch(b.Context(), account, "c", w.Revision, time.Minute)
			told <- next
		}()
		a, err := r.CreateAssociation(b.Context(), association(fmt.Sprint("sa-", i)), "")
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		w = <-told
		b.StopTimer()
		if _, err := r.DeleteAssociation(b.Context(), account, "c", a.ID); err != nil {
			b.Fatal(err)
		}
		if w, err = r.Watch(b.Context(), account, "c", w.Revision, time.Minute); err != nil {
			b.Fatal(err)
		}
	}
}
