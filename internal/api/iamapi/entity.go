package iamapi

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

// entity is a user, group or role that a request names by its ARN, with the identity policies that count for it.
type entity struct {
	kind           types.PolicyOwnerEntityType
	arn, id        string
	name, path     string
	principal      arn.Principal // who would ask; of a group, nobody in particular
	policies       []held
	boundary       *policy.Source // nil: none
	boundaryPolicy string         // its ARN
}

// held is one policy of an entity, or of a group that the entity is in.
type held struct {
	name       string
	arn        string // managed policies only
	holder     types.PolicyOwnerEntityType
	holderName string
	source     *policy.Source
}

// subjectInput is for the requests that IAM answers with InvalidInput rather than ValidationError.
const subjectInput = "input"

func invalidInput(format string, args ...any) error {
	return fault.New(fault.Invalid, subjectInput, format, args...)
}

// about is the resource of a call that names an entity, or a policy, by its ARN. Whoever is refused by a tag is refused what is told of it.
func (s *service) about(member string) on {
	return func(c *api.Call, in any) api.Resource {
		r := named(text(in, member))
		if r.Account == c.Account() {
			r.Tags = s.tagsByARN(r.Account, r.ARN)
		}
		return r
	}
}

// tagsByARN are the tags of a user, a role or a policy of an account.
func (s *service) tagsByARN(account, name string) map[string]string {
	kind, rest, _ := strings.Cut(name[strings.LastIndexByte(name, ':')+1:], "/")
	switch kind {
	case "user":
		if u, ok := s.iam.FindUser(account, lastElement(rest)); ok && u.ARN() == name {
			return u.Tags
		}
	case "role":
		if r, ok := s.iam.FindRole(account, lastElement(rest)); ok && r.ARN() == name {
			return r.Tags
		}
	case "policy":
		if p, ok := s.iam.FindPolicy(name); ok {
			return p.Tags
		}
	}
	return nil
}

// entity finds what an ARN names in the caller's account. Another account's was refused before: nobody is asked about it.
func (s *service) entity(account, name string) (*entity, error) {
	a, err := arn.Parse(name)
	kind, rest, _ := strings.Cut(a.Resource, "/")
	if err != nil || a.Service != "iam" || rest == "" || kind != "user" && kind != "group" && kind != "role" {
		return nil, invalidInput("Invalid Entity Arn: %s does not clearly define entity type and name.", bounded(name))
	}
	short := rest[strings.LastIndexByte(rest, '/')+1:]
	var e *entity
	switch kind {
	case "user":
		u, err := s.iam.GetUser(account, short)
		if err != nil {
			return nil, err
		}
		e = s.userEntity(u)
	case "group":
		g, err := s.iam.GetGroup(account, short)
		if err != nil {
			return nil, err
		}
		e = s.groupEntity(g)
	case "role":
		r, err := s.iam.GetRole(account, short)
		if err != nil {
			return nil, err
		}
		e = s.roleEntity(r)
	}
	if e.arn != name {
		return nil, fault.New(fault.NotFound, kind, "ARN %s is not valid.", bounded(name))
	}
	return e, nil
}

func (s *service) userEntity(u *iam.User) *entity {
	e := &entity{
		kind: types.PolicyOwnerEntityTypeUser, arn: u.ARN(), id: u.ID, name: u.Name, path: u.Path,
		principal: arn.Principal{Kind: arn.IAMUser, Account: u.Account, ARN: u.ARN(), ID: u.ID, UserName: u.Name, Tags: u.Tags},
	}
	s.hold(e, e.kind, u.Name, u.Inline, u.Attached)
	for _, g := range s.iam.GroupsByName(u) {
		s.hold(e, types.PolicyOwnerEntityTypeGroup, g.Name, g.Inline, g.Attached)
	}
	s.bound(e, u.Boundary)
	return e
}

func (s *service) groupEntity(g *iam.Group) *entity {
	e := &entity{
		kind: types.PolicyOwnerEntityTypeGroup, arn: g.ARN(), id: g.ID, name: g.Name, path: g.Path,
		principal: arn.Principal{Kind: arn.IAMUser, Account: g.Account},
	}
	s.hold(e, e.kind, g.Name, g.Inline, g.Attached)
	return e
}

func (s *service) roleEntity(r *iam.Role) *entity {
	e := &entity{
		kind: types.PolicyOwnerEntityTypeRole, arn: r.ARN(), id: r.ID, name: r.Name, path: r.Path,
		principal: arn.Principal{Kind: arn.RoleSession, Account: r.Account, ARN: r.ARN(), RoleARN: r.ARN(), RoleID: r.ID, Tags: r.Tags},
	}
	s.hold(e, e.kind, r.Name, r.Inline, r.Attached)
	s.bound(e, r.Boundary)
	return e
}

// hold adds the policies that one holder has: the inline ones by name, then the managed ones as they were attached.
func (s *service) hold(e *entity, kind types.PolicyOwnerEntityType, holder string, inline map[string]*policy.Source, attached []string) {
	for _, name := range sortedKeys(inline) {
		e.policies = append(e.policies, held{name: name, holder: kind, holderName: holder, source: inline[name]})
	}
	for _, policyARN := range attached {
		if p, ok := s.iam.FindPolicy(policyARN); ok {
			e.policies = append(e.policies, held{name: p.Name, arn: policyARN, holder: kind, holderName: holder, source: p.Document()})
		}
	}
}

// bound sets the boundary. One that is gone is a document that does not compile, which nothing passes.
func (s *service) bound(e *entity, policyARN string) {
	if policyARN == "" {
		return
	}
	e.boundaryPolicy, e.boundary = policyARN, policy.NewSource("")
	if p, ok := s.iam.FindPolicy(policyARN); ok {
		e.boundary = p.Document()
	}
}

// documents are the identity policies, compiled.
func (e *entity) documents() []*policy.Document {
	docs := make([]*policy.Document, len(e.policies))
	for i, h := range e.policies {
		docs[i] = h.source.As(policy.Identity)
	}
	return docs
}

// bounded cuts a text of the caller's that is repeated to them.
func bounded(text string) string {
	const most = 300
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
