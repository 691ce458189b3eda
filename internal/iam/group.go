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

const subjectGroup = "group"

// Group is a set of users who share policies. It is nobody: no policy can name it as a principal.
type Group struct {
	Account   string                    `json:"account"`
	Path      string                    `json:"path"`
	Name      string                    `json:"name"`
	ID        string                    `json:"id"` // AGPA...
	Inline    map[string]*policy.Source `json:"inline,omitempty"`
	Attached  []string                  `json:"attached,omitempty"` // policy ARNs
	CreatedAt time.Time                 `json:"createdAt"`

	// Members is how many users say that they are in the group; see User.Groups.
	Members int `json:"members,omitempty"`
}

// groupName leads from a group's name to the group. Users refer to groups by id, so that a group can be renamed in one step.
type groupName struct {
	ID string `json:"id"`
}

// ARN names the group.
func (g *Group) ARN() string { return arn.Group(g.Account, g.Path, g.Name) }

func (g *Group) grants() grants {
	return grants{kind: subjectGroup, account: g.Account, name: g.Name, inline: g.Inline, attached: g.Attached}
}

func (g *Group) hold(held grants) { g.Inline, g.Attached = held.inline, held.attached }

// FindGroup looks a group up. The name matches ignoring case.
func (d *Directory) FindGroup(account, name string) (*Group, bool) {
	s := d.db.Snapshot()
	n, ok := groupNames.Get(s, named(account, name))
	if !ok {
		return nil, false
	}
	return groups.Get(s, store.Key{account, n.ID})
}

// GetGroup is FindGroup that fails with fault.NotFound.
func (d *Directory) GetGroup(account, name string) (*Group, error) {
	if g, ok := d.FindGroup(account, name); ok {
		return g, nil
	}
	return nil, noGroup(name)
}

// AllGroups yields an account's groups in the order of names, ignoring case.
func (d *Directory) AllGroups(account string) iter.Seq[*Group] {
	s := d.db.Snapshot()
	return func(yield func(*Group) bool) {
		for _, n := range groupNames.All(s, store.Key{account}) {
			if g, ok := groups.Get(s, store.Key{account, n.ID}); ok && !yield(g) {
				return
			}
		}
	}
}

func noGroup(name string) error {
	return fault.New(fault.NotFound, subjectGroup, "The group with name %s cannot be found.", name)
}

// CreateGroup makes a group without members. Account and Name are required; ID and CreatedAt are made here.
func (d *Directory) CreateGroup(ctx context.Context, g Group) (*Group, error) {
	g.Path = defaultPath(g.Path)
	if err := g.check(); err != nil {
		return nil, err
	}
	held := count(groups, d.db.Snapshot(), store.Key{g.Account})
	if err := d.limited(quota.GroupsPerAccount, subjectGroup, "GroupsPerAccount", held); err != nil {
		return nil, err
	}
	id, err := d.newID(prefixGroup, entityIDLength)
	if err != nil {
		return nil, err
	}
	g.ID, g.CreatedAt, g.Members = id, d.clock(), 0
	err = d.db.Update(ctx, func(tx *store.Tx) error {
		if _, err := requireAccount(tx, g.Account); err != nil {
			return err
		}
		if err := g.take(tx); err != nil {
			return err
		}
		if err := g.grants().check(tx, d.quotas, grants{}); err != nil {
			return err
		}
		groups.Put(tx, store.Key{g.Account, g.ID}, &g)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &g, nil
}

func (g *Group) check() error {
	if err := checkName(subjectGroup, "groupName", g.Name, maxGroupName); err != nil {
		return err
	}
	return checkPath(subjectGroup, g.Path)
}

// take makes the group the one of its name; the name must be free, or the group's own in another case.
func (g *Group) take(tx *store.Tx) error {
	key := named(g.Account, g.Name)
	n, taken, err := groupNames.Read(tx, key)
	if err != nil {
		return err
	}
	if taken && n.ID != g.ID {
		return fault.New(fault.Exists, subjectGroup, "Group with name %s already exists.", g.Name)
	}
	groupNames.Put(tx, key, &groupName{ID: g.ID})
	return nil
}

// UpdateGroup changes a group as [Directory.UpdateUser] does a user: its policies only.
func (d *Directory) UpdateGroup(ctx context.Context, account, name string, f func(*Group) error) (*Group, error) {
	var out *Group
	err := d.db.Update(ctx, func(tx *store.Tx) error {
		g, err := readGroup(tx, account, name)
		if err != nil {
			return err
		}
		before, held := *g, g.grants().clone()
		if err := f(g); err != nil {
			return err
		}
		g.Account, g.Path, g.Name, g.ID = before.Account, before.Path, before.Name, before.ID
		g.CreatedAt, g.Members = before.CreatedAt, before.Members
		if err := g.grants().check(tx, d.quotas, held); err != nil {
			return err
		}
		groups.Put(tx, store.Key{account, g.ID}, g)
		out = g
		return nil
	})
	return out, err
}

// RenameGroup gives a group another name or path; what is empty stays. Its id, members and policies stay.
func (d *Directory) RenameGroup(ctx context.Context, account, name, newName, newPath string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		g, err := readGroup(tx, account, name)
		if err != nil {
			return err
		}
		if newPath != "" {
			g.Path = newPath
		}
		if newName != "" {
			groupNames.Delete(tx, named(account, g.Name))
			g.Name = newName
		}
		if err := g.check(); err != nil {
			return err
		}
		if err := g.take(tx); err != nil {
			return err
		}
		groups.Put(tx, store.Key{account, g.ID}, g)
		return nil
	})
}

func readGroup(tx *store.Tx, account, name string) (*Group, error) {
	n, ok, err := groupNames.Read(tx, named(account, name))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, noGroup(name)
	}
	g, ok, err := groups.Read(tx, store.Key{account, n.ID})
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, noGroup(name)
	}
	return g, nil
}

// DeleteGroup removes a group that has no members and no policies.
func (d *Directory) DeleteGroup(ctx context.Context, account, name string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		g, err := readGroup(tx, account, name)
		if err != nil {
			return err
		}
		if g.Members > 0 {
			return fault.New(fault.Conflict, subjectGroup, "Cannot delete entity, must remove users from group first.")
		}
		if err := g.grants().release(tx); err != nil {
			return err
		}
		groups.Delete(tx, store.Key{account, g.ID})
		groupNames.Delete(tx, named(account, g.Name))
		return nil
	})
}

// PutGroupPolicy writes an inline policy, over one of the same name.
func (d *Directory) PutGroupPolicy(ctx context.Context, account, group, name, document string) error {
	_, err := d.UpdateGroup(ctx, account, group, putPolicy[*Group](name, document))
	return err
}

// DeleteGroupPolicy removes an inline policy.
func (d *Directory) DeleteGroupPolicy(ctx context.Context, account, group, name string) error {
	_, err := d.UpdateGroup(ctx, account, group, deletePolicy[*Group](name))
	return err
}

// AttachGroupPolicy attaches a managed policy; one that is attached already stays so.
func (d *Directory) AttachGroupPolicy(ctx context.Context, account, group, policyARN string) error {
	_, err := d.UpdateGroup(ctx, account, group, attachPolicy[*Group](account, policyARN))
	return err
}

// DetachGroupPolicy detaches a managed policy.
func (d *Directory) DetachGroupPolicy(ctx context.Context, account, group, policyARN string) error {
	_, err := d.UpdateGroup(ctx, account, group, detachPolicy[*Group](policyARN))
	return err
}
