package iam_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store/storetest"
)

func group(t *testing.T, d *iam.Directory, name string) *iam.Group {
	t.Helper()
	g, err := d.CreateGroup(t.Context(), iam.Group{Account: account, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// groupsOf are the names of a user's groups.
func groupsOf(d *iam.Directory, name string) (names []string) {
	u, _ := d.FindUser(account, name)
	for _, g := range d.GroupsByName(u) {
		names = append(names, g.Name)
	}
	return names
}

func TestGroup(t *testing.T) {
	t.Parallel()
	d, ctx := directory(t), t.Context()
	g := group(t, d, "Devs")
	if !strings.HasPrefix(g.ID, "AGPA") || len(g.ID) != 21 || g.ARN() != "arn:aws:iam::111122223333:group/Devs" {
		t.Errorf("made %+v", g)
	}
	_, err := d.CreateGroup(ctx, iam.Group{Account: account, Name: "DEVS"})
	is(t, err, fault.Exists, "group", "Group with name DEVS already exists.")
	_, err = d.CreateGroup(ctx, iam.Group{Account: account, Name: "a b"})
	is(t, err, fault.Invalid, "group", "")
	user(t, d, "ada")
	user(t, d, "Bob")

	is(t, d.AddUserToGroup(ctx, account, "ghost", "ada"), fault.NotFound, "group", "The group with name ghost cannot be found.")
	is(t, d.AddUserToGroup(ctx, account, "devs", "ghost"), fault.NotFound, "user", "The user with name ghost cannot be found.")
	for _, name := range []string{"Bob", "ada", "ada"} {
		is(t, d.AddUserToGroup(ctx, account, "devs", name), 0, "", "")
	}
	var members []string
	found, _ := d.FindGroup(account, "devs")
	for u := range d.Members(found) {
		members = append(members, u.Name)
	}
	if !slices.Equal(members, []string{"ada", "Bob"}) || found.Members != 2 {
		t.Errorf("the members are %v, counted %d", members, found.Members)
	}
	if d.HasPrincipal(g.ARN()) || d.HasPrincipal(g.ID) {
		t.Error("a group is a principal")
	}

	group(t, d, "Other")
	is(t, d.RenameGroup(ctx, account, "devs", "other", ""), fault.Exists, "group", "Group with name other already exists.")
	is(t, d.RenameGroup(ctx, account, "devs", "developers", "/team/"), 0, "", "")
	is(t, d.RenameGroup(ctx, account, "developers", "Developers", ""), 0, "", "")
	if _, ok := d.FindGroup(account, "devs"); ok {
		t.Error("the old name still leads to the group")
	}
	if got := groupsOf(d, "ada"); !slices.Equal(got, []string{"Developers"}) {
		t.Errorf("after the renaming ada is in %v", got)
	}

	is(t, d.DeleteGroup(ctx, account, "Developers"), fault.Conflict, "group", "Cannot delete entity, must remove users from group first.")
	is(t, d.DeleteUser(ctx, account, "ada"), fault.Conflict, "user", "Cannot delete entity, must remove users from group first.")
	for _, name := range []string{"ada", "Bob"} {
		is(t, d.RemoveUserFromGroup(ctx, account, "Developers", name), 0, "", "")
	}
	is(t, d.RemoveUserFromGroup(ctx, account, "Developers", "ada"), fault.NotFound, "user", "User ada not in group Developers.")
	is(t, d.DeleteGroup(ctx, account, "Developers"), 0, "", "")
	is(t, d.DeleteUser(ctx, account, "ada"), 0, "", "")
}

func TestGroupPolicies(t *testing.T) {
	t.Parallel()
	d, ctx := directory(t), t.Context()
	group(t, d, "g")
	p := managed(t, d, "P")
	is(t, d.PutGroupPolicy(ctx, account, "g", "p", allowS3), 0, "", "")
	big := strings.Replace(allowS3, "b/*", strings.Repeat("b", 5200)+"/*", 1)
	is(t, d.PutGroupPolicy(ctx, account, "g", "q", big), fault.Limit, "policy", "Maximum policy size of 5120 bytes exceeded for group g")
	is(t, d.AttachGroupPolicy(ctx, account, "g", p.ARN()), 0, "", "")
	is(t, d.DeletePolicy(ctx, p.ARN()), fault.Conflict, "policy", "Cannot delete a policy attached to entities.")
	is(t, d.DeleteGroup(ctx, account, "g"), fault.Conflict, "group", "Cannot delete entity, must detach all policies first.")
	is(t, d.DetachGroupPolicy(ctx, account, "g", p.ARN()), 0, "", "")
	is(t, d.DeleteGroup(ctx, account, "g"), fault.Conflict, "group", "Cannot delete entity, must delete policies first.")
	is(t, d.DeleteGroupPolicy(ctx, account, "g", "x"), fault.NotFound, "policy", "The group policy with name x cannot be found.")
	is(t, d.DeleteGroupPolicy(ctx, account, "g", "p"), 0, "", "")
	is(t, d.DeleteGroup(ctx, account, "g"), 0, "", "")
}

// TestMembersAreCounted lets many change one group at once.
func TestMembersAreCounted(t *testing.T) {
	t.Parallel()
	d, ctx := directory(t), t.Context()
	group(t, d, "g")
	names := strings.Fields("a b c d e f")
	for _, name := range names {
		user(t, d, name)
	}
	errs := make(chan error)
	for _, name := range names {
		go func() { errs <- d.AddUserToGroup(ctx, account, "g", name) }()
	}
	for range names {
		is(t, <-errs, 0, "", "")
	}
	if g, _ := d.FindGroup(account, "g"); g.Members != len(names) {
		t.Errorf("%d members are counted, want %d", g.Members, len(names))
	}
}

func TestRenameUser(t *testing.T) {
	t.Parallel()
	d, ctx := directory(t), t.Context()
	u := user(t, d, "ada")
	user(t, d, "taken")
	key, err := d.CreateAccessKey(ctx, account, "ada")
	is(t, err, 0, "", "")
	r, err := d.CreateRole(ctx, iam.Role{Account: account, Name: "r", Trust: trustOf(u.ARN())})
	is(t, err, 0, "", "")
	is(t, d.RenameUser(ctx, account, "ada", "TAKEN", ""), fault.Exists, "user", "User with name TAKEN already exists.")
	is(t, d.RenameUser(ctx, account, "ada", "", "team"), fault.Invalid, "user", "")
	is(t, d.RenameUser(ctx, account, "ada", "grace", "/team/"), 0, "", "")
	if _, ok := d.FindUser(account, "ada"); ok {
		t.Error("the old name still leads to the user")
	}
	if k, _ := d.FindAccessKey(key.ID); k.UserName != "grace" {
		t.Errorf("the key is %s's", k.UserName)
	}
	if got, want := d.Printed(r.Trust), trusting("arn:aws:iam::111122223333:user/team/grace"); got != want {
		t.Errorf("the role trusts %s\nwant %s", got, want)
	}
	is(t, d.RenameUser(ctx, account, "grace", "Grace", ""), 0, "", "")
	if got, ok := d.FindUser(account, "grace"); !ok || got.Name != "Grace" || got.ID != u.ID {
		t.Errorf("found %+v", got)
	}
}

// TestQuotas holds that the limits are those of the control plane.
func TestQuotas(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var quotas quota.Set
	for _, name := range []quota.Name{
		quota.UsersPerAccount, quota.GroupsPerAccount, quota.RolesPerAccount, quota.PoliciesPerAccount, quota.InstanceProfiles,
		quota.ProvidersPerAccount, quota.AttachedPoliciesPerUser, quota.AttachedPoliciesPerGroup, quota.GroupsPerUser, quota.AccessKeysPerUser,
	} {
		quotas = quotas.With(name, 1)
	}
	d, err := iam.New(iam.Config{DB: storetest.New(t, iam.Schema()...), Quotas: quotas})
	is(t, err, 0, "", "")
	_, err = d.CreateAccount(ctx, account, "a")
	is(t, err, 0, "", "")
	user(t, d, "u")
	group(t, d, "g")
	role(t, d, "r")
	managed(t, d, "P")
	_, err = d.CreateUser(ctx, iam.User{Account: account, Name: "u2"})
	is(t, err, fault.Limit, "user", "Cannot exceed quota for UsersPerAccount: 1")
	_, err = d.CreateGroup(ctx, iam.Group{Account: account, Name: "g2"})
	is(t, err, fault.Limit, "group", "Cannot exceed quota for GroupsPerAccount: 1")
	_, err = d.CreateRole(ctx, iam.Role{Account: account, Name: "r2", Trust: trustOf(account)})
	is(t, err, fault.Limit, "role", "Cannot exceed quota for RolesPerAccount: 1")
	_, err = d.CreatePolicy(ctx, iam.ManagedPolicy{Account: account, Name: "P2"}, allowS3)
	is(t, err, fault.Limit, "policy", "Cannot exceed quota for PoliciesPerAccount: 1")
	_, err = d.CreateInstanceProfile(ctx, iam.InstanceProfile{Account: account, Name: "p"})
	is(t, err, 0, "", "")
	_, err = d.CreateInstanceProfile(ctx, iam.InstanceProfile{Account: account, Name: "p2"})
	is(t, err, fault.Limit, "instance profile", "Cannot exceed quota for InstanceProfilesPerAccount: 1")
	_, err = d.CreateProvider(ctx, iam.Provider{Account: account, Host: "a.example"})
	is(t, err, 0, "", "")
	_, err = d.CreateProvider(ctx, iam.Provider{Account: account, Host: "b.example"})
	is(t, err, fault.Limit, "provider", "Cannot exceed quota for OpenIdConnectProvidersPerAccount: 1")
	is(t, d.AttachUserPolicy(ctx, account, "u", "arn:aws:iam::aws:policy/ReadOnlyAccess"), 0, "", "")
	is(t, d.AttachUserPolicy(ctx, account, "u", "arn:aws:iam::aws:policy/SecurityAudit"), fault.Limit, "policy",
		"Cannot exceed quota for PoliciesPerUser: 1")
	_, err = d.CreateAccessKey(ctx, account, "u")
	is(t, err, 0, "", "")
	_, err = d.CreateAccessKey(ctx, account, "u")
	is(t, err, fault.Limit, "access key", "Cannot exceed quota for AccessKeysPerUser: 1")
	if got := d.Summary(account); got["UsersQuota"] != 1 || got["Users"] != 1 || got["AccessKeysPerUserQuota"] != 1 || got["RolePolicySizeQuota"] != 10240 {
		t.Errorf("the summary is %v", got)
	}
}
