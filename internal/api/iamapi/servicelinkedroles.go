package iamapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

func (s *service) addServiceLinkedRoles(t *api.Typed) {
	create := with(call(s.createServiceLinkedRole, s.newServiceRole, "AWSServiceName"),
		func(_ *api.Call, in *sdk.CreateServiceLinkedRoleInput, keys *policy.Context) {
			keys.Set("iam:AWSServiceName", aws.ToString(in.AWSServiceName))
		})
	create.Differs = []string{
		"Nothing in podid acts under a service-linked role, so that no policy is attached to it.",
		"The services that have one are those that tools make clusters with: EKS and its parts, load balancing, auto scaling, spot, Organizations.",
	}
	remove := with(call(s.deleteServiceLinkedRole, s.role, "RoleName"),
		func(c *api.Call, in *sdk.DeleteServiceLinkedRoleInput, keys *policy.Context) {
			if r, ok := s.iam.FindRole(c.Account(), aws.ToString(in.RoleName)); ok && r.Service != "" {
				keys.Set("iam:AWSServiceName", r.Service)
			}
		})
	remove.Differs = []string{"The role is deleted at once, whatever its service still has in the account."}
	t.Operations = append(t.Operations,
		api.Op(create),
		api.Op(remove),
		api.Op(call(s.getServiceLinkedRoleDeletionStatus, account, "DeletionTaskId")),
		api.Op(call(s.updateRoleDescription, s.role, "RoleName", "Description")),
	)
}

// newServiceRole is the role that a service would have; for a service without one the call itself says so.
func (s *service) newServiceRole(c *api.Call, in any) api.Resource {
	path, name, err := iam.ServiceRoleName(text(in, "AWSServiceName"), text(in, "CustomSuffix"))
	if err != nil {
		return api.Resource{}
	}
	return api.Resource{ARN: arn.Role(c.Account(), path, name), Account: c.Account()}
}

func (s *service) createServiceLinkedRole(
	ctx context.Context, c *api.Call, in *sdk.CreateServiceLinkedRoleInput,
) (*sdk.CreateServiceLinkedRoleOutput, error) {
	r, err := s.iam.CreateServiceRole(ctx, c.Account(), aws.ToString(in.AWSServiceName), aws.ToString(in.CustomSuffix), aws.ToString(in.Description))
	if err != nil {
		return nil, err
	}
	return &sdk.CreateServiceLinkedRoleOutput{Role: s.wireRole(r)}, nil
}

func (s *service) deleteServiceLinkedRole(
	ctx context.Context, c *api.Call, in *sdk.DeleteServiceLinkedRoleInput,
) (*sdk.DeleteServiceLinkedRoleOutput, error) {
	task, err := s.iam.DeleteServiceRole(ctx, c.Account(), aws.ToString(in.RoleName))
	if err != nil {
		return nil, err
	}
	return &sdk.DeleteServiceLinkedRoleOutput{DeletionTaskId: aws.String(task)}, nil
}

func (s *service) getServiceLinkedRoleDeletionStatus(
	_ context.Context, c *api.Call, in *sdk.GetServiceLinkedRoleDeletionStatusInput,
) (*sdk.GetServiceLinkedRoleDeletionStatusOutput, error) {
	if err := s.iam.ServiceRoleDeleted(c.Account(), aws.ToString(in.DeletionTaskId)); err != nil {
		return nil, err
	}
	return &sdk.GetServiceLinkedRoleDeletionStatusOutput{Status: types.DeletionTaskStatusTypeSucceeded}, nil
}

func (s *service) updateRoleDescription(
	ctx context.Context, c *api.Call, in *sdk.UpdateRoleDescriptionInput,
) (*sdk.UpdateRoleDescriptionOutput, error) {
	r, err := s.iam.UpdateRole(ctx, c.Account(), aws.ToString(in.RoleName), func(r *iam.Role) error {
		r.Description = aws.ToString(in.Description)
		return nil
	})
	if err != nil {
		return nil, err
	}
	w := s.listedRole(r)
	return &sdk.UpdateRoleDescriptionOutput{Role: &w}, nil
}
