package migration

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/plan"
)

// nobody is the trust policy under which a role is made whose own names roles that are made after it.
const nobody = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}`

// proposeRoles brings the roles. What a trust policy names must be there: a role that names somebody who is not, and will not be, is left
// out, and so is whoever trusts it alone.
func (p *proposer) proposeRoles(ctx context.Context) error {
	byTarget := map[string]*Role{}
	for _, r := range p.inv.Roles {
		byTarget[arn.Role(p.account, r.Path, r.Name)] = r
	}
	left, err := p.unknownPrincipals(ctx, byTarget)
	if err != nil {
		return err
	}
	for _, target := range slices.Sorted(maps.Keys(byTarget)) {
		p.noteStrangers(target, byTarget[target])
		if why, out := left[target]; out {
			p.leaveOut("role %s: its trust policy names %s, which podid does not have", target, names(why))
			continue
		}
		if err := p.proposeRole(ctx, target, byTarget[target], byTarget); err != nil {
			return fmt.Errorf("compare the role %s: %w", target, err)
		}
	}
	return nil
}

// unknownPrincipals finds the roles whose trust policies name users and roles of this account that are neither there nor in the plan. A
// role that falls out takes those with it that name it.
func (p *proposer) unknownPrincipals(ctx context.Context, byTarget map[string]*Role) (map[string][]string, error) {
	left := map[string][]string{}
	for again := true; again; {
		again = false
		for target, r := range byTarget {
			if left[target] != nil {
				continue
			}
			t, err := parseTrust(p.as.Text(r.Trust))
			if err != nil {
				return nil, fmt.Errorf("role %s: %w", target, err)
			}
			for _, name := range t.principals() {
				_, inPlan := byTarget[name]
				known := inPlan && left[name] == nil
				if !known {
					if known, err = p.exists(ctx, name); err != nil {
						return nil, err
					}
				}
				if !known {
					left[target] = append(left[target], name)
					again = true
				}
			}
		}
	}
	return left, nil
}

// noteStrangers tells of the accounts that a role lets in and that no --account names: an id may be somebody else's in podid.
func (p *proposer) noteStrangers(target string, r *Role) {
	t, err := parseTrust(p.as.Text(r.Trust))
	if err != nil {
		return // told before
	}
	var strangers []string
	for _, name := range t.principals() {
		id := name
		if a, err := arn.Parse(name); err == nil {
			id = a.Account
		}
		if arn.CheckAccount(id) == nil && id != p.account && !slices.Contains(slices.Collect(maps.Values(p.as.Accounts)), id) {
			strangers = append(strangers, name)
		}
	}
	if len(strangers) > 0 {
		p.note("the role %s lets in %s: in podid that account may be somebody else's; say which it is with --account", target, names(strangers))
	}
}

// exists reports whether podid knows a principal. Of other accounts that cannot be asked: podid says so itself when the policy is written.
func (p *proposer) exists(ctx context.Context, name string) (bool, error) {
	a, err := arn.Parse(name)
	if err != nil {
		return !strings.HasPrefix(name, "AROA") && !strings.HasPrefix(name, "AIDA"), nil // an account, or a unique id that is no longer anybody's
	}
	if a.Account != p.account || a.Service != "iam" {
		return true, nil
	}
	last := a.Resource[strings.LastIndexByte(a.Resource, '/')+1:]
	switch {
	case strings.HasPrefix(a.Resource, "role/"):
		_, err = p.to.IAM.GetRole(ctx, &iam.GetRoleInput{RoleName: &last})
	case strings.HasPrefix(a.Resource, "user/"):
		_, err = p.to.IAM.GetUser(ctx, &iam.GetUserInput{UserName: &last})
	}
	if missing(err) {
		return false, nil
	}
	return err == nil, err
}

// desired is a role of the source in podid's terms.
type desired struct {
	*Role

	arn, trust, boundary string
	inline               map[string]string
	attached             []string
}

func (p *proposer) desire(target string, r *Role) desired {
	d := desired{Role: r, arn: target, trust: p.as.Text(r.Trust), inline: map[string]string{}}
	for name, document := range r.Inline {
		d.inline[name] = p.as.Text(document)
	}
	for _, policyARN := range r.Attached {
		d.attached = append(d.attached, p.policies[policyARN])
	}
	if r.Boundary != "" {
		d.boundary = p.policies[r.Boundary]
	}
	return d
}

// proposeRole compares one role and proposes what makes it the same.
func (p *proposer) proposeRole(ctx context.Context, target string, r *Role, inPlan map[string]*Role) error {
	d := p.desire(target, r)
	p.roles[target] = true
	found, err := p.to.IAM.GetRole(ctx, &iam.GetRoleInput{RoleName: &r.Name})
	if missing(err) {
		first, late, err := p.firstTrust(ctx, d, inPlan)
		if err != nil {
			return err
		}
		p.Plan = append(p.Plan, plan.Step{
			Action: plan.Create, What: "role " + target, Detail: d.holds(),
			Do: func(ctx context.Context) error { return p.createRole(ctx, d, first) },
		})
		p.late = append(p.late, late...)
		return nil
	}
	if err != nil {
		return err
	}
	if is := aws.ToString(found.Role.Arn); is != target {
		delete(p.roles, target)
		p.leaveOut("role %s: podid has %s, and the names are the same", target, is)
		return nil
	}
	changes, err := p.roleChanges(ctx, d, found.Role)
	if err != nil {
		return err
	}
	step := plan.Step{Action: plan.Unchanged, What: "role " + target}
	if len(changes) > 0 {
		step.Action = plan.Update
		for _, c := range changes {
			step.Detail = append(step.Detail, c.What)
		}
		step.Do = changes.Execute
	}
	p.Plan = append(p.Plan, step)
	return nil
}

// firstTrust is the trust policy that a role can be made with: its own, unless that names roles that this plan makes.
func (p *proposer) firstTrust(ctx context.Context, d desired, inPlan map[string]*Role) (first string, late plan.Plan, err error) {
	t, err := parseTrust(d.trust)
	if err != nil {
		return "", nil, err
	}
	for _, name := range t.principals() {
		if inPlan[name] == nil {
			continue
		}
		there, err := p.exists(ctx, name)
		if err != nil {
			return "", nil, err
		}
		if !there {
			return nobody, plan.Plan{{Action: plan.Update, What: "trust policy of role " + d.arn, Do: func(ctx context.Context) error {
				_, err := p.to.IAM.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &d.Name, PolicyDocument: &d.trust})
				return err
			}}}, nil
		}
	}
	return d.trust, nil, nil
}

// holds are the lines that tell a person what a role comes with.
func (d *desired) holds() []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(d.inline)) {
		lines = append(lines, "inline policy "+name)
	}
	for _, policyARN := range d.attached {
		lines = append(lines, "attached "+policyARN)
	}
	if d.boundary != "" {
		lines = append(lines, "boundary "+d.boundary)
	}
	return lines
}

func (p *proposer) createRole(ctx context.Context, d desired, trust string) error {
	_, err := p.to.IAM.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: &d.Name, Path: &d.Path, AssumeRolePolicyDocument: &trust, Description: optional(d.Description),
		MaxSessionDuration: aws.Int32(d.MaxSession), PermissionsBoundary: optional(d.boundary), Tags: tagList(d.Tags),
	})
	if err != nil {
		return err
	}
	return p.policySteps(d, nil, nil).Execute(ctx)
}

// roleChanges are what makes a role that is there the same.
func (p *proposer) roleChanges(ctx context.Context, d desired, now *iamtypes.Role) (plan.Plan, error) {
	var changes plan.Plan
	add := func(what string, do func(context.Context) error) {
		changes = append(changes, plan.Step{Action: plan.Update, What: what, Do: do})
	}
	if !same(decoded(now.AssumeRolePolicyDocument), d.trust) {
		add("trust policy", func(ctx context.Context) error {
			_, err := p.to.IAM.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &d.Name, PolicyDocument: &d.trust})
			return err
		})
	}
	if aws.ToString(now.Description) != d.Description || aws.ToInt32(now.MaxSessionDuration) != d.MaxSession {
		add("description and longest session", func(ctx context.Context) error {
			_, err := p.to.IAM.UpdateRole(ctx, &iam.UpdateRoleInput{
				RoleName: &d.Name, Description: &d.Description, MaxSessionDuration: aws.Int32(d.MaxSession),
			})
			return err
		})
	}
	boundary := ""
	if now.PermissionsBoundary != nil {
		boundary = aws.ToString(now.PermissionsBoundary.PermissionsBoundaryArn)
	}
	if d.boundary != "" && boundary != d.boundary {
		add("boundary "+d.boundary, func(ctx context.Context) error {
			_, err := p.to.IAM.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: &d.Name, PermissionsBoundary: &d.boundary})
			return err
		})
	}
	if tags := changed(tagMap(now.Tags), d.Tags); len(tags) > 0 {
		add("tags", func(ctx context.Context) error {
			_, err := p.to.IAM.TagRole(ctx, &iam.TagRoleInput{RoleName: &d.Name, Tags: tagList(tags)})
			return err
		})
	}
	inline, err := inlinePolicies(ctx, p.to, d.Name)
	if err != nil {
		return nil, err
	}
	attached, err := attachedPolicies(ctx, p.to, d.Name)
	if err != nil {
		return nil, err
	}
	return append(changes, p.policySteps(d, inline, attached)...), nil
}

// policySteps put the role's policies in, as far as it does not have them.
func (p *proposer) policySteps(d desired, inline map[string]string, attached []string) plan.Plan {
	var steps plan.Plan
	for _, name := range slices.Sorted(maps.Keys(d.inline)) {
		document := d.inline[name]
		if was, ok := inline[name]; ok && same(was, document) {
			continue
		}
		steps = append(steps, plan.Step{Action: plan.Update, What: "inline policy " + name, Do: func(ctx context.Context) error {
			_, err := p.to.IAM.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &d.Name, PolicyName: &name, PolicyDocument: &document})
			return err
		}})
	}
	for _, policyARN := range d.attached {
		if slices.Contains(attached, policyARN) {
			continue
		}
		steps = append(steps, plan.Step{Action: plan.Update, What: "attach " + policyARN, Do: func(ctx context.Context) error {
			_, err := p.to.IAM.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: &d.Name, PolicyArn: &policyARN})
			return err
		}})
	}
	return steps
}

// decoded is a document as IAM shows it, which is percent-encoded.
func decoded(document *string) string {
	text, err := url.PathUnescape(aws.ToString(document))
	if err != nil {
		return aws.ToString(document)
	}
	return text
}
