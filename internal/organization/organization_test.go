package organization_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/organization"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
	"github.com/podid/podid/internal/store/storetest"
)

const (
	boss  = "111122223333"
	other = "444455556666"
	third = "777788889999"
)

type world struct {
	*organization.Directory

	t     *testing.T
	db    *store.DB
	clock atomic.Int64
}

func newWorld(t *testing.T, quotas quota.Set) *world {
	t.Helper()
	w := &world{t: t, db: storetest.New(t, organization.Schema()...)}
	w.clock.Store(time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC).Unix())
	d, err := organization.New(organization.Config{DB: w.db, Quotas: quotas, Now: w.now})
	must(t, err)
	w.Directory = d
	return w
}

func (w *world) now() time.Time { return time.Unix(w.clock.Load(), 0).UTC() }

// create makes an organization of boss in which service control policies count.
func (w *world) create() *organization.Organization {
	w.t.Helper()
	o, err := w.Create(w.t.Context(), boss, "boss")
	must(w.t, err)
	o, err = w.EnableType(w.t.Context(), boss, o.RootID, organization.SCP)
	must(w.t, err)
	return o
}

func (w *world) join(account string) {
	w.t.Helper()
	h, err := w.Invite(w.t.Context(), boss, account, "", nil)
	must(w.t, err)
	_, err = w.Accept(w.t.Context(), account, "a"+account, h.ID)
	must(w.t, err)
}

func (w *world) unit(parent, name string) string {
	w.t.Helper()
	_, id, err := w.CreateUnit(w.t.Context(), boss, parent, name, nil)
	must(w.t, err)
	return id
}

const denyAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`

// policy makes a service control policy.
func (w *world) policy(name, content string) string {
	w.t.Helper()
	p, err := w.CreatePolicy(w.t.Context(), boss, organization.Policy{Type: organization.SCP, Name: name, Content: policy.NewSource(content)}, nil)
	must(w.t, err)
	return p.ID
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// is asserts kind, subject and reason of a failure.
func is(t *testing.T, err error, kind fault.Kind, subject, reason string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != kind || f.Subject != subject || f.Members["Reason"] != reason {
		t.Errorf("got  %v %v\nwant %v %s %s", err, f, kind, subject, reason)
	}
}

// TestOf holds what follows for an account from where it stands.
func TestOf(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	if w.Of(boss) != nil || w.Of("") != nil {
		t.Error("there is no organization")
	}
	o := w.create()
	w.join(other)
	outer := w.unit(o.RootID, "outer")
	inner := w.unit(outer, "inner")
	must(t, w.MoveAccount(ctx, boss, other, o.RootID, inner))
	p := w.policy("p", denyAll)
	must(t, w.Attach(ctx, boss, p, outer))
	const full = "p-FullAWSAccess"

	m := w.Of(other)
	if diff := cmp.Diff([][]string{{full}, {full, p}, {full}, {full}}, m.SCPNames); diff != "" {
		t.Error(diff)
	}
	if want := []string{o.ID + "/" + o.RootID + "/" + outer + "/" + inner + "/"}; !cmp.Equal(m.Paths, want) || m.Organization != o.ID {
		t.Errorf("in %s at %v", m.Organization, m.Paths)
	}
	if len(m.RCP) != 0 {
		t.Error("RCPs are not enabled")
	}
	if w.Of(other) != m {
		t.Error("what follows is worked out once")
	}
	if b := w.Of(boss); len(b.SCP)+len(b.RCP) != 0 || b.Paths[0] != o.ID+"/"+o.RootID+"/" {
		t.Errorf("the management account is bound: %+v", b)
	}
	if w.Of(third) != nil {
		t.Error("an outsider has no organization")
	}
	_, err := w.EnableType(ctx, boss, o.RootID, organization.RCP)
	must(t, err)
	if got := w.Of(other).RCPNames; !cmp.Equal(got, [][]string{{"p-RCPFullAWSAccess"}, {"p-RCPFullAWSAccess"}, {"p-RCPFullAWSAccess"}, {"p-RCPFullAWSAccess"}}) {
		t.Errorf("RCPs %v", got)
	}

	// A policy that is changed is another one at once, although nothing but its text has changed.
	before := w.Of(other).SCP[1][1]
	content := strings.Replace(denyAll, `"*"`, `"s3:*"`, 1)
	_, err = w.UpdatePolicy(ctx, boss, p, nil, nil, &content)
	must(t, err)
	if after := w.Of(other).SCP[1][1]; after == before || after.Text() != content {
		t.Errorf("after the change: %s", after.Text())
	}
	must(t, w.RemoveAccount(ctx, boss, other))
	if w.Of(other) != nil {
		t.Error("the account is in no organization any more")
	}
}

// TestUnreadable holds that what cannot be read denies.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	o := w.create()
	w.join(other)
	p := w.policy("p", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)
	must(t, w.Attach(ctx, boss, p, other))
	denies := func(when string) {
		t.Helper()
		broken := false
		for _, level := range w.Of(other).SCP {
			for _, d := range level {
				broken = broken || d.Err() != nil
			}
		}
		if !broken {
			t.Errorf("%s: nothing denies", when)
		}
	}
	raw := store.NewTable[organization.Policy]("organization-policy")
	must(t, w.db.Update(ctx, func(tx *store.Tx) error {
		raw.Delete(tx, store.Key{o.ID, p})
		return nil
	}))
	_, err := w.RenameUnit(ctx, boss, w.unit(o.RootID, "any"), "other") // the organization's record is written again
	must(t, err)
	denies("a policy that is gone")
	tree := store.NewTable[organization.Organization]("organization")
	must(t, w.db.Update(ctx, func(tx *store.Tx) error {
		o, _, err := tree.Read(tx, store.Key{o.ID})
		if err != nil {
			return err
		}
		o.Accounts[other].Parent = "ou-gone-12345678"
		tree.Put(tx, store.Key{o.ID}, o)
		return nil
	}))
	denies("a parent that is gone")
	must(t, w.db.Update(ctx, func(tx *store.Tx) error {
		tree.Delete(tx, store.Key{o.ID})
		return nil
	}))
	denies("an organization that is gone")
}

// TestPolicies holds the rules for policies and attachments.
func TestPolicies(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}.With(quota.SCPsPerTarget, 2).With(quota.SCPSize, 200)), t.Context()
	o := w.create()
	w.join(other)
	create := func(kind organization.Type, name, content string) error {
		_, err := w.CreatePolicy(ctx, boss, organization.Policy{Type: kind, Name: name, Content: policy.NewSource(content)}, nil)
		return err
	}
	p := w.policy("one", denyAll)
	full, fullRCP := organization.FullAccess(organization.SCP), organization.FullAccess(organization.RCP)
	is(t, create(organization.SCP, "one", denyAll), fault.Exists, "policy", "")
	is(t, create(organization.SCP, "FullAWSAccess", denyAll), fault.Exists, "policy", "")
	is(t, create(organization.SCP, "", denyAll), fault.Invalid, "input", "MIN_LENGTH_EXCEEDED")
	is(t, create("TAG_POLICY", "x", denyAll), fault.Unsupported, "policy type", "")
	is(t, create(organization.SCP, "x", "{"), fault.Invalid, "policy document", "")
	is(t, create(organization.SCP, "x", denyAll+strings.Repeat(" ", 200)), fault.Limit, "constraint", "POLICY_CONTENT_LIMIT_EXCEEDED")
	is(t, create(organization.RCP, "x", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}`),
		fault.Invalid, "policy document", "")
	must(t, create(organization.RCP, "one", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}]}`))

	is(t, w.Attach(ctx, boss, "p-none", other), fault.NotFound, "policy", "")
	is(t, w.Attach(ctx, boss, p, third), fault.NotFound, "target", "")
	is(t, w.Attach(ctx, boss, fullRCP, other), fault.NotFound, "policy type", "")
	is(t, w.Attach(ctx, other, p, other), fault.Denied, "account", "")
	is(t, w.Detach(ctx, boss, full, other), fault.Limit, "constraint", "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED")
	is(t, w.Detach(ctx, boss, p, other), fault.NotFound, "attachment", "")
	must(t, w.Attach(ctx, boss, p, other))
	is(t, w.Attach(ctx, boss, p, other), fault.Exists, "attachment", "")
	more := w.policy("more", denyAll)
	is(t, w.Attach(ctx, boss, more, other), fault.Limit, "constraint", "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED")
	is(t, w.DeletePolicy(ctx, boss, p), fault.Conflict, "policy", "")
	is(t, w.DeletePolicy(ctx, boss, full), fault.Invalid, "input", "IMMUTABLE_POLICY")
	_, err := w.UpdatePolicy(ctx, boss, full, nil, nil, nil)
	is(t, err, fault.Invalid, "input", "IMMUTABLE_POLICY")
	name := "more"
	_, err = w.UpdatePolicy(ctx, boss, p, &name, nil, nil)
	is(t, err, fault.Exists, "policy", "")
	must(t, w.Detach(ctx, boss, full, other))
	must(t, w.Attach(ctx, boss, full, other))
	must(t, w.Detach(ctx, boss, p, other))
	must(t, w.DeletePolicy(ctx, boss, p))

	_, err = w.EnableType(ctx, boss, "r-none", organization.RCP)
	is(t, err, fault.NotFound, "root", "")
	_, err = w.EnableType(ctx, boss, o.RootID, organization.SCP)
	is(t, err, fault.Exists, "policy type", "")
	_, err = w.DisableType(ctx, boss, o.RootID, organization.RCP)
	is(t, err, fault.NotFound, "policy type", "")
	enabled, err := w.EnableType(ctx, boss, o.RootID, organization.RCP)
	must(t, err)
	if got := len(enabled.Targets(fullRCP)); got != 3 {
		t.Errorf("RCPFullAWSAccess is attached to %d targets", got)
	}
	is(t, w.Detach(ctx, boss, fullRCP, other), fault.Invalid, "input", "NON_DETACHABLE_POLICY")
	disabled, err := w.DisableType(ctx, boss, o.RootID, organization.RCP)
	must(t, err)
	if got := len(disabled.Targets(fullRCP)); got != 0 {
		t.Errorf("RCPFullAWSAccess is still attached to %d targets", got)
	}
}

// TestHandshakeExpires holds that time ends an invitation.
func TestHandshakeExpires(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.create()
	h, err := w.Invite(ctx, boss, other, "come", map[string]string{"team": "a"})
	must(t, err)
	w.clock.Add(int64(15 * 24 * time.Hour / time.Second))
	if w.State(h) != organization.Expired {
		t.Errorf("state %s", w.State(h))
	}
	_, err = w.Accept(ctx, other, "other", h.ID)
	is(t, err, fault.Conflict, "handshake", "")
	again, err := w.Invite(ctx, boss, other, "", map[string]string{"team": "a"})
	must(t, err)
	_, err = w.Accept(ctx, other, "other", again.ID)
	must(t, err)
	o, err := w.Describe(other)
	must(t, err)
	if !cmp.Equal(w.Tags(o, other), map[string]string{"team": "a"}) {
		t.Errorf("tags %v", w.Tags(o, other))
	}
}

// TestEndOfOrganization holds that its invitations end with it.
func TestEndOfOrganization(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.create()
	h, err := w.Invite(ctx, boss, other, "", nil)
	must(t, err)
	must(t, w.Delete(ctx, boss))
	_, err = w.Accept(ctx, other, "other", h.ID)
	is(t, err, fault.Conflict, "handshake", "")
	_, err = w.Describe(boss)
	is(t, err, fault.NotFound, "organization", "")
	w.create()
}

// TestPlacesAreKept holds that requests for accounts and invitations cannot together pass the quota.
func TestPlacesAreKept(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}.With(quota.AccountsPerOrganization, 3)), t.Context()
	w.create()
	begin := func(n int) (*organization.AccountRequest, error) {
		return w.BeginAccount(ctx, boss, organization.AccountRequest{
			AccountID: fmt.Sprintf("%012d", n), AccountName: "a", Email: fmt.Sprintf("%d@example.com", n),
		})
	}
	first, err := begin(1)
	must(t, err)
	h, err := w.Invite(ctx, boss, other, "", nil)
	must(t, err)
	second, err := begin(2)
	must(t, err)
	_, err = begin(3)
	is(t, err, fault.Limit, "constraint", "ACCOUNT_NUMBER_LIMIT_EXCEEDED")
	_, err = w.Accept(ctx, other, "other", h.ID)
	is(t, err, fault.Limit, "handshake", "ACCOUNT_NUMBER_LIMIT_EXCEEDED")
	is(t, w.Delete(ctx, boss), fault.Conflict, "organization", "")

	done, err := w.FinishAccount(ctx, boss, first.ID, "")
	must(t, err)
	again, err := w.FinishAccount(ctx, boss, first.ID, "INTERNAL_FAILURE")
	must(t, err)
	if done.State != organization.Succeeded || again.State != organization.Succeeded {
		t.Errorf("first %s, then %s", done.State, again.State)
	}
	failed, err := w.FinishAccount(ctx, boss, second.ID, "INTERNAL_FAILURE")
	must(t, err)
	if failed.State != organization.Failed || w.Of(second.AccountID) != nil {
		t.Errorf("failed: %+v", failed)
	}
	_, err = w.Accept(ctx, other, "other", h.ID)
	must(t, err)
	o, err := w.Describe(boss)
	must(t, err)
	if got := o.AccountIDs(); len(got) != 3 {
		t.Errorf("accounts %v", got)
	}
}

// TestReplicas holds that a change binds on every replica, and on the one that made it when the call returns.
func TestReplicas(t *testing.T) {
	t.Parallel()
	config := storetest.Config(t, organization.Schema()...)
	replica := func() (*organization.Directory, *store.DB) {
		db := storetest.Open(t, config)
		d, err := organization.New(organization.Config{DB: db})
		must(t, err)
		return d, db
	}
	a, _ := replica()
	b, behind := replica()
	ctx := t.Context()
	o, err := a.Create(ctx, boss, "boss")
	must(t, err)
	_, err = a.EnableType(ctx, boss, o.RootID, organization.SCP)
	must(t, err)
	h, err := b.Invite(ctx, boss, other, "", nil)
	must(t, err)
	_, err = a.Accept(ctx, other, "other", h.ID)
	must(t, err)
	for i := range 20 {
		p, err := a.CreatePolicy(ctx, boss, organization.Policy{Type: organization.SCP, Name: strconv.Itoa(i), Content: policy.NewSource(denyAll)}, nil)
		must(t, err)
		must(t, a.Attach(ctx, boss, p.ID, other))
		if got := len(a.Of(other).SCP[1]); got != 2 {
			t.Fatalf("the replica that wrote has %d policies", got)
		}
		must(t, behind.Sync(ctx))
		if got := len(b.Of(other).SCP[1]); got != 2 {
			t.Fatalf("the other replica has %d policies", got)
		}
		must(t, b.Detach(ctx, boss, p.ID, other))
		if got := len(b.Of(other).SCP[1]); got != 1 {
			t.Fatalf("the replica that detached has %d policies", got)
		}
	}
}

func TestNewAccountID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quota.Set{})
	seen := map[string]bool{}
	for range 100 {
		id, err := w.NewAccountID()
		must(t, err)
		if len(id) != 12 || strings.Trim(id, "0123456789") != "" || seen[id] {
			t.Errorf("account id %q", id)
		}
		seen[id] = true
	}
}

func BenchmarkOf(b *testing.B) {
	db := storetest.New(b, organization.Schema()...)
	d, err := organization.New(organization.Config{DB: db})
	if err != nil {
		b.Fatal(err)
	}
	o, err := d.Create(b.Context(), boss, "boss")
	if err != nil {
		b.Fatal(err)
	}
	if _, err := d.EnableType(b.Context(), boss, o.RootID, organization.SCP); err != nil {
		b.Fatal(err)
	}
	for name, account := range map[string]string{"member": boss, "outsider": other} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d.Of(account)
			}
		})
	}
}

// TestInvitationsAreBounded holds that an organization cannot fill the store with invitations that it takes back.
func TestInvitationsAreBounded(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	o := w.create()
	table := store.NewTable[organization.Handshake]("organization-handshake")
	for first := 0; first < organization.MaxHandshakes; first += 100 {
		must(t, w.db.Update(ctx, func(tx *store.Tx) error {
			for n := range 100 {
				id := fmt.Sprintf("h-%08d", first+n)
				table.Put(tx, store.Key{id}, &organization.Handshake{ID: id, Organization: o.ID, Management: boss, Account: other, State: organization.Canceled})
			}
			return nil
		}))
	}
	_, err := w.Invite(ctx, boss, other, "", nil)
	is(t, err, fault.Limit, "handshake", "HANDSHAKE_RATE_LIMIT_EXCEEDED")
}
