package authz_test

import (
	"strings"
	"testing"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/organization"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/store"
)

// outsider is an account that is in no organization.
const outsider = "777788889999"

// tree is an organization of own with one unit, in which other is.
type tree struct {
	*world

	id, root, unit string
}

func newTree(t *testing.T) *tree {
	t.Helper()
	w := &tree{world: newWorld(t)}
	ctx := t.Context()
	_, err := w.iam.CreateAccount(ctx, outsider, "outsider")
	must(t, err)
	o, err := w.orgs.Create(ctx, own, "own")
	must(t, err)
	w.id, w.root = o.ID, o.RootID
	_, err = w.orgs.EnableType(ctx, own, w.root, organization.SCP)
	must(t, err)
	h, err := w.orgs.Invite(ctx, own, other, "", nil)
	must(t, err)
	_, err = w.orgs.Accept(ctx, other, "other", h.ID)
	must(t, err)
	_, w.unit, err = w.orgs.CreateUnit(ctx, own, w.root, "shops", nil)
	must(t, err)
	must(t, w.orgs.MoveAccount(ctx, own, other, w.root, w.unit))
	_, err = w.orgs.EnableType(ctx, own, w.root, organization.RCP)
	must(t, err)
	return w
}

// attach makes a policy of the statements and attaches it.
func (w *tree) attach(kind organization.Type, target string, statements ...string) (id string) {
	w.t.Helper()
	p, err := w.orgs.CreatePolicy(w.t.Context(), own, organization.Policy{
		Type: kind, Name: "p", Content: policy.NewSource(doc(statements...)),
	}, nil)
	must(w.t, err)
	must(w.t, w.orgs.Attach(w.t.Context(), own, p.ID, target))
	return p.ID
}

func (w *tree) read(c authz.Caller, owner string) error {
	return w.authz.Authorize(c, w.network(), authz.Question{Action: "s3:GetObject", Resource: object, ResourceAccount: owner})
}

// TestServiceControlPolicies holds whom they bind, on which levels, and what those are told whom they refuse.
func TestServiceControlPolicies(t *testing.T) {
	t.Parallel()
	const (
		denied  = "with an explicit deny in a service control policy (refused by a service control policy)"
		missing = "because no service control policy allows the s3:GetObject action (refused by a service control policy)"
	)
	for _, tt := range []struct {
		name   string
		change func(*tree)
		want   string // of a member; empty: allowed
	}{
		{"full access", func(*tree) {}, ""},
		{"deny list at the root", func(w *tree) { w.attach(organization.SCP, w.root, deny("s3:Get*", "*")) }, denied},
		{"deny list at the unit", func(w *tree) { w.attach(organization.SCP, w.unit, deny("s3:Get*", "*")) }, denied},
		{"deny list at the account", func(w *tree) { w.attach(organization.SCP, other, deny("s3:Get*", "*")) }, denied},
		{"deny list of something else", func(w *tree) { w.attach(organization.SCP, w.root, deny("s3:Put*", "*")) }, ""},
		{"allow list that lacks it", func(w *tree) {
			w.attach(organization.SCP, w.unit, allow("ec2:*", "*"))
			must(w.t, w.orgs.Detach(w.t.Context(), own, organization.FullAccess(organization.SCP), w.unit))
		}, missing},
		{"allow list that has it", func(w *tree) {
			w.attach(organization.SCP, w.unit, allow("s3:*", "*"))
			must(w.t, w.orgs.Detach(w.t.Context(), own, organization.FullAccess(organization.SCP), w.unit))
		}, ""},
		{"moved from under it", func(w *tree) {
			w.attach(organization.SCP, w.unit, deny("*", "*"))
			must(w.t, w.orgs.MoveAccount(w.t.Context(), own, other, w.unit, w.root))
		}, ""},
		{"type disabled", func(w *tree) {
			w.attach(organization.SCP, w.root, deny("*", "*"))
			_, err := w.orgs.DisableType(w.t.Context(), own, w.root, organization.SCP)
			must(w.t, err)
		}, ""},
		{"left", func(w *tree) {
			w.attach(organization.SCP, w.root, deny("*", "*"))
			must(w.t, w.orgs.Leave(w.t.Context(), other))
		}, ""},
		{"by organization", func(w *tree) {
			w.attach(organization.SCP, w.root, `{"Sid":"No","Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"`+w.id+`"}}}`)
		}, denied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newTree(t)
			user := w.user(other, "user", allow("s3:*", "*"))
			manager := w.user(own, "manager", allow("s3:*", "*"))
			root := w.signIn(w.key(other, "").ID, "")
			r := w.role(other, "App", trust(byService(pods), ""))
			w.grant(r, allow("s3:*", "*"))
			session := w.session(w.assume(r, nil))
			tt.change(w)
			for name, c := range map[string]authz.Caller{"user": user, "root user": root, "session": session} {
				err := w.read(c, other)
				if tt.want == "" {
					if err != nil {
						t.Errorf("%s: %v", name, err)
					}
					continue
				}
				if text := is(t, err, fault.Denied, "action"); !strings.HasSuffix(text, "on resource: "+object+" "+tt.want) {
					t.Errorf("%s: %s", name, text)
				}
			}
			if err := w.read(manager, own); err != nil {
				t.Errorf("the management account is bound: %v", err)
			}
		})
	}
}

