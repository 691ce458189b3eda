package organization

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
)

// Type is a type of policy.
type Type string

// The types that bear on authorization. AWS has others, about tags, backups and the like, which have no meaning here.
const (
	SCP Type = "SERVICE_CONTROL_POLICY"
	RCP Type = "RESOURCE_CONTROL_POLICY"
)

// Known reports whether a type is one of those above.
func (t Type) Known() bool { return t == SCP || t == RCP }

func (t Type) kind() policy.Kind {
	if t == RCP {
		return policy.RCP
	}
	return policy.SCP
}

func (t Type) quotas() (size, perTarget quota.Name) {
	if t == RCP {
		return quota.RCPSize, quota.RCPsPerTarget
	}
	return quota.SCPSize, quota.SCPsPerTarget
}

// Policy is a policy of an organization.
type Policy struct {
	ID           string         `json:"id"` // p-...
	Organization string         `json:"organization"`
	Management   string         `json:"management"`
	Type         Type           `json:"type"`
	Name         string         `json:"name"`
	Description  string         `json:"description,omitempty"`
	Content      *policy.Source `json:"content"`
	AWSManaged   bool           `json:"awsManaged,omitempty"`
}

// ARN names the policy.
func (p *Policy) ARN() string {
	kind := strings.ToLower(string(p.Type))
	if p.AWSManaged {
		return arn.ManagedOrganizationPolicy(kind, p.ID)
	}
	return arn.OrganizationPolicy(p.Management, p.Organization, kind, p.ID)
}

// managed are the policies that every organization has: they allow everything, so that a level without another policy limits nothing.
var managed = map[Type]*Policy{
	SCP: {
		ID: "p-FullAWSAccess", Type: SCP, Name: "FullAWSAccess", Description: "Allows access to every operation", AWSManaged: true,
		Content: policy.NewSource(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`),
	},
	RCP: {
		ID: "p-RCPFullAWSAccess", Type: RCP, Name: "RCPFullAWSAccess", Description: "Allows access to every resource", AWSManaged: true,
		Content: policy.NewSource(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`),
	},
}

// FullAccess is the id of the policy of a type that allows everything.
func FullAccess(t Type) string { return managed[t].ID }

func managedByID(id string) *Policy {
	for _, p := range managed {
		if p.ID == id {
			return p
		}
	}
	return nil
}

// typeOf is the type of one of the organization's policies, empty where there is none of that id.
func (o *Organization) typeOf(id string) Type {
	if p := managedByID(id); p != nil {
		return p.Type
	}
	return o.Policies[id].Type
}

func noPolicy(id string) error {
	return fault.New(fault.NotFound, "policy", "We can't find a policy with the PolicyId %s that you specified.", id)
}

func checkType(t Type) error {
	if !t.Known() {
		return fault.New(fault.Unsupported, "policy type", "The policy type %s is not available for this organization: there are %s and %s.", t, SCP, RCP)
	}
	return nil
}

// FindPolicy looks a policy of an organization up, AWS's own included.
func (d *Directory) FindPolicy(o *Organization, id string) (*Policy, error) {
	if p := managedByID(id); p != nil {
		return p, nil
	}
	if p, ok := policies.Get(d.db.Snapshot(), store.Key{o.ID, id}); ok {
		return p, nil
	}
	return nil, noPolicy(id)
}

// Policies yields an organization's policies of a type, AWS's own included, in the order of ids.
func (d *Directory) Policies(o *Organization, t Type) iter.Seq[*Policy] {
	return func(yield func(*Policy) bool) {
		if p := managed[t]; p != nil && !yield(p) {
			return
		}
		for _, p := range policies.All(d.db.Snapshot(), store.Key{o.ID}) {
			if p.Type == t && !yield(p) {
				return
			}
		}
	}
}

