package eksapi_test

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/quota"
)

// TestUpdateClusterConfig goes through the kinds of update of a cluster: what each is called, what it tells, and what is told of the
// cluster afterwards.
func TestUpdateClusterConfig(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	tests := []struct {
		name   string
		change sdk.UpdateClusterConfigInput
		kind   string
		params map[string]string
		holds  func(*types.Cluster) bool
	}{
		{
			name: "endpoints", kind: "EndpointAccessUpdate",
			change: sdk.UpdateClusterConfigInput{ResourcesVpcConfig: &types.VpcConfigRequest{
				EndpointPublicAccess: aws.Bool(true), PublicAccessCidrs: []string{"192.0.2.0/24"},
			}},
			params: map[string]string{"EndpointPublicAccess": "true", "PublicAccessCidrs": `["192.0.2.0/24"]`},
			holds: func(c *types.Cluster) bool {
				v := c.ResourcesVpcConfig
				return v.EndpointPublicAccess && !v.EndpointPrivateAccess && slices.Equal(v.PublicAccessCidrs, []string{"192.0.2.0/24"}) &&
					slices.Equal(v.SubnetIds, []string{"subnet-1"})
			},
		},
		{
			name: "subnets", kind: "VpcConfigUpdate",
			change: sdk.UpdateClusterConfigInput{ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: []string{"subnet-2"}, SecurityGroupIds: []string{"sg-1"}}},
			params: map[string]string{"Subnets": `["subnet-2"]`, "SecurityGroups": `["sg-1"]`},
			holds: func(c *types.Cluster) bool {
				return slices.Equal(c.ResourcesVpcConfig.SubnetIds, []string{"subnet-2"}) && c.ResourcesVpcConfig.EndpointPublicAccess
			},
		},
		{
			name: "logging", kind: "LoggingUpdate",
			change: sdk.UpdateClusterConfigInput{Logging: &types.Logging{ClusterLogging: []types.LogSetup{
				{Enabled: aws.Bool(true), Types: []types.LogType{"audit", "api"}},
			}}},
			params: map[string]string{"ClusterLogging": `{"clusterLogging":[{"enabled":true,"types":["audit","api"]}]}`},
			holds: func(c *types.Cluster) bool {
				l := c.Logging.ClusterLogging
				return len(l) == 2 && *l[0].Enabled && slices.Equal(l[0].Types, []types.LogType{"api", "audit"}) && !*l[1].Enabled && len(l[1].Types) == 3
			},
		},
		{
			name: "access", kind: "AccessConfigUpdate",
			change: sdk.UpdateClusterConfigInput{AccessConfig: &types.UpdateAccessConfigRequest{AuthenticationMode: "API_AND_CONFIG_MAP"}},
			params: map[string]string{"AuthenticationMode": "API_AND_CONFIG_MAP"},
			holds:  func(c *types.Cluster) bool { return c.AccessConfig.AuthenticationMode == "API_AND_CONFIG_MAP" },
		},
		{
			name: "upgrade policy", kind: "UpgradePolicyUpdate",
			change: sdk.UpdateClusterConfigInput{UpgradePolicy: &types.UpgradePolicyRequest{SupportType: "STANDARD"}},
			params: map[string]string{"UpgradePolicy": `{"supportType":"STANDARD"}`},
			holds:  func(c *types.Cluster) bool { return c.UpgradePolicy.SupportType == "STANDARD" },
		},
		{
			name: "zonal shift", kind: "ZonalShiftConfigUpdate",
			change: sdk.UpdateClusterConfigInput{ZonalShiftConfig: &types.ZonalShiftConfigRequest{Enabled: aws.Bool(true)}},
			params: map[string]string{"ZonalShiftConfig": `{"enabled":true}`},
			holds:  func(c *types.Cluster) bool { return *c.ZonalShiftConfig.Enabled },
		},
		{
			name: "auto mode", kind: "AutoModeUpdate",
			change: sdk.UpdateClusterConfigInput{
				ComputeConfig:           &types.ComputeConfigRequest{Enabled: aws.Bool(false)},
				StorageConfig:           &types.StorageConfigRequest{BlockStorage: &types.BlockStorage{Enabled: aws.Bool(false)}},
				KubernetesNetworkConfig: &types.KubernetesNetworkConfigRequest{ElasticLoadBalancing: &types.ElasticLoadBalancing{Enabled: aws.Bool(false)}},
			},
			params: map[string]string{
				"ComputeConfig": `{"enabled":false}`, "StorageConfig": `{"blockStorage":{"enabled":false}}`,
				"KubernetesNetworkConfig": `{"elasticLoadBalancing":{"enabled":false}}`,
			},
			holds: func(c *types.Cluster) bool {
				return !*c.ComputeConfig.Enabled && !*c.StorageConfig.BlockStorage.Enabled && !*c.KubernetesNetworkConfig.ElasticLoadBalancing.Enabled
			},
		},
		{
			name: "remote networks", kind: "RemoteNetworkConfigUpdate",
			change: sdk.UpdateClusterConfigInput{RemoteNetworkConfig: &types.RemoteNetworkConfigRequest{
				RemoteNodeNetworks: []types.RemoteNodeNetwork{{Cidrs: []string{"10.0.0.0/16"}}},
			}},
			params: map[string]string{"RemoteNetworkConfig": `{"remoteNodeNetworks":[{"cidrs":["10.0.0.0/16"]}]}`},
			holds:  func(c *types.Cluster) bool { return len(c.RemoteNetworkConfig.RemoteNodeNetworks) == 1 },
		},
		{
			name: "scaling", kind: "ControlPlaneScalingConfigUpdate",
			change: sdk.UpdateClusterConfigInput{ControlPlaneScalingConfig: &types.ControlPlaneScalingConfig{Tier: "standard"}},
			params: map[string]string{"UpdatedTier": "standard"},
			holds:  func(c *types.Cluster) bool { return c.ControlPlaneScalingConfig.Tier == "standard" },
		},
		{
			name: "deletion protection", kind: "DeletionProtectionUpdate",
			change: sdk.UpdateClusterConfigInput{DeletionProtection: aws.Bool(true)},
			params: map[string]string{"DeletionProtection": "true"},
			holds:  func(c *types.Cluster) bool { return *c.DeletionProtection },
		},
	}
	var ids []string
	for _, tt := range tests {
		tt.change.Name = aws.String("c")
		out, err := w.admin.UpdateClusterConfig(ctx, &tt.change)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got := map[string]string{}
		for _, p := range out.Update.Params {
			got[string(p.Type)] = *p.Value
		}
		if diff := cmp.Diff(tt.params, got); diff != "" || string(out.Update.Type) != tt.kind {
			t.Errorf("%s: %s: %s", tt.name, out.Update.Type, diff)
		}
		described, err := w.admin.DescribeUpdate(ctx, &sdk.DescribeUpdateInput{Name: aws.String("c"), UpdateId: out.Update.Id})
		must(t, err)
		if described.Update.Status != types.UpdateStatusSuccessful || string(described.Update.Type) != tt.kind {
			t.Errorf("%s: the update is told as %+v", tt.name, described.Update)
		}
		c, err := w.admin.DescribeCluster(ctx, &sdk.DescribeClusterInput{Name: aws.String("c")})
		must(t, err)
		if !tt.holds(c.Cluster) {
			t.Errorf("%s: the cluster is told as %+v", tt.name, c.Cluster)
		}
		ids = append(ids, *out.Update.Id)
		tt.change.ClientRequestToken = nil
		_, err = w.admin.UpdateClusterConfig(ctx, &tt.change)
		refused[*types.InvalidParameterException](t, err, map[string]string{"logging": "No changes needed"}[tt.name])
	}
	slices.Sort(ids)
	var listed []string
	pages := sdk.NewListUpdatesPaginator(w.admin, &sdk.ListUpdatesInput{Name: aws.String("c"), MaxResults: aws.Int32(1)})
	for pages.HasMorePages() {
		p, err := pages.NextPage(ctx)
		must(t, err)
		listed = append(listed, p.UpdateIds...)
	}
	if diff := cmp.Diff(ids, listed); diff != "" {
		t.Error(diff)
	}
	_, err := w.admin.CancelUpdate(ctx, &sdk.CancelUpdateInput{Name: aws.String("c"), UpdateId: &ids[0]})
	refused[*types.InvalidStateException](t, err, "Successful")
	_, err = w.admin.CancelUpdate(ctx, &sdk.CancelUpdateInput{Name: aws.String("c"), UpdateId: aws.String("u")})
	refused[*types.ResourceNotFoundException](t, err, "No update found")
	_, err = w.admin.DeleteCluster(ctx, &sdk.DeleteClusterInput{Name: aws.String("c")})
	refused[*types.InvalidRequestException](t, err, "deletion protection")
}

