package policy

import (
	"encoding/json"
	"strings"
)

// Principal is one entry of a document's Principal or NotPrincipal elements.
type Principal struct {
	Type  string // AWS, Service, Federated, CanonicalUser; "*" for the bare star
	Value string
	Not   bool // listed in NotPrincipal
}

// Principals lists the entries of a document that parses, in its order, duplicates included. Whoever stores the document checks that
// they exist. spec: iam-policy.md 1.5
func (d *Document) Principals() []Principal {
	var out []Principal
	if draft, err := readDraft(d.text); err == nil {
		for _, e := range draft.principals() {
			out = append(out, e.Principal)
		}
	}
	return out
}

// Refused is the failure to be reported when p names nobody who exists.
func (p Principal) Refused() *SyntaxError {
	return &SyntaxError{Message: textBadPrincipal + `: "` + p.Type + `":"` + p.Value + `"`, Line: 1, Column: 1}
}

// ReplacePrincipals returns text with every AWS principal replaced by what f makes of it; everything else stays byte for byte. So ARNs
// become unique ids when a document is stored, and ARNs again when it is shown. spec: iam-policy.md 9
func ReplacePrincipals(text string, f func(value string) string) (string, error) {
	draft, err := readDraft(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	done := 0
	for _, e := range draft.principals() {
		if e.Type != "AWS" {
			continue
		}
		value := f(e.Value)
		if value == e.Value {
			continue
		}
		quoted, fault := json.Marshal(value)
		if fault != nil {
			return "", fault
		}
		r := &reader{s: text, pos: e.pos}
		if _, err := r.str(); err != nil {
			return "", err
		}
		b.WriteString(text[done:e.pos])
		b.Write(quoted)
		done = r.pos
	}
	b.WriteString(text[done:])
	return b.String(), nil
}

type placedPrincipal struct {
	Principal
	pos int
}

func (d *draft) principals() []placedPrincipal {
	var out []placedPrincipal
	for i := range d.statements {
		if p := d.statements[i].principal; p != nil {
			for _, e := range p.entries {
				out = append(out, placedPrincipal{Principal{Type: e.typ, Value: e.text, Not: p.not}, e.pos})
			}
		}
	}
	return out
}
