package iamapi

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

// spec: pod-identity.md 6.2
func (s *service) addProviders(t *api.Typed) {
	create := with(call(s.createProvider, s.newProvider, "Url"),
		func(_ *api.Call, in *sdk.CreateOpenIDConnectProviderInput, keys *policy.Context) {
			requestKeys(keys, nil, in.Tags)
		})
	create.Differs = []string{
		"Without a list of thumbprints there are none: nothing is fetched from the issuer when a provider is made.",
		"Thumbprints count for certificates that neither the system nor --issuer-ca vouches for; a chain that is trusted needs none.",
		"Tokens of a cluster of the account are verified with the keys that the cluster reported, and its issuer is not fetched.",
		"Connecting a cluster makes the provider of its issuer, as podid's own roles in it need it. It can be created once more, with the client ids " +
			"that it has: it then gets the thumbprints and tags, as long as it has none.",
	}
	update := call(s.updateThumbprint, s.provider, "OpenIDConnectProviderArn")
	t.Operations = append(t.Operations,
		api.Op(create),
		api.Op(call(s.getProvider, s.provider, "OpenIDConnectProviderArn")),
		api.Op(call(s.listProviders, account)),
		api.Op(call(s.deleteProvider, s.provider, "OpenIDConnectProviderArn")),
		api.Op(call(s.addClientID, s.provider, "OpenIDConnectProviderArn", "ClientID")),
		api.Op(call(s.removeClientID, s.provider, "OpenIDConnectProviderArn", "ClientID")),
		api.Op(update),
		api.Op(tagging[sdk.TagOpenIDConnectProviderInput, sdk.TagOpenIDConnectProviderOutput](
			func(ctx context.Context, _ *api.Call, in *sdk.TagOpenIDConnectProviderInput) change {
				return s.providerTags(ctx, in.OpenIDConnectProviderArn)
			}, s.provider, "OpenIDConnectProviderArn")),
		api.Op(untagging[sdk.UntagOpenIDConnectProviderInput, sdk.UntagOpenIDConnectProviderOutput](
			func(ctx context.Context, _ *api.Call, in *sdk.UntagOpenIDConnectProviderInput) change {
				return s.providerTags(ctx, in.OpenIDConnectProviderArn)
			}, s.provider, "OpenIDConnectProviderArn")),
		api.Op(call(s.listProviderTags, s.provider, "OpenIDConnectProviderArn")),
	)
}

// newProvider is the provider that a request wants to make; a URL that is none is refused by the call itself.
func (s *service) newProvider(c *api.Call, in any) api.Resource {
	host, err := iam.ProviderHost(text(in, "Url"))
	if err != nil {
		return api.Resource{}
	}
	return api.Resource{ARN: arn.OIDCProvider(c.Account(), host), Account: c.Account()}
}

// provider is the provider that the member OpenIDConnectProviderArn names.
func (s *service) provider(_ *api.Call, in any) api.Resource {
	providerARN := text(in, "OpenIDConnectProviderArn")
	r := named(providerARN)
	if p, err := s.iam.GetProvider(providerARN); err == nil {
		r.Tags = p.Tags
	}
	return r
}

func (s *service) providerTags(ctx context.Context, providerARN *string) change {
	return func(f func(map[string]string) map[string]string) error {
		_, err := s.iam.UpdateProvider(ctx, aws.ToString(providerARN), func(p *iam.Provider) error {
			p.Tags = f(p.Tags)
			return nil
		})
		return err
	}
}

