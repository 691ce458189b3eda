package iam

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/store"
)

// Limits of what a user or role may hold; those of sizes are in package policy. spec: iam-policy.md 2
const (
	maxAttached = 10

	// maxDocument bounds the text of any policy document, before anything looks at it.
	maxDocument = 131072
)

const (
	subjectPolicy   = "policy"
	subjectDocument = "policy document"
)

// grants are the policies of a user or a role: the part that both have, under the same rules.
type grants struct {
	kind      string // user, role
	name      string
	inline    map[string]*policy.Source
	attached  []string
	boundary  string
	maxInline int
}

// clone detaches g from the entity it was taken from, so that it stays what was before a change.
func (g grants) clone() grants {
	g.inline, g.attached = maps.Clone(g.inline), slices.Clone(g.attached)
	return g
}

// check holds the rules for what changed from before to g, and keeps the managed policies' counts of their holders.
func (g grants) check(tx *store.Tx, before grants) error {
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
	if size > g.maxInline && !maps.Equal(g.inline, before.inline) {
		return fault.New(fault.Limit, subjectPolicy, "Maximum policy size of %d bytes exceeded for %s %s", g.maxInline, g.kind, g.name)
	}
	if len(g.attached) > maxAttached && len(g.attached) > len(before.attached) {
		return fault.New(fault.Limit, subjectPolicy, "Cannot exceed quota for PoliciesPer%s: %d", strings.ToUpper(g.kind[:1])+g.kind[1:], maxAttached)
	}
	return g.recount(tx, before)
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
		if errors.Is(err, fault.NotFound) && c.attached <= 0 && c.boundary <= 0 {
			continue // a reference to nothing may always be dropped
		}
		if err != nil {
			return err
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

// put returns inline with one document put in.
func (g grants) put(name, text string) map[string]*policy.Source {
	inline := maps.Clone(g.inline)
	if inline == nil {
		inline = map[string]*policy.Source{}
	}
	inline[name] = policy.NewSource(text)
	return inline
}

// without returns inline without one document, which must be there.
func (g grants) without(name string) (map[string]*policy.Source, error) {
	if g.inline[name] == nil {
		return nil, fault.New(fault.NotFound, subjectPolicy, "The %s policy with name %s cannot be found.", g.kind, name)
	}
	inline := maps.Clone(g.inline)
	delete(inline, name)
	return inline, nil
}

// attach returns attached with one policy put in; it may be there already. The policy must be the account's own or AWS's.
func (g grants) attach(account, policyARN string) ([]string, error) {
	a, err := arn.Parse(policyARN)
	if err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "policy/") {
		return nil, fault.New(fault.Invalid, subjectPolicy, "ARN %s is not valid.", policyARN)
	}
	if a.Account != account && a.Account != awsAccount {
		return nil, notAttachable(policyARN)
	}
	if slices.Contains(g.attached, policyARN) {
		return g.attached, nil
	}
	return append(slices.Clone(g.attached), policyARN), nil
}

// detach returns attached without one policy, which must be there.
func (g grants) detach(policyARN string) ([]string, error) {
	i := slices.Index(g.attached, policyARN)
	if i < 0 {
		return nil, fault.New(fault.NotFound, subjectPolicy, "Policy %s was not found.", policyARN)
	}
	return slices.Delete(slices.Clone(g.attached), i, i+1), nil
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
