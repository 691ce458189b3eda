package podidapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

func TestReportEndedPods(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	must(t, w.admin.ReportEndedPods(ctx, "c", []string{"uid-1", "uid-2"}))
	must(t, w.admin.ReportEndedPods(ctx, "c", []string{"uid-2"}))
	c, _ := w.clusters.Find(account, "c")
	if !w.clusters.Ended(c, "uid-1") || !w.clusters.Ended(c, "uid-2") || w.clusters.Ended(c, "uid-3") {
		t.Error("the wrong pods have ended")
	}
	is(t, w.admin.ReportEndedPods(ctx, "ghost", []string{"uid-1"}), fault.NotFound, "No cluster found for name: ghost.")
	for _, bad := range [][]string{nil, {}, {""}, {"a b"}, {strings.Repeat("a", 65)}, slices.Repeat([]string{"uid-1"}, client.MaxEndedPods+1)} {
		is(t, w.admin.ReportEndedPods(ctx, "c", bad), fault.Invalid, "")
	}
	is(t, w.admin.Do(ctx, http.MethodPost, "/clusters/c/ended-pods", map[string]any{"podUids": "all"}, nil), fault.Invalid, "JSON")
	if client.MaxEndedPods != cluster.MaxEndedPods {
		t.Errorf("a client sends %d pods at once, and %d are taken", client.MaxEndedPods, cluster.MaxEndedPods)
	}
}

// TestReportEndedPodsPermission holds that ending pods needs a permission of its own, on the cluster.
func TestReportEndedPodsPermission(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	_, err := w.iam.CreateUser(ctx, iam.User{Account: account, Name: "operator", Inline: map[string]*policy.Source{"p": policy.NewSource(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["podid:PutClusterReport","podid:WatchCluster"],"Resource":"*"},` +
			`{"Effect":"Allow","Action":"podid:ReportEndedPods","Resource":"arn:aws:eks:us-west-2:111122223333:cluster/c"}]}`)}})
	must(t, err)
	key, err := w.iam.CreateAccessKey(ctx, account, "operator")
	must(t, err)
	operator := w.client(key.ID, key.Secret)
	must(t, operator.ReportEndedPods(ctx, "c", []string{"uid-1"}))
	is(t, operator.ReportEndedPods(ctx, "d", []string{"uid-1"}), fault.Denied,
		"podid:ReportEndedPods on resource: arn:aws:eks:us-west-2:111122223333:cluster/d")
}

// TestReplaceIssuerPermission holds that whoever reports of a cluster cannot make it speak for an issuer that others trust, or will: be it
// that of another cluster, of one that was, or one elsewhere for which the account makes a provider later.
func TestReplaceIssuerPermission(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	_, err := w.iam.CreateUser(ctx, iam.User{Account: account, Name: "operator", Inline: map[string]*policy.Source{"p": policy.NewSource(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"podid:PutClusterReport","Resource":"arn:aws:eks:us-west-2:111122223333:cluster/*"}]}`)}})
	must(t, err)
	key, err := w.iam.CreateAccessKey(ctx, account, "operator")
	must(t, err)
	operator := w.client(key.ID, key.Secret)
	first, other := report(t), report(t)
	other.Issuer = "https://other.example.com"
	is(t, operator.PutClusterReport(ctx, "c", first), fault.Denied,
		"podid:ReplaceClusterIssuer on resource: arn:aws:eks:us-west-2:111122223333:cluster/c")
	must(t, w.admin.PutClusterReport(ctx, "c", first))
	other.JWKS = first.JWKS
	is(t, operator.PutClusterReport(ctx, "c", other), fault.Denied,
		"podid:ReplaceClusterIssuer on resource: arn:aws:eks:us-west-2:111122223333:cluster/c")
	if c, _ := w.clusters.Find(account, "c"); c.Issuer != first.Issuer {
		t.Errorf("the issuer is %s", c.Issuer)
	}
	first.JWKS = report(t).JWKS // its keys are its own to say
	must(t, operator.PutClusterReport(ctx, "c", first))
	must(t, w.admin.PutClusterReport(ctx, "c", other))

	_, err = w.clusters.Create(ctx, cluster.Cluster{Account: account, Name: "second"}, "")
	must(t, err)
	is(t, operator.PutClusterReport(ctx, "second", other), fault.Denied, // it is the other's already
		"podid:ReplaceClusterIssuer on resource: arn:aws:eks:us-west-2:111122223333:cluster/second")
}
