package policy

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/podid/podid/internal/arn"
)

// Bounds of the search for suggestions.
const (
	maxSuggestions = 6 // that are returned
	maxEdits       = 5 // in one suggestion
	maxProposals   = 8 // that are taken further after each edit
	maxCompletions = 4 // statements of a document that are tried to be completed
)

// Suggestion is a change after which a refused request is allowed. The engine has made the change and evaluated the request again.
type Suggestion struct {
	Edits []Edit `json:"edits"` // all of them are needed, in this order
	Size  int    `json:"size"`  // characters added or removed
}

// Edit is one change to one document, or to the request.
type Edit struct {
	Change    Change        `json:"change"`
	Layer     Layer         `json:"layer"`
	Document  string        `json:"document,omitempty"`  // its name; see Names
	Statement *StatementRef `json:"statement,omitempty"` // as it stands now; nil: a new one
	Element   string        `json:"element,omitempty"`   // Action, Resource, Principal, Condition
	Operator  string        `json:"operator,omitempty"`
	Key       string        `json:"key,omitempty"`
	Value     string        `json:"value,omitempty"`
	// Wider says that the edit also allows other actions, other resources or other callers than those of the request.
	Wider bool `json:"wider,omitempty"`
	// Text is the statement as it reads after the edit; empty where it is removed.
	Text string `json:"text,omitempty"`
}

// Change is what an [Edit] does.
type Change string

// The changes.
const (
	AddValue        Change = "add-value"        // to a list of actions, resources, principals or condition values
	RemoveValue     Change = "remove-value"     // from such a list
	AddStatement    Change = "add-statement"    // a new Allow for this caller, action and resource
	AddDocument     Change = "add-document"     // a new policy with such a statement, where there is none yet
	RemoveStatement Change = "remove-statement" // a Deny
	ExemptCaller    Change = "exempt-caller"    // from a Deny, by a condition on aws:PrincipalArn
	SetKey          Change = "set-key"          // of the request: another value for a condition key that the caller controls
)

// Suggest answers "what would allow this?": the smallest changes first, each verified by evaluating the changed set. It returns nothing
// for a request that is allowed, and where it finds nothing. It never proposes a wildcard that the request does not have. An edit of
// an existing statement may allow more than the request; [Edit.Wider] says so. spec: iam-policy.md 14
func Suggest(r *Request, s *Set) []Suggestion {
	if strings.ContainsAny(r.Action, "*?") || Evaluate(r, s).Outcome == Allow {
		return nil
	}
	var found []Suggestion
	seen := map[string]bool{}
	// One round an edit. Only the smallest proposals of a round go on to the next one, so the search grows with the number of layers
	// that refuse, not exponentially.
	round := []proposal{{request: r, set: s}}
	for edits := 0; edits < maxEdits && len(found) == 0 && len(round) > 0; edits++ {
		var next []proposal
		for i := range round {
			for _, p := range round[i].steps(s) {
				key := p.key()
				if seen[key] {
					continue
				}
				seen[key] = true
				if Evaluate(p.request, p.set).Outcome == Allow {
					found = append(found, Suggestion{Edits: p.edits, Size: p.size})
				} else {
					next = append(next, p)
				}
			}
		}
		round = best(next)
	}
	slices.SortStableFunc(found, func(a, b Suggestion) int { return cmp.Compare(a.Size, b.Size) })
	return found[:min(len(found), maxSuggestions)]
}

// best are the proposals that are taken further: the smallest, and the smallest of those whose last edit has settled a layer for certain.
func best(all []proposal) []proposal {
	slices.SortStableFunc(all, func(a, b proposal) int { return cmp.Compare(a.size, b.size) })
	n := min(len(all), maxProposals)
	out := slices.Clip(all[:n])
	for _, p := range all[n:] {
		switch p.edits[len(p.edits)-1].Change {
		case AddStatement, AddDocument, RemoveStatement:
			return append(out, p)
		case AddValue, RemoveValue, ExemptCaller, SetKey:
		}
	}
	return out
}

// proposal is the question after some edits.
type proposal struct {
	request *Request
	set     *Set
	edits   []Edit
	size    int
}

func (p *proposal) key() string {
	var parts []string
	for _, e := range p.edits {
		where := "new"
		if e.Statement != nil {
			where = strconv.Itoa(e.Statement.Index)
		}
		parts = append(parts, strings.Join([]string{string(e.Change), e.Layer.String(), e.Document, where, e.Element, e.Operator, e.Key, e.Value}, "\x00"))
	}
	slices.Sort(parts)
	return strings.Join(parts, "\x01")
}

