package diff

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/policy"
)

// space is the requests that can tell two documents apart.
type space struct {
	kind       policy.Kind
	principals []principal
	actions    []sample
	resources  []sample
	keys       []key
}

// sample is one value and what it stands for.
type sample struct{ text, label string }

type principal struct {
	arn.Principal
	label string
}

// key is a condition key with the values that are tried. The first is nil: the key is absent.
type key struct {
	name   string
	values [][]string
}

// Stand-ins for what no document names.
const (
	otherValue  = "other-value"
	otherAction = "other-service:OtherAction"
	otherObject = "arn:aws:other-service:::other-resource"
	filler      = "x"
)

func newSpace(kind policy.Kind, outlines []*policy.Outline) *space {
	sp := &space{kind: kind}
	for _, o := range outlines {
		for i := range o.Statements {
			sp.statement(o, &o.Statements[i])
		}
	}
	sp.addAction(otherAction, "any other action")
	if kind != policy.Trust { // a trust policy is about the role it is attached to
		sp.addResource(otherObject, "any other resource")
	}
	if len(sp.principals) == 0 {
		sp.principals = []principal{role(arn.Role(account, "/", "any"), "")}
	} else {
		sp.addPrincipal(role(arn.Role("123456789012", "/", "other"), "any other principal"))
	}
	return sp
}

func (sp *space) statement(o *policy.Outline, s *policy.Statement) {
	variables := o.Variables()
	if s.Action != nil {
		for _, a := range s.Action.Values {
			if a.Value == "*" {
				continue // any other action stands for it
			}
			for _, text := range sp.concrete(a.Value, true, false) {
				sp.addAction(text, a.Value)
			}
			if service, _, ok := strings.Cut(a.Value, ":"); ok && !strings.ContainsAny(service, "*?") {
				sp.addAction(service+":OtherAction", "any other action of "+service)
			}
		}
	}
	if s.Resource == nil {
		sp.addResource("arn:aws:iam::"+elsewhere+":role/role", "the role")
	} else {
		for _, r := range s.Resource.Values {
			if r.Value == "*" {
				sp.addResource("*", "*") // the resource of requests that have none
				continue
			}
			for _, text := range sp.concrete(r.Value, true, variables) {
				sp.addResource(text, r.Value)
			}
		}
	}
	if s.Principal != nil && sp.kind != policy.RCP { // whose principal is always everybody
		for _, g := range s.Principal.Groups {
			for _, v := range g.Values {
				sp.named(g.Type, v.Value)
			}
		}
	}
	for i := range s.Conditions {
		op := &s.Conditions[i]
		name := strings.ToLower(op.Name.Value)
		for j := range op.Keys {
			sp.condition(name, &op.Keys[j], variables)
		}
	}
}

func (sp *space) addAction(text, label string) {
	if !slices.ContainsFunc(sp.actions, func(s sample) bool { return strings.EqualFold(s.text, text) }) {
		sp.actions = append(sp.actions, sample{text, label})
	}
}

func (sp *space) addResource(text, label string) {
	if !slices.ContainsFunc(sp.resources, func(s sample) bool { return s.text == text }) {
		sp.resources = append(sp.resources, sample{text, label})
	}
}

func (sp *space) addPrincipal(p principal) {
	if !slices.ContainsFunc(sp.principals, func(q principal) bool { return q.Kind == p.Kind && q.ARN == p.ARN }) {
		sp.principals = append(sp.principals, p)
	}
}

// concrete is texts that a pattern matches: with each star as nothing and as something. A variable becomes the value that its key is
// then tried with.
func (sp *space) concrete(pattern string, wildcards, variables bool) []string {
	if variables {
		pattern = sp.resolve(pattern)
	}
	out := []string{pattern}
	if wildcards && strings.ContainsAny(pattern, "*?") {
		out = nil
		for _, star := range [...]string{filler, ""} {
			if text := strings.NewReplacer("*", star, "?", filler).Replace(pattern); text != "" {
				out = append(out, text)
			}
		}
	}
	for i := range out {
		out[i] = strings.NewReplacer(literalStar, "*", literalMark, "?", literalDollar, "$").Replace(out[i])
	}
	return out
}

