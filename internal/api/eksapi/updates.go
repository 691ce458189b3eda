package eksapi

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
)

// updated is the resource of a question about updates: the add-on or node group that it names, or else the cluster.
func (s *service) updated(c *api.Call, clusterName, addon, nodegroup *string) api.Resource {
	switch {
	case aws.ToString(addon) != "":
		return s.addon(c, clusterName, addon)
	case aws.ToString(nodegroup) != "":
		return s.nodegroup(c, clusterName, nodegroup)
	}
	return s.cluster(c, clusterName)
}

// updateOperations change an add-on, and tell of the updates of all things.
func (s *service) updateOperations() []api.AnyOperation {
	update := on[sdk.UpdateAddonInput, sdk.UpdateAddonOutput](schemas.UpdateAddon,
		func(c *api.Call, in *sdk.UpdateAddonInput) api.Resource {
			return s.addon(c, in.ClusterName, in.AddonName)
		})
	update.Run = s.updateAddon
	update.Keeps = api.Members{
		"ResolveConflicts":      "told with the update; the operator keeps what the add-on says as it says, and leaves what it does not mention alone",
		"ServiceAccountRoleArn": "the agent acts with the role of its nodes",
	}
	update.Differs = []string{"An update is InProgress until the cluster reports that it runs, and another update or the add-on's deletion makes it Cancelled."}

	describe := on[sdk.DescribeUpdateInput, sdk.DescribeUpdateOutput](schemas.DescribeUpdate,
		func(c *api.Call, in *sdk.DescribeUpdateInput) api.Resource {
			return s.updated(c, in.Name, in.AddonName, in.NodegroupName)
		})
	describe.Refuses = api.Members{"CapabilityName": noCapabilities}
	describe.Run = func(ctx context.Context, c *api.Call, in *sdk.DescribeUpdateInput) (*sdk.DescribeUpdateOutput, error) {
		all, err := s.updatesOf(ctx, c, *in.Name, aws.ToString(in.AddonName), aws.ToString(in.NodegroupName))
		if err != nil {
			return nil, err
		}
		u, err := all.find(*in.UpdateId)
		if err != nil {
			return nil, err
		}
		return &sdk.DescribeUpdateOutput{Update: u}, nil
	}

	list := on[sdk.ListUpdatesInput, sdk.ListUpdatesOutput](schemas.ListUpdates,
		func(c *api.Call, in *sdk.ListUpdatesInput) api.Resource {
			return s.updated(c, in.Name, in.AddonName, in.NodegroupName)
		})
	list.Refuses = api.Members{"CapabilityName": noCapabilities}
	list.Differs = []string{"Of a cluster with its node groups the newest 50 updates are remembered, of an add-on the newest 10."}
	list.Run = func(ctx context.Context, c *api.Call, in *sdk.ListUpdatesInput) (*sdk.ListUpdatesOutput, error) {
		all, err := s.updatesOf(ctx, c, *in.Name, aws.ToString(in.AddonName), aws.ToString(in.NodegroupName))
		if err != nil {
			return nil, err
		}
		p, err := paging(in.MaxResults, in.NextToken)
		if err != nil {
			return nil, err
		}
		ids, next := cutPage(p, all.ids, func(id string) string { return id })
		return &sdk.ListUpdatesOutput{UpdateIds: ids, NextToken: next}, nil
	}

	cancel := on[sdk.CancelUpdateInput, sdk.CancelUpdateOutput](schemas.CancelUpdate,
		func(c *api.Call, in *sdk.CancelUpdateInput) api.Resource { return s.cluster(c, in.Name) })
	cancel.Ignores = api.Members{"ClientRequestToken": "the operation always fails"}
	cancel.Differs = []string{"It always fails: an update of a cluster is Successful when it is answered."}
	cancel.Run = func(ctx context.Context, c *api.Call, in *sdk.CancelUpdateInput) (*sdk.CancelUpdateOutput, error) {
		all, err := s.updatesOf(ctx, c, *in.Name, "", "")
		if err != nil {
			return nil, err
		}
		if _, err := all.find(*in.UpdateId); err != nil {
			return nil, err
		}
		return nil, fault.New(fault.Conflict, "update", "The update %s cannot be cancelled: it is Successful", *in.UpdateId).With("clusterName", *in.Name)
	}

	configuration := on[sdk.DescribeAddonConfigurationInput, sdk.DescribeAddonConfigurationOutput](schemas.DescribeAddonConfiguration, nil)
	configuration.Run = describeAddonConfiguration
	return []api.AnyOperation{api.Op(update), api.Op(describe), api.Op(list), api.Op(cancel), api.Op(configuration)}
}

// history is the updates of one thing.
type history struct {
	ids  []string // in order
	find func(id string) (*types.Update, error)
}

// updatesOf finds the updates that are asked for: of an add-on, of a node group, or of the cluster itself.
func (s *service) updatesOf(ctx context.Context, c *api.Call, clusterName, addon, nodegroup string) (*history, error) {
	home, err := s.Clusters.Get(ctx, c.Account(), clusterName)
	if err != nil {
		return nil, err
	}
	if addon != "" {
		a, err := s.Clusters.Addon(home.Account, home.Name, addon)
		if err != nil {
			return nil, err
		}
		h := &history{find: func(id string) (*types.Update, error) {
			u, err := a.Update(id)
			if err != nil {
				return nil, err
			}
			return s.describeUpdate(a, *u), nil
		}}
		for _, u := range a.Updates {
			h.ids = append(h.ids, u.ID)
		}
		slices.Sort(h.ids)
		return h, nil
	}
	if nodegroup != "" {
		if _, err := s.Clusters.Nodegroup(home.Account, home.Name, nodegroup); err != nil {
			return nil, err
		}
	}
	h := &history{find: func(id string) (*types.Update, error) {
		u, err := s.Clusters.Update(home.Account, home.Name, nodegroup, id)
		if err != nil {
			return nil, err
		}
		return describeClusterUpdate(u), nil
	}}
	for _, u := range s.Clusters.Updates(home.Account, home.Name, nodegroup) {
		h.ids = append(h.ids, u.ID)
	}
	return h, nil
}