// with is p after one more edit.
func (p *proposal) with(r *Request, s *Set, e Edit, size int) proposal {
	return proposal{request: r, set: s, edits: append(slices.Clip(p.edits), e), size: p.size + size}
}

// spot is a place of a document in a Set.
type spot struct {
	layer        Layer
	level, index int
}

// spots lists the places of the layer's documents.
func (s *Set) spots(l Layer) []spot {
	var out []spot
	add := func(level int, docs []*Document) {
		for i := range docs {
			out = append(out, spot{l, level, i})
		}
	}
	switch l {
	case IdentityLayer:
		add(0, s.Identity)
	case SessionLayer:
		add(0, s.Session)
	case BoundaryLayer:
		if s.Boundary != nil {
			out = append(out, spot{layer: l})
		}
	case ResourceLayer, TrustLayer:
		if s.Resource != nil {
			out = append(out, spot{layer: l})
		}
	case SCPLayer:
		for i, level := range s.SCP {
			add(i, level)
		}
	case RCPLayer:
		for i, level := range s.RCP {
			add(i, level)
		}
	case NoLayer:
	}
	return out
}

// at is the document in a place; nil where the set has none there.
func (s *Set) at(p spot) *Document {
	switch p.layer {
	case IdentityLayer:
		return nth(s.Identity, p.index)
	case SessionLayer:
		return nth(s.Session, p.index)
	case BoundaryLayer:
		return s.Boundary
	case ResourceLayer, TrustLayer:
		return s.Resource
	case SCPLayer:
		return nth(nth(s.SCP, p.level), p.index)
	case RCPLayer:
		return nth(nth(s.RCP, p.level), p.index)
	case NoLayer:
	}
	return nil
}

// nameAt is the name of the document in a place.
func (s *Set) nameAt(p spot) string {
	if s.Names == nil {
		return ""
	}
	switch p.layer {
	case IdentityLayer:
		return nth(s.Names.Identity, p.index)
	case SessionLayer:
		return nth(s.Names.Session, p.index)
	case BoundaryLayer:
		return s.Names.Boundary
	case ResourceLayer, TrustLayer:
		return s.Names.Resource
	case SCPLayer:
		return nth(nth(s.Names.SCP, p.level), p.index)
	case RCPLayer:
		return nth(nth(s.Names.RCP, p.level), p.index)
	case NoLayer:
	}
	return ""
}

// replace is the set with another document in a place. The spot after the last identity policy, and that of a missing resource policy,
// take a new one; a nil document takes the place's one away, from these two layers only.
func (s *Set) replace(p spot, d *Document) *Set {
	out := *s
	switch p.layer {
	case IdentityLayer:
		out.Identity = put(s.Identity, p.index, d)
	case SessionLayer:
		out.Session = put(s.Session, p.index, d)
	case BoundaryLayer:
		out.Boundary = d
	case ResourceLayer, TrustLayer:
		out.Resource = d
	case SCPLayer:
		out.SCP = slices.Clone(s.SCP)
		out.SCP[p.level] = put(s.SCP[p.level], p.index, d)
	case RCPLayer:
		out.RCP = slices.Clone(s.RCP)
		out.RCP[p.level] = put(s.RCP[p.level], p.index, d)
	case NoLayer:
	}
	return &out
}

func put(docs []*Document, i int, d *Document) []*Document {
	out := slices.Clone(docs)
	switch {
	case i == len(out):
		return append(out, d)
	case d == nil:
		return slices.Delete(out, i, i+1)
	}
	out[i] = d
	return out
}

// nameCaller is how a Principal element names the caller: not closer than the request needs and not wider than the caller. A caller
// about whom nothing is known can only be named by a wildcard, and so is not named.
func nameCaller(p *arn.Principal) (typ, value string, ok bool) {
	switch p.Kind {
	case arn.IAMUser, arn.FederatedUser, arn.RootUser:
		return "AWS", p.ARN, p.ARN != ""
	case arn.RoleSession:
		return "AWS", cmp.Or(p.RoleARN, p.ARN), true
	case arn.Service:
		return "Service", p.ARN, true
	case arn.WebIdentity:
		return "Federated", p.ARN, true
	case arn.Anonymous:
	}
	return "", "", false
}
