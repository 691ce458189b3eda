// Package authz asks the right question: may this caller do this, may this caller assume that role?
//
// It proves nothing and decides nothing by itself. It gathers what the decision needs (the policies of the caller, the policy
// on the resource, the condition keys of the request), puts the question to package policy, and words the refusal: AWS's
// sentence first, then the layer that refused and what would have let the request pass. No other package of the control
// plane puts a question to the policy engine, so no handler can forget a layer.
//
// All reads come from the in-memory index; nothing here waits for anything.
package authz

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/organization"
	"github.com/podid/podid/internal/policy"
)

// Caller is who signed a request.
type Caller struct {
	Principal   arn.Principal
	AccessKeyID string
	Session     *credential.Session // nil for long-term keys, services and web identities
}

// ServiceCaller is podid acting by itself under a service principal such as pods.eks.amazonaws.com.
func ServiceCaller(name string) Caller {
	return Caller{Principal: arn.Principal{Kind: arn.Service, ARN: name}}
}

// Network is where a request came from. It is filled by the front from the connection, never from forwarding headers.
type Network struct {
	SourceIP  netip.Addr
	UserAgent string
	Referer   string
	Secure    bool
	Region    string
	Time      time.Time
}

// Config is what an Authorizer needs; every field is required.
type Config struct {
	IAM           *iam.Directory
	Organizations *organization.Directory
	Ring          *credential.Ring
	Now           func() time.Time
}

// Authorizer answers for one control plane. It is safe for concurrent use.
type Authorizer struct {
	iam           *iam.Directory
	organizations *organization.Directory
	ring          *credential.Ring
	now           func() time.Time
	contexts      sync.Pool
}

// New makes an Authorizer.
func New(c Config) (*Authorizer, error) {
	if c.IAM == nil || c.Organizations == nil || c.Ring == nil || c.Now == nil {
		return nil, errors.New("authz: IAM, Organizations, Ring and Now are required")
	}
	return &Authorizer{
		iam: c.IAM, organizations: c.Organizations, ring: c.Ring, now: c.Now,
		contexts: sync.Pool{New: func() any { return new(policy.Context) }},
	}, nil
}

var (
	errUnknownKey   = fault.New(fault.Unauthenticated, "access key", "The security token included in the request is invalid.")
	errTokenInvalid = fault.New(fault.Unauthenticated, "session token", "The security token included in the request is invalid.")
	errTokenRevoked = fault.New(fault.Expired, "session token", "The security token included in the request is expired: the sessions of its role were revoked")
)

// Caller finds who owns an access key and the secret that its signatures are made with. Nothing is proven until a signature
// was checked with that secret. A session of a role that was deleted, re-created or revoked is refused here.
func (a *Authorizer) Caller(ctx context.Context, accessKeyID, sessionToken string) (Caller, string, error) {
	if strings.HasPrefix(accessKeyID, "ASIA") {
		return a.sessionCaller(ctx, accessKeyID, sessionToken)
	}
	owner, secret, ok := a.keyOwner(accessKeyID)
	if !ok {
		return Caller{}, "", errUnknownKey
	}
	if sessionToken != "" {
		return Caller{}, "", errTokenInvalid
	}
	return Caller{AccessKeyID: accessKeyID, Principal: owner}, secret, nil
}

// keyOwner is whose long-term key it is, as they are now, and the key's secret. Inactive keys and those of nobody have no owner.
func (a *Authorizer) keyOwner(id string) (owner arn.Principal, secret string, ok bool) {
	key, ok := a.iam.FindAccessKey(id)
	if !ok || !key.Active {
		return arn.Principal{}, "", false
	}
	if key.UserName == "" {
		return arn.Principal{Kind: arn.RootUser, Account: key.Account, ARN: arn.Root(key.Account), ID: key.Account}, key.Secret, true
	}
	user, ok := a.iam.FindUser(key.Account, key.UserName)
	if !ok {
		return arn.Principal{}, "", false
	}
	return arn.Principal{
		Kind: arn.IAMUser, Account: user.Account, ARN: user.ARN(), ID: user.ID, UserName: user.Name, Tags: user.Tags,
	}, key.Secret, true
}

func (a *Authorizer) sessionCaller(ctx context.Context, accessKeyID, sessionToken string) (Caller, string, error) {
	session, secret, err := a.ring.Open(ctx, accessKeyID, sessionToken)
	if err != nil {
		return Caller{}, "", err
	}
	caller, err := a.SessionCaller(session)
	if err != nil {
		return Caller{}, "", err
	}
	return caller, secret, nil
}

// SessionCaller is the caller that a session is, with its role or user as they are now. It fails as [Authorizer.Caller] does.
func (a *Authorizer) SessionCaller(session credential.Session) (Caller, error) {
	if session.Principal.Kind != arn.RoleSession {
		return a.userSession(session)
	}
	role, ok := a.findRole(session.Principal.RoleARN)
	if !ok || role.ID != session.Principal.RoleID {
		return Caller{}, errTokenInvalid
	}
	// Both times are whole seconds. Of a session that began in the second of the revocation nobody knows which came first.
	if !role.RevokedBefore.IsZero() && !session.IssuedAt.After(role.RevokedBefore) {
		return Caller{}, errTokenRevoked
	}
	// Role tags are read as they are now; the session's own tags were fixed when it began. spec: iam-policy.md 8
	session.Principal.Tags = overlay(role.Tags, session.SessionTags)
	return Caller{Principal: session.Principal, AccessKeyID: session.AccessKeyID, Session: &session}, nil
}

// findRole looks a role up by its whole ARN, path included.
func (a *Authorizer) findRole(roleARN string) (*iam.Role, bool) {
	name, err := arn.ParseRole(roleARN)
	if err != nil {
		return nil, false
	}
	role, ok := a.iam.FindRole(name.Account, name.Name)
	if !ok || role.ARN() != roleARN {
		return nil, false
	}
	return role, true
}
