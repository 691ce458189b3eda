package policy

import (
	"encoding/json"
	"strings"
)

// String prints the document in its one canonical layout: elements in the order in which the reference lists them, two spaces a level,
// a list of one as a string, longer lists one value a line. What was written is kept: no value is added, dropped, sorted or respelled.
func (o *Outline) String() string {
	p := &printer{}
	p.open("{")
	if o.Version != nil {
		p.member("Version", quote(o.Version.Value))
	}
	if o.ID != nil {
		p.member("Id", quote(o.ID.Value))
	}
	p.name("Statement")
	p.open("[")
	for i := range o.Statements {
		p.item()
		p.statement(&o.Statements[i])
	}
	p.close("]")
	p.close("}")
	p.b.WriteByte('\n')
	return p.b.String()
}

// String prints the statement as [Outline.String] does.
func (s *Statement) String() string {
	p := &printer{}
	p.statement(s)
	return p.b.String()
}

// printer lays out JSON. It is used in the order of the output.
type printer struct {
	b     strings.Builder
	depth int
	some  bool // the innermost bracket holds something already
}

func (p *printer) open(bracket string) {
	p.b.WriteString(bracket)
	p.depth++
	p.some = false
}

func (p *printer) close(bracket string) {
	p.depth--
	if p.some {
		p.line()
	}
	p.b.WriteString(bracket)
	p.some = true
}

func (p *printer) line() {
	p.b.WriteByte('\n')
	for range p.depth {
		p.b.WriteString("  ")
	}
}

// item begins the next entry of the innermost bracket.
func (p *printer) item() {
	if p.some {
		p.b.WriteByte(',')
	}
	p.line()
	p.some = true
}

func (p *printer) name(name string) {
	p.item()
	p.b.WriteString(quote(name))
	p.b.WriteString(": ")
}

func (p *printer) member(name, value string) {
	p.name(name)
	p.b.WriteString(value)
}

func (p *printer) list(name string, values []Text) {
	p.name(name)
	if len(values) == 1 {
		p.b.WriteString(values[0].json())
		return
	}
	p.open("[")
	for i := range values {
		p.item()
		p.b.WriteString(values[i].json())
	}
	p.close("]")
}

func (p *printer) statement(s *Statement) {
	p.open("{")
	if s.Sid != nil {
		p.member("Sid", quote(s.Sid.Value))
	}
	p.member("Effect", quote(s.Effect.Value))
	if s.Principal != nil {
		p.principal(s.Principal)
	}
	if s.Action != nil {
		p.list(element("Action", s.Action.Not), s.Action.Values)
	}
	if s.Resource != nil {
		p.list(element("Resource", s.Resource.Not), s.Resource.Values)
	}
	if len(s.Conditions) > 0 || !s.Unconditional {
		p.name("Condition")
		p.open("{")
		for i := range s.Conditions {
			c := &s.Conditions[i]
			p.name(c.Name.Value)
			p.open("{")
			for j := range c.Keys {
				p.list(c.Keys[j].Name.Value, c.Keys[j].Values)
			}
			p.close("}")
		}
		p.close("}")
	}
	p.close("}")
}

func (p *printer) principal(e *PrincipalElement) {
	name := element("Principal", e.Not)
	if len(e.Groups) == 1 && e.Groups[0].Type == "*" {
		p.list(name, e.Groups[0].Values)
		return
	}
	p.name(name)
	p.open("{")
	for _, g := range e.Groups {
		p.list(g.Type, g.Values)
	}
	p.close("}")
}

func (t *Text) json() string {
	if t.Raw {
		return t.Value
	}
	return quote(t.Value)
}

// quote spells a JSON string; unlike encoding/json's default it leaves <, > and & as they are.
func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return `""` // strings always encode
	}
	return strings.TrimSuffix(b.String(), "\n")
}
