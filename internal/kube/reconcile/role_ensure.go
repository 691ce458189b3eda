package reconcile

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
)

// Error codes of IAM. spec: pod-identity.md 6.6
const (
	codeMissing = "NoSuchEntity"
	codeExists  = "EntityAlreadyExists"
	codeDenied  = "AccessDenied"
)

// find looks a role up. One that is not there, and one that may not be seen, are both nil; visible is false for the second.
func (r roles) find(ctx context.Context, name string) (role *types.Role, visible bool, err error) {
	out, err := r.IAM.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	switch {
	case err == nil:
		return out.Role, true, nil
	case code(err) == codeMissing:
		return nil, true, nil
	case code(err) == codeDenied:
		return nil, false, nil
	}
	return nil, false, classified(err)
}

// ensure makes the role be as planned; before is the ARN of the one that the object had.
func (r roles) ensure(ctx context.Context, p plan, before string) (role *types.Role, drift []string, err error) {
	role, visible, err := r.find(ctx, p.name)
	if err != nil {
		return nil, nil, err
	}
	if role == nil {
		if p.applied {
			drift = []string{"the role " + before + " was deleted"}
		}
		if role, err = r.make(ctx, p, visible); err != nil {
			return nil, drift, err
		}
		p.applied = false
	}
	if got := aws.ToString(role.Path); got != p.path {
		return nil, drift, refuse(v1alpha1.ReasonAlreadyExists, fmt.Sprintf(
			"there is a role %s already, which is not below %s: names are for a whole account; give this one another spec.name", p.name, p.path))
	}
	more, err := r.align(ctx, role, p)
	return role, append(drift, more...), err
}

func (r roles) make(ctx context.Context, p plan, visible bool) (*types.Role, error) {
	out, err := r.IAM.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: &p.name, Path: &p.path, AssumeRolePolicyDocument: &p.trust, Description: optional(p.description),
		MaxSessionDuration: &p.maxSession, PermissionsBoundary: optional(p.boundary), Tags: roleTags(p.tags),
	})
	switch {
	case err == nil:
		return out.Role, nil
	case code(err) == codeExists && visible:
		return nil, fmt.Errorf("the role %s came in between: %w", p.name, err)
	case code(err) == codeExists:
		return nil, refuse(v1alpha1.ReasonAlreadyExists, fmt.Sprintf(
			"there is a role %s already, which the operator may not touch: names are for a whole account; give this one another spec.name", p.name))
	}
	return nil, classified(err)
}

// align changes a role into what is planned: what it may at most comes first, and what it may no more before what it may in addition.
// It tells what it found changed, if the plan was in force before.
func (r roles) align(ctx context.Context, role *types.Role, p plan) (drift []string, err error) {
	steps := []func(context.Context, *types.Role, plan) (string, error){r.alignBoundary, r.alignTrust, r.alignSettings, r.alignTags, r.alignAttached, r.alignInline}
	for _, step := range steps {
		was, err := step(ctx, role, p)
		if was != "" && p.applied {
			drift = append(drift, was)
		}
		if err != nil {
			return drift, classified(err)
		}
	}
	return drift, nil
}

func (r roles) alignBoundary(ctx context.Context, role *types.Role, p plan) (was string, err error) {
	have := ""
	if role.PermissionsBoundary != nil {
		have = aws.ToString(role.PermissionsBoundary.PermissionsBoundaryArn)
	}
	switch {
	case have == p.boundary:
		return "", nil
	case p.boundary == "":
		_, err = r.IAM.DeleteRolePermissionsBoundary(ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: &p.name})
	default:
		_, err = r.IAM.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: &p.name, PermissionsBoundary: &p.boundary})
	}
	return "the permissions boundary was " + orNone(have), err
}

func (r roles) alignTrust(ctx context.Context, role *types.Role, p plan) (was string, err error) {
	have := plain(role.AssumeRolePolicyDocument)
	if sameDocument(have, p.trust) {
		return "", nil
	}
	_, err = r.IAM.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &p.name, PolicyDocument: &p.trust})
	return "the trust policy was " + have, err
}

func (r roles) alignSettings(ctx context.Context, role *types.Role, p plan) (was string, err error) {
	description, longest := aws.ToString(role.Description), aws.ToInt32(role.MaxSessionDuration)
	if description == p.description && longest == p.maxSession {
		return "", nil
	}
	_, err = r.IAM.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: &p.name, Description: &p.description, MaxSessionDuration: &p.maxSession})
	return fmt.Sprintf("the description was %q, the longest session %d seconds", description, longest), err
}

