package policy

import (
	"strconv"
	"strings"
)

// word is one string of a document and where it stands.
type word struct {
	text string
	pos  int
}

// draft is a document as written: elements sorted out, nothing judged but the grammar. spec: iam-policy.md 1.1
type draft struct {
	text       string
	version    string // "" when absent
	id         string
	statements []draftStatement
}

type draftStatement struct {
	pos       int
	sid       word
	effect    word
	principal *draftPrincipal // nil: absent

	actions   []word
	hasAction bool
	notAction bool

	resources   []word
	hasResource bool
	notResource bool

	conditions []draftCondition
}

type draftPrincipal struct {
	pos     int
	not     bool
	entries []draftEntry
}

// draftEntry is one principal: its type ("AWS", "Service", ...; "*" for the bare star) and its value.
type draftEntry struct {
	typ string
	word
}

type draftCondition struct {
	operator operator
	name     word // the operator as written
	key      word
	values   []word
}

// readDraft checks the grammar. Its failures are all AWS's first one: syntax.
func readDraft(text string) (*draft, *SyntaxError) {
	root, err := readJSON(text)
	if err != nil {
		return nil, err
	}
	b := &drafter{d: &draft{text: text}}
	if !b.document(&root) {
		return nil, b.err
	}
	return b.d, nil
}

// drafter walks the JSON tree. Its methods report false once err is set.
type drafter struct {
	d   *draft
	err *SyntaxError
}

func (b *drafter) fail(pos int, detail string) bool {
	b.err = syntaxAt(b.d.text, pos, textSyntax, detail)
	return false
}

func (b *drafter) document(root *node) bool {
	if root.kind != '{' {
		return b.fail(root.pos, "a policy is a JSON object")
	}
	var statements *node
	for i := range root.members {
		m := &root.members[i]
		switch m.name {
		case "Version":
			if m.value.kind != '"' || m.value.text != version2012 && m.value.text != version2008 {
				return b.fail(m.value.pos, "Version is 2012-10-17 or 2008-10-17")
			}
			b.d.version = m.value.text
		case "Id":
			if m.value.kind != '"' {
				return b.fail(m.value.pos, "Id is a string")
			}
			b.d.id = m.value.text
		case "Statement":
			statements = &m.value
		default:
			return b.fail(m.pos, "unknown element "+strconv.Quote(m.name))
		}
	}
	switch {
	case statements == nil:
		return b.fail(root.pos, "no Statement")
	case statements.kind == '{':
		return b.statement(statements)
	case statements.kind != '[' || len(statements.items) == 0:
		return b.fail(statements.pos, "Statement is a statement or a list of at least one")
	}
	for i := range statements.items {
		if !b.statement(&statements.items[i]) {
			return false
		}
	}
	return true
}

func (b *drafter) statement(n *node) bool {
	if n.kind != '{' {
		return b.fail(n.pos, "a statement is a JSON object")
	}
	s := draftStatement{pos: n.pos}
	for i := range n.members {
		m := &n.members[i]
		var ok bool
		switch m.name {
		case "Sid":
			ok = b.text(&m.value, "Sid", &s.sid)
		case "Effect":
			ok = b.text(&m.value, "Effect", &s.effect)
		case "Action", "NotAction":
			if s.hasAction {
				return b.fail(m.pos, "both Action and NotAction")
			}
			s.hasAction, s.notAction = true, m.name == "NotAction"
			ok = b.list(&m.value, m.name, &s.actions)
		case "Resource", "NotResource":
			if s.hasResource {
				return b.fail(m.pos, "both Resource and NotResource")
			}
			s.hasResource, s.notResource = true, m.name == "NotResource"
			ok = b.list(&m.value, m.name, &s.resources)
		case "Principal", "NotPrincipal":
			if s.principal != nil {
				return b.fail(m.pos, "both Principal and NotPrincipal")
			}
			s.principal = &draftPrincipal{pos: m.pos, not: m.name == "NotPrincipal"}
			ok = b.principal(&m.value, s.principal)
		case "Condition":
			ok = b.condition(&m.value, &s)
		default:
			return b.fail(m.pos, "unknown element "+strconv.Quote(m.name))
		}
		if !ok {
			return false
		}
	}
	if e := s.effect.text; !strings.EqualFold(e, "Allow") && !strings.EqualFold(e, "Deny") {
		return b.fail(max(s.effect.pos, s.pos), "Effect is Allow or Deny")
	}
	b.d.statements = append(b.d.statements, s)
	return true
}