// describeClusterUpdate tells an update of a cluster or a node group.
func describeClusterUpdate(u *cluster.Update) *types.Update {
	return &types.Update{
		Id: aws.String(u.ID), Type: types.UpdateType(u.Type), Status: types.UpdateStatusSuccessful, CreatedAt: new(u.CreatedAt),
		Params: describeParams(u.Params), Errors: []types.ErrorDetail{},
	}
}

func describeParams(params []cluster.UpdateParam) []types.UpdateParam {
	out := make([]types.UpdateParam, 0, len(params))
	for _, p := range params {
		out = append(out, types.UpdateParam{Type: types.UpdateParamType(p.Type), Value: aws.String(p.Value)})
	}
	return out
}

// updateAddon changes the members that are given. How conflicts are resolved is told with the update and makes no difference: the
// operator keeps what the add-on says as it says, and leaves what it does not mention alone.
func (s *service) updateAddon(ctx context.Context, c *api.Call, in *sdk.UpdateAddonInput) (*sdk.UpdateAddonOutput, error) {
	name := *in.AddonName
	if err := checkAddon(*in.ClusterName, name, in.AddonVersion, in.ServiceAccountRoleArn, in.ConfigurationValues); err != nil {
		return nil, err
	}
	if r := in.ResolveConflicts; r != "" && !slices.Contains(r.Values(), r) {
		return nil, badAddon(*in.ClusterName, name, "resolveConflicts is one of %v", r.Values())
	}
	home, err := s.Clusters.Get(ctx, c.Account(), *in.ClusterName)
	if err != nil {
		return nil, err
	}
	change := cluster.AddonChange{Version: in.AddonVersion, Configuration: in.ConfigurationValues, ServiceAccountRole: in.ServiceAccountRoleArn}
	for _, param := range []struct {
		kind  types.UpdateParamType
		value *string
	}{
		{types.UpdateParamTypeAddonVersion, in.AddonVersion},
		{types.UpdateParamTypeServiceAccountRoleArn, in.ServiceAccountRoleArn},
		{types.UpdateParamTypeResolveConflicts, optional(string(in.ResolveConflicts))},
		{types.UpdateParamTypeConfigurationValues, in.ConfigurationValues},
	} {
		if param.value != nil {
			change.Params = append(change.Params, cluster.NewParam(string(param.kind), *param.value))
		}
	}
	if in.PodIdentityAssociations != nil {
		a, err := s.Clusters.Addon(home.Account, home.Name, name)
		if err != nil {
			return nil, err
		}
		owned, err := s.ownAssociations(c, home, a.Namespace, in.PodIdentityAssociations)
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(owned)
		if err != nil {
			return nil, err
		}
		change.Associations = &owned
		change.Params = append(change.Params, cluster.NewParam(string(types.UpdateParamTypePodIdentityAssociations), string(text)))
	}
	a, update, err := s.Clusters.UpdateAddon(ctx, home.Account, home.Name, name, change, aws.ToString(in.ClientRequestToken))
	if err != nil {
		return nil, addonLimit(err, home.Name, name)
	}
	c.Record.Touch(a.ARN(), a.Account, "AWS::EKS::Addon")
	return &sdk.UpdateAddonOutput{Update: s.describeUpdate(a, *update)}, nil
}

// describeUpdate tells what has become of an update, and of one in progress what keeps it from being true.
func (s *service) describeUpdate(a *cluster.Addon, u cluster.AddonUpdate) *types.Update {
	report := s.Clusters.Report(a.Account, a.Cluster)
	out := &types.Update{
		Id: aws.String(u.ID), Type: types.UpdateTypeAddonUpdate, CreatedAt: new(u.CreatedAt), Params: describeParams(u.Params), Errors: []types.ErrorDetail{},
		Status: types.UpdateStatus(a.Progress(u, report)),
	}
	if running, ok := a.Running(report); ok && out.Status == types.UpdateStatusInProgress && !running.Healthy {
		out.Errors = append(out.Errors, types.ErrorDetail{ErrorCode: types.ErrorCodeUnknown, ErrorMessage: optional(running.Message)})
	}
	return out
}

// describeAddonConfiguration tells what configurationValues may hold. The agent signs in with the role of its nodes' cluster, so there
// is no service account of it to associate.
func describeAddonConfiguration(_ context.Context, _ *api.Call, in *sdk.DescribeAddonConfigurationInput) (*sdk.DescribeAddonConfigurationOutput, error) {
	if err := required("addonName", aws.ToString(in.AddonName), "addonVersion", aws.ToString(in.AddonVersion)); err != nil {
		return nil, err
	}
	if *in.AddonName != agentAddon || *in.AddonVersion != agentVersion {
		return nil, fault.New(fault.NotFound, "add-on", "No addon: %.100q with version %.100q found: podid has %s %s",
			*in.AddonName, *in.AddonVersion, agentAddon, agentVersion)
	}
	return &sdk.DescribeAddonConfigurationOutput{
		AddonName: in.AddonName, AddonVersion: in.AddonVersion, ConfigurationSchema: aws.String(configurationSchema),
		PodIdentityConfiguration: []types.AddonPodIdentityConfiguration{},
	}, nil
}
