// Package iam keeps the documents at rest: accounts, users and their access keys, roles, managed policies and identity providers.
//
// It owns who exists, which documents they hold, and the rules for writing them down: names, quotas, the grammar of policies,
// the existence of the principals that a trust policy names, and what must be gone before something can be deleted. It decides
// nothing about requests; internal/authz asks [Directory] for the documents and evaluates them.
//
// Lookups (Find, All) read the newest snapshot: they take no lock, do no I/O, and return values that are shared and must not be
// changed. Mutations are optimistic transactions: what a rule depends on is read in the same transaction that writes, so two
// callers cannot together do what neither might do alone. Quotas of a whole account are counted in the snapshot and may be
// passed by as many entities as are created at the same instant.
//
// Failures are faults with the subjects "account", "user", "access key", "role", "policy" (inline and managed), "policy document",
// "provider" and "tags". Their texts are AWS's where AWS has one.
//
// Names are unique within an account ignoring case and keep the case they were created with.
//
// spec: iam-policy.md 2, 9, 12; pod-identity.md 6.2, 6.6
package iam

import (
	"crypto/rand"
	"errors"
	"io"
	"time"

	"github.com/podid/podid/internal/store"
)

// Directory is all accounts and what is in them. Its methods may be called by any number of goroutines.
type Directory struct {
	db   *store.DB
	now  func() time.Time
	rand io.Reader
}

// Config is what a Directory needs.
type Config struct {
	DB   *store.DB
	Now  func() time.Time // nil: time.Now
	Rand io.Reader        // where ids and secrets come from; nil: crypto/rand
}

// The tables. Names in keys are lower-cased.
var (
	accounts   = store.NewTable[Account]("iam-account")        // account id
	users      = store.NewTable[User]("iam-user")              // account id, name
	accessKeys = store.NewTable[AccessKey]("iam-access-key")   // access key id
	roles      = store.NewTable[Role]("iam-role")              // account id, name
	policies   = store.NewTable[ManagedPolicy]("iam-policy")   // account id, name
	providers  = store.NewTable[Provider]("iam-oidc-provider") // account id, issuer URL without its scheme
	uniqueIDs  = store.NewTable[uniqueID]("iam-unique-id")     // AIDA..., AROA...
)

// Schema lists the tables of this package for store.Config.
func Schema() []store.Definition {
	return []store.Definition{accounts, users, accessKeys, roles, policies, providers, uniqueIDs}
}

// New makes a Directory on a database that was opened with this package's [Schema].
func New(c Config) (*Directory, error) {
	if c.DB == nil {
		return nil, errors.New("iam: no database")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	return &Directory{db: c.DB, now: c.Now, rand: c.Rand}, nil
}

// clock is the present as documents carry it: UTC in whole seconds, as IAM prints times.
func (d *Directory) clock() time.Time { return d.now().UTC().Truncate(time.Second) }
