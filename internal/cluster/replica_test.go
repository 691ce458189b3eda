package cluster_test

import (
	"fmt"
	"testing"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store/storetest"
)

// TestReplicasAgree holds that what one replica acknowledged is never refused by another.
func TestReplicasAgree(t *testing.T) {
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
	_, err = b.Get(ctx, account, "c")
	must(t, err)
	for i := range 50 {
		made, err := a.CreateAssociation(ctx, association(fmt.Sprint("sa-", i)), "")
		must(t, err)
		found, err := b.Lookup(ctx, account, "c", "ns", made.ServiceAccount)
		must(t, err)
		if found.ID != made.ID {
			t.Errorf("one replica made %s, the other found %s", made.ID, found.ID)
		}
		_, err = b.Association(ctx, account, "c", made.ID)
		must(t, err)
		_, err = b.CreateAssociation(ctx, association(made.ServiceAccount), "")
		is(t, err, fault.Exists, "association", made.ID)
	}
}

// BenchmarkLookup is the hot lookup of a token exchange. The bar is 1 us.
func BenchmarkLookup(b *testing.B) {
	r, err := cluster.New(cluster.Config{DB: storetest.New(b, cluster.Schema()...), Region: region})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := r.Create(b.Context(), cluster.Cluster{Account: account, Name: "c"}, ""); err != nil {
		b.Fatal(err)
	}
	const many = 500
	for i := range many {
		if _, err := r.CreateAssociation(b.Context(), association(fmt.Sprint("sa-", i)), ""); err != nil {
			b.Fatal(err)
		}
	}
	names := make([]string, many)
	for i := range names {
		names[i] = fmt.Sprint("sa-", i)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if _, err := r.Lookup(b.Context(), account, "c", "ns", names[i%many]); err != nil {
			b.Fatal(err)
		}
	}
}
