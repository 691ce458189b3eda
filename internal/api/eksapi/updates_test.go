package eksapi_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/quota"
)

// TestUpdateAddon follows one change of an add-on from wanted to true.
func TestUpdateAddon(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	name, agent := aws.String("c"), aws.String("eks-pod-identity-agent")
	made, err := w.admin.CreateAddon(ctx, &sdk.CreateAddonInput{ClusterName: name, AddonName: agent})
	must(t, err)
	running := func(healthy bool, message string) {
		t.Helper()
		w.report(t, cluster.Report{Addons: []cluster.ReportedAddon{{Name: *agent, Version: *made.Addon.AddonVersion, Healthy: healthy, Message: message}}})
	}
	describe := func() *types.Addon {
		t.Helper()
		out, err := w.admin.DescribeAddon(ctx, &sdk.DescribeAddonInput{ClusterName: name, AddonName: agent})
		must(t, err)
		return out.Addon
	}
	updateOf := func(id *string) *types.Update {
		t.Helper()
		out, err := w.admin.DescribeUpdate(ctx, &sdk.DescribeUpdateInput{Name: name, AddonName: agent, UpdateId: id})
		must(t, err)
		return out.Update
	}
	running(false, "pulling")
	in := &sdk.UpdateAddonInput{
		ClusterName: name, AddonName: agent, ConfigurationValues: aws.String(`{"podLabels":{"a":"b"}}`), ResolveConflicts: types.ResolveConflictsOverwrite,
		AddonVersion: made.Addon.AddonVersion, ClientRequestToken: aws.String("token"),
	}
	out, err := w.admin.UpdateAddon(ctx, in)
	must(t, err)
	u := out.Update
	want := []types.UpdateParam{
		{Type: types.UpdateParamTypeAddonVersion, Value: made.Addon.AddonVersion},
		{Type: types.UpdateParamTypeResolveConflicts, Value: aws.String("OVERWRITE")},
		{Type: types.UpdateParamTypeConfigurationValues, Value: in.ConfigurationValues},
	}
	if diff := cmp.Diff(want, u.Params, cmpopts.IgnoreUnexported(types.UpdateParam{})); diff != "" || u.Type != types.UpdateTypeAddonUpdate ||
		u.Status != types.UpdateStatusInProgress || len(u.Errors) != 1 || *u.Errors[0].ErrorMessage != "pulling" {
		t.Errorf("the update is %+v: %s", u, diff)
	}
	again, err := w.admin.UpdateAddon(ctx, in)
	must(t, err)
	if *again.Update.Id != *u.Id {
		t.Errorf("the repeated request is the update %s", *again.Update.Id)
	}
	if a := describe(); *a.ConfigurationValues != *in.ConfigurationValues || a.Status != types.AddonStatusCreating || a.ModifiedAt.Before(*a.CreatedAt) {
		t.Errorf("the add-on is %+v", a)
	}
	second, err := w.admin.UpdateAddon(ctx, &sdk.UpdateAddonInput{ClusterName: name, AddonName: agent, ServiceAccountRoleArn: &w.role})
	must(t, err)
	if got := updateOf(u.Id).Status; got != types.UpdateStatusCancelled {
		t.Errorf("the update that another one came after is %s", got)
	}
	running(true, "")
	if got := updateOf(second.Update.Id); got.Status != types.UpdateStatusSuccessful || len(got.Errors) != 0 {
		t.Errorf("once it runs the update is %+v", got)
	}
	third, err := w.admin.UpdateAddon(ctx, &sdk.UpdateAddonInput{ClusterName: name, AddonName: agent, ConfigurationValues: aws.String("podLabels: {a: c}")})
	must(t, err)
	running(false, "1 of 3 nodes have it")
	if a := describe(); a.Status != types.AddonStatusUpdating || *a.ServiceAccountRoleArn != w.role || *a.Health.Issues[0].Message != "1 of 3 nodes have it" {
		t.Errorf("while it is being rolled out the add-on is %+v", a)
	}
	if got := updateOf(third.Update.Id).Status; got != types.UpdateStatusInProgress {
		t.Errorf("and the update is %s", got)
	}
	running(true, "")
	running(false, "")
	if a := describe(); a.Status != types.AddonStatusDegraded || *a.Health.Issues[0].Message == "" || updateOf(third.Update.Id).Status != types.UpdateStatusSuccessful {
		t.Errorf("when it breaks later the add-on is %+v", a)
	}
	w.report(t, cluster.Report{})
	if a := describe(); a.Status != types.AddonStatusDegraded || a.Health.Issues[0].Code != types.AddonIssueCodeK8sResourceNotFound {
		t.Errorf("when it is not reported the add-on is %+v", a)
	}
	var ids []string
	pages := sdk.NewListUpdatesPaginator(w.admin, &sdk.ListUpdatesInput{Name: name, AddonName: agent, MaxResults: aws.Int32(2)})
	for pages.HasMorePages() {
		p, err := pages.NextPage(ctx)
		must(t, err)
		ids = append(ids, p.UpdateIds...)
	}
	sorted := cmpopts.SortSlices(func(a, b string) bool { return a < b })
	if diff := cmp.Diff([]string{*u.Id, *second.Update.Id, *third.Update.Id}, ids, sorted); diff != "" {
		t.Error(diff)
	}
	running(true, "")
	must(t, sdk.NewAddonActiveWaiter(w.admin).Wait(ctx, &sdk.DescribeAddonInput{ClusterName: name, AddonName: agent}, time.Minute))
}