// Private stand-ins for ${*}, ${?} and ${$} while wildcards are replaced; no document can hold these bytes.
const (
	literalStar   = "\xff\x01"
	literalMark   = "\xff\x02"
	literalDollar = "\xff\x03"
)

// resolve replaces the variables of a pattern.
func (sp *space) resolve(pattern string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(pattern, "${")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		body, after, closed := strings.Cut(rest, "}")
		if !closed {
			b.WriteString(rest)
			return b.String()
		}
		pattern = after
		switch body {
		case "*":
			b.WriteString(literalStar)
		case "?":
			b.WriteString(literalMark)
		case "$":
			b.WriteString(literalDollar)
		default:
			name, fallback, _ := strings.Cut(body, ",")
			k := sp.key(name)
			k.try("sample")
			k.try(otherValue)
			if text := strings.Trim(fallback, " '"); text != "" {
				k.try(text)
			}
			b.WriteString("sample")
		}
	}
}

// key finds the key's tries, or begins them with its absence.
func (sp *space) key(name string) *key {
	for i := range sp.keys {
		if strings.EqualFold(sp.keys[i].name, name) {
			return &sp.keys[i]
		}
	}
	sp.keys = append(sp.keys, key{name: name, values: [][]string{nil}})
	return &sp.keys[len(sp.keys)-1]
}

func (sp *space) has(name string) bool {
	return slices.ContainsFunc(sp.keys, func(k key) bool { return strings.EqualFold(k.name, name) })
}

func (k *key) try(values ...string) {
	same := func(v []string) bool { return v != nil && slices.Equal(v, values) }
	if !slices.ContainsFunc(k.values, same) {
		k.values = append(k.values, values)
	}
}

func (sp *space) condition(operator string, c *policy.ConditionKey, variables bool) {
	set := strings.HasPrefix(operator, "forallvalues:") || strings.HasPrefix(operator, "foranyvalue:")
	_, base, found := strings.Cut(operator, ":")
	if !found {
		base = operator
	}
	base = strings.TrimSuffix(base, "ifexists")
	sp.key(c.Name.Value)
	var all []string
	for _, v := range c.Values {
		texts := sp.values(base, v.Value, variables)
		k := sp.key(c.Name.Value) // again: values may have begun other keys
		for _, text := range texts {
			k.try(text)
		}
		all = append(all, texts[:min(1, len(texts))]...)
	}
	k := sp.key(c.Name.Value)
	if base == "null" || strings.HasPrefix(base, "string") || strings.HasPrefix(base, "binary") {
		k.try(otherValue)
	}
	if set {
		k.try([]string{}...)
		if len(all) > 0 {
			k.try(all...)
			k.try(all[0], otherValue)
		}
	}
}

// values are the values that tell a policy value apart from others, under operators of its family.
func (sp *space) values(base, value string, variables bool) []string {
	switch {
	case base == "null":
		return nil
	case base == "bool":
		return []string{"true", "false"}
	case strings.HasPrefix(base, "numeric"):
		n, err := strconv.ParseInt(value, 10, 32)
		if err != nil {
			return []string{value, "0", "1000000000"}
		}
		return []string{value, strconv.FormatInt(n-1, 10), strconv.FormatInt(n+1, 10)}
	case strings.HasPrefix(base, "date"):
		return []string{value, "1970-01-01T00:00:00Z", "2999-01-01T00:00:00Z"}
	case strings.HasSuffix(base, "ipaddress"):
		p, err := netip.ParsePrefix(value)
		if err != nil {
			return []string{value, "203.0.113.9", "2001:db8::9"}
		}
		return []string{p.Masked().Addr().String(), "203.0.113.9", "2001:db8::9"}
	case strings.HasPrefix(base, "string"):
		return sp.concrete(value, strings.HasSuffix(base, "like"), variables)
	case strings.HasPrefix(base, "arn"):
		return append(sp.concrete(value, true, variables), "arn:aws:iam::123456789012:role/other")
	}
	return []string{value}
}

