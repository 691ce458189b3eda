package policy

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// steps are the edits that may bring p closer to an Allow. Original is the set before any edit: references point into it.
func (p *proposal) steps(original *Set) []proposal {
	d := Evaluate(p.request, p.set)
	x := &editor{p: p, original: original, r: p.request, bounded: p.set.Boundary != nil}
	if d.Outcome == ExplicitDeny {
		x.undoDeny(d)
		return x.out
	}
	switch d.Layer {
	case SCPLayer:
		x.limit(SCPLayer, p.set.SCP)
	case RCPLayer:
		x.limit(RCPLayer, p.set.RCP)
	case IdentityLayer:
		x.grant(p.set.spots(IdentityLayer), spot{IdentityLayer, 0, len(p.set.Identity)}, Identity)
		if p.set.Resource != nil && p.request.Principal.Account == p.request.ResourceAccount {
			x.grant([]spot{{layer: p.set.resourceLayer()}}, spot{}, Bucket)
		}
	case ResourceLayer, TrustLayer:
		x.grant(p.set.spots(d.Layer), spot{layer: d.Layer}, Bucket)
	case SessionLayer, BoundaryLayer:
		x.grant(p.set.spots(d.Layer), spot{}, Identity)
	case NoLayer:
	}
	return x.out
}

// editor collects the proposals that are one edit away from p.
type editor struct {
	p        *proposal
	original *Set
	r        *Request
	bounded  bool
	out      []proposal
}

// limit edits the first level that lacks an Allow. Nothing but the managed full-access policy allows in RCPs, so there no statement is added.
func (x *editor) limit(l Layer, levels [][]*Document) {
	for i, level := range levels {
		t := explainer{r: x.r, s: x.p.set, bounded: x.bounded}
		if t.layer(l, i, level, nil).Result == Allow {
			continue
		}
		if l == SCPLayer {
			var spots []spot
			for j := range level {
				spots = append(spots, spot{l, i, j})
			}
			x.grant(spots, spot{}, SCP)
		}
		return
	}
}

// grant proposes Allows: a statement that nearly allows is completed, a new one is added to a document, and where there is no
// document a new one at free, if that is a spot.
func (x *editor) grant(spots []spot, free spot, kind Kind) {
	added := false
	for _, at := range spots {
		d := x.p.set.at(at)
		if d.broken != nil {
			continue
		}
		before := len(x.out)
		for i := 0; i < len(d.statements) && len(x.out) < before+maxCompletions; i++ {
			if !d.statements[i].deny {
				x.complete(at, d, i)
			}
		}
		if !added {
			added = x.addStatement(at, d)
		}
	}
	if !added && free.layer != NoLayer && x.p.set.at(free) == nil {
		x.addDocument(free, kind)
	}
}

// complete adds to statement i what it lacks to apply.
func (x *editor) complete(at spot, d *Document, i int) {
	s := &d.statements[i]
	t := explainer{r: x.r, s: x.p.set, bounded: x.bounded}
	miss, _ := t.try(s)
	if miss == nil {
		return
	}
	switch miss.Element {
	case "Action":
		// A statement about other actions is only close if all else applies.
		if s.applies(x.r, x.bounded) != levelNone {
			x.edit(at, d, i, Edit{Change: AddValue, Element: "Action", Value: x.r.Action}, func(o *Outline, s *Statement) bool {
				s.Action.Values = append(s.Action.Values, Text{Value: x.r.Action})
				return true
			})
		}
	case "NotAction":
		x.edit(at, d, i, Edit{Change: RemoveValue, Element: "NotAction", Value: x.r.Action}, func(_ *Outline, s *Statement) bool {
			return remove(&s.Action.Values, func(v string) bool { return strings.EqualFold(v, x.r.Action) })
		})
	case "Principal":
		if typ, value, ok := nameCaller(x.r.Principal); ok {
			x.edit(at, d, i, Edit{Change: AddValue, Element: "Principal", Value: value}, func(_ *Outline, s *Statement) bool {
				return s.Principal.add(typ, value)
			})
		}
	case "Resource":
		if x.r.Resource == "*" {
			return
		}
		x.edit(at, d, i, Edit{Change: AddValue, Element: "Resource"}, func(o *Outline, s *Statement) bool {
			v, ok := literally(x.r.Resource, o.Variables(), true)
			s.Resource.Values = append(s.Resource.Values, Text{Value: v})
			return ok
		})
	case "NotResource":
		x.edit(at, d, i, Edit{Change: RemoveValue, Element: "NotResource", Value: x.r.Resource}, func(_ *Outline, s *Statement) bool {
			return remove(&s.Resource.Values, func(v string) bool { return v == x.r.Resource })
		})
	case "Condition":
		x.satisfy(at, d, i)
	}
}

