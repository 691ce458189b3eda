package podidapi_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

func TestPreviewAssociation(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	_, err := w.clusters.Create(ctx, cluster.Cluster{Account: account, Name: "p", Tags: map[string]string{cluster.TagPatterns: "true"}}, "")
	must(t, err)
	role := "arn:aws:iam::" + account + ":role/app"
	associate := func(namespace, serviceAccount string) client.PreviewedAssociation {
		a, err := w.clusters.CreateAssociation(ctx, cluster.Association{
			Account: account, Cluster: "p", Namespace: namespace, ServiceAccount: serviceAccount, RoleARN: role,
		}, "")
		must(t, err)
		return client.PreviewedAssociation{AssociationID: a.ID, Namespace: namespace, ServiceAccount: serviceAccount, RoleARN: role}
	}
	all, team, exact := associate("*", "*"), associate("team-*", "*"), associate("team-a", "cart")
	none := []client.PreviewedAssociation{}
	const there = "Association already exists: "
	tests := []client.AssociationPreview{
		{
			Namespace: "team-a", ServiceAccount: "cart", Winner: &exact, Before: none, After: []client.PreviewedAssociation{team, all},
			Refusal: there + exact.AssociationID,
		},
		{Namespace: "team-b", ServiceAccount: "cart", Winner: &team, Before: none, After: []client.PreviewedAssociation{all}},
		{Namespace: "team-*", ServiceAccount: "c*", Before: []client.PreviewedAssociation{exact}, After: []client.PreviewedAssociation{team, all}},
		{Namespace: "*-team", ServiceAccount: "*", Before: none, After: []client.PreviewedAssociation{all}, Refusal: there + team.AssociationID},
	}
	for _, want := range tests {
		want.ClusterName = "p"
		got, err := w.admin.PreviewAssociation(ctx, "p", want.Namespace, want.ServiceAccount)
		must(t, err)
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("%s/%s: %s", want.Namespace, want.ServiceAccount, diff)
		}
	}
	of := func(namespace, serviceAccount string, identities ...client.Identity) ([]client.MatchedIdentity, error) {
		return w.admin.PreviewIdentities(ctx, "p", client.IdentityPreview{Namespace: namespace, ServiceAccount: serviceAccount, Identities: identities})
	}
	cart, till := client.Identity{Namespace: "team-a", ServiceAccount: "cart"}, client.Identity{Namespace: "team-b", ServiceAccount: "till"}
	other := client.Identity{Namespace: "x", ServiceAccount: "y"}
	matched, err := of("team-*", "*", cart, other, till)
	must(t, err)
	if diff := cmp.Diff([]client.MatchedIdentity{{Identity: cart, Winner: &exact}, {Identity: till, Winner: &team, Counts: true}}, matched); diff != "" {
		t.Errorf("of an association that is there: %s", diff)
	}
	matched, err = of("team-b", "*", cart, till)
	must(t, err)
	if diff := cmp.Diff([]client.MatchedIdentity{{Identity: till, Winner: &team, Counts: true}}, matched); diff != "" {
		t.Errorf("of one that is not: %s", diff)
	}
	_, err = of("team-*", "**", cart)
	is(t, err, fault.Invalid, "**")
	_, err = of("team-*", "*", client.Identity{Namespace: "a/b", ServiceAccount: "c"})
	is(t, err, fault.Invalid, "a/b")
	_, err = of("team-*", "*", slices.Repeat([]client.Identity{cart}, 1001)...)
	is(t, err, fault.Invalid, "1000")
	_, err = of("", "*")
	is(t, err, fault.Invalid, "required")

	off, err := w.admin.PreviewAssociation(ctx, "c", "team-*", "*")
	must(t, err)
	if off.Winner != nil || off.Refusal == "" {
		t.Errorf("where patterns are off: %+v", off)
	}
	_, err = w.admin.PreviewAssociation(ctx, "ghost", "a", "b")
	is(t, err, fault.NotFound, "No cluster found for name: ghost.")
	_, err = w.admin.PreviewAssociation(ctx, "c", "", "b")
	is(t, err, fault.Invalid, "required")
	_, err = w.admin.PreviewAssociation(ctx, "c", "a/b", "c")
	is(t, err, fault.Invalid, "namespace")
}

// TestPreviewPermission holds that looking needs a permission of its own, on the cluster.
func TestPreviewPermission(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	_, err := w.iam.CreateUser(ctx, iam.User{Account: account, Name: "operator", Inline: map[string]*policy.Source{"p": policy.NewSource(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"podid:PreviewAssociation","Resource":"arn:aws:eks:us-west-2:111122223333:cluster/c"}]}`)}})
	must(t, err)
	key, err := w.iam.CreateAccessKey(ctx, account, "operator")
	must(t, err)
	operator := w.client(key.ID, key.Secret)
	got, err := operator.PreviewAssociation(ctx, "c", "ns", "sa")
	must(t, err)
	if got.Winner != nil || got.Refusal != "" {
		t.Errorf("got %+v", got)
	}
	_, err = operator.PreviewAssociation(ctx, "d", "ns", "sa")
	is(t, err, fault.Denied, "podid:PreviewAssociation on resource: arn:aws:eks:us-west-2:111122223333:cluster/d")
}
