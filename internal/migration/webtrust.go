package migration

import (
	"encoding/json"
	"strings"
)

// texts is a member of a policy that is a text or a list of texts.
type texts []string

// UnmarshalJSON takes both forms.
func (t *texts) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(t))
}

// webStatement is what there is to know of a statement to tell whether it lets a service account in by web identity.
type webStatement struct {
	Effect    string
	Action    texts
	Principal json.RawMessage
	Condition map[string]map[string]json.RawMessage
}

// lets reports whether a trust policy lets a service account in by web identity, and by which issuer, without its scheme: that of the cluster
// where there is a choice. What is not understood lets nobody in.
func (t *trust) lets(sa ServiceAccount, home string) (issuer string, found bool) {
	for _, raw := range t.Statement {
		var s webStatement
		if json.Unmarshal(raw, &s) != nil {
			return "", false
		}
		if s.Effect == "Deny" && (len(s.Action) == 0 || s.isWeb()) { // perhaps it is about this one
			return "", false
		}
		if by, ok := s.lets("system:serviceaccount:" + sa.Namespace + ":" + sa.Name); ok && (!found || by == home) {
			issuer, found = by, true
		}
	}
	return issuer, found
}

func (s *webStatement) isWeb() bool {
	for _, action := range s.Action {
		if like(strings.ToLower(action), "sts:assumerolewithwebidentity") {
			return true
		}
	}
	return false
}

// lets holds for the simple conditions that trust policies for service accounts have: StringEquals or StringLike of the subject. A statement
// that does not name a subject lets in whoever its issuer vouches for, which an annotation must not be mistaken for.
func (s *webStatement) lets(subject string) (issuer string, named bool) {
	var p federated
	if s.Effect != "Allow" || !s.isWeb() || json.Unmarshal(s.Principal, &p) != nil {
		return "", false
	}
	for operator, keys := range s.Condition {
		match := map[string]func(pattern, text string) bool{
			"stringequals": func(pattern, text string) bool { return pattern == text }, "stringlike": like,
		}[strings.ToLower(operator)]
		for key, raw := range keys {
			if !strings.HasSuffix(strings.ToLower(key), ":sub") {
				continue
			}
			var values texts
			by := key[:len(key)-len(":sub")]
			if match == nil || !p.vouches(by) || json.Unmarshal(raw, &values) != nil {
				return "", false
			}
			one := false
			for _, value := range values {
				one = one || match(value, subject)
			}
			if !one {
				return "", false
			}
			issuer, named = by, true
		}
	}
	return issuer, named
}

// federated is the principal of a statement for web identities.
type federated struct{ Federated texts }

// vouches reports whether a statement lets in by the identity provider of an issuer, which stands without its scheme.
func (f federated) vouches(issuer string) bool {
	for _, name := range f.Federated {
		if _, host, ok := strings.Cut(name, ":oidc-provider/"); ok && strings.EqualFold(host, issuer) {
			return true
		}
	}
	return false
}

// like matches as StringLike does: * stands for any characters, ? for one. Texts of Kubernetes' names are ASCII.
func like(pattern, text string) bool {
	p, n, star, from := 0, 0, -1, 0
	for n < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[n]):
			p++
			n++
		case star >= 0:
			from++
			p, n = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
