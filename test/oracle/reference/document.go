package reference

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// document is one policy as encoding/json reads it.
type document struct {
	Version   string
	Statement statements
}

type statement struct {
	Effect                                   string
	Principal, NotPrincipal                  entries
	Action, NotAction, Resource, NotResource words
	Condition                                map[string]map[string]words
}

type statements []statement

// UnmarshalJSON reads one statement or a list.
func (s *statements) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		*s = make(statements, 1)
		return json.Unmarshal(text, &(*s)[0])
	}
	return json.Unmarshal(text, (*[]statement)(s))
}

// words is one value or a list; numbers and booleans are their JSON text. An empty list is not nil.
type words []string

// UnmarshalJSON reads one value or a list.
func (w *words) UnmarshalJSON(text []byte) error {
	var list []json.RawMessage
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		list = append(list, text)
	} else if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	*w = words{}
	for _, one := range list {
		word := string(bytes.TrimSpace(one))
		if word[0] == '"' {
			if err := json.Unmarshal(one, &word); err != nil {
				return err
			}
		}
		*w = append(*w, word)
	}
	return nil
}

// entries is a Principal element: type -> names. Its type "*" is the bare "*".
type entries map[string]words

// UnmarshalJSON reads "*" or the types.
func (e *entries) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte(`"`)) {
		*e = entries{"*": {"*"}}
		return nil
	}
	return json.Unmarshal(text, (*map[string]words)(e))
}

func documents(texts []json.RawMessage) ([]document, error) {
	var out []document
	for _, text := range texts {
		if len(text) > 0 && text[0] == '"' { // the text as a string
			var inner string
			if err := json.Unmarshal(text, &inner); err != nil {
				return nil, err
			}
			text = json.RawMessage(inner)
		}
		var d document
		if err := json.Unmarshal(text, &d); err != nil {
			return nil, fmt.Errorf("policy %s: %w", text, err)
		}
		out = append(out, d)
	}
	return out, nil
}

func levels(texts [][]json.RawMessage) ([][]document, error) {
	var out [][]document
	for _, level := range texts {
		ds, err := documents(level)
		if err != nil {
			return nil, err
		}
		out = append(out, ds)
	}
	return out, nil
}
