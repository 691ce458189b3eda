package eksapi

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
)

// versionOperations tell of Kubernetes versions, which clusters have and podid does not change.
func (s *service) versionOperations() []api.AnyOperation {
	update := on[sdk.UpdateClusterVersionInput, sdk.UpdateClusterVersionOutput](schemas.UpdateClusterVersion,
		func(c *api.Call, in *sdk.UpdateClusterVersionInput) api.Resource { return s.cluster(c, in.Name) })
	update.Run = s.updateVersion
	update.Keys = func(_ *api.Call, in *sdk.UpdateClusterVersionInput, k *policy.Context) {
		setText(k, "eks:kubernetesVersion", aws.ToString(in.Version))
	}
	update.Refuses = api.Members{"RollbackConfig": noControlPlane}
	update.Ignores = api.Members{"Force": "nothing is checked that could be forced"}
	update.Differs = []string{
		"The version is what the cluster reports. An update to that version is Successful, one to another version is refused: " + noControlPlane + ".",
	}

	versions := on[sdk.DescribeClusterVersionsInput, sdk.DescribeClusterVersionsOutput](schemas.DescribeClusterVersions, nil)
	versions.Run = s.describeVersions
	versions.Ignores = api.Members{"IncludeAll": "all versions are told anyway"}
	versions.Differs = []string{
		"The versions are those on which podid's add-on runs, which are STANDARD_SUPPORT, and those that clusters report, which otherwise are UNSUPPORTED.",
		"There are no dates and no platform versions.",
	}
	return []api.AnyOperation{api.Op(update), api.Op(versions)}
}

// updateVersion agrees to the version that the cluster has.
func (s *service) updateVersion(ctx context.Context, c *api.Call, in *sdk.UpdateClusterVersionInput) (*sdk.UpdateClusterVersionOutput, error) {
	version := aws.ToString(in.Version)
	if err := required("version", version); err != nil {
		return nil, err
	}
	home, err := s.Clusters.Get(ctx, c.Account(), *in.Name)
	if err != nil {
		return nil, err
	}
	u, err := s.Clusters.UpdateCluster(ctx, home.Account, home.Name, cluster.Change{
		Operation: "UpdateClusterVersion", Token: aws.ToString(in.ClientRequestToken), Request: version, Type: string(types.UpdateTypeVersionUpdate),
		Params: []cluster.UpdateParam{cluster.NewParam(string(types.UpdateParamTypeVersion), version)},
	}, func(now *cluster.Cluster) error {
		switch has := aws.ToString(describeCluster(now).Version); has {
		case version:
			return nil
		case "":
			return otherVersion("The cluster has not reported its Kubernetes version").With("clusterName", now.Name)
		default:
			return otherVersion("The Kubernetes version of the cluster is %s and cannot be updated to %.100q here: %s. "+
				"Update it where the cluster runs; podid then tells the new version", has, version, noControlPlane).With("clusterName", now.Name)
		}
	})
	if err != nil {
		return nil, err
	}
	c.Record.Touch(home.ARN(), home.Account, "AWS::EKS::Cluster")
	return &sdk.UpdateClusterVersionOutput{Update: describeClusterUpdate(u)}, nil
}

func otherVersion(format string, args ...any) *fault.Error {
	return fault.New(fault.Unsupported, "version", format, args...)
}

// describeVersions lists the versions, the newest first.
func (s *service) describeVersions(_ context.Context, c *api.Call, in *sdk.DescribeClusterVersionsInput) (*sdk.DescribeClusterVersionsOutput, error) {
	p, err := paging(in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	if err := oneOf("status", in.Status); err != nil {
		return nil, err
	}
	if err := oneOf("versionStatus", in.VersionStatus); err != nil {
		return nil, err
	}
	names := slices.Clone(kubernetesVersions)
	for _, v := range s.Clusters.Versions(c.Account()) {
		if !slices.Contains(names, v) {
			names = append(names, v)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(newestFirst(a), newestFirst(b)) })
	fits := func(v types.ClusterVersionInformation) bool {
		return (len(in.ClusterVersions) == 0 || slices.Contains(in.ClusterVersions, *v.ClusterVersion)) &&
			(!aws.ToBool(in.DefaultOnly) || v.DefaultVersion) && (in.Status == "" || in.Status == v.Status) &&
			(in.VersionStatus == "" || in.VersionStatus == v.VersionStatus) && (aws.ToString(in.ClusterType) == "" || *in.ClusterType == clusterType)
	}
	var list []types.ClusterVersionInformation
	for _, name := range names {
		v := types.ClusterVersionInformation{
			ClusterVersion: aws.String(name), ClusterType: aws.String(clusterType), DefaultVersion: name == kubernetesVersions[0],
			Status: types.ClusterVersionStatusUnsupported, VersionStatus: types.VersionStatusUnsupported,
		}
		if slices.Contains(kubernetesVersions, name) {
			v.Status, v.VersionStatus = types.ClusterVersionStatusStandardSupport, types.VersionStatusStandardSupport
		}
		if fits(v) {
			list = append(list, v)
		}
	}
	list, next := cutPage(p, list, func(v types.ClusterVersionInformation) string { return newestFirst(*v.ClusterVersion) })
	return &sdk.DescribeClusterVersionsOutput{ClusterVersions: list, NextToken: next}, nil
}

// clusterType is EKS's word for a cluster that is no local one on an Outpost.
const clusterType = "eks"

// newestFirst is a text for a version that sorts before those of older ones; what is no version comes last.
func newestFirst(version string) string {
	const most = 999
	var major, minor int
	if n, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil || n != 2 || major < 0 || minor < 0 || major > most || minor > most {
		return "~" + version
	}
	return fmt.Sprintf("%03d.%03d %s", most-major, most-minor, version)
}
