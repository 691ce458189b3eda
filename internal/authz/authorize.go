package authz

import (
	"maps"
	"slices"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

// Question asks whether a caller may do one action to one resource.
type Question struct {
	Action          string
	Resource        string // "" asks for "*": the action has no resource-level permissions
	ResourceAccount string // the owner; "" is the caller's own account
	ResourceTags    map[string]string
	ResourcePolicy  *policy.Document // nil: the resource has none
	Keys            func(*policy.Context)
}

// Authorize answers a question. A refusal is fault.Denied with subject "action"; its public text is AWS's sentence and the
// layer that refused, its cause the whole trace ([DenialOf]).
func (a *Authorizer) Authorize(c Caller, n Network, q Question) error {
	if q.Resource == "" {
		q.Resource = "*"
	}
	if q.ResourceAccount == "" {
		q.ResourceAccount = c.Principal.Account
	}
	keys := a.keys(c, n)
	if q.ResourceAccount != c.Principal.Account && q.ResourcePolicy == nil {
		q.ResourceTags = nil // it is refused, and in which words must not tell a stranger what they are
	}
	a.resourceKeys(keys, q.ResourceTags, q.ResourceAccount)
	if q.Keys != nil {
		q.Keys(keys)
	}
	return a.decide("action", c, &policy.Request{
		Principal: &c.Principal, Action: q.Action, Resource: q.Resource, ResourceAccount: q.ResourceAccount, Context: keys,
	}, q.ResourcePolicy, "")
}

// decide puts the question. The context of a permission is used again; that of a refusal is kept by its trace, which quotes it.
func (a *Authorizer) decide(subject string, c Caller, r *policy.Request, resource *policy.Document, name string) error {
	set := a.policies(c, nil)
	a.controls(set, c, r)
	set.Resource = resource
	if policy.Evaluate(r, set).Outcome != policy.Allow {
		return a.denied(subject, c, r, resource, name)
	}
	a.contexts.Put(r.Context)
	return nil
}

// Allowed is Authorize without the words: for questions whose "no" is an ordinary answer.
func (a *Authorizer) Allowed(c Caller, n Network, q Question) bool {
	return a.Authorize(c, n, q) == nil
}

func (a *Authorizer) keys(c Caller, n Network) *policy.Context {
	k := a.contexts.Get().(*policy.Context)
	k.Reset()
	callerKeys(k, c, n)
	a.orgKeys(k, "aws:PrincipalOrgID", "aws:PrincipalOrgPaths", c.Principal.Account)
	return k
}

func (a *Authorizer) resourceKeys(k *policy.Context, tags map[string]string, account string) {
	if account != "" {
		k.Set("aws:ResourceAccount", account)
	}
	a.orgKeys(k, "aws:ResourceOrgID", "aws:ResourceOrgPaths", account)
	for key, value := range tags {
		k.Set("aws:ResourceTag/"+key, value)
	}
}

// policies gathers what is attached to the caller; names, when not nil, gets what each document is called. What cannot be
// found denies: a caller or a boundary that was deleted, or a session policy that does not compile, must not widen anything.
func (a *Authorizer) policies(c Caller, names *policy.Names) *policy.Set {
	g := gathered{set: new(policy.Set), names: names}
	switch c.Principal.Kind {
	case arn.IAMUser:
		u, ok := a.iam.FindUser(c.Principal.Account, c.Principal.UserName)
		if !ok || u.ID != c.Principal.ID {
			g.set.Boundary = nothing()
			break
		}
		a.user(&g, u)
	case arn.RoleSession:
		r, ok := a.findRole(c.Principal.RoleARN)
		if !ok || r.ID != c.Principal.RoleID || c.Session == nil {
			g.set.Boundary = nothing()
			break
		}
		a.attached(&g, r.Inline, r.Attached, r.Boundary)
		a.session(&g, c.Session)
	case arn.FederatedUser:
		a.federated(&g, c)
	case arn.Anonymous, arn.RootUser, arn.Service, arn.WebIdentity:
	}
	g.set.Names = names
	return g.set
}

// user gathers what is attached to a user and to the groups that the user is in.
func (a *Authorizer) user(g *gathered, u *iam.User) {
	a.attached(g, u.Inline, u.Attached, u.Boundary)
	for group := range a.iam.Groups(u) {
		a.identities(g, group.Inline, group.Attached, group.Name+"/")
	}
}

// nothing is a boundary that denies everything, because it does not compile.
func nothing() *policy.Document { return policy.NewSource("").As(policy.Boundary) }

// gathered is a set of policies under way, with their names where those are wanted.
type gathered struct {
	set   *policy.Set
	names *policy.Names
}

func (g *gathered) identity(d *policy.Document, name string) {
	g.set.Identity = append(g.set.Identity, d)
	if g.names != nil {
		g.names.Identity = append(g.names.Identity, name)
	}
}

func (a *Authorizer) attached(g *gathered, inline map[string]*policy.Source, managed []string, boundary string) {
	g.set.Identity = make([]*policy.Document, 0, len(inline)+len(managed))
	a.identities(g, inline, managed, "")
	if boundary == "" {
		return
	}
	g.set.Boundary = nothing()
	if p, ok := a.iam.FindPolicy(boundary); ok {
		g.set.Boundary = p.Document().As(policy.Boundary)
	}
	if g.names != nil {
		g.names.Boundary = boundary
	}
}

// identities adds identity policies; the names of inline ones are told after a prefix.
func (a *Authorizer) identities(g *gathered, inline map[string]*policy.Source, managed []string, prefix string) {
	order := maps.Keys(inline)
	if g.names != nil { // what is told must not depend on chance
		order = slices.Values(slices.Sorted(order))
	}
	for name := range order {
		g.identity(inline[name].As(policy.Identity), prefix+name)
	}
	for _, policyARN := range managed {
		if p, ok := a.iam.FindPolicy(policyARN); ok {
			g.identity(p.Document().As(policy.Identity), policyARN)
		}
	}
}
