package eksapi

import (
	"context"
	"encoding/json"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
)

func (s *service) clusterOperations() []api.AnyOperation {
	create := on[sdk.CreateClusterInput, sdk.CreateClusterOutput](schemas.CreateCluster,
		func(c *api.Call, in *sdk.CreateClusterInput) api.Resource { return s.cluster(c, in.Name) })
	create.Run = s.createCluster
	create.Keys = func(_ *api.Call, in *sdk.CreateClusterInput, k *policy.Context) { api.TagKeys(k, in.Tags) }

	describe := on[sdk.DescribeClusterInput, sdk.DescribeClusterOutput](schemas.DescribeCluster,
		func(c *api.Call, in *sdk.DescribeClusterInput) api.Resource { return s.cluster(c, in.Name) })
	describe.Run = func(ctx context.Context, c *api.Call, in *sdk.DescribeClusterInput) (*sdk.DescribeClusterOutput, error) {
		found, err := s.Clusters.Get(ctx, c.Account(), *in.Name)
		if err != nil {
			return nil, err
		}
		return &sdk.DescribeClusterOutput{Cluster: describeCluster(found)}, nil
	}

	list := on[sdk.ListClustersInput, sdk.ListClustersOutput](schemas.ListClusters, nil)
	list.Run = s.listClusters

	remove := on[sdk.DeleteClusterInput, sdk.DeleteClusterOutput](schemas.DeleteCluster,
		func(c *api.Call, in *sdk.DeleteClusterInput) api.Resource { return s.cluster(c, in.Name) })
	remove.Run = s.deleteCluster
	return []api.AnyOperation{api.Op(create), api.Op(describe), api.Op(list), api.Op(remove)}
}

// createCluster keeps what was asked for. The caller must be allowed to pass the cluster's role.
func (s *service) createCluster(ctx context.Context, c *api.Call, in *sdk.CreateClusterInput) (*sdk.CreateClusterOutput, error) {
	name := aws.ToString(in.Name)
	if err := required("name", name, "roleArn", aws.ToString(in.RoleArn)); err != nil {
		return nil, err
	}
	if in.ResourcesVpcConfig == nil {
		return nil, fault.New(fault.Invalid, "parameter", "resourcesVpcConfig is required; it may be empty").With("clusterName", name)
	}
	if err := passRole(c, *in.RoleArn, "eks.amazonaws.com"); err != nil {
		return nil, err
	}
	wanted := *in
	wanted.Name, wanted.RoleArn, wanted.Tags, wanted.ClientRequestToken, wanted.DeletionProtection = nil, nil, nil, nil, nil
	text, err := json.Marshal(wanted)
	if err != nil {
		return nil, err
	}
	made, err := s.Clusters.Create(ctx, cluster.Cluster{
		Account: c.Account(), Name: name, RoleARN: *in.RoleArn, Settings: text, Tags: in.Tags, Protected: aws.ToBool(in.DeletionProtection),
	}, aws.ToString(in.ClientRequestToken))
	if err != nil {
		return nil, err
	}
	c.Record.Touch(made.ARN(), made.Account, "AWS::EKS::Cluster")
	return &sdk.CreateClusterOutput{Cluster: describeCluster(made)}, nil
}

// describeCluster answers what was asked for and what is reported; nothing is made up.
func describeCluster(c *cluster.Cluster) *types.Cluster {
	var wanted sdk.CreateClusterInput
	_ = json.Unmarshal(c.Settings, &wanted) // it was marshalled from the same struct; an empty one is the fallback
	out := &types.Cluster{
		Name: aws.String(c.Name), Arn: aws.String(c.ARN()), CreatedAt: new(c.CreatedAt), RoleArn: aws.String(c.RoleARN),
		Status: types.ClusterStatus(c.Status()), Tags: tags(c.Tags), Version: wanted.Version,
		ResourcesVpcConfig: &types.VpcConfigResponse{SubnetIds: []string{}, SecurityGroupIds: []string{}, PublicAccessCidrs: []string{}},
		Health:             &types.ClusterHealth{Issues: []types.ClusterIssue{}},
		Logging:            &types.Logging{ClusterLogging: []types.LogSetup{}},
		EncryptionConfig:   wanted.EncryptionConfig, DeletionProtection: aws.Bool(c.Protected),
	}
	if v := wanted.ResourcesVpcConfig; v != nil {
		r := out.ResourcesVpcConfig
		r.EndpointPrivateAccess, r.EndpointPublicAccess = aws.ToBool(v.EndpointPrivateAccess), aws.ToBool(v.EndpointPublicAccess)
		r.SubnetIds, r.SecurityGroupIds = append(r.SubnetIds, v.SubnetIds...), append(r.SecurityGroupIds, v.SecurityGroupIds...)
		r.PublicAccessCidrs = append(r.PublicAccessCidrs, v.PublicAccessCidrs...)
	}
	if n := wanted.KubernetesNetworkConfig; n != nil {
		out.KubernetesNetworkConfig = &types.KubernetesNetworkConfigResponse{IpFamily: n.IpFamily, ServiceIpv4Cidr: n.ServiceIpv4Cidr}
	}
	if a := wanted.AccessConfig; a != nil {
		out.AccessConfig = &types.AccessConfigResponse{
			AuthenticationMode: a.AuthenticationMode, BootstrapClusterCreatorAdminPermissions: a.BootstrapClusterCreatorAdminPermissions,
		}
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
	return out
}

func (s *service) listClusters(_ context.Context, c *api.Call, in *sdk.ListClustersInput) (*sdk.ListClustersOutput, error) {
	p, err := paging(in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	var names []string
	for found := range s.Clusters.All(c.Account()) {
		names = append(names, found.Name)
	}
	names, next := cutPage(p, names, func(n string) string { return n })
	return &sdk.ListClustersOutput{Clusters: names, NextToken: next}, nil
}

func (s *service) deleteCluster(ctx context.Context, c *api.Call, in *sdk.DeleteClusterInput) (*sdk.DeleteClusterOutput, error) {
	deleted, err := s.Clusters.Delete(ctx, c.Account(), *in.Name)
	if err != nil {
		return nil, err
	}
	c.Record.Touch(deleted.ARN(), deleted.Account, "AWS::EKS::Cluster")
	return &sdk.DeleteClusterOutput{Cluster: describeCluster(deleted)}, nil
}
