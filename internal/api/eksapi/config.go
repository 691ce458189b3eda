package eksapi

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/policy"
)

// atOnce is how updates of what is only kept differ.
const atOnce = "An update is Successful when it is answered: it changes what is told of the cluster, and nothing that runs."

// keptSettings are the members that requests for a cluster and for its update have, which podid shows as they were written, and more.
func keptSettings(more api.Members) api.Members {
	kept := api.Members{
		"AccessConfig":              "decides whether there are access entries; how people sign in to Kubernetes is the cluster's own affair",
		"ComputeConfig":             "may only say that it is not enabled",
		"ControlPlaneScalingConfig": noControlPlane,
		"KubernetesNetworkConfig":   "podid makes no networks; load balancing may only be not enabled",
		"Logging":                   noControlPlane,
		"RemoteNetworkConfig":       "podid makes no networks",
		"ResourcesVpcConfig":        "podid makes no networks",
		"StorageConfig":             "may only say that it is not enabled",
		"UpgradePolicy":             noControlPlane,
		"ZonalShiftConfig":          noControlPlane,
	}
	maps.Copy(kept, more)
	return kept
}

// configOperations change what is wanted of a cluster.
func (s *service) configOperations() []api.AnyOperation {
	update := on[sdk.UpdateClusterConfigInput, sdk.UpdateClusterConfigOutput](schemas.UpdateClusterConfig,
		func(c *api.Call, in *sdk.UpdateClusterConfigInput) api.Resource { return s.cluster(c, in.Name) })
	update.Check, update.Run = checkUpdateConfig, s.updateConfig
	update.Keys = func(_ *api.Call, in *sdk.UpdateClusterConfigInput, k *policy.Context) {
		if in.AccessConfig != nil {
			setText(k, "eks:authenticationMode", string(in.AccessConfig.AuthenticationMode))
		}
		settingKeys(k, settings{
			vpc: in.ResourcesVpcConfig, logging: in.Logging, upgrade: in.UpgradePolicy, shift: in.ZonalShiftConfig,
			protection: in.DeletionProtection, scaling: in.ControlPlaneScalingConfig,
			compute: in.ComputeConfig, storage: in.StorageConfig, network: in.KubernetesNetworkConfig,
		})
	}
	update.Refuses = api.Members{
		"KubeApiServerConfig": noControlPlane, "KubeControllerManagerConfig": noControlPlane, "KubeSchedulerConfig": noControlPlane,
	}
	update.Keeps = keptSettings(nil)
	update.Differs = []string{atOnce, "A cluster that is not ACTIVE yet is updated, too."}

	encrypt := on[sdk.AssociateEncryptionConfigInput, sdk.AssociateEncryptionConfigOutput](schemas.AssociateEncryptionConfig,
		func(c *api.Call, in *sdk.AssociateEncryptionConfigInput) api.Resource {
			return s.cluster(c, in.ClusterName)
		})
	encrypt.Run = s.associateEncryption
	encrypt.Keys = func(_ *api.Call, in *sdk.AssociateEncryptionConfigInput, k *policy.Context) {
		encryptionKeys(k, in.EncryptionConfig)
	}
	encrypt.Keeps = api.Members{"EncryptionConfig": "podid does not encrypt Kubernetes' secrets"}
	encrypt.Differs = []string{atOnce}
	return []api.AnyOperation{api.Op(update), api.Op(encrypt)}
}

func checkUpdateConfig(in *sdk.UpdateClusterConfigInput) error {
	if err := checkAutoMode(in.ComputeConfig, in.StorageConfig, in.KubernetesNetworkConfig); err != nil {
		return err
	}
	if in.AccessConfig != nil {
		if err := oneOf("authenticationMode", in.AccessConfig.AuthenticationMode); err != nil {
			return err
		}
	}
	return checkSettings(in.Logging, in.UpgradePolicy, in.ControlPlaneScalingConfig)
}

// kind is one of the kinds of update of a cluster: what it is called, what is told of it, and what it does.
type kind struct {
	name   types.UpdateType
	params []cluster.UpdateParam
	apply  func(*cluster.Cluster, *sdk.CreateClusterInput) error
}

