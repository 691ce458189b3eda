package iam

import (
	"context"
	"iter"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
)

const subjectUser = "user"

// User is an IAM user.
type User struct {
	Account   string                    `json:"account"`
	Path      string                    `json:"path"`
	Name      string                    `json:"name"`
	ID        string                    `json:"id"` // AIDA...
	Inline    map[string]*policy.Source `json:"inline,omitempty"`
	Attached  []string                  `json:"attached,omitempty"` // policy ARNs
	Boundary  string                    `json:"boundary,omitempty"` // policy ARN; empty: none
	Tags      map[string]string         `json:"tags,omitempty"`
	CreatedAt time.Time                 `json:"createdAt"`

	// Keys are the ids of the user's access keys, oldest first.
	Keys []string `json:"keys,omitempty"`

	// Groups are the ids of the groups that the user is in, in the order of joining.
	Groups []string `json:"groups,omitempty"`
}

// ARN names the user.
func (u *User) ARN() string { return arn.User(u.Account, u.Path, u.Name) }

func (u *User) grants() grants {
	return grants{kind: subjectUser, account: u.Account, name: u.Name, inline: u.Inline, attached: u.Attached, boundary: u.Boundary}
}

func (u *User) hold(held grants) { u.Inline, u.Attached = held.inline, held.attached }

// FindUser looks a user up. The name matches ignoring case.
func (d *Directory) FindUser(account, name string) (*User, bool) {
	return users.Get(d.db.Snapshot(), named(account, name))
}

// GetUser is FindUser that fails with fault.NotFound.
func (d *Directory) GetUser(account, name string) (*User, error) {
	if u, ok := d.FindUser(account, name); ok {
		return u, nil
	}
	return nil, noUser(name)
}

// AllUsers yields an account's users in the order of names, ignoring case.
func (d *Directory) AllUsers(account string) iter.Seq[*User] {
	return values(users, d.db.Snapshot(), store.Key{account})
}

func noUser(name string) error {
	return fault.New(fault.NotFound, subjectUser, "The user with name %s cannot be found.", name)
}

// CreateUser makes a user. Account and Name are required; ID and CreatedAt are made here, Keys and Groups are
// empty.
func (d *Directory) CreateUser(ctx context.Context, u User) (*User, error) {
	u.Path = defaultPath(u.Path)
	if err := checkName(subjectUser, "userName", u.Name, maxUserName); err != nil {
		return nil, err
	}
	if err := checkPath(subjectUser, u.Path); err != nil {
		return nil, err
	}
	if err := checkTags(u.Tags); err != nil {
		return nil, err
	}
	if err := d.limited(quota.UsersPerAccount, subjectUser, "UsersPerAccount", count(users, d.db.Snapshot(), store.Key{u.Account})); err != nil {
		return nil, err
	}
	id, err := d.newID(prefixUser, entityIDLength)
	if err != nil {
		return nil, err
	}
	u.ID, u.CreatedAt, u.Keys, u.Groups = id, d.clock(), nil, nil
	err = d.db.Update(ctx, func(tx *store.Tx) error {
		if _, err := requireAccount(tx, u.Account); err != nil {
			return err
		}
		_, taken, err := users.Read(tx, named(u.Account, u.Name))
		if err != nil {
			return err
		}
		if taken {
			return fault.New(fault.Exists, subjectUser, "User with name %s already exists.", u.Name)
		}
		if err := u.grants().check(tx, d.quotas, grants{}); err != nil {
			return err
		}
		users.Put(tx, named(u.Account, u.Name), &u)
		uniqueIDs.Put(tx, store.Key{u.ID}, &uniqueID{ARN: u.ARN()})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &u, nil
}

// UpdateUser changes a user: f gets a private copy, and may be called again on a newer one. It must replace what it changes:
// assign a new Source to Inline rather than expect an equal text to be noticed. Only policies, boundary and tags change.
func (d *Directory) UpdateUser(ctx context.Context, account, name string, f func(*User) error) (*User, error) {
	var out *User
	err := d.db.Update(ctx, func(tx *store.Tx) error {
		u, err := readUser(tx, account, name)
		if err != nil {
			return err
		}
		before, held := *u, u.grants().clone()
		if err := f(u); err != nil {
			return err
		}
		u.Account, u.Path, u.Name, u.ID = before.Account, before.Path, before.Name, before.ID
		u.CreatedAt, u.Keys, u.Groups = before.CreatedAt, before.Keys, before.Groups
		if err := checkTags(u.Tags); err != nil {
			return err
		}
		if err := u.grants().check(tx, d.quotas, held); err != nil {
			return err
		}
		users.Put(tx, named(account, name), u)
		out = u
		return nil
	})
	return out, err
}

func readUser(tx *store.Tx, account, name string) (*User, error) {
	u, ok, err := users.Read(tx, named(account, name))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, noUser(name)
	}
	return u, nil
}

// DeleteUser removes a user who holds no access keys, no password and no policies, and is in no group.
func (d *Directory) DeleteUser(ctx context.Context, account, name string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		u, err := readUser(tx, account, name)
		if err != nil {
			return err
		}
		_, login, err := loginProfiles.Read(tx, store.Key{account, u.ID})
		switch {
		case err != nil:
			return err
		case len(u.Keys) > 0:
			return fault.New(fault.Conflict, subjectUser, "Cannot delete entity, must delete access keys first.")
		case login:
			return fault.New(fault.Conflict, subjectUser, "Cannot delete entity, must delete login profile first.")
		case len(u.Groups) > 0:
			return fault.New(fault.Conflict, subjectUser, "Cannot delete entity, must remove users from group first.")
		}
		if err := u.grants().release(tx); err != nil {
			return err
		}
		users.Delete(tx, named(account, name))
		uniqueIDs.Delete(tx, store.Key{u.ID})
		forgetUses(tx, u.Account, u.ID)
		return nil
	})
}

// PutUserPolicy writes an inline policy, over one of the same name.
func (d *Directory) PutUserPolicy(ctx context.Context, account, user, name, document string) error {
	_, err := d.UpdateUser(ctx, account, user, putPolicy[*User](name, document))
	return err
}

// DeleteUserPolicy removes an inline policy.
func (d *Directory) DeleteUserPolicy(ctx context.Context, account, user, name string) error {
	_, err := d.UpdateUser(ctx, account, user, deletePolicy[*User](name))
	return err
}

// AttachUserPolicy attaches a managed policy; one that is attached already stays so.
func (d *Directory) AttachUserPolicy(ctx context.Context, account, user, policyARN string) error {
	_, err := d.UpdateUser(ctx, account, user, attachPolicy[*User](account, policyARN))
	return err
}

// DetachUserPolicy detaches a managed policy.
func (d *Directory) DetachUserPolicy(ctx context.Context, account, user, policyARN string) error {
	_, err := d.UpdateUser(ctx, account, user, detachPolicy[*User](policyARN))
	return err
}
