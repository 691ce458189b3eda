package iam

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
)

// spec: iam-policy.md 2
const (
	subjectRole = "role"

	// The bounds of Role.MaxSession; the lower one is the default.
	MinMaxSession = time.Hour
	MaxMaxSession = 12 * time.Hour
)

// Role is an IAM role.
type Role struct {
	Account     string                    `json:"account"`
	Path        string                    `json:"path"`
	Name        string                    `json:"name"`
	ID          string                    `json:"id"` // AROA...
	Description string                    `json:"description,omitempty"`
	Trust       *policy.Source            `json:"trust"`      // names users and roles by unique id; see Directory.Printed
	MaxSession  time.Duration             `json:"maxSession"` // the longest session one may ask for
	Inline      map[string]*policy.Source `json:"inline,omitempty"`
	Attached    []string                  `json:"attached,omitempty"` // policy ARNs
	Boundary    string                    `json:"boundary,omitempty"` // policy ARN; empty: none
	Tags        map[string]string         `json:"tags,omitempty"`
	CreatedAt   time.Time                 `json:"createdAt"`

	// Profiles are the names of the instance profiles that carry the role.
	Profiles []string `json:"profiles,omitempty"`

	// Service is whose service-linked role it is ("eks.amazonaws.com"); empty: an ordinary role.
	Service string `json:"service,omitempty"`

	// RevokedBefore ends every session that was issued before it; zero: none is ended.
	RevokedBefore time.Time `json:"revokedBefore,omitzero"`
}

// ARN names the role.
func (r *Role) ARN() string { return arn.Role(r.Account, r.Path, r.Name) }

func (r *Role) grants() grants {
	return grants{kind: subjectRole, account: r.Account, name: r.Name, inline: r.Inline, attached: r.Attached, boundary: r.Boundary}
}

func (r *Role) hold(held grants) { r.Inline, r.Attached = held.inline, held.attached }

// FindRole looks a role up. The name matches ignoring case.
func (d *Directory) FindRole(account, name string) (*Role, bool) {
	return roles.Get(d.db.Snapshot(), named(account, name))
}

// GetRole is FindRole that fails with fault.NotFound.
func (d *Directory) GetRole(account, name string) (*Role, error) {
	if r, ok := d.FindRole(account, name); ok {
		return r, nil
	}
	return nil, noRole(name)
}

// AllRoles yields an account's roles in the order of names, ignoring case.
func (d *Directory) AllRoles(account string) iter.Seq[*Role] {
	return values(roles, d.db.Snapshot(), store.Key{account})
}

func noRole(name string) error {
	return fault.New(fault.NotFound, subjectRole, "The role with name %s cannot be found.", name)
}

// CreateRole makes a role. Account, Name and Trust are required; ID and CreatedAt are made here.
func (d *Directory) CreateRole(ctx context.Context, r Role) (*Role, error) {
	r.Path = defaultPath(r.Path)
	if r.MaxSession == 0 {
		r.MaxSession = MinMaxSession
	}
	if err := checkName(subjectRole, "roleName", r.Name, maxRoleName); err != nil {
		return nil, err
	}
	if strings.HasPrefix(r.Path, servicePath) {
		return nil, fault.New(fault.Invalid, subjectServiceRole, "The path %s is reserved for service-linked roles.", servicePath)
	}
	r.Service = ""
	return d.insertRole(ctx, r)
}

