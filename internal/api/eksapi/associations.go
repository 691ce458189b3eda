package eksapi

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
)

// servicePrincipal is who assumes the role of an association.
const servicePrincipal = "pods.eks.amazonaws.com"

func passedTo(service string) func(*policy.Context) {
	return func(k *policy.Context) { k.Set("iam:PassedToService", service) }
}

// association is the resource of an operation on an association.
func (s *service) association(c *api.Call, clusterName, id *string) api.Resource {
	r := api.Resource{
		ARN: arn.Association(c.Region, c.Account(), aws.ToString(clusterName), aws.ToString(id)), Account: c.Account(),
	}
	if t, err := s.Clusters.Tagged(c.Account(), r.ARN); err == nil {
		r.Tags = t.Tags
	}
	return r
}

func (s *service) associationOperations() []api.AnyOperation {
	create := on[sdk.CreatePodIdentityAssociationInput, sdk.CreatePodIdentityAssociationOutput](schemas.CreatePodIdentityAssociation,
		func(c *api.Call, in *sdk.CreatePodIdentityAssociationInput) api.Resource {
			return s.cluster(c, in.ClusterName)
		})
	create.Run = s.createAssociation
	create.Keys = func(_ *api.Call, in *sdk.CreatePodIdentityAssociationInput, k *policy.Context) {
		api.TagKeys(k, in.Tags)
	}
	create.Differs = []string{
		"In a cluster with the tag " + cluster.TagPatterns + "=true, namespace and serviceAccount may be patterns, in which * stands for any number of " +
			"characters. The most specific association counts; two that could be equally specific for a service account are refused as if they were the same.",
		"The tags " + cluster.TagSessionTags + ", " + cluster.TagSessionTag + "KEY and " + cluster.TagSessionName + " choose the session tags and the name of " +
			"sessions. Other tags that begin with podid.io/ are refused.",
		"The trust policy of the role must name pods.eks.amazonaws.com.",
		"The externalId of a pattern has the pattern in it; what is sent to the target role has the pod's own namespace and service account.",
	}

	list := on[sdk.ListPodIdentityAssociationsInput, sdk.ListPodIdentityAssociationsOutput](schemas.ListPodIdentityAssociations,
		func(c *api.Call, in *sdk.ListPodIdentityAssociationsInput) api.Resource {
			return s.cluster(c, in.ClusterName)
		})
	list.Run = s.listAssociations
	list.Differs = []string{"The filters are compared with the names that an association was made for, also where these are patterns."}

	describe := on[sdk.DescribePodIdentityAssociationInput, sdk.DescribePodIdentityAssociationOutput](schemas.DescribePodIdentityAssociation,
		func(c *api.Call, in *sdk.DescribePodIdentityAssociationInput) api.Resource {
			return s.association(c, in.ClusterName, in.AssociationId)
		})
	describe.Run = func(ctx context.Context, c *api.Call, in *sdk.DescribePodIdentityAssociationInput) (*sdk.DescribePodIdentityAssociationOutput, error) {
		a, err := s.Clusters.Association(ctx, c.Account(), *in.ClusterName, *in.AssociationId)
		if err != nil {
			return nil, err
		}
		return &sdk.DescribePodIdentityAssociationOutput{Association: describeAssociation(a)}, nil
	}

	update := on[sdk.UpdatePodIdentityAssociationInput, sdk.UpdatePodIdentityAssociationOutput](schemas.UpdatePodIdentityAssociation,
		func(c *api.Call, in *sdk.UpdatePodIdentityAssociationInput) api.Resource {
			return s.association(c, in.ClusterName, in.AssociationId)
		})
	update.Run = s.updateAssociation
	update.Differs = []string{"An empty targetRoleArn or policy removes what there is."}

	remove := on[sdk.DeletePodIdentityAssociationInput, sdk.DeletePodIdentityAssociationOutput](schemas.DeletePodIdentityAssociation,
		func(c *api.Call, in *sdk.DeletePodIdentityAssociationInput) api.Resource {
			return s.association(c, in.ClusterName, in.AssociationId)
		})
	remove.Run = func(ctx context.Context, c *api.Call, in *sdk.DeletePodIdentityAssociationInput) (*sdk.DeletePodIdentityAssociationOutput, error) {
		a, err := s.Clusters.DeleteAssociation(ctx, c.Account(), *in.ClusterName, *in.AssociationId)
		if err != nil {
			return nil, err
		}
		c.Record.Touch(a.ARN(), a.Account, "AWS::EKS::PodIdentityAssociation")
		return &sdk.DeletePodIdentityAssociationOutput{Association: describeAssociation(a)}, nil
	}
	return []api.AnyOperation{api.Op(create), api.Op(list), api.Op(describe), api.Op(update), api.Op(remove)}
}