// CreatePolicy makes a policy. Type, Name, Description and Content are taken; account is the management account.
func (d *Directory) CreatePolicy(ctx context.Context, account string, p Policy, tags map[string]string) (*Policy, error) {
	if err := checkType(p.Type); err != nil {
		return nil, err
	}
	if err := d.check(&p); err != nil {
		return nil, err
	}
	if err := checkTags(tags); err != nil {
		return nil, err
	}
	id, err := d.newID("p-", policyIDLength)
	if err != nil {
		return nil, err
	}
	p.ID, p.AWSManaged = id, false
	return &p, d.change(ctx, account, func(tx *store.Tx, o *Organization) error {
		p.Organization, p.Management = o.ID, o.Management
		if err := o.unique(&p); err != nil {
			return err
		}
		o.title(&p)
		policies.Put(tx, store.Key{o.ID, p.ID}, &p)
		return putTags(tx, o.ID, p.ID, tags)
	})
}

func (o *Organization) title(p *Policy) {
	if o.Policies == nil {
		o.Policies = map[string]Title{}
	}
	o.Policies[p.ID] = Title{Name: p.Name, Type: p.Type}
}

// unique holds that no other policy of the type has the name.
func (o *Organization) unique(p *Policy) error {
	taken := managed[p.Type].Name == p.Name
	for id, t := range o.Policies {
		taken = taken || id != p.ID && t.Type == p.Type && t.Name == p.Name
	}
	if taken {
		return fault.New(fault.Exists, "policy", "A policy with the same name already exists.")
	}
	return nil
}

// check holds the rules that need no look at anything else.
func (d *Directory) check(p *Policy) error {
	if err := checkLength("Name", p.Name, 1, maxName); err != nil {
		return err
	}
	if err := checkLength("Description", p.Description, 0, maxDescription); err != nil {
		return err
	}
	size, _ := p.Type.quotas()
	text := p.Content.String()
	if limit := d.quotas.Of(size); utf8.RuneCountInString(text) > limit {
		return constraint("POLICY_CONTENT_LIMIT_EXCEEDED", "The policy has more than the maximum of %d characters.", limit)
	}
	if _, err := policy.Parse(p.Type.kind(), text); err != nil {
		return fault.New(fault.Invalid, "policy document", "The provided policy document does not meet the requirements of the specified policy type: %s", err)
	}
	return nil
}

// UpdatePolicy changes name, description and content of a policy; nil leaves one as it is.
func (d *Directory) UpdatePolicy(ctx context.Context, account, id string, name, description, content *string) (*Policy, error) {
	var out *Policy
	err := d.change(ctx, account, func(tx *store.Tx, o *Organization) error {
		p, err := readPolicy(tx, o, id)
		if err != nil {
			return err
		}
		if name != nil {
			p.Name = *name
		}
		if description != nil {
			p.Description = *description
		}
		if content != nil {
			p.Content = policy.NewSource(*content)
		}
		if err := d.check(p); err != nil {
			return err
		}
		if err := o.unique(p); err != nil {
			return err
		}
		o.title(p)
		policies.Put(tx, store.Key{o.ID, id}, p)
		out = p
		return nil
	})
	return out, err
}

// readPolicy reads a policy that can be changed.
func readPolicy(tx *store.Tx, o *Organization, id string) (*Policy, error) {
	if managedByID(id) != nil {
		return nil, invalid("IMMUTABLE_POLICY", "You specified a policy that is managed by AWS and can't be modified.")
	}
	p, ok, err := policies.Read(tx, store.Key{o.ID, id})
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, noPolicy(id)
	}
	return p, nil
}

// DeletePolicy removes a policy that is attached nowhere.
func (d *Directory) DeletePolicy(ctx context.Context, account, id string) error {
	return d.change(ctx, account, func(tx *store.Tx, o *Organization) error {
		if _, err := readPolicy(tx, o, id); err != nil {
			return err
		}
		if len(o.Targets(id)) > 0 {
			return fault.New(fault.Conflict, "policy", "The policy is attached to one or more entities. "+
				"You must detach it from all roots, organizational units (OUs), and accounts before performing this operation.")
		}
		delete(o.Policies, id)
		policies.Delete(tx, store.Key{o.ID, id})
		tagSets.Delete(tx, store.Key{o.ID, id})
		return nil
	})
}

func sortedIDs[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
