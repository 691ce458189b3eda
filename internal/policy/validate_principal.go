package policy

import (
	"encoding/hex"
	"strings"

	"github.com/podid/podid/internal/arn"
)

// principal checks that the element is there where the kind asks for it, and that each entry has a form that can name somebody.
// Whether that somebody exists is the writer's business: see [Document.Principals]. spec: iam-policy.md 1.2, 1.5
func (v *validator) principal(s *draftStatement) *SyntaxError {
	p := s.principal
	switch {
	case v.identityLike() && p == nil:
		return nil
	case v.identityLike():
		return v.fail(p.pos, textPrincipal, "")
	case p == nil && v.kind == Bucket:
		return v.fail(s.pos, textBucketMissing+"Principal", "")
	case p == nil:
		return v.fail(s.pos, textSyntax, "no Principal")
	case p.not && v.kind != Bucket:
		return v.fail(p.pos, textSyntax, "NotPrincipal is for resource policies")
	case p.not && s.effect.text == "Allow" && v.why == writing:
		return v.fail(p.pos, textBadPrincipal, "NotPrincipal with Allow would include anonymous callers")
	}
	if v.kind == RCP && v.why == writing && s.effect.text == "Allow" && !s.fullAccess() {
		return v.fail(s.effect.pos, textSyntax, "a resource control policy allows everything or nothing")
	}
	for _, e := range p.entries {
		if v.kind == RCP && e.typ != "*" {
			return v.fail(e.pos, textBadPrincipal, `the principal of a resource control policy is "*"`)
		}
		if !validEntry(e) {
			return v.fail(e.pos, textBadPrincipal+`: "`+e.typ+`":"`+e.text+`"`, "")
		}
	}
	return nil
}

// fullAccess reports whether the statement is that of the managed policy RCPFullAWSAccess.
func (s *draftStatement) fullAccess() bool {
	return !s.notAction && !s.notResource && len(s.conditions) == 0 &&
		len(s.actions) == 1 && s.actions[0].text == "*" && len(s.resources) == 1 && s.resources[0].text == "*"
}

func validEntry(e draftEntry) bool {
	switch e.typ {
	case "*":
		return e.text == "*"
	case "AWS":
		return validAWS(e.text)
	case "Service":
		return validName(e.text) && strings.Contains(e.text, ".")
	case "Federated":
		return validName(e.text)
	case "CanonicalUser":
		_, err := hex.DecodeString(e.text)
		return err == nil && len(e.text) == 64
	}
	return false
}

func validName(s string) bool { return s != "" && !strings.ContainsAny(s, "*? \t\r\n") }

// validAWS accepts the star, an account id, a unique id, and ARNs of an account, a user, a role or a session.
func validAWS(s string) bool {
	if s == "*" || arn.CheckAccount(s) == nil || uniqueID(s) {
		return true
	}
	a, err := arn.Parse(s)
	if err != nil || a.Region != "" || arn.CheckAccount(a.Account) != nil || !validName(a.Resource) {
		return false
	}
	kind, name, _ := strings.Cut(a.Resource, "/")
	named := name != "" && !strings.HasSuffix(name, "/")
	switch a.Service {
	case "iam":
		return a.Resource == "root" || named && (kind == "user" || kind == "role")
	case "sts":
		slashes := strings.Count(name, "/")
		return named && (kind == "assumed-role" && slashes == 1 && name[0] != '/' || kind == "federated-user" && slashes == 0)
	}
	return false
}

// uniqueID reports whether s has the form of the unique id of a user or a role. spec: iam-policy.md 9
func uniqueID(s string) bool {
	if len(s) < 16 || len(s) > 128 || !strings.HasPrefix(s, "AIDA") && !strings.HasPrefix(s, "AROA") {
		return false
	}
	return !strings.ContainsFunc(s, notAlphanumeric)
}
