package policy

import (
	"strings"

	"github.com/podid/podid/internal/arn"
)

// level says how closely a Principal element names the caller. spec: iam-policy.md 3.4
type level uint8

const (
	levelNone    level = iota
	levelAccount       // the caller's account, which delegates to its identity policies
	levelBase          // the role behind the session, the user behind the federated session
	levelDirect        // the caller
)

type entryKind uint8

const (
	entryEveryone  entryKind = iota // "*"
	entryEveryAWS                   // {"AWS":"*"}
	entryAccount                    // text is the account id
	entryARN                        // a user, role or session
	entryID                         // AIDA..., AROA...
	entryService                    // a service name
	entryFederated                  // a provider, by ARN or by name
	entryCanonical                  // the canonical id of an account
)

type principalEntry struct {
	kind entryKind
	text string
}

// principals is a compiled Principal or NotPrincipal element.
type principals struct {
	not     bool
	entries []principalEntry
}

func compilePrincipals(d *draftPrincipal) *principals {
	p := &principals{not: d.not}
	for _, e := range d.entries {
		kind, text := entryFederated, e.text
		switch e.typ {
		case "*":
			kind = entryEveryone
		case "Service":
			kind = entryService
		case "CanonicalUser":
			kind = entryCanonical
		case "AWS":
			kind, text = classifyAWS(e.text)
		}
		p.entries = append(p.entries, principalEntry{kind, text})
	}
	return p
}

// classifyAWS sorts a value of the AWS principal type; an account's root ARN becomes the account.
func classifyAWS(value string) (entryKind, string) {
	switch {
	case value == "*":
		return entryEveryAWS, value
	case arn.CheckAccount(value) == nil:
		return entryAccount, value
	case !strings.Contains(value, ":"):
		return entryID, value
	}
	if a, err := arn.Parse(value); err == nil && a.Service == "iam" && a.Resource == "root" {
		return entryAccount, a.Account
	}
	return entryARN, value
}

// names is the closest level at which one of the entries names the caller.
func (ps *principals) names(r *Request) level {
	found := levelNone
	for i := range ps.entries {
		if l := ps.entries[i].names(r); l > found {
			if found = l; found == levelDirect {
				break
			}
		}
	}
	return found
}

func (e *principalEntry) names(r *Request) level {
	p := r.Principal
	switch e.kind {
	case entryEveryone:
		return levelDirect
	case entryEveryAWS:
		if p.Kind != arn.Service && p.Kind != arn.WebIdentity {
			return levelDirect
		}
	case entryAccount:
		return e.namesAccount(p, p.Account)
	case entryCanonical:
		return e.namesAccount(p, r.CanonicalID)
	case entryService:
		return when(p.Kind == arn.Service && e.text == p.ARN, levelDirect)
	case entryFederated:
		return when(p.Kind == arn.WebIdentity && sameProvider(e.text, p.ARN), levelDirect)
	case entryARN:
		switch p.Kind {
		case arn.IAMUser:
			return when(e.text == p.ARN, levelDirect)
		case arn.RoleSession:
			if e.text == p.ARN {
				return levelDirect
			}
			return when(p.RoleARN != "" && e.text == p.RoleARN, levelBase)
		case arn.FederatedUser:
			if e.text == p.ARN {
				return levelDirect
			}
			return when(p.UserARN != "" && e.text == p.UserARN, levelBase)
		case arn.Anonymous, arn.RootUser, arn.Service, arn.WebIdentity:
		}
	case entryID:
		switch p.Kind {
		case arn.IAMUser:
			return when(p.ID != "" && e.text == p.ID, levelDirect)
		case arn.RoleSession:
			return when(p.RoleID != "" && e.text == p.RoleID, levelBase)
		case arn.Anonymous, arn.RootUser, arn.FederatedUser, arn.Service, arn.WebIdentity:
		}
	}
	return levelNone
}

func (e *principalEntry) namesAccount(p *arn.Principal, account string) level {
	if account == "" || e.text != account {
		return levelNone
	}
	switch p.Kind {
	case arn.RootUser:
		return levelDirect
	case arn.IAMUser, arn.RoleSession, arn.FederatedUser:
		return levelAccount
	case arn.Anonymous, arn.Service, arn.WebIdentity:
	}
	return levelNone
}

func when(yes bool, l level) level {
	if yes {
		return l
	}
	return levelNone
}

// sameProvider compares a Federated value with the provider that proved the token; either may be the ARN or the bare host.
func sameProvider(entry, provider string) bool {
	if entry == "" || provider == "" {
		return false
	}
	return entry == provider || strings.HasPrefix(provider, "arn:") != strings.HasPrefix(entry, "arn:") &&
		providerHost(entry) == providerHost(provider)
}

func providerHost(s string) string {
	if !strings.HasPrefix(s, "arn:") {
		return s
	}
	_, host, _ := strings.Cut(s, ":oidc-provider/")
	return host
}

// exempts decides NotPrincipal: the caller escapes the statement only when its own identity is listed. The account entry alone
// exempts nobody but the root user; [role] stands for every session of the role unless sessions of it are listed too.
// spec: iam-policy.md 3.5, 15
func (ps *principals) exempts(r *Request) bool {
	listed := false
	for i := range ps.entries {
		switch ps.entries[i].names(r) {
		case levelDirect:
			k := r.Principal.Kind
			if k != arn.RoleSession && k != arn.FederatedUser || ps.entries[i].kind != entryARN {
				return true
			}
		case levelBase:
			listed = true
		case levelNone, levelAccount:
		}
	}
	return listed && (!ps.listSibling(r.Principal) || ps.lists(r.Principal.ARN))
}

func (ps *principals) lists(name string) bool {
	for i := range ps.entries {
		if ps.entries[i].kind == entryARN && ps.entries[i].text == name {
			return true
		}
	}
	return false
}

// listSibling reports whether a session of the caller's own role or user is listed.
func (ps *principals) listSibling(p *arn.Principal) bool {
	family := p.ARN[:strings.LastIndexByte(p.ARN, '/')+1]
	if family == "" {
		return false
	}
	for i := range ps.entries {
		if ps.entries[i].kind == entryARN && strings.HasPrefix(ps.entries[i].text, family) {
			return true
		}
	}
	return false
}
