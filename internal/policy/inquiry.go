package policy

import (
	"maps"
	"slices"
	"strings"
)

// What can be asked of a document beside a decision: which condition keys it looks at, where its statements stand, and which
// services it is about.

// ContextKeys are the condition keys that the document looks at, in conditions and in policy variables, each once and in the order of
// names. The spelling is that of the first mention.
func (d *Document) ContextKeys() []string {
	seen := map[string]string{}
	add := func(name string) {
		folded := strings.ToLower(name)
		if _, ok := seen[folded]; !ok {
			seen[folded] = name
		}
	}
	variables := func(p *pattern) {
		for i := range p.tokens {
			if t := &p.tokens[i]; t.kind == variable {
				add(t.key.name)
			}
		}
	}
	for i := range d.statements {
		s := &d.statements[i]
		for j := range s.resources {
			variables(&s.resources[j])
		}
		for j := range s.conditions {
			c := &s.conditions[j]
			add(c.key.name)
			for k := range c.operands {
				variables(&c.operands[k].pattern)
			}
		}
	}
	names := make([]string, 0, len(seen))
	for _, folded := range slices.Sorted(maps.Keys(seen)) {
		names = append(names, seen[folded])
	}
	return names
}

// Place is a place in a document's text. Line and column count from one, columns in characters.
type Place struct{ Line, Column int }

// Span is where a statement stands: at its opening brace, and behind its closing one. A document that does not compile is all one
// statement.
func (d *Document) Span(i int) (start, end Place) {
	from, to := 0, len(d.text)
	if d.broken == nil {
		from = d.statements[i].pos
		r := &reader{s: d.text, pos: from}
		if _, err := r.value(0); err == nil { // it was read once
			to = r.pos
		}
	}
	start.Line, start.Column = place(d.text, from)
	end.Line, end.Column = place(d.text, to)
	return start, end
}

// Grants tells whether an Allow statement is about actions of a service. Conditions and resources are not looked at.
func (d *Document) Grants(service string) bool {
	for i := range d.statements {
		s := &d.statements[i]
		if s.deny {
			continue
		}
		if s.notAction {
			if !s.names(service, true) {
				return true
			}
		} else if s.names(service, false) {
			return true
		}
	}
	return false
}

// Withholds tells whether a Deny statement takes everything of a service away, whatever the resource and the circumstances.
func (d *Document) Withholds(service string) bool {
	for i := range d.statements {
		s := &d.statements[i]
		if !s.deny || s.notResource || len(s.conditions) > 0 || !slices.ContainsFunc(s.resources, func(p pattern) bool { return p.shape == shapeAny }) {
			continue
		}
		if s.notAction {
			if !s.names(service, false) {
				return true
			}
		} else if s.names(service, true) {
			return true
		}
	}
	return false
}

// names tells whether one of the statement's patterns is for the service: for all of its actions, or for any.
func (s *statement) names(service string, all bool) bool {
	for i := range s.actions {
		vendor, action, ok := strings.Cut(s.actions[i].text, ":")
		if !ok { // a lone star
			return true
		}
		p := actionPattern{text: vendor, exact: !strings.ContainsAny(vendor, "*?")}
		if p.match(service) && (!all || strings.Trim(action, "*") == "") {
			return true
		}
	}
	return false
}

// Services are the services that Allow statements name without a wildcard, in lower case, each once and in order.
func (d *Document) Services() []string {
	seen := map[string]bool{}
	for i := range d.statements {
		s := &d.statements[i]
		for j := range s.actions {
			vendor, _, ok := strings.Cut(s.actions[j].text, ":")
			if ok && !s.deny && !s.notAction && !strings.ContainsAny(vendor, "*?") {
				seen[vendor] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// ValueType is what the values of a condition key are compared as.
type ValueType uint8

// The types of values.
const (
	StringValue ValueType = iota
	NumericValue
	BooleanValue
	DateValue
	IPValue
	BinaryValue // base64
)

// Value is a text as a request carries it: unchanged but for base64, of which there is one form. It is not ok where no operator of the
// type could read it.
func (t ValueType) Value(text string) (value string, ok bool) {
	switch t {
	case StringValue:
		ok = true
	case NumericValue:
		_, ok = parseDecimal(text)
	case BooleanValue:
		_, ok = parseBool(text)
	case DateValue:
		_, ok = parseInstant(text)
	case IPValue:
		_, ok = parseAddress(text)
	case BinaryValue:
		return canonicalBase64(text)
	}
	return text, ok
}
