package iam

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
)

// maxDocument bounds the text of any policy document, before anything looks at it.
const maxDocument = 131072

const (
	subjectPolicy   = "policy"
	subjectDocument = "policy document"
)

// grants are the policies of a user, a group or a role: the part that all have, under the same rules.
type grants struct {
	kind     string // user, group, role
	account  string
	name     string
	inline   map[string]*policy.Source
	attached []string
	boundary string
}

// inlineQuota and attachedQuota are the limits on what each kind may hold, by its kind. spec: iam-policy.md 2
var (
	inlineQuota = map[string]quota.Name{
		subjectUser: quota.InlinePolicySizePerUser, subjectGroup: quota.InlinePolicySizePerGroup, subjectRole: quota.InlinePolicySizePerRole,
	}
	attachedQuota = map[string]quota.Name{
		subjectUser: quota.AttachedPoliciesPerUser, subjectGroup: quota.AttachedPoliciesPerGroup, subjectRole: quota.AttachedPoliciesPerRole,
	}
)

// clone detaches g from the entity it was taken from, so that it stays what was before a change.
func (g grants) clone() grants {
	g.inline, g.attached = maps.Clone(g.inline), slices.Clone(g.attached)
	return g
}

// check holds the rules for what changed from before to g, and keeps the managed policies' counts of their holders.
func (g grants) check(tx *store.Tx, quotas quota.Set, before grants) error {
	size := 0
	for name, source := range g.inline {
		size += policy.Size(source.String())
		if before.inline[name] == source {
			continue
		}
		if err := checkName(subjectPolicy, "policyName", name, maxPolicyName); err != nil {
			return err
		}
		if _, err := parseDocument(policy.Identity, source); err != nil {
			return err
		}
	}
	if most := quotas.Of(inlineQuota[g.kind]); size > most && !maps.Equal(g.inline, before.inline) {
		return fault.New(fault.Limit, subjectPolicy, "Maximum policy size of %d bytes exceeded for %s %s", most, g.kind, g.name)
	}
	if most := quotas.Of(attachedQuota[g.kind]); len(g.attached) > most && len(g.attached) > len(before.attached) {
		return fault.New(fault.Limit, subjectPolicy, "Cannot exceed quota for PoliciesPer%s: %d", strings.ToUpper(g.kind[:1])+g.kind[1:], most)
	}
	if g.boundary != before.boundary && g.boundary != "" {
		if err := g.checkBoundary(); err != nil {
			return err
		}
	}
	return g.recount(tx, before)
}

// checkBoundary holds that a boundary is a policy of the account's own or one of AWS's; recount finds out whether it is there.
func (g grants) checkBoundary() error {
	a, err := arn.Parse(g.boundary)
	if err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "policy/") {
		return fault.New(fault.Invalid, subjectPolicy, "ARN %s is not valid.", g.boundary)
	}
	if a.Account != g.account && a.Account != awsAccount {
		return noScope(g.boundary)
	}
	return nil
}

// recount moves the counts of the managed policies that are held by g and were not before, or the other way round.
func (g grants) recount(tx *store.Tx, before grants) error {
	type change struct{ attached, boundary int }
	changes := map[string]change{}
	add := func(policyARN string, c change) {
		if policyARN != "" {
			was := changes[policyARN]
			changes[policyARN] = change{was.attached + c.attached, was.boundary + c.boundary}
		}
	}
	for _, a := range g.attached {
		add(a, change{attached: 1})
	}
	for _, a := range before.attached {
		add(a, change{attached: -1})
	}
	add(g.boundary, change{boundary: 1})
	add(before.boundary, change{boundary: -1})

	for policyARN, c := range changes {
		if c == (change{}) {
			continue
		}
		p, err := readPolicy(tx, policyARN)
		switch {
		case errors.Is(err, fault.NotFound) && c.attached <= 0 && c.boundary <= 0:
			continue // a reference to nothing may always be dropped
		case errors.Is(err, fault.NotFound) && policyARN == g.boundary && c.boundary > 0:
			return noScope(policyARN)
		case err != nil:
			return err
		case p.Account == awsAccount:
			continue // every account counts for itself; see Directory.PolicyUse
		}
		p.Attachments += c.attached
		p.Boundaries += c.boundary
		policies.Put(tx, named(p.Account, p.Name), p)
	}
	return nil
}

// release fails while an entity that is to be deleted still holds policies. The boundary goes with the entity.
func (g grants) release(tx *store.Tx) error {
	switch {
	case len(g.attached) > 0:
		return fault.New(fault.Conflict, g.kind, "Cannot delete entity, must detach all policies first.")
	case len(g.inline) > 0:
		return fault.New(fault.Conflict, g.kind, "Cannot delete entity, must delete policies first.")
	}
	return grants{}.recount(tx, g)
}

// holder is a user, a group or a role. What is changed of its policies is replaced and not written to: the old is still read.
type holder interface {
	grants() grants
	hold(grants) // takes inline and attached
}

// putPolicy puts an inline policy in.
func putPolicy[T holder](name, text string) func(T) error {
	return func(h T) error {
		g := h.grants().clone()
		if g.inline == nil {
			g.inline = map[string]*policy.Source{}
		}
		g.inline[name] = policy.NewSource(text)
		h.hold(g)
		return nil
	}
}

// deletePolicy takes an inline policy out, which must be there.
func deletePolicy[T holder](name string) func(T) error {
	return func(h T) error {
		g := h.grants().clone()
		if g.inline[name] == nil {
			return fault.New(fault.NotFound, subjectPolicy, "The %s policy with name %s cannot be found.", g.kind, name)
		}
		delete(g.inline, name)
		h.hold(g)
		return nil
	}
}

// attachPolicy attaches a managed policy, which may be attached already. It must be the account's own or AWS's.
func attachPolicy[T holder](account, policyARN string) func(T) error {
	return func(h T) error {
		a, err := arn.Parse(policyARN)
		if err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "policy/") {
			return fault.New(fault.Invalid, subjectPolicy, "ARN %s is not valid.", policyARN)
		}
		if a.Account != account && a.Account != awsAccount {
			return notAttachable(policyARN)
		}
		g := h.grants().clone()
		if !slices.Contains(g.attached, policyARN) {
			g.attached = append(g.attached, policyARN)
		}
		h.hold(g)
		return nil
	}
}

// detachPolicy detaches a managed policy, which must be attached.
func detachPolicy[T holder](policyARN string) func(T) error {
	return func(h T) error {
		g := h.grants().clone()
		i := slices.Index(g.attached, policyARN)
		if i < 0 {
			return fault.New(fault.NotFound, subjectPolicy, "Policy %s was not found.", policyARN)
		}
		g.attached = slices.Delete(g.attached, i, i+1)
		h.hold(g)
		return nil
	}
}

// parseDocument holds the grammar of a document that is about to be written.
func parseDocument(kind policy.Kind, source *policy.Source) (*policy.Document, error) {
	text := source.String()
	if text == "" || len(text) > maxDocument {
		return nil, member(subjectDocument, "policyDocument", "", "have length between 1 and "+decimal(maxDocument))
	}
	doc, err := policy.Parse(kind, text)
	if err != nil {
		return nil, fault.New(fault.Invalid, subjectDocument, "%s", err.Error()) // AWS's text, then the place
	}
	return doc, nil
}