// updateConfig makes the one update that is asked for.
func (s *service) updateConfig(ctx context.Context, c *api.Call, in *sdk.UpdateClusterConfigInput) (*sdk.UpdateClusterConfigOutput, error) {
	name := *in.Name
	kinds := slices.Concat(networkKinds(in), stateKinds(in))
	switch len(kinds) {
	case 0:
		return nil, badParameter("Nothing to update: give one of the members of a cluster's configuration").With("clusterName", name)
	case 1:
	default:
		return nil, badParameter("Only one type of update can be allowed.").With("clusterName", name)
	}
	asked := *in
	asked.ClientRequestToken = nil
	u, err := s.updateCluster(ctx, c, name, cluster.Change{
		Operation: "UpdateClusterConfig", Token: aws.ToString(in.ClientRequestToken), Request: asked,
		Type: string(kinds[0].name), Params: kinds[0].params,
	}, kinds[0].apply)
	if err != nil {
		return nil, err
	}
	return &sdk.UpdateClusterConfigOutput{Update: describeClusterUpdate(u)}, nil
}

// updateCluster changes the settings of a cluster. What changes nothing is refused, as by EKS.
func (s *service) updateCluster(
	ctx context.Context, c *api.Call, name string, change cluster.Change, apply func(*cluster.Cluster, *sdk.CreateClusterInput) error,
) (*cluster.Update, error) {
	home, err := s.Clusters.Get(ctx, c.Account(), name)
	if err != nil {
		return nil, err
	}
	u, err := s.Clusters.UpdateCluster(ctx, home.Account, home.Name, change, func(now *cluster.Cluster) error {
		before := *now
		wanted := settingsOf(now)
		if err := apply(now, wanted); err != nil {
			return err
		}
		text, err := json.Marshal(wanted)
		if err != nil {
			return err
		}
		was, err := json.Marshal(settingsOf(&before))
		if err != nil {
			return err
		}
		if string(text) == string(was) && now.AuthenticationMode == before.AuthenticationMode && now.Protected == before.Protected {
			if change.Type == string(types.UpdateTypeLoggingUpdate) {
				return badParameter("No changes needed for the logging config provided").With("clusterName", name)
			}
			return badParameter("The cluster is already at the desired configuration").With("clusterName", name)
		}
		now.Settings = text
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.Record.Touch(home.ARN(), home.Account, "AWS::EKS::Cluster")
	return u, nil
}

// networkKinds are the kinds of update of a cluster's networks.
func networkKinds(in *sdk.UpdateClusterConfigInput) []kind {
	var kinds []kind
	if v := in.ResourcesVpcConfig; v != nil {
		if v.EndpointPrivateAccess != nil || v.EndpointPublicAccess != nil || v.PublicAccessCidrs != nil {
			k := kind{name: types.UpdateTypeEndpointAccessUpdate, apply: func(_ *cluster.Cluster, wanted *sdk.CreateClusterInput) error {
				to := vpcOf(wanted)
				to.EndpointPrivateAccess = or(v.EndpointPrivateAccess, to.EndpointPrivateAccess)
				to.EndpointPublicAccess = or(v.EndpointPublicAccess, to.EndpointPublicAccess)
				if v.PublicAccessCidrs != nil {
					to.PublicAccessCidrs = v.PublicAccessCidrs
				}
				return nil
			}}
			k.tellBool(types.UpdateParamTypeEndpointPublicAccess, v.EndpointPublicAccess)
			k.tellBool(types.UpdateParamTypeEndpointPrivateAccess, v.EndpointPrivateAccess)
			k.tellList(types.UpdateParamTypePublicAccessCidrs, v.PublicAccessCidrs)
			kinds = append(kinds, k)
		}
		if v.SubnetIds != nil || v.SecurityGroupIds != nil {
			k := kind{name: types.UpdateTypeVpcConfigUpdate, apply: func(_ *cluster.Cluster, wanted *sdk.CreateClusterInput) error {
				to := vpcOf(wanted)
				if v.SubnetIds != nil {
					to.SubnetIds = v.SubnetIds
				}
				if v.SecurityGroupIds != nil {
					to.SecurityGroupIds = v.SecurityGroupIds
				}
				return nil
			}}
			k.tellList(types.UpdateParamTypeSubnets, v.SubnetIds)
			k.tellList(types.UpdateParamTypeSecurityGroups, v.SecurityGroupIds)
			kinds = append(kinds, k)
		}
		if v.ControlPlaneEgressMode != "" {
			k := kind{name: types.UpdateTypeControlPlaneEgressUpdate, apply: func(_ *cluster.Cluster, wanted *sdk.CreateClusterInput) error {
				vpcOf(wanted).ControlPlaneEgressMode = v.ControlPlaneEgressMode
				return nil
			}}
			k.tell(types.UpdateParamTypeControlPlaneEgressMode, string(v.ControlPlaneEgressMode))
			kinds = append(kinds, k)
		}
	}
	if v := in.RemoteNetworkConfig; v != nil {
		k := kind{name: types.UpdateTypeRemoteNetworkConfigUpdate, apply: func(_ *cluster.Cluster, wanted *sdk.CreateClusterInput) error {
			wanted.RemoteNetworkConfig = v
			return nil
		}}
		k.tellStruct(types.UpdateParamTypeRemoteNetworkConfig, v)
		kinds = append(kinds, k)
	}
	if in.ComputeConfig != nil || in.StorageConfig != nil || in.KubernetesNetworkConfig != nil {
		kinds = append(kinds, autoMode(in))
	}
	return kinds
}

// autoMode is the update of what belongs to EKS's Auto Mode, which can only be off here.
func autoMode(in *sdk.UpdateClusterConfigInput) kind {
	k := kind{name: types.UpdateTypeAutoModeUpdate, apply: func(_ *cluster.Cluster, wanted *sdk.CreateClusterInput) error {
		wanted.ComputeConfig, wanted.StorageConfig = or(in.ComputeConfig, wanted.ComputeConfig), or(in.StorageConfig, wanted.StorageConfig)
		if n := in.KubernetesNetworkConfig; n != nil {
			if wanted.KubernetesNetworkConfig == nil {
				wanted.KubernetesNetworkConfig = new(types.KubernetesNetworkConfigRequest)
			}
			wanted.KubernetesNetworkConfig.ElasticLoadBalancing = or(n.ElasticLoadBalancing, wanted.KubernetesNetworkConfig.ElasticLoadBalancing)
		}
		return nil
	}}
	if in.ComputeConfig != nil {
		k.tellStruct(types.UpdateParamTypeComputeConfig, in.ComputeConfig)
	}
	if in.StorageConfig != nil {
		k.tellStruct(types.UpdateParamTypeStorageConfig, in.StorageConfig)
	}
	if in.KubernetesNetworkConfig != nil {
		k.tellStruct(types.UpdateParamTypeKubernetesNetworkConfig, in.KubernetesNetworkConfig)
	}
	return k
}

// stateKinds are the other kinds of update of a cluster.
func stateKinds(in *sdk.UpdateClusterConfigInput) []kind {
	var kinds []kind
	add := func(name types.UpdateType, param types.UpdateParamType, tell any, apply func(*cluster.Cluster, *sdk.CreateClusterInput) error) {
		k := kind{name: name, apply: apply}
		if text, ok := tell.(string); ok {
			k.tell(param, text)
		} else {
			k.tellStruct(param, tell)
		}
		kinds = append(kinds, k)
	}
	if v := in.Logging; v != nil {
		add(types.UpdateTypeLoggingUpdate, types.UpdateParamTypeClusterLogging, v, func(_ *cluster.Cluster, wanted *sdk.CreateClusterInput) error {
			if next := describeLogging(merged(wanted.Logging, v)); wire(next) != wire(describeLogging(wanted.Logging)) {
				wanted.Logging = next
			}
			return nil
		})
	}
	if v := in.AccessConfig; v != nil {
		add(types.UpdateTypeAccessConfigUpdate, types.UpdateParamTypeAuthenticationMode, string(v.AuthenticationMode),
			func(now *cluster.Cluster, _ *sdk.CreateClusterInput) error {
				return setMode(now, string(v.AuthenticationMode))
			})
	}
	if v := in.UpgradePolicy; v != nil {
		add(types.UpdateTypeUpgradePolicyUpdate, types.UpdateParamTypeUpgradePolicy, v, func(_ *cluster.Cluster, wanted *sdk.CreateClusterInput) error {
			wanted.UpgradePolicy = v
			return nil
		})
	}
	if v := in.ZonalShiftConfig; v != nil {
		add(types.UpdateTypeZonalShiftConfigUpdate, types.UpdateParamTypeZonalShiftConfig, v, func(_ *cluster.Cluster, wanted *sdk.CreateClusterInput) error {
			wanted.ZonalShiftConfig = v
			return nil
		})
	}
	if v := in.DeletionProtection; v != nil {
		add(types.UpdateTypeDeletionProtectionUpdate, types.UpdateParamTypeDeletionProtection, strconv.FormatBool(*v),
			func(now *cluster.Cluster, _ *sdk.CreateClusterInput) error { now.Protected = *v; return nil })
	}
	if v := in.ControlPlaneScalingConfig; v != nil {
		add(types.UpdateTypeControlPlaneScalingConfigUpdate, types.UpdateParamTypeUpdatedTier, string(v.Tier),
			func(_ *cluster.Cluster, wanted *sdk.CreateClusterInput) error {
				wanted.ControlPlaneScalingConfig = v
				return nil
			})
	}
	return kinds
}

// setMode changes the authentication mode, towards access entries and never back.
func setMode(now *cluster.Cluster, mode string) error {
	order := []string{cluster.ModeConfig, cluster.ModeAPIAndConfig, cluster.ModeAPI}
	from, to := slices.Index(order, now.Mode()), slices.Index(order, mode)
	if to < from {
		return badParameter("Unsupported authentication mode update from %s to %s", now.Mode(), mode).With("clusterName", now.Name)
	}
	if to > from {
		now.AuthenticationMode = mode
	}
	return nil
}

// merged is logging as it is with what an update says of it: types that the update does not name stay.
func merged(was, update *types.Logging) *types.Logging {
	var all types.Logging
	if was != nil {
		all.ClusterLogging = append(all.ClusterLogging, was.ClusterLogging...)
	}
	all.ClusterLogging = append(all.ClusterLogging, update.ClusterLogging...)
	return &all
}

// associateEncryption keeps which key is to encrypt Kubernetes' secrets; there is one answer to that for a cluster's life.
func (s *service) associateEncryption(
	ctx context.Context, c *api.Call, in *sdk.AssociateEncryptionConfigInput,
) (*sdk.AssociateEncryptionConfigOutput, error) {
	if len(in.EncryptionConfig) == 0 {
		return nil, badParameter("encryptionConfig is required").With("clusterName", *in.ClusterName)
	}
	k := kind{name: types.UpdateTypeAssociateEncryptionConfig, apply: func(_ *cluster.Cluster, wanted *sdk.CreateClusterInput) error {
		if len(wanted.EncryptionConfig) > 0 {
			return badParameter("The cluster has an encryption config already").With("clusterName", *in.ClusterName)
		}
		wanted.EncryptionConfig = in.EncryptionConfig
		return nil
	}}
	k.tellStruct(types.UpdateParamTypeEncryptionConfig, in.EncryptionConfig)
	u, err := s.updateCluster(ctx, c, *in.ClusterName, cluster.Change{
		Operation: "AssociateEncryptionConfig", Token: aws.ToString(in.ClientRequestToken), Request: in.EncryptionConfig,
		Type: string(k.name), Params: k.params,
	}, k.apply)
	if err != nil {
		return nil, err
	}
	return &sdk.AssociateEncryptionConfigOutput{Update: describeClusterUpdate(u)}, nil
}

func vpcOf(wanted *sdk.CreateClusterInput) *types.VpcConfigRequest {
	if wanted.ResourcesVpcConfig == nil {
		wanted.ResourcesVpcConfig = new(types.VpcConfigRequest)
	}
	return wanted.ResourcesVpcConfig
}

func or[T any](v, otherwise *T) *T {
	if v != nil {
		return v
	}
	return otherwise
}

func (k *kind) tell(name types.UpdateParamType, value string) {
	k.params = append(k.params, cluster.NewParam(string(name), value))
}

func (k *kind) tellBool(name types.UpdateParamType, v *bool) {
	if v != nil {
		k.tell(name, strconv.FormatBool(*v))
	}
}

func (k *kind) tellList(name types.UpdateParamType, list []string) {
	if list != nil {
		k.tell(name, wire(list))
	}
}

func (k *kind) tellStruct(name types.UpdateParamType, v any) { k.tell(name, wire(v)) }

// wire is a value of the SDK as JSON with the names of the model. It is for structs without maps.
func wire(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		return ""
	}
	if text, err = json.Marshal(modelNames(plain)); err != nil {
		return ""
	}
	return string(text)
}

func modelNames(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, value := range v {
			if value != nil && value != "" {
				out[strings.ToLower(name[:1])+name[1:]] = modelNames(value)
			}
		}
		return out
	case []any:
		for i := range v {
			v[i] = modelNames(v[i])
		}
	}
	return v
}
