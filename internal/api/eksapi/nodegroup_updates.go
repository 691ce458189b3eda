package eksapi

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/cluster"
)

// noNodes is why much about a node group is only told.
const noNodes = "podid makes no nodes"

func (s *service) nodegroupUpdateOperations() []api.AnyOperation {
	config := on[sdk.UpdateNodegroupConfigInput, sdk.UpdateNodegroupConfigOutput](schemas.UpdateNodegroupConfig,
		func(c *api.Call, in *sdk.UpdateNodegroupConfigInput) api.Resource {
			return s.nodegroup(c, in.ClusterName, in.NodegroupName)
		})
	config.Run = s.updateNodegroupConfig
	config.Keeps = api.Members{
		"Labels": "nodes have the labels that their cluster gives them", "Taints": "nodes have the taints that their cluster gives them",
		"ScalingConfig": noNodes + "; of a connected cluster desiredSize is told as the number of nodes that it reports",
		"UpdateConfig":  noNodes, "NodeRepairConfig": noNodes, "WarmPoolConfig": noNodes,
	}
	config.Differs = []string{atOnce, "A node group that nobody created, which is told because its nodes are there, cannot be updated."}

	version := on[sdk.UpdateNodegroupVersionInput, sdk.UpdateNodegroupVersionOutput](schemas.UpdateNodegroupVersion,
		func(c *api.Call, in *sdk.UpdateNodegroupVersionInput) api.Resource {
			return s.nodegroup(c, in.ClusterName, in.NodegroupName)
		})
	version.Run = s.updateNodegroupVersion
	version.Refuses = api.Members{"LaunchTemplate": noNodes, "ReleaseVersion": noNodes}
	version.Ignores = api.Members{"Force": "nothing is checked that could be forced"}
	version.Differs = []string{
		"The version is what the nodes report. An update to that version is Successful; one to another version, or to none that is named, is " +
			"refused: " + noNodes + ".",
	}
	return []api.AnyOperation{api.Op(config), api.Op(version)}
}

// updateNodegroupConfig changes what was asked for of a node group.
func (s *service) updateNodegroupConfig(
	ctx context.Context, c *api.Call, in *sdk.UpdateNodegroupConfigInput,
) (*sdk.UpdateNodegroupConfigOutput, error) {
	k := kind{name: types.UpdateTypeConfigUpdate}
	k.tellScaling(in.ScalingConfig)
	k.tellLabels(in.Labels)
	if t := in.Taints; t != nil {
		if len(t.AddOrUpdateTaints) > 0 {
			k.tellStruct(types.UpdateParamTypeTaintsToAdd, t.AddOrUpdateTaints)
		}
		if len(t.RemoveTaints) > 0 {
			k.tellStruct(types.UpdateParamTypeTaintsToRemove, t.RemoveTaints)
		}
	}
	if u := in.UpdateConfig; u != nil {
		k.tellNumber(types.UpdateParamTypeMaxUnavailable, u.MaxUnavailable)
		k.tellNumber(types.UpdateParamTypeMaxUnavailablePercentage, u.MaxUnavailablePercentage)
		if u.UpdateStrategy != "" {
			k.tell(types.UpdateParamTypeUpdateStrategy, string(u.UpdateStrategy))
		}
	}
	if r := in.NodeRepairConfig; r != nil {
		k.tellBool(types.UpdateParamTypeNodeRepairEnabled, r.Enabled)
	}
	if w := in.WarmPoolConfig; w != nil {
		k.tellBool(types.UpdateParamTypeWarmPoolEnabled, w.Enabled)
	}
	if len(k.params) == 0 {
		return nil, badParameter("Nothing to update: give scalingConfig, labels, taints, updateConfig, nodeRepairConfig or warmPoolConfig").
			With("clusterName", *in.ClusterName).With("nodegroupName", quotedMember(in.NodegroupName))
	}
	asked := *in
	asked.ClientRequestToken = nil
	u, err := s.updateNodegroup(ctx, c, *in.ClusterName, *in.NodegroupName, cluster.Change{
		Operation: "UpdateNodegroupConfig", Token: aws.ToString(in.ClientRequestToken), Request: asked, Type: string(k.name), Params: k.params,
	}, func(g *cluster.Nodegroup) error {
		var wanted sdk.CreateNodegroupInput
		_ = json.Unmarshal(g.Settings, &wanted) // it was marshalled from the same struct; an empty one is the fallback
		reconfigure(&wanted, in)
		text, err := json.Marshal(wanted)
		g.Settings = text
		return err
	})
	if err != nil {
		return nil, err
	}
	return &sdk.UpdateNodegroupConfigOutput{Update: describeClusterUpdate(u)}, nil
}