func role(name, label string) principal {
	p := principal{label: label, Principal: arn.Principal{Kind: arn.RoleSession, RoleARN: name}}
	if r, err := arn.ParseRole(name); err == nil {
		p.Account, p.ARN = r.Account, arn.AssumedRole(r.Account, r.Name, "session")
	}
	return p
}

// named adds the callers that a principal of a document stands for.
func (sp *space) named(typ, value string) {
	switch typ {
	case "Service":
		sp.addPrincipal(principal{arn.Principal{Kind: arn.Service, ARN: value}, value})
		return
	case "Federated":
		sp.addPrincipal(principal{arn.Principal{Kind: arn.WebIdentity, ARN: value}, value})
		return
	case "*":
		sp.addPrincipal(principal{arn.Principal{Kind: arn.Anonymous, ARN: "*"}, "anonymous callers"})
		return
	case "AWS":
	default:
		return
	}
	a, err := arn.Parse(value)
	switch {
	case value == "*":
		sp.addPrincipal(principal{arn.Principal{Kind: arn.Anonymous, ARN: "*"}, "anonymous callers"})
	case arn.CheckAccount(value) == nil:
		sp.addPrincipal(role(arn.Role(value, "/", "any"), "account "+value))
	case err != nil: // a unique id
		sp.addPrincipal(principal{arn.Principal{
			Kind: arn.RoleSession, Account: account, ARN: arn.AssumedRole(account, value, "session"), RoleARN: arn.Role(account, "/", value), RoleID: value,
		}, value})
	case a.Resource == "root":
		sp.addPrincipal(role(arn.Role(a.Account, "/", "any"), "account "+a.Account))
	case strings.HasPrefix(a.Resource, "role/"):
		sp.addPrincipal(role(value, value))
	case strings.HasPrefix(a.Resource, "user/"):
		sp.addPrincipal(principal{arn.Principal{Kind: arn.IAMUser, Account: a.Account, ARN: value}, value})
	case strings.HasPrefix(a.Resource, "assumed-role/"):
		name, _, _ := strings.Cut(strings.TrimPrefix(a.Resource, "assumed-role/"), "/")
		sp.addPrincipal(principal{arn.Principal{
			Kind: arn.RoleSession, Account: a.Account, ARN: value, RoleARN: arn.Role(a.Account, "/", name),
		}, value})
	default:
		sp.addPrincipal(principal{arn.Principal{Kind: arn.FederatedUser, Account: a.Account, ARN: value}, value})
	}
}

// contexts lists at most limit assignments of a value to every key, as indexes into the keys' values, and whether these are all there are. The
// ones that a limit must not cut come first: no key at all, every key as some document asks for it, and each key by itself in both.
func (sp *space) contexts(limit int) (list [][]int, all bool) {
	total := 1
	for i := range sp.keys {
		total = min(total*len(sp.keys[i].values), limit+1)
	}
	if total <= limit {
		return sp.product(), true
	}
	full := make([]int, len(sp.keys))
	for i := range full {
		full[i] = min(1, len(sp.keys[i].values)-1)
	}
	for _, base := range [2][]int{make([]int, len(sp.keys)), full} {
		list = append(list, base)
		for i := range sp.keys {
			for v := range sp.keys[i].values {
				if v != base[i] {
					changed := slices.Clone(base)
					changed[i] = v
					list = append(list, changed)
				}
			}
		}
	}
	return list[:min(len(list), limit)], false
}

// product lists every assignment.
func (sp *space) product() [][]int {
	list := [][]int{{}}
	for i := range sp.keys {
		var longer [][]int
		for _, head := range list {
			for v := range sp.keys[i].values {
				longer = append(longer, append(slices.Clip(head), v))
			}
		}
		list = longer
	}
	return list
}
