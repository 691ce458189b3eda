package organizationsapi

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/organization"
)

func (s *service) addUnits(t *api.Typed) {
	t.Operations = append(t.Operations,
		api.Op(call(s, "ParentId", s.createUnit)),
		api.Op(call(s, "OrganizationalUnitId", s.describeUnit)),
		api.Op(call(s, "OrganizationalUnitId", s.updateUnit)),
		api.Op(call(s, "OrganizationalUnitId", s.deleteUnit)),
		api.Op(call(s, "ParentId", s.listUnits)),
		api.Op(call(s, "ChildId", s.listParents)),
		api.Op(call(s, "ParentId", s.listChildren)),
	)
}

func wireUnit(o *organization.Organization, id string) types.OrganizationalUnit {
	return types.OrganizationalUnit{
		Id: aws.String(id), Arn: aws.String(o.UnitARN(id)), Name: aws.String(o.Units[id].Name), Path: aws.String(o.Path(id)),
	}
}

func (s *service) createUnit(
	ctx context.Context, c *api.Call, in *sdk.CreateOrganizationalUnitInput,
) (*sdk.CreateOrganizationalUnitOutput, error) {
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	o, id, err := s.orgs.CreateUnit(ctx, c.Account(), aws.ToString(in.ParentId), aws.ToString(in.Name), tags)
	if err != nil {
		return nil, err
	}
	u := wireUnit(o, id)
	return &sdk.CreateOrganizationalUnitOutput{OrganizationalUnit: &u}, nil
}

func (s *service) describeUnit(
	_ context.Context, c *api.Call, in *sdk.DescribeOrganizationalUnitInput,
) (*sdk.DescribeOrganizationalUnitOutput, error) {
	o, err := s.orgs.View(c.Account())
	if err != nil {
		return nil, err
	}
	id := aws.ToString(in.OrganizationalUnitId)
	if _, err := o.FindUnit(id); err != nil {
		return nil, err
	}
	u := wireUnit(o, id)
	return &sdk.DescribeOrganizationalUnitOutput{OrganizationalUnit: &u}, nil
}

// updateUnit renames a unit; without a name it changes nothing and answers what there is.
func (s *service) updateUnit(
	ctx context.Context, c *api.Call, in *sdk.UpdateOrganizationalUnitInput,
) (*sdk.UpdateOrganizationalUnitOutput, error) {
	id := aws.ToString(in.OrganizationalUnitId)
	if in.Name == nil {
		out, err := s.describeUnit(ctx, c, &sdk.DescribeOrganizationalUnitInput{OrganizationalUnitId: &id})
		if err != nil {
			return nil, err
		}
		return &sdk.UpdateOrganizationalUnitOutput{OrganizationalUnit: out.OrganizationalUnit}, nil
	}
	o, err := s.orgs.RenameUnit(ctx, c.Account(), id, *in.Name)
	if err != nil {
		return nil, err
	}
	u := wireUnit(o, id)
	return &sdk.UpdateOrganizationalUnitOutput{OrganizationalUnit: &u}, nil
}

func (s *service) deleteUnit(
	ctx context.Context, c *api.Call, in *sdk.DeleteOrganizationalUnitInput,
) (*sdk.DeleteOrganizationalUnitOutput, error) {
	return nil, s.orgs.DeleteUnit(ctx, c.Account(), aws.ToString(in.OrganizationalUnitId))
}

func (s *service) listUnits(
	_ context.Context, c *api.Call, in *sdk.ListOrganizationalUnitsForParentInput,
) (*sdk.ListOrganizationalUnitsForParentOutput, error) {
	o, err := s.orgs.View(c.Account())
	if err != nil {
		return nil, err
	}
	ids, err := o.UnitsIn(aws.ToString(in.ParentId))
	if err != nil {
		return nil, err
	}
	p, err := paged(slices.Values(ids), self, func(id string) types.OrganizationalUnit { return wireUnit(o, id) }, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &sdk.ListOrganizationalUnitsForParentOutput{OrganizationalUnits: p.items, NextToken: p.next}, nil
}

func (s *service) listParents(_ context.Context, c *api.Call, in *sdk.ListParentsInput) (*sdk.ListParentsOutput, error) {
	o, err := s.orgs.View(c.Account())
	if err != nil {
		return nil, err
	}
	parent, err := o.Parent(aws.ToString(in.ChildId))
	if err != nil {
		return nil, err
	}
	p, err := paged(slices.Values([]string{parent}), self, func(id string) types.Parent {
		kind := types.ParentTypeOrganizationalUnit
		if id == o.RootID {
			kind = types.ParentTypeRoot
		}
		return types.Parent{Id: aws.String(id), Type: kind}
	}, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &sdk.ListParentsOutput{Parents: p.items, NextToken: p.next}, nil
}

func (s *service) listChildren(_ context.Context, c *api.Call, in *sdk.ListChildrenInput) (*sdk.ListChildrenOutput, error) {
	o, err := s.orgs.View(c.Account())
	if err != nil {
		return nil, err
	}
	children := o.UnitsIn
	if in.ChildType == types.ChildTypeAccount {
		children = o.AccountsIn
	}
	ids, err := children(aws.ToString(in.ParentId))
	if err != nil {
		return nil, err
	}
	p, err := paged(slices.Values(ids), self, func(id string) types.Child {
		return types.Child{Id: aws.String(id), Type: in.ChildType}
	}, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &sdk.ListChildrenOutput{Children: p.items, NextToken: p.next}, nil
}