// TestUpdateAddonAssociations holds that a list replaces the associations that the add-on owns, that no list leaves them, and that an
// association that stays keeps its id.
func TestUpdateAddonAssociations(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}.With(quota.AssociationsPerCluster, 2)), t.Context()
	w.createCluster(t, "c")
	name, agent := aws.String("c"), aws.String("eks-pod-identity-agent")
	another := w.newRole(t, "another", podsTrust)
	asks := func(pairs ...string) []types.AddonPodIdentityAssociations {
		list := []types.AddonPodIdentityAssociations{}
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, types.AddonPodIdentityAssociations{ServiceAccount: &pairs[i], RoleArn: &pairs[i+1]})
		}
		return list
	}
	made, err := w.admin.CreateAddon(ctx, &sdk.CreateAddonInput{ClusterName: name, AddonName: agent, PodIdentityAssociations: asks("a", w.role, "b", w.role)})
	must(t, err)
	owned := func(want map[string]string) map[string]string {
		t.Helper()
		addon, err := w.admin.DescribeAddon(ctx, &sdk.DescribeAddonInput{ClusterName: name, AddonName: agent})
		must(t, err)
		roles, ids := map[string]string{}, map[string]string{}
		for a := range w.clusters.Associations(account, "c", "", "", "") {
			roles[a.ServiceAccount], ids[a.ServiceAccount] = a.RoleARN, a.ARN()
			if a.OwnerARN != *made.Addon.AddonArn || a.Namespace != "kube-system" {
				t.Errorf("an association is %+v", a)
			}
		}
		if diff := cmp.Diff(want, roles); diff != "" || len(addon.Addon.PodIdentityAssociations) != len(want) {
			t.Errorf("the add-on owns %v: %s", addon.Addon.PodIdentityAssociations, diff)
		}
		return ids
	}
	before := owned(map[string]string{"a": w.role, "b": w.role})
	change := func(list []types.AddonPodIdentityAssociations) error {
		t.Helper()
		_, err := w.admin.UpdateAddon(ctx, &sdk.UpdateAddonInput{ClusterName: name, AddonName: agent, PodIdentityAssociations: list})
		return err
	}
	must(t, change(nil))
	owned(map[string]string{"a": w.role, "b": w.role})
	must(t, change(asks("b", another)))
	if after := owned(map[string]string{"b": another}); after["b"] != before["b"] {
		t.Errorf("the association that stays was %s and is %s", before["b"], after["b"])
	}
	must(t, change(asks("b", another, "d", w.role)))
	owned(map[string]string{"b": another, "d": w.role})
	refused[*types.InvalidRequestException](t, change(asks("b", another, "d", w.role, "e", w.role)), "limit of 2")
	must(t, change([]types.AddonPodIdentityAssociations{}))
	owned(map[string]string{})
}

