package policy

import "slices"

// Outline is a document as it was written: every element with its place, nothing normalised and nothing judged but the grammar. It is
// for tools that read, print or change documents; decisions are made by a [Document].
type Outline struct {
	Version    *Text // nil: absent
	ID         *Text // nil: absent
	Statements []Statement
	text       string
}

// Text is a string, number or boolean of a document.
type Text struct {
	Value  string // decoded; a number or boolean as it was written
	Raw    bool   // a number or boolean, without quotes
	Offset int    // in bytes; see [Outline.Place]
}

// Statement is one statement of an [Outline]. Elements that are absent are nil.
type Statement struct {
	Offset     int
	Sid        *Text
	Effect     Text
	Principal  *PrincipalElement
	Action     *Element
	Resource   *Element
	Conditions []Operator
	// Unconditional is false when a Condition element is there, be it an empty one.
	Unconditional bool
}

// Element is Action or Resource, or with Not set NotAction or NotResource.
type Element struct {
	Not    bool
	Offset int
	Values []Text
}

// PrincipalElement is Principal, or with Not set NotPrincipal.
type PrincipalElement struct {
	Not    bool
	Offset int
	Groups []PrincipalGroup
}

// PrincipalGroup is the values of one principal type. The bare star has the type "*".
type PrincipalGroup struct {
	Type   string
	Values []Text
}

// Operator is one operator of a Condition block with its keys.
type Operator struct {
	Name Text // as written
	Keys []ConditionKey
}

// ConditionKey is a condition key with the values that it is compared with.
type ConditionKey struct {
	Name   Text
	Values []Text
}

// ReadOutline reads a document of any kind that follows the grammar. The error is a [*SyntaxError]. spec: iam-policy.md 1.1
func ReadOutline(text string) (*Outline, error) {
	if err := checkText(Identity, text, reading); err != nil {
		return nil, err
	}
	if _, err := readDraft(text); err != nil {
		return nil, err
	}
	root, err := readJSON(text)
	if err != nil {
		return nil, err
	}
	o := &Outline{text: text}
	for i := range root.members {
		m := &root.members[i]
		switch m.name {
		case "Version":
			o.Version = m.value.asText()
		case "Id":
			o.ID = m.value.asText()
		case "Statement":
			for _, n := range m.value.list() {
				o.Statements = append(o.Statements, n.asStatement())
			}
		}
	}
	return o, nil
}

// Place is the line and the column of an offset, both from one; columns are characters.
func (o *Outline) Place(offset int) (line, column int) { return place(o.text, offset) }

// Variables reports whether ${...} is a policy variable in this document's version.
func (o *Outline) Variables() bool { return o.Version != nil && o.Version.Value == version2012 }

// Clone is a copy that shares nothing that can be changed.
func (o *Outline) Clone() *Outline {
	c := *o
	c.Statements = slices.Clone(o.Statements)
	for i := range c.Statements {
		s := &c.Statements[i]
		s.Action, s.Resource = s.Action.clone(), s.Resource.clone()
		if p := s.Principal; p != nil {
			q := *p
			q.Groups = slices.Clone(p.Groups)
			for j := range q.Groups {
				q.Groups[j].Values = slices.Clone(q.Groups[j].Values)
			}
			s.Principal = &q
		}
		s.Conditions = slices.Clone(s.Conditions)
		for j := range s.Conditions {
			keys := slices.Clone(s.Conditions[j].Keys)
			for k := range keys {
				keys[k].Values = slices.Clone(keys[k].Values)
			}
			s.Conditions[j].Keys = keys
		}
	}
	return &c
}

func (e *Element) clone() *Element {
	if e == nil {
		return nil
	}
	return &Element{Not: e.Not, Offset: e.Offset, Values: slices.Clone(e.Values)}
}

// list is the items of a list, or the one value that stands for a list of one.
func (n *node) list() []node {
	if n.kind == '[' {
		return n.items
	}
	return []node{*n}
}

func (n *node) asText() *Text { return &Text{Value: n.text, Raw: n.kind != '"', Offset: n.pos} }

func (n *node) asTexts() []Text {
	var out []Text
	for _, item := range n.list() {
		out = append(out, *item.asText())
	}
	return out
}

func (n *node) asStatement() Statement {
	s := Statement{Offset: n.pos, Unconditional: true}
	for i := range n.members {
		m := &n.members[i]
		switch m.name {
		case "Sid":
			s.Sid = m.value.asText()
		case "Effect":
			s.Effect = *m.value.asText()
		case "Action", "NotAction":
			s.Action = &Element{Not: m.name == "NotAction", Offset: m.pos, Values: m.value.asTexts()}
		case "Resource", "NotResource":
			s.Resource = &Element{Not: m.name == "NotResource", Offset: m.pos, Values: m.value.asTexts()}
		case "Principal", "NotPrincipal":
			s.Principal = &PrincipalElement{Not: m.name == "NotPrincipal", Offset: m.pos}
			if m.value.kind == '"' {
				s.Principal.Groups = []PrincipalGroup{{Type: "*", Values: m.value.asTexts()}}
			}
			for j := range m.value.members {
				g := &m.value.members[j]
				s.Principal.Groups = append(s.Principal.Groups, PrincipalGroup{Type: g.name, Values: g.value.asTexts()})
			}
		case "Condition":
			s.Unconditional = false
			for j := range m.value.members {
				s.Conditions = append(s.Conditions, m.value.members[j].asOperator())
			}
		}
	}
	return s
}

func (m *member) asOperator() Operator {
	o := Operator{Name: Text{Value: m.name, Offset: m.pos}}
	for i := range m.value.members {
		k := &m.value.members[i]
		o.Keys = append(o.Keys, ConditionKey{Name: Text{Value: k.name, Offset: k.pos}, Values: k.value.asTexts()})
	}
	return o
}
