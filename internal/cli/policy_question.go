package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/policy"
)

// question is one request and the policies that bear on it, as flags.
type question struct {
	principal, account, userID, userARN string
	tags                                []string
	action, resource, resourceAccount   string
	identity, session, scp, rcp         []string
	boundary, resourcePolicy, trust     string
	context                             []string
	contextFile                         string
	asJSON                              bool
}

const questionHelp = `The caller (--principal) is the ARN of a user, a role (any session of it), a role session, a federated user or an account root;
the ARN of an identity provider (a web identity); the name of a service (pods.eks.amazonaws.com); or * (an anonymous caller).

The condition keys that follow from the caller are set: aws:PrincipalArn, aws:PrincipalAccount, aws:PrincipalType, aws:username,
aws:userid (with --user-id) and aws:PrincipalTag/... (with --tag). All others are absent unless --context gives them:
key=value, key=value,value for a multivalued key, key= for the empty string, key alone for a key without values. A later flag
for the same key adds values. --context-file is a JSON object of key to list of values, for values with commas.

--scp and --rcp: one flag an organization level, root first; documents of one level are separated by commas.
`

func (q *question) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&q.principal, "principal", "", "who asks: an ARN, a service name, or *")
	f.StringVar(&q.account, "account", "", "account of the caller (default: from its ARN)")
	f.StringVar(&q.userID, "user-id", "", "unique id of the caller, as aws:userid: AIDA..., or AROA...:session")
	f.StringVar(&q.userARN, "user-arn", "", "of a federated user: the user who called GetFederationToken")
	f.StringArrayVar(&q.tags, "tag", nil, "principal tag, KEY=VALUE (repeatable)")
	f.StringVar(&q.action, "action", "", "the action, service:Name")
	f.StringVar(&q.resource, "resource", "*", "the resource's ARN; * for actions without a resource")
	f.StringVar(&q.resourceAccount, "resource-account", "", "who owns the resource (default: the account in its ARN, else the caller's)")
	f.StringArrayVar(&q.identity, "identity", nil, "identity policy of the caller (repeatable)")
	f.StringVar(&q.boundary, "boundary", "", "permissions boundary of the caller")
	f.StringArrayVar(&q.session, "session", nil, "session policy (repeatable)")
	f.StringArrayVar(&q.scp, "scp", nil, "service control policies of a level, FILE[,FILE] (repeatable)")
	f.StringArrayVar(&q.rcp, "rcp", nil, "resource control policies of a level, FILE[,FILE] (repeatable)")
	f.StringVar(&q.resourcePolicy, "resource-policy", "", "policy on the resource")
	f.StringVar(&q.trust, "trust", "", "trust policy: the role is the resource")
	f.StringArrayVar(&q.context, "context", nil, "condition key, KEY=VALUE[,VALUE] (repeatable)")
	f.StringVar(&q.contextFile, "context-file", "", "JSON object of condition key to list of values")
	f.BoolVar(&q.asJSON, "json", false, "print JSON")
}

// ask reads the files and puts the question together.
func (q *question) ask(p *Process) (*policy.Request, *policy.Set, error) {
	if q.principal == "" || q.action == "" {
		return nil, nil, errors.New("--principal and --action are needed")
	}
	if q.resourcePolicy != "" && q.trust != "" {
		return nil, nil, errors.New("--resource-policy and --trust exclude each other: a role has no other resource policy than its trust policy")
	}
	caller, err := q.caller()
	if err != nil {
		return nil, nil, err
	}
	r := &policy.Request{Principal: caller, Action: q.action, Resource: q.resource, ResourceAccount: q.resourceAccount}
	if r.ResourceAccount == "" {
		r.ResourceAccount = caller.Account
		if a, err := arn.Parse(q.resource); err == nil && a.Account != "" {
			r.ResourceAccount = a.Account
		}
	}
	if r.Context, err = q.keys(p, caller); err != nil {
		return nil, nil, err
	}
	s, err := q.set(p)
	return r, s, err
}

// sessionName is the session that stands for any session of a role.
const sessionName = "session"

func (q *question) caller() (*arn.Principal, error) {
	c := &arn.Principal{ARN: q.principal, Account: q.account, ID: q.userID, UserARN: q.userARN, Tags: map[string]string{}}
	for _, tag := range q.tags {
		key, value, ok := strings.Cut(tag, "=")
		if !ok {
			return nil, fmt.Errorf("--tag %s: KEY=VALUE is expected", tag)
		}
		c.Tags[key] = value
	}
	a, err := arn.Parse(q.principal)
	switch {
	case q.principal == "*":
		return c, nil
	case err != nil && strings.Contains(q.principal, ".") && !strings.Contains(q.principal, ":"):
		c.Kind = arn.Service
		return c, nil
	case err != nil:
		return nil, fmt.Errorf("--principal %s: %w", q.principal, err)
	}
	if c.Account == "" {
		c.Account = a.Account
	}
	kind, name, _ := strings.Cut(a.Resource, "/")
	switch a.Service + ":" + kind {
	case "iam:root":
		c.Kind = arn.RootUser
	case "iam:user":
		c.Kind, c.UserName = arn.IAMUser, name[strings.LastIndexByte(name, '/')+1:]
	case "iam:role":
		role, err := arn.ParseRole(q.principal)
		if err != nil {
			return nil, fmt.Errorf("--principal %s: %w", q.principal, err)
		}
		c.Kind, c.RoleARN, c.ARN = arn.RoleSession, q.principal, arn.AssumedRole(role.Account, role.Name, sessionName)
	case "sts:assumed-role":
		role, _, ok := strings.Cut(name, "/")
		if !ok {
			return nil, fmt.Errorf("--principal %s: the ARN of a role session ends in ROLE/SESSION", q.principal)
		}
		c.Kind, c.RoleARN = arn.RoleSession, arn.Role(a.Account, "/", role)
	case "sts:federated-user":
		c.Kind = arn.FederatedUser
	case "iam:oidc-provider", "iam:saml-provider":
		c.Kind, c.Account = arn.WebIdentity, q.account
	default:
		return nil, fmt.Errorf("--principal %s: neither a user, a role, a session, an account root nor an identity provider", q.principal)
	}
	c.RoleID, _, _ = strings.Cut(q.userID, ":")
	return c, nil
}

