package eksapi

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/policy"
)

// describeCluster answers what was asked for and what is reported; nothing is made up.
func describeCluster(c *cluster.Cluster) *types.Cluster {
	wanted := settingsOf(c)
	out := &types.Cluster{
		Name: aws.String(c.Name), Arn: aws.String(c.ARN()), CreatedAt: new(c.CreatedAt), Status: types.ClusterStatus(c.Status()), Tags: tags(c.Tags),
		Version: wanted.Version, Health: &types.ClusterHealth{Issues: []types.ClusterIssue{}},
	}
	if c.Issuer != "" {
		out.Identity = &types.Identity{Oidc: &types.OIDC{Issuer: aws.String(c.Issuer)}}
	}
	out.Endpoint = optional(c.Endpoint)
	if c.Version != "" {
		out.Version = aws.String(c.Version)
	}
	if c.CertificateAuthority != "" {
		out.CertificateAuthority = &types.Certificate{Data: aws.String(c.CertificateAuthority)}
	}
	if r := c.Registration; r != nil {
		out.ConnectorConfig = &types.ConnectorConfigResponse{Provider: aws.String(r.Provider), RoleArn: aws.String(r.RoleARN)}
		if c.Status() == cluster.Pending {
			out.ConnectorConfig.ActivationId, out.ConnectorConfig.ActivationCode = aws.String(r.ActivationID), aws.String(r.ActivationCode)
			out.ConnectorConfig.ActivationExpiry = new(r.ActivationExpiry)
		}
		return out
	}
	if c.Status() == cluster.Active { // eksctl reads both of every cluster that runs, without looking whether they are there
		out.Endpoint, out.CertificateAuthority = aws.String(c.Endpoint), &types.Certificate{Data: aws.String(c.CertificateAuthority)}
	}
	out.RoleArn, out.DeletionProtection = aws.String(c.RoleARN), aws.Bool(c.Protected)
	out.AccessConfig = &types.AccessConfigResponse{
		AuthenticationMode: types.AuthenticationMode(c.Mode()), BootstrapClusterCreatorAdminPermissions: c.CreatorAdmin,
	}
	describeSettings(out, wanted)
	return out
}

// settingsOf is what was asked for of a cluster.
func settingsOf(c *cluster.Cluster) *sdk.CreateClusterInput {
	wanted := new(sdk.CreateClusterInput)
	_ = json.Unmarshal(c.Settings, wanted) // it was marshalled from the same struct; an empty one is the fallback
	return wanted
}

// describeSettings tells what is kept of a cluster that was created.
func describeSettings(out *types.Cluster, wanted *sdk.CreateClusterInput) {
	vpc := &types.VpcConfigResponse{
		SubnetIds: []string{}, SecurityGroupIds: []string{}, PublicAccessCidrs: []string{},
		VpcId: aws.String(""), // there is none, but eksctl reads it without looking whether it is there
	}
	if v := wanted.ResourcesVpcConfig; v != nil {
		vpc.EndpointPrivateAccess, vpc.EndpointPublicAccess = aws.ToBool(v.EndpointPrivateAccess), aws.ToBool(v.EndpointPublicAccess)
		vpc.SubnetIds, vpc.SecurityGroupIds = append(vpc.SubnetIds, v.SubnetIds...), append(vpc.SecurityGroupIds, v.SecurityGroupIds...)
		vpc.PublicAccessCidrs, vpc.ControlPlaneEgressMode = append(vpc.PublicAccessCidrs, v.PublicAccessCidrs...), v.ControlPlaneEgressMode
	}
	out.ResourcesVpcConfig, out.Logging, out.EncryptionConfig = vpc, describeLogging(wanted.Logging), wanted.EncryptionConfig
	out.ControlPlaneScalingConfig = wanted.ControlPlaneScalingConfig
	out.UpgradePolicy = &types.UpgradePolicyResponse{SupportType: types.SupportTypeExtended} // AWS's default
	if u := wanted.UpgradePolicy; u != nil && u.SupportType != "" {
		out.UpgradePolicy.SupportType = u.SupportType
	}
	if n := wanted.KubernetesNetworkConfig; n != nil {
		out.KubernetesNetworkConfig = &types.KubernetesNetworkConfigResponse{
			IpFamily: n.IpFamily, ServiceIpv4Cidr: n.ServiceIpv4Cidr, ElasticLoadBalancing: n.ElasticLoadBalancing,
		}
	}
	if v := wanted.ComputeConfig; v != nil {
		out.ComputeConfig = &types.ComputeConfigResponse{Enabled: v.Enabled, NodePools: append([]string{}, v.NodePools...), NodeRoleArn: v.NodeRoleArn}
	}
	if v := wanted.StorageConfig; v != nil {
		out.StorageConfig = &types.StorageConfigResponse{BlockStorage: v.BlockStorage}
	}
	if v := wanted.RemoteNetworkConfig; v != nil {
		out.RemoteNetworkConfig = &types.RemoteNetworkConfigResponse{RemoteNodeNetworks: v.RemoteNodeNetworks, RemotePodNetworks: v.RemotePodNetworks}
	}
	if v := wanted.ZonalShiftConfig; v != nil {
		out.ZonalShiftConfig = &types.ZonalShiftConfigResponse{Enabled: v.Enabled}
	}
}

