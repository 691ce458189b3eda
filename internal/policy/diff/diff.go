// Package diff says what two policies decide differently: not how their texts differ, but which requests one allows and the other
// does not.
//
// Documents that mean the same by [policy.Equivalent] are done with. For others it builds the space of requests that can tell them apart, out of
// everything that either document names: each action, resource, principal and condition value, something that fits each pattern,
// something that fits none, and for each condition key also its absence. It evaluates all of them against both and groups what differs.
//
// A difference that is reported is real: the example that comes with it has been evaluated. The space is bounded; a report says when
// it was not searched to its end, and then more differences may exist.
package diff

import (
	"fmt"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/policy"
)

// Report is what came of a comparison.
type Report struct {
	Equivalent  bool         `json:"equivalent"` // proven to mean the same
	Differences []Difference `json:"differences"`
	Evaluated   int          `json:"evaluated"` // requests that were put to both documents
	Complete    bool         `json:"complete"`  // the whole space was searched
}

// Change is how the answer to a request changes.
type Change string

// The changes, the most dangerous first.
const (
	NewlyAllowed    Change = "newly-allowed"
	NewlyDenied     Change = "newly-denied"      // it was allowed
	NoLongerRefused Change = "no-longer-refused" // a Deny is gone; another policy could allow it now
	NewlyRefused    Change = "newly-refused"     // a Deny has come where nothing allowed; no other policy can allow it any more
)

// Words is the change as people say it.
func (c Change) Words() string {
	switch c {
	case NewlyAllowed:
		return "newly allowed"
	case NewlyDenied:
		return "no longer allowed"
	case NoLongerRefused:
		return "no longer denied explicitly"
	case NewlyRefused:
		return "now denied explicitly"
	}
	return string(c)
}

// Difference is a group of requests whose answer changes in the same way.
type Difference struct {
	Change     Change   `json:"change"`
	Actions    []string `json:"actions"`
	Resources  []string `json:"resources"`
	Principals []string `json:"principals,omitempty"` // for policies that name principals
	When       []string `json:"when,omitempty"`       // conditions, all of which hold; none: always
	Example    Example  `json:"example"`
}

// Example is one request of a difference.
type Example struct {
	Principal string              `json:"principal"`
	Action    string              `json:"action"`
	Resource  string              `json:"resource"`
	Context   map[string][]string `json:"context"`
	Old       policy.Outcome      `json:"old"`
	New       policy.Outcome      `json:"new"`
}

// DefaultBudget is how many requests [Documents] evaluates at most, unless told otherwise: some seconds.
const DefaultBudget = 400_000

// SideError tells which document does not compile.
type SideError struct {
	Old bool
	Err error // a [*policy.SyntaxError]
}

func (s *SideError) Error() string { return s.Err.Error() }
func (s *SideError) Unwrap() error { return s.Err }

// Documents compares two documents of a kind. A document that does not compile is a [*SideError].
func Documents(kind policy.Kind, before, after string, budget int) (*Report, error) {
	docs := [2]*policy.Document{}
	outlines := [2]*policy.Outline{}
	for i, text := range [2]string{before, after} {
		var err error
		if docs[i], err = policy.Compile(kind, text); err != nil {
			return nil, &SideError{i == 0, err}
		}
		if outlines[i], err = policy.ReadOutline(text); err != nil {
			return nil, &SideError{i == 0, err}
		}
	}
	if same, err := policy.Equivalent(before, after); err == nil && same {
		return &Report{Equivalent: true, Complete: true, Differences: []Difference{}}, nil
	}
	everything, err := policy.Compile(policy.Identity, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	if err != nil {
		return nil, fmt.Errorf("the policy that allows everything: %w", err)
	}
	sp := newSpace(kind, outlines[:])
	sets := [2]*policy.Set{within(kind, docs[0], everything), within(kind, docs[1], everything)}
	return sp.search(sets, budget), nil
}

// within puts a document where its own answer decides: all other layers allow.
func within(kind policy.Kind, d, everything *policy.Document) *policy.Set {
	s := &policy.Set{Identity: []*policy.Document{everything}}
	switch kind {
	case policy.Identity:
		s.Identity[0] = d
	case policy.Boundary:
		s.Boundary = d
	case policy.Session:
		s.Session = []*policy.Document{d}
	case policy.SCP:
		s.SCP = [][]*policy.Document{{d}}
	case policy.RCP:
		s.RCP = [][]*policy.Document{{d}}
	case policy.Trust, policy.Bucket:
		s.Resource = d
	}
	return s
}

// search evaluates the space. Everything but the conditions is tried in full; of the conditions as many as the budget allows.
func (sp *space) search(sets [2]*policy.Set, budget int) *Report {
	out := &Report{Complete: true}
	requests := len(sp.principals) * len(sp.actions) * len(sp.resources)
	contexts, all := sp.contexts(max(1, budget/max(1, requests)))
	out.Complete = all
	var g grouping
	for _, p := range sp.principals {
		for _, a := range sp.actions {
			for _, r := range sp.resources {
				if out.Evaluated+len(contexts) > budget {
					out.Complete = false
					out.Differences = g.differences(sp)
					return out
				}
				out.Evaluated += len(contexts)
				g.begin(p, a, r, len(contexts))
				for i := range contexts {
					g.compare(sp.request(p, a, r, contexts[i]), sets, contexts[i])
				}
				g.end()
			}
		}
	}
	out.Differences = g.differences(sp)
	return out
}

// account is whose the caller is where a document does not say, and elsewhere is the account of the resource where the document is
// the resource's: across accounts every grant counts alike.
const (
	account   = "111122223333"
	elsewhere = "999988887777"
)

func (sp *space) request(p principal, a, r sample, assignment []int) *policy.Request {
	c := &policy.Context{}
	for i, v := range assignment {
		if values := sp.keys[i].values[v]; values != nil {
			c.Set(sp.keys[i].name, values...)
		}
	}
	owner := p.Account
	if sp.kind == policy.Bucket || sp.kind == policy.Trust {
		owner = elsewhere
	}
	if _, given := c.Get("aws:PrincipalArn"); !given && !sp.has("aws:PrincipalArn") && p.Kind != arn.Anonymous {
		name := p.ARN
		if p.RoleARN != "" {
			name = p.RoleARN
		}
		c.Set("aws:PrincipalArn", name)
	}
	return &policy.Request{Principal: &p.Principal, Action: a.text, Resource: r.text, ResourceAccount: owner, Context: c}
}
