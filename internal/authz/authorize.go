package authz

import (
	"github.com/podid/podid/internal/arn"
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
	keys := a.keys(c, n)
	defer a.contexts.Put(keys)
	resourceKeys(keys, q.ResourceTags, q.ResourceAccount)
	if q.Keys != nil {
		q.Keys(keys)
	}
	req := &policy.Request{
		Principal: &c.Principal, Action: q.Action, Resource: q.Resource, ResourceAccount: q.ResourceAccount, Context: keys,
	}
	if req.Resource == "" {
		req.Resource = "*"
	}
	if req.ResourceAccount == "" {
		req.ResourceAccount = c.Principal.Account
	}
	set := a.policies(c, nil)
	set.Resource = q.ResourcePolicy
	if policy.Evaluate(req, set).Outcome == policy.Allow {
		return nil
	}
	return a.denied("action", c, req, q.ResourcePolicy, "")
}

// Allowed is Authorize without the words: for questions whose "no" is an ordinary answer.
func (a *Authorizer) Allowed(c Caller, n Network, q Question) bool {
	return a.Authorize(c, n, q) == nil
}

func (a *Authorizer) keys(c Caller, n Network) *policy.Context {
	k := a.contexts.Get().(*policy.Context)
	k.Reset()
	callerKeys(k, c, n)
	return k
}

func resourceKeys(k *policy.Context, tags map[string]string, account string) {
	if account != "" {
		k.Set("aws:ResourceAccount", account)
	}
	for key, value := range tags {
		k.Set("aws:ResourceTag/"+key, value)
	}
}

// policies gathers what is attached to the caller; names, when not nil, gets what each document is called. What cannot be
// found denies: a boundary that was deleted, or a session policy that does not compile, must not widen anything.
func (a *Authorizer) policies(c Caller, names *policy.Names) *policy.Set {
	g := gathered{set: new(policy.Set), names: names}
	switch c.Principal.Kind {
	case arn.IAMUser:
		if u, ok := a.iam.FindUser(c.Principal.Account, c.Principal.UserName); ok && u.ID == c.Principal.ID {
			a.attached(&g, u.Inline, u.Attached, u.Boundary)
		}
	case arn.RoleSession:
		if r, ok := a.findRole(c.Principal.RoleARN); ok && r.ID == c.Principal.RoleID {
			a.attached(&g, r.Inline, r.Attached, r.Boundary)
		}
		if c.Session != nil {
			for _, text := range c.Session.SessionPolicies {
				g.set.Session = append(g.set.Session, policy.NewSource(text).As(policy.Session))
			}
		}
	case arn.Anonymous, arn.RootUser, arn.FederatedUser, arn.Service, arn.WebIdentity:
	}
	g.set.Names = names
	return g.set
}

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
	for name, s := range inline {
		g.identity(s.As(policy.Identity), name)
	}
	for _, policyARN := range managed {
		if p, ok := a.iam.FindPolicy(policyARN); ok {
			g.identity(p.Document().As(policy.Identity), policyARN)
		}
	}
	if boundary == "" {
		return
	}
	text := policy.NewSource("") // does not compile: denies everything
	if p, ok := a.iam.FindPolicy(boundary); ok {
		text = p.Document()
	}
	g.set.Boundary = text.As(policy.Boundary)
	if g.names != nil {
		g.names.Boundary = boundary
	}
}
