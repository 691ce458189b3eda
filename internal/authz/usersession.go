package authz

import (
	"strings"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
)

// Lifetimes of the sessions of users. Root users get an hour at most. spec: iam-policy.md 7.1
const (
	defaultUserDuration = 12 * time.Hour
	maxUserDuration     = credential.MaxLifetime
	maxRootDuration     = time.Hour
)

// Federation asks for a session of a federated user.
type Federation struct {
	Caller          Caller
	Name            string
	Duration        time.Duration // 0: twelve hours
	Tags            map[string]string
	SessionPolicies []string // documents
	PolicyARNs      []string // managed policies of the caller's account or of AWS
	Network         Network
}

// SessionToken is a session of the caller itself, who must have signed with a long-term key. Policies can forbid it and need not
// allow it. A session of a root user that asks for more than an hour gets an hour.
//
// Faults: Invalid (the duration), Denied with subject "action".
func (a *Authorizer) SessionToken(c Caller, n Network, asked time.Duration) (credential.Session, error) {
	if err := longTerm(c, "GetSessionToken"); err != nil {
		return credential.Session{}, err
	}
	lifetime, err := userLifetime(c, asked)
	if err != nil {
		return credential.Session{}, err
	}
	if err := a.Authorize(c, n, Question{Action: "sts:GetSessionToken"}); err != nil {
		return credential.Session{}, err
	}
	now := a.now().UTC().Truncate(time.Second)
	p := c.Principal
	p.Tags = nil // read as they are when the session is used
	return credential.Session{
		Principal: p, SourceKeyID: c.AccessKeyID, IssuedAt: now, ExpiresAt: now.Add(lifetime), Via: credential.ViaSessionToken,
	}, nil
}

