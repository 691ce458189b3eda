package reconcile

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"slices"
)

// sameDocument reports whether two policy documents say the same: layout, the order of lists, and whether a list of one is written as
// a list make no difference. What is no JSON is compared as text.
func sameDocument(a, b string) bool {
	if a == b {
		return true
	}
	left, okLeft := parsed(a)
	right, okRight := parsed(b)
	return okLeft && okRight && reflect.DeepEqual(left, right)
}

func parsed(text string) (any, bool) {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, false
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, false
	}
	return normal(v), true
}

// normal is one way to write a value. A list of texts has no order in a policy; a list of statements keeps it.
func normal(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = normal(v[k])
		}
	case []any:
		texts := make([]string, 0, len(v))
		for i := range v {
			v[i] = normal(v[i])
			if s, ok := v[i].(string); ok {
				texts = append(texts, s)
			}
		}
		if len(v) == 1 {
			return v[0]
		}
		if len(texts) == len(v) && len(v) > 0 {
			slices.Sort(texts)
			return texts
		}
	}
	return v
}