// satisfy makes the first condition of statement i that fails hold: by another policy value, or by another value in the request.
func (x *editor) satisfy(at spot, d *Document, i int) {
	s := &d.statements[i]
	n := slices.IndexFunc(s.conditions, func(c condition) bool { return !c.holds(x.r.Context) })
	c := &s.conditions[n]
	e := Edit{Element: "Condition", Operator: c.operator.String(), Key: c.key.name}
	if values, present := x.r.Context.Get(c.key.name); present && c.operator.equality() {
		for _, value := range values {
			if c.passes(value, x.r.Context) {
				continue
			}
			e.Change = AddValue
			change := func(o *Outline, s *Statement) bool {
				v, ok := value, true
				if c.operator.takesVariables() {
					v, ok = literally(value, o.Variables(), c.operator.relation == like)
				}
				k := s.condition(n)
				k.Values = append(k.Values, Text{Value: v})
				return ok
			}
			if c.operator.negated {
				e.Change = RemoveValue
				change = func(_ *Outline, s *Statement) bool {
					return remove(&s.condition(n).Values, func(v string) bool { return v == value })
				}
			}
			e.Value = value
			x.edit(at, d, i, e, change)
		}
	}
	x.askOtherwise(at, d, i, c, true)
}

// askOtherwise changes the request so that condition c of statement i comes out as wanted.
func (x *editor) askOtherwise(at spot, d *Document, i int, c *condition, want bool) {
	if !callerControls(c.key.name) || c.operator.set == forAllValues {
		return
	}
	for j := range c.operands {
		o := &c.operands[j]
		value := o.source
		switch {
		case !o.valid || c.operator.family == familyNull:
			continue
		case c.operator.family == familyBool:
			value = "true"
			if o.truth != want {
				value = "false"
			}
		case c.operator.negated == want, c.operator.takesVariables() && o.pattern.shape != shapeExact:
			continue
		}
		context := &Context{}
		if x.r.Context != nil {
			x.r.Context.All(func(key string, values []string) bool {
				context.Set(key, values...)
				return true
			})
		}
		context.Set(c.key.name, value)
		if c.holds(context) != want {
			continue
		}
		r := *x.r
		r.Context = context
		ref := x.ref(at, d, i)
		e := Edit{Change: SetKey, Layer: at.layer, Document: ref.Document, Statement: ref, Key: c.key.name, Value: value}
		x.out = append(x.out, x.p.with(&r, x.p.set, e, len(e.Key)+len(value)))
		return
	}
}

// undoDeny proposes what takes the last applying Deny of the deciding document out of the way. Taking the last keeps the places
// of the others.
func (x *editor) undoDeny(decision Decision) {
	d := decision.Document
	spots := x.p.set.spots(decision.Layer)
	n := slices.IndexFunc(spots, func(p spot) bool { return x.p.set.at(p) == d })
	if d == nil || d.broken != nil || n < 0 {
		return
	}
	at := spots[n]
	t := explainer{r: x.r, s: x.p.set, bounded: x.bounded}
	for i := len(d.statements) - 1; i >= 0; i-- {
		s := &d.statements[i]
		if miss, _ := t.try(s); !s.deny || miss != nil {
			continue
		}
		for j := range s.conditions {
			x.askOtherwise(at, d, i, &s.conditions[j], false)
		}
		x.edit(at, d, i, Edit{Change: RemoveValue, Element: "Action", Value: x.r.Action}, func(_ *Outline, s *Statement) bool {
			return !s.Action.Not && remove(&s.Action.Values, func(v string) bool { return strings.EqualFold(v, x.r.Action) })
		})
		x.edit(at, d, i, Edit{Change: RemoveValue, Element: "Resource", Value: x.r.Resource}, func(_ *Outline, s *Statement) bool {
			return s.Resource != nil && !s.Resource.Not && remove(&s.Resource.Values, func(v string) bool { return v == x.r.Resource })
		})
		x.exempt(at, d, i)
		x.removeStatement(at, d, i)
		return
	}
}

// exempt keeps the caller out of a Deny by its ARN, as the reference recommends in place of NotPrincipal. spec: iam-policy.md 3.5
func (x *editor) exempt(at spot, d *Document, i int) {
	const operator, key = "ArnNotEquals", "aws:PrincipalArn"
	values, _ := x.r.Context.lookup(&contextKey{name: key, hash: hashFold(key)})
	if len(values) != 1 {
		return
	}
	e := Edit{Change: ExemptCaller, Element: "Condition", Operator: operator, Key: key, Value: values[0]}
	x.edit(at, d, i, e, func(o *Outline, s *Statement) bool {
		v, ok := literally(values[0], o.Variables(), true)
		s.exempt(operator, key, v)
		return ok
	})
}