// insertRole makes a role whose name and path are its maker's business.
func (d *Directory) insertRole(ctx context.Context, r Role) (*Role, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	if err := d.limited(quota.RolesPerAccount, subjectRole, "RolesPerAccount", count(roles, d.db.Snapshot(), store.Key{r.Account})); err != nil {
		return nil, err
	}
	id, err := d.newID(prefixRole, entityIDLength)
	if err != nil {
		return nil, err
	}
	r.ID, r.CreatedAt, r.RevokedBefore, r.Profiles = id, d.clock(), time.Time{}, nil
	var made Role
	err = d.db.Update(ctx, func(tx *store.Tx) error {
		if _, err := requireAccount(tx, r.Account); err != nil {
			return err
		}
		_, taken, err := roles.Read(tx, named(r.Account, r.Name))
		if err != nil {
			return err
		}
		if taken {
			return fault.New(fault.Exists, subjectRole, "Role with name %s already exists.", r.Name)
		}
		made = r
		if err := checkTrust(tx, &made, d.quotas); err != nil {
			return err
		}
		if err := made.grants().check(tx, d.quotas, grants{}); err != nil {
			return err
		}
		roles.Put(tx, named(made.Account, made.Name), &made)
		uniqueIDs.Put(tx, store.Key{made.ID}, &uniqueID{ARN: made.ARN()})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &made, nil
}

// UpdateRole changes a role: f gets a private copy, and may be called again on a newer one. It must replace what it changes:
// a trust policy that is assigned is checked and its principals are looked up again, even when its text is the same.
// Account, Path, Name, ID, CreatedAt, Profiles and Service stay. Of a service-linked role only description, tags and revocation change.
func (d *Directory) UpdateRole(ctx context.Context, account, name string, f func(*Role) error) (*Role, error) {
	var out *Role
	err := d.db.Update(ctx, func(tx *store.Tx) error {
		r, err := readRole(tx, account, name)
		if err != nil {
			return err
		}
		before, held := *r, r.grants().clone()
		if err := f(r); err != nil {
			return err
		}
		r.Account, r.Path, r.Name, r.ID, r.CreatedAt = before.Account, before.Path, before.Name, before.ID, before.CreatedAt
		r.Profiles, r.Service = before.Profiles, before.Service
		if before.Service != "" && r.touched(&before, held) {
			return protected(r.Name)
		}
		if err := r.check(); err != nil {
			return err
		}
		if r.Trust != before.Trust {
			if err := checkTrust(tx, r, d.quotas); err != nil {
				return err
			}
		}
		if err := r.grants().check(tx, d.quotas, held); err != nil {
			return err
		}
		roles.Put(tx, named(account, name), r)
		out = r
		return nil
	})
	return out, err
}

// check holds the rules that need no look at anything else.
func (r *Role) check() error {
	if err := checkPath(subjectRole, r.Path); err != nil {
		return err
	}
	if err := checkDescription(subjectRole, r.Description); err != nil {
		return err
	}
	seconds := decimal(int(r.MaxSession / time.Second))
	switch {
	case r.MaxSession < MinMaxSession:
		return member(subjectRole, "maxSessionDuration", seconds, "have value greater than or equal to 3600")
	case r.MaxSession > MaxMaxSession:
		return member(subjectRole, "maxSessionDuration", seconds, "have value less than or equal to 43200")
	case r.Trust == nil:
		return member(subjectRole, "assumeRolePolicyDocument", "", "not be null")
	}
	return checkTags(r.Tags)
}

func readRole(tx *store.Tx, account, name string) (*Role, error) {
	r, ok, err := roles.Read(tx, named(account, name))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, noRole(name)
	}
	return r, nil
}

// DeleteRole removes a role that holds no policies and is in no instance profile.
func (d *Directory) DeleteRole(ctx context.Context, account, name string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		r, err := readRole(tx, account, name)
		if err != nil {
			return err
		}
		if r.Service != "" {
			return protected(r.Name)
		}
		return r.remove(tx)
	})
}

func (r *Role) remove(tx *store.Tx) error {
	if len(r.Profiles) > 0 {
		return fault.New(fault.Conflict, subjectRole, "Cannot delete entity, must remove roles from instance profile first.")
	}
	if err := r.grants().release(tx); err != nil {
		return err
	}
	roles.Delete(tx, named(r.Account, r.Name))
	uniqueIDs.Delete(tx, store.Key{r.ID})
	forgetUses(tx, r.Account, r.ID)
	return nil
}

// PutRolePolicy writes an inline policy, over one of the same name.
func (d *Directory) PutRolePolicy(ctx context.Context, account, role, name, document string) error {
	_, err := d.UpdateRole(ctx, account, role, putPolicy[*Role](name, document))
	return err
}

// DeleteRolePolicy removes an inline policy.
func (d *Directory) DeleteRolePolicy(ctx context.Context, account, role, name string) error {
	_, err := d.UpdateRole(ctx, account, role, deletePolicy[*Role](name))
	return err
}

// AttachRolePolicy attaches a managed policy; one that is attached already stays so.
func (d *Directory) AttachRolePolicy(ctx context.Context, account, role, policyARN string) error {
	_, err := d.UpdateRole(ctx, account, role, attachPolicy[*Role](account, policyARN))
	return err
}

// DetachRolePolicy detaches a managed policy.
func (d *Directory) DetachRolePolicy(ctx context.Context, account, role, policyARN string) error {
	_, err := d.UpdateRole(ctx, account, role, detachPolicy[*Role](policyARN))
	return err
}