func (s *service) updateNodegroup(
	ctx context.Context, c *api.Call, clusterName, name string, change cluster.Change, apply func(*cluster.Nodegroup) error,
) (*cluster.Update, error) {
	home, err := s.Clusters.Get(ctx, c.Account(), clusterName)
	if err != nil {
		return nil, err
	}
	u, err := s.Clusters.UpdateNodegroup(ctx, home.Account, home.Name, name, change, apply)
	if err != nil {
		return nil, err
	}
	c.Record.Touch(s.nodegroup(c, &clusterName, &name).ARN, home.Account, "AWS::EKS::Nodegroup")
	return u, nil
}

// reconfigure changes what is wanted as the update says; what it does not name stays.
func reconfigure(wanted *sdk.CreateNodegroupInput, in *sdk.UpdateNodegroupConfigInput) {
	if v := in.ScalingConfig; v != nil {
		to := new(types.NodegroupScalingConfig)
		if wanted.ScalingConfig != nil {
			*to = *wanted.ScalingConfig
		}
		to.MinSize, to.MaxSize, to.DesiredSize = or(v.MinSize, to.MinSize), or(v.MaxSize, to.MaxSize), or(v.DesiredSize, to.DesiredSize)
		wanted.ScalingConfig = to
	}
	if v := in.Labels; v != nil {
		labels := maps.Clone(wanted.Labels)
		if labels == nil {
			labels = map[string]string{}
		}
		for _, name := range v.RemoveLabels {
			delete(labels, name)
		}
		maps.Copy(labels, v.AddOrUpdateLabels)
		wanted.Labels = labels
	}
	if v := in.Taints; v != nil {
		same := func(a, b types.Taint) bool {
			return aws.ToString(a.Key) == aws.ToString(b.Key) && a.Effect == b.Effect
		}
		for _, t := range slices.Concat(v.RemoveTaints, v.AddOrUpdateTaints) {
			wanted.Taints = slices.DeleteFunc(wanted.Taints, func(old types.Taint) bool { return same(old, t) })
		}
		wanted.Taints = append(wanted.Taints, v.AddOrUpdateTaints...)
	}
	wanted.UpdateConfig, wanted.NodeRepairConfig = or(in.UpdateConfig, wanted.UpdateConfig), or(in.NodeRepairConfig, wanted.NodeRepairConfig)
	wanted.WarmPoolConfig = or(in.WarmPoolConfig, wanted.WarmPoolConfig)
}

// updateNodegroupVersion agrees to the version that the nodes have.
func (s *service) updateNodegroupVersion(
	ctx context.Context, c *api.Call, in *sdk.UpdateNodegroupVersionInput,
) (*sdk.UpdateNodegroupVersionOutput, error) {
	home, err := s.Clusters.Get(ctx, c.Account(), *in.ClusterName)
	if err != nil {
		return nil, err
	}
	version := aws.ToString(in.Version)
	u, err := s.updateNodegroup(ctx, c, home.Name, *in.NodegroupName, cluster.Change{
		Operation: "UpdateNodegroupVersion", Token: aws.ToString(in.ClientRequestToken), Request: version, Type: string(types.UpdateTypeVersionUpdate),
		Params: []cluster.UpdateParam{cluster.NewParam(string(types.UpdateParamTypeVersion), version)},
	}, func(g *cluster.Nodegroup) error {
		if has := aws.ToString(s.describeNodegroup(home, g).Version); has == "" || has != version {
			return otherVersion("The nodes of the group have version %q and cannot be updated to %.100q here: %s. "+
				"Update them where the cluster runs; podid then tells the new version", has, version, noNodes).
				With("clusterName", home.Name).With("nodegroupName", g.Name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.UpdateNodegroupVersionOutput{Update: describeClusterUpdate(u)}, nil
}

func (k *kind) tellNumber(name types.UpdateParamType, v *int32) {
	if v != nil {
		k.tell(name, strconv.Itoa(int(*v)))
	}
}

func (k *kind) tellScaling(v *types.NodegroupScalingConfig) {
	if v != nil {
		k.tellNumber(types.UpdateParamTypeMinSize, v.MinSize)
		k.tellNumber(types.UpdateParamTypeMaxSize, v.MaxSize)
		k.tellNumber(types.UpdateParamTypeDesiredSize, v.DesiredSize)
	}
}

func (k *kind) tellLabels(v *types.UpdateLabelsPayload) {
	if v == nil {
		return
	}
	if len(v.AddOrUpdateLabels) > 0 {
		if text, err := json.Marshal(v.AddOrUpdateLabels); err == nil {
			k.tell(types.UpdateParamTypeLabelsToAdd, string(text))
		}
	}
	if len(v.RemoveLabels) > 0 {
		k.tellList(types.UpdateParamTypeLabelsToRemove, v.RemoveLabels)
	}
}
