package migration

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/plan"
)

// copies is the path under which policies of AWS's own go that podid does not have.
const copies = "/aws-managed/"

// proposer compares an inventory with an account of podid's.
type proposer struct {
	Proposal

	to       Account
	account  string
	as       *Translation
	inv      *Inventory
	policies map[string]string // ARN at the source -> ARN in podid, of those that can be had
	roles    map[string]bool   // ARN in podid: there, or about to be
	late     plan.Plan         // trust policies that name roles of this plan
}

// Propose compares what was read of a source with an account of podid's and says what would make it the same. The clusters must be there.
func Propose(ctx context.Context, inv *Inventory, to Account, as Translation) (*Proposal, error) {
	who, err := to.STS.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, fmt.Errorf("ask podid who is asking: %w", err)
	}
	p := &proposer{to: to, account: aws.ToString(who.Account), inv: inv, policies: map[string]string{}, roles: map[string]bool{}}
	as.Accounts = maps.Clone(as.Accounts)
	if as.Accounts == nil {
		as.Accounts = map[string]string{}
	}
	if as.Accounts[inv.AccountID] == "" {
		as.Accounts[inv.AccountID] = p.account
	}
	if as.Accounts[inv.AccountID] != p.account {
		return nil, fmt.Errorf("the account %s is to become %s, and the profile is one of account %s", inv.AccountID, as.Accounts[inv.AccountID], p.account)
	}
	as.FromRegion, as.ToRegion = inv.Region, to.Region
	p.as = &as
	for _, name := range inv.Clusters {
		if _, err := to.EKS.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String(as.Cluster(name))}); err != nil {
			return nil, fmt.Errorf("look for the cluster %s in podid: %w; connect it first: podid cluster connect %[1]s", as.Cluster(name), err)
		}
	}
	for _, policyARN := range slices.Sorted(maps.Keys(inv.Policies)) {
		if err := p.proposePolicy(ctx, inv.Policies[policyARN]); err != nil {
			return nil, fmt.Errorf("compare the policy %s: %w", policyARN, err)
		}
	}
	if err := p.proposeRoles(ctx); err != nil {
		return nil, err
	}
	p.Plan = append(p.Plan, p.late...)
	for i := range inv.Associations {
		if err := p.proposeAssociation(ctx, &inv.Associations[i]); err != nil {
			return nil, fmt.Errorf("compare the association %s: %w", aws.ToString(inv.Associations[i].AssociationId), err)
		}
	}
	for _, role := range inv.Foreign {
		p.note("the role %s is of another account, which was not read: import it with a profile of that account", role)
	}
	return &p.Proposal, nil
}

// proposePolicy brings a managed policy. Those of AWS's own are podid's where it has them, and are copied where it has not.
func (p *proposer) proposePolicy(ctx context.Context, from *Policy) error {
	path, document := from.Path, p.as.Text(from.Document)
	if managedByAWS(from.ARN) {
		own := p.as.Text(from.ARN)
		_, err := p.to.IAM.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &own})
		if err == nil {
			p.policies[from.ARN] = own
			return nil
		}
		if !missing(err) {
			return err
		}
		path = copies
		p.note("podid has no policy %s of AWS's: a copy of its present version takes the place", from.Name)
	}
	target := arn.Policy(p.account, path, from.Name)
	p.policies[from.ARN] = target
	step := plan.Step{Action: plan.Unchanged, What: "policy " + target}
	found, err := p.to.IAM.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &target})
	switch {
	case missing(err):
		step.Action, step.Do = plan.Create, func(ctx context.Context) error {
			_, err := p.to.IAM.CreatePolicy(ctx, &iam.CreatePolicyInput{
				PolicyName: &from.Name, Path: &path, PolicyDocument: &document, Description: optional(from.Description), Tags: tagList(from.Tags),
			})
			return err
		}
	case err != nil:
		return err
	default:
		version, err := p.to.IAM.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: &target, VersionId: found.Policy.DefaultVersionId})
		if err != nil {
			return err
		}
		if !same(decoded(version.PolicyVersion.Document), document) {
			step.Action, step.Do = plan.Update, func(ctx context.Context) error { return p.newVersion(ctx, target, document) }
		}
	}
	p.Plan = append(p.Plan, step)
	return nil
}

// maxVersions is how many versions a policy may have. spec: iam-policy.md 2
const maxVersions = 5

// newVersion makes a document the default version. The oldest version that is not the default makes room where that is needed.
func (p *proposer) newVersion(ctx context.Context, policyARN, document string) error {
	list, err := p.to.IAM.ListPolicyVersions(ctx, &iam.ListPolicyVersionsInput{PolicyArn: &policyARN})
	if err != nil {
		return err
	}
	if len(list.Versions) >= maxVersions {
		oldest := -1
		for i, v := range list.Versions {
			if !v.IsDefaultVersion && (oldest < 0 || aws.ToTime(v.CreateDate).Before(aws.ToTime(list.Versions[oldest].CreateDate))) {
				oldest = i
			}
		}
		if oldest >= 0 {
			_, err := p.to.IAM.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: &policyARN, VersionId: list.Versions[oldest].VersionId})
			if err != nil {
				return fmt.Errorf("make room for a version: %w", err)
			}
		}
	}
	_, err = p.to.IAM.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: &policyARN, PolicyDocument: &document, SetAsDefault: true})
	return err
}

// proposeAssociation brings an association, when its role is there or will be.
func (p *proposer) proposeAssociation(ctx context.Context, from *associationOfSource) error {
	name := p.as.Cluster(aws.ToString(from.ClusterName))
	identity := aws.ToString(from.Namespace) + "/" + aws.ToString(from.ServiceAccount)
	what := "association of " + identity + " in " + name
	want := wanted{
		role: p.as.Text(aws.ToString(from.RoleArn)), target: p.as.Text(aws.ToString(from.TargetRoleArn)),
		policy: p.as.Text(aws.ToString(from.Policy)), noTags: aws.ToBool(from.DisableSessionTags), tags: own(from.Tags),
	}
	if !p.roles[want.role] {
		p.leaveOut("%s: its role %s is not brought", what, want.role)
		return nil
	}
	if from.OwnerArn != nil {
		p.note("the %s belongs to the add-on %s there; here it is one of its own", what, aws.ToString(from.OwnerArn))
	}
	step, err := associate(ctx, p.to, name, aws.ToString(from.Namespace), aws.ToString(from.ServiceAccount), want)
	if err != nil {
		return err
	}
	p.Plan = append(p.Plan, step)
	return nil
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func names(list []string) string { return strings.Join(list, ", ") }
