package iam

import (
	"context"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

// RenameUser gives a user another name or path; what is empty stays. Its id, keys, password, groups and policies stay, and policies
// that name the user as a principal follow. Sessions and ARNs that others wrote down do not.
func (d *Directory) RenameUser(ctx context.Context, account, name, newName, newPath string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		u, err := readUser(tx, account, name)
		if err != nil {
			return err
		}
		if newPath != "" {
			u.Path = newPath
		}
		if err := checkPath(subjectUser, u.Path); err != nil {
			return err
		}
		if newName != "" {
			if err := d.moveUser(tx, u, newName); err != nil {
				return err
			}
		}
		users.Put(tx, named(account, u.Name), u)
		uniqueIDs.Put(tx, store.Key{u.ID}, &uniqueID{ARN: u.ARN()})
		return nil
	})
}

// moveUser takes a user off its name, with the access keys, which find their user by it.
func (d *Directory) moveUser(tx *store.Tx, u *User, to string) error {
	if err := checkName(subjectUser, "newUserName", to, maxUserName); err != nil {
		return err
	}
	other, taken, err := users.Read(tx, named(u.Account, to))
	if err != nil {
		return err
	}
	if taken && other.ID != u.ID {
		return fault.New(fault.Exists, subjectUser, "User with name %s already exists.", to)
	}
	users.Delete(tx, named(u.Account, u.Name))
	u.Name = to
	for _, id := range u.Keys {
		key, ok, err := accessKeys.Read(tx, store.Key{id})
		if err != nil {
			return err
		}
		if ok {
			key.UserName = to
			accessKeys.Put(tx, store.Key{id}, key)
		}
	}
	return nil
}