// createAssociation checks in the order of spec 1.4.
func (s *service) createAssociation(
	ctx context.Context, c *api.Call, in *sdk.CreatePodIdentityAssociationInput,
) (*sdk.CreatePodIdentityAssociationOutput, error) {
	if err := required("namespace", aws.ToString(in.Namespace), "serviceAccount", aws.ToString(in.ServiceAccount), "roleArn", aws.ToString(in.RoleArn)); err != nil {
		return nil, err
	}
	home, err := s.Clusters.Get(ctx, c.Account(), *in.ClusterName)
	if err != nil {
		return nil, err
	}
	wanted := cluster.Association{
		Account: home.Account, Cluster: home.Name, Namespace: *in.Namespace, ServiceAccount: *in.ServiceAccount, RoleARN: *in.RoleArn,
		TargetRoleARN: aws.ToString(in.TargetRoleArn), Policy: aws.ToString(in.Policy), DisableSessionTags: aws.ToBool(in.DisableSessionTags),
		Tags: in.Tags,
	}
	if err := s.Clusters.CheckIdentity(ctx, home, wanted.Namespace, wanted.ServiceAccount); err != nil {
		return nil, err
	}
	if err := s.checkRole(c, home.Account, home.Name, wanted.RoleARN); err != nil {
		return nil, err
	}
	a, err := s.Clusters.CreateAssociation(ctx, wanted, aws.ToString(in.ClientRequestToken))
	if err != nil {
		return nil, err
	}
	c.Record.Touch(a.ARN(), a.Account, "AWS::EKS::PodIdentityAssociation")
	return &sdk.CreatePodIdentityAssociationOutput{Association: describeAssociation(a)}, nil
}

// check is what the registry cannot know of an association: whether the caller may pass the role, and whether the role exists
// and lets pods in. Names and role are looked at first, in the order of spec 1.4, checks 4 to 8.
func (s *service) check(c *api.Call, home *cluster.Cluster, namespace, serviceAccount, roleARN string) error {
	if err := cluster.CheckServiceAccount(namespace, serviceAccount); err != nil {
		return err
	}
	return s.checkRole(c, home.Account, home.Name, roleARN)
}

func (s *service) checkRole(c *api.Call, account, clusterName, roleARN string) error {
	if err := cluster.CheckRole(account, roleARN); err != nil {
		return err
	}
	if err := c.Authorize("iam:PassRole", api.Resource{ARN: roleARN, Account: account}, passedTo(servicePrincipal)); err != nil {
		return err
	}
	name, err := arn.ParseRole(roleARN)
	if err != nil {
		return err
	}
	role, ok := s.IAM.FindRole(name.Account, name.Name)
	if !ok || role.ARN() != roleARN {
		return fault.New(fault.Invalid, "parameter", "Role provided in the request does not exist: %s", roleARN).With("clusterName", clusterName)
	}
	// A look, not a decision: what it allows, and under which conditions, is for the moment when the role is assumed.
	if !slices.Contains(role.Trust.As(policy.Trust).Principals(), policy.Principal{Type: "Service", Value: servicePrincipal}) {
		return fault.New(fault.Invalid, "parameter", "The trust policy of the role %s does not let pods in: allow the service principal %s "+
			"the actions sts:AssumeRole and sts:TagSession", roleARN, servicePrincipal).With("clusterName", clusterName)
	}
	return nil
}

