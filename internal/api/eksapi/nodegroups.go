package eksapi

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/policy"
)

// nodegroup is the resource of an operation on a node group. One that does not exist has an ARN without the last part, so that
// whoever may see the groups of a cluster learns that it is gone, and nobody else does.
func (s *service) nodegroup(c *api.Call, clusterName, name *string) api.Resource {
	if g, err := s.Clusters.Nodegroup(c.Account(), aws.ToString(clusterName), aws.ToString(name)); err == nil {
		return api.Resource{ARN: g.ARN(), Account: g.Account, Tags: g.Tags}
	}
	return api.Resource{ARN: arn.Nodegroup(c.Region, c.Account(), aws.ToString(clusterName), aws.ToString(name), ""), Account: c.Account()}
}

func (s *service) nodegroupOperations() []api.AnyOperation {
	create := on[sdk.CreateNodegroupInput, sdk.CreateNodegroupOutput](schemas.CreateNodegroup,
		func(c *api.Call, in *sdk.CreateNodegroupInput) api.Resource { return s.cluster(c, in.ClusterName) })
	create.Run = s.createNodegroup
	create.Keeps = api.Members{
		"AmiType": noNodes, "CapacityType": noNodes, "DiskSize": noNodes, "InstanceTypes": noNodes, "Labels": "nodes have the labels that their cluster gives them",
		"LaunchTemplate": noNodes, "NodeRepairConfig": noNodes, "NodeRole": "the caller needs to be allowed to pass it", "ReleaseVersion": noNodes,
		"RemoteAccess": noNodes, "Subnets": noNodes, "Taints": "nodes have the taints that their cluster gives them", "UpdateConfig": noNodes,
		"ScalingConfig": noNodes + "; of a connected cluster desiredSize is told as the number of nodes that it reports",
		"Version":       "what the nodes report is told", "WarmPoolConfig": noNodes,
	}
	create.Differs = []string{"A node group is CREATING until the cluster reports a ready node of it: " + noNodes + "."}
	create.Keys = func(_ *api.Call, in *sdk.CreateNodegroupInput, k *policy.Context) { api.TagKeys(k, in.Tags) }

	describe := on[sdk.DescribeNodegroupInput, sdk.DescribeNodegroupOutput](schemas.DescribeNodegroup,
		func(c *api.Call, in *sdk.DescribeNodegroupInput) api.Resource {
			return s.nodegroup(c, in.ClusterName, in.NodegroupName)
		})
	describe.Run = func(ctx context.Context, c *api.Call, in *sdk.DescribeNodegroupInput) (*sdk.DescribeNodegroupOutput, error) {
		home, err := s.Clusters.Get(ctx, c.Account(), *in.ClusterName)
		if err != nil {
			return nil, err
		}
		g, err := s.Clusters.Nodegroup(home.Account, home.Name, *in.NodegroupName)
		if err != nil {
			return nil, err
		}
		return &sdk.DescribeNodegroupOutput{Nodegroup: s.describeNodegroup(home, g)}, nil
	}

	list := on[sdk.ListNodegroupsInput, sdk.ListNodegroupsOutput](schemas.ListNodegroups,
		func(c *api.Call, in *sdk.ListNodegroupsInput) api.Resource { return s.cluster(c, in.ClusterName) })
	list.Run = func(ctx context.Context, c *api.Call, in *sdk.ListNodegroupsInput) (*sdk.ListNodegroupsOutput, error) {
		home, err := s.Clusters.Get(ctx, c.Account(), *in.ClusterName)
		if err != nil {
			return nil, err
		}
		p, err := paging(in.MaxResults, in.NextToken)
		if err != nil {
			return nil, err
		}
		var names []string
		for _, g := range s.Clusters.Nodegroups(home.Account, home.Name) {
			names = append(names, g.Name)
		}
		names, next := cutPage(p, names, func(n string) string { return n })
		return &sdk.ListNodegroupsOutput{Nodegroups: names, NextToken: next}, nil
	}

	remove := on[sdk.DeleteNodegroupInput, sdk.DeleteNodegroupOutput](schemas.DeleteNodegroup,
		func(c *api.Call, in *sdk.DeleteNodegroupInput) api.Resource {
			return s.nodegroup(c, in.ClusterName, in.NodegroupName)
		})
	remove.Run = func(ctx context.Context, c *api.Call, in *sdk.DeleteNodegroupInput) (*sdk.DeleteNodegroupOutput, error) {
		home, err := s.Clusters.Get(ctx, c.Account(), *in.ClusterName)
		if err != nil {
			return nil, err
		}
		g, err := s.Clusters.DeleteNodegroup(ctx, home.Account, home.Name, *in.NodegroupName)
		if err != nil {
			return nil, err
		}
		c.Record.Touch(g.ARN(), g.Account, "AWS::EKS::Nodegroup")
		return &sdk.DeleteNodegroupOutput{Nodegroup: s.describeNodegroup(home, g)}, nil
	}
	return []api.AnyOperation{api.Op(create), api.Op(describe), api.Op(list), api.Op(remove)}
}

