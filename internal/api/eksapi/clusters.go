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
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
)

func (s *service) clusterOperations() []api.AnyOperation {
	create := on[sdk.CreateClusterInput, sdk.CreateClusterOutput](schemas.CreateCluster,
		func(c *api.Call, in *sdk.CreateClusterInput) api.Resource { return s.cluster(c, in.Name) })
	create.Check, create.Run = checkCreateCluster, s.createCluster
	create.Keys = createClusterKeys
	create.Refuses = api.Members{
		"KubeApiServerConfig": noControlPlane, "KubeControllerManagerConfig": noControlPlane, "KubeSchedulerConfig": noControlPlane,
		"OutpostConfig": "podid places nothing on Outposts",
	}
	create.Ignores = api.Members{"BootstrapSelfManagedAddons": "podid installs no add-ons of its own accord"}
	create.Keeps = keptSettings(api.Members{
		"EncryptionConfig": "podid does not encrypt Kubernetes' secrets",
		"Version":          "shown until the cluster is connected, and then what the cluster reports",
	})
	create.Differs = []string{
		"A cluster is CREATING until `podid cluster connect` connects it: podid makes no Kubernetes clusters.",
		"Subnets, security groups, networks and key ARNs are not looked up, and what was not asked of them has no defaults.",
	}

	describe := on[sdk.DescribeClusterInput, sdk.DescribeClusterOutput](schemas.DescribeCluster,
		func(c *api.Call, in *sdk.DescribeClusterInput) api.Resource { return s.cluster(c, in.Name) })
	describe.Run = func(ctx context.Context, c *api.Call, in *sdk.DescribeClusterInput) (*sdk.DescribeClusterOutput, error) {
		found, err := s.Clusters.Get(ctx, c.Account(), *in.Name)
		if err != nil {
			return nil, err
		}
		return &sdk.DescribeClusterOutput{Cluster: describeCluster(found)}, nil
	}
	describe.Differs = []string{
		"platformVersion, clusterSecurityGroupId and id are absent and vpcId is empty: there are no such things.",
		"endpoint, certificateAuthority, identity and version are what the connected cluster reports; the first two are empty where it reports none.",
	}

	list := on[sdk.ListClustersInput, sdk.ListClustersOutput](schemas.ListClusters, nil)
	list.Run = s.listClusters

	remove := on[sdk.DeleteClusterInput, sdk.DeleteClusterOutput](schemas.DeleteCluster,
		func(c *api.Call, in *sdk.DeleteClusterInput) api.Resource { return s.cluster(c, in.Name) })
	remove.Run = s.deleteCluster
	remove.Differs = []string{
		"The Kubernetes cluster itself goes on; `podid cluster disconnect` also removes from it what podid put there.",
		"A registered cluster is deleted, too.",
	}
	return []api.AnyOperation{api.Op(create), api.Op(describe), api.Op(list), api.Op(remove)}
}

// noControlPlane is why much about a cluster is only told.
const noControlPlane = "podid does not run the Kubernetes control plane"

// createClusterKeys are the condition keys of a cluster's settings. spec: pod-identity.md 1.7
func createClusterKeys(_ *api.Call, in *sdk.CreateClusterInput, k *policy.Context) {
	api.TagKeys(k, in.Tags)
	setText(k, "eks:kubernetesVersion", aws.ToString(in.Version))
	setBool(k, "eks:bootstrapSelfManagedAddons", in.BootstrapSelfManagedAddons)
	if a := in.AccessConfig; a != nil {
		setText(k, "eks:authenticationMode", string(a.AuthenticationMode))
		setBool(k, "eks:bootstrapClusterCreatorAdminPermissions", a.BootstrapClusterCreatorAdminPermissions)
	}
	encryptionKeys(k, in.EncryptionConfig)
	settingKeys(k, settings{
		vpc: in.ResourcesVpcConfig, logging: in.Logging, upgrade: in.UpgradePolicy, shift: in.ZonalShiftConfig,
		protection: in.DeletionProtection, scaling: in.ControlPlaneScalingConfig,
		compute: in.ComputeConfig, storage: in.StorageConfig, network: in.KubernetesNetworkConfig,
	})
}

