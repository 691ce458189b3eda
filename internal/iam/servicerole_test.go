package iam_test

import (
	"strings"
	"testing"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

func trustOf(aws string) *policy.Source { return policy.NewSource(trusting(aws)) }

func TestServiceRole(t *testing.T) {
	t.Parallel()
	d, ctx := directory(t), t.Context()
	r, err := d.CreateServiceRole(ctx, account, "eks.amazonaws.com", "", "")
	is(t, err, 0, "", "")
	if r.ARN() != "arn:aws:iam::111122223333:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS" || r.Description == "" {
		t.Errorf("made %+v", r)
	}
	name := r.Name
	_, err = d.CreateServiceRole(ctx, account, "eks.amazonaws.com", "", "")
	is(t, err, fault.Invalid, "service role",
		"Service role name AWSServiceRoleForAmazonEKS has been taken in this account, please try a different suffix.")
	_, err = d.CreateServiceRole(ctx, account, "eks.amazonaws.com", "x", "")
	is(t, err, fault.Invalid, "service role", "Custom suffix is not allowed for eks.amazonaws.com")
	_, err = d.CreateServiceRole(ctx, account, "autoscaling.amazonaws.com", "x", "mine")
	is(t, err, 0, "", "")
	_, err = d.CreateServiceRole(ctx, account, "nothing.amazonaws.com", "", "")
	is(t, err, fault.Invalid, "service role", "")
	_, err = d.CreateRole(ctx, iam.Role{Account: account, Name: "r", Path: "/aws-service-role/eks.amazonaws.com/", Trust: trustOf(account)})
	is(t, err, fault.Invalid, "service role", "")

	const text = "Cannot perform the operation on the protected role 'AWSServiceRoleForAmazonEKS' - this role is only modifiable by AWS"
	change := func(f func(*iam.Role)) error {
		_, err := d.UpdateRole(ctx, account, name, func(r *iam.Role) error { f(r); return nil })
		return err
	}
	for what, err := range map[string]error{
		"delete":   d.DeleteRole(ctx, account, name),
		"attach":   d.AttachRolePolicy(ctx, account, name, "arn:aws:iam::aws:policy/AdministratorAccess"),
		"put":      d.PutRolePolicy(ctx, account, name, "p", allowS3),
		"trust":    change(func(r *iam.Role) { r.Trust = trustOf(account) }),
		"boundary": change(func(r *iam.Role) { r.Boundary = "arn:aws:iam::aws:policy/AdministratorAccess" }),
		"session":  change(func(r *iam.Role) { r.MaxSession *= 2 }),
	} {
		t.Run(what, func(t *testing.T) { is(t, err, fault.Conflict, "protected role", text) })
	}
	is(t, change(func(r *iam.Role) { r.Description, r.Tags = "other", map[string]string{"k": "v"} }), 0, "", "")

	role(t, d, "ordinary")
	_, err = d.DeleteServiceRole(ctx, account, "ordinary")
	is(t, err, fault.NotFound, "role", "")
	task, err := d.DeleteServiceRole(ctx, account, name)
	is(t, err, 0, "", "")
	if !strings.HasPrefix(task, "task/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS/") {
		t.Errorf("the task is %s", task)
	}
	is(t, d.ServiceRoleDeleted(account, task), 0, "", "")
	is(t, d.ServiceRoleDeleted(other, task), fault.NotFound, "service role", "")
	if _, ok := d.FindRole(account, name); ok {
		t.Error("the role is still there")
	}
}

func TestInstanceProfile(t *testing.T) {
	t.Parallel()
	d, ctx := directory(t), t.Context()
	role(t, d, "Node")
	p, err := d.CreateInstanceProfile(ctx, iam.InstanceProfile{Account: account, Name: "Nodes", Path: "/eks/"})
	is(t, err, 0, "", "")
	if !strings.HasPrefix(p.ID, "AIPA") || p.ARN() != "arn:aws:iam::111122223333:instance-profile/eks/Nodes" {
		t.Errorf("made %+v", p)
	}
	_, err = d.CreateInstanceProfile(ctx, iam.InstanceProfile{Account: account, Name: "NODES"})
	is(t, err, fault.Exists, "instance profile", "Instance Profile NODES already exists.")
	is(t, d.AddRoleToInstanceProfile(ctx, account, "nodes", "ghost"), fault.NotFound, "role", "")
	is(t, d.AddRoleToInstanceProfile(ctx, account, "ghost", "node"), fault.NotFound, "instance profile", "Instance Profile ghost cannot be found.")
	is(t, d.AddRoleToInstanceProfile(ctx, account, "nodes", "node"), 0, "", "")
	is(t, d.AddRoleToInstanceProfile(ctx, account, "nodes", "node"), fault.Limit, "instance profile",
		"Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
	_, err = d.UpdateRole(ctx, account, "Node", func(r *iam.Role) error { r.Profiles = nil; return nil })
	is(t, err, 0, "", "")
	is(t, d.DeleteRole(ctx, account, "Node"), fault.Conflict, "role", "Cannot delete entity, must remove roles from instance profile first.")
	is(t, d.DeleteInstanceProfile(ctx, account, "Nodes"), fault.Conflict, "instance profile", "")
	is(t, d.RemoveRoleFromInstanceProfile(ctx, account, "Nodes", "Node"), 0, "", "")
	is(t, d.RemoveRoleFromInstanceProfile(ctx, account, "Nodes", "Node"), fault.NotFound, "instance profile", "")
	is(t, d.DeleteRole(ctx, account, "Node"), 0, "", "")
	is(t, d.DeleteInstanceProfile(ctx, account, "Nodes"), 0, "", "")
	is(t, d.DeleteInstanceProfile(ctx, account, "Nodes"), fault.NotFound, "instance profile", "")
}

// TestAWSPolicies holds that every policy of AWS is whole, that each account counts its own uses, and that nobody changes one.
func TestAWSPolicies(t *testing.T) {
	t.Parallel()
	d, ctx := directory(t), t.Context()
	ids, n := map[string]bool{}, 0
	for p := range d.AWSPolicies() {
		n++
		if _, err := policy.Parse(policy.Identity, p.Document().String()); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		if policy.Size(p.Document().String()) > policy.ManagedQuota || p.Description == "" || ids[p.ID] || len(p.ID) != 21 {
			t.Errorf("%s is %d characters long, %q, with the id %s", p.Name, policy.Size(p.Document().String()), p.Description, p.ID)
		}
		ids[p.ID] = true
		if found, ok := d.FindPolicy(p.ARN()); !ok || found != p {
			t.Errorf("%s is not found", p.ARN())
		}
	}
	if n != 21 {
		t.Errorf("there are %d", n)
	}
	const node, missing = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy", "arn:aws:iam::aws:policy/ghost"
	role(t, d, "r")
	_, err := d.CreateAccount(ctx, other, "other")
	is(t, err, 0, "", "")
	is(t, d.AttachRolePolicy(ctx, account, "r", node), 0, "", "")
	is(t, d.AttachRolePolicy(ctx, account, "r", missing), fault.NotFound, "policy", "Policy "+missing+" does not exist or is not attachable.")
	_, err = d.UpdateRole(ctx, account, "r", func(r *iam.Role) error { r.Boundary = node; return nil })
	is(t, err, 0, "", "")
	if got, want := d.PolicyUses(account)[node], (iam.PolicyUse{Attachments: 1, Boundaries: 1}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	if got := d.PolicyUses(other); len(got) != 0 {
		t.Errorf("the other account uses %v", got)
	}
	_, err = d.CreatePolicyVersion(ctx, node, allowS3, true)
	is(t, err, fault.NotFound, "policy", "")
	is(t, d.DeletePolicy(ctx, node), fault.NotFound, "policy", "")
	is(t, d.UpdatePolicyTags(ctx, node, func(map[string]string) map[string]string { return map[string]string{"k": "v"} }), fault.NotFound, "policy", "")
}

func TestBoundaryIsOfTheAccount(t *testing.T) {
	t.Parallel()
	d, ctx := directory(t), t.Context()
	_, err := d.CreateAccount(ctx, other, "other")
	is(t, err, 0, "", "")
	theirs, err := d.CreatePolicy(ctx, iam.ManagedPolicy{Account: other, Name: "P"}, allowS3)
	is(t, err, 0, "", "")
	user(t, d, "ada")
	for boundary, want := range map[string]string{
		theirs.ARN():                             "Scope ARN: " + theirs.ARN() + " does not exist or is not attachable.",
		"arn:aws:iam::111122223333:policy/ghost": "Scope ARN: arn:aws:iam::111122223333:policy/ghost does not exist or is not attachable.",
	} {
		_, err = d.UpdateUser(ctx, account, "ada", func(u *iam.User) error { u.Boundary = boundary; return nil })
		is(t, err, fault.NotFound, "policy", want)
	}
	_, err = d.UpdateUser(ctx, account, "ada", func(u *iam.User) error { u.Boundary = "P"; return nil })
	is(t, err, fault.Invalid, "policy", "ARN P is not valid.")
}
