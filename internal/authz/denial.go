package authz

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
)

// Denial is the whole reason of a refusal: for the request record, never for the caller.
type Denial struct { //nolint:errname // what a refusal is caused by is a denial
	Trace policy.Trace
	Note  string // what the trace does not show: that there is no such role

	caller arn.Principal
	told   *policy.Trace   // what a stranger is told in place of the trace; nil: the trace
	keys   *policy.Context // the condition keys of the request
}

// Error is the sentence of the refusal.
func (d *Denial) Error() string {
	if d.Note != "" {
		return d.Trace.Sentence() + ": " + d.Note
	}
	return d.Trace.Sentence()
}

// DenialOf finds the trace in a refusal's chain.
func DenialOf(err error) (*policy.Trace, bool) {
	if d, ok := errors.AsType[*Denial](err); ok {
		return &d.Trace, true
	}
	return nil, false
}

// denied words a refusal: AWS's sentence, then which layer refused and what is missing, as far as the caller may know it.
// The question is put once more, to the explaining evaluator: a refusal may cost more than a permission.
func (a *Authorizer) denied(subject string, c Caller, r *policy.Request, resource *policy.Document, name string) *fault.Error {
	names := &policy.Names{Resource: name}
	set := a.policies(c, names)
	a.controls(set, c, r)
	set.Resource = resource
	t := policy.Explain(r, set)
	told, d := &t, &Denial{Trace: t, caller: c.Principal, keys: r.Context}
	if subject == "role" && stranger(&t, c.Principal) {
		set.Resource = trustsNobody.As(policy.Trust)
		nobodys := *r
		nobodys.Context = untagged(r.Context)
		silent := policy.Explain(&nobodys, set)
		told, d.told = &silent, &silent
	}
	text := told.Sentence() + " (" + hint(told, c.Principal) + ")"
	return fault.New(fault.Denied, subject, "%s", text).Because(d)
}

// untagged is a context without the tags of the resource: the caller's own policies could ask for them, and so tell them to a stranger.
func untagged(k *policy.Context) *policy.Context {
	out := new(policy.Context)
	k.All(func(key string, values []string) bool {
		if !strings.Contains(strings.ToLower(key), ":resourcetag/") {
			out.Set(key, values...)
		}
		return true
	})
	return out
}

// stranger reports whether a role's owner has told the caller nothing about the role. It hears of a role that refuses it what it
// would hear of one that does not exist, be it by silence or by a Deny statement, and whatever its own policies say of the role.
func stranger(t *policy.Trace, p arn.Principal) bool {
	trusted := slices.ContainsFunc(t.Layers, func(l policy.LayerResult) bool { return l.Layer == policy.TrustLayer && l.Result == policy.Allow })
	return p.Kind != arn.Service && (t.CrossAccount || p.Account == "") && !trusted
}

// hint says which layer refused and, where the policy is the caller's own, what would have let the request pass.
func hint(t *policy.Trace, caller arn.Principal) string {
	layer := layerName(t)
	if !mayRead(t, caller) {
		return "refused by " + layer
	}
	if d := t.Deciding; d != nil && t.Outcome == policy.ExplicitDeny {
		return fmt.Sprintf("refused by %s: %s denies it", layer, statement(*d))
	}
	if miss, ok := nearest(t); ok {
		if t.CrossAccount && resourceKey(strings.ToLower(miss.Key)) {
			miss.Request, miss.Present = []string{"another value"}, true // which is its owner's to tell
		}
		return fmt.Sprintf("refused by %s: %s allows it but for its %s", layer, statement(miss.StatementRef), missing(miss))
	}
	return "refused by " + layer
}

// mayRead reports whether the caller may hear what is in the policy that refused. Everybody may know what is attached to
// themselves, and callers of the owner's account what its resource policy says. Nobody but podid itself hears more of a trust
// policy than that it refused; anonymous callers hear nothing.
func mayRead(t *policy.Trace, caller arn.Principal) bool {
	switch t.Layer {
	case policy.IdentityLayer, policy.BoundaryLayer, policy.SessionLayer:
		return true
	case policy.TrustLayer:
		return caller.Kind == arn.Service
	case policy.ResourceLayer:
		return caller.Account != "" && caller.Account == t.ResourceAccount
	case policy.NoLayer, policy.SCPLayer, policy.RCPLayer:
	}
	return false
}

func layerName(t *policy.Trace) string {
	switch t.Layer {
	case policy.IdentityLayer:
		return "the caller's identity policies"
	case policy.BoundaryLayer:
		return "the caller's permissions boundary"
	case policy.SessionLayer:
		return "the session policy"
	case policy.TrustLayer:
		return "the role's trust policy"
	case policy.SCPLayer:
		return "a service control policy"
	case policy.RCPLayer:
		return "a resource control policy"
	case policy.ResourceLayer:
		if t.CrossAccount {
			return "the account that owns the resource: its resource policy does not let this caller in"
		}
		return "the resource policy"
	case policy.NoLayer:
	}
	return "the absence of any policy that allows it"
}

// nearest is the statement of the refusing layer that came closest: one that failed at a condition, which is the last
// element to be looked at, rather than one about other actions.
func nearest(t *policy.Trace) (policy.NearMiss, bool) {
	for _, l := range t.Layers {
		if l.Layer != t.Layer {
			continue
		}
		for _, element := range []string{"Condition", "Resource", "Principal"} {
			for _, m := range l.NearMisses {
				if m.Element == element {
					return m, true
				}
			}
		}
	}
	return policy.NearMiss{}, false
}

func statement(r policy.StatementRef) string {
	where := "statement " + strconv.Itoa(r.Index+1)
	if r.Sid != "" {
		where += " (" + r.Sid + ")"
	}
	if r.Document != "" {
		where += " of " + r.Document
	}
	return where
}

func missing(m policy.NearMiss) string {
	if m.Element != "Condition" {
		return fmt.Sprintf("%s: the request has %s, the policy %s", m.Element, values(m.Request), values(m.Policy))
	}
	has := values(m.Request)
	if !m.Present {
		has = "no such key"
	}
	return fmt.Sprintf("condition %s %s: the request has %s, the policy asks for %s", m.Operator, m.Key, has, values(m.Policy))
}

// values prints at most three values of at most 100 characters: texts for people stay readable.
func values(list []string) string {
	const most, longest = 3, 100
	shown := make([]string, 0, most+1)
	for i, v := range list {
		if i == most {
			shown = append(shown, "...")
			break
		}
		if len(v) > longest {
			v = v[:longest] + "..."
		}
		shown = append(shown, strconv.Quote(v))
	}
	if len(shown) == 0 {
		return "none"
	}
	return strings.Join(shown, ", ")
}
