package migration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
)

// Translation says what the source's names are called in podid.
type Translation struct {
	Accounts             map[string]string // account ids
	Clusters             map[string]string // cluster names
	FromRegion, ToRegion string
}

var (
	partitions  = regexp.MustCompile(`arn:aws(-cn|-us-gov):`)
	digits      = regexp.MustCompile(`[0-9A-Za-z_-]*`)
	clusterARNs = regexp.MustCompile(`(arn:aws:eks:)([a-z0-9-]+)(:[0-9]{12}:cluster/)([0-9A-Za-z][0-9A-Za-z_-]*)`)
)

// Text is a text with the source's names in it: an ARN or a whole document. Account ids are replaced where they stand alone, partitions
// are all aws, and ARNs of clusters get region and name of the cluster that takes the place.
func (t *Translation) Text(s string) string {
	s = partitions.ReplaceAllString(s, "arn:aws:")
	s = digits.ReplaceAllStringFunc(s, func(word string) string {
		if to, ok := t.Accounts[word]; ok {
			return to
		}
		return word
	})
	return clusterARNs.ReplaceAllStringFunc(s, func(found string) string {
		m := clusterARNs.FindStringSubmatch(found)
		region, name := m[2], m[4]
		if region == t.FromRegion {
			region = t.ToRegion
		}
		if to, ok := t.Clusters[name]; ok {
			name = to
		}
		return m[1] + region + m[3] + name
	})
}

// Cluster is what a cluster of the source is called in podid.
func (t *Translation) Cluster(name string) string {
	if to, ok := t.Clusters[name]; ok {
		return to
	}
	return name
}

// same reports whether two documents mean the same JSON.
func same(a, b string) bool {
	if a == b {
		return true
	}
	var va, vb any
	if json.Unmarshal([]byte(a), &va) != nil || json.Unmarshal([]byte(b), &vb) != nil {
		return false
	}
	return reflect.DeepEqual(va, vb)
}

// trust is a trust policy whose statements stay as they were written.
type trust struct {
	Version   string
	ID        string `json:"Id,omitempty"`
	Statement []json.RawMessage
}

// parseTrust reads a trust policy. A single statement may stand without a list.
func parseTrust(text string) (*trust, error) {
	var outer struct {
		Version   string
		ID        string `json:"Id"`
		Statement json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &outer); err != nil {
		return nil, fmt.Errorf("read the trust policy: %w", err)
	}
	t := &trust{Version: outer.Version, ID: outer.ID}
	if bytes.HasPrefix(bytes.TrimSpace(outer.Statement), []byte("[")) {
		if err := json.Unmarshal(outer.Statement, &t.Statement); err != nil {
			return nil, fmt.Errorf("read the trust policy: %w", err)
		}
		return t, nil
	}
	if len(outer.Statement) > 0 {
		t.Statement = []json.RawMessage{outer.Statement}
	}
	return t, nil
}

// principals are the AWS principals that a trust policy names.
func (t *trust) principals() []string {
	var names []string
	for _, raw := range t.Statement {
		var s struct{ Principal, NotPrincipal json.RawMessage }
		if json.Unmarshal(raw, &s) != nil {
			continue
		}
		for _, part := range []json.RawMessage{s.Principal, s.NotPrincipal} {
			var byType map[string]any
			if json.Unmarshal(part, &byType) != nil {
				continue
			}
			switch v := byType["AWS"].(type) {
			case string:
				names = append(names, v)
			case []any:
				for _, name := range v {
					if text, ok := name.(string); ok {
						names = append(names, text)
					}
				}
			}
		}
	}
	return names
}

// size is the length of a document as quotas count it: without white space between its parts.
func size(text string) int {
	var b bytes.Buffer
	if json.Compact(&b, []byte(text)) != nil {
		return len(text)
	}
	return b.Len()
}

// encode is compact JSON in which <, > and & stay as they are.
func encode(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
