package iamapi

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/iam"
)

// listEntitiesForPolicy pages through the groups, roles and users that hold a policy as through one list.
func (s *service) listEntitiesForPolicy(
	_ context.Context, c *api.Call, in *sdk.ListEntitiesForPolicyInput,
) (*sdk.ListEntitiesForPolicyOutput, error) {
	policyARN := aws.ToString(in.PolicyArn)
	if _, err := s.iam.GetPolicy(policyARN); err != nil {
		return nil, err
	}
	holders := api.Where(s.iam.Holders(c.Account()), func(h iam.Holder) bool {
		return ofKind(h, in.EntityFilter) && pathPrefix(h.Path, in.PathPrefix) && holds(h, policyARN, in.PolicyUsageFilter)
	})
	p, err := paged(holders, func(h iam.Holder) string { return h.Kind + "/" + strings.ToLower(h.Name) },
		func(h iam.Holder) iam.Holder { return h }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &sdk.ListEntitiesForPolicyOutput{
		PolicyGroups: []types.PolicyGroup{}, PolicyRoles: []types.PolicyRole{}, PolicyUsers: []types.PolicyUser{},
		IsTruncated: p.truncated, Marker: p.marker,
	}
	for _, h := range p.items {
		name, id := aws.String(h.Name), aws.String(h.ID)
		switch h.Kind {
		case "group":
			out.PolicyGroups = append(out.PolicyGroups, types.PolicyGroup{GroupName: name, GroupId: id})
		case "role":
			out.PolicyRoles = append(out.PolicyRoles, types.PolicyRole{RoleName: name, RoleId: id})
		case "user":
			out.PolicyUsers = append(out.PolicyUsers, types.PolicyUser{UserName: name, UserId: id})
		}
	}
	return out, nil
}

// ofKind tells whether a list that was asked for kinds shows a holder. The kinds of policies show nobody.
func ofKind(h iam.Holder, kind types.EntityType) bool {
	return strings.EqualFold(h.Kind, cmp.Or(string(kind), h.Kind))
}

// holds tells whether a policy is attached to a holder, or its boundary, as far as the filter asks for either.
func holds(h iam.Holder, policyARN string, filter types.PolicyUsageType) bool {
	return filter != types.PolicyUsageTypePermissionsBoundary && slices.Contains(h.Attached, policyARN) ||
		filter != types.PolicyUsageTypePermissionsPolicy && h.Boundary == policyARN
}
