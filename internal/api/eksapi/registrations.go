package eksapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/policy"
)

// registrationOperations announce clusters that run elsewhere already, and forget them.
func (s *service) registrationOperations() []api.AnyOperation {
	register := on[sdk.RegisterClusterInput, sdk.RegisterClusterOutput](schemas.RegisterCluster,
		func(c *api.Call, in *sdk.RegisterClusterInput) api.Resource { return s.cluster(c, in.Name) })
	register.Run = s.registerCluster
	register.Keys = func(_ *api.Call, in *sdk.RegisterClusterInput, k *policy.Context) { api.TagKeys(k, in.Tags) }
	register.Keeps = api.Members{"ConnectorConfig": "podid has no EKS Connector; provider and role are told, and the caller needs to be allowed to pass the role"}
	register.Differs = []string{
		"The activation id and code open nothing: `podid cluster connect NAME` connects a registered cluster as it does a created one, and then it is ACTIVE.",
		"A registered cluster may have pod identity associations, node groups and add-ons.",
	}

	deregister := on[sdk.DeregisterClusterInput, sdk.DeregisterClusterOutput](schemas.DeregisterCluster,
		func(c *api.Call, in *sdk.DeregisterClusterInput) api.Resource { return s.cluster(c, in.Name) })
	deregister.Run = func(ctx context.Context, c *api.Call, in *sdk.DeregisterClusterInput) (*sdk.DeregisterClusterOutput, error) {
		gone, err := s.Clusters.Deregister(ctx, c.Account(), *in.Name)
		if err != nil {
			return nil, err
		}
		c.Record.Touch(gone.ARN(), gone.Account, "AWS::EKS::Cluster")
		return &sdk.DeregisterClusterOutput{Cluster: describeCluster(gone)}, nil
	}
	return []api.AnyOperation{api.Op(register), api.Op(deregister)}
}

// registerCluster announces a cluster. The caller must be allowed to pass the connector's role, as to EKS.
func (s *service) registerCluster(ctx context.Context, c *api.Call, in *sdk.RegisterClusterInput) (*sdk.RegisterClusterOutput, error) {
	if err := required("name", aws.ToString(in.Name)); err != nil {
		return nil, err
	}
	config := in.ConnectorConfig
	if config == nil {
		return nil, badParameter("connectorConfig is required").With("clusterName", *in.Name)
	}
	if err := required("provider", string(config.Provider), "roleArn", aws.ToString(config.RoleArn)); err != nil {
		return nil, err
	}
	if err := oneOf("provider", config.Provider); err != nil {
		return nil, err
	}
	if err := passRole(c, *config.RoleArn, "ssm.amazonaws.com"); err != nil {
		return nil, err
	}
	made, err := s.Clusters.Register(ctx, cluster.Cluster{
		Account: c.Account(), Name: *in.Name, Tags: in.Tags,
		Registration: &cluster.Registration{Provider: string(config.Provider), RoleARN: *config.RoleArn},
	}, aws.ToString(in.ClientRequestToken))
	if err != nil {
		return nil, err
	}
	c.Record.Touch(made.ARN(), made.Account, "AWS::EKS::Cluster")
	return &sdk.RegisterClusterOutput{Cluster: describeCluster(made)}, nil
}