func (r roles) alignTags(ctx context.Context, role *types.Role, p plan) (was string, err error) {
	have := map[string]string{}
	for _, t := range role.Tags {
		have[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	set, unset := tagChanges(have, p.tags)
	was = differences(tagDrift(have, set, unset))
	if len(unset) > 0 {
		if _, err := r.IAM.UntagRole(ctx, &iam.UntagRoleInput{RoleName: &p.name, TagKeys: unset}); err != nil {
			return was, err
		}
	}
	if len(set) > 0 {
		if _, err := r.IAM.TagRole(ctx, &iam.TagRoleInput{RoleName: &p.name, Tags: roleTags(set)}); err != nil {
			return was, err
		}
	}
	return was, nil
}

func (r roles) alignAttached(ctx context.Context, _ *types.Role, p plan) (was string, err error) {
	have, err := r.attached(ctx, p.name)
	if err != nil {
		return "", err
	}
	var changes []string
	for _, arn := range have {
		if !slices.Contains(p.attached, arn) {
			changes = append(changes, "the policy "+arn+" was attached")
			if _, err := r.IAM.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: &p.name, PolicyArn: &arn}); err != nil {
				return differences(changes), err
			}
		}
	}
	for _, arn := range p.attached {
		if !slices.Contains(have, arn) {
			changes = append(changes, "the policy "+arn+" was not attached")
			if _, err := r.IAM.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: &p.name, PolicyArn: &arn}); err != nil {
				return differences(changes), err
			}
		}
	}
	return differences(changes), nil
}

func (r roles) alignInline(ctx context.Context, _ *types.Role, p plan) (was string, err error) {
	names, err := r.inline(ctx, p.name)
	if err != nil {
		return "", err
	}
	var changes []string
	same := map[string]bool{}
	for _, name := range names {
		document, wanted := p.inline[name]
		if !wanted {
			changes = append(changes, "there was an inline policy "+name)
			if _, err := r.IAM.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &p.name, PolicyName: &name}); err != nil {
				return differences(changes), err
			}
			continue
		}
		out, err := r.IAM.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &p.name, PolicyName: &name})
		if err != nil {
			return differences(changes), err
		}
		same[name] = sameDocument(plain(out.PolicyDocument), document)
	}
	for _, name := range slices.Sorted(maps.Keys(p.inline)) {
		if same[name] {
			continue
		}
		changes = append(changes, "the inline policy "+name+" was another or none")
		document := p.inline[name]
		if _, err := r.IAM.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &p.name, PolicyName: &name, PolicyDocument: &document}); err != nil {
			return differences(changes), err
		}
	}
	return differences(changes), nil
}

// attached are the ARNs of the managed policies of a role.
func (r roles) attached(ctx context.Context, name string) ([]string, error) {
	var all []string
	for pages := iam.NewListAttachedRolePoliciesPaginator(r.IAM, &iam.ListAttachedRolePoliciesInput{RoleName: &name}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, a := range page.AttachedPolicies {
			all = append(all, aws.ToString(a.PolicyArn))
		}
	}
	return all, nil
}

// inline are the names of the policies that are a role's own.
func (r roles) inline(ctx context.Context, name string) ([]string, error) {
	var all []string
	for pages := iam.NewListRolePoliciesPaginator(r.IAM, &iam.ListRolePoliciesInput{RoleName: &name}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, page.PolicyNames...)
	}
	return all, nil
}

// unmake takes a role's policies away and deletes it. What is gone already is as good.
func (r roles) unmake(ctx context.Context, name string) error {
	empty := plan{name: name}
	for _, step := range []func(context.Context, *types.Role, plan) (string, error){r.alignAttached, r.alignInline} {
		if _, err := step(ctx, nil, empty); err != nil && code(err) != codeMissing {
			return classified(err)
		}
	}
	if _, err := r.IAM.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &name}); err != nil && code(err) != codeMissing {
		return classified(err)
	}
	return nil
}

// plain is a document as it was written: IAM encodes them.
func plain(document *string) string {
	text, err := url.QueryUnescape(aws.ToString(document))
	if err != nil {
		return aws.ToString(document)
	}
	return text
}

func roleTags(tags map[string]string) []types.Tag {
	var all []types.Tag
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, types.Tag{Key: aws.String(k), Value: aws.String(tags[k])})
	}
	return all
}
