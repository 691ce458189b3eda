package authz

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
)

// Denial is the whole reason of a refusal: for the request record, never for the caller.
type Denial struct {
	Trace policy.Trace
}

// Error is the sentence of the refusal.
func (d *Denial) Error() string { return d.Trace.Sentence() }

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
	set.Resource = resource
	t := policy.Explain(r, set)
	text := t.Sentence()
	if h := hint(&t, c.Principal.Kind); h != "" {
		text += " (" + h + ")"
	}
	return fault.New(fault.Denied, subject, "%s", text).Because(&Denial{Trace: t})
}

// hint says which layer refused and what would have let the request pass. Of the policies of another account, and of a
// role's trust policy towards anyone but podid itself, it tells that they refused and nothing of their content.
func hint(t *policy.Trace, caller arn.Kind) string {
	own := !t.CrossAccount || t.Layer == policy.IdentityLayer || t.Layer == policy.BoundaryLayer || t.Layer == policy.SessionLayer
	if t.Layer == policy.TrustLayer && caller != arn.Service {
		own = false
	}
	layer := layerName(t)
	if d := t.Deciding; d != nil && t.Outcome == policy.ExplicitDeny {
		if !own {
			return "refused by " + layer
		}
		return fmt.Sprintf("refused by %s: %s denies it", layer, statement(*d))
	}
	if miss, ok := nearest(t); ok && own {
		return fmt.Sprintf("refused by %s: %s allows it but for its %s", layer, statement(miss.StatementRef), missing(miss))
	}
	return "refused by " + layer
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
			return "account " + t.ResourceAccount + ", which owns the resource: its resource policy does not let this caller in"
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
