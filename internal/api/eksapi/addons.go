package eksapi

import (
	"cmp"
	"context"
	"fmt"
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

// kubernetesVersions are those that the add-on runs on, newest first.
var kubernetesVersions = []string{"1.36", "1.35", "1.34", "1.33", "1.32", "1.31", "1.30", "1.29", "1.28"}

// The one add-on that podid ships, the version of it, and the namespace of its pods.
const (
	agentAddon     = "eks-pod-identity-agent"
	agentVersion   = "v1.0.0-podid.1"
	agentNamespace = "kube-system"

	maxServiceAccountRole = 255      // characters of an ARN that is kept and told, no more
	maxConfiguration      = 64 << 10 // bytes
)

// addon is the resource of an operation on an add-on. One that does not exist has an ARN without the last part.
func (s *service) addon(c *api.Call, clusterName, name *string) api.Resource {
	if a, err := s.Clusters.Addon(c.Account(), aws.ToString(clusterName), aws.ToString(name)); err == nil {
		return api.Resource{ARN: a.ARN(), Account: a.Account, Tags: a.Tags}
	}
	return api.Resource{ARN: arn.Addon(c.Region, c.Account(), aws.ToString(clusterName), aws.ToString(name), ""), Account: c.Account()}
}

func (s *service) addonOperations() []api.AnyOperation {
	create := on[sdk.CreateAddonInput, sdk.CreateAddonOutput](schemas.CreateAddon,
		func(c *api.Call, in *sdk.CreateAddonInput) api.Resource { return s.cluster(c, in.ClusterName) })
	create.Run = s.createAddon
	create.Keeps = api.Members{"ServiceAccountRoleArn": "the agent acts with the role of its nodes"}
	create.Ignores = api.Members{"ResolveConflicts": "the operator keeps what the add-on says as it says, and leaves what it does not mention alone"}
	create.Differs = []string{
		"There is one add-on, " + agentAddon + ", and one version of it: podid's own.",
		"It is CREATING until the cluster reports that it runs. In a cluster that was never connected, one that is deleted is gone at once.",
		"An add-on has at most 20 associations.",
	}
	create.Keys = func(_ *api.Call, in *sdk.CreateAddonInput, k *policy.Context) { api.TagKeys(k, in.Tags) }

	describe := on[sdk.DescribeAddonInput, sdk.DescribeAddonOutput](schemas.DescribeAddon,
		func(c *api.Call, in *sdk.DescribeAddonInput) api.Resource {
			return s.addon(c, in.ClusterName, in.AddonName)
		})
	describe.Run = func(ctx context.Context, c *api.Call, in *sdk.DescribeAddonInput) (*sdk.DescribeAddonOutput, error) {
		home, err := s.Clusters.Get(ctx, c.Account(), *in.ClusterName)
		if err != nil {
			return nil, err
		}
		a, err := s.Clusters.Addon(home.Account, home.Name, *in.AddonName)
		if err != nil {
			return nil, err
		}
		return &sdk.DescribeAddonOutput{Addon: s.describeAddon(a)}, nil
	}

	list := on[sdk.ListAddonsInput, sdk.ListAddonsOutput](schemas.ListAddons,
		func(c *api.Call, in *sdk.ListAddonsInput) api.Resource { return s.cluster(c, in.ClusterName) })
	list.Run = func(ctx context.Context, c *api.Call, in *sdk.ListAddonsInput) (*sdk.ListAddonsOutput, error) {
		home, err := s.Clusters.Get(ctx, c.Account(), *in.ClusterName)
		if err != nil {
			return nil, err
		}
		p, err := paging(in.MaxResults, in.NextToken)
		if err != nil {
			return nil, err
		}
		var names []string
		for a := range s.Clusters.Addons(home.Account, home.Name) {
			names = append(names, a.Name)
		}
		names, next := cutPage(p, names, func(n string) string { return n })
		return &sdk.ListAddonsOutput{Addons: names, NextToken: next}, nil
	}

	remove := on[sdk.DeleteAddonInput, sdk.DeleteAddonOutput](schemas.DeleteAddon,
		func(c *api.Call, in *sdk.DeleteAddonInput) api.Resource {
			return s.addon(c, in.ClusterName, in.AddonName)
		})
	remove.Run = func(ctx context.Context, c *api.Call, in *sdk.DeleteAddonInput) (*sdk.DeleteAddonOutput, error) {
		home, err := s.Clusters.Get(ctx, c.Account(), *in.ClusterName)
		if err != nil {
			return nil, err
		}
		a, err := s.Clusters.DeleteAddon(ctx, home.Account, home.Name, *in.AddonName, in.Preserve)
		if err != nil {
			return nil, err
		}
		c.Record.Touch(a.ARN(), a.Account, "AWS::EKS::Addon")
		return &sdk.DeleteAddonOutput{Addon: s.describeAddon(a)}, nil
	}

	versions := on[sdk.DescribeAddonVersionsInput, sdk.DescribeAddonVersionsOutput](schemas.DescribeAddonVersions, nil)
	versions.Run = describeAddonVersions
	ops := []api.AnyOperation{api.Op(create), api.Op(describe), api.Op(list), api.Op(remove), api.Op(versions)}
	return append(ops, s.updateOperations()...)
}

// createAddon makes the add-on with the associations that it owns.
func (s *service) createAddon(ctx context.Context, c *api.Call, in *sdk.CreateAddonInput) (*sdk.CreateAddonOutput, error) {
	name := aws.ToString(in.AddonName)
	if err := required("addonName", name); err != nil {
		return nil, err
	}
	if name != agentAddon {
		return nil, fault.New(fault.Invalid, "parameter", "Addon %.100q specified is not supported: podid has %s", name, agentAddon).
			With("clusterName", *in.ClusterName)
	}
	version := cmp.Or(aws.ToString(in.AddonVersion), agentVersion)
	if err := checkAddon(*in.ClusterName, name, &version, in.ServiceAccountRoleArn, in.ConfigurationValues); err != nil {
		return nil, err
	}
	home, err := s.Clusters.Get(ctx, c.Account(), *in.ClusterName)
	if err != nil {
		return nil, err
	}
	namespace := agentNamespace
	if in.NamespaceConfig != nil && aws.ToString(in.NamespaceConfig.Namespace) != "" {
		namespace = *in.NamespaceConfig.Namespace
	}
	owned, err := s.ownAssociations(c, home, namespace, in.PodIdentityAssociations)
	if err != nil {
		return nil, err
	}
	made, err := s.Clusters.CreateAddon(ctx, cluster.Addon{
		Account: home.Account, Cluster: home.Name, Name: name, Version: version, ServiceAccountRole: aws.ToString(in.ServiceAccountRoleArn),
		Configuration: aws.ToString(in.ConfigurationValues), Namespace: namespace, Tags: in.Tags,
	}, owned, aws.ToString(in.ClientRequestToken))
	if err != nil {
		return nil, addonLimit(err, home.Name, name)
	}
	c.Record.Touch(made.ARN(), made.Account, "AWS::EKS::Addon")
	return &sdk.CreateAddonOutput{Addon: s.describeAddon(made)}, nil
}

func badAddon(clusterName, name, format string, args ...any) error {
	return fault.New(fault.Invalid, "parameter", format, args...).With("addonName", fmt.Sprintf("%.100s", name)).
		With("clusterName", fmt.Sprintf("%.100s", clusterName))
}

// checkAddon checks what is asked of an add-on, where it is.
func checkAddon(clusterName, name string, version, role, configuration *string) error {
	if version != nil && *version != agentVersion {
		return badAddon(clusterName, name, "Addon version specified is not supported: podid has %s", agentVersion)
	}
	if len(aws.ToString(role)) > maxServiceAccountRole {
		return badAddon(clusterName, name, "serviceAccountRoleArn has at most %d characters", maxServiceAccountRole)
	}
	if err := checkConfiguration(aws.ToString(configuration)); err != nil {
		return badAddon(clusterName, name, "ConfigurationValue provided in request is not supported: %s", err)
	}
	return nil
}

// addonLimit words a limit of associations, for which the model of these operations has no error of its own. Other failures stay what they are.
func addonLimit(err error, clusterName, name string) error {
	f := fault.Of(err)
	if f.Kind != fault.Limit || f.Subject == "store" {
		return err
	}
	return fault.New(fault.Conflict, f.Subject, "%s", f.Public).With("addonName", name).With("clusterName", clusterName).Because(err)
}

// ownAssociations checks the associations that an add-on asks for, as if its caller made them.
func (s *service) ownAssociations(
	c *api.Call, home *cluster.Cluster, namespace string, asked []types.AddonPodIdentityAssociations,
) ([]cluster.ServiceAccountRole, error) {
	var list []cluster.ServiceAccountRole
	for _, p := range asked {
		account, role := aws.ToString(p.ServiceAccount), aws.ToString(p.RoleArn)
		if slices.ContainsFunc(list, func(before cluster.ServiceAccountRole) bool { return before.ServiceAccount == account }) {
			return nil, fault.New(fault.Invalid, "parameter", "podIdentityAssociations names the service account %s twice", account).
				With("clusterName", home.Name)
		}
		if err := c.Authorize("eks:CreatePodIdentityAssociation", s.cluster(c, &home.Name), nil); err != nil {
			return nil, err
		}
		if err := s.check(c, home, namespace, account, role); err != nil {
			return nil, err
		}
		list = append(list, cluster.ServiceAccountRole{ServiceAccount: account, RoleARN: role})
	}
	return list, nil
}

func (s *service) describeAddon(a *cluster.Addon) *types.Addon {
	report := s.Clusters.Report(a.Account, a.Cluster)
	out := &types.Addon{
		AddonName: aws.String(a.Name), AddonArn: aws.String(a.ARN()), AddonVersion: aws.String(a.Version), ClusterName: aws.String(a.Cluster),
		Status: types.AddonStatus(a.Status(report)), CreatedAt: new(a.CreatedAt), ModifiedAt: new(a.ModifiedAt), Tags: tags(a.Tags),
		ConfigurationValues: optional(a.Configuration), ServiceAccountRoleArn: optional(a.ServiceAccountRole),
		Health: &types.AddonHealth{Issues: []types.AddonIssue{}}, NamespaceConfig: &types.AddonNamespaceConfigResponse{Namespace: aws.String(a.Namespace)},
		PodIdentityAssociations: a.AssociationARNs(),
	}
	running, ok := a.Running(report)
	switch {
	case ok && !running.Healthy:
		out.Health.Issues = append(out.Health.Issues, types.AddonIssue{
			Code: types.AddonIssueCodeInternalFailure, Message: aws.String(cmp.Or(running.Message, "The cluster reports that the add-on is not healthy")),
		})
	case !ok && a.WasActive && !a.Deleting:
		out.Health.Issues = append(out.Health.Issues, types.AddonIssue{
			Code: types.AddonIssueCodeK8sResourceNotFound, Message: aws.String("The cluster no longer reports the add-on"),
		})
	}
	return out
}

// describeAddonVersions answers with the one add-on where the filters let it through.
func describeAddonVersions(_ context.Context, _ *api.Call, in *sdk.DescribeAddonVersionsInput) (*sdk.DescribeAddonVersionsOutput, error) {
	if _, err := paging(in.MaxResults, in.NextToken); err != nil {
		return nil, err
	}
	const kind, maker = "security", "podid"
	fits := func(filter []string, value string) bool { return len(filter) == 0 || slices.Contains(filter, value) }
	out := &sdk.DescribeAddonVersionsOutput{Addons: []types.AddonInfo{}}
	if name := aws.ToString(in.AddonName); (name != "" && name != agentAddon) ||
		!fits(in.Types, kind) || !fits(in.Publishers, maker) || !fits(in.Owners, maker) {
		return out, nil
	}
	runsOn := []types.Compatibility{}
	for _, version := range kubernetesVersions {
		if asked := aws.ToString(in.KubernetesVersion); asked == "" || asked == version {
			runsOn = append(runsOn, types.Compatibility{ClusterVersion: aws.String(version), PlatformVersions: []string{"*"}, DefaultVersion: true})
		}
	}
	if len(runsOn) == 0 {
		return out, nil
	}
	out.Addons = append(out.Addons, types.AddonInfo{
		AddonName: aws.String(agentAddon), Type: aws.String(kind), Publisher: aws.String(maker), Owner: aws.String(maker),
		DefaultNamespace: aws.String(agentNamespace),
		AddonVersions: []types.AddonVersionInfo{{
			AddonVersion: aws.String(agentVersion), Architecture: []string{"amd64", "arm64"}, ComputeTypes: []string{}, Compatibilities: runsOn,
		}},
	})
	return out, nil
}
