package iam

import (
	"context"
	"iter"
	"slices"
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
	maxVersions = 5 // of a policy; AWS raises it for nobody

	// awsAccount stands where the account id is in the ARNs of AWS's own managed policies.
	awsAccount = "aws"
)

// ManagedPolicy is a policy with a name of its own, attached to users, groups and roles, or set as the boundary of users and roles.
type ManagedPolicy struct {
	Account     string            `json:"account"`
	Path        string            `json:"path"`
	Name        string            `json:"name"`
	ID          string            `json:"id"` // ANPA...
	Description string            `json:"description,omitempty"`
	Versions    []PolicyVersion   `json:"versions"` // oldest first
	Default     string            `json:"default"`  // the version in force
	Tags        map[string]string `json:"tags,omitempty"`
	CreatedAt   time.Time         `json:"createdAt"`
	UpdatedAt   time.Time         `json:"updatedAt"` // when the newest version was made

	NextVersion int `json:"nextVersion"` // version numbers are never used twice
	Attachments int `json:"attachments,omitempty"`
	Boundaries  int `json:"boundaries,omitempty"` // users and roles that have it as their boundary
}

// PolicyVersion is one state of a managed policy's document.
type PolicyVersion struct {
	ID        string         `json:"id"` // v1, v2, ...
	Document  *policy.Source `json:"document"`
	CreatedAt time.Time      `json:"createdAt"`
}

// ARN names the policy.
func (p *ManagedPolicy) ARN() string { return arn.Policy(p.Account, p.Path, p.Name) }

// Document is the version in force; never nil.
func (p *ManagedPolicy) Document() *policy.Source {
	if v, err := p.Version(p.Default); err == nil {
		return v.Document
	}
	return policy.NewSource("") // does not compile, so it denies everything
}

// Version looks one version up.
func (p *ManagedPolicy) Version(id string) (PolicyVersion, error) {
	for _, v := range p.Versions {
		if v.ID == id {
			return v, nil
		}
	}
	return PolicyVersion{}, fault.New(fault.NotFound, subjectPolicy,
		"Policy %s version %s does not exist or is not attachable.", p.ARN(), id)
}

// FindPolicy looks a managed policy up by its ARN.
func (d *Directory) FindPolicy(policyARN string) (*ManagedPolicy, bool) {
	key, ok := policyKey(policyARN)
	if !ok {
		return nil, false
	}
	if key[0] == awsAccount {
		return awsPolicy(policyARN)
	}
	p, ok := policies.Get(d.db.Snapshot(), key)
	return p, ok && p.ARN() == policyARN
}

// GetPolicy is FindPolicy that fails with fault.NotFound.
func (d *Directory) GetPolicy(policyARN string) (*ManagedPolicy, error) {
	if p, ok := d.FindPolicy(policyARN); ok {
		return p, nil
	}
	return nil, noPolicy(policyARN)
}

// AllPolicies yields an account's managed policies in the order of names, ignoring case.
func (d *Directory) AllPolicies(account string) iter.Seq[*ManagedPolicy] {
	return values(policies, d.db.Snapshot(), store.Key{account})
}

// policyKey is where the policy of an ARN is stored; the path is not part of it.
func policyKey(policyARN string) (store.Key, bool) {
	a, err := arn.Parse(policyARN)
	rest, ok := strings.CutPrefix(a.Resource, "policy/")
	if err != nil || !ok || a.Service != "iam" {
		return nil, false
	}
	return named(a.Account, lastElement(rest)), true
}

func noPolicy(policyARN string) error {
	return fault.New(fault.NotFound, subjectPolicy, "Policy %s was not found.", policyARN)
}

func notAttachable(policyARN string) error {
	return fault.New(fault.NotFound, subjectPolicy, "Policy %s does not exist or is not attachable.", policyARN)
}

func noScope(policyARN string) error {
	return fault.New(fault.NotFound, subjectPolicy, "Scope ARN: %s does not exist or is not attachable.", policyARN)
}

// readPolicy is for references: the text says what the reference was for.
func readPolicy(tx *store.Tx, policyARN string) (*ManagedPolicy, error) {
	key, ok := policyKey(policyARN)
	if !ok {
		return nil, notAttachable(policyARN)
	}
	if key[0] == awsAccount {
		p, ok := awsPolicy(policyARN)
		if !ok {
			return nil, notAttachable(policyARN)
		}
		return p, nil
	}
	p, ok, err := policies.Read(tx, key)
	if err != nil {
		return nil, err
	}
	if !ok || p.ARN() != policyARN {
		return nil, notAttachable(policyARN)
	}
	return p, nil
}

