package iamapi

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
)

const maxNamespaces = 200

func (s *service) listPoliciesGrantingServiceAccess(
	_ context.Context, c *api.Call, in *sdk.ListPoliciesGrantingServiceAccessInput,
) (*sdk.ListPoliciesGrantingServiceAccessOutput, error) {
	if len(in.ServiceNamespaces) == 0 {
		return nil, missingList("serviceNamespaces")
	}
	if len(in.ServiceNamespaces) > maxNamespaces {
		return nil, fault.New(fault.Invalid, "parameter", "1 validation error detected: Value at 'serviceNamespaces' failed to satisfy constraint: "+
			"Member must have length less than or equal to %d", maxNamespaces)
	}
	for _, namespace := range in.ServiceNamespaces {
		if err := checkNamespace(namespace); err != nil {
			return nil, err
		}
	}
	e, err := s.entity(c.Account(), aws.ToString(in.Arn))
	if err != nil {
		return nil, err
	}
	wire := func(n numberedText) types.ListPoliciesGrantingServiceAccessEntry {
		return types.ListPoliciesGrantingServiceAccessEntry{ServiceNamespace: aws.String(n.text), Policies: e.granting(strings.ToLower(n.text))}
	}
	p, err := paged(numbered(in.ServiceNamespaces), func(n numberedText) string { return n.key }, wire, in.Marker, nil)
	if err != nil {
		return nil, err
	}
	return &sdk.ListPoliciesGrantingServiceAccessOutput{PoliciesGrantingServiceAccess: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}

// numberedText is an element of a list whose order is the caller's.
type numberedText struct{ key, text string }

func numbered(list []string) iter.Seq[numberedText] {
	return func(yield func(numberedText) bool) {
		for i, text := range list {
			if !yield(numberedText{fmt.Sprintf("%06d", i), text}) {
				return
			}
		}
	}
}

// granting are the policies of an entity that let it use something of a service.
func (e *entity) granting(service string) []types.PolicyGrantingServiceAccess {
	out := []types.PolicyGrantingServiceAccess{}
	seen := map[string]bool{}
	for _, h := range e.policies {
		switch {
		case !h.source.As(policy.Identity).Grants(service), h.arn != "" && seen[h.arn]:
		case h.arn != "":
			seen[h.arn] = true
			out = append(out, types.PolicyGrantingServiceAccess{
				PolicyName: aws.String(h.name), PolicyType: types.PolicyTypeManaged, PolicyArn: aws.String(h.arn),
			})
		default:
			out = append(out, types.PolicyGrantingServiceAccess{
				PolicyName: aws.String(h.name), PolicyType: types.PolicyTypeInline, EntityType: h.holder, EntityName: aws.String(h.holderName),
			})
		}
	}
	return out
}
