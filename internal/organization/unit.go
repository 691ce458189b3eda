package organization

import (
	"context"
	"slices"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
)

// maxDepth is how many units may stand one below the other. spec: iam-policy.md 2
const maxDepth = 5

func noUnit(id string) error {
	return fault.New(fault.NotFound, "organizational unit", "We can't find an OU with the OrganizationalUnitId %s that you specified.", id)
}

func noParent(which, id string) error {
	return fault.New(fault.NotFound, which, "We can't find a root or OU with the ParentId %s that you specified.", id)
}

// IsParent reports whether an id is that of the root or of a unit.
func (o *Organization) IsParent(id string) bool { return id == o.RootID || o.Units[id] != nil }

// FindUnit looks a unit up.
func (o *Organization) FindUnit(id string) (*Unit, error) {
	if u := o.Units[id]; u != nil {
		return u, nil
	}
	return nil, noUnit(id)
}

// Parent is the id of what a unit or an account stands in.
func (o *Organization) Parent(child string) (string, error) {
	switch unit, account := o.Units[child], o.Accounts[child]; {
	case unit != nil:
		return unit.Parent, nil
	case account != nil:
		return account.Parent, nil
	}
	return "", fault.New(fault.NotFound, "child", "We can't find an organizational unit (OU) or AWS account with the ChildId that you specified.")
}

// Path is where a unit or an account stands: o-.../r-.../ou-.../ and so on, its own id at the end.
func (o *Organization) Path(id string) string {
	path := id + "/"
	for range maxDepth + 1 {
		parent, err := o.Parent(id)
		if err != nil {
			break
		}
		path, id = parent+"/"+path, parent
	}
	return o.ID + "/" + path
}

// UnitsIn are the ids of the units that stand in a parent.
func (o *Organization) UnitsIn(parent string) ([]string, error) {
	if !o.IsParent(parent) {
		return nil, noParent("parent", parent)
	}
	return slices.DeleteFunc(sortedIDs(o.Units), func(id string) bool { return o.Units[id].Parent != parent }), nil
}

// AccountsIn are the ids of the accounts that stand in a parent.
func (o *Organization) AccountsIn(parent string) ([]string, error) {
	if !o.IsParent(parent) {
		return nil, noParent("parent", parent)
	}
	return slices.DeleteFunc(sortedIDs(o.Accounts), func(id string) bool { return o.Accounts[id].Parent != parent }), nil
}

// depth is how many units there are from the root down to a parent, itself included.
func (o *Organization) depth(parent string) int {
	n := 0
	for u := o.Units[parent]; u != nil && n <= maxDepth; u = o.Units[u.Parent] {
		n++
	}
	return n
}

// CreateUnit makes a unit in the root or in another unit.
func (d *Directory) CreateUnit(ctx context.Context, account, parent, name string, tags map[string]string) (o *Organization, id string, err error) {
	if err := checkLength("Name", name, 1, maxName); err != nil {
		return nil, "", err
	}
	random, err := d.newID("", unitIDLength)
	if err != nil {
		return nil, "", err
	}
	err = d.change(ctx, account, func(tx *store.Tx, current *Organization) error {
		o, id = current, "ou-"+current.RootID[len("r-"):]+"-"+random
		if !o.IsParent(parent) {
			return noParent("parent", parent)
		}
		if o.depth(parent) >= maxDepth {
			return constraint("OU_DEPTH_LIMIT_EXCEEDED", "You have exceeded the allowed depth of the OU tree: %d levels.", maxDepth)
		}
		if limit := d.quotas.Of(quota.UnitsPerOrganization); len(o.Units) >= limit {
			return constraint("OU_NUMBER_LIMIT_EXCEEDED", "You have exceeded the allowed number of OUs: %d.", limit)
		}
		if err := o.uniqueUnit(parent, id, name); err != nil {
			return err
		}
		if o.Units == nil {
			o.Units = map[string]*Unit{}
		}
		o.Units[id] = &Unit{Name: name, Parent: parent, Attached: o.fullAccess()}
		return putTags(tx, o.ID, id, tags)
	})
	return o, id, err
}

// uniqueUnit holds that no other unit of a parent has the name.
func (o *Organization) uniqueUnit(parent, id, name string) error {
	for other, u := range o.Units {
		if other != id && u.Parent == parent && u.Name == name {
			return fault.New(fault.Exists, "organizational unit", "An OU with the same name already exists.")
		}
	}
	return nil
}

// RenameUnit gives a unit another name.
func (d *Directory) RenameUnit(ctx context.Context, account, id, name string) (*Organization, error) {
	if err := checkLength("Name", name, 1, maxName); err != nil {
		return nil, err
	}
	var out *Organization
	err := d.change(ctx, account, func(_ *store.Tx, o *Organization) error {
		u, err := o.FindUnit(id)
		if err != nil {
			return err
		}
		if err := o.uniqueUnit(u.Parent, id, name); err != nil {
			return err
		}
		u.Name, out = name, o
		return nil
	})
	return out, err
}

// DeleteUnit removes a unit that holds nothing.
func (d *Directory) DeleteUnit(ctx context.Context, account, id string) error {
	return d.change(ctx, account, func(tx *store.Tx, o *Organization) error {
		if _, err := o.FindUnit(id); err != nil {
			return err
		}
		units, _ := o.UnitsIn(id)
		accounts, _ := o.AccountsIn(id)
		if len(units)+len(accounts) > 0 {
			return fault.New(fault.Conflict, "organizational unit", "The specified OU is not empty. "+
				"Move all accounts to another root or to other OUs, remove all child OUs, and try the operation again.")
		}
		delete(o.Units, id)
		tagSets.Delete(tx, store.Key{o.ID, id})
		return nil
	})
}
