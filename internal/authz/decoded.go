package authz

import (
	"strings"

	"github.com/podid/podid/internal/policy"
)

// decoded is what a decoded authorization message reads: AWS's members, whose lists are objects with items, and podid's own.
type decoded struct {
	Allowed           bool             `json:"allowed"`
	ExplicitDeny      bool             `json:"explicitDeny"`
	MatchedStatements items[matched]   `json:"matchedStatements"`
	Failures          items[string]    `json:"failures"`
	Context           decodedContext   `json:"context"`
	Podid             decodedReasoning `json:"podid"`
}

type items[T any] struct {
	Items []T `json:"items"`
}

// matched is a Deny statement that applies.
type matched struct {
	StatementID string `json:"statementId"`
	Effect      string `json:"effect"`
	Policy      string `json:"policy,omitempty"`
}

type decodedContext struct {
	Principal struct {
		ID  string `json:"id,omitempty"`
		ARN string `json:"arn"`
	} `json:"principal"`
	Action     string           `json:"action"`
	Resource   string           `json:"resource"`
	Conditions items[condition] `json:"conditions"`
}

type condition struct {
	Key    string          `json:"key"`
	Values items[oneValue] `json:"values"`
}

type oneValue struct {
	Value string `json:"value"`
}

// decodedReasoning is how it came out, layer by layer. Of organizations' policies only the result is told.
type decodedReasoning struct {
	RequestID string               `json:"requestId,omitempty"`
	Time      string               `json:"time,omitempty"`
	Layer     string               `json:"layer"` // that refused; "other account" where that is another's
	Reason    string               `json:"reason"`
	Note      string               `json:"note,omitempty"`
	Layers    []policy.LayerResult `json:"layers,omitempty"`
}

// Bounds of what a message repeats.
const (
	maxToldKeys       = 64
	maxToldValues     = 4
	maxToldLength     = 256
	maxToldStatements = 8
)

// view tells a trace to an account: the layers that are its own, without the values of keys that are another's.
func (d *Denial) view(t *policy.Trace, much detail, own func(policy.Layer) bool, hides func(string) bool) decoded {
	out := decoded{
		MatchedStatements: items[matched]{[]matched{}}, Failures: items[string]{[]string{}},
		Context: decodedContext{Action: t.Action, Resource: cut(t.Resource), Conditions: items[condition]{[]condition{}}},
		Podid:   decodedReasoning{Layer: t.Layer.String(), Reason: cut(t.Sentence())},
	}
	out.Context.Principal.ID, out.Context.Principal.ARN = d.caller.ID, t.Principal
	if own(policy.TrustLayer) {
		out.Podid.Note = d.Note
	}
	switch {
	case own(t.Layer) || own(policy.IdentityLayer): // the caller was told the layer's name in the text
		out.ExplicitDeny = t.Outcome == policy.ExplicitDeny
	default:
		out.Podid.Layer = "other account"
		out.Podid.Reason = cut("User: " + t.Principal + " is not authorized to perform: " + t.Action + " on resource: " + t.Resource +
			" because its own account does not allow it")
	}
	if much < outline {
		return out
	}
	d.keys.All(func(key string, list []string) bool {
		if !hides(strings.ToLower(key)) {
			out.Context.Conditions.Items = append(out.Context.Conditions.Items, conditionOf(key, list))
		}
		return len(out.Context.Conditions.Items) < maxToldKeys
	})
	for _, l := range t.Layers {
		if !own(l.Layer) {
			continue
		}
		if l.Layer == policy.SCPLayer || l.Layer == policy.RCPLayer {
			out.Podid.Layers = result(out.Podid.Layers, l)
			continue
		}
		if much < full {
			out.Podid.Layers = append(out.Podid.Layers, policy.LayerResult{Layer: l.Layer, Result: l.Result, Documents: l.Documents})
			continue
		}
		l.Statements = l.Statements[:min(len(l.Statements), maxToldStatements)]
		l.NearMisses = nearMisses(l.NearMisses, hides)
		out.Podid.Layers = append(out.Podid.Layers, l)
		for _, s := range l.Statements {
			if s.Effect == "Deny" {
				out.MatchedStatements.Items = append(out.MatchedStatements.Items, matched{s.Sid, "DENY", s.Document})
			}
		}
	}
	return out
}

// result adds how a layer of an organization's policies came out. Of its levels, which are not the account's to know, the worst counts.
func result(layers []policy.LayerResult, l policy.LayerResult) []policy.LayerResult {
	for i := range layers {
		if layers[i].Layer != l.Layer {
			continue
		}
		if l.Result == policy.ExplicitDeny || layers[i].Result == policy.Allow {
			layers[i].Result = l.Result
		}
		return layers
	}
	return append(layers, policy.LayerResult{Layer: l.Layer, Result: l.Result})
}

func nearMisses(list []policy.NearMiss, hides func(string) bool) []policy.NearMiss {
	out := make([]policy.NearMiss, 0, len(list))
	for _, m := range list {
		m.Request, m.Policy = cutAll(m.Request), cutAll(m.Policy)
		if m.Key != "" && hides(strings.ToLower(m.Key)) {
			m.Request, m.Present = nil, false
		}
		out = append(out, m)
	}
	return out
}

func conditionOf(key string, list []string) condition {
	c := condition{Key: cut(key), Values: items[oneValue]{[]oneValue{}}}
	for _, v := range list[:min(len(list), maxToldValues)] {
		c.Values.Items = append(c.Values.Items, oneValue{cut(v)})
	}
	return c
}

func cutAll(list []string) []string {
	out := make([]string, 0, maxToldValues)
	for _, v := range list[:min(len(list), maxToldValues)] {
		out = append(out, cut(v))
	}
	return out
}

func cut(s string) string {
	if len(s) > maxToldLength {
		return strings.ToValidUTF8(s[:maxToldLength], "") + "..."
	}
	return s
}

// noKey hides nothing.
func noKey(string) bool { return false }

// resourceKey finds the condition keys, in lower case, that tell of a resource what only its owner knows.
func resourceKey(key string) bool {
	return strings.HasPrefix(key, "aws:resource") || strings.Contains(key, ":resourcetag/") || key == "s3:resourceaccount" ||
		strings.HasPrefix(key, "s3:existingobjecttag/") || strings.HasPrefix(key, "s3:buckettag/")
}

// callerKey finds those that tell of a caller what is its own account's.
func callerKey(key string) bool {
	for _, own := range []string{
		"aws:principaltag/", "aws:principalorg", "aws:sourceidentity", "aws:federatedprovider", "aws:tokenissuetime", "aws:multifactorauth",
		"aws:username",
	} {
		if strings.HasPrefix(key, own) {
			return true
		}
	}
	return false
}
