package cluster_test

import (
	"testing"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/quota"
)

// TestIssuerOfADeletedCluster holds that the id stays with the account: who trusted the issuer from afar must not come to trust somebody
// else, because its cluster was deleted.
func TestIssuerOfADeletedCluster(t *testing.T) {
	t.Parallel()
	r, ctx := withCluster(t, quota.Set{}), t.Context()
	const other = "444455556666"
	id := issuer[len(issuer)-32:]
	must(t, r.PutReport(ctx, account, "c", report()))
	_, err := r.Delete(ctx, account, "c")
	must(t, err)
	_, err = r.Create(ctx, cluster.Cluster{Account: other, Name: "thief"}, "")
	must(t, err)
	must(t, r.PutReport(ctx, other, "thief", report()))
	if c, ok := r.Hosted(id); ok {
		t.Fatalf("the id was taken over by %+v", c)
	}
	_, err = r.Create(ctx, cluster.Cluster{Account: account, Name: "d"}, "")
	must(t, err)
	must(t, r.PutReport(ctx, account, "d", report()))
	if c, ok := r.Hosted(id); !ok || c.Account != account || c.Name != "d" {
		t.Errorf("the id belongs to %+v, not to the new cluster of its account", c)
	}
	moved := report()
	moved.Issuer = "https://elsewhere.example/id/00000000000000000000000000000000"
	must(t, r.PutReport(ctx, account, "d", moved))
	must(t, r.PutReport(ctx, account, "d", report()))
	if c, ok := r.Hosted(id); !ok || c.Name != "d" {
		t.Errorf("the id belongs to %+v after there and back", c)
	}
}
