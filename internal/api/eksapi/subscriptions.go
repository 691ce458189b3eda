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

// noSubscriptions is why there are no subscriptions.
const noSubscriptions = "podid sells no EKS Anywhere subscriptions"

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
