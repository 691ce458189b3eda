package authz

import (
	"strconv"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/policy"
)

// Simulation asks what would be decided if a caller had these policies: a question about documents, which proves nobody.
type Simulation struct {
	// Caller is a user, or a role by its ARN. Without an ARN it is nobody in particular of its account.
	Caller arn.Principal

	Action          string
	Resource        string // "*" for none in particular
	ResourceAccount string

	Identity       []*policy.Document
	Boundary       *policy.Document // nil: none
	ResourcePolicy *policy.Document // nil: the resource has none

	// Looked are the condition keys that the documents look at, as those know: what the request has not of them is told.
	Looked []string

	// Organization counts what the organization of the caller's account says, which is that account's to know.
	Organization bool

	// Keys sets the condition keys of the request, over those that follow from the caller; nil: there are none.
	Keys func(*policy.Context)
}

// Simulated is the answer to a simulation.
type Simulated struct {
	Outcome      policy.Outcome
	CrossAccount bool

	// Matched are the statements that determine the outcome: what denies it, or what allows it. A missing Allow has none. Those of
	// service control policies are not told.
	Matched []Matched

	// Missing are the keys of Simulation.Looked that the request has not.
	Missing []string

	// How each kind of policy came out by itself; nil: there was none of the kind.
	Identity, Resource, Boundary, Organization *policy.Outcome
}

// Matched points at a statement.
type Matched struct {
	Layer     policy.Layer // identity, boundary or resource
	Document  int          // of the identity layer: the place in Simulation.Identity
	Statement int
}

// Simulate answers a simulation with the engine that answers requests. Like AWS's simulator it leaves resource control policies out.
func (a *Authorizer) Simulate(q Simulation) Simulated {
	keys := new(policy.Context) // the trace quotes it
	simulatedKeys(keys, q.Caller)
	if q.ResourceAccount != "" {
		keys.Set("aws:ResourceAccount", q.ResourceAccount)
	}
	if q.Organization {
		a.orgKeys(keys, "aws:PrincipalOrgID", "aws:PrincipalOrgPaths", q.Caller.Account)
		if q.ResourceAccount == q.Caller.Account {
			a.orgKeys(keys, "aws:ResourceOrgID", "aws:ResourceOrgPaths", q.ResourceAccount)
		}
	}
	if q.Keys != nil {
		q.Keys(keys)
	}
	set := &policy.Set{Identity: q.Identity, Boundary: q.Boundary, Resource: q.ResourcePolicy, Names: &policy.Names{}}
	for i := range q.Identity {
		set.Names.Identity = append(set.Names.Identity, strconv.Itoa(i))
	}
	request := &policy.Request{
		Principal: &q.Caller, Action: q.Action, Resource: q.Resource, ResourceAccount: q.ResourceAccount, Context: keys,
	}
	if q.Organization {
		a.controls(set, Caller{Principal: q.Caller}, request)
		set.RCP = nil
	}
	trace := policy.Explain(request, set)
	out := Simulated{Outcome: trace.Outcome, CrossAccount: trace.CrossAccount}
	for i := range trace.Layers {
		out.layer(&trace.Layers[i])
	}
	for _, name := range q.Looked {
		if _, given := keys.Get(name); !given {
			out.Missing = append(out.Missing, name)
		}
	}
	return out
}

// layer takes over how one layer came out.
func (s *Simulated) layer(l *policy.LayerResult) {
	result := l.Result
	switch l.Layer {
	case policy.IdentityLayer:
		s.Identity = &result
	case policy.ResourceLayer, policy.TrustLayer:
		s.Resource = &result
	case policy.BoundaryLayer:
		s.Boundary = &result
		if s.Outcome == policy.Allow {
			return // it limits what others grant
		}
	case policy.SCPLayer:
		if s.Organization == nil || worse(result, *s.Organization) {
			s.Organization = &result
		}
		return
	case policy.NoLayer, policy.SessionLayer, policy.RCPLayer:
		return
	}
	for _, r := range l.Statements {
		if (r.Effect == "Deny") != (s.Outcome == policy.ExplicitDeny) || s.Outcome == policy.ImplicitDeny {
			continue
		}
		document, _ := strconv.Atoi(r.Document) // of the other layers, which have one document: 0
		s.Matched = append(s.Matched, Matched{Layer: l.Layer, Document: document, Statement: r.Index})
	}
}

// worse orders the results of levels, all of which must allow.
func worse(a, b policy.Outcome) bool {
	return a == policy.ExplicitDeny && b != policy.ExplicitDeny || a == policy.ImplicitDeny && b == policy.Allow
}

// simulatedKeys sets the condition keys that follow from who the caller would be. What only a request can tell is not known.
func simulatedKeys(k *policy.Context, p arn.Principal) {
	switch p.Kind {
	case arn.IAMUser:
		if p.ARN == "" {
			return
		}
		k.Set("aws:PrincipalType", "User")
		k.Set("aws:PrincipalArn", p.ARN)
		k.Set("aws:username", p.UserName)
	case arn.RoleSession:
		k.Set("aws:PrincipalType", "AssumedRole")
		k.Set("aws:PrincipalArn", p.RoleARN)
	case arn.Anonymous, arn.RootUser, arn.FederatedUser, arn.Service, arn.WebIdentity:
		return
	}
	k.Set("aws:PrincipalIsAWSService", "false")
	k.Set("aws:PrincipalAccount", p.Account)
	if p.ID != "" {
		k.Set("aws:userid", p.ID)
	}
	for key, value := range p.Tags {
		k.Set("aws:PrincipalTag/"+key, value)
	}
}
