package eksapi_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/quota"
)

// TestRealNodes holds that node groups are told as the cluster's nodes are, whoever made them.
func TestRealNodes(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	name := aws.String("c")
	describe := func(group string) *types.Nodegroup {
		t.Helper()
		out, err := w.admin.DescribeNodegroup(ctx, &sdk.DescribeNodegroupInput{ClusterName: name, NodegroupName: &group})
		must(t, err)
		return out.Nodegroup
	}
	_, err := w.admin.CreateNodegroup(ctx, &sdk.CreateNodegroupInput{
		ClusterName: name, NodegroupName: aws.String("made"), NodeRole: &w.role, Subnets: []string{},
		ScalingConfig: &types.NodegroupScalingConfig{MinSize: aws.Int32(1), MaxSize: aws.Int32(5), DesiredSize: aws.Int32(3)},
	})
	must(t, err)
	if n := describe("made"); *n.ScalingConfig.DesiredSize != 3 {
		t.Errorf("before the cluster tells anything the node group is %+v", n.ScalingConfig)
	}
	w.report(t, cluster.Report{Nodes: []cluster.ReportedNode{
		{Name: "1", Ready: true, Nodegroup: "made", Version: "v1.36.2"},
		{Name: "2", Ready: true, Nodegroup: "pool", Version: "v1.36.2"},
		{Name: "3", Nodegroup: "pool", Version: "v1.9.1+k3s1", Zone: "a"},
		{Name: "4", Nodegroup: "pool", Version: "unknown"},
	}})
	list, err := w.admin.ListNodegroups(ctx, &sdk.ListNodegroupsInput{ClusterName: name})
	must(t, err)
	if diff := cmp.Diff([]string{"made", "pool"}, list.Nodegroups); diff != "" {
		t.Error(diff)
	}
	made := describe("made")
	if s := made.ScalingConfig; *s.MinSize != 1 || *s.MaxSize != 5 || *s.DesiredSize != 1 || made.Status != types.NodegroupStatusActive ||
		*made.NodeRole != w.role || len(made.Health.Issues) != 0 || *made.Version != "1.36" {
		t.Errorf("the created group is %+v", made)
	}
	pool := describe("pool")
	if pool.Status != types.NodegroupStatusActive || *pool.ScalingConfig.DesiredSize != 3 || *pool.ScalingConfig.MinSize != 3 ||
		*pool.ScalingConfig.MaxSize != 3 || *pool.NodeRole != "" || pool.CreatedAt == nil || *pool.Version != "1.9" {
		t.Errorf("the observed group is %+v", pool)
	}
	if i := pool.Health.Issues; len(i) != 1 || *i[0].Message != "2 of 3 nodes are not ready" || cmp.Diff([]string{"3", "4"}, i[0].ResourceIds) != "" {
		t.Errorf("its issues are %+v", i)
	}
	agents := w.newRole(t, "podid-agent-c", podsTrust)
	if got := describe("pool").NodeRole; aws.ToString(got) != agents {
		t.Errorf("its role is %s, want that of its agents, %s", aws.ToString(got), agents)
	}
	tags, err := w.admin.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: pool.NodegroupArn})
	must(t, err)
	if len(tags.Tags) != 0 {
		t.Errorf("its tags are %v", tags.Tags)
	}
	_, err = w.admin.DeleteNodegroup(ctx, &sdk.DeleteNodegroupInput{ClusterName: name, NodegroupName: aws.String("pool")})
	refused[*types.InvalidParameterException](t, err, "Nobody created the node group pool")
	w.report(t, cluster.Report{})
	_, err = w.admin.DescribeNodegroup(ctx, &sdk.DescribeNodegroupInput{ClusterName: name, NodegroupName: aws.String("pool")})
	refused[*types.ResourceNotFoundException](t, err, "No node group found for name: pool.")

	out, err := w.admin.DescribeCluster(ctx, &sdk.DescribeClusterInput{Name: name})
	must(t, err)
	if c := out.Cluster; *c.Identity.Oidc.Issuer != issuer || *c.Endpoint != "https://10.0.0.1:6443" || *c.Version != "1.36" ||
		aws.ToString(c.CertificateAuthority.Data) != authority {
		t.Errorf("the cluster is told as %+v", c)
	}
}
