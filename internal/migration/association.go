package migration

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/podid/podid/internal/plan"
)

type associationOfSource = ekstypes.PodIdentityAssociation

// wanted is what an association is to be.
type wanted struct {
	role, target, policy string
	noTags               bool
	tags                 map[string]string
}

// associate is the step that makes a service account's association what is wanted.
func associate(ctx context.Context, to Account, cluster, namespace, serviceAccount string, want wanted) (plan.Step, error) {
	step := plan.Step{Action: plan.Unchanged, What: "association of " + namespace + "/" + serviceAccount + " in " + cluster + " with " + want.role}
	if want.target != "" {
		step.What += " and " + want.target
	}
	now, err := findAssociation(ctx, to, cluster, namespace, serviceAccount)
	if err != nil {
		return step, err
	}
	if now == nil {
		step.Detail = meaningful(want.tags)
		step.Action, step.Do = plan.Create, func(ctx context.Context) error {
			_, err := to.EKS.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{
				ClusterName: &cluster, Namespace: &namespace, ServiceAccount: &serviceAccount, RoleArn: &want.role,
				TargetRoleArn: optional(want.target), Policy: optional(want.policy), DisableSessionTags: &want.noTags, Tags: want.tags,
			})
			return err
		}
		return step, nil
	}
	tags := changed(now.Tags, want.tags)
	differs := aws.ToString(now.RoleArn) != want.role || aws.ToString(now.TargetRoleArn) != want.target ||
		aws.ToBool(now.DisableSessionTags) != want.noTags || !same(aws.ToString(now.Policy), want.policy)
	if !differs && len(tags) == 0 {
		return step, nil
	}
	if was := aws.ToString(now.RoleArn); was != want.role {
		step.Detail = append(step.Detail, "instead of "+was)
	}
	step.Detail = append(step.Detail, meaningful(tags)...)
	step.Action, step.Do = plan.Update, func(ctx context.Context) error {
		if differs {
			_, err := to.EKS.UpdatePodIdentityAssociation(ctx, &eks.UpdatePodIdentityAssociationInput{
				ClusterName: &cluster, AssociationId: now.AssociationId, RoleArn: &want.role,
				TargetRoleArn: &want.target, Policy: &want.policy, DisableSessionTags: &want.noTags, // an empty text takes the value away
			})
			if err != nil {
				return err
			}
		}
		if len(tags) == 0 {
			return nil
		}
		_, err := to.EKS.TagResource(ctx, &eks.TagResourceInput{ResourceArn: now.AssociationArn, Tags: tags})
		return err
	}
	return step, nil
}

// findAssociation is the association of a service account, or nil.
func findAssociation(ctx context.Context, to Account, cluster, namespace, serviceAccount string) (*ekstypes.PodIdentityAssociation, error) {
	list, err := to.EKS.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{
		ClusterName: &cluster, Namespace: &namespace, ServiceAccount: &serviceAccount,
	})
	if err != nil || len(list.Associations) == 0 {
		return nil, err
	}
	found, err := to.EKS.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{
		ClusterName: &cluster, AssociationId: list.Associations[0].AssociationId,
	})
	if err != nil {
		return nil, err
	}
	return found.Association, nil
}

// ownTags is what the names of tags begin with that mean something in podid: whose sessions an association's pods get. At the source anybody
// who may tag can have written them, so a person reads them before they are brought.
const ownTags = "podid.io/"

func meaningful(tags map[string]string) []string {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if strings.HasPrefix(key, ownTags) {
			lines = append(lines, fmt.Sprintf("tag %s=%q", key, tags[key]))
		}
	}
	return lines
}

// changed are the tags of want that now has not, or has otherwise.
func changed(now, want map[string]string) map[string]string {
	tags := maps.Clone(want)
	maps.DeleteFunc(tags, func(k, v string) bool {
		is, ok := now[k]
		return ok && is == v
	})
	return tags
}
