package policy

import (
	"fmt"

	"github.com/podid/podid/internal/arn"
)

// Trace is the account of one decision, for people and for the request record. It quotes policies and condition values and never a
// credential: the engine is given none.
type Trace struct {
	Decision        Decision      `json:"-"`
	Outcome         Outcome       `json:"outcome"`
	Layer           Layer         `json:"layer"`
	Principal       string        `json:"principal"`
	Action          string        `json:"action"`
	Resource        string        `json:"resource"`
	ResourceAccount string        `json:"resourceAccount,omitempty"`
	CrossAccount    bool          `json:"crossAccount"`
	Deciding        *StatementRef `json:"deciding,omitempty"`
	Layers          []LayerResult `json:"layers"`
}

// LayerResult is how one layer came out by itself.
type LayerResult struct {
	Layer      Layer          `json:"layer"`
	Level      int            `json:"level"` // of SCPs and RCPs, root first
	Result     Outcome        `json:"result"`
	Documents  int            `json:"documents"`
	Statements []StatementRef `json:"statements,omitempty"` // those that apply, Deny before Allow
	NearMisses []NearMiss     `json:"nearMisses,omitempty"`
}

// StatementRef points at a statement of a document.
type StatementRef struct {
	Layer    Layer  `json:"layer"`
	Document string `json:"document,omitempty"` // its name; see Names
	Effect   string `json:"effect"`
	Sid      string `json:"sid,omitempty"`
	Index    int    `json:"index"` // from zero
	Line     int    `json:"line"`  // from one
	Column   int    `json:"column"`
	// Named says how the Principal element names the caller: direct, base, account; empty without such an element.
	Named string `json:"named,omitempty"`
	// Broken is set when the document does not compile and so denies everything.
	Broken string `json:"broken,omitempty"`

	document *Document
}

// NearMiss is an Allow statement that did not apply, and the first element that failed.
type NearMiss struct {
	StatementRef

	Element  string   `json:"element"`            // Principal, Action, Resource, Condition
	Operator string   `json:"operator,omitempty"` // of a Condition
	Key      string   `json:"key,omitempty"`      // of a Condition
	Request  []string `json:"request"`            // what the request has
	Present  bool     `json:"present"`            // whether the request has it at all
	Policy   []string `json:"policy"`             // what the policy asks for
}

// Sentence is AWS's text for a refusal, or one of the same make for a permission. It names the layer and nothing of the policies, so
// callers of other accounts may read it. spec: iam-policy.md 14
func (t *Trace) Sentence() string {
	who := t.Principal
	if t.Outcome == Allow {
		return fmt.Sprintf("User: %s is authorized to perform: %s on resource: %s", who, t.Action, t.Resource)
	}
	reason := fmt.Sprintf("because no %s allows the %s action", t.Layer.policy(), t.Action)
	if t.Outcome == ExplicitDeny {
		article := "a"
		if t.Layer == IdentityLayer {
			article = "an"
		}
		reason = fmt.Sprintf("with an explicit deny in %s %s", article, t.Layer.policy())
	}
	return fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s %s", who, t.Action, t.Resource, reason)
}

// policy names the layer as the AccessDenied text does.
func (l Layer) policy() string {
	switch l {
	case IdentityLayer:
		return "identity-based policy"
	case ResourceLayer:
		return "resource-based policy"
	case TrustLayer:
		return "role trust policy"
	case BoundaryLayer:
		return "permissions boundary"
	case SessionLayer:
		return "session policy"
	case SCPLayer:
		return "service control policy"
	case RCPLayer:
		return "resource control policy"
	case NoLayer:
	}
	return "policy"
}

// callerName is what the caller is called in a sentence.
func callerName(p *arn.Principal) string {
	if p.Kind == arn.Anonymous {
		return "anonymous"
	}
	return p.ARN
}