// describeLogging tells every type of log, first those that were asked for, as EKS does.
func describeLogging(asked *types.Logging) *types.Logging {
	var on, off []types.LogType
	for _, kind := range types.LogType("").Values() {
		if enabledLog(asked, kind) {
			on = append(on, kind)
		} else {
			off = append(off, kind)
		}
	}
	out := &types.Logging{ClusterLogging: []types.LogSetup{}}
	for _, group := range []struct {
		enabled bool
		types   []types.LogType
	}{{true, on}, {false, off}} {
		if len(group.types) > 0 {
			out.ClusterLogging = append(out.ClusterLogging, types.LogSetup{Enabled: aws.Bool(group.enabled), Types: group.types})
		}
	}
	return out
}

// enabledLog tells whether the last that is said of a type of log is that it is enabled.
func enabledLog(l *types.Logging, kind types.LogType) bool {
	enabled := false
	if l != nil {
		for _, s := range l.ClusterLogging {
			if slices.Contains(s.Types, kind) {
				enabled = aws.ToBool(s.Enabled)
			}
		}
	}
	return enabled
}

// checkAutoMode refuses what would make nodes, volumes and load balancers appear.
func checkAutoMode(compute *types.ComputeConfigRequest, storage *types.StorageConfigRequest, network *types.KubernetesNetworkConfigRequest) error {
	switch {
	case compute != nil && aws.ToBool(compute.Enabled):
		return badParameter("podid does not support computeConfig that is enabled: it runs no nodes")
	case storage != nil && storage.BlockStorage != nil && aws.ToBool(storage.BlockStorage.Enabled):
		return badParameter("podid does not support storageConfig that is enabled: it makes no volumes")
	case network != nil && network.ElasticLoadBalancing != nil && aws.ToBool(network.ElasticLoadBalancing.Enabled):
		return badParameter("podid does not support elasticLoadBalancing that is enabled: it makes no load balancers")
	}
	return nil
}

// checkSettings holds the words of EKS.
func checkSettings(logging *types.Logging, upgrade *types.UpgradePolicyRequest, scaling *types.ControlPlaneScalingConfig) error {
	if logging != nil {
		for _, l := range logging.ClusterLogging {
			for _, kind := range l.Types {
				if err := oneOf("types", kind); err != nil {
					return err
				}
			}
		}
	}
	if upgrade != nil {
		if err := oneOf("supportType", upgrade.SupportType); err != nil {
			return err
		}
	}
	if scaling != nil {
		return oneOf("tier", scaling.Tier)
	}
	return nil
}

// oneOf holds that a text is one of the words of an enumeration, or empty.
func oneOf[E interface {
	~string
	Values() []E
}](member string, v E) error {
	if v == "" || slices.Contains(v.Values(), v) {
		return nil
	}
	return badParameter("%s is one of %v, not %.100q", member, v.Values(), string(v))
}

// settings are the members that creating and updating a cluster have in common.
type settings struct {
	vpc        *types.VpcConfigRequest
	logging    *types.Logging
	upgrade    *types.UpgradePolicyRequest
	shift      *types.ZonalShiftConfigRequest
	scaling    *types.ControlPlaneScalingConfig
	compute    *types.ComputeConfigRequest
	storage    *types.StorageConfigRequest
	network    *types.KubernetesNetworkConfigRequest
	protection *bool
}

// settingKeys sets the condition keys of settings.
func settingKeys(k *policy.Context, s settings) {
	if v := s.vpc; v != nil {
		setBool(k, "eks:endpointPrivateAccess", v.EndpointPrivateAccess)
		setBool(k, "eks:endpointPublicAccess", v.EndpointPublicAccess)
		if len(v.PublicAccessCidrs) > 0 {
			k.Set("eks:publicAccessCidrs", v.PublicAccessCidrs...)
		}
	}
	if s.logging != nil {
		for _, l := range s.logging.ClusterLogging {
			for _, kind := range l.Types {
				setBool(k, "eks:loggingType/"+string(kind), aws.Bool(enabledLog(s.logging, kind)))
			}
		}
	}
	if s.upgrade != nil {
		setText(k, "eks:supportType", string(s.upgrade.SupportType))
	}
	if s.shift != nil {
		setBool(k, "eks:zonalShiftEnabled", s.shift.Enabled)
	}
	if s.scaling != nil {
		setText(k, "eks:controlPlaneScalingTier", string(s.scaling.Tier))
	}
	if s.compute != nil {
		setBool(k, "eks:computeConfigEnabled", s.compute.Enabled)
	}
	if s.storage != nil && s.storage.BlockStorage != nil {
		setBool(k, "eks:blockStorageEnabled", s.storage.BlockStorage.Enabled)
	}
	if s.network != nil && s.network.ElasticLoadBalancing != nil {
		setBool(k, "eks:elasticLoadBalancingEnabled", s.network.ElasticLoadBalancing.Enabled)
	}
	setBool(k, "eks:deletionProtection", s.protection)
}

func encryptionKeys(k *policy.Context, list []types.EncryptionConfig) {
	var keys []string
	for _, e := range list {
		if e.Provider != nil && aws.ToString(e.Provider.KeyArn) != "" {
			keys = append(keys, *e.Provider.KeyArn)
		}
	}
	if len(keys) > 0 {
		k.Set("eks:encryptionConfigProviderKeyArns", keys...)
	}
}

// setText sets a condition key that the request has.
func setText(k *policy.Context, key, value string) {
	if value != "" {
		k.Set(key, value)
	}
}

func setBool(k *policy.Context, key string, value *bool) {
	if value != nil {
		k.Set(key, strconv.FormatBool(*value))
	}
}
