package eksapi_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"

	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
	"github.com/podid/podid/internal/store/storetest"
)

// TestReplicasAgree holds that what one replica acknowledged, one that lags finds all the same: by the service account, which is what an operator
// asks when a pod is created, and by the id.
func TestReplicasAgree(t *testing.T) {
	t.Parallel()
	config, ctx := storetest.Config(t, schema()...), t.Context()
	blind, err := store.Open(ctx, config) // nobody runs it: it learns nothing unless it asks
	must(t, err)
	t.Cleanup(func() { must(t, blind.Close()) })
	a, b := newReplica(t, storetest.Open(t, config), quota.Set{}), newReplica(t, blind, quota.Set{})
	key, err := a.iam.Bootstrap(ctx, account, "cluster")
	must(t, err)
	a.admin, b.admin = a.client(key.ID, key.Secret), b.client(key.ID, key.Secret)
	a.role = a.newRole(t, "app", podsTrust)
	must(t, b.clusters.Sync(ctx)) // the key is known
	a.createCluster(t, "c")
	for i := range 10 {
		in := a.association(fmt.Sprint("sa-", i))
		made, err := a.admin.CreatePodIdentityAssociation(ctx, in)
		must(t, err)
		if i%2 == 0 {
			_, err := b.admin.DescribePodIdentityAssociation(ctx, &sdk.DescribePodIdentityAssociationInput{
				ClusterName: in.ClusterName, AssociationId: made.Association.AssociationId,
			})
			must(t, err)
			continue
		}
		out, err := b.admin.ListPodIdentityAssociations(ctx, &sdk.ListPodIdentityAssociationsInput{
			ClusterName: in.ClusterName, Namespace: in.Namespace, ServiceAccount: in.ServiceAccount,
		})
		must(t, err)
		if len(out.Associations) != 1 || *out.Associations[0].AssociationId != *made.Association.AssociationId || out.NextToken != nil {
			t.Errorf("one replica made %s, the other finds %+v", *made.Association.AssociationId, out.Associations)
		}
	}
	none, err := b.admin.ListPodIdentityAssociations(ctx, &sdk.ListPodIdentityAssociationsInput{
		ClusterName: aws.String("c"), Namespace: aws.String("ns"), ServiceAccount: aws.String("No Name"),
	})
	must(t, err)
	if none.Associations == nil || len(none.Associations) != 0 {
		t.Errorf("a service account that cannot be has %+v", none.Associations)
	}
}
