package authz

import (
	"errors"
	"fmt"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

// The two ways into a role.
const (
	AssumeRole                = "sts:AssumeRole"
	AssumeRoleWithWebIdentity = "sts:AssumeRoleWithWebIdentity"
)

// Assumption asks for a session of a role.
type Assumption struct {
	Caller      Caller
	Action      string // AssumeRole or AssumeRoleWithWebIdentity
	RoleARN     string
	SessionName string
	Duration    time.Duration // 0: one hour

	Tags              map[string]string
	TransitiveTagKeys []string
	ExternalID        string
	SourceIdentity    string
	SessionPolicies   []string // documents
	PolicyARNs        []string // managed policies of the role's account or of AWS, as further session policies

	SourceARN     string              // the resource for which a service acts
	SourceAccount string              // and its account
	Provider      string              // ARN of the identity provider, web identities only
	Claims        map[string][]string // condition keys of the proven token: "<issuer host>:sub"

	Pod     *credential.Pod // the pod that the session is for, where it is known
	Via     string          // how the session came to be: "PodIdentity", "AssumeRole", "WebIdentity"
	Network Network
}

// Assume asks the role's trust policy and, where the caller has policies of its own, those too. Each of sts:AssumeRole,
// sts:TagSession (when the session has tags, passed or inherited) and sts:SetSourceIdentity is a question of its own and
// all must be allowed. It returns a session that is ready to be minted.
//
// A role that does not exist and a role whose trust policy is silent are refused alike, so that names cannot be probed.
//
// Faults: Invalid (a parameter breaks a rule), Denied with subject "role".
//
// spec: iam-policy.md 7.1, 7.2, 8
func (a *Authorizer) Assume(q Assumption) (credential.Session, error) {
	if err := q.check(); err != nil {
		return credential.Session{}, err
	}
	if err := q.checkCaller(); err != nil {
		return credential.Session{}, err
	}
	tags, transitive, err := q.sessionTags()
	if err != nil {
		return credential.Session{}, err
	}
	if s := q.Caller.Session; s != nil && s.SourceIdentity != "" {
		if q.SourceIdentity != "" && q.SourceIdentity != s.SourceIdentity {
			return credential.Session{}, fault.New(fault.Denied, "role", "The source identity of a session cannot be changed in a role chain")
		}
		q.SourceIdentity = s.SourceIdentity
	}
	role, ok := a.findRole(q.RoleARN)
	if !ok {
		return credential.Session{}, a.noSuchRole(q, tags, transitive)
	}
	for _, action := range q.actions(len(tags) > 0) {
		if err := a.mayAssume(q, action, role, tags, transitive); err != nil {
			return credential.Session{}, err
		}
	}
	lifetime, err := q.lifetime(role)
	if err != nil {
		return credential.Session{}, err
	}
	if err := a.checkSessionPolicies(q.SessionPolicies, q.PolicyARNs, role.Account); err != nil {
		return credential.Session{}, err
	}
	if err := checkPacked(q.SessionPolicies, q.PolicyARNs, tags); err != nil {
		return credential.Session{}, err
	}
	now := a.now().UTC().Truncate(time.Second)
	return credential.Session{
		Principal: arn.Principal{
			Kind: arn.RoleSession, Account: role.Account, ARN: arn.AssumedRole(role.Account, role.Name, q.SessionName),
			ID: role.ID + ":" + q.SessionName, RoleARN: role.ARN(), RoleID: role.ID,
		},
		SessionPolicies: q.SessionPolicies, PolicyARNs: q.PolicyARNs, SessionTags: tags, TransitiveTagKeys: transitive,
		SourceIdentity: q.SourceIdentity,
		IssuedAt:       now, ExpiresAt: now.Add(lifetime), Pod: q.Pod, Via: q.Via, FederatedProvider: q.Provider,
	}, nil
}

// checkCaller holds that each action has its own sort of caller: a principal that was proven in one way must not be judged by
// the rules for another.
func (q *Assumption) checkCaller() error {
	switch q.Caller.Principal.Kind {
	case arn.RootUser:
		return fault.New(fault.Denied, "role", "Roles may not be assumed by root accounts.")
	case arn.IAMUser, arn.RoleSession, arn.Service:
		if q.Action == AssumeRole {
			return nil
		}
	case arn.WebIdentity:
		if q.Action == AssumeRoleWithWebIdentity {
			return nil
		}
	case arn.Anonymous, arn.FederatedUser:
	}
	return fault.New(fault.Denied, "role", "Not authorized to perform %s", q.Action)
}

func (q *Assumption) actions(tagged bool) []string {
	actions := []string{q.Action}
	if tagged {
		actions = append(actions, "sts:TagSession")
	}
	if q.SourceIdentity != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	return actions
}

func (a *Authorizer) mayAssume(q Assumption, action string, role *iam.Role, tags map[string]string, transitive []string) error {
	keys := a.keys(q.Caller, q.Network)
	own := replaced(role.Tags, inherited(q.Caller.Session))
	a.resourceKeys(keys, own, role.Account)
	a.orgKeys(keys, "aws:SourceOrgID", "aws:SourceOrgPaths", q.SourceAccount)
	for k, v := range own {
		keys.Set("iam:ResourceTag/"+k, v)
	}
	q.assumeKeys(keys, tags, transitive)
	req := &policy.Request{
		Principal: &q.Caller.Principal, Action: action, Resource: q.RoleARN, ResourceAccount: role.Account, Context: keys,
	}
	return a.decide("role", q.Caller, req, role.Trust.As(policy.Trust), role.Name)
}

// assumeKeys sets the condition keys of the call. Inherited transitive tags count as request tags, as the documented trust
// policies of target roles need. spec: pod-identity.md 2.6, iam-policy.md 7.2, 7.3
func (q *Assumption) assumeKeys(k *policy.Context, tags map[string]string, transitive []string) {
	k.Set("sts:RoleSessionName", q.SessionName)
	setIf := func(key, value string) {
		if value != "" {
			k.Set(key, value)
		}
	}
	setIf("sts:ExternalId", q.ExternalID)
	setIf("sts:SourceIdentity", q.SourceIdentity)
	setIf("aws:SourceArn", q.SourceARN)
	setIf("aws:SourceAccount", q.SourceAccount)
	if len(transitive) > 0 {
		k.Set("sts:TransitiveTagKeys", transitive...)
	}
	if len(tags) > 0 {
		names := make([]string, 0, len(tags))
		for key, value := range tags {
			k.Set("aws:RequestTag/"+key, value)
			names = append(names, key)
		}
		k.Set("aws:TagKeys", names...)
	}
	for key, values := range q.Claims {
		k.Set(key, values...)
	}
}

// trustsNobody is a trust policy that is silent to everyone: it is about an action that nobody needs it for.
var trustsNobody = policy.NewSource(`{"Version":"2012-10-17","Statement":{"Effect":"Allow",` +
	`"Principal":{"Service":"nobody.invalid"},"Action":"sts:GetAccessKeyInfo"}}`)

// noSuchRole is the refusal for a role that is not there: that of a role in its place whose trust policy is silent, to the letter.
func (a *Authorizer) noSuchRole(q Assumption, tags map[string]string, transitive []string) error {
	name, err := arn.ParseRole(q.RoleARN)
	if err != nil {
		return err // checked before
	}
	silent := &iam.Role{Account: name.Account, Path: name.Path, Name: name.Name, Trust: trustsNobody}
	err = a.mayAssume(q, q.Action, silent, tags, transitive)
	if err == nil {
		return fault.New(fault.Denied, "role", "The role may not be assumed").Because(fmt.Errorf("there is no role %s", q.RoleARN))
	}
	if d, ok := errors.AsType[*Denial](err); ok {
		d.Note = "there is no role " + q.RoleARN
	}
	return err
}

// maxChained is how long a session lasts that was assumed by a session.
const maxChained = time.Hour

// lifetime is how long the session lasts: the duration asked for, within what role and chain permit. A service is not bound
// by the role's own limit. spec: iam-policy.md 7.1, pod-identity.md 2.6
func (q *Assumption) lifetime(role *iam.Role) (time.Duration, error) {
	d := q.Duration
	if d == 0 {
		d = time.Hour
	}
	switch {
	case q.Caller.Principal.Kind == arn.Service:
	case q.Caller.Principal.Kind == arn.RoleSession && d > maxChained:
		return 0, fault.New(fault.Invalid, "duration",
			"The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	case d > max(role.MaxSession, time.Hour):
		return 0, fault.New(fault.Invalid, "duration", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return d, nil
}
