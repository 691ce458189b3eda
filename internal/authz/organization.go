package authz

import (
	"strings"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/policy"
)

// controls adds to a question what organizations say about it: the service control policies of the caller's account and the resource
// control policies of the account that owns the resource. Accounts outside organizations, and management accounts, have neither.
// spec: iam-policy.md 6.1
func (a *Authorizer) controls(set *policy.Set, c Caller, r *policy.Request) {
	if m := a.organizations.Of(c.Principal.Account); m != nil && !a.serviceLinked(c) {
		set.SCP = m.SCP
		if set.Names != nil {
			set.Names.SCP = m.SCPNames
		}
	}
	if !hasRCPs(r.Action) {
		return
	}
	if m := a.organizations.Of(r.ResourceAccount); m != nil {
		set.RCP = m.RCP
		if set.Names != nil {
			set.Names.RCP = m.RCPNames
		}
	}
}

// serviceLinked reports whether a caller is a session of a service-linked role, which no service control policy binds. The path alone
// makes none: it was not always one that nobody could give to a role of their own.
func (a *Authorizer) serviceLinked(c Caller) bool {
	if c.Principal.Kind != arn.RoleSession || !strings.Contains(c.Principal.RoleARN, ":role/aws-service-role/") {
		return false
	}
	role, ok := a.findRole(c.Principal.RoleARN)
	return ok && role.Service != ""
}

// hasRCPs reports whether resource control policies bear on an action: they are for the services whose resources carry policies of
// their own. spec: iam-policy.md 6.1
func hasRCPs(action string) bool {
	service, _, _ := strings.Cut(action, ":")
	return strings.EqualFold(service, "s3") || strings.EqualFold(service, "sts")
}

// orgKeys sets the two condition keys that say which organization an account is in, and where. Outside of organizations both are absent.
func (a *Authorizer) orgKeys(k *policy.Context, id, paths, account string) {
	m := a.organizations.Of(account)
	if m == nil {
		return
	}
	k.Set(id, m.Organization)
	k.Set(paths, m.Paths...)
}
