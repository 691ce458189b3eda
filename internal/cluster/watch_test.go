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
