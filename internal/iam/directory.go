// Package iam keeps the documents at rest: accounts, users with their access keys and passwords, groups, roles and instance profiles,
// managed policies and identity providers.
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
// Failures are faults with the subjects "account", "alias", "user", "access key", "login profile", "password", "password policy",
// "group", "role", "service role", "protected role", "instance profile", "policy" (inline and managed), "policy document", "provider" and
// "tags". Their texts are AWS's where AWS has one.
//
// Names are unique within an account ignoring case and keep the case they were created with.
//
// spec: iam-policy.md 2, 9, 12; pod-identity.md 6.2, 6.6
package iam

import (
	"crypto/rand"
	"errors"
	"io"
	"runtime"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
)

// Directory is all accounts and what is in them. Its methods may be called by any number of goroutines.
type Directory struct {
	db      *store.DB
	now     func() time.Time
	rand    io.Reader
	quotas  quota.Set
	rounds  int           // what a guess at a password costs
	guesses chan struct{} // one for each that is under way: they keep no more than half of the processors
	uses    *uses
}

// Config is what a Directory needs.
type Config struct {
	DB     *store.DB
	Now    func() time.Time // nil: time.Now
	Rand   io.Reader        // where ids and secrets come from; nil: crypto/rand
	Quotas quota.Set        // zero: AWS's defaults
}

// The tables. Names in keys are lower-cased.
var (
	accounts      = store.NewTable[Account]("iam-account")                  // account id
	aliases       = store.NewTable[accountAlias]("iam-account-alias")       // alias
	users         = store.NewTable[User]("iam-user")                        // account id, name
	accessKeys    = store.NewTable[AccessKey]("iam-access-key")             // access key id
	loginProfiles = store.NewTable[LoginProfile]("iam-login-profile")       // account id, AIDA...
	groups        = store.NewTable[Group]("iam-group")                      // account id, AGPA...
	groupNames    = store.NewTable[groupName]("iam-group-name")             // account id, name
	roles         = store.NewTable[Role]("iam-role")                        // account id, name
	deletions     = store.NewTable[roleDeletion]("iam-role-deletion")       // account id, task id
	profiles      = store.NewTable[InstanceProfile]("iam-instance-profile") // account id, name
	policies      = store.NewTable[ManagedPolicy]("iam-policy")             // account id, name
	providers     = store.NewTable[Provider]("iam-oidc-provider")           // account id, issuer URL without its scheme
	uniqueIDs     = store.NewTable[uniqueID]("iam-unique-id")               // AIDA..., AROA...
	lastUses      = store.NewTable[lastUse]("iam-last-used")                // account id, AIDA... or AROA... or access key id
	accessReports = store.NewTable[AccessReport]("iam-access-report")       // account id, job id
)

// Schema lists the tables of this package for store.Config.
func Schema() []store.Definition {
	return []store.Definition{
		accounts, aliases, users, accessKeys, loginProfiles, groups, groupNames, roles, deletions, profiles, policies, providers, uniqueIDs,
		lastUses, accessReports,
	}
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
	return &Directory{
		db: c.DB, now: c.Now, rand: c.Rand, quotas: c.Quotas, uses: newUses(),
		rounds: passwordRounds, guesses: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
	}, nil
}

// limited fails when an account has as many things as a quota allows. Called is what the quota is called in AWS's text.
func (d *Directory) limited(name quota.Name, subject, called string, n int) error {
	if limit := d.quotas.Of(name); n >= limit {
		return fault.New(fault.Limit, subject, "Cannot exceed quota for %s: %d", called, limit)
	}
	return nil
}

// clock is the present as documents carry it: UTC in whole seconds, as IAM prints times.
func (d *Directory) clock() time.Time { return d.now().UTC().Truncate(time.Second) }
