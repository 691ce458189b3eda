package policy

import (
	"strings"

	"github.com/podid/podid/internal/arn"
)

// Request is one question: may this principal do this action to this resource, under these circumstances?
type Request struct {
	Principal *arn.Principal // for Principal elements and the choice of layers; condition keys come from Context alone
	Action    string         // service:Name
	Resource  string         // its ARN; "*" for actions without a resource
	// ResourceAccount owns the resource. It comes from storage, never from the ARN. Empty is nobody's account: a cross-account request.
	ResourceAccount string
	Context         *Context // nil: no key is present
	// CanonicalID is the S3 canonical id of the caller's account, for CanonicalUser entries; may be empty.
	CanonicalID string
}

// Set is every policy that bears on a request. spec: iam-policy.md 6.1
type Set struct {
	Identity []*Document // of the user and its groups, or of the role
	Session  []*Document // none: no session policy was passed
	Boundary *Document   // nil: no permissions boundary
	Resource *Document   // the bucket policy or trust policy; nil: none
	SCP, RCP [][]*Document
	// OwnGrant says that the resource's own policy must grant, as for KMS keys. It is implied by a trust policy.
	OwnGrant bool
	// Names are what Explain calls the documents; may be nil.
	Names *Names
}

// Names holds a name for each document of a Set, at the same place. Missing names are empty.
type Names struct {
	Identity, Session  []string
	Boundary, Resource string
	SCP, RCP           [][]string
}

// Outcome is the answer to a request. The zero value refuses.
type Outcome uint8

// The outcomes. spec: iam-policy.md 6.1
const (
	ImplicitDeny Outcome = iota // nothing allows it, or a layer that limits does not
	ExplicitDeny                // a Deny statement applies
	Allow
)

// String spells the outcome as authorization cases do.
func (o Outcome) String() string {
	switch o {
	case ImplicitDeny:
		return "implicitDeny"
	case ExplicitDeny:
		return "explicitDeny"
	case Allow:
		return "allow"
	}
	return "unknown"
}

// MarshalText is String.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Layer says which kind of policy decided.
type Layer uint8

// The layers. NoLayer decides what no policy has a say in: the root user's own account, sts:GetCallerIdentity.
const (
	NoLayer Layer = iota
	IdentityLayer
	ResourceLayer
	TrustLayer
	BoundaryLayer
	SessionLayer
	SCPLayer
	RCPLayer
)

// String names the layer.
func (l Layer) String() string {
	switch l {
	case NoLayer:
		return "none"
	case IdentityLayer:
		return "identity"
	case ResourceLayer:
		return "resource"
	case TrustLayer:
		return "trust"
	case BoundaryLayer:
		return "boundary"
	case SessionLayer:
		return "session"
	case SCPLayer:
		return "scp"
	case RCPLayer:
		return "rcp"
	}
	return "unknown"
}

// MarshalText is String.
func (l Layer) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Decision is the answer with its reason.
type Decision struct {
	Outcome Outcome
	// Layer is the layer that decided: it holds the Deny, lacks the Allow, or grants.
	Layer Layer
	// Document and Statement are the deciding Deny, or the Allow that granted. Document is nil where a missing Allow or no policy
	// at all decided.
	Document  *Document
	Statement int // index in the document, from zero
}

// Evaluate decides. It allocates nothing and may be called concurrently with shared documents. spec: iam-policy.md 6.2
func Evaluate(r *Request, s *Set) Decision {
	e := evaluation{r: r, s: s, caller: callerOf(r.Principal.Kind), bounded: s.Boundary != nil}
	if strings.EqualFold(r.Action, "sts:GetCallerIdentity") && r.Principal.Kind != arn.Anonymous {
		return Decision{Outcome: Allow}
	}
	e.hashes.fill(r.Action)
	if d, denied := e.explicitDeny(); denied {
		return d
	}
	return e.decide()
}

// callerClass sorts principals by which layers apply to them.
type callerClass uint8

const (
	outsider callerClass = iota // services, web identities, anonymous callers: only resource policies and RCPs
	entity                      // users, role sessions, federated users
	rootUser                    // its own account's identity side always allows
)

func callerOf(k arn.Kind) callerClass {
	switch k {
	case arn.IAMUser, arn.RoleSession, arn.FederatedUser:
		return entity
	case arn.RootUser:
		return rootUser
	case arn.Anonymous, arn.Service, arn.WebIdentity:
	}
	return outsider
}

// evaluation is the state of one Evaluate. It lives on the stack.
type evaluation struct {
	r       *Request
	s       *Set
	caller  callerClass
	bounded bool
	hashes  actionHashes
}

func (e *evaluation) denies(d *Document, l Layer) (Decision, bool) {
	s, found := d.denies.first(e.r, &e.hashes, e.bounded, levelAccount)
	if found == levelNone {
		return Decision{}, false
	}
	return Decision{Outcome: ExplicitDeny, Layer: l, Document: d, Statement: s.index}, true
}

func (e *evaluation) anyDenies(ds []*Document, l Layer) (Decision, bool) {
	for _, d := range ds {
		if decision, denied := e.denies(d, l); denied {
			return decision, true
		}
	}
	return Decision{}, false
}

