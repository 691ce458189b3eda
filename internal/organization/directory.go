// Package organization keeps organizations: which accounts belong together, in which tree of organizational units they stand, and
// which service control policies (SCPs) and resource control policies (RCPs) bind them.
//
// It owns the tree, the policies and their attachments, invitations, and the rules for changing them. It decides nothing about
// requests: [Directory.Of] tells internal/authz the levels of policies that bear on an account, compiled and shared.
//
// An organization is one record that holds everything but the texts of policies, tags, and what is under way. So every rule is
// checked, and every change made, in one place, and whoever holds the record holds what follows from it: the levels are computed
// once for each state of an organization, not for each request. [Directory.Of] takes no lock and does no I/O; for an account that
// is in no organization it is one lookup that finds nothing.
//
// An account is in one organization at most. Policies never bind the account that made the organization, its management account:
// SCPs not its principals, RCPs not its resources. A policy that cannot be found or does not compile denies.
//
// Failures are faults; their subjects are the nouns of the AWS exceptions that internal/api/organizationsapi makes of them, and
// those that have a reason carry it as the member "Reason".
//
// spec: iam-policy.md 1.2, 2, 6.1, 10
package organization

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
)

// Directory is all organizations. Its methods may be called by any number of goroutines.
type Directory struct {
	db     *store.DB
	quotas quota.Set
	now    func() time.Time
	rand   io.Reader
}

// Config is what a Directory needs.
type Config struct {
	DB     *store.DB
	Quotas quota.Set        // zero: AWS's defaults
	Now    func() time.Time // nil: time.Now
	Rand   io.Reader        // where ids come from; nil: crypto/rand
}

// The tables.
var (
	organizations = store.NewTable[Organization]("organization")           // organization id
	memberships   = store.NewTable[membership]("organization-account")     // account id
	policies      = store.NewTable[Policy]("organization-policy")          // organization id, policy id
	tagSets       = store.NewTable[tagSet]("organization-tags")            // organization id, id of what is tagged
	requests      = store.NewTable[AccountRequest]("organization-request") // organization id, request id
	handshakes    = store.NewTable[Handshake]("organization-handshake")    // handshake id
)

// Schema lists the tables of this package for store.Config.
func Schema() []store.Definition {
	return []store.Definition{organizations, memberships, policies, tagSets, requests, handshakes}
}

// New makes a Directory on a database that was opened with this package's [Schema].
func New(c Config) (*Directory, error) {
	if c.DB == nil {
		return nil, errors.New("organization: no database")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	return &Directory{db: c.DB, quotas: c.Quotas, now: c.Now, rand: c.Rand}, nil
}

// clock is the present in whole seconds.
func (d *Directory) clock() time.Time { return d.now().UTC().Truncate(time.Second) }

// membership leads from an account to its organization.
type membership struct {
	Organization string `json:"organization"`
}

// find is the organization of an account in a picture of the state.
func find(s *store.Snapshot, account string) (*Organization, error) {
	m, ok := memberships.Get(s, store.Key{account})
	if !ok {
		return nil, notInUse()
	}
	o, ok := organizations.Get(s, store.Key{m.Organization})
	if !ok {
		return nil, fault.New(fault.Internal, "organization", "The organization of account %s cannot be read", account)
	}
	return o, nil
}

func notInUse() error {
	return fault.New(fault.NotFound, "organization", "Your account is not a member of an organization.")
}

// Describe is the organization that an account is in.
func (d *Directory) Describe(account string) (*Organization, error) {
	return find(d.db.Snapshot(), account)
}

// View is the organization of its management account, for those of its calls that only read.
func (d *Directory) View(account string) (*Organization, error) {
	o, err := d.Describe(account)
	if err != nil {
		return nil, err
	}
	return o, o.manages(account)
}

// read is the organization of an account inside a transaction: the caller's own copy.
func read(tx *store.Tx, account string) (*Organization, error) {
	m, ok, err := memberships.Read(tx, store.Key{account})
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, notInUse()
	}
	o, ok, err := organizations.Read(tx, store.Key{m.Organization})
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fault.New(fault.Internal, "organization", "The organization of account %s cannot be read", account)
	}
	return o, nil
}

// change is how everything in an organization is changed: by its management account, one change after the other. That every change
// writes the organization's record again is what makes the record stand for its policies, too; see derived.
func (d *Directory) change(ctx context.Context, account string, f func(tx *store.Tx, o *Organization) error) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		o, err := read(tx, account)
		if err != nil {
			return err
		}
		if err := o.manages(account); err != nil {
			return err
		}
		if err := f(tx, o); err != nil {
			return err
		}
		return o.put(tx)
	})
}
