package eksapi_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	smithy "github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/quota"
)

// TestAbsent holds the truth about what podid does not run: lists are empty, things are not found, making them is refused with the reason.
func TestAbsent(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	c, ghost, name, role := aws.String("c"), aws.String("ghost"), aws.String("n"), &w.role
	config := &types.IdentityProviderConfig{Type: aws.String("oidc"), Name: name}
	code := func(err error) string {
		if e, ok := errors.AsType[smithy.APIError](err); ok {
			return e.ErrorCode()
		}
		return ""
	}
	const none, request, parameter = "ResourceNotFoundException", "InvalidRequestException", "InvalidParameterException"
	tests := []struct {
		name, want string
		call       func() (any, error)
	}{
		{"fargate create", request, func() (any, error) {
			return w.admin.CreateFargateProfile(ctx, &sdk.CreateFargateProfileInput{ClusterName: c, FargateProfileName: name, PodExecutionRoleArn: role})
		}},
		{"fargate describe", none, func() (any, error) {
			return w.admin.DescribeFargateProfile(ctx, &sdk.DescribeFargateProfileInput{ClusterName: c, FargateProfileName: name})
		}},
		{"fargate delete", none, func() (any, error) {
			return w.admin.DeleteFargateProfile(ctx, &sdk.DeleteFargateProfileInput{ClusterName: c, FargateProfileName: name})
		}},
		{"fargate list", "", func() (any, error) {
			return w.admin.ListFargateProfiles(ctx, &sdk.ListFargateProfilesInput{ClusterName: c})
		}},
		{"fargate list of none", none, func() (any, error) {
			return w.admin.ListFargateProfiles(ctx, &sdk.ListFargateProfilesInput{ClusterName: ghost})
		}},
		{"fargate page", parameter, func() (any, error) {
			return w.admin.ListFargateProfiles(ctx, &sdk.ListFargateProfilesInput{ClusterName: c, MaxResults: aws.Int32(101)})
		}},
		{"idp associate", request, func() (any, error) {
			return w.admin.AssociateIdentityProviderConfig(ctx, &sdk.AssociateIdentityProviderConfigInput{
				ClusterName: c, Oidc: &types.OidcIdentityProviderConfigRequest{ClientId: name, IdentityProviderConfigName: name, IssuerUrl: name},
			})
		}},
		{"idp describe", none, func() (any, error) {
			return w.admin.DescribeIdentityProviderConfig(ctx, &sdk.DescribeIdentityProviderConfigInput{ClusterName: c, IdentityProviderConfig: config})
		}},
		{"idp disassociate", none, func() (any, error) {
			return w.admin.DisassociateIdentityProviderConfig(ctx, &sdk.DisassociateIdentityProviderConfigInput{ClusterName: c, IdentityProviderConfig: config})
		}},
		{"idp list", "", func() (any, error) {
			return w.admin.ListIdentityProviderConfigs(ctx, &sdk.ListIdentityProviderConfigsInput{ClusterName: c})
		}},
		{"capability create", request, func() (any, error) {
			return w.admin.CreateCapability(ctx, &sdk.CreateCapabilityInput{
				ClusterName: c, CapabilityName: name, RoleArn: role, Type: "ACK", DeletePropagationPolicy: "RETAIN",
			})
		}},
		{"capability describe", none, func() (any, error) {
			return w.admin.DescribeCapability(ctx, &sdk.DescribeCapabilityInput{ClusterName: c, CapabilityName: name})
		}},
		{"capability update", none, func() (any, error) {
			return w.admin.UpdateCapability(ctx, &sdk.UpdateCapabilityInput{ClusterName: c, CapabilityName: name})
		}},
		{"capability delete", none, func() (any, error) {
			return w.admin.DeleteCapability(ctx, &sdk.DeleteCapabilityInput{ClusterName: c, CapabilityName: name})
		}},
		{"capability list", "", func() (any, error) {
			return w.admin.ListCapabilities(ctx, &sdk.ListCapabilitiesInput{ClusterName: c})
		}},
		{"capability list of none", parameter, func() (any, error) {
			return w.admin.ListCapabilities(ctx, &sdk.ListCapabilitiesInput{ClusterName: ghost})
		}},
		{"insight describe", none, func() (any, error) {
			return w.admin.DescribeInsight(ctx, &sdk.DescribeInsightInput{ClusterName: c, Id: name})
		}},
		{"insight list", "", func() (any, error) {
			return w.admin.ListInsights(ctx, &sdk.ListInsightsInput{ClusterName: c})
		}},
		{"insight refresh", request, func() (any, error) {
			return w.admin.StartInsightsRefresh(ctx, &sdk.StartInsightsRefreshInput{ClusterName: c})
		}},
		{"insight refresh describe", none, func() (any, error) {
			return w.admin.DescribeInsightsRefresh(ctx, &sdk.DescribeInsightsRefreshInput{ClusterName: c})
		}},
		{"subscription create", parameter, func() (any, error) {
			return w.admin.CreateEksAnywhereSubscription(ctx, &sdk.CreateEksAnywhereSubscriptionInput{Name: name, Term: &types.EksAnywhereSubscriptionTerm{}})
		}},
		{"subscription describe", none, func() (any, error) {
			return w.admin.DescribeEksAnywhereSubscription(ctx, &sdk.DescribeEksAnywhereSubscriptionInput{Id: name})
		}},
		{"subscription update", none, func() (any, error) {
			return w.admin.UpdateEksAnywhereSubscription(ctx, &sdk.UpdateEksAnywhereSubscriptionInput{Id: name})
		}},
		{"subscription delete", none, func() (any, error) {
			return w.admin.DeleteEksAnywhereSubscription(ctx, &sdk.DeleteEksAnywhereSubscriptionInput{Id: name})
		}},
		{"subscription list", "", func() (any, error) {
			return w.admin.ListEksAnywhereSubscriptions(ctx, &sdk.ListEksAnywhereSubscriptionsInput{})
		}},
		{"authority create", parameter, func() (any, error) {
			return w.admin.CreateCertificateAuthority(ctx, &sdk.CreateCertificateAuthorityInput{ClusterName: c})
		}},
		{"authority activate", none, func() (any, error) {
			return w.admin.ActivateCertificateAuthority(ctx, &sdk.ActivateCertificateAuthorityInput{ClusterName: c, CertificateAuthorityId: name})
		}},
		{"authority describe", none, func() (any, error) {
			return w.admin.DescribeCertificateAuthority(ctx, &sdk.DescribeCertificateAuthorityInput{ClusterName: c, CertificateAuthorityId: name})
		}},
		{"authority delete", none, func() (any, error) {
			return w.admin.DeleteCertificateAuthority(ctx, &sdk.DeleteCertificateAuthorityInput{ClusterName: c, CertificateAuthorityId: name})
		}},
		{"authority list", "", func() (any, error) {
			return w.admin.ListCertificateAuthorities(ctx, &sdk.ListCertificateAuthoritiesInput{ClusterName: c})
		}},
	}
	for _, tt := range tests {
		if _, err := tt.call(); code(err) != tt.want || (err != nil) != (tt.want != "") {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	_, err := w.admin.DescribeFargateProfile(ctx, &sdk.DescribeFargateProfileInput{ClusterName: c, FargateProfileName: name})
	if e, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok || *e.FargateProfileName != "n" || *e.ClusterName != "c" {
		t.Errorf("got %v", err)
	}
}

// TestNodegroupUpdates holds what an update of a node group changes, and that versions are the nodes' own affair.
func TestNodegroupUpdates(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	c, g := aws.String("c"), aws.String("g")
	_, err := w.admin.CreateNodegroup(ctx, &sdk.CreateNodegroupInput{
		ClusterName: c, NodegroupName: g, NodeRole: &w.role, Subnets: []string{"subnet-1"}, DiskSize: aws.Int32(20), Version: aws.String("1.35"),
		ScalingConfig: &types.NodegroupScalingConfig{MinSize: aws.Int32(1), MaxSize: aws.Int32(3), DesiredSize: aws.Int32(2)},
		Labels:        map[string]string{"a": "1", "b": "2"}, Taints: []types.Taint{{Key: aws.String("k"), Value: aws.String("v"), Effect: "NO_SCHEDULE"}},
	})
	must(t, err)
	config := &sdk.UpdateNodegroupConfigInput{
		ClusterName: c, NodegroupName: g, ClientRequestToken: aws.String("t"), ScalingConfig: &types.NodegroupScalingConfig{MaxSize: aws.Int32(5)},
		Labels: &types.UpdateLabelsPayload{AddOrUpdateLabels: map[string]string{"A": "3"}, RemoveLabels: []string{"b"}},
		Taints: &types.UpdateTaintsPayload{
			AddOrUpdateTaints: []types.Taint{{Key: aws.String("k"), Value: aws.String("w"), Effect: "NO_SCHEDULE"}},
		},
		UpdateConfig:     &types.NodegroupUpdateConfig{MaxUnavailable: aws.Int32(1)},
		NodeRepairConfig: &types.NodeRepairConfig{Enabled: aws.Bool(true)},
	}
	made, err := w.admin.UpdateNodegroupConfig(ctx, config)
	must(t, err)
	again, err := w.admin.UpdateNodegroupConfig(ctx, config)
	must(t, err)
	if *made.Update.Id != *again.Update.Id || made.Update.Type != types.UpdateTypeConfigUpdate || made.Update.Status != types.UpdateStatusSuccessful {
		t.Errorf("the update is %+v, sent again %+v", made.Update, again.Update)
	}
	params := map[string]string{}
	for _, p := range made.Update.Params {
		params[string(p.Type)] = *p.Value
	}
	if diff := cmp.Diff(map[string]string{
		"MaxSize": "5", "LabelsToAdd": `{"A":"3"}`, "LabelsToRemove": `["b"]`, "TaintsToAdd": `[{"effect":"NO_SCHEDULE","key":"k","value":"w"}]`,
		"MaxUnavailable": "1", "NodeRepairEnabled": "true",
	}, params); diff != "" {
		t.Error(diff)
	}
	out, err := w.admin.DescribeNodegroup(ctx, &sdk.DescribeNodegroupInput{ClusterName: c, NodegroupName: g})
	must(t, err)
	n := out.Nodegroup
	if diff := cmp.Diff(map[string]string{"a": "1", "A": "3"}, n.Labels); diff != "" || len(n.Taints) != 1 || *n.Taints[0].Value != "w" ||
		*n.ScalingConfig.MinSize != 1 || *n.ScalingConfig.MaxSize != 5 || *n.UpdateConfig.MaxUnavailable != 1 || *n.DiskSize != 20 || *n.Version != "1.35" {
		t.Errorf("the group is %+v: %s", n, diff)
	}
	of := func(group *string) int {
		list, err := w.admin.ListUpdates(ctx, &sdk.ListUpdatesInput{Name: c, NodegroupName: group})
		must(t, err)
		return len(list.UpdateIds)
	}
	if of(g) != 1 || of(nil) != 0 {
		t.Errorf("the group has %d updates, the cluster %d", of(g), of(nil))
	}
	_, err = w.admin.DescribeUpdate(ctx, &sdk.DescribeUpdateInput{Name: c, UpdateId: made.Update.Id})
	refused[*types.ResourceNotFoundException](t, err, "No update found")
	_, err = w.admin.DescribeUpdate(ctx, &sdk.DescribeUpdateInput{Name: c, NodegroupName: g, UpdateId: made.Update.Id})
	must(t, err)
	_, err = w.admin.UpdateNodegroupConfig(ctx, &sdk.UpdateNodegroupConfigInput{ClusterName: c, NodegroupName: g})
	refused[*types.InvalidParameterException](t, err, "Nothing to update")

	w.report(t, cluster.Report{Nodes: []cluster.ReportedNode{
		{Name: "1", Ready: true, Nodegroup: "g", Version: "v1.36.0"},
		{Name: "2", Ready: true, Nodegroup: "seen", Version: "v1.36.0"},
	}})
	version := func(group string, v *string) error {
		_, err := w.admin.UpdateNodegroupVersion(ctx, &sdk.UpdateNodegroupVersionInput{ClusterName: c, NodegroupName: &group, Version: v})
		return err
	}
	must(t, version("g", aws.String("1.36")))
	refused[*types.InvalidRequestException](t, version("g", aws.String("1.37")), "podid makes no nodes")
	refused[*types.InvalidRequestException](t, version("g", nil), "podid makes no nodes")
	refused[*types.InvalidParameterException](t, version("seen", aws.String("1.36")), "Nobody created the node group seen")
	refused[*types.ResourceNotFoundException](t, version("ghost", aws.String("1.36")), "No node group found")
	_, err = w.admin.UpdateNodegroupVersion(ctx, &sdk.UpdateNodegroupVersionInput{ClusterName: c, NodegroupName: g, ReleaseVersion: aws.String("1.36-1")})
	refused[*types.InvalidParameterException](t, err, "releaseVersion")
}
