package reference

import (
	"regexp"
	"strings"
)

// element of an expanded pattern: a character that stands for itself, or one of the two wildcards.
type element struct {
	r        rune
	any, one bool
}

var variable = regexp.MustCompile(`^\$\{([^},]+)(?:, '([^']*)')?\}`)

// expand replaces the policy variables of a pattern, whose values are literal text, and reads its wildcards. Without a value for one of
// them the pattern matches nothing: false. spec: iam-policy.md 3.1, 4
func (q *question) expand(p string, wildcards, variables bool) ([]element, bool) {
	var out []element
	ok := true
	literal := func(s string) {
		for _, r := range s {
			out = append(out, element{r: r})
		}
	}
	for p != "" {
		m := variable.FindStringSubmatchIndex(p)
		if variables && m != nil {
			name := p[m[2]:m[3]]
			value, known := q.variable(name)
			switch {
			case m[4] < 0 && (name == "*" || name == "?" || name == "$"):
				if q.has(EscapesNeedWildcards) && !wildcards {
					name = p[:m[1]]
				}
				literal(name)
			case known && value == "" && q.has(EmptyValueIsMissing) && m[4] < 0:
				out = append(out, element{r: -1}) // matches nothing, and is not unresolved either
			case known && value == "" && q.has(EmptyValueIsMissing):
				literal(p[m[4]:m[5]])
			case known:
				literal(value)
			case m[4] >= 0:
				literal(p[m[4]:m[5]])
			default:
				ok = false
			}
			p = p[m[1]:]
			continue
		}
		r := []rune(p)[0]
		out = append(out, element{r: r, any: wildcards && r == '*', one: wildcards && r == '?'})
		p = p[len(string(r)):]
	}
	return out, ok
}

// variable is the value of a single-valued key.
func (q *question) variable(name string) (string, bool) {
	v := q.keys[strings.ToLower(name)]
	if multivalued(name) || len(v) != 1 {
		return "", false
	}
	return v[0], true
}

// covers fills the table of all prefixes of the pattern against all prefixes of the text.
func covers(p []element, text string) bool {
	runes := []rune(text)
	row := make([]bool, len(runes)+1)
	row[0] = true
	for _, e := range p {
		next := make([]bool, len(row))
		for i := range next {
			switch {
			case e.any:
				next[i] = row[i] || i > 0 && next[i-1]
			case i > 0:
				next[i] = row[i-1] && (e.one || e.r == runes[i-1])
			}
		}
		row = next
	}
	return row[len(runes)]
}

// coversARN compares the six fields one by one.
func coversARN(p []element, text string) bool {
	fields := strings.SplitN(text, ":", 6)
	if len(fields) != 6 {
		return false
	}
	for i, field := range fields {
		end := len(p)
		if i < 5 {
			for end = 0; end < len(p) && (p[end].any || p[end].one || p[end].r != ':'); end++ {
			}
			if end == len(p) {
				return false
			}
		}
		if !covers(p[:end], field) {
			return false
		}
		if i < 5 {
			p = p[end+1:]
		}
	}
	return true
}

// sameHead compares the five fields before the resource.
func sameHead(p []element, text string) bool {
	fields := strings.SplitN(text, ":", 6)
	colons := 0
	for i := 0; i < len(p) && len(fields) == 6; i++ {
		if p[i].r == ':' {
			if colons++; colons == 5 {
				fields[5] = ""
				return coversARN(p[:i+1], strings.Join(fields, ":"))
			}
		}
	}
	return false
}
