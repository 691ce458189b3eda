package migration

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/podid/podid/internal/arn"
)

// Inventory is what was read of a source: the associations of clusters, the roles that they name, and the policies of these.
type Inventory struct {
	AccountID, Region string
	Clusters          []string
	Associations      []ekstypes.PodIdentityAssociation
	Roles             map[string]*Role   // by ARN
	Policies          map[string]*Policy // by ARN; AWS's own, too
	Foreign           []string           // ARNs of roles of other accounts, which cannot be read from here
}

// Role is an IAM role with what it holds. Documents are plain JSON.
type Role struct {
	Path, Name, Description string
	Trust                   string
	MaxSession              int32 // seconds
	Boundary                string
	Tags                    map[string]string
	Inline                  map[string]string
	Attached                []string // policy ARNs
}

// Policy is a managed policy in its default version.
type Policy struct {
	ARN, Path, Name, Description string
	Document                     string
	Tags                         map[string]string
}

// Read reads clusters of a source, all of them where none is named. The source needs to allow eks:ListClusters, eks:*PodIdentityAssociation
// for reading, and iam:Get* and iam:List*.
func Read(ctx context.Context, from Account, clusters []string) (*Inventory, error) {
	who, err := from.STS.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, fmt.Errorf("ask the source who is asking: %w", err)
	}
	inv := &Inventory{
		AccountID: aws.ToString(who.Account), Region: from.Region, Clusters: clusters,
		Roles: map[string]*Role{}, Policies: map[string]*Policy{},
	}
	if len(clusters) == 0 {
		if inv.Clusters, err = listClusters(ctx, from); err != nil {
			return nil, err
		}
	}
	for _, name := range inv.Clusters {
		if err := inv.readAssociations(ctx, from, name); err != nil {
			return nil, fmt.Errorf("read the associations of cluster %s: %w", name, err)
		}
	}
	for _, a := range inv.Associations {
		for _, role := range []string{aws.ToString(a.RoleArn), aws.ToString(a.TargetRoleArn)} {
			if err := inv.readRole(ctx, from, role); err != nil {
				return nil, fmt.Errorf("read the role %s: %w", role, err)
			}
		}
	}
	return inv, nil
}

func listClusters(ctx context.Context, from Account) ([]string, error) {
	var names []string
	for pages := eks.NewListClustersPaginator(from.EKS, &eks.ListClustersInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the clusters of the source: %w", err)
		}
		names = append(names, page.Clusters...)
	}
	return names, nil
}

func (inv *Inventory) readAssociations(ctx context.Context, from Account, name string) error {
	pages := eks.NewListPodIdentityAssociationsPaginator(from.EKS, &eks.ListPodIdentityAssociationsInput{ClusterName: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, summary := range page.Associations {
			found, err := from.EKS.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{
				ClusterName: &name, AssociationId: summary.AssociationId,
			})
			if missing(err) { // deleted since it was listed
				continue
			}
			if err != nil {
				return err
			}
			inv.Associations = append(inv.Associations, *found.Association)
		}
	}
	return nil
}

// readRole reads a role of the source's own account, once.
func (inv *Inventory) readRole(ctx context.Context, from Account, roleARN string) error {
	name, err := arn.ParseRole(roleARN)
	if _, known := inv.Roles[roleARN]; roleARN == "" || known || slices.Contains(inv.Foreign, roleARN) {
		return nil
	}
	if err != nil {
		return err
	}
	if name.Account != inv.AccountID {
		inv.Foreign = append(inv.Foreign, roleARN)
		return nil
	}
	found, err := from.IAM.GetRole(ctx, &iam.GetRoleInput{RoleName: &name.Name})
	if missing(err) {
		return nil // the association names what is no longer there: whoever needs it finds it missing
	}
	if err != nil {
		return err
	}
	r := &Role{
		Path: aws.ToString(found.Role.Path), Name: name.Name, Description: aws.ToString(found.Role.Description),
		MaxSession: aws.ToInt32(found.Role.MaxSessionDuration), Tags: tagMap(found.Role.Tags), Inline: map[string]string{},
	}
	if b := found.Role.PermissionsBoundary; b != nil {
		r.Boundary = aws.ToString(b.PermissionsBoundaryArn)
	}
	if r.Trust, err = url.PathUnescape(aws.ToString(found.Role.AssumeRolePolicyDocument)); err != nil {
		return fmt.Errorf("read its trust policy: %w", err)
	}
	if r.Inline, err = inlinePolicies(ctx, from, name.Name); err != nil {
		return err
	}
	if r.Attached, err = attachedPolicies(ctx, from, name.Name); err != nil {
		return err
	}
	inv.Roles[roleARN] = r
	for _, policyARN := range append(slices.Clone(r.Attached), r.Boundary) {
		if err := inv.readPolicy(ctx, from, policyARN); err != nil {
			return fmt.Errorf("read the policy %s: %w", policyARN, err)
		}
	}
	return nil
}

func inlinePolicies(ctx context.Context, from Account, role string) (map[string]string, error) {
	documents := map[string]string{}
	for pages := iam.NewListRolePoliciesPaginator(from.IAM, &iam.ListRolePoliciesInput{RoleName: &role}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, name := range page.PolicyNames {
			found, err := from.IAM.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &role, PolicyName: &name})
			if err != nil {
				return nil, err
			}
			if documents[name], err = url.PathUnescape(aws.ToString(found.PolicyDocument)); err != nil {
				return nil, fmt.Errorf("read the inline policy %s: %w", name, err)
			}
		}
	}
	return documents, nil
}

func attachedPolicies(ctx context.Context, from Account, role string) ([]string, error) {
	var arns []string
	for pages := iam.NewListAttachedRolePoliciesPaginator(from.IAM, &iam.ListAttachedRolePoliciesInput{RoleName: &role}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range page.AttachedPolicies {
			arns = append(arns, aws.ToString(p.PolicyArn))
		}
	}
	return arns, nil
}

func (inv *Inventory) readPolicy(ctx context.Context, from Account, policyARN string) error {
	if policyARN == "" || inv.Policies[policyARN] != nil {
		return nil
	}
	found, err := from.IAM.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &policyARN})
	if err != nil {
		return err
	}
	version, err := from.IAM.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: &policyARN, VersionId: found.Policy.DefaultVersionId})
	if err != nil {
		return err
	}
	document, err := url.PathUnescape(aws.ToString(version.PolicyVersion.Document))
	if err != nil {
		return err
	}
	inv.Policies[policyARN] = &Policy{
		ARN: policyARN, Path: aws.ToString(found.Policy.Path), Name: aws.ToString(found.Policy.PolicyName),
		Description: aws.ToString(found.Policy.Description), Document: document, Tags: tagMap(found.Policy.Tags),
	}
	return nil
}

// managedByAWS reports whether a policy is one of AWS's own.
func managedByAWS(policyARN string) bool {
	a, err := arn.Parse(policyARN)
	return err == nil && a.Account == "aws"
}

// tagMap leaves out the tags that AWS itself keeps.
func tagMap(tags []iamtypes.Tag) map[string]string {
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		m[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return own(m)
}

func own(tags map[string]string) map[string]string {
	tags = maps.Clone(tags)
	maps.DeleteFunc(tags, func(k, _ string) bool { return strings.HasPrefix(strings.ToLower(k), "aws:") })
	return tags
}

func tagList(tags map[string]string) []iamtypes.Tag {
	list := make([]iamtypes.Tag, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, iamtypes.Tag{Key: aws.String(k), Value: aws.String(tags[k])})
	}
	return list
}
