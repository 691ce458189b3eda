// Package reference decides authorization cases a second time, for comparison: a plain interpreter of policy documents, written from
// the specification and without a look at internal/policy. It keeps maps and slices, walks every statement, and is slow.
//
// It promises that it shares no code with the engine: it imports the standard library alone. It decides documents that the engine
// accepted; it does not validate.
//
// spec: iam-policy.md
package reference

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Case is a row that asks for the outcome of a request. Members that are remarks are left out.
type Case struct {
	ID        string    `json:"id"`
	Policies  Policies  `json:"policies"`
	Principal Principal `json:"principal"`
	Request   Request   `json:"request"`
	Expect    string    `json:"expect"`
}

// Policies are the documents of a case, one JSON value each.
type Policies struct {
	Identity []json.RawMessage   `json:"identity"`
	Resource json.RawMessage     `json:"resource"`
	Boundary []json.RawMessage   `json:"boundary"`
	Session  []json.RawMessage   `json:"session"`
	SCP      [][]json.RawMessage `json:"scp"`
	RCP      [][]json.RawMessage `json:"rcp"`
	Trust    json.RawMessage     `json:"trust"`
}

// Principal is who asks.
type Principal struct {
	Account  string            `json:"account"`
	ARN      string            `json:"arn"`
	Type     string            `json:"type"`
	Tags     map[string]string `json:"tags"`
	UserName string            `json:"userName,omitempty"`
	UserID   string            `json:"userId,omitempty"`
	RoleARN  string            `json:"roleArn,omitempty"`
	RoleID   string            `json:"roleId,omitempty"`
	UserARN  string            `json:"userArn,omitempty"`
}

// Request is what is asked.
type Request struct {
	Action          string              `json:"action"`
	Resource        string              `json:"resource"`
	ResourceAccount string              `json:"resourceAccount"`
	Context         map[string][]string `json:"context"`
}

// The outcomes.
const (
	Allow        = "allow"
	ExplicitDeny = "explicitDeny"
	ImplicitDeny = "implicitDeny"
)

// Stack is the documents of a case, decoded.
type Stack struct {
	identity, session, boundary []document
	resource                    *document // the bucket policy or the trust policy
	scp, rcp                    [][]document
	trust                       bool
}

// Read decodes the documents. A trust policy is the resource policy of sts actions, and of any action without another one.
func Read(p Policies, action string) (*Stack, error) {
	s := &Stack{}
	var err error
	if s.identity, err = documents(p.Identity); err != nil {
		return nil, err
	}
	if s.session, err = documents(p.Session); err != nil {
		return nil, err
	}
	if s.boundary, err = documents(p.Boundary); err != nil {
		return nil, err
	}
	if s.scp, err = levels(p.SCP); err != nil {
		return nil, err
	}
	if s.rcp, err = levels(p.RCP); err != nil {
		return nil, err
	}
	text := p.Resource
	if there(p.Trust) && (!there(text) || strings.HasPrefix(strings.ToLower(action), "sts:")) {
		text, s.trust = p.Trust, true
	}
	if there(text) {
		ds, err := documents([]json.RawMessage{text})
		if err != nil {
			return nil, err
		}
		s.resource = &ds[0]
	}
	return s, nil
}

func there(text json.RawMessage) bool { return len(text) > 0 && string(text) != "null" }

// Decide is the procedure of the specification, word for word. spec: iam-policy.md 6.2
func (s *Stack) Decide(p Principal, r Request) string { return s.DecideLike(0, p, r) }