func (s *service) createNodegroup(ctx context.Context, c *api.Call, in *sdk.CreateNodegroupInput) (*sdk.CreateNodegroupOutput, error) {
	name := aws.ToString(in.NodegroupName)
	if err := required("nodegroupName", name, "nodeRole", aws.ToString(in.NodeRole)); err != nil {
		return nil, err
	}
	if err := passRole(c, *in.NodeRole, "ec2.amazonaws.com"); err != nil {
		return nil, err
	}
	home, err := s.Clusters.Get(ctx, c.Account(), *in.ClusterName)
	if err != nil {
		return nil, err
	}
	wanted := *in
	wanted.ClusterName, wanted.NodegroupName, wanted.NodeRole, wanted.Tags, wanted.ClientRequestToken = nil, nil, nil, nil, nil
	text, err := json.Marshal(wanted)
	if err != nil {
		return nil, err
	}
	g, err := s.Clusters.CreateNodegroup(ctx, cluster.Nodegroup{
		Account: home.Account, Cluster: home.Name, Name: name, NodeRole: *in.NodeRole, Settings: text, Tags: in.Tags,
	}, aws.ToString(in.ClientRequestToken))
	if err != nil {
		return nil, err
	}
	c.Record.Touch(g.ARN(), g.Account, "AWS::EKS::Nodegroup")
	return &sdk.CreateNodegroupOutput{Nodegroup: s.describeNodegroup(home, g)}, nil
}

// agentRole is the role that connecting a cluster makes for what podid runs on its nodes.
const agentRole = "podid-agent-"

// describeNodegroup answers what was asked for and what is reported. Of a group that nobody created nothing was asked for; its role is
// the one that its nodes' agents sign in to, where there is one.
func (s *service) describeNodegroup(home *cluster.Cluster, g *cluster.Nodegroup) *types.Nodegroup {
	var wanted sdk.CreateNodegroupInput
	report := s.Clusters.Report(g.Account, g.Cluster)
	nodes := g.Nodes(report)
	_ = json.Unmarshal(g.Settings, &wanted) // it was marshalled from the same struct; an empty one is the fallback
	out := &types.Nodegroup{
		NodegroupName: aws.String(g.Name), NodegroupArn: aws.String(g.ARN()), ClusterName: aws.String(g.Cluster),
		NodeRole: aws.String(g.NodeRole), Status: types.NodegroupStatus(g.Status(report)), CreatedAt: new(g.CreatedAt), ModifiedAt: new(g.ModifiedAt),
		Tags: tags(g.Tags), Subnets: append([]string{}, wanted.Subnets...), InstanceTypes: append([]string{}, wanted.InstanceTypes...),
		Labels: tags(wanted.Labels), Taints: append([]types.Taint{}, wanted.Taints...), ScalingConfig: scaling(home, wanted.ScalingConfig, len(nodes)),
		AmiType: wanted.AmiType, CapacityType: wanted.CapacityType, Health: &types.NodegroupHealth{Issues: []types.Issue{}},
		Version: optional(cmp.Or(oldest(nodes), home.Version, aws.ToString(wanted.Version))), ReleaseVersion: wanted.ReleaseVersion,
		DiskSize: wanted.DiskSize, LaunchTemplate: wanted.LaunchTemplate, RemoteAccess: wanted.RemoteAccess, UpdateConfig: wanted.UpdateConfig,
		NodeRepairConfig: wanted.NodeRepairConfig, WarmPoolConfig: wanted.WarmPoolConfig,
	}
	if role, ok := s.IAM.FindRole(g.Account, agentRole+g.Cluster); g.Observed && ok {
		out.NodeRole = aws.String(role.ARN())
	}
	var unready []string
	for _, node := range nodes {
		if !node.Ready {
			unready = append(unready, node.Name)
		}
	}
	if len(unready) > 0 {
		out.Health.Issues = append(out.Health.Issues, types.Issue{
			Code: types.NodegroupIssueCodeNodeCreationFailure, ResourceIds: unready,
			Message: aws.String(fmt.Sprintf("%d of %d nodes are not ready", len(unready), len(nodes))),
		})
	}
	return out
}

// scaling tells how many nodes there are, of a cluster that tells; the bounds are those that were asked for. None of the three is ever
// absent, as on EKS and as eksctl expects: without bounds the group is as large as it is.
func scaling(home *cluster.Cluster, wanted *types.NodegroupScalingConfig, nodes int) *types.NodegroupScalingConfig {
	out := types.NodegroupScalingConfig{}
	if wanted != nil {
		out = *wanted
	}
	if s := home.Status(); s != cluster.Creating && s != cluster.Pending {
		out.DesiredSize = aws.Int32(int32(nodes)) //nolint:gosec // a report is bounded to thousands of nodes
	}
	size := aws.ToInt32(out.DesiredSize)
	out.DesiredSize, out.MaxSize = or(out.DesiredSize, &size), or(out.MaxSize, aws.Int32(max(size, 1)))
	out.MinSize = or(out.MinSize, aws.Int32(min(size, *out.MaxSize)))
	return &out
}

// oldest is the Kubernetes version of the node that is furthest behind, "1.36"; empty where no node tells one.
func oldest(nodes []cluster.ReportedNode) string {
	var lowest [2]int
	for _, node := range nodes {
		var v [2]int
		if n, err := fmt.Sscanf(node.Version, "v%d.%d", &v[0], &v[1]); err != nil || n != len(v) {
			continue
		}
		if lowest == [2]int{} || slices.Compare(v[:], lowest[:]) < 0 {
			lowest = v
		}
	}
	if lowest == [2]int{} {
		return ""
	}
	return fmt.Sprintf("%d.%d", lowest[0], lowest[1])
}