// updateAssociation changes the members that are given; an empty text removes a value. The checks are those of a create. A member
// may be given as it is already: so a client can repeat a request whose answer was lost. spec: pod-identity.md 1.5
func (s *service) updateAssociation(
	ctx context.Context, c *api.Call, in *sdk.UpdatePodIdentityAssociationInput,
) (*sdk.UpdatePodIdentityAssociationOutput, error) {
	if in.RoleArn == nil && in.TargetRoleArn == nil && in.Policy == nil && in.DisableSessionTags == nil {
		return nil, fault.New(fault.Invalid, "parameter", "Nothing to update: give roleArn, targetRoleArn, disableSessionTags or policy").
			With("clusterName", *in.ClusterName)
	}
	apply := func(a *cluster.Association) error {
		if in.RoleArn != nil {
			a.RoleARN = *in.RoleArn
		}
		if in.TargetRoleArn != nil {
			a.TargetRoleARN = *in.TargetRoleArn
		}
		if in.Policy != nil {
			a.Policy = *in.Policy
		}
		if in.DisableSessionTags != nil {
			a.DisableSessionTags = *in.DisableSessionTags
		}
		// Whoever changes what becomes of a role hands it out anew, also when the role itself stays.
		return s.checkRole(c, a.Account, a.Cluster, a.RoleARN)
	}
	asked := []any{in.RoleArn, in.TargetRoleArn, in.Policy, in.DisableSessionTags}
	a, err := s.Clusters.UpdateAssociation(ctx, c.Account(), *in.ClusterName, *in.AssociationId, aws.ToString(in.ClientRequestToken), asked, apply)
	if err != nil {
		return nil, err
	}
	c.Record.Touch(a.ARN(), a.Account, "AWS::EKS::PodIdentityAssociation")
	return &sdk.UpdatePodIdentityAssociationOutput{Association: describeAssociation(a)}, nil
}

func (s *service) listAssociations(
	ctx context.Context, c *api.Call, in *sdk.ListPodIdentityAssociationsInput,
) (*sdk.ListPodIdentityAssociationsOutput, error) {
	home, err := s.Clusters.Get(ctx, c.Account(), *in.ClusterName)
	if err != nil {
		return nil, err
	}
	p, err := paging(in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	found, err := s.findAssociations(ctx, home, aws.ToString(in.Namespace), aws.ToString(in.ServiceAccount), p)
	if err != nil {
		return nil, err
	}
	found, next := cutPage(p, found, func(a *cluster.Association) string { return a.ID })
	out := &sdk.ListPodIdentityAssociationsOutput{Associations: []types.PodIdentityAssociationSummary{}, NextToken: next}
	for _, a := range found {
		out.Associations = append(out.Associations, types.PodIdentityAssociationSummary{
			ClusterName: aws.String(a.Cluster), Namespace: aws.String(a.Namespace), ServiceAccount: aws.String(a.ServiceAccount),
			AssociationArn: aws.String(a.ARN()), AssociationId: aws.String(a.ID), OwnerArn: optional(a.OwnerARN),
		})
	}
	return out, nil
}

// findAssociations finds as many associations as a page needs to know whether there is another one. Filters are compared with the names that
// an association was made for, be they patterns or not. With both names it is one lookup, and as others act upon its answer, "none" is made
// sure of.
func (s *service) findAssociations(
	ctx context.Context, home *cluster.Cluster, namespace, serviceAccount string, p page,
) ([]*cluster.Association, error) {
	if namespace != "" && serviceAccount != "" {
		a, err := s.Clusters.Exact(ctx, home.Account, home.Name, namespace, serviceAccount)
		if errors.Is(err, fault.NotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return []*cluster.Association{a}, nil
	}
	var found []*cluster.Association
	for a := range s.Clusters.Associations(home.Account, home.Name, namespace, serviceAccount, p.after) {
		if found = append(found, a); len(found) > p.size {
			break
		}
	}
	return found, nil
}

func describeAssociation(a *cluster.Association) *types.PodIdentityAssociation {
	return &types.PodIdentityAssociation{
		ClusterName: aws.String(a.Cluster), Namespace: aws.String(a.Namespace), ServiceAccount: aws.String(a.ServiceAccount),
		RoleArn: aws.String(a.RoleARN), AssociationArn: aws.String(a.ARN()), AssociationId: aws.String(a.ID), Tags: tags(a.Tags),
		CreatedAt: new(a.CreatedAt), ModifiedAt: new(a.ModifiedAt), OwnerArn: optional(a.OwnerARN),
		DisableSessionTags: aws.Bool(a.DisableSessionTags), TargetRoleArn: optional(a.TargetRoleARN), Policy: optional(a.Policy),
		ExternalId: externalID(a),
	}
}

// externalID is told where there is a target role, whose trust policy asks for it.
func externalID(a *cluster.Association) *string {
	if a.TargetRoleARN == "" {
		return nil
	}
	return aws.String(a.ExternalID)
}