// CreatePolicy makes a managed policy with one version. Account and Name are required; Path, Description and Tags are taken;
// everything else is made here.
func (d *Directory) CreatePolicy(ctx context.Context, p ManagedPolicy, document string) (*ManagedPolicy, error) {
	p.Path = defaultPath(p.Path)
	if err := checkName(subjectPolicy, "policyName", p.Name, maxPolicyName); err != nil {
		return nil, err
	}
	if err := checkPath(subjectPolicy, p.Path); err != nil {
		return nil, err
	}
	if err := checkDescription(subjectPolicy, p.Description); err != nil {
		return nil, err
	}
	if err := checkTags(p.Tags); err != nil {
		return nil, err
	}
	held := count(policies, d.db.Snapshot(), store.Key{p.Account})
	if err := d.limited(quota.PoliciesPerAccount, subjectPolicy, "PoliciesPerAccount", held); err != nil {
		return nil, err
	}
	id, err := d.newID(prefixPolicy, entityIDLength)
	if err != nil {
		return nil, err
	}
	p.ID, p.CreatedAt, p.Versions, p.Default, p.NextVersion = id, d.clock(), nil, "", 1
	p.Attachments, p.Boundaries = 0, 0
	if err := p.add(document, true, p.CreatedAt, d.quotas); err != nil {
		return nil, err
	}
	err = d.db.Update(ctx, func(tx *store.Tx) error {
		if _, err := requireAccount(tx, p.Account); err != nil {
			return err
		}
		_, taken, err := policies.Read(tx, named(p.Account, p.Name))
		if err != nil {
			return err
		}
		if taken {
			return fault.New(fault.Exists, subjectPolicy, "A policy called %s already exists. Duplicate names are not allowed.", p.Name)
		}
		policies.Put(tx, named(p.Account, p.Name), &p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &p, nil
}

// add makes a version of a document.
func (p *ManagedPolicy) add(document string, isDefault bool, at time.Time, quotas quota.Set) error {
	source := policy.NewSource(document)
	if _, err := parseDocument(policy.Identity, source); err != nil {
		return err
	}
	if most := quotas.Of(quota.ManagedPolicySize); policy.Size(document) > most {
		return fault.New(fault.Limit, subjectPolicy, "Cannot exceed quota for PolicySize: %d", most)
	}
	if len(p.Versions) >= maxVersions {
		return fault.New(fault.Limit, subjectPolicy, "A managed policy can have up to %d versions. "+
			"Before you create a new version, you must delete an existing version.", maxVersions)
	}
	v := PolicyVersion{ID: "v" + decimal(p.NextVersion), Document: source, CreatedAt: at}
	p.Versions = append(p.Versions, v)
	p.NextVersion++
	p.UpdatedAt = at
	if isDefault {
		p.Default = v.ID
	}
	return nil
}

// UpdatePolicyTags changes the tags of a policy: f gets those it has, and may be called again on newer ones.
func (d *Directory) UpdatePolicyTags(ctx context.Context, policyARN string, f func(map[string]string) map[string]string) error {
	_, err := d.updatePolicy(ctx, policyARN, func(p *ManagedPolicy) error {
		p.Tags = f(p.Tags)
		return checkTags(p.Tags)
	})
	return err
}

// updatePolicy changes a policy in one transaction.
func (d *Directory) updatePolicy(ctx context.Context, policyARN string, f func(*ManagedPolicy) error) (*ManagedPolicy, error) {
	var out *ManagedPolicy
	err := d.db.Update(ctx, func(tx *store.Tx) error {
		key, ok := policyKey(policyARN)
		if !ok {
			return noPolicy(policyARN)
		}
		p, ok, err := policies.Read(tx, key)
		if err != nil {
			return err
		}
		if !ok || p.ARN() != policyARN {
			return noPolicy(policyARN)
		}
		if err := f(p); err != nil {
			return err
		}
		policies.Put(tx, key, p)
		out = p
		return nil
	})
	return out, err
}

// CreatePolicyVersion adds a version, and puts it in force when isDefault says so.
func (d *Directory) CreatePolicyVersion(ctx context.Context, policyARN, document string, isDefault bool) (*PolicyVersion, error) {
	p, err := d.updatePolicy(ctx, policyARN, func(p *ManagedPolicy) error { return p.add(document, isDefault, d.clock(), d.quotas) })
	if err != nil {
		return nil, err
	}
	return &p.Versions[len(p.Versions)-1], nil
}

// DeletePolicyVersion removes a version that is not in force.
func (d *Directory) DeletePolicyVersion(ctx context.Context, policyARN, version string) error {
	_, err := d.updatePolicy(ctx, policyARN, func(p *ManagedPolicy) error {
		if _, err := p.Version(version); err != nil {
			return err
		}
		if version == p.Default {
			return fault.New(fault.Conflict, subjectPolicy, "Cannot delete the default version of a policy.")
		}
		p.Versions = slices.DeleteFunc(p.Versions, func(v PolicyVersion) bool { return v.ID == version })
		return nil
	})
	return err
}

// SetDefaultPolicyVersion puts a version in force.
func (d *Directory) SetDefaultPolicyVersion(ctx context.Context, policyARN, version string) error {
	_, err := d.updatePolicy(ctx, policyARN, func(p *ManagedPolicy) error {
		_, err := p.Version(version)
		p.Default = version
		return err
	})
	return err
}

// DeletePolicy removes a policy that nobody holds and that has one version left.
func (d *Directory) DeletePolicy(ctx context.Context, policyARN string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		key, ok := policyKey(policyARN)
		if !ok {
			return noPolicy(policyARN)
		}
		p, ok, err := policies.Read(tx, key)
		switch {
		case err != nil:
			return err
		case !ok || p.ARN() != policyARN:
			return noPolicy(policyARN)
		case p.Attachments+p.Boundaries > 0:
			return fault.New(fault.Conflict, subjectPolicy, "Cannot delete a policy attached to entities.")
		case len(p.Versions) > 1:
			return fault.New(fault.Conflict, subjectPolicy, "This policy has more than one version. Before you delete a policy, "+
				"you must delete the policy's versions. The default version is deleted with the policy.")
		}
		policies.Delete(tx, key)
		return nil
	})
}
