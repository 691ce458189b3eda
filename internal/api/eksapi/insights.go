package eksapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/podid/podid/internal/api"
)

// noInsights is why there are no insights.
const noInsights = "podid does not look into clusters: there are no insights"

func (s *service) insightOperations() []api.AnyOperation {
	return []api.AnyOperation{
		never[sdk.DescribeInsightInput, sdk.DescribeInsightOutput](schemas.DescribeInsight, noInsights,
			func(c *api.Call, in *sdk.DescribeInsightInput) api.Resource { return s.cluster(c, in.ClusterName) },
			func(ctx context.Context, c *api.Call, in *sdk.DescribeInsightInput) error {
				return s.missing(ctx, c, in.ClusterName, "No insight found for ID: %s.", aws.ToString(in.Id))
			}),
		never[sdk.StartInsightsRefreshInput, sdk.StartInsightsRefreshOutput](schemas.StartInsightsRefresh, noInsights,
			func(c *api.Call, in *sdk.StartInsightsRefreshInput) api.Resource { return s.cluster(c, in.ClusterName) },
			func(ctx context.Context, c *api.Call, in *sdk.StartInsightsRefreshInput) error {
				return s.unsupported(ctx, c, in.ClusterName, noInsights)
			}),
		never[sdk.DescribeInsightsRefreshInput, sdk.DescribeInsightsRefreshOutput](schemas.DescribeInsightsRefresh, noInsights,
			func(c *api.Call, in *sdk.DescribeInsightsRefreshInput) api.Resource {
				return s.cluster(c, in.ClusterName)
			},
			func(ctx context.Context, c *api.Call, in *sdk.DescribeInsightsRefreshInput) error {
				return s.missing(ctx, c, in.ClusterName, "No insights refresh found for cluster: %s.", aws.ToString(in.ClusterName))
			}),
		none(s, schemas.ListInsights, noInsights,
			func(in *sdk.ListInsightsInput) (*string, *int32, *string) {
				return in.ClusterName, in.MaxResults, in.NextToken
			},
			func() *sdk.ListInsightsOutput { return &sdk.ListInsightsOutput{Insights: []types.InsightSummary{}} }),
	}
}