// TestUpdateClusterConfigIsRefused holds what is no update, and that a request that is sent again changes nothing again.
func TestUpdateClusterConfigIsRefused(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	name := aws.String("c")
	for text, in := range map[string]*sdk.UpdateClusterConfigInput{
		"Nothing to update": {},
		"Only one type of update can be allowed.": {
			DeletionProtection: aws.Bool(true), UpgradePolicy: &types.UpgradePolicyRequest{SupportType: "STANDARD"},
		},
		"it runs no nodes":         {ComputeConfig: &types.ComputeConfigRequest{Enabled: aws.Bool(true)}},
		"it makes no volumes":      {StorageConfig: &types.StorageConfigRequest{BlockStorage: &types.BlockStorage{Enabled: aws.Bool(true)}}},
		"supportType is one of":    {UpgradePolicy: &types.UpgradePolicyRequest{SupportType: "FOREVER"}},
		"types is one of":          {Logging: &types.Logging{ClusterLogging: []types.LogSetup{{Types: []types.LogType{"all"}}}}},
		"tier is one of":           {ControlPlaneScalingConfig: &types.ControlPlaneScalingConfig{Tier: "huge"}},
		"does not support kubeApi": {KubeApiServerConfig: &types.KubeApiServerConfigRequest{EventTtl: aws.String("1h")}},
	} {
		in.Name = name
		_, err := w.admin.UpdateClusterConfig(ctx, in)
		refused[*types.InvalidParameterException](t, err, text)
	}
	_, err := w.admin.UpdateClusterConfig(ctx, &sdk.UpdateClusterConfigInput{Name: aws.String("ghost"), DeletionProtection: aws.Bool(true)})
	refused[*types.ResourceNotFoundException](t, err, "No cluster found for name: ghost.")

	on := &sdk.UpdateClusterConfigInput{Name: name, DeletionProtection: aws.Bool(true), ClientRequestToken: aws.String("t")}
	first, err := w.admin.UpdateClusterConfig(ctx, on)
	must(t, err)
	_, err = w.admin.UpdateClusterConfig(ctx, &sdk.UpdateClusterConfigInput{Name: name, DeletionProtection: aws.Bool(false)})
	must(t, err)
	again, err := w.admin.UpdateClusterConfig(ctx, on)
	must(t, err)
	c, err := w.admin.DescribeCluster(ctx, &sdk.DescribeClusterInput{Name: name})
	must(t, err)
	if *again.Update.Id != *first.Update.Id || *c.Cluster.DeletionProtection {
		t.Errorf("sent again, it was carried out again: %+v", c.Cluster)
	}
	mode := func(to types.AuthenticationMode) error {
		_, err := w.admin.UpdateClusterConfig(ctx, &sdk.UpdateClusterConfigInput{
			Name: name, AccessConfig: &types.UpdateAccessConfigRequest{AuthenticationMode: to},
		})
		return err
	}
	must(t, mode("API"))
	refused[*types.InvalidParameterException](t, mode("CONFIG_MAP"), "Unsupported authentication mode update from API to CONFIG_MAP")
	guarded := w.user(t, "guarded", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"eks:*","Resource":"*"},`+
		`{"Effect":"Deny","Action":"eks:UpdateClusterConfig","Resource":"*","Condition":{"Bool":{"eks:deletionProtection":"false"}}}]}`)
	_, err = guarded.UpdateClusterConfig(ctx, &sdk.UpdateClusterConfigInput{Name: name, DeletionProtection: aws.Bool(true)})
	must(t, err)
	_, err = guarded.UpdateClusterConfig(ctx, &sdk.UpdateClusterConfigInput{Name: name, DeletionProtection: aws.Bool(false)})
	refused[*types.AccessDeniedException](t, err, "eks:UpdateClusterConfig")
}

// TestCreateClusterKeepsAll holds that what is asked of a cluster is told again, and what podid does not do is refused.
func TestCreateClusterKeepsAll(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	in := func() *sdk.CreateClusterInput {
		return &sdk.CreateClusterInput{
			Name: aws.String("c"), RoleArn: &w.role, Version: aws.String("1.35"), DeletionProtection: aws.Bool(true), Tags: map[string]string{"a": "b"},
			BootstrapSelfManagedAddons: aws.Bool(false),
			ResourcesVpcConfig: &types.VpcConfigRequest{
				SubnetIds: []string{"subnet-1"}, SecurityGroupIds: []string{"sg-1"}, EndpointPrivateAccess: aws.Bool(true),
			},
			AccessConfig:            &types.CreateAccessConfigRequest{AuthenticationMode: "API", BootstrapClusterCreatorAdminPermissions: aws.Bool(false)},
			KubernetesNetworkConfig: &types.KubernetesNetworkConfigRequest{IpFamily: "ipv4", ServiceIpv4Cidr: aws.String("10.1.0.0/16")},
			EncryptionConfig:        []types.EncryptionConfig{{Resources: []string{"secrets"}, Provider: &types.Provider{KeyArn: aws.String("arn:aws:kms:k")}}},
			Logging:                 &types.Logging{ClusterLogging: []types.LogSetup{{Enabled: aws.Bool(true), Types: []types.LogType{"scheduler"}}}},
			UpgradePolicy:           &types.UpgradePolicyRequest{SupportType: "STANDARD"},
			ZonalShiftConfig:        &types.ZonalShiftConfigRequest{Enabled: aws.Bool(true)},
			ComputeConfig:           &types.ComputeConfigRequest{Enabled: aws.Bool(false)},
		}
	}
	for text, change := range map[string]func(*sdk.CreateClusterInput){
		"Outposts": func(in *sdk.CreateClusterInput) {
			in.OutpostConfig = &types.OutpostConfigRequest{OutpostArns: []string{}, ControlPlaneInstanceType: aws.String("m5")}
		},
		"it runs no nodes":             func(in *sdk.CreateClusterInput) { in.ComputeConfig.Enabled = aws.Bool(true) },
		"authenticationMode is one of": func(in *sdk.CreateClusterInput) { in.AccessConfig.AuthenticationMode = "NONE" },
		"must be true":                 func(in *sdk.CreateClusterInput) { in.AccessConfig.AuthenticationMode = "CONFIG_MAP" },
	} {
		bad := in()
		change(bad)
		_, err := w.admin.CreateCluster(ctx, bad)
		refused[*types.InvalidParameterException](t, err, text)
	}
	out, err := w.admin.CreateCluster(ctx, in())
	must(t, err)
	c := out.Cluster
	want := &types.Cluster{
		Name: aws.String("c"), Arn: aws.String("arn:aws:eks:us-west-2:111122223333:cluster/c"), RoleArn: &w.role, Status: "CREATING", Version: aws.String("1.35"),
		Tags: map[string]string{"a": "b"}, DeletionProtection: aws.Bool(true), Health: &types.ClusterHealth{Issues: []types.ClusterIssue{}}, CreatedAt: c.CreatedAt,
		ResourcesVpcConfig: &types.VpcConfigResponse{
			SubnetIds: []string{"subnet-1"}, SecurityGroupIds: []string{"sg-1"}, PublicAccessCidrs: []string{}, EndpointPrivateAccess: true,
			VpcId: aws.String(""),
		},
		AccessConfig:            &types.AccessConfigResponse{AuthenticationMode: "API", BootstrapClusterCreatorAdminPermissions: aws.Bool(false)},
		KubernetesNetworkConfig: &types.KubernetesNetworkConfigResponse{IpFamily: "ipv4", ServiceIpv4Cidr: aws.String("10.1.0.0/16")},
		EncryptionConfig:        []types.EncryptionConfig{{Resources: []string{"secrets"}, Provider: &types.Provider{KeyArn: aws.String("arn:aws:kms:k")}}},
		Logging: &types.Logging{ClusterLogging: []types.LogSetup{
			{Enabled: aws.Bool(true), Types: []types.LogType{"scheduler"}}, {Enabled: aws.Bool(false), Types: []types.LogType{"api", "audit", "authenticator", "controllerManager"}},
		}},
		UpgradePolicy: &types.UpgradePolicyResponse{SupportType: "STANDARD"}, ZonalShiftConfig: &types.ZonalShiftConfigResponse{Enabled: aws.Bool(true)},
		ComputeConfig: &types.ComputeConfigResponse{Enabled: aws.Bool(false), NodePools: []string{}},
	}
	if diff := cmp.Diff(want, c, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".noSmithyDocumentSerde" }, cmp.Ignore())); diff != "" {
		t.Error(diff)
	}
	_, err = w.admin.AssociateEncryptionConfig(ctx, &sdk.AssociateEncryptionConfigInput{ClusterName: c.Name, EncryptionConfig: c.EncryptionConfig})
	refused[*types.InvalidParameterException](t, err, "encryption config already")
	w.createCluster(t, "plain")
	update, err := w.admin.AssociateEncryptionConfig(ctx, &sdk.AssociateEncryptionConfigInput{ClusterName: aws.String("plain"), EncryptionConfig: c.EncryptionConfig})
	must(t, err)
	if u := update.Update; u.Type != "AssociateEncryptionConfig" || *u.Params[0].Value != `[{"provider":{"keyArn":"arn:aws:kms:k"},"resources":["secrets"]}]` {
		t.Errorf("the update is %+v", u)
	}
}

// TestVersions holds that podid tells versions and changes none.
func TestVersions(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	update := func(v string) (*sdk.UpdateClusterVersionOutput, error) {
		return w.admin.UpdateClusterVersion(ctx, &sdk.UpdateClusterVersionInput{Name: aws.String("c"), Version: &v})
	}
	_, err := update("1.36")
	refused[*types.InvalidRequestException](t, err, "has not reported")
	w.report(t, cluster.Report{})
	_, err = update("1.37")
	refused[*types.InvalidRequestException](t, err, "is 1.36 and cannot be updated")
	done, err := update("1.36")
	must(t, err)
	if u := done.Update; u.Type != types.UpdateTypeVersionUpdate || u.Status != types.UpdateStatusSuccessful || *u.Params[0].Value != "1.36" {
		t.Errorf("the update is %+v", u)
	}
	all, err := w.admin.DescribeClusterVersions(ctx, &sdk.DescribeClusterVersionsInput{})
	must(t, err)
	if v := all.ClusterVersions; len(v) != 9 || *v[0].ClusterVersion != "1.36" || !v[0].DefaultVersion || v[1].DefaultVersion || *v[8].ClusterVersion != "1.28" {
		t.Errorf("the versions are %+v", v)
	}
	first, err := w.admin.DescribeClusterVersions(ctx, &sdk.DescribeClusterVersionsInput{MaxResults: aws.Int32(8)})
	must(t, err)
	rest, err := w.admin.DescribeClusterVersions(ctx, &sdk.DescribeClusterVersionsInput{MaxResults: aws.Int32(8), NextToken: first.NextToken})
	must(t, err)
	if len(rest.ClusterVersions) != 1 || rest.NextToken != nil {
		t.Errorf("the last page is %+v", rest)
	}
	for n, in := range map[int]*sdk.DescribeClusterVersionsInput{
		1: {DefaultOnly: aws.Bool(true)},
		2: {ClusterVersions: []string{"1.30", "1.31"}},
		0: {VersionStatus: types.VersionStatusUnsupported},
	} {
		out, err := w.admin.DescribeClusterVersions(ctx, in)
		must(t, err)
		if len(out.ClusterVersions) != n {
			t.Errorf("%d versions, want %d", len(out.ClusterVersions), n)
		}
	}
}

// TestRegisteredClusters holds the life of a cluster that is announced: it is PENDING until it reports, and listed only when asked for.
func TestRegisteredClusters(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}.With(quota.RegisteredClusters, 1).With(quota.ClustersPerAccount, 1)), t.Context()
	register := func(name string, provider types.ConnectorConfigProvider) (*sdk.RegisterClusterOutput, error) {
		return w.admin.RegisterCluster(ctx, &sdk.RegisterClusterInput{
			Name: &name, ConnectorConfig: &types.ConnectorConfigRequest{Provider: provider, RoleArn: &w.role}, Tags: map[string]string{"a": "b"},
		})
	}
	_, err := register("c", "TOASTER")
	refused[*types.InvalidParameterException](t, err, "provider is one of")
	out, err := register("c", types.ConnectorConfigProviderRancher)
	must(t, err)
	if c := out.Cluster; c.Status != types.ClusterStatusPending || len(*c.ConnectorConfig.ActivationId) != 36 || len(*c.ConnectorConfig.ActivationCode) != 20 ||
		c.ConnectorConfig.ActivationExpiry == nil || *c.ConnectorConfig.Provider != "RANCHER" || c.RoleArn != nil {
		t.Errorf("registered %+v", c)
	}
	_, err = register("c", types.ConnectorConfigProviderRancher)
	refused[*types.ResourceInUseException](t, err, "already exists")
	_, err = register("d", types.ConnectorConfigProviderRancher)
	refused[*types.ResourceLimitExceededException](t, err, "limit of 1 registered clusters")
	w.createCluster(t, "made") // of another quota
	for want, include := range map[string][]string{"made": nil, "c made": {"all"}} {
		list, err := w.admin.ListClusters(ctx, &sdk.ListClustersInput{Include: include})
		must(t, err)
		if got := slices.Concat(list.Clusters); want != joined(got) {
			t.Errorf("with %v there are %v", include, got)
		}
	}
	_, err = w.admin.ListClusters(ctx, &sdk.ListClustersInput{Include: []string{"some"}})
	refused[*types.InvalidParameterException](t, err, "include is all")
	_, err = w.admin.UpdateClusterConfig(ctx, &sdk.UpdateClusterConfigInput{Name: aws.String("c"), DeletionProtection: aws.Bool(true)})
	refused[*types.InvalidRequestException](t, err, "was registered")
	w.report(t, cluster.Report{})
	described, err := w.admin.DescribeCluster(ctx, &sdk.DescribeClusterInput{Name: aws.String("c")})
	must(t, err)
	if c := described.Cluster; c.Status != types.ClusterStatusActive || c.ConnectorConfig.ActivationCode != nil || *c.Identity.Oidc.Issuer != issuer {
		t.Errorf("connected, it is %+v", c)
	}
	_, err = w.admin.DeregisterCluster(ctx, &sdk.DeregisterClusterInput{Name: aws.String("made")})
	refused[*types.ClientException](t, err, "DeleteCluster")
	_, err = w.admin.DeregisterCluster(ctx, &sdk.DeregisterClusterInput{Name: aws.String("c")})
	must(t, err)
	_, err = w.admin.DescribeCluster(ctx, &sdk.DescribeClusterInput{Name: aws.String("c")})
	refused[*types.ResourceNotFoundException](t, err, "No cluster found for name: c.")
	nobody := w.user(t, "nobody", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"eks:*","Resource":"*"}]}`)
	_, err = nobody.RegisterCluster(ctx, &sdk.RegisterClusterInput{
		Name: aws.String("c"), ConnectorConfig: &types.ConnectorConfigRequest{Provider: types.ConnectorConfigProviderOther, RoleArn: &w.role},
	})
	refused[*types.AccessDeniedException](t, err, "iam:PassRole")
}