func (b *drafter) text(n *node, name string, to *word) bool {
	if n.kind != '"' {
		return b.fail(n.pos, name+" is a string")
	}
	*to = word{n.text, n.pos}
	return true
}

// list reads a string or a list of strings: one string and a list of one mean the same.
func (b *drafter) list(n *node, name string, to *[]word) bool {
	if n.kind == '"' {
		*to = append(*to, word{n.text, n.pos})
		return true
	}
	if n.kind != '[' {
		return b.fail(n.pos, name+" is a string or a list of strings")
	}
	for i := range n.items {
		if n.items[i].kind != '"' {
			return b.fail(n.items[i].pos, name+" is a string or a list of strings")
		}
		*to = append(*to, word{n.items[i].text, n.items[i].pos})
	}
	return true
}

func (b *drafter) principal(n *node, p *draftPrincipal) bool {
	if n.kind == '"' {
		p.entries = append(p.entries, draftEntry{typ: "*", word: word{n.text, n.pos}})
		return true
	}
	if n.kind != '{' {
		return b.fail(n.pos, `a principal is "*" or an object`)
	}
	for i := range n.members {
		m := &n.members[i]
		switch m.name {
		case "AWS", "Service", "Federated", "CanonicalUser":
		default:
			return b.fail(m.pos, "unknown principal type "+strconv.Quote(m.name))
		}
		var values []word
		if !b.list(&m.value, m.name, &values) {
			return false
		}
		for _, v := range values {
			p.entries = append(p.entries, draftEntry{m.name, v})
		}
	}
	return true
}

func (b *drafter) condition(n *node, s *draftStatement) bool {
	if n.kind != '{' {
		return b.fail(n.pos, "Condition is an object of operators")
	}
	for i := range n.members {
		m := &n.members[i]
		if m.value.kind != '{' {
			return b.fail(m.value.pos, "an operator holds an object of condition keys")
		}
		op, ok := parseOperator(m.name)
		if !ok {
			if len(m.value.members) == 0 {
				continue // accepted by AWS, and true
			}
			return b.fail(m.pos, "unknown condition operator "+strconv.Quote(m.name))
		}
		for j := range m.value.members {
			k := &m.value.members[j]
			for l := range j {
				if strings.EqualFold(m.value.members[l].name, k.name) {
					return b.fail(k.pos, "condition key "+strconv.Quote(k.name)+" twice, in different letter case")
				}
			}
			c := draftCondition{operator: op, name: word{m.name, m.pos}, key: word{k.name, k.pos}}
			if !b.values(&k.value, &c.values) {
				return false
			}
			s.conditions = append(s.conditions, c)
		}
	}
	return true
}

// values reads condition values. Numbers and booleans are compared as their JSON text.
func (b *drafter) values(n *node, to *[]word) bool {
	if n.scalar() {
		*to = append(*to, word{n.text, n.pos})
		return true
	}
	if n.kind != '[' {
		return b.fail(n.pos, "a condition value is a string, number, boolean or a list of them")
	}
	for i := range n.items {
		if !n.items[i].scalar() {
			return b.fail(n.items[i].pos, "a condition value is a string, number or boolean")
		}
		*to = append(*to, word{n.items[i].text, n.items[i].pos})
	}
	return true
}
