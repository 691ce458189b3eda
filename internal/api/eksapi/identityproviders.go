package eksapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/policy"
)

// noOIDC is why there are no identity provider configs.
const noOIDC = "podid does not configure how people sign in to Kubernetes: there are no identity provider configs of it. " +
	"For pods' tokens see IAM's OpenID Connect providers"

func (s *service) identityProviderOperations() []api.AnyOperation {
	config := func(c *api.Call, cluster *string, p *types.IdentityProviderConfig) api.Resource {
		if p == nil {
			p = new(types.IdentityProviderConfig)
		}
		return within(c, "identityproviderconfig", aws.ToString(cluster), aws.ToString(p.Type), aws.ToString(p.Name), "")
	}
	gone := func(ctx context.Context, c *api.Call, cluster *string, p *types.IdentityProviderConfig) error {
		if p == nil || aws.ToString(p.Name) == "" || aws.ToString(p.Type) == "" {
			return badParameter("identityProviderConfig is required, with type and name").With("clusterName", aws.ToString(cluster))
		}
		return s.missing(ctx, c, cluster, "No identity provider config found with name: %s.", *p.Name)
	}
	associate := on[sdk.AssociateIdentityProviderConfigInput, sdk.AssociateIdentityProviderConfigOutput](schemas.AssociateIdentityProviderConfig,
		func(c *api.Call, in *sdk.AssociateIdentityProviderConfigInput) api.Resource {
			return s.cluster(c, in.ClusterName)
		})
	associate.Keys = func(_ *api.Call, in *sdk.AssociateIdentityProviderConfigInput, k *policy.Context) {
		api.TagKeys(k, in.Tags)
		setText(k, "eks:clusterName", aws.ToString(in.ClusterName))
		if in.Oidc != nil {
			setText(k, "eks:clientId", aws.ToString(in.Oidc.ClientId))
			setText(k, "eks:issuerUrl", aws.ToString(in.Oidc.IssuerUrl))
		}
	}
	associate.Differs = []string{"It always fails: " + noOIDC + "."}
	associate.Ignores = api.Members{"Oidc": noOIDC, "Tags": noOIDC, "ClientRequestToken": noOIDC}
	associate.Run = func(ctx context.Context, c *api.Call, in *sdk.AssociateIdentityProviderConfigInput) (*sdk.AssociateIdentityProviderConfigOutput, error) {
		return nil, s.unsupported(ctx, c, in.ClusterName, noOIDC)
	}
	return []api.AnyOperation{
		api.Op(associate),
		never[sdk.DescribeIdentityProviderConfigInput, sdk.DescribeIdentityProviderConfigOutput](schemas.DescribeIdentityProviderConfig, noOIDC,
			func(c *api.Call, in *sdk.DescribeIdentityProviderConfigInput) api.Resource {
				return config(c, in.ClusterName, in.IdentityProviderConfig)
			},
			func(ctx context.Context, c *api.Call, in *sdk.DescribeIdentityProviderConfigInput) error {
				return gone(ctx, c, in.ClusterName, in.IdentityProviderConfig)
			}),
		never[sdk.DisassociateIdentityProviderConfigInput, sdk.DisassociateIdentityProviderConfigOutput](schemas.DisassociateIdentityProviderConfig, noOIDC,
			func(c *api.Call, in *sdk.DisassociateIdentityProviderConfigInput) api.Resource {
				return config(c, in.ClusterName, in.IdentityProviderConfig)
			},
			func(ctx context.Context, c *api.Call, in *sdk.DisassociateIdentityProviderConfigInput) error {
				return gone(ctx, c, in.ClusterName, in.IdentityProviderConfig)
			}),
		none(s, schemas.ListIdentityProviderConfigs, noOIDC,
			func(in *sdk.ListIdentityProviderConfigsInput) (*string, *int32, *string) {
				return in.ClusterName, in.MaxResults, in.NextToken
			},
			func() *sdk.ListIdentityProviderConfigsOutput {
				return &sdk.ListIdentityProviderConfigsOutput{IdentityProviderConfigs: []types.IdentityProviderConfig{}}
			}),
	}
}
