package policy

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// maxAtoms bounds a comparison, which is quadratic in the atoms of its documents.
const maxAtoms = 2000

var errTooManyAtoms = errors.New("the documents are too large to be compared")

// Equivalent reports whether two documents of any one kind mean the same: they differ only in what has no meaning (order, Sids, lists of
// one, letter case where it does not count, duplicates) or in statements that another statement covers. It errs on the side of false.
func Equivalent(a, b string) (bool, error) {
	x, err := atomsOf(a)
	if err != nil {
		return false, err
	}
	y, err := atomsOf(b)
	if err != nil {
		return false, err
	}
	return x.coveredBy(y) && y.coveredBy(x), nil
}

// atom is a statement with one principal, one action and one resource. Positive lists are ORed, so a statement is the union of its
// atoms; a negative list stays in one piece.
type atom struct {
	deny       bool
	principal  string
	action     string
	resource   string
	conditions []string // sorted
}

type atoms []atom

func atomsOf(text string) (atoms, error) {
	d, err := readDraft(text)
	if err != nil {
		return nil, err
	}
	var out atoms
	for i := range d.statements {
		s := &d.statements[i]
		conditions, err := s.canonicalConditions(d.version)
		if err != nil {
			return nil, err
		}
		principals := []string{""}
		if s.principal != nil {
			principals = s.principal.canonical()
		}
		actions := canonicalList(s.actions, s.notAction, strings.ToLower)
		resources := canonicalList(s.resources, s.notResource, func(r string) string { return versioned(r, d.version) })
		if !s.hasResource {
			resources = []string{"*"}
		}
		if len(out)+len(principals)*len(actions)*len(resources) > maxAtoms {
			return nil, errTooManyAtoms
		}
		for _, p := range principals {
			for _, a := range actions {
				for _, r := range resources {
					out = append(out, atom{s.effect.text == "Deny", p, a, r, conditions})
				}
			}
		}
	}
	return out, nil
}

// versioned marks a text whose dollar signs have no meaning, so that it differs from one where they do.
func versioned(text, version string) string {
	if version != version2012 && hasVariable(text) {
		return "literal " + text
	}
	return text
}

func canonicalList(words []word, not bool, canonical func(string) string) []string {
	var out []string
	for _, w := range words {
		out = append(out, canonical(w.text))
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if not {
		return []string{"not " + quoteAll(out)}
	}
	return out
}

func quoteAll(list []string) string {
	var b strings.Builder
	for _, s := range list {
		b.WriteString(strconv.Quote(s))
		b.WriteByte(' ')
	}
	return b.String()
}

func (p *draftPrincipal) canonical() []string {
	var out []string
	for _, e := range p.entries {
		text := e.text
		if e.typ == "AWS" {
			_, text = classifyAWS(e.text)
		}
		out = append(out, e.typ+" "+text)
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if p.not {
		return []string{"not " + quoteAll(out)}
	}
	return out
}

func (s *draftStatement) canonicalConditions(version string) ([]string, error) {
	var out []string
	for _, c := range s.conditions {
		o := c.operator
		o.name = strings.Replace(strings.Replace(o.name, "ArnEquals", "ArnLike", 1), "ArnNotEquals", "ArnNotLike", 1)
		var values []string
		for _, v := range c.values {
			text, err := canonicalValue(o, v.text, version)
			if err != nil {
				return nil, err
			}
			values = append(values, text)
		}
		slices.Sort(values)
		out = append(out, o.String()+" "+strings.ToLower(c.key.text)+" "+quoteAll(slices.Compact(values)))
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// canonicalValue spells equal values alike where the operator compares more than text.
func canonicalValue(o operator, text, version string) (string, error) {
	v, err := compileOperand(o, text, version == version2012)
	if err != nil || !v.valid {
		return text, err
	}
	switch o.family {
	case familyNumeric:
		sign := ""
		if v.number.negative {
			sign = "-"
		}
		return sign + v.number.whole + "." + v.number.fraction, nil
	case familyDate:
		return strconv.FormatInt(v.instant.seconds, 10) + "." + strconv.Itoa(v.instant.nanos), nil
	case familyBool, familyNull:
		return strconv.FormatBool(v.truth), nil
	case familyBinary:
		return v.base64, nil
	case familyIP:
		return v.block.String(), nil
	case familyString, familyARN:
	}
	if o.relation == equalFold {
		text = strings.ToLower(text)
	}
	return versioned(text, version), nil
}

// coveredBy reports whether every atom is covered by one of other.
func (as atoms) coveredBy(other atoms) bool {
	for i := range as {
		if !slices.ContainsFunc(other, func(b atom) bool { return as[i].coveredBy(&b) }) {
			return false
		}
	}
	return true
}

func (a *atom) coveredBy(b *atom) bool {
	return a.deny == b.deny && (a.principal == b.principal || b.principal == "* *") &&
		covers(b.action, a.action) && covers(b.resource, a.resource) &&
		(len(b.conditions) == 0 || slices.Equal(a.conditions, b.conditions))
}

// covers reports whether pattern matches all that text, itself a pattern, matches. It knows patterns with one star at the end.
func covers(pattern, text string) bool {
	if pattern == text || pattern == "*" {
		return true
	}
	prefix, ok := strings.CutSuffix(pattern, "*")
	return ok && !strings.ContainsAny(prefix, "*?$") && !strings.HasPrefix(text, "not ") && !strings.HasPrefix(text, "literal ") &&
		strings.HasPrefix(text, prefix) && strings.Count(prefix, ":") >= min(arnColons, strings.Count(text, ":"))
}