// DecideLike is Decide by an engine with quirks.
func (s *Stack) DecideLike(quirks Quirk, p Principal, r Request) string {
	q := &question{Principal: p, Request: r, quirks: quirks, bounded: len(s.boundary) > 0, keys: map[string][]string{}}
	for k, v := range r.Context {
		q.keys[strings.ToLower(k)] = v
	}
	if p.Type == "assumedRole" && p.RoleARN == "" {
		q.RoleARN = roleWithoutPath(p.ARN)
	}
	action := strings.ToLower(r.Action)
	if action == "sts:getcalleridentity" && p.Type != "anonymous" {
		return Allow
	}
	inside := p.Type == "user" || p.Type == "assumedRole" || p.Type == "federatedUser" || p.Type == "root"

	// Any Deny of a layer that applies to the caller. spec: iam-policy.md 6.3
	var layers [][]document
	layers = append(layers, s.rcp...)
	if s.resource != nil {
		layers = append(layers, []document{*s.resource})
	}
	if inside {
		layers = append(layers, s.scp...)
		layers = append(layers, s.identity, s.boundary, s.session)
	}
	for _, l := range layers {
		if q.best(l, "Deny") != none {
			return ExplicitDeny
		}
	}
	if action == "sts:getsessiontoken" && inside {
		return Allow
	}

	for _, l := range s.rcp {
		if q.best(l, "Allow") == none {
			return ImplicitDeny
		}
	}
	if inside {
		for _, l := range s.scp {
			if q.best(l, "Allow") == none {
				return ImplicitDeny
			}
		}
	}
	named := none
	if s.resource != nil {
		named = q.best([]document{*s.resource}, "Allow")
	}
	identity := p.Type == "root" && !q.has(RootIsOrdinary) || q.best(s.identity, "Allow") != none
	boundary := len(s.boundary) == 0 || q.best(s.boundary, "Allow") != none
	session := len(s.session) == 0 && (p.Type != "federatedUser" || q.has(FederatedKeepsIdentity)) || q.best(s.session, "Allow") != none
	own := identity && boundary && session
	same := p.Account != "" && p.Account == r.ResourceAccount

	switch {
	case !inside:
		return allowIf(named == direct)
	case !same:
		return allowIf(named != none && own)
	case named == direct:
		return allowIf(session || !q.has(SessionLimitsDirectGrant) || p.Type == "federatedUser" && len(s.session) == 0)
	case named == base:
		return allowIf(boundary && session)
	case s.trust && named == none:
		return ImplicitDeny
	}
	return allowIf(own)
}

func allowIf(yes bool) string {
	if yes {
		return Allow
	}
	return ImplicitDeny
}

// question is one request with what is known about it; keys are the condition keys in lower case.
type question struct {
	Principal
	Request
	keys    map[string][]string
	bounded bool
	quirks  Quirk
}

// best is the closest level at which a statement of that effect applies.
func (q *question) best(ds []document, effect string) level {
	found := none
	for _, d := range ds {
		for _, s := range d.Statement {
			if s.Effect == effect {
				found = max(found, q.applies(s, d.Version == "2012-10-17" || q.has(VariablesIn2008)))
			}
		}
	}
	return found
}

// applies is the level at which one statement applies to the question.
func (q *question) applies(s statement, variables bool) level {
	l := q.names(s)
	if l == none || !q.acts(s) || !q.covers(s, variables) {
		return none
	}
	for operator, keys := range s.Condition {
		for key, values := range keys {
			if !q.holds(operator, key, values, variables) {
				return none
			}
		}
	}
	return l
}

// acts compares actions, ignoring case. spec: iam-policy.md 3.2
func (q *question) acts(s statement) bool {
	listed := false
	for _, a := range append(s.Action, s.NotAction...) {
		p, _ := q.expand(strings.ToLower(a), true, false)
		listed = listed || covers(p, strings.ToLower(q.Action))
	}
	return listed != (s.NotAction != nil)
}

// covers compares resources. spec: iam-policy.md 3.3, 4
func (q *question) covers(s statement, variables bool) bool {
	if s.Resource == nil && s.NotResource == nil {
		return true // trust policies speak of the role they belong to
	}
	listed, unresolved := false, false
	for _, r := range append(s.Resource, s.NotResource...) {
		p, ok := q.expand(r, true, variables)
		unresolved = unresolved || !ok && (!q.has(UnresolvedExcludesNothing) || sameHead(p, q.Resource))
		listed = listed || r == "*" || ok && coversARN(p, q.Resource)
	}
	if s.NotResource == nil {
		return listed
	}
	return !listed && (!unresolved || s.Effect == "Deny" && !q.has(UnresolvedExcludesNothing))
}

func roleWithoutPath(session string) string {
	f := strings.SplitN(session, ":", 6)
	if len(f) != 6 {
		return ""
	}
	parts := strings.Split(f[5], "/")
	if len(parts) != 3 || parts[0] != "assumed-role" {
		return ""
	}
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", f[1], f[4], parts[1])
}
