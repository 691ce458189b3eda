package iam

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
)

// Groups yields the groups that a user is in: those whose policies count as the user's own.
func (d *Directory) Groups(u *User) iter.Seq[*Group] {
	s := d.db.Snapshot()
	return func(yield func(*Group) bool) {
		for _, id := range u.Groups {
			if g, ok := groups.Get(s, store.Key{u.Account, id}); ok && !yield(g) {
				return
			}
		}
	}
}

// GroupsByName are the groups of a user in the order of names, ignoring case.
func (d *Directory) GroupsByName(u *User) []*Group {
	return slices.SortedFunc(d.Groups(u), func(a, b *Group) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
}

// Members yields the users who are in a group, in the order of names.
func (d *Directory) Members(g *Group) iter.Seq[*User] {
	return func(yield func(*User) bool) {
		for u := range d.AllUsers(g.Account) {
			if slices.Contains(u.Groups, g.ID) && !yield(u) {
				return
			}
		}
	}
}

// AddUserToGroup puts a user into a group; one who is in it already stays so.
func (d *Directory) AddUserToGroup(ctx context.Context, account, group, user string) error {
	return d.changeMember(ctx, account, group, user, func(u *User, g *Group) error {
		if slices.Contains(u.Groups, g.ID) {
			return nil
		}
		if err := d.limited(quota.GroupsPerUser, subjectUser, "GroupsPerUser", len(u.Groups)); err != nil {
			return err
		}
		u.Groups = append(u.Groups, g.ID)
		g.Members++
		return nil
	})
}

// RemoveUserFromGroup takes a user out of a group. It counts for the next request that the user makes.
func (d *Directory) RemoveUserFromGroup(ctx context.Context, account, group, user string) error {
	return d.changeMember(ctx, account, group, user, func(u *User, g *Group) error {
		i := slices.Index(u.Groups, g.ID)
		if i < 0 {
			return fault.New(fault.NotFound, subjectUser, "User %s not in group %s.", u.Name, g.Name)
		}
		u.Groups = slices.Delete(u.Groups, i, i+1)
		g.Members--
		return nil
	})
}

func (d *Directory) changeMember(ctx context.Context, account, group, user string, f func(*User, *Group) error) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		g, err := readGroup(tx, account, group)
		if err != nil {
			return err
		}
		u, err := readUser(tx, account, user)
		if err != nil {
			return err
		}
		if err := f(u, g); err != nil {
			return err
		}
		users.Put(tx, named(account, u.Name), u)
		groups.Put(tx, store.Key{account, g.ID}, g)
		return nil
	})
}
