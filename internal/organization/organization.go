package organization

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
)

// Organization is the tree of one organization.
type Organization struct {
	ID         string             `json:"id"`         // o-...
	Management string             `json:"management"` // account id
	CreatedAt  time.Time          `json:"createdAt"`
	RootID     string             `json:"rootId"`             // r-...
	Attached   []string           `json:"attached,omitempty"` // policies of the root, by id
	Types      []Type             `json:"types,omitempty"`    // policy types that are enabled in the root
	Units      map[string]*Unit   `json:"units,omitempty"`    // by id
	Accounts   map[string]*Member `json:"accounts"`           // by id, the management account among them
	Policies   map[string]Title   `json:"policies,omitempty"` // by id, without AWS's own

	Pending     map[string]string `json:"pending,omitempty"`     // accounts that are being made: request id to e-mail address
	Invitations map[string]string `json:"invitations,omitempty"` // the newest invitation of an account: account id to handshake id

	derived atomic.Pointer[derived]
}

// Unit is an organizational unit.
type Unit struct {
	Name     string   `json:"name"`
	Parent   string   `json:"parent"` // the root's or a unit's id
	Attached []string `json:"attached,omitempty"`
}

// How an account came to be a member.
const (
	Invited = "INVITED"
	Created = "CREATED"
)

// Member is an account of an organization.
type Member struct {
	Name     string    `json:"name"`
	Email    string    `json:"email,omitempty"` // empty: not known, as the account was not made by the organization
	Parent   string    `json:"parent"`
	Joined   time.Time `json:"joined"`
	Method   string    `json:"method"`
	Attached []string  `json:"attached,omitempty"`
}

// Title is what an organization's record holds of a policy.
type Title struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
}

// ARN names the organization.
func (o *Organization) ARN() string { return arn.Organization(o.Management, o.ID) }

// RootARN names the root.
func (o *Organization) RootARN() string { return arn.OrganizationRoot(o.Management, o.ID, o.RootID) }

// AccountARN names an account as a member.
func (o *Organization) AccountARN(id string) string {
	return arn.OrganizationAccount(o.Management, o.ID, id)
}

// UnitARN names an organizational unit.
func (o *Organization) UnitARN(id string) string {
	return arn.OrganizationalUnit(o.Management, o.ID, id)
}

// manages fails unless an account manages the organization.
func (o *Organization) manages(account string) error {
	if o.Management != account {
		return fault.New(fault.Denied, "account", "You don't have permissions to access this resource.")
	}
	return nil
}

// maxRecord bounds the record of an organization, in bytes: etcd takes half as much again.
const maxRecord = 1 << 20

func (o *Organization) put(tx *store.Tx) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if len(text) > maxRecord {
		return constraint("OU_NUMBER_LIMIT_EXCEEDED", "The organization has no room for more accounts, organizational units, policies or attachments.")
	}
	organizations.Put(tx, store.Key{o.ID}, o)
	return nil
}

// constraint is a limit that a change would break, with AWS's word for which one.
func constraint(reason, format string, args ...any) error {
	return fault.New(fault.Limit, "constraint", format, args...).With("Reason", reason)
}

// invalid is a member of a request that breaks a rule, with AWS's word for which one.
func invalid(reason, format string, args ...any) error {
	return fault.New(fault.Invalid, "input", format, args...).With("Reason", reason)
}

// Create makes an organization whose management account is the given one, which must be in none. It has all features, but no type
// of policy is enabled in its root: AWS's API reference says that service control policies are, and AWS leaves them disabled, so
// Terraform enables them itself and fails where they are.
func (d *Directory) Create(ctx context.Context, account, name string) (*Organization, error) {
	id, err := d.newID("o-", organizationIDLength)
	if err != nil {
		return nil, err
	}
	root, err := d.newID("r-", rootIDLength)
	if err != nil {
		return nil, err
	}
	o := &Organization{
		ID: id, Management: account, CreatedAt: d.clock(), RootID: root,
		Accounts: map[string]*Member{account: {
			Name: name, Parent: root, Joined: d.clock(), Method: Invited,
		}},
	}
	return o, d.db.Update(ctx, func(tx *store.Tx) error {
		if err := free(tx, account); err != nil {
			return err
		}
		if d.quotas.Of(quota.AccountsPerOrganization) < 1 {
			return constraint("ACCOUNT_NUMBER_LIMIT_EXCEEDED", "You have exceeded the allowed number of AWS accounts.")
		}
		memberships.Put(tx, store.Key{account}, &membership{Organization: id})
		return o.put(tx)
	})
}

// free fails when an account is in an organization.
func free(tx *store.Tx, account string) error {
	_, taken, err := memberships.Read(tx, store.Key{account})
	if err == nil && taken {
		err = fault.New(fault.Exists, "organization", "The AWS account is already a member of an organization.")
	}
	return err
}

// Delete ends an organization that has no account but its management account, no unit and no policy.
func (d *Directory) Delete(ctx context.Context, account string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		o, err := read(tx, account)
		if err != nil {
			return err
		}
		if err := o.manages(account); err != nil {
			return err
		}
		if len(o.Accounts) > 1 || len(o.Units) > 0 || len(o.Policies) > 0 || len(o.Pending) > 0 {
			return fault.New(fault.Conflict, "organization",
				"To delete an organization you must first remove all member accounts, organizational units and policies.")
		}
		if err := d.cancelInvitations(tx, o); err != nil {
			return err
		}
		for key := range tagSets.AllTx(tx, store.Key{o.ID}) {
			tagSets.Delete(tx, key)
		}
		memberships.Delete(tx, store.Key{account})
		organizations.Delete(tx, store.Key{o.ID})
		return nil
	})
}
