package lint

import (
	"slices"
	"strings"

	"github.com/podid/podid/internal/policy"
)

// security looks at what a statement gives away.
func (c *checker) security(s *policy.Statement) {
	allow := allows(s)
	if p := s.Principal; p != nil && p.Not {
		if allow {
			c.add("allow-not-principal", p.Offset, "everybody but the listed is allowed, anonymous callers too; list who is allowed")
		} else {
			c.add("deny-not-principal", p.Offset, `callers with a permissions boundary are denied even if listed; use "Principal": "*" with ArnNotEquals aws:PrincipalArn`)
		}
	}
	if !allow {
		return
	}
	if s.Action != nil && s.Action.Not && c.kind != policy.SCP && open(s.Resource) {
		c.add("allow-not-action", s.Action.Offset, "every action but the listed is allowed on every resource, also in services that do not exist yet")
	}
	if s.Resource != nil && s.Resource.Not {
		c.add("allow-not-resource", s.Resource.Offset, "every resource but the listed is allowed, in every service that the actions cover")
	}
	c.passRole(s)
	c.serviceSource(s)
}

// open reports whether the element leaves resources open that nobody listed.
func open(r *policy.Element) bool {
	return r == nil || r.Not || slices.ContainsFunc(r.Values, func(v policy.Text) bool { return v.Value == "*" })
}

func (c *checker) passRole(s *policy.Statement) {
	if s.Action == nil || s.Action.Not || !open(s.Resource) || has(s, "iam:PassedToService", anyOperator) || c.kind == policy.SCP || c.kind == policy.Boundary {
		return
	}
	for i := range s.Action.Values {
		a := &s.Action.Values[i]
		service, name, ok := strings.Cut(strings.ToLower(a.Value), ":")
		if ok && service == "iam" && match(name, "passrole") {
			c.add("pass-role", a.Offset, "%s lets the caller give any role to any service; name the roles, or add a condition on iam:PassedToService", a.Value)
		}
	}
}

// sourceKeys say for whom a service acts. spec: iam-policy.md 7.4
var sourceKeys = [...]string{"aws:SourceArn", "aws:SourceAccount", "aws:SourceOrgID", "aws:SourceOrgPaths"}

func (c *checker) serviceSource(s *policy.Statement) {
	if s.Principal == nil || s.Principal.Not {
		return
	}
	for _, key := range sourceKeys {
		if has(s, key, anyOperator) {
			return
		}
	}
	for _, g := range s.Principal.Groups {
		for _, v := range g.Values {
			// pods.eks says for whom it acts by session tags, which it always passes. spec: pod-identity.md 1.2
			if g.Type == "Service" && v.Value != "pods.eks.amazonaws.com" {
				c.add("service-without-source", v.Offset, "%s may be acting for somebody else; add a condition on aws:SourceArn or aws:SourceAccount", v.Value)
			}
		}
	}
}

// trust looks at a statement of a trust policy: who may become the role.
func (c *checker) trust(s *policy.Statement) {
	if !allows(s) || s.Principal == nil || s.Principal.Not || s.Action == nil || s.Action.Not {
		return
	}
	for _, g := range s.Principal.Groups {
		for i := range g.Values {
			v := &g.Values[i]
			if v.Value == "*" && len(s.Conditions) == 0 {
				c.add("trust-everyone", v.Offset, "everybody, of every account, may assume the role; name the principals or add a condition")
			}
			c.provider(s, g.Type, v)
		}
	}
}

// providerActions are the actions that go with the type of a principal. spec: iam-policy.md 7.1
var providerActions = [...]struct{ principal, action string }{
	{"oidc", "sts:AssumeRoleWithWebIdentity"}, {"saml", "sts:AssumeRoleWithSAML"}, {"aws", "sts:AssumeRole"}, {"service", "sts:AssumeRole"},
}

func (c *checker) provider(s *policy.Statement, typ string, v *policy.Text) {
	class := strings.ToLower(typ)
	switch {
	case typ == "Federated" && strings.Contains(v.Value, ":saml-provider/"):
		class = "saml"
	case typ == "Federated":
		class = "oidc"
	}
	for _, a := range s.Action.Values {
		for _, p := range providerActions {
			if strings.EqualFold(a.Value, p.action) && !goesWith(class, p.action) {
				c.add("provider-mismatch", a.Offset, "%s never comes from the principal %s", a.Value, v.Value)
			}
		}
	}
	if class == "oidc" {
		c.oidc(s, v)
	}
}

func goesWith(class, action string) bool {
	if class == "*" {
		return true
	}
	return slices.ContainsFunc(providerActions[:], func(p struct{ principal, action string }) bool {
		return p.principal == class && p.action == action
	})
}

// oidc asks for the conditions without which a trust policy takes any token of the provider.
func (c *checker) oidc(s *policy.Statement, v *policy.Text) {
	host := v.Value
	if _, after, ok := strings.Cut(host, ":oidc-provider/"); ok {
		host = after
	}
	fixed := func(n string) bool {
		return !strings.Contains(splitOperator(n).base, "not") && splitOperator(n).base != "null"
	}
	if !has(s, host+":aud", fixed) {
		c.add("oidc-without-audience", v.Offset, "add a condition on %s:aud", host)
	}
	for _, claim := range [...]string{"sub", "repository", "repository_id", "repository_owner", "project_path"} {
		if has(s, host+":"+claim, fixed) && !c.anything(s, host+":"+claim) {
			return
		}
	}
	c.add("oidc-without-subject", v.Offset, "add a condition on %s:sub that names who may assume the role", host)
}

// anything reports whether one of the key's values is a lone star.
func (c *checker) anything(s *policy.Statement, key string) bool {
	for i := range s.Conditions {
		for j := range s.Conditions[i].Keys {
			if k := &s.Conditions[i].Keys[j]; strings.EqualFold(k.Name.Value, key) {
				return slices.ContainsFunc(k.Values, func(v policy.Text) bool { return strings.Trim(v.Value, "*:") == "" })
			}
		}
	}
	return false
}
