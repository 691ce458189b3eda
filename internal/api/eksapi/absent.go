package eksapi

import (
	"context"
	"reflect"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	smithy "github.com/aws/smithy-go"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
)

// What EKS runs beside clusters, and podid does not. Lists of it are empty, each of it is not found, and making it is refused.
const (
	noFargate       = "podid runs no pods: there are no Fargate profiles"
	noOIDC          = "podid does not configure how people sign in to Kubernetes: there are no identity provider configs of it. For pods' tokens see IAM's OpenID Connect providers"
	noCapabilities  = "podid runs no EKS Capabilities"
	noInsights      = "podid does not look into clusters: there are no insights"
	noSubscriptions = "podid sells no EKS Anywhere subscriptions"
	noAuthorities   = "podid does not run the Kubernetes control plane: its certificate authorities are its own"
)

// within is the resource that the parts of its ARN name, of the caller's account.
func within(c *api.Call, parts ...string) api.Resource {
	cluster := arn.Cluster(c.Region, c.Account(), "")
	return api.Resource{ARN: strings.TrimSuffix(cluster, "cluster/") + strings.Join(parts, "/"), Account: c.Account()}
}

// never is an operation that has one answer, a failure.
func never[In, Out any](
	schema *smithy.Schema, why string, resource func(*api.Call, *In) api.Resource, fail func(context.Context, *api.Call, *In) error,
) api.AnyOperation {
	o := on[In, Out](schema, resource)
	o.Differs = []string{"It always fails: " + why + "."}
	o.Ignores = api.Members{}
	for f := range reflect.TypeFor[In]().Fields() {
		label := "{" + strings.ToLower(f.Name[:1]) + f.Name[1:] + "}"
		if f.IsExported() && !strings.Contains(o.HTTP.URI, label) {
			o.Ignores[f.Name] = "the operation always fails"
		}
	}
	o.Run = func(ctx context.Context, c *api.Call, in *In) (*Out, error) { return nil, fail(ctx, c, in) }
	if strings.HasPrefix(o.Name, "Describe") {
		o.ReadOnly = true
	}
	return api.Op(o)
}

// none is a list that is empty. Of names where it is: the cluster, the size of a page and the token.
func none[In, Out any](
	s *service, schema *smithy.Schema, why string, of func(*In) (*string, *int32, *string), empty func() *Out,
) api.AnyOperation {
	o := on[In, Out](schema, func(c *api.Call, in *In) api.Resource {
		if name, _, _ := of(in); name != nil {
			return s.cluster(c, name)
		}
		return api.Resource{}
	})
	o.ReadOnly = true
	o.Differs = []string{"It is always empty: " + why + "."}
	o.Run = func(ctx context.Context, c *api.Call, in *In) (*Out, error) {
		name, size, token := of(in)
		if name != nil {
			if err := s.exists(ctx, c, o.Name, *name); err != nil {
				return nil, err
			}
		}
		if _, err := paging(size, token); err != nil {
			return nil, err
		}
		return empty(), nil
	}
	return api.Op(o)
}

// exists holds that there is the cluster that something is asked of.
func (s *service) exists(ctx context.Context, c *api.Call, operation, name string) error {
	_, err := s.Clusters.Get(ctx, c.Account(), name)
	if f := fault.Of(err); err != nil && f.Kind == fault.NotFound && operation == "ListCapabilities" {
		return badParameter("%s", f.Public).With("clusterName", name).Because(err) // its model has no other error
	}
	return err
}

// unsupported refuses what podid does not do, of a cluster that exists.
func (s *service) unsupported(ctx context.Context, c *api.Call, name *string, why string) error {
	if err := s.exists(ctx, c, "", aws.ToString(name)); err != nil {
		return err
	}
	return fault.New(fault.Unsupported, "operation", "%s", why).With("clusterName", *name)
}

// missing says that a cluster, if it exists, has no such thing.
func (s *service) missing(ctx context.Context, c *api.Call, cluster *string, format, name string) *fault.Error {
	if err := s.exists(ctx, c, "", aws.ToString(cluster)); err != nil {
		return fault.Of(err)
	}
	return fault.New(fault.NotFound, "thing", format, strings.ToValidUTF8(name[:min(len(name), 100)], "?")).With("clusterName", *cluster)
}

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

// quotedMember is a name as a member of an error carries it, cut to a length for people.
func quotedMember(name *string) string {
	text := aws.ToString(name)
	return strings.ToValidUTF8(text[:min(len(text), 100)], "?")
}
