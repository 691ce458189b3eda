package iam_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/store/storetest"
)

const (
	account = "111122223333"
	other   = "444455556666"

	allowS3  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}]}`
	trustEKS = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},` +
		`"Action":["sts:AssumeRole","sts:TagSession"]}]}`
)

var created = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

// directory is a Directory with one account of its own.
func directory(t *testing.T) *iam.Directory {
	t.Helper()
	d, err := iam.New(iam.Config{DB: storetest.New(t, iam.Schema()...), Now: func() time.Time { return created }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.CreateAccount(t.Context(), account, "cluster"); err != nil {
		t.Fatal(err)
	}
	return d
}

func trusting(aws string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + aws + `"},"Action":"sts:AssumeRole"}}`
}

func role(t *testing.T, d *iam.Directory, name string) *iam.Role {
	t.Helper()
	r, err := d.CreateRole(t.Context(), iam.Role{Account: account, Name: name, Trust: policy.NewSource(trustEKS)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func user(t *testing.T, d *iam.Directory, name string) *iam.User {
	t.Helper()
	u, err := d.CreateUser(t.Context(), iam.User{Account: account, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func managed(t *testing.T, d *iam.Directory, name string) *iam.ManagedPolicy {
	t.Helper()
	p, err := d.CreatePolicy(t.Context(), iam.ManagedPolicy{Account: account, Name: name}, allowS3)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// is asserts kind, subject and text of a failure. An empty text is not compared; a zero kind means no failure.
func is(t *testing.T, err error, kind fault.Kind, subject, text string) {
	t.Helper()
	if kind == 0 {
		if err != nil {
			t.Fatalf("failed: %v", err)
		}
		return
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		t.Fatalf("got %v, want %s %s", err, kind, subject)
	}
	if f.Kind != kind || f.Subject != subject || text != "" && f.Public != text {
		t.Fatalf("got  %s %q: %s\nwant %s %q: %s", f.Kind, f.Subject, f.Public, kind, subject, text)
	}
}

func TestBootstrap(t *testing.T) {
	t.Parallel()
	d := directory(t)
	key, err := d.Bootstrap(t.Context(), other, "bucket")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^AKIA[A-Z2-7]{16}$`).MatchString(key.ID) || len(key.Secret) != 40 {
		t.Errorf("the key is %q with a secret of %d characters", key.ID, len(key.Secret))
	}
	stored, ok := d.FindAccessKey(key.ID)
	if !ok || *stored != key || !stored.Active || stored.UserName != iam.Administrator || stored.Account != other {
		t.Errorf("the key is stored as %+v, want %+v", stored, key)
	}
	u, ok := d.FindUser(other, iam.Administrator)
	if !ok || u.Inline[iam.AdministratorPolicy].As(policy.Identity).Err() != nil || !regexp.MustCompile(`^AIDA[A-Z2-7]{17}$`).MatchString(u.ID) {
		t.Errorf("the administrator is %+v", u)
	}
	_, err = d.Bootstrap(t.Context(), other, "again")
	is(t, err, fault.Exists, "account", "The account 444455556666 already exists.")
	_, err = d.Bootstrap(t.Context(), "12", "short")
	is(t, err, fault.Invalid, "account", "")
}

func TestCreateRole(t *testing.T) {
	t.Parallel()
	d := directory(t)
	role(t, d, "Present")
	user(t, d, "ada")
	long := strings.Repeat("x", 65)
	wide := trusting(account)[:len(trusting(account))-1] + `,"Id":"` + strings.Repeat("i", 2100) + `"}`
	tests := []struct {
		name    string
		role    iam.Role
		kind    fault.Kind
		subject string
		text    string
	}{
		{name: "plain", role: iam.Role{Name: "plain"}},
		{name: "path", role: iam.Role{Name: "pathed", Path: "/team/a/", MaxSession: 12 * time.Hour, Description: "d", Tags: map[string]string{"k": ""}}},
		{"taken in another case", iam.Role{Name: "PRESENT"}, fault.Exists, "role", "Role with name PRESENT already exists."},
		{"no name", iam.Role{}, fault.Invalid, "role", ""},
		{
			"long name",
			iam.Role{Name: long},
			fault.Invalid, "role",
			"1 validation error detected: Value '" + long + "' at 'roleName' failed to satisfy constraint: Member must have length less than or equal to 64",
		},
		{"alphabet", iam.Role{Name: "a/b"}, fault.Invalid, "role", ""},
		{"path without slash", iam.Role{Name: "a", Path: "team"}, fault.Invalid, "role", ""},
		{"session too short", iam.Role{Name: "a", MaxSession: time.Minute}, fault.Invalid, "role", ""},
		{"session too long", iam.Role{Name: "a", MaxSession: 13 * time.Hour}, fault.Invalid, "role", ""},
		{"description", iam.Role{Name: "a", Description: strings.Repeat("x", 1001)}, fault.Invalid, "role", ""},
		{"tag keys ignore case", iam.Role{Name: "a", Tags: map[string]string{"K": "", "k": ""}}, fault.Invalid, "tags", ""},
		{"reserved tag", iam.Role{Name: "a", Tags: map[string]string{"AWS:x": ""}}, fault.Invalid, "tags", ""},
		{"account", iam.Role{Name: "a", Account: other}, fault.NotFound, "account", "The account 444455556666 cannot be found."},
		{"trust is no JSON", iam.Role{Name: "a", Trust: policy.NewSource(`{`)}, fault.Invalid, "policy document", ""},
		{"trust too long", iam.Role{Name: "a", Trust: policy.NewSource(wide)}, fault.Limit, "role", "Cannot exceed quota for ACLSizePerRole: 2048"},
		{name: "trusts an account", role: iam.Role{Name: "t1", Trust: policy.NewSource(trusting(account))}},
		{name: "trusts a root", role: iam.Role{Name: "t2", Trust: policy.NewSource(trusting("arn:aws:iam::" + account + ":root"))}},
		{name: "trusts a user", role: iam.Role{Name: "t3", Trust: policy.NewSource(trusting("arn:aws:iam::" + account + ":user/ada"))}},
		{name: "trusts a role", role: iam.Role{Name: "t4", Trust: policy.NewSource(trusting("arn:aws:iam::" + account + ":role/Present"))}},
		{name: "trusts a session", role: iam.Role{Name: "t5", Trust: policy.NewSource(trusting("arn:aws:sts::" + account + ":assumed-role/Present/s"))}},
		{name: "trusts everybody", role: iam.Role{Name: "t6", Trust: policy.NewSource(trusting("*"))}},
		{
			"trusts an unknown account",
			iam.Role{Name: "a", Trust: policy.NewSource(trusting(other))},
			fault.Invalid, "policy document",
			`Invalid principal in policy: "AWS":"444455556666"`,
		},
		{
			"trusts an unknown role",
			iam.Role{Name: "a", Trust: policy.NewSource(trusting("arn:aws:iam::111122223333:role/ghost"))},
			fault.Invalid,
			"policy document", `Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:role/ghost"`,
		},
		{
			"trusts a role by another path",
			iam.Role{Name: "a", Trust: policy.NewSource(trusting("arn:aws:iam::111122223333:role/x/Present"))},
			fault.Invalid, "policy document", "",
		},
		{
			"trusts a user in another case",
			iam.Role{Name: "a", Trust: policy.NewSource(trusting("arn:aws:iam::111122223333:user/Ada"))},
			fault.Invalid, "policy document", "",
		},
		{"trusts an unknown id", iam.Role{Name: "a", Trust: policy.NewSource(trusting("AROAAAAAAAAAAAAAAAAAA"))}, fault.Invalid, "policy document", ""},
		{"trusts itself", iam.Role{Name: "a", Trust: policy.NewSource(trusting("arn:aws:iam::111122223333:role/a"))}, fault.Invalid, "policy document", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.role.Account == "" {
				tt.role.Account = account
			}
			if tt.role.Trust == nil {
				tt.role.Trust = policy.NewSource(trustEKS)
			}
			r, err := d.CreateRole(t.Context(), tt.role)
			is(t, err, tt.kind, tt.subject, tt.text)
			if err != nil {
				return
			}
			if !regexp.MustCompile(`^AROA[A-Z2-7]{17}$`).MatchString(r.ID) || !r.CreatedAt.Equal(created) || r.MaxSession < time.Hour || r.Path == "" {
				t.Errorf("made %+v", r)
			}
			if found, ok := d.FindRole(account, strings.ToUpper(r.Name)); !ok || found.ID != r.ID || found.ARN() != r.ARN() {
				t.Errorf("found %+v", found)
			}
		})
	}
}

func TestTrustRemembersWhoItNames(t *testing.T) {
	t.Parallel()
	d := directory(t)
	u := user(t, d, "ada")
	text := trusting(u.ARN())
	r, err := d.CreateRole(t.Context(), iam.Role{Account: account, Name: "r", Trust: policy.NewSource(text)})
	is(t, err, 0, "", "")
	if got, want := r.Trust.String(), trusting(u.ID); got != want {
		t.Errorf("stored  %s\nwant    %s", got, want)
	}
	if got := d.Printed(r.Trust); got != text {
		t.Errorf("printed %s\nwant    %s", got, text)
	}
	is(t, d.DeleteUser(t.Context(), account, "ada"), 0, "", "")
	_, err = d.UpdateRole(t.Context(), account, "r", func(r *iam.Role) error { r.Description = "other"; return nil })
	is(t, err, 0, "", "") // what is not touched is not checked again
	again := user(t, d, "ada")
	if got, want := d.Printed(r.Trust), trusting(u.ID); got != want {
		t.Errorf("the new ada is taken for the old one: %s", got)
	}
	r, err = d.UpdateRole(t.Context(), account, "r", func(r *iam.Role) error { r.Trust = policy.NewSource(text); return nil })
	is(t, err, 0, "", "")
	if got, want := r.Trust.String(), trusting(again.ID); got != want {
		t.Errorf("the same text written again is stored as %s, want %s", got, want)
	}
	for name, want := range map[string]bool{
		"*": true, account: true, other: false, again.ARN(): true, again.ID: true, u.ID: false, r.ARN(): true, "arn:aws:iam::" + account + ":root": true,
		"arn:aws:iam::" + account + ":group/g": false, "arn:aws:sts::" + account + ":assumed-role/r/s": true, "arn:aws:sts::" + account + ":assumed-role/r": false,
		"": false, "arn": false,
	} {
		if got := d.HasPrincipal(name); got != want {
			t.Errorf("HasPrincipal(%q) = %v", name, got)
		}
	}
}

func TestRolePolicies(t *testing.T) {
	t.Parallel()
	d, ctx := directory(t), t.Context()
	role(t, d, "r")
	p := managed(t, d, "P")

	is(t, d.PutRolePolicy(ctx, account, "ghost", "p", allowS3), fault.NotFound, "role", "The role with name ghost cannot be found.")
	is(t, d.PutRolePolicy(ctx, account, "r", "p", `{"Version":"2012-10-17"}`), fault.Invalid, "policy document", "")
	is(t, d.PutRolePolicy(ctx, account, "r", "p p", allowS3), fault.Invalid, "policy", "")
	is(t, d.PutRolePolicy(ctx, account, "r", "p", allowS3), 0, "", "")
	is(t, d.PutRolePolicy(ctx, account, "r", "p", allowS3+strings.Repeat(" ", 20000)), 0, "", "") // white space does not count
	big := strings.Replace(allowS3, "b/*", strings.Repeat("b", 11000)+"/*", 1)
	is(t, d.PutRolePolicy(ctx, account, "r", "q", big), fault.Limit, "policy", "Maximum policy size of 10240 bytes exceeded for role r")
	is(t, d.DeleteRolePolicy(ctx, account, "r", "q"), fault.NotFound, "policy", "The role policy with name q cannot be found.")

	is(t, d.AttachRolePolicy(ctx, account, "r", p.ARN()+"x"), fault.NotFound, "policy", "Policy "+p.ARN()+"x does not exist or is not attachable.")
	is(t, d.AttachRolePolicy(ctx, account, "r", "P"), fault.Invalid, "policy", "ARN P is not valid.")
	is(t, d.AttachRolePolicy(ctx, account, "r", p.ARN()), 0, "", "")
	is(t, d.AttachRolePolicy(ctx, account, "r", p.ARN()), 0, "", "")
	if got, _ := d.FindPolicy(p.ARN()); got.Attachments != 1 {
		t.Errorf("attached %d times, want once", got.Attachments)
	}
	is(t, d.DeletePolicy(ctx, p.ARN()), fault.Conflict, "policy", "Cannot delete a policy attached to entities.")
	is(t, d.DeleteRole(ctx, account, "r"), fault.Conflict, "role", "Cannot delete entity, must detach all policies first.")
	is(t, d.DetachRolePolicy(ctx, account, "r", p.ARN()), 0, "", "")
	is(t, d.DetachRolePolicy(ctx, account, "r", p.ARN()), fault.NotFound, "policy", "Policy "+p.ARN()+" was not found.")
	is(t, d.DeleteRole(ctx, account, "r"), fault.Conflict, "role", "Cannot delete entity, must delete policies first.")
	is(t, d.DeleteRolePolicy(ctx, account, "r", "p"), 0, "", "")

	_, err := d.UpdateRole(ctx, account, "r", func(r *iam.Role) error { r.Boundary = p.ARN(); return nil })
	is(t, err, 0, "", "")
	is(t, d.DeletePolicy(ctx, p.ARN()), fault.Conflict, "policy", "Cannot delete a policy attached to entities.")
	is(t, d.DeleteRole(ctx, account, "r"), 0, "", "")
	is(t, d.DeletePolicy(ctx, p.ARN()), 0, "", "")
	if _, ok := d.FindPolicy(p.ARN()); ok {
		t.Error("the policy is still there")
	}
}

func TestAttachedQuota(t *testing.T) {
	t.Parallel()
	d := directory(t)
	role(t, d, "r")
	for name := range strings.FieldsSeq("a b c d e f g h i j") {
		is(t, d.AttachRolePolicy(t.Context(), account, "r", managed(t, d, name).ARN()), 0, "", "")
	}
	err := d.AttachRolePolicy(t.Context(), account, "r", managed(t, d, "k").ARN())
	is(t, err, fault.Limit, "policy", "Cannot exceed quota for PoliciesPerRole: 10")
}

func TestPolicyVersions(t *testing.T) {
	t.Parallel()
	d, ctx := directory(t), t.Context()
	p := managed(t, d, "P")
	_, err := d.CreatePolicy(ctx, iam.ManagedPolicy{Account: account, Name: "p", Path: "/x/"}, allowS3)
	is(t, err, fault.Exists, "policy", "A policy called p already exists. Duplicate names are not allowed.")
	_, err = d.CreatePolicy(ctx, iam.ManagedPolicy{Account: account, Name: "q"}, strings.Replace(allowS3, "b/", strings.Repeat("b", 6200), 1))
	is(t, err, fault.Limit, "policy", "Cannot exceed quota for PolicySize: 6144")

	v, err := d.CreatePolicyVersion(ctx, p.ARN(), allowS3, true)
	is(t, err, 0, "", "")
	is(t, d.DeletePolicyVersion(ctx, p.ARN(), v.ID), fault.Conflict, "policy", "Cannot delete the default version of a policy.")
	is(t, d.DeletePolicy(ctx, p.ARN()), fault.Conflict, "policy", "")
	is(t, d.DeletePolicyVersion(ctx, p.ARN(), "v1"), 0, "", "")
	is(t, d.SetDefaultPolicyVersion(ctx, p.ARN(), "v1"), fault.NotFound, "policy",
		"Policy "+p.ARN()+" version v1 does not exist or is not attachable.")
	for range 4 {
		v, err = d.CreatePolicyVersion(ctx, p.ARN(), allowS3, false)
		is(t, err, 0, "", "")
	}
	if v.ID != "v6" {
		t.Errorf("the newest version is %s, want v6", v.ID)
	}
	_, err = d.CreatePolicyVersion(ctx, p.ARN(), allowS3, false)
	is(t, err, fault.Limit, "policy", "")
	got, _ := d.FindPolicy(p.ARN())
	if got.Default != "v2" || len(got.Versions) != 5 || got.Document().String() != allowS3 {
		t.Errorf("the policy is %+v", got)
	}
}

func TestUsersAndKeys(t *testing.T) {
	t.Parallel()
	d, ctx := directory(t), t.Context()
	user(t, d, "Ada")
	_, err := d.CreateUser(ctx, iam.User{Account: account, Name: "ada"})
	is(t, err, fault.Exists, "user", "User with name ada already exists.")

	first, err := d.CreateAccessKey(ctx, account, "ada")
	is(t, err, 0, "", "")
	second, err := d.CreateAccessKey(ctx, account, "Ada")
	is(t, err, 0, "", "")
	_, err = d.CreateAccessKey(ctx, account, "Ada")
	is(t, err, fault.Limit, "access key", "Cannot exceed quota for AccessKeysPerUser: 2")
	if first.UserName != "Ada" || first.Secret == second.Secret {
		t.Errorf("made %s for %s", first.ID, first.UserName)
	}
	keys, err := d.AccessKeys(account, "ada")
	is(t, err, 0, "", "")
	if len(keys) != 2 || keys[0].ID != first.ID || keys[1].ID != second.ID {
		t.Errorf("the keys are %v", keys)
	}
	is(t, d.SetAccessKeyActive(ctx, account, "Ada", first.ID, false), 0, "", "")
	if k, _ := d.FindAccessKey(first.ID); k.Active {
		t.Error("the key is still active")
	}
	is(t, d.SetAccessKeyActive(ctx, account, "", first.ID, true), fault.NotFound, "access key", "")
	is(t, d.DeleteUser(ctx, account, "Ada"), fault.Conflict, "user", "Cannot delete entity, must delete access keys first.")
	is(t, d.DeleteAccessKey(ctx, account, "Ada", first.ID), 0, "", "")
	is(t, d.DeleteAccessKey(ctx, account, "Ada", first.ID), fault.NotFound, "access key",
		"The Access Key with id "+first.ID+" cannot be found.")
	is(t, d.DeleteAccessKey(ctx, account, "Ada", second.ID), 0, "", "")
	is(t, d.DeleteUser(ctx, account, "Ada"), 0, "", "")
	is(t, d.DeleteUser(ctx, account, "Ada"), fault.NotFound, "user", "The user with name Ada cannot be found.")

	root, err := d.CreateAccessKey(ctx, account, "")
	is(t, err, 0, "", "")
	if keys, _ := d.AccessKeys(account, ""); len(keys) != 1 || keys[0].ID != root.ID || root.UserName != "" {
		t.Errorf("the root user's keys are %v", keys)
	}
	is(t, d.DeleteAccessKey(ctx, account, "", root.ID), 0, "", "")
}

func TestProviders(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "http://issuer.example", "issuer.example", "https://", "https://issuer.example?x=1", "https://u@issuer.example",
		"https://issuer.example/#f", "HTTPS://issuer.example", "https://" + strings.Repeat("x", 255),
	} {
		if host, err := iam.ProviderHost(bad); !errors.Is(err, fault.Invalid) {
			t.Errorf("%q gives %q, %v", bad, host, err)
		}
	}
	host, err := iam.ProviderHost("https://oidc.example/id/ABC")
	if host != "oidc.example/id/ABC" || err != nil {
		t.Fatalf("got %q, %v", host, err)
	}

	d, ctx := directory(t), t.Context()
	p, err := d.CreateProvider(ctx, iam.Provider{Account: account, Host: host, ClientIDs: []string{"sts.amazonaws.com"}})
	is(t, err, 0, "", "")
	const name = "arn:aws:iam::111122223333:oidc-provider/oidc.example/id/ABC"
	if p.ARN() != name {
		t.Errorf("the ARN is %s", p.ARN())
	}
	_, err = d.CreateProvider(ctx, iam.Provider{Account: account, Host: host})
	is(t, err, fault.Exists, "provider", "Provider with url https://oidc.example/id/ABC already exists.")
	_, err = d.CreateProvider(ctx, iam.Provider{Account: account, Host: "x.example", Thumbprints: []string{"abc"}})
	is(t, err, fault.Invalid, "provider", "")
	is(t, d.AddClientID(ctx, name, "other"), 0, "", "")
	is(t, d.AddClientID(ctx, name, "other"), 0, "", "")
	is(t, d.RemoveClientID(ctx, name, "sts.amazonaws.com"), 0, "", "")
	found, ok := d.FindProvider(account, host)
	if want := []string{"other"}; !ok || !cmp.Equal(found.ClientIDs, want) {
		t.Errorf("the client ids are %v, want %v", found.ClientIDs, want)
	}
	is(t, d.DeleteProvider(ctx, name), 0, "", "")
	is(t, d.DeleteProvider(ctx, name), fault.NotFound, "provider", "OpenIDConnect Provider not found for arn "+name)
}

func TestTags(t *testing.T) {
	t.Parallel()
	tags := iam.WithTags(map[string]string{"Team": "a", "env": "x"}, map[string]string{"team": "b", "new": ""})
	if diff := cmp.Diff(map[string]string{"team": "b", "env": "x", "new": ""}, tags); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"env": "x"}, iam.WithoutTags(tags, []string{"TEAM", "new", "ghost"})); diff != "" {
		t.Error(diff)
	}
}

func TestNamesOfTwoCreatorsCollideOnce(t *testing.T) {
	t.Parallel()
	d := directory(t)
	errs := make(chan error)
	for range 8 {
		go func() {
			_, err := d.CreateRole(t.Context(), iam.Role{Account: account, Name: "same", Trust: policy.NewSource(trustEKS)})
			errs <- err
		}()
	}
	won := 0
	for range 8 {
		if err := <-errs; err == nil {
			won++
		} else if !errors.Is(err, fault.Exists) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d creators won, want one", won)
	}
}
