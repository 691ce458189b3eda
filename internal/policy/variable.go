package policy

import (
	"errors"
	"strings"
)

var (
	errOpenVariable  = errors.New("policy variable without a closing brace")
	errEmptyVariable = errors.New("policy variable without a name")
	errBlankVariable = errors.New("blank in the name of a policy variable")
	errDefault       = errors.New("the default of a policy variable stands in single quotes, after a comma and one blank")
)

// readVariable reads the policy variable with which s begins and its length in s. The escapes ${*}, ${?} and ${$} come back as
// literals. spec: iam-policy.md 4
func readVariable(s string) (token, int, error) {
	body := s[len("${"):]
	end := strings.IndexAny(body, "},")
	if end < 0 {
		return token{}, 0, errOpenVariable
	}
	name := body[:end]
	t := token{kind: variable}
	size := len("${") + end + len("}")
	if body[end] == ',' {
		rest, ok := strings.CutPrefix(body[end:], ", '")
		if !ok {
			return token{}, 0, errDefault
		}
		text, after, ok := strings.Cut(rest, "'")
		if !ok || !strings.HasPrefix(after, "}") {
			return token{}, 0, errDefault
		}
		t.text, t.fallback = text, true
		size = len(s) - len(after) + len("}")
	}
	switch {
	case name == "":
		return token{}, 0, errEmptyVariable
	case strings.ContainsAny(name, " \t\r\n"):
		return token{}, 0, errBlankVariable
	case !t.fallback && (name == "*" || name == "?" || name == "$"):
		return token{kind: literal, text: name}, size, nil
	}
	t.key = newContextKey(name)
	return t, size, nil
}

// hasVariable reports whether s would be read as holding a policy variable.
func hasVariable(s string) bool { return strings.Contains(s, "${") }
