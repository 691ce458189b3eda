package eksapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/podid/podid/internal/api"
)

// noAuthorities is why there are no certificate authorities.
const noAuthorities = "podid does not run the Kubernetes control plane: its certificate authorities are its own"

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
