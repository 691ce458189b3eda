package iam

import (
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
)

const subjectProfile = "instance profile"

// InstanceProfile is what carries a role to an instance: a name for at most one role. podid starts no instances; tools that make
// node groups keep their profiles here.
type InstanceProfile struct {
	Account   string            `json:"account"`
	Path      string            `json:"path"`
	Name      string            `json:"name"`
	ID        string            `json:"id"`             // AIPA...
	Role      string            `json:"role,omitempty"` // its name; empty: none
	Tags      map[string]string `json:"tags,omitempty"`
	CreatedAt time.Time         `json:"createdAt"`
}

// ARN names the instance profile.
func (p *InstanceProfile) ARN() string { return arn.InstanceProfile(p.Account, p.Path, p.Name) }

// FindInstanceProfile looks an instance profile up. The name matches ignoring case.
func (d *Directory) FindInstanceProfile(account, name string) (*InstanceProfile, bool) {
	return profiles.Get(d.db.Snapshot(), named(account, name))
}

// GetInstanceProfile is FindInstanceProfile that fails with fault.NotFound.
func (d *Directory) GetInstanceProfile(account, name string) (*InstanceProfile, error) {
	if p, ok := d.FindInstanceProfile(account, name); ok {
		return p, nil
	}
	return nil, noProfile(name)
}

// AllInstanceProfiles yields an account's instance profiles in the order of names, ignoring case.
func (d *Directory) AllInstanceProfiles(account string) iter.Seq[*InstanceProfile] {
	return values(profiles, d.db.Snapshot(), store.Key{account})
}

func noProfile(name string) error {
	return fault.New(fault.NotFound, subjectProfile, "Instance Profile %s cannot be found.", name)
}

// CreateInstanceProfile makes an empty instance profile. Account and Name are required; Path and Tags are taken.
func (d *Directory) CreateInstanceProfile(ctx context.Context, p InstanceProfile) (*InstanceProfile, error) {
	p.Path = defaultPath(p.Path)
	if err := checkName(subjectProfile, "instanceProfileName", p.Name, maxProfileName); err != nil {
		return nil, err
	}
	if err := checkPath(subjectProfile, p.Path); err != nil {
		return nil, err
	}
	if err := checkTags(p.Tags); err != nil {
		return nil, err
	}
	held := count(profiles, d.db.Snapshot(), store.Key{p.Account})
	if err := d.limited(quota.InstanceProfiles, subjectProfile, "InstanceProfilesPerAccount", held); err != nil {
		return nil, err
	}
	id, err := d.newID(prefixProfile, entityIDLength)
	if err != nil {
		return nil, err
	}
	p.ID, p.CreatedAt, p.Role = id, d.clock(), ""
	err = d.db.Update(ctx, func(tx *store.Tx) error {
		if _, err := requireAccount(tx, p.Account); err != nil {
			return err
		}
		_, taken, err := profiles.Read(tx, named(p.Account, p.Name))
		if err != nil {
			return err
		}
		if taken {
			return fault.New(fault.Exists, subjectProfile, "Instance Profile %s already exists.", p.Name)
		}
		profiles.Put(tx, named(p.Account, p.Name), &p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &p, nil
}

// updateProfile changes an instance profile in one transaction.
func (d *Directory) updateProfile(ctx context.Context, account, name string, f func(*store.Tx, *InstanceProfile) error) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		p, ok, err := profiles.Read(tx, named(account, name))
		if err != nil {
			return err
		}
		if !ok {
			return noProfile(name)
		}
		if err := f(tx, p); err != nil {
			return err
		}
		profiles.Put(tx, named(account, name), p)
		return nil
	})
}

// UpdateInstanceProfileTags changes the tags: f gets those there are, and may be called again on newer ones.
func (d *Directory) UpdateInstanceProfileTags(ctx context.Context, account, name string, f func(map[string]string) map[string]string) error {
	return d.updateProfile(ctx, account, name, func(_ *store.Tx, p *InstanceProfile) error {
		p.Tags = f(p.Tags)
		return checkTags(p.Tags)
	})
}

// AddRoleToInstanceProfile makes a profile carry a role. It carries one.
func (d *Directory) AddRoleToInstanceProfile(ctx context.Context, account, name, role string) error {
	return d.updateProfile(ctx, account, name, func(tx *store.Tx, p *InstanceProfile) error {
		r, err := readRole(tx, account, role)
		switch {
		case err != nil:
			return err
		case r.Service != "":
			return protected(r.Name)
		case p.Role != "":
			return fault.New(fault.Limit, subjectProfile, "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
		}
		p.Role = r.Name
		r.Profiles = append(r.Profiles, p.Name)
		roles.Put(tx, named(account, r.Name), r)
		return nil
	})
}

// RemoveRoleFromInstanceProfile empties a profile of the role that it carries.
func (d *Directory) RemoveRoleFromInstanceProfile(ctx context.Context, account, name, role string) error {
	return d.updateProfile(ctx, account, name, func(tx *store.Tx, p *InstanceProfile) error {
		r, err := readRole(tx, account, role)
		if err != nil {
			return err
		}
		if p.Role != r.Name {
			return fault.New(fault.NotFound, subjectProfile, "Role %s in Instance Profile %s cannot be found.", r.Name, p.Name)
		}
		p.Role = ""
		r.Profiles = slices.DeleteFunc(r.Profiles, func(other string) bool { return strings.EqualFold(other, p.Name) })
		roles.Put(tx, named(account, r.Name), r)
		return nil
	})
}

// DeleteInstanceProfile removes an instance profile that carries no role.
func (d *Directory) DeleteInstanceProfile(ctx context.Context, account, name string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		p, ok, err := profiles.Read(tx, named(account, name))
		switch {
		case err != nil:
			return err
		case !ok:
			return noProfile(name)
		case p.Role != "":
			return fault.New(fault.Conflict, subjectProfile, "Cannot delete entity, must remove roles from instance profile first.")
		}
		profiles.Delete(tx, named(account, name))
		return nil
	})
}