func (s *service) listProviderTags(
	_ context.Context, _ *api.Call, in *sdk.ListOpenIDConnectProviderTagsInput,
) (*sdk.ListOpenIDConnectProviderTagsOutput, error) {
	provider, err := s.iam.GetProvider(aws.ToString(in.OpenIDConnectProviderArn))
	if err != nil {
		return nil, err
	}
	p, err := tagPage(provider.Tags, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.ListOpenIDConnectProviderTagsOutput{Tags: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}

func (s *service) createProvider(
	ctx context.Context, c *api.Call, in *sdk.CreateOpenIDConnectProviderInput,
) (*sdk.CreateOpenIDConnectProviderOutput, error) {
	host, err := iam.ProviderHost(aws.ToString(in.Url))
	if err != nil {
		return nil, err
	}
	tags, err := newTags(c, "iam:TagOpenIDConnectProvider", s.newProvider(c, in), in.Tags)
	if err != nil {
		return nil, err
	}
	wanted := iam.Provider{Account: c.Account(), Host: host, ClientIDs: in.ClientIDList, Thumbprints: in.ThumbprintList, Tags: tags}
	p, err := s.iam.CreateProvider(ctx, wanted)
	if errors.Is(err, fault.Exists) && s.connected != nil && s.connected(c.Account(), *in.Url) {
		p, err = s.iam.AdoptProvider(ctx, wanted) // Terraform and ACK make one for every cluster, and take no "exists" for an answer
	}
	if err != nil {
		return nil, err
	}
	return &sdk.CreateOpenIDConnectProviderOutput{OpenIDConnectProviderArn: aws.String(p.ARN()), Tags: wireTags(p.Tags)}, nil
}

func (s *service) getProvider(
	_ context.Context, _ *api.Call, in *sdk.GetOpenIDConnectProviderInput,
) (*sdk.GetOpenIDConnectProviderOutput, error) {
	p, err := s.iam.GetProvider(aws.ToString(in.OpenIDConnectProviderArn))
	if err != nil {
		return nil, err
	}
	return &sdk.GetOpenIDConnectProviderOutput{
		Url: aws.String(p.Host), ClientIDList: listOf(p.ClientIDs), ThumbprintList: listOf(p.Thumbprints),
		CreateDate: aws.Time(p.CreatedAt), Tags: wireTags(p.Tags),
	}, nil
}

// listOf is a list that is in the answer even when it is empty.
func listOf(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func (s *service) listProviders(
	_ context.Context, c *api.Call, _ *sdk.ListOpenIDConnectProvidersInput,
) (*sdk.ListOpenIDConnectProvidersOutput, error) {
	list := []types.OpenIDConnectProviderListEntry{}
	for p := range s.iam.AllProviders(c.Account()) {
		list = append(list, types.OpenIDConnectProviderListEntry{Arn: aws.String(p.ARN())})
	}
	return &sdk.ListOpenIDConnectProvidersOutput{OpenIDConnectProviderList: list}, nil
}

// deleteProvider deletes; what is not there is deleted already, as AWS documents this call.
func (s *service) deleteProvider(
	ctx context.Context, _ *api.Call, in *sdk.DeleteOpenIDConnectProviderInput,
) (*sdk.DeleteOpenIDConnectProviderOutput, error) {
	err := s.iam.DeleteProvider(ctx, aws.ToString(in.OpenIDConnectProviderArn))
	if errors.Is(err, fault.NotFound) {
		err = nil
	}
	return &sdk.DeleteOpenIDConnectProviderOutput{}, err
}

func (s *service) addClientID(
	ctx context.Context, _ *api.Call, in *sdk.AddClientIDToOpenIDConnectProviderInput,
) (*sdk.AddClientIDToOpenIDConnectProviderOutput, error) {
	return &sdk.AddClientIDToOpenIDConnectProviderOutput{},
		s.iam.AddClientID(ctx, aws.ToString(in.OpenIDConnectProviderArn), aws.ToString(in.ClientID))
}

func (s *service) removeClientID(
	ctx context.Context, _ *api.Call, in *sdk.RemoveClientIDFromOpenIDConnectProviderInput,
) (*sdk.RemoveClientIDFromOpenIDConnectProviderOutput, error) {
	return &sdk.RemoveClientIDFromOpenIDConnectProviderOutput{},
		s.iam.RemoveClientID(ctx, aws.ToString(in.OpenIDConnectProviderArn), aws.ToString(in.ClientID))
}

func (s *service) updateThumbprint(
	ctx context.Context, _ *api.Call, in *sdk.UpdateOpenIDConnectProviderThumbprintInput,
) (*sdk.UpdateOpenIDConnectProviderThumbprintOutput, error) {
	_, err := s.iam.UpdateProvider(ctx, aws.ToString(in.OpenIDConnectProviderArn), func(p *iam.Provider) error {
		p.Thumbprints = in.ThumbprintList
		return nil
	})
	return &sdk.UpdateOpenIDConnectProviderThumbprintOutput{}, err
}