func (s *Statement) exempt(operator, key, value string) {
	for i := range s.Conditions {
		if c := &s.Conditions[i]; strings.EqualFold(c.Name.Value, operator) {
			for j := range c.Keys {
				if k := &c.Keys[j]; strings.EqualFold(k.Name.Value, key) {
					k.Values = append(k.Values, Text{Value: value})
					return
				}
			}
			c.Keys = append(c.Keys, ConditionKey{Name: Text{Value: key}, Values: []Text{{Value: value}}})
			return
		}
	}
	s.Conditions = append(s.Conditions, Operator{
		Name: Text{Value: operator}, Keys: []ConditionKey{{Name: Text{Value: key}, Values: []Text{{Value: value}}}},
	})
}

func (x *editor) removeStatement(at spot, d *Document, i int) {
	ref := x.ref(at, d, i)
	e := Edit{Change: RemoveStatement, Layer: at.layer, Document: ref.Document, Statement: ref, Wider: true}
	o, err := ReadOutline(d.text)
	if err != nil {
		return
	}
	size := length(o.Statements[i].String())
	if len(o.Statements) == 1 {
		if at.layer == IdentityLayer || at.layer == ResourceLayer {
			x.out = append(x.out, x.p.with(x.r, x.p.set.replace(at, nil), e, size))
		}
		return
	}
	o.Statements = slices.Delete(o.Statements, i, i+1)
	if changed, ok := recompile(d, o); ok {
		x.out = append(x.out, x.p.with(x.r, x.p.set.replace(at, changed), e, size))
	}
}

// minimal is the statement that allows this action on this resource to this caller, whatever the circumstances.
func (x *editor) minimal(kind Kind, variables bool) (Statement, bool) {
	s := Statement{Unconditional: true, Effect: Text{Value: "Allow"}, Action: &Element{Values: []Text{{Value: x.r.Action}}}}
	if kind == Bucket || kind == Trust {
		typ, value, ok := nameCaller(x.r.Principal)
		if !ok {
			return s, false
		}
		s.Principal = &PrincipalElement{Groups: []PrincipalGroup{{Type: typ, Values: []Text{{Value: value}}}}}
	}
	ok := true
	if kind != Trust {
		resource := x.r.Resource
		if resource != "*" {
			resource, ok = literally(resource, variables, true)
		}
		s.Resource = &Element{Values: []Text{{Value: resource}}}
	}
	return s, ok
}

func (x *editor) addStatement(at spot, d *Document) bool {
	o, err := ReadOutline(d.text)
	if err != nil {
		return false
	}
	s, ok := x.minimal(d.kind, o.Variables())
	if !ok {
		return false
	}
	o.Statements = append(o.Statements, s)
	changed, ok := recompile(d, o)
	if ok {
		e := Edit{Change: AddStatement, Layer: at.layer, Document: x.p.set.nameAt(at), Text: s.String()}
		x.out = append(x.out, x.p.with(x.r, x.p.set.replace(at, changed), e, length(e.Text)))
	}
	return ok
}

func (x *editor) addDocument(at spot, kind Kind) {
	s, ok := x.minimal(kind, true)
	if !ok {
		return
	}
	o := &Outline{Version: &Text{Value: version2012}, Statements: []Statement{s}}
	d, err := compile(kind, o.String(), writing)
	if err != nil {
		return
	}
	e := Edit{Change: AddDocument, Layer: at.layer, Text: d.text}
	x.out = append(x.out, x.p.with(x.r, x.p.set.replace(at, d), e, length(e.Text)))
}

// edit proposes a change of statement i, if the change can be made and the document still compiles.
func (x *editor) edit(at spot, d *Document, i int, e Edit, change func(*Outline, *Statement) bool) {
	o, err := ReadOutline(d.text)
	if err != nil {
		return
	}
	s := &o.Statements[i]
	before := length(s.String())
	if !change(o, s) {
		return
	}
	changed, ok := recompile(d, o)
	if !ok {
		return
	}
	e.Layer, e.Statement, e.Text = at.layer, x.ref(at, d, i), s.String()
	e.Document = e.Statement.Document
	if e.Value == "" && e.Element == "Resource" {
		e.Value = s.Resource.Values[len(s.Resource.Values)-1].Value
	}
	e.Wider = x.wider(&e, s)
	x.out = append(x.out, x.p.with(x.r, x.p.set.replace(at, changed), e, max(length(e.Text)-before, before-length(e.Text))))
}

