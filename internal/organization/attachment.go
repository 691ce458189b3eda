package organization

import (
	"context"
	"slices"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

func noTarget() error {
	return fault.New(fault.NotFound, "target", "We can't find a root, OU, account, or policy with the TargetId that you specified.")
}

// attached is the list of the policies of the root, a unit or an account; nil where there is no such target.
func (o *Organization) attached(target string) *[]string {
	switch unit, account := o.Units[target], o.Accounts[target]; {
	case target == o.RootID:
		return &o.Attached
	case unit != nil:
		return &unit.Attached
	case account != nil:
		return &account.Attached
	}
	return nil
}

// targets are the ids of everything that policies can be attached to: the root, then units, then accounts.
func (o *Organization) targets() []string {
	return slices.Concat([]string{o.RootID}, sortedIDs(o.Units), sortedIDs(o.Accounts))
}

// Targets are the ids of the root, the units and the accounts that a policy is attached to.
func (o *Organization) Targets(id string) []string {
	return slices.DeleteFunc(o.targets(), func(target string) bool { return !slices.Contains(*o.attached(target), id) })
}

// AttachedTo are the ids of the policies of a type that are attached to a target itself.
func (o *Organization) AttachedTo(target string, t Type) ([]string, error) {
	list := o.attached(target)
	if list == nil {
		return nil, noTarget()
	}
	of := slices.DeleteFunc(slices.Clone(*list), func(id string) bool { return o.typeOf(id) != t })
	slices.Sort(of)
	return of, nil
}

// Name is what the root, a unit or an account is called.
func (o *Organization) Name(target string) string {
	switch unit, account := o.Units[target], o.Accounts[target]; {
	case target == o.RootID:
		return RootName
	case unit != nil:
		return unit.Name
	case account != nil:
		return account.Name
	}
	return ""
}

// RootName is what every root is called.
const RootName = "Root"

// Attach attaches a policy to the root, a unit or an account.
func (d *Directory) Attach(ctx context.Context, account, id, target string) error {
	return d.change(ctx, account, func(_ *store.Tx, o *Organization) error {
		t := o.typeOf(id)
		list := o.attached(target)
		switch {
		case t == "":
			return noPolicy(id)
		case list == nil:
			return noTarget()
		case !slices.Contains(o.Types, t):
			return notEnabled(t)
		case slices.Contains(*list, id):
			return fault.New(fault.Exists, "attachment", "A policy with the specified name and type is already attached to the specified target.")
		}
		_, perTarget := t.quotas()
		of, _ := o.AttachedTo(target, t)
		if limit := d.quotas.Of(perTarget); len(of) >= limit {
			return constraint("MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
				"You have exceeded the number of policies of type %s that can be attached to an entity: %d.", t, limit)
		}
		*list = append(*list, id)
		return nil
	})
}

// Detach detaches a policy. Of SCPs one must stay, as a place that has none allows nothing; the RCP that allows everything stays always.
func (d *Directory) Detach(ctx context.Context, account, id, target string) error {
	return d.change(ctx, account, func(_ *store.Tx, o *Organization) error {
		t := o.typeOf(id)
		list := o.attached(target)
		switch {
		case t == "":
			return noPolicy(id)
		case list == nil:
			return noTarget()
		case !slices.Contains(*list, id):
			return fault.New(fault.NotFound, "attachment", "The policy isn't attached to the specified target in the specified root.")
		case id == FullAccess(RCP):
			return invalid("NON_DETACHABLE_POLICY", "You can't detach this AWS managed policy: it is part of every root, OU and account while RCPs are enabled.")
		}
		if of, _ := o.AttachedTo(target, t); t == SCP && len(of) == 1 {
			return constraint("MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
				"You cannot remove the last policy attached to the specified target. You must have at least one attached at all times.")
		}
		*list = slices.DeleteFunc(*list, func(attached string) bool { return attached == id })
		return nil
	})
}

func notEnabled(t Type) error {
	return fault.New(fault.NotFound, "policy type",
		"This operation can be performed only for enabled policy types: %s is not enabled in the root of this organization.", t)
}

// checkRoot holds that an id is that of the organization's root.
func (o *Organization) checkRoot(id string) error {
	if id != o.RootID {
		return fault.New(fault.NotFound, "root", "We can't find a root with the RootId that you specified.")
	}
	return nil
}

// EnableType enables a type of policy. Its policy that allows everything is attached to the root and to everything below, so that the
// type limits nothing until somebody says so.
func (d *Directory) EnableType(ctx context.Context, account, root string, t Type) (*Organization, error) {
	return d.changeTypes(ctx, account, root, func(o *Organization) error {
		if err := checkType(t); err != nil {
			return err
		}
		if slices.Contains(o.Types, t) {
			return fault.New(fault.Exists, "policy type", "The specified policy type is already enabled.")
		}
		o.Types = append(o.Types, t)
		slices.Sort(o.Types)
		for _, target := range o.targets() {
			list := o.attached(target)
			*list = append(*list, FullAccess(t))
		}
		return nil
	})
}

// DisableType disables a type of policy and detaches its policies from everything. The policies themselves stay.
func (d *Directory) DisableType(ctx context.Context, account, root string, t Type) (*Organization, error) {
	return d.changeTypes(ctx, account, root, func(o *Organization) error {
		if !slices.Contains(o.Types, t) {
			return notEnabled(t)
		}
		o.Types = slices.DeleteFunc(o.Types, func(enabled Type) bool { return enabled == t })
		for _, target := range o.targets() {
			list := o.attached(target)
			*list = slices.DeleteFunc(*list, func(id string) bool { return o.typeOf(id) == t })
		}
		return nil
	})
}

func (d *Directory) changeTypes(ctx context.Context, account, root string, f func(*Organization) error) (*Organization, error) {
	var out *Organization
	err := d.change(ctx, account, func(_ *store.Tx, o *Organization) error {
		if err := o.checkRoot(root); err != nil {
			return err
		}
		out = o
		return f(o)
	})
	return out, err
}

// fullAccess are the policies that a new unit or account has: those that allow everything.
func (o *Organization) fullAccess() []string {
	list := make([]string, 0, len(o.Types))
	for _, t := range o.Types {
		list = append(list, FullAccess(t))
	}
	return list
}
