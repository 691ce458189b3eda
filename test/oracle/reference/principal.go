package reference

import (
	"slices"
	"strings"
)

// level is how closely a statement names the caller. spec: iam-policy.md 3.4
type level int

const (
	none level = iota
	account
	base
	direct
)

// names is the level of the statement; one without a Principal element is about whoever it is attached to.
func (q *question) names(s statement) level {
	switch {
	case s.Principal != nil:
		return q.closest(s.Principal)
	case s.NotPrincipal == nil:
		return direct
	case s.Effect == "Deny" && q.bounded:
		return direct // whatever is listed. spec: iam-policy.md 3.5
	case q.has(NotPrincipalAnyLevel) && q.closest(s.NotPrincipal) != none:
		return none
	case s.Effect == "Deny" && q.exempt(s.NotPrincipal), s.Effect == "Allow" && q.closest(s.NotPrincipal) != none:
		return none
	}
	return direct
}

func (q *question) closest(es entries) level {
	found := none
	for kind, names := range es {
		for _, name := range names {
			found = max(found, q.entry(kind, name))
		}
	}
	return found
}

func (q *question) entry(kind, name string) level {
	switch kind {
	case "*":
		return direct
	case "Service":
		return levelIf(q.Type == "service" && name == q.ARN, direct)
	case "Federated":
		return levelIf(q.Type == "webIdentity" && (name == q.ARN || isARN(name) != isARN(q.ARN) && bare(name) == bare(q.ARN)), direct)
	case "AWS":
		return q.aws(name)
	}
	return none
}

func (q *question) aws(name string) level {
	if name == "*" {
		return levelIf(q.Type != "service" && q.Type != "webIdentity" || q.has(AWSMeansEveryone), direct)
	}
	if name == q.Account || name == "arn:aws:iam::"+q.Account+":root" {
		switch q.Type {
		case "root":
			return levelIf(!q.has(RootIsOrdinary), direct) + levelIf(q.has(RootIsOrdinary), account)
		case "user", "assumedRole", "federatedUser":
			return account
		}
		return none
	}
	if q.has(NoUniqueIDs) && !isARN(name) {
		return none
	}
	if q.has(RoleByLastName) && q.Type == "assumedRole" && strings.HasPrefix(name, "arn:aws:iam::"+q.Account+":role/") &&
		name[strings.LastIndex(name, "/"):] == q.RoleARN[strings.LastIndex(q.RoleARN, "/"):] {
		return base
	}
	switch q.Type {
	case "user":
		return levelIf(name == q.ARN || name == q.UserID, direct)
	case "assumedRole":
		return max(levelIf(name == q.ARN, direct), levelIf(name == q.RoleARN || name == q.RoleID, base))
	case "federatedUser":
		return max(levelIf(name == q.ARN, direct), levelIf(name == q.UserARN, base))
	}
	return none
}

func levelIf(yes bool, l level) level {
	if yes {
		return l
	}
	return none
}

func isARN(s string) bool { return strings.HasPrefix(s, "arn:") }

// bare is the host of a provider.
func bare(s string) string {
	_, host, _ := strings.Cut(s, ":oidc-provider/")
	if isARN(s) {
		return host
	}
	return s
}

// exempt decides NotPrincipal: every layer of the caller that could be listed is listed. The account may be left out, and a role
// stands for all its sessions as long as none of them is listed. spec: iam-policy.md 3.5, 15
func (q *question) exempt(es entries) bool {
	if _, ok := es["*"]; ok || q.Type == "service" || q.Type == "webIdentity" || q.Type == "root" || q.Type == "user" {
		return q.closest(es) == direct
	}
	aws := es["AWS"]
	if slices.Contains(aws, "*") {
		return true
	}
	if q.Type == "anonymous" {
		return false
	}
	owner := slices.ContainsFunc(aws, func(name string) bool { return q.aws(name) == base })
	family := q.ARN[:strings.LastIndex(q.ARN, "/")+1]
	sessions := slices.ContainsFunc(aws, func(name string) bool { return strings.HasPrefix(name, family) })
	return owner && (!sessions || slices.Contains(aws, q.ARN))
}