// wider reports whether an edit of the statement, as it reads now, allows more than the request. A new action is allowed on the resources that
// were there, a new resource for the actions that were there; any other edit opens the whole statement.
func (x *editor) wider(e *Edit, s *Statement) bool {
	if s.Effect.Value == "Deny" || s.Principal != nil && !s.Principal.single() {
		return true
	}
	action := !s.Action.Not && len(s.Action.Values) == 1 && strings.EqualFold(s.Action.Values[0].Value, x.r.Action)
	resource := s.Resource == nil || !s.Resource.Not && len(s.Resource.Values) == 1 && s.Resource.Values[0].Value == x.r.Resource
	switch {
	case e.Change == AddValue && e.Element == "Action":
		return !resource
	case e.Change == AddValue && e.Element == "Resource":
		return !action
	}
	return !action || !resource
}

// single reports whether the element names one principal, and not everybody.
func (e *PrincipalElement) single() bool {
	return !e.Not && len(e.Groups) == 1 && len(e.Groups[0].Values) == 1 && e.Groups[0].Values[0].Value != "*"
}

// ref points at the statement in the document as it was before any edit.
func (x *editor) ref(at spot, d *Document, i int) *StatementRef {
	if o := x.original.at(at); o != nil && i < len(o.statements) {
		d = o
	}
	ref := d.ref(&d.statements[i], at.layer, x.original.nameAt(at))
	return &ref
}

// recompile compiles a changed document. A document that could be stored before must be one that can be stored.
func recompile(d *Document, o *Outline) (*Document, bool) {
	why := reading
	if _, err := compile(d.kind, d.text, writing); err == nil {
		why = writing
	}
	changed, err := compile(d.kind, o.String(), why)
	return changed, err == nil
}

// condition is the n-th operator and key of the statement, counted as a compiled statement does.
func (s *Statement) condition(n int) *ConditionKey {
	for i := range s.Conditions {
		if n < len(s.Conditions[i].Keys) {
			return &s.Conditions[i].Keys[n]
		}
		n -= len(s.Conditions[i].Keys)
	}
	return &ConditionKey{}
}

func (e *PrincipalElement) add(typ, value string) bool {
	if e.Not {
		return false
	}
	for i := range e.Groups {
		if g := &e.Groups[i]; g.Type == typ {
			g.Values = append(g.Values, Text{Value: value})
			return true
		}
	}
	e.Groups = append(e.Groups, PrincipalGroup{Type: typ, Values: []Text{{Value: value}}})
	return true
}

// remove drops the values that match, if others stay: an empty list would mean something else.
func remove(values *[]Text, match func(string) bool) bool {
	n := len(*values)
	*values = slices.DeleteFunc(*values, func(t Text) bool { return match(t.Value) })
	return len(*values) < n && len(*values) > 0
}

// equality reports whether adding the request's own value to the policy's makes the operator hold.
func (o operator) equality() bool {
	return o.family != familyNull && (o.relation == equal || o.relation == equalFold || o.relation == like)
}

// literally spells a value so that it stands for itself. Version 2008-10-17 has no way to spell a wildcard literally.
func literally(value string, variables, wildcards bool) (string, bool) {
	if !variables {
		return value, !wildcards || !strings.ContainsAny(value, "*?")
	}
	pairs := []string{"${", "${$}{"}
	if wildcards {
		pairs = append(pairs, "*", "${*}", "?", "${?}")
	}
	return strings.NewReplacer(pairs...).Replace(value), true
}

// callerControls reports whether a caller can choose the value: not so what the control plane knows of the caller, the resource and
// the network.
func callerControls(key string) bool {
	for _, prefix := range [...]string{
		"aws:Principal", "aws:userid", "aws:username", "aws:Resource", "aws:Source", "aws:Vpc", "aws:Current", "aws:Epoch", "aws:Token",
		"aws:Federated", "aws:Called", "aws:Via", "aws:AssumedRoot", "aws:Ec2", "iam:ResourceTag/", "s3:ExistingObjectTag/", "s3:ResourceAccount",
		"s3:BucketTag/", "ec2:SourceInstance",
	} {
		if _, ok := cutPrefixFold(key, prefix); ok {
			return false
		}
	}
	service, _, _ := strings.Cut(key, ":")
	return !strings.Contains(service, ".") // the claims of a web identity
}

func length(s string) int { return utf8.RuneCountInString(s) }