// keys are the condition keys: what follows from the caller, overlaid by the flags. spec: iam-policy.md 10
func (q *question) keys(p *Process, caller *arn.Principal) (*policy.Context, error) {
	c := &policy.Context{}
	set := func(key, value string) {
		if value != "" {
			c.Set(key, value)
		}
	}
	switch caller.Kind {
	case arn.RootUser:
		set("aws:PrincipalType", "Account")
		set("aws:PrincipalArn", caller.ARN)
		set("aws:userid", caller.Account)
	case arn.IAMUser:
		set("aws:PrincipalType", "User")
		set("aws:PrincipalArn", caller.ARN)
		set("aws:username", caller.UserName)
	case arn.RoleSession:
		set("aws:PrincipalType", "AssumedRole")
		set("aws:PrincipalArn", caller.RoleARN)
	case arn.FederatedUser:
		set("aws:PrincipalType", "FederatedUser")
		set("aws:PrincipalArn", caller.ARN)
	case arn.Anonymous:
		set("aws:PrincipalType", "Anonymous")
		set("aws:PrincipalAccount", "anonymous")
		set("aws:userid", "anonymous")
	case arn.Service, arn.WebIdentity:
	}
	set("aws:PrincipalAccount", caller.Account)
	set("aws:userid", caller.ID)
	for _, key := range slices.Sorted(maps.Keys(caller.Tags)) {
		c.Set("aws:PrincipalTag/"+key, caller.Tags[key])
	}
	if err := q.keysOfFile(p, c); err != nil {
		return nil, err
	}
	given := map[string][]string{}
	for _, flag := range q.context {
		key, values, some := strings.Cut(flag, "=")
		if key == "" {
			return nil, fmt.Errorf("--context %s: KEY=VALUE is expected", flag)
		}
		folded := strings.ToLower(key)
		if some {
			given[folded] = append(given[folded], strings.Split(values, ",")...)
		}
		c.Set(key, given[folded]...)
	}
	return c, nil
}

func (q *question) keysOfFile(p *Process, c *policy.Context) error {
	if q.contextFile == "" {
		return nil
	}
	text, err := p.readPolicy(q.contextFile)
	if err != nil {
		return err
	}
	var keys map[string][]string
	if err := json.Unmarshal([]byte(text), &keys); err != nil {
		return fmt.Errorf("%s: not an object of condition key to list of values: %w", q.contextFile, err)
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		c.Set(key, keys[key]...)
	}
	return nil
}

// set compiles the files; each document is called by the name of its file.
func (q *question) set(p *Process) (*policy.Set, error) {
	l := &loader{p: p}
	n := &policy.Names{Identity: q.identity, Session: q.session, Boundary: q.boundary, Resource: q.resourcePolicy + q.trust}
	s := &policy.Set{Names: n, Identity: l.all(policy.Identity, q.identity), Session: l.all(policy.Session, q.session)}
	if q.boundary != "" {
		s.Boundary = l.one(policy.Boundary, q.boundary)
	}
	switch {
	case q.resourcePolicy != "":
		s.Resource = l.one(policy.Bucket, q.resourcePolicy)
	case q.trust != "":
		s.Resource = l.one(policy.Trust, q.trust)
	}
	s.SCP, n.SCP = l.levels(policy.SCP, q.scp)
	s.RCP, n.RCP = l.levels(policy.RCP, q.rcp)
	return s, l.err
}

// loader reads documents and keeps the first error.
type loader struct {
	p     *Process
	err   error
	stdin bool
}

func (l *loader) one(kind policy.Kind, name string) *policy.Document {
	if l.err != nil {
		return nil
	}
	if name == "-" && l.stdin {
		l.err = errors.New("standard input (-) can be one policy only")
		return nil
	}
	l.stdin = l.stdin || name == "-"
	text, err := l.p.readPolicy(name)
	if err != nil {
		l.err = err
		return nil
	}
	d, err := policy.Compile(kind, text)
	if err != nil {
		l.err = placed(name, err)
	}
	return d
}

func (l *loader) all(kind policy.Kind, names []string) []*policy.Document {
	var out []*policy.Document
	for _, name := range names {
		out = append(out, l.one(kind, name))
	}
	return out
}

func (l *loader) levels(kind policy.Kind, flags []string) ([][]*policy.Document, [][]string) {
	var docs [][]*policy.Document
	var names [][]string
	for _, flag := range flags {
		level := strings.Split(flag, ",")
		docs, names = append(docs, l.all(kind, level)), append(names, level)
	}
	return docs, names
}
