package eksapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/fault"
)

// noFargate is why there are no Fargate profiles.
const noFargate = "podid runs no pods: there are no Fargate profiles"

func (s *service) fargateOperations() []api.AnyOperation {
	const text = "No Fargate Profile found with name: %s."
	profile := func(c *api.Call, cluster, name *string) api.Resource {
		return within(c, "fargateprofile", aws.ToString(cluster), aws.ToString(name), "")
	}
	gone := func(ctx context.Context, c *api.Call, cluster, name *string) error {
		return s.missing(ctx, c, cluster, text, aws.ToString(name)).With("fargateProfileName", quotedMember(name))
	}
	return []api.AnyOperation{
		never[sdk.CreateFargateProfileInput, sdk.CreateFargateProfileOutput](schemas.CreateFargateProfile, noFargate,
			func(c *api.Call, in *sdk.CreateFargateProfileInput) api.Resource { return s.cluster(c, in.ClusterName) },
			func(_ context.Context, _ *api.Call, in *sdk.CreateFargateProfileInput) error {
				return fault.New(fault.Unsupported, "operation", "%s", noFargate).With("clusterName", *in.ClusterName)
			}),
		never[sdk.DescribeFargateProfileInput, sdk.DescribeFargateProfileOutput](schemas.DescribeFargateProfile, noFargate,
			func(c *api.Call, in *sdk.DescribeFargateProfileInput) api.Resource {
				return profile(c, in.ClusterName, in.FargateProfileName)
			},
			func(ctx context.Context, c *api.Call, in *sdk.DescribeFargateProfileInput) error {
				return gone(ctx, c, in.ClusterName, in.FargateProfileName)
			}),
		never[sdk.DeleteFargateProfileInput, sdk.DeleteFargateProfileOutput](schemas.DeleteFargateProfile, noFargate,
			func(c *api.Call, in *sdk.DeleteFargateProfileInput) api.Resource {
				return profile(c, in.ClusterName, in.FargateProfileName)
			},
			func(ctx context.Context, c *api.Call, in *sdk.DeleteFargateProfileInput) error {
				return gone(ctx, c, in.ClusterName, in.FargateProfileName)
			}),
		none(s, schemas.ListFargateProfiles, noFargate,
			func(in *sdk.ListFargateProfilesInput) (*string, *int32, *string) {
				return in.ClusterName, in.MaxResults, in.NextToken
			},
			func() *sdk.ListFargateProfilesOutput {
				return &sdk.ListFargateProfilesOutput{FargateProfileNames: []string{}}
			}),
	}
}
