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

func (s *service) subscriptionOperations() []api.AnyOperation {
	subscription := func(c *api.Call, id *string) api.Resource {
		return within(c, "eks-anywhere-subscription", aws.ToString(id))
	}
	gone := func(id *string) error {
		return fault.New(fault.NotFound, "thing", "No EKS Anywhere subscription found for ID: %s.", quotedMember(id)).
			With("subscriptionId", quotedMember(id))
	}
	return []api.AnyOperation{
		never[sdk.CreateEksAnywhereSubscriptionInput, sdk.CreateEksAnywhereSubscriptionOutput](schemas.CreateEksAnywhereSubscription, noSubscriptions,
			nil, func(context.Context, *api.Call, *sdk.CreateEksAnywhereSubscriptionInput) error {
				return badParameter("%s", noSubscriptions)
			}),
		never[sdk.DescribeEksAnywhereSubscriptionInput, sdk.DescribeEksAnywhereSubscriptionOutput](schemas.DescribeEksAnywhereSubscription, noSubscriptions,
			func(c *api.Call, in *sdk.DescribeEksAnywhereSubscriptionInput) api.Resource {
				return subscription(c, in.Id)
			},
			func(_ context.Context, _ *api.Call, in *sdk.DescribeEksAnywhereSubscriptionInput) error {
				return gone(in.Id)
			}),
		never[sdk.UpdateEksAnywhereSubscriptionInput, sdk.UpdateEksAnywhereSubscriptionOutput](schemas.UpdateEksAnywhereSubscription, noSubscriptions,
			func(c *api.Call, in *sdk.UpdateEksAnywhereSubscriptionInput) api.Resource {
				return subscription(c, in.Id)
			},
			func(_ context.Context, _ *api.Call, in *sdk.UpdateEksAnywhereSubscriptionInput) error {
				return gone(in.Id)
			}),
		never[sdk.DeleteEksAnywhereSubscriptionInput, sdk.DeleteEksAnywhereSubscriptionOutput](schemas.DeleteEksAnywhereSubscription, noSubscriptions,
			func(c *api.Call, in *sdk.DeleteEksAnywhereSubscriptionInput) api.Resource {
				return subscription(c, in.Id)
			},
			func(_ context.Context, _ *api.Call, in *sdk.DeleteEksAnywhereSubscriptionInput) error {
				return gone(in.Id)
			}),
		none(s, schemas.ListEksAnywhereSubscriptions, noSubscriptions,
			func(in *sdk.ListEksAnywhereSubscriptionsInput) (*string, *int32, *string) {
				return nil, in.MaxResults, in.NextToken
			},
			func() *sdk.ListEksAnywhereSubscriptionsOutput {
				return &sdk.ListEksAnywhereSubscriptionsOutput{Subscriptions: []types.EksAnywhereSubscription{}}
			}),
	}
}

func (s *service) authorityOperations() []api.AnyOperation {
	const text = "No certificate authority found for ID: %s."
	return []api.AnyOperation{
		never[sdk.CreateCertificateAuthorityInput, sdk.CreateCertificateAuthorityOutput](schemas.CreateCertificateAuthority, noAuthorities,
			func(c *api.Call, in *sdk.CreateCertificateAuthorityInput) api.Resource {
				return s.cluster(c, in.ClusterName)
			},
			func(ctx context.Context, c *api.Call, in *sdk.CreateCertificateAuthorityInput) error {
				if err := s.exists(ctx, c, "", *in.ClusterName); err != nil {
					return err
				}
				return badParameter("%s", noAuthorities).With("clusterName", *in.ClusterName)
			}),
		never[sdk.ActivateCertificateAuthorityInput, sdk.ActivateCertificateAuthorityOutput](schemas.ActivateCertificateAuthority, noAuthorities,
			func(c *api.Call, in *sdk.ActivateCertificateAuthorityInput) api.Resource {
				return s.cluster(c, in.ClusterName)
			},
			func(ctx context.Context, c *api.Call, in *sdk.ActivateCertificateAuthorityInput) error {
				return s.missing(ctx, c, in.ClusterName, text, aws.ToString(in.CertificateAuthorityId))
			}),
		never[sdk.DescribeCertificateAuthorityInput, sdk.DescribeCertificateAuthorityOutput](schemas.DescribeCertificateAuthority, noAuthorities,
			func(c *api.Call, in *sdk.DescribeCertificateAuthorityInput) api.Resource {
				return s.cluster(c, in.ClusterName)
			},
			func(ctx context.Context, c *api.Call, in *sdk.DescribeCertificateAuthorityInput) error {
				return s.missing(ctx, c, in.ClusterName, text, aws.ToString(in.CertificateAuthorityId))
			}),
		never[sdk.DeleteCertificateAuthorityInput, sdk.DeleteCertificateAuthorityOutput](schemas.DeleteCertificateAuthority, noAuthorities,
			func(c *api.Call, in *sdk.DeleteCertificateAuthorityInput) api.Resource {
				return s.cluster(c, in.ClusterName)
			},
			func(ctx context.Context, c *api.Call, in *sdk.DeleteCertificateAuthorityInput) error {
				return s.missing(ctx, c, in.ClusterName, text, aws.ToString(in.CertificateAuthorityId))
			}),
		none(s, schemas.ListCertificateAuthorities, noAuthorities,
			func(in *sdk.ListCertificateAuthoritiesInput) (*string, *int32, *string) {
				return in.ClusterName, in.MaxResults, in.NextToken
			},
			func() *sdk.ListCertificateAuthoritiesOutput {
				return &sdk.ListCertificateAuthoritiesOutput{CertificateAuthorities: []types.CertificateAuthoritySummary{}}
			}),
	}
}