// TestServiceLinkedRolesAreOfServices holds that a path frees no role from service control policies: one that its account made before the
// path was reserved is bound like others.
func TestServiceLinkedRolesAreOfServices(t *testing.T) {
	t.Parallel()
	w := newTree(t)
	roles := store.NewTable[iam.Role]("iam-role")
	for _, service := range []string{"", "eks.amazonaws.com"} {
		r := w.role(other, "App"+service, trust(byService(pods), ""))
		w.grant(r, allow("s3:*", "*"))
		must(t, w.db.Update(t.Context(), func(tx *store.Tx) error {
			key := store.Key{other, strings.ToLower(r.Name)}
			old, _, err := roles.Read(tx, key)
			if err != nil {
				return err
			}
			old.Path, old.Service = "/aws-service-role/eks.amazonaws.com/", service
			roles.Put(tx, key, old)
			r = old
			return nil
		}))
		session := w.session(w.assume(r, nil))
		scp := w.attach(organization.SCP, w.root, deny("s3:*", "*"))
		if err := w.read(session, other); (err == nil) != (service != "") {
			t.Errorf("a role of the service %q: %v", service, err)
		}
		must(t, w.orgs.Detach(t.Context(), own, scp, w.root))
		must(t, w.orgs.DeletePolicy(t.Context(), own, scp))
	}
}

// TestServiceControlPolicyOfBothSides holds that the caller's account counts and the owner's does not.
func TestServiceControlPolicyOfBothSides(t *testing.T) {
	t.Parallel()
	w := newTree(t)
	w.attach(organization.SCP, w.unit, deny("s3:*", "*"))
	open := bucketPolicy(t, grantTo(`"*"`, ""))
	ask := func(c authz.Caller, owner string) error {
		return w.authz.Authorize(c, w.network(), authz.Question{Action: "s3:GetObject", Resource: object, ResourceAccount: owner, ResourcePolicy: open})
	}
	member := w.user(other, "user", allow("s3:*", "*"))
	manager := w.user(own, "user", allow("s3:*", "*"))
	is(t, ask(member, own), fault.Denied, "action")
	is(t, ask(manager, other), 0, "")
	is(t, ask(authz.Caller{Principal: arn.Principal{Kind: arn.Anonymous, ARN: "*"}}, other), 0, "")
	is(t, ask(authz.ServiceCaller(pods), other), 0, "")
}