// Federate is a session of a federated user: what both the calling user and the session policies allow, and without session policies
// nothing but what resource policies grant it by name. Tags need sts:TagSession.
//
// Faults: Invalid (a parameter breaks a rule), Limit (policies and tags do not pack), Denied with subject "action".
func (a *Authorizer) Federate(q Federation) (credential.Session, error) {
	if err := longTerm(q.Caller, "GetFederationToken"); err != nil {
		return credential.Session{}, err
	}
	if err := checkName("Name", q.Name, "=,.@-_+", 32); err != nil {
		return credential.Session{}, err
	}
	if len(q.PolicyARNs) > maxPolicyARNs {
		return credential.Session{}, fault.New(fault.Invalid, "parameter", "A session has at most %d managed session policies", maxPolicyARNs)
	}
	if err := checkTags(q.Tags, nil); err != nil {
		return credential.Session{}, err
	}
	lifetime, err := userLifetime(q.Caller, q.Duration)
	if err != nil {
		return credential.Session{}, err
	}
	caller := q.Caller.Principal
	session := credential.Session{
		Principal: arn.Principal{
			Kind: arn.FederatedUser, Account: caller.Account, ARN: arn.Federated(caller.Account, q.Name),
			ID: caller.Account + ":" + q.Name, UserARN: caller.ARN,
		},
		SessionPolicies: q.SessionPolicies, PolicyARNs: q.PolicyARNs, SessionTags: q.Tags,
		SourceKeyID: q.Caller.AccessKeyID, Via: credential.ViaFederationToken,
	}
	actions := []string{"sts:GetFederationToken"}
	if len(q.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	for _, action := range actions {
		err := a.Authorize(q.Caller, q.Network, Question{
			Action: action, Resource: session.Principal.ARN, Keys: func(k *policy.Context) { requestTags(k, q.Tags) },
		})
		if err != nil {
			return credential.Session{}, err
		}
	}
	if err := a.checkSessionPolicies(q.SessionPolicies, q.PolicyARNs, caller.Account); err != nil {
		return credential.Session{}, err
	}
	if err := checkPacked(q.SessionPolicies, q.PolicyARNs, q.Tags); err != nil {
		return credential.Session{}, err
	}
	session.IssuedAt = a.now().UTC().Truncate(time.Second)
	session.ExpiresAt = session.IssuedAt.Add(lifetime)
	return session, nil
}

func requestTags(k *policy.Context, tags map[string]string) {
	if len(tags) == 0 {
		return
	}
	names := make([]string, 0, len(tags))
	for key, value := range tags {
		k.Set("aws:RequestTag/"+key, value)
		names = append(names, key)
	}
	k.Set("aws:TagKeys", names...)
}

// longTerm holds that a user or root user signed with a key of its own: temporary credentials make no further ones this way.
func longTerm(c Caller, operation string) error {
	if c.Session == nil && (c.Principal.Kind == arn.IAMUser || c.Principal.Kind == arn.RootUser) {
		return nil
	}
	return fault.New(fault.Denied, "action", "Cannot call %s with session credentials", operation)
}

func userLifetime(c Caller, asked time.Duration) (time.Duration, error) {
	switch root := c.Principal.Kind == arn.RootUser; {
	case asked != 0 && (asked < minDuration || asked > maxUserDuration):
		return 0, fault.New(fault.Invalid, "parameter", "DurationSeconds must be between 900 and 129600, not %d", int64(asked/time.Second))
	case asked == 0 && root:
		return maxRootDuration, nil
	case asked == 0:
		return defaultUserDuration, nil
	case root:
		return min(asked, maxRootDuration), nil
	}
	return asked, nil
}

// userSession is the caller of a session that a long-term key asked for. The session ends with that key: when it is deactivated, when
// it is deleted, when its user is. Name, ARN and tags are the user's of now.
func (a *Authorizer) userSession(session credential.Session) (Caller, error) {
	owner, _, ok := a.keyOwner(session.SourceKeyID)
	if !ok || owner.Account != session.Principal.Account {
		return Caller{}, errTokenInvalid
	}
	switch session.Principal.Kind {
	case arn.IAMUser, arn.RootUser:
		if owner.Kind != session.Principal.Kind || owner.ID != session.Principal.ID {
			return Caller{}, errTokenInvalid
		}
		session.Principal = owner
	case arn.FederatedUser:
		session.Principal.UserARN = owner.ARN
		session.Principal.Tags = overlay(owner.Tags, session.SessionTags)
	case arn.Anonymous, arn.RoleSession, arn.Service, arn.WebIdentity:
		return Caller{}, errTokenInvalid
	}
	return Caller{Principal: session.Principal, AccessKeyID: session.AccessKeyID, Session: &session}, nil
}

// everything is what the root user may do in its account; a federated user whom it made has as much to be narrowed by session policies.
var everything = policy.NewSource(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)

// federated gathers the policies of a federated user: those of the user who made it, and its session policies.
func (a *Authorizer) federated(g *gathered, c Caller) {
	p := c.Principal
	u, ok := a.iam.FindUser(p.Account, p.UserARN[strings.LastIndexByte(p.UserARN, '/')+1:])
	switch {
	case c.Session == nil:
		g.set.Boundary = nothing()
		return
	case p.UserARN == arn.Root(p.Account):
		g.identity(everything.As(policy.Identity), "the root user")
	case ok && u.ARN() == p.UserARN:
		a.user(g, u)
	default:
		g.set.Boundary = nothing()
		return
	}
	a.session(g, c.Session)
}

// MayCall refuses calls for which temporary credentials of users are no good, whatever policies say: IAM, and of STS all but a few.
// The services ask it before anything else. spec: iam-policy.md 7.1
func (c Caller) MayCall(service, operation string) error {
	if c.Session == nil || c.Principal.Kind == arn.RoleSession {
		return nil
	}
	switch service {
	case "iam":
		return fault.New(fault.Unauthenticated, "access key", "The security token included in the request is invalid "+
			"(temporary credentials of a user cannot call IAM: sign with a long-term key, or assume a role)")
	case "sts":
		if operation == "GetCallerIdentity" || operation == "AssumeRole" && c.Principal.Kind != arn.FederatedUser {
			return nil
		}
		return fault.New(fault.Denied, "action", "Cannot call %s with session credentials", operation)
	}
	return nil
}