func TestUpdatesRefuse(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	name, agent := aws.String("c"), aws.String("eks-pod-identity-agent")
	_, err := w.admin.UpdateAddon(ctx, &sdk.UpdateAddonInput{ClusterName: name, AddonName: agent})
	refused[*types.ResourceNotFoundException](t, err, "No addon: eks-pod-identity-agent found in cluster: c")
	_, err = w.admin.CreateAddon(ctx, &sdk.CreateAddonInput{ClusterName: name, AddonName: agent})
	must(t, err)
	for text, in := range map[string]*sdk.UpdateAddonInput{
		"version specified":       {AddonVersion: aws.String("v9")},
		"resolveConflicts":        {ResolveConflicts: "HOPE"},
		"ConfigurationValue":      {ConfigurationValues: aws.String("[]")},
		"at most 255":             {ServiceAccountRoleArn: aws.String(string(make([]byte, 256)))},
		"names the service acco":  {PodIdentityAssociations: []types.AddonPodIdentityAssociations{{ServiceAccount: name, RoleArn: &w.role}, {ServiceAccount: name, RoleArn: &w.role}}},
		"Role provided in the re": {PodIdentityAssociations: []types.AddonPodIdentityAssociations{{ServiceAccount: name, RoleArn: aws.String("arn:aws:iam::111122223333:role/ghost")}}},
	} {
		in.ClusterName, in.AddonName = name, agent
		_, err := w.admin.UpdateAddon(ctx, in)
		refused[*types.InvalidParameterException](t, err, text)
	}
	_, err = w.admin.DescribeUpdate(ctx, &sdk.DescribeUpdateInput{Name: name, AddonName: agent, UpdateId: aws.String("none")})
	refused[*types.ResourceNotFoundException](t, err, "No update found for ID: none")
	_, err = w.admin.DescribeUpdate(ctx, &sdk.DescribeUpdateInput{Name: name, UpdateId: aws.String("none")})
	refused[*types.ResourceNotFoundException](t, err, "No update found for ID: none")
	_, err = w.admin.ListUpdates(ctx, &sdk.ListUpdatesInput{Name: name, NodegroupName: aws.String("ghost")})
	refused[*types.ResourceNotFoundException](t, err, "No node group found")
	list, err := w.admin.ListUpdates(ctx, &sdk.ListUpdatesInput{Name: name})
	must(t, err)
	if list.UpdateIds == nil || len(list.UpdateIds) != 0 {
		t.Errorf("a cluster has the updates %v", list.UpdateIds)
	}
	reader := w.user(t, "reader", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["eks:Describe*","eks:List*"],"Resource":"*"}]}`)
	_, err = reader.ListUpdates(ctx, &sdk.ListUpdatesInput{Name: name, AddonName: agent})
	must(t, err)
	_, err = reader.UpdateAddon(ctx, &sdk.UpdateAddonInput{ClusterName: name, AddonName: agent})
	refused[*types.AccessDeniedException](t, err, "eks:UpdateAddon on resource: arn:aws:eks:us-west-2:111122223333:addon/c/eks-pod-identity-agent/")
	w.report(t, cluster.Report{Addons: []cluster.ReportedAddon{{Name: *agent}}})
	_, err = w.admin.DeleteAddon(ctx, &sdk.DeleteAddonInput{ClusterName: name, AddonName: agent})
	must(t, err)
	_, err = w.admin.UpdateAddon(ctx, &sdk.UpdateAddonInput{ClusterName: name, AddonName: agent})
	refused[*types.InvalidRequestException](t, err, "is being deleted")
}
