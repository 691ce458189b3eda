package eksapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/fault"
)

// noCapabilities is why there are no capabilities.
const noCapabilities = "podid runs no EKS Capabilities"

func (s *service) capabilityOperations() []api.AnyOperation {
	const text = "No capability found with name: %s."
	capability := func(c *api.Call, cluster, name *string) api.Resource {
		return within(c, "capability", aws.ToString(cluster), aws.ToString(name), "")
	}
	gone := func(ctx context.Context, c *api.Call, cluster, name *string) error {
		return s.missing(ctx, c, cluster, text, aws.ToString(name))
	}
	return []api.AnyOperation{
		never[sdk.CreateCapabilityInput, sdk.CreateCapabilityOutput](schemas.CreateCapability, noCapabilities,
			func(c *api.Call, in *sdk.CreateCapabilityInput) api.Resource { return s.cluster(c, in.ClusterName) },
			func(_ context.Context, _ *api.Call, in *sdk.CreateCapabilityInput) error {
				return fault.New(fault.Unsupported, "operation", "%s", noCapabilities).With("clusterName", *in.ClusterName)
			}),
		never[sdk.DescribeCapabilityInput, sdk.DescribeCapabilityOutput](schemas.DescribeCapability, noCapabilities,
			func(c *api.Call, in *sdk.DescribeCapabilityInput) api.Resource {
				return capability(c, in.ClusterName, in.CapabilityName)
			},
			func(ctx context.Context, c *api.Call, in *sdk.DescribeCapabilityInput) error {
				return gone(ctx, c, in.ClusterName, in.CapabilityName)
			}),
		never[sdk.UpdateCapabilityInput, sdk.UpdateCapabilityOutput](schemas.UpdateCapability, noCapabilities,
			func(c *api.Call, in *sdk.UpdateCapabilityInput) api.Resource {
				return capability(c, in.ClusterName, in.CapabilityName)
			},
			func(ctx context.Context, c *api.Call, in *sdk.UpdateCapabilityInput) error {
				return gone(ctx, c, in.ClusterName, in.CapabilityName)
			}),
		never[sdk.DeleteCapabilityInput, sdk.DeleteCapabilityOutput](schemas.DeleteCapability, noCapabilities,
			func(c *api.Call, in *sdk.DeleteCapabilityInput) api.Resource {
				return capability(c, in.ClusterName, in.CapabilityName)
			},
			func(ctx context.Context, c *api.Call, in *sdk.DeleteCapabilityInput) error {
				return gone(ctx, c, in.ClusterName, in.CapabilityName)
			}),
		none(s, schemas.ListCapabilities, noCapabilities,
			func(in *sdk.ListCapabilitiesInput) (*string, *int32, *string) {
				return in.ClusterName, in.MaxResults, in.NextToken
			},
			func() *sdk.ListCapabilitiesOutput {
				return &sdk.ListCapabilitiesOutput{Capabilities: []types.CapabilitySummary{}}
			}),
	}
}