// checkCreateCluster refuses what podid does not do and could be mistaken for done, and what is no word of EKS's.
func checkCreateCluster(in *sdk.CreateClusterInput) error {
	if err := checkAutoMode(in.ComputeConfig, in.StorageConfig, in.KubernetesNetworkConfig); err != nil {
		return err
	}
	if a := in.AccessConfig; a != nil {
		if err := oneOf("authenticationMode", a.AuthenticationMode); err != nil {
			return err
		}
		if b := a.BootstrapClusterCreatorAdminPermissions; b != nil && !*b &&
			(a.AuthenticationMode == "" || a.AuthenticationMode == types.AuthenticationModeConfigMap) {
			return badParameter("bootstrapClusterCreatorAdminPermissions must be true if cluster authentication mode is set to CONFIG_MAP")
		}
	}
	return checkSettings(in.Logging, in.UpgradePolicy, in.ControlPlaneScalingConfig)
}

// createCluster keeps what was asked for. The caller must be allowed to pass the cluster's role.
func (s *service) createCluster(ctx context.Context, c *api.Call, in *sdk.CreateClusterInput) (*sdk.CreateClusterOutput, error) {
	name := aws.ToString(in.Name)
	if err := required("name", name, "roleArn", aws.ToString(in.RoleArn)); err != nil {
		return nil, err
	}
	if in.ResourcesVpcConfig == nil {
		return nil, badParameter("resourcesVpcConfig is required; it may be empty").With("clusterName", name)
	}
	if err := passRole(c, *in.RoleArn, "eks.amazonaws.com"); err != nil {
		return nil, err
	}
	asked := cluster.Cluster{Account: c.Account(), Name: name, RoleARN: *in.RoleArn, Tags: in.Tags, Protected: aws.ToBool(in.DeletionProtection)}
	wanted := *in
	wanted.Name, wanted.RoleArn, wanted.Tags, wanted.ClientRequestToken, wanted.DeletionProtection = nil, nil, nil, nil, nil
	if a := in.AccessConfig; a != nil {
		asked.AuthenticationMode, asked.CreatorAdmin = string(a.AuthenticationMode), a.BootstrapClusterCreatorAdminPermissions
		wanted.AccessConfig = nil
	}
	// In a cluster with access entries its creator gets one, unless the creator says otherwise.
	if asked.CreatorAdmin == nil && asked.Mode() != cluster.ModeConfig {
		asked.CreatorAdmin = aws.Bool(true)
	}
	if aws.ToBool(asked.CreatorAdmin) {
		asked.Creator = creator(c)
	}
	var err error
	if asked.Settings, err = json.Marshal(wanted); err != nil {
		return nil, err
	}
	made, err := s.Clusters.Create(ctx, asked, aws.ToString(in.ClientRequestToken))
	if err != nil {
		return nil, err
	}
	c.Record.Touch(made.ARN(), made.Account, "AWS::EKS::Cluster")
	return &sdk.CreateClusterOutput{Cluster: describeCluster(made)}, nil
}

// creator is the caller as an access entry names one: the user, the role of a session, or the account's root user.
func creator(c *api.Call) string {
	switch p := c.Caller.Principal; p.Kind {
	case arn.IAMUser:
		return p.ARN
	case arn.RoleSession:
		return p.RoleARN
	case arn.FederatedUser:
		return p.UserARN
	case arn.RootUser:
		return arn.Root(p.Account)
	case arn.Anonymous, arn.Service, arn.WebIdentity:
	}
	return ""
}

// listClusters lists the clusters that were created, and with include=all the registered ones, too.
func (s *service) listClusters(_ context.Context, c *api.Call, in *sdk.ListClustersInput) (*sdk.ListClustersOutput, error) {
	p, err := paging(in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(in.Include, func(v string) bool { return v != "all" }); i >= 0 {
		return nil, badParameter("include is all, not %.100q", in.Include[i])
	}
	var names []string
	for found := range s.Clusters.All(c.Account()) {
		if found.Registration == nil || len(in.Include) > 0 {
			names = append(names, found.Name)
		}
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

func badParameter(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "parameter", format, args...)
}
