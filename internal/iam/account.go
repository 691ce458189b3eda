package iam

import (
	"context"
	"iter"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/store"
)

const subjectAccount = "account"

// Account owns everything else.
type Account struct {
	ID        string    `json:"id"` // 12 digits
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"createdAt"`

	// Management says that this was the first account: its administrators make the others.
	Management bool `json:"management,omitempty"`

	// RootKeys are the ids of the root user's access keys, oldest first.
	RootKeys []string `json:"rootKeys,omitempty"`

	Alias          string          `json:"alias,omitempty"`
	PasswordPolicy *PasswordPolicy `json:"passwordPolicy,omitempty"` // nil: AWS's default rules
}

// FindAccount looks an account up.
func (d *Directory) FindAccount(id string) (*Account, bool) {
	return accounts.Get(d.db.Snapshot(), store.Key{id})
}

// AllAccounts yields every account in the order of ids.
func (d *Directory) AllAccounts() iter.Seq[*Account] { return values(accounts, d.db.Snapshot(), nil) }

// CreateAccount makes an empty account.
func (d *Directory) CreateAccount(ctx context.Context, id, name string) (*Account, error) {
	a, err := d.newAccount(id, name)
	if err != nil {
		return nil, err
	}
	err = d.db.Update(ctx, func(tx *store.Tx) error { return insertAccount(tx, a) })
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (d *Directory) newAccount(id, name string) (*Account, error) {
	if err := arn.CheckAccount(id); err != nil {
		return nil, fault.New(fault.Invalid, subjectAccount, "%s is not an account id: %s", id, err)
	}
	if name == "" || len(name) > maxPolicyName {
		return nil, member(subjectAccount, "accountName", name, "have length between 1 and 128")
	}
	return &Account{ID: id, Name: name, CreatedAt: d.clock()}, nil
}

func insertAccount(tx *store.Tx, a *Account) error {
	_, taken, err := accounts.Read(tx, store.Key{a.ID})
	if err != nil {
		return err
	}
	if taken {
		return fault.New(fault.Exists, subjectAccount, "The account %s already exists.", a.ID)
	}
	a.Management = true
	for range accounts.AllTx(tx, nil) {
		a.Management = false
		break
	}
	accounts.Put(tx, store.Key{a.ID}, a)
	return nil
}

// requireAccount fails unless the account exists.
func requireAccount(tx *store.Tx, id string) (*Account, error) {
	a, ok, err := accounts.Read(tx, store.Key{id})
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fault.New(fault.NotFound, subjectAccount, "The account %s cannot be found.", id)
	}
	return a, nil
}

// The user that [Directory.Bootstrap] makes.
const (
	Administrator       = "administrator"
	AdministratorPolicy = "AdministratorAccess"

	administratorDocument = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
)

// Bootstrap makes an account together with its first user, [Administrator], who may do everything in it, and returns that user's
// access key. It fails with [fault.Exists] when the account is there: the secret is shown once, and the caller keeps it.
func (d *Directory) Bootstrap(ctx context.Context, id, name string) (AccessKey, error) {
	a, err := d.newAccount(id, name)
	if err != nil {
		return AccessKey{}, err
	}
	userID, err := d.newID(prefixUser, entityIDLength)
	if err != nil {
		return AccessKey{}, err
	}
	key, err := d.newAccessKey(id, Administrator)
	if err != nil {
		return AccessKey{}, err
	}
	u := &User{
		Account: id, Path: "/", Name: Administrator, ID: userID, CreatedAt: d.clock(), Keys: []string{key.ID},
		Inline: map[string]*policy.Source{AdministratorPolicy: policy.NewSource(administratorDocument)},
	}
	err = d.db.Update(ctx, func(tx *store.Tx) error {
		if err := insertAccount(tx, a); err != nil {
			return err
		}
		users.Put(tx, named(id, u.Name), u)
		uniqueIDs.Put(tx, store.Key{u.ID}, &uniqueID{ARN: u.ARN()})
		accessKeys.Put(tx, store.Key{key.ID}, key)
		return nil
	})
	if err != nil {
		return AccessKey{}, err
	}
	return *key, nil
}

// values iterates over the records of a table under a prefix.
func values[T any](t store.Table[T], s *store.Snapshot, prefix store.Key) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for _, v := range t.All(s, prefix) {
			if !yield(v) {
				return
			}
		}
	}
}

// count is the number of records under a prefix, for the quotas of an account.
func count[T any](t store.Table[T], s *store.Snapshot, prefix store.Key) int {
	n := 0
	for range t.All(s, prefix) {
		n++
	}
	return n
}
