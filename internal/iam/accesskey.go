package iam

import (
	"context"
	"slices"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
)

const subjectAccessKey = "access key"

// AccessKey is a long-term credential. Whoever holds the Secret is the user, so it never goes into a log or an error.
type AccessKey struct {
	ID        string    `json:"id"` // AKIA...
	Secret    string    `json:"secret"`
	Account   string    `json:"account"`
	UserName  string    `json:"userName,omitempty"` // empty: the account's root user
	Active    bool      `json:"active"`
	CreatedAt time.Time `json:"createdAt"`
}

// FindAccessKey looks an access key up by its id, active or not.
func (d *Directory) FindAccessKey(id string) (*AccessKey, bool) {
	return accessKeys.Get(d.db.Snapshot(), store.Key{id})
}

// AccessKeys lists the keys of a user, or of the root user for an empty name, oldest first.
func (d *Directory) AccessKeys(account, userName string) ([]*AccessKey, error) {
	s := d.db.Snapshot()
	var ids []string
	if userName == "" {
		a, ok := accounts.Get(s, store.Key{account})
		if !ok {
			return nil, fault.New(fault.NotFound, subjectAccount, "The account %s cannot be found.", account)
		}
		ids = a.RootKeys
	} else {
		u, ok := users.Get(s, named(account, userName))
		if !ok {
			return nil, noUser(userName)
		}
		ids = u.Keys
	}
	keys := make([]*AccessKey, 0, len(ids))
	for _, id := range ids {
		if k, ok := accessKeys.Get(s, store.Key{id}); ok {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// CreateAccessKey makes an active key for a user, or for the root user when the name is empty. The returned value is the one
// occasion on which a caller sees the secret.
func (d *Directory) CreateAccessKey(ctx context.Context, account, userName string) (*AccessKey, error) {
	key, err := d.newAccessKey(account, userName)
	if err != nil {
		return nil, err
	}
	err = d.db.Update(ctx, func(tx *store.Tx) error {
		err := changeKeys(tx, account, userName, func(owner string, ids []string) ([]string, error) {
			if err := d.limited(quota.AccessKeysPerUser, subjectAccessKey, "AccessKeysPerUser", len(ids)); err != nil {
				return nil, err
			}
			key.UserName = owner
			return append(ids, key.ID), nil
		})
		if err != nil {
			return err
		}
		return accessKeys.Create(tx, store.Key{key.ID}, key)
	})
	if err != nil {
		return nil, err
	}
	return key, nil
}

func (d *Directory) newAccessKey(account, userName string) (*AccessKey, error) {
	id, err := d.newID(prefixAccessKey, accessKeyIDLength)
	if err != nil {
		return nil, err
	}
	secret, err := d.newSecret()
	if err != nil {
		return nil, err
	}
	return &AccessKey{ID: id, Secret: secret, Account: account, UserName: userName, Active: true, CreatedAt: d.clock()}, nil
}

// changeKeys changes the list of key ids that the owner of the keys has. F also gets the owner's name as it is spelled.
func changeKeys(tx *store.Tx, account, userName string, f func(owner string, ids []string) ([]string, error)) error {
	if userName == "" {
		a, err := requireAccount(tx, account)
		if err != nil {
			return err
		}
		if a.RootKeys, err = f("", a.RootKeys); err != nil {
			return err
		}
		accounts.Put(tx, store.Key{account}, a)
		return nil
	}
	u, err := readUser(tx, account, userName)
	if err != nil {
		return err
	}
	if u.Keys, err = f(u.Name, u.Keys); err != nil {
		return err
	}
	users.Put(tx, named(account, userName), u)
	return nil
}

// SetAccessKeyActive lets a key be used, or not. The key must be the user's.
func (d *Directory) SetAccessKeyActive(ctx context.Context, account, userName, id string, active bool) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		key, err := readAccessKey(tx, account, userName, id)
		if err != nil {
			return err
		}
		key.Active = active
		accessKeys.Put(tx, store.Key{id}, key)
		return nil
	})
}

// DeleteAccessKey removes a key of the user's for good.
func (d *Directory) DeleteAccessKey(ctx context.Context, account, userName, id string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		if _, err := readAccessKey(tx, account, userName, id); err != nil {
			return err
		}
		accessKeys.Delete(tx, store.Key{id})
		forgetUses(tx, account, id)
		return changeKeys(tx, account, userName, func(_ string, ids []string) ([]string, error) {
			return slices.DeleteFunc(ids, func(other string) bool { return other == id }), nil
		})
	})
}

func readAccessKey(tx *store.Tx, account, userName, id string) (*AccessKey, error) {
	owner := ""
	if userName != "" {
		u, err := readUser(tx, account, userName)
		if err != nil {
			return nil, err
		}
		owner = u.Name
	}
	key, ok, err := accessKeys.Read(tx, store.Key{id})
	if err != nil {
		return nil, err
	}
	if !ok || key.Account != account || key.UserName != owner {
		return nil, fault.New(fault.NotFound, subjectAccessKey, "The Access Key with id %s cannot be found.", id)
	}
	return key, nil
}