// explicitDeny looks at every layer that applies to the caller before any Allow counts. Of several denies the first in this order is
// reported. spec: iam-policy.md 6.3, 14
func (e *evaluation) explicitDeny() (Decision, bool) {
	if e.caller != outsider {
		for _, level := range e.s.SCP {
			if d, denied := e.anyDenies(level, SCPLayer); denied {
				return d, true
			}
		}
	}
	for _, level := range e.s.RCP {
		if d, denied := e.anyDenies(level, RCPLayer); denied {
			return d, true
		}
	}
	if e.s.Resource != nil {
		if d, denied := e.denies(e.s.Resource, e.s.resourceLayer()); denied {
			return d, true
		}
	}
	if e.caller == outsider {
		return Decision{}, false
	}
	if d, denied := e.anyDenies(e.s.Identity, IdentityLayer); denied {
		return d, true
	}
	if e.s.Boundary != nil {
		if d, denied := e.denies(e.s.Boundary, BoundaryLayer); denied {
			return d, true
		}
	}
	return e.anyDenies(e.s.Session, SessionLayer)
}

// decide is the procedure of section 6.2 once no Deny applies.
func (e *evaluation) decide() Decision {
	if strings.EqualFold(e.r.Action, "sts:GetSessionToken") && e.caller != outsider {
		return Decision{Outcome: Allow} // needs no permission, can only be denied. spec: iam-policy.md 6.6
	}
	for _, level := range e.s.RCP {
		if _, ok := e.anyAllows(level, RCPLayer); !ok {
			return Decision{Layer: RCPLayer}
		}
	}
	if e.caller != outsider {
		for _, level := range e.s.SCP {
			if _, ok := e.anyAllows(level, SCPLayer); !ok {
				return Decision{Layer: SCPLayer}
			}
		}
	}
	grant, named := e.resourceGrant()
	switch {
	case e.caller == outsider:
		if named == levelDirect {
			return grant
		}
		return Decision{Layer: e.s.resourceLayer()}
	case e.r.Principal.Account != e.r.ResourceAccount || e.r.ResourceAccount == "":
		if named == levelNone {
			return Decision{Layer: e.s.resourceLayer()}
		}
		return e.callerSide()
	case named == levelDirect:
		return grant
	case named == levelBase:
		if refusal, ok := e.limits(); !ok {
			return refusal
		}
		return grant
	case named == levelNone && e.s.ownGrant():
		return Decision{Layer: e.s.resourceLayer()}
	}
	return e.callerSide()
}

// resourceGrant is the closest Allow of the resource's policy.
func (e *evaluation) resourceGrant() (Decision, level) {
	if e.s.Resource == nil {
		return Decision{}, levelNone
	}
	s, named := e.s.Resource.allows.first(e.r, &e.hashes, e.bounded, levelDirect)
	if named == levelNone {
		return Decision{}, levelNone
	}
	return Decision{Outcome: Allow, Layer: e.s.resourceLayer(), Document: e.s.Resource, Statement: s.index}, named
}

// callerSide asks the layers of the caller's own account: identity policies grant, boundary and session policies limit.
func (e *evaluation) callerSide() Decision {
	grant := Decision{Outcome: Allow}
	if e.caller != rootUser {
		var ok bool
		if grant, ok = e.anyAllows(e.s.Identity, IdentityLayer); !ok {
			return Decision{Layer: IdentityLayer}
		}
	}
	if refusal, ok := e.limits(); !ok {
		return refusal
	}
	return grant
}

// limits reports whether the boundary and the session policies let the request through. A federated user without a session policy has
// no permissions from identity policies at all.
func (e *evaluation) limits() (Decision, bool) {
	if e.s.Boundary != nil {
		if _, ok := e.allows(e.s.Boundary, BoundaryLayer); !ok {
			return Decision{Layer: BoundaryLayer}, false
		}
	}
	if len(e.s.Session) == 0 && e.r.Principal.Kind != arn.FederatedUser {
		return Decision{}, true
	}
	if _, ok := e.anyAllows(e.s.Session, SessionLayer); !ok {
		return Decision{Layer: SessionLayer}, false
	}
	return Decision{}, true
}

func (e *evaluation) allows(d *Document, l Layer) (Decision, bool) {
	s, found := d.allows.first(e.r, &e.hashes, e.bounded, levelAccount)
	if found == levelNone {
		return Decision{}, false
	}
	return Decision{Outcome: Allow, Layer: l, Document: d, Statement: s.index}, true
}

func (e *evaluation) anyAllows(ds []*Document, l Layer) (Decision, bool) {
	for _, d := range ds {
		if decision, ok := e.allows(d, l); ok {
			return decision, true
		}
	}
	return Decision{}, false
}

func (s *Set) resourceLayer() Layer {
	if s.Resource != nil && s.Resource.kind == Trust {
		return TrustLayer
	}
	return ResourceLayer
}

func (s *Set) ownGrant() bool { return s.OwnGrant || s.Resource != nil && s.Resource.kind == Trust }
