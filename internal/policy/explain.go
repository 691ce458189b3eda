package policy

import "github.com/podid/podid/internal/arn"

// maxNearMisses bounds what a trace tells about one layer.
const maxNearMisses = 8

// Explain decides like [Evaluate] and tells how each layer came out. It is meant for refusals and for people: it looks at every
// statement and allocates.
func Explain(r *Request, s *Set) Trace {
	d := Evaluate(r, s)
	x := explainer{r: r, s: s, bounded: s.Boundary != nil}
	t := Trace{
		Decision: d, Outcome: d.Outcome, Layer: d.Layer,
		Principal: callerName(r.Principal), Action: r.Action, Resource: r.Resource, ResourceAccount: r.ResourceAccount,
		CrossAccount: callerOf(r.Principal.Kind) != outsider && r.Principal.Account != r.ResourceAccount,
		Layers:       x.layers(),
	}
	for i := range t.Layers {
		l := &t.Layers[i]
		for j := range l.Statements {
			if ref := &l.Statements[j]; l.Layer == d.Layer && ref.document == d.Document && ref.Index == d.Statement {
				t.Deciding = ref
				return t
			}
		}
	}
	return t
}

type explainer struct {
	r       *Request
	s       *Set
	bounded bool
}

// layers explains every layer that applies to the caller, in the order of evaluation.
func (x *explainer) layers() []LayerResult {
	var out []LayerResult
	n := x.s.Names
	if n == nil {
		n = &Names{}
	}
	inside := callerOf(x.r.Principal.Kind) != outsider
	for i, level := range x.s.RCP {
		out = append(out, x.layer(RCPLayer, i, level, nth(n.RCP, i)))
	}
	for i, level := range x.s.SCP {
		if inside {
			out = append(out, x.layer(SCPLayer, i, level, nth(n.SCP, i)))
		}
	}
	if x.s.Resource != nil {
		out = append(out, x.layer(x.s.resourceLayer(), 0, []*Document{x.s.Resource}, []string{n.Resource}))
	}
	if !inside {
		return out
	}
	if x.r.Principal.Kind != arn.RootUser || len(x.s.Identity) > 0 {
		out = append(out, x.layer(IdentityLayer, 0, x.s.Identity, n.Identity))
	}
	if x.s.Boundary != nil {
		out = append(out, x.layer(BoundaryLayer, 0, []*Document{x.s.Boundary}, []string{n.Boundary}))
	}
	if len(x.s.Session) > 0 || x.r.Principal.Kind == arn.FederatedUser {
		out = append(out, x.layer(SessionLayer, 0, x.s.Session, n.Session))
	}
	return out
}

func nth[T any](list []T, i int) T {
	var zero T
	if i < len(list) {
		return list[i]
	}
	return zero
}

// layer explains one layer by itself: its result, the statements that apply, and the Allow statements that nearly did.
func (x *explainer) layer(l Layer, level int, docs []*Document, names []string) LayerResult {
	out := LayerResult{Layer: l, Level: level, Documents: len(docs)}
	var allows []StatementRef
	for i, d := range docs {
		for j := range d.statements {
			s := &d.statements[j]
			ref := d.ref(s, l, nth(names, i))
			miss, named := x.try(s)
			if miss == nil {
				if s.principals != nil {
					ref.Named = named.String()
				}
				if s.deny {
					out.Statements = append(out.Statements, ref)
				} else {
					allows = append(allows, ref)
				}
				continue
			}
			if !s.deny && miss.Element != "Action" && miss.Element != "NotAction" && len(out.NearMisses) < maxNearMisses {
				miss.StatementRef = ref
				out.NearMisses = append(out.NearMisses, *miss)
			}
		}
	}
	switch {
	case len(out.Statements) > 0:
		out.Result = ExplicitDeny
	case len(allows) > 0:
		out.Result = Allow
	}
	out.Statements = append(out.Statements, allows...)
	return out
}

// String names the level for a trace.
func (l level) String() string {
	switch l {
	case levelAccount:
		return "account"
	case levelBase:
		return "base"
	case levelDirect:
		return "direct"
	case levelNone:
	}
	return "none"
}

func (d *Document) ref(s *statement, l Layer, name string) StatementRef {
	ref := StatementRef{Layer: l, Document: name, Effect: "Allow", Sid: s.sid, Index: s.index, document: d}
	ref.Line, ref.Column = place(d.text, s.pos)
	if s.deny {
		ref.Effect = "Deny"
	}
	if d.broken != nil {
		ref.Broken = d.broken.Error()
	}
	return ref
}

// try evaluates a statement element by element; the miss says which was the first to fail.
func (x *explainer) try(s *statement) (*NearMiss, level) {
	r := x.r
	if !s.matchesAction(r.Action) {
		return &NearMiss{Element: element("Action", s.notAction), Present: true, Request: []string{r.Action}}, levelNone
	}
	named := s.matchesPrincipal(r, x.bounded)
	if named == levelNone {
		return &NearMiss{
			Element: element("Principal", s.principals.not), Present: true,
			Request: []string{callerName(r.Principal)}, Policy: s.principals.sources(),
		}, levelNone
	}
	if !s.matchesResource(r.Resource, r.Context) {
		miss := &NearMiss{Element: element("Resource", s.notResource), Present: true, Request: []string{r.Resource}}
		for i := range s.resources {
			miss.Policy = append(miss.Policy, s.resources[i].source)
		}
		return miss, levelNone
	}
	for i := range s.conditions {
		if c := &s.conditions[i]; !c.holds(r.Context) {
			miss := &NearMiss{Element: "Condition", Operator: c.operator.String(), Key: c.key.name}
			miss.Request, miss.Present = r.Context.Get(c.key.name)
			for j := range c.operands {
				miss.Policy = append(miss.Policy, c.operands[j].source)
			}
			return miss, levelNone
		}
	}
	return nil, named
}

func element(name string, not bool) string {
	if not {
		return "Not" + name
	}
	return name
}

func (ps *principals) sources() []string {
	var out []string
	for i := range ps.entries {
		out = append(out, ps.entries[i].text)
	}
	return out
}
