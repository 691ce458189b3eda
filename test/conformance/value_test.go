package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var variable = regexp.MustCompile(`\$\{([A-Za-z0-9_.]+)\}`)

// substitute replaces ${name} in every string of a value, names of members included. A string that is nothing but ${name} becomes what
// was kept, of whatever kind; ${name.Member} is a part of it. IAM's own variables have a colon in them and are left alone.
func substitute(v any, variables map[string]any) (any, error) {
	switch v := v.(type) {
	case string:
		return substituteText(v, variables)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			var err error
			if list[i], err = substitute(v[i], variables); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		if v == nil {
			return nil, nil
		}
		m := make(map[string]any, len(v))
		for name, value := range v {
			n, err := substituteText(name, variables)
			if err != nil {
				return nil, err
			}
			if m[fmt.Sprint(n)], err = substitute(value, variables); err != nil {
				return nil, err
			}
		}
		return m, nil
	default:
		return v, nil
	}
}

func substituteText(text string, variables map[string]any) (any, error) {
	if m := variable.FindStringSubmatch(text); m != nil && m[0] == text {
		return value(m[1], variables)
	}
	var failed error
	replaced := variable.ReplaceAllStringFunc(text, func(found string) string {
		v, err := value(found[2:len(found)-1], variables)
		if _, isText := v.(string); err == nil && !isText {
			err = fmt.Errorf("%s is no string, and there is text beside it", found)
		}
		if err != nil {
			failed = err
		}
		return fmt.Sprint(v)
	})
	return replaced, failed
}

func value(name string, variables map[string]any) (any, error) {
	first, rest, _ := strings.Cut(name, ".")
	v, ok := variables[first]
	if !ok {
		return nil, fmt.Errorf("nothing is known as ${%s}", name)
	}
	if rest != "" {
		v = at(v, rest)
	}
	if v == nil {
		return nil, fmt.Errorf("${%s} is not there", name)
	}
	return v, nil
}

// at finds what is at a path, or nil. Member names match ignoring case; "#" is the length of a list. A policy document that a client
// leaves as text, percent-encoded or not, is looked into all the same.
func at(v any, path string) any {
	for path != "" {
		if m, ok := v.(map[string]any); ok { // tags and conditions have keys with dots in them
			if found, ok := m[path]; ok {
				return found
			}
		}
		var name string
		name, path, _ = strings.Cut(path, ".")
		switch p := v.(type) {
		case map[string]any:
			v = member(p, name)
		case []any:
			if name == "#" {
				return float64(len(p))
			}
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(p) {
				return nil
			}
			v = p[i]
		case nil:
			if name == "#" {
				return float64(0)
			}
			return nil
		case string:
			document := parsed(p)
			if document == nil {
				return nil
			}
			if v = document; path != "" {
				path = name + "." + path
			} else {
				path = name
			}
		default:
			return nil
		}
	}
	return v
}

func member(m map[string]any, name string) any {
	if v, ok := m[name]; ok {
		return v
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if strings.EqualFold(k, name) {
			return m[k]
		}
	}
	return nil
}

// parsed is the document in a text, or nil.
func parsed(text string) any {
	if unescaped, err := url.PathUnescape(text); err == nil && strings.HasPrefix(text, "%7B") {
		text = unescaped
	}
	if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		return nil
	}
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return nil
	}
	return v
}

// compare says which of the wanted values an output does not have.
func compare(output map[string]any, want map[string]any, variables map[string]any) (wrong []string) {
	for _, path := range slices.Sorted(maps.Keys(want)) {
		w, err := substitute(want[path], variables)
		if err != nil {
			return append(wrong, err.Error())
		}
		p, err := substituteText(path, variables)
		if err != nil {
			return append(wrong, err.Error())
		}
		got := at(output, fmt.Sprint(p))
		var ok bool
		switch w {
		case nil:
			ok = empty(got)
		case "*":
			ok = !empty(got)
		default:
			ok = equal(got, w)
		}
		if !ok {
			wrong = append(wrong, fmt.Sprintf("%s is %s, want %s", p, text(got), text(w)))
		}
	}
	return wrong
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	default:
		return false
	}
}

// equal compares values as the clients show them: a document may be an object or its text, a time a number or a text.
func equal(got, want any) bool {
	if reflect.DeepEqual(got, want) {
		return true
	}
	switch w := want.(type) {
	case map[string]any:
		switch g := got.(type) {
		case string:
			return equal(parsed(g), want)
		case map[string]any:
			if len(g) != len(w) {
				return false
			}
			for name, v := range w {
				if !equal(member(g, name), v) {
					return false
				}
			}
			return true
		}
	case []any:
		g, ok := got.([]any)
		return ok && slices.EqualFunc(g, w, equal)
	case string:
		if document := parsed(w); document != nil {
			return equal(got, document)
		}
		a, aok := moment(got)
		b, bok := moment(want)
		return aok && bok && a.Equal(b)
	}
	return false
}

func moment(v any) (time.Time, bool) {
	switch v := v.(type) {
	case float64:
		return time.UnixMilli(int64(v * 1000)), true
	case string:
		t, err := time.Parse(time.RFC3339, v)
		return t, err == nil
	}
	return time.Time{}, false
}

// text shows a value to a person.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(b) > 300 {
		return string(b[:300]) + "..."
	}
	return string(b)
}