// TestResourceControlPolicies holds that they guard the resources of members against everybody, and nothing of the management account.
func TestResourceControlPolicies(t *testing.T) {
	t.Parallel()
	w := newTree(t)
	w.attach(organization.RCP, w.root, `{"Sid":"OursOnly","Effect":"Deny","Principal":"*","Action":["s3:*","sts:*"],"Resource":"*",`+
		`"Condition":{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"`+w.id+`"},"BoolIfExists":{"aws:PrincipalIsAWSService":"false"}}}`)
	open := bucketPolicy(t, grantTo(`"*"`, ""))
	ask := func(c authz.Caller, owner string) error {
		return w.authz.Authorize(c, w.network(), authz.Question{Action: "s3:GetObject", Resource: object, ResourceAccount: owner, ResourcePolicy: open})
	}
	stranger := w.user(outsider, "user", allow("*", "*"))
	anonymous := authz.Caller{Principal: arn.Principal{Kind: arn.Anonymous, ARN: "*"}}
	member, manager := w.user(other, "user", allow("*", "*")), w.user(own, "user", allow("*", "*"))

	text := is(t, ask(stranger, other), fault.Denied, "action")
	if !strings.HasSuffix(text, "with an explicit deny in a resource control policy (refused by a resource control policy)") {
		t.Error(text)
	}
	is(t, ask(anonymous, other), fault.Denied, "action")
	is(t, ask(member, other), 0, "")
	is(t, ask(manager, other), 0, "")
	is(t, ask(stranger, own), 0, "") // the management account's resources
	is(t, ask(anonymous, own), 0, "")

	// Other services' resources are not guarded.
	is(t, w.authz.Authorize(member, w.network(), authz.Question{Action: "iam:GetRole", ResourceAccount: other}), 0, "")

	assume := func(r string, c authz.Caller) error {
		_, err := w.authz.Assume(authz.Assumption{Caller: c, Action: authz.AssumeRole, RoleARN: r, SessionName: "s1", Network: w.network()})
		return err
	}
	theirs := w.role(other, "App", trust(`"AWS":["`+outsider+`","`+own+`"],`+byService(pods), ""))
	ours := w.role(own, "App", trust(byAWS(outsider), ""))
	is(t, assume(theirs.ARN(), stranger), fault.Denied, "role")
	is(t, assume(theirs.ARN(), manager), 0, "")
	is(t, assume(theirs.ARN(), authz.ServiceCaller(pods)), 0, "")
	is(t, assume(ours.ARN(), stranger), 0, "")
}

// TestOrganizationKeys holds the condition keys that say where caller, resource and source are.
func TestOrganizationKeys(t *testing.T) {
	t.Parallel()
	w := newTree(t)
	path := w.id + "/" + w.root + "/" + w.unit + "/"
	keys := func(c authz.Caller, owner string) map[string]string {
		got := map[string]string{}
		_ = w.authz.Authorize(c, w.network(), authz.Question{Action: "s3:GetObject", Resource: object, ResourceAccount: owner, Keys: func(k *policy.Context) {
			for _, name := range []string{"aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:ResourceOrgID", "aws:ResourceOrgPaths"} {
				if values, ok := k.Get(name); ok {
					got[strings.TrimPrefix(name, "aws:")] = strings.Join(values, ",")
				}
			}
		}})
		return got
	}
	member, stranger := w.user(other, "user", allow("*", "*")), w.user(outsider, "user", allow("*", "*"))
	for _, tt := range []struct {
		caller authz.Caller
		owner  string
		want   map[string]string
	}{
		{member, outsider, map[string]string{"PrincipalOrgID": w.id, "PrincipalOrgPaths": path}},
		{stranger, other, map[string]string{"ResourceOrgID": w.id, "ResourceOrgPaths": path}},
		{stranger, own, map[string]string{"ResourceOrgID": w.id, "ResourceOrgPaths": w.id + "/" + w.root + "/"}},
		{stranger, outsider, map[string]string{}},
	} {
		got := keys(tt.caller, tt.owner)
		if len(got) != len(tt.want) {
			t.Errorf("got %v, want %v", got, tt.want)
		}
		for k, v := range tt.want {
			if got[k] != v {
				t.Errorf("%s is %q, want %q", k, got[k], v)
			}
		}
	}

	// A service that acts for a resource of an account says where that account is.
	r := w.role(other, "App", trust(byService(pods), `{"StringEquals":{"aws:SourceOrgID":"`+w.id+`"},"ForAnyValue:StringLike":{"aws:SourceOrgPaths":"`+w.id+`/*"}}`))
	for account, allowed := range map[string]bool{other: true, outsider: false, "": false} {
		_, err := w.authz.Assume(w.assume(r, func(q *authz.Assumption) { q.SourceAccount = account }))
		if (err == nil) != allowed {
			t.Errorf("for %q: %v", account, err)
		}
	}
}

// TestOrganizationsCostNothing holds that a decision costs an account outside of organizations no allocation more than before, and a
// member none for its policies.
func TestOrganizationsCostNothing(t *testing.T) { //nolint:paralleltest // it counts allocations
	w := newTree(t)
	if n := testing.AllocsPerRun(100, func() { w.orgs.Of(outsider); w.orgs.Of("") }); n > 0 {
		t.Errorf("a look for nothing allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { w.orgs.Of(other) }); n > 0 {
		t.Errorf("a look at a member allocates %v times", n)
	}
}
