package cases

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/policy"
)

// decision asks for the outcome of one request.
type decision struct {
	remarks

	Policies struct {
		Identity []json.RawMessage   `json:"identity"`
		Resource json.RawMessage     `json:"resource"`
		Boundary []json.RawMessage   `json:"boundary"`
		Session  []json.RawMessage   `json:"session"`
		SCP      [][]json.RawMessage `json:"scp"`
		RCP      [][]json.RawMessage `json:"rcp"`
		Trust    json.RawMessage     `json:"trust"`
	} `json:"policies"`
	Principal principal `json:"principal"`
	Request   struct {
		Action          string              `json:"action"`
		Resource        string              `json:"resource"`
		ResourceAccount string              `json:"resourceAccount"`
		Context         map[string][]string `json:"context"`
	} `json:"request"`
	Expect string `json:"expect"`
}

type principal struct {
	Account  string            `json:"account"`
	ARN      string            `json:"arn"`
	Type     string            `json:"type"`
	Tags     map[string]string `json:"tags"`
	UserName string            `json:"userName"`
	UserID   string            `json:"userId"`
	RoleARN  string            `json:"roleArn"`
	RoleID   string            `json:"roleId"`
	UserARN  string            `json:"userArn"`
}

func (d *decision) run(out *Result) error {
	out.Expect = d.Expect
	switch d.Expect {
	case "allow", "explicitDeny", "implicitDeny":
	default:
		return fmt.Errorf("expect is allow, explicitDeny or implicitDeny, not %q", d.Expect)
	}
	p, err := d.Principal.principal()
	if err != nil {
		return err
	}
	set, err := d.set()
	if err != nil {
		return err
	}
	c := &policy.Context{}
	for _, key := range slices.Sorted(maps.Keys(d.Request.Context)) {
		if _, twice := c.Get(key); twice {
			return fmt.Errorf("condition key %q twice, in different letter case", key)
		}
		c.Set(key, d.Request.Context[key]...)
	}
	r := &policy.Request{
		Principal: p, Action: d.Request.Action, Resource: d.Request.Resource, ResourceAccount: d.Request.ResourceAccount, Context: c,
	}
	if r.Action == "" || r.Resource == "" {
		return errors.New("a request needs an action and a resource")
	}
	t := policy.Explain(r, set)
	out.Decision, out.Why = t.Outcome.String(), t.Sentence()
	return nil
}

// set compiles the documents of the row.
func (d *decision) set() (*policy.Set, error) {
	var s policy.Set
	var err error
	names := &policy.Names{}
	if s.Identity, names.Identity, err = compile(policy.Identity, "identity", d.Policies.Identity); err != nil {
		return nil, err
	}
	if s.Session, names.Session, err = compile(policy.Session, "session", d.Policies.Session); err != nil {
		return nil, err
	}
	boundary, named, err := compile(policy.Boundary, "boundary", d.Policies.Boundary)
	switch {
	case err != nil:
		return nil, err
	case len(boundary) > 1:
		return nil, errors.New("policies.boundary holds one document at most")
	case len(boundary) == 1:
		s.Boundary, names.Boundary = boundary[0], named[0]
	}
	if s.SCP, names.SCP, err = levels(policy.SCP, "scp", d.Policies.SCP); err != nil {
		return nil, err
	}
	if s.RCP, names.RCP, err = levels(policy.RCP, "rcp", d.Policies.RCP); err != nil {
		return nil, err
	}
	kind, member, text := policy.Bucket, "resource", d.Policies.Resource
	sts := strings.HasPrefix(strings.ToLower(d.Request.Action), "sts:")
	if present(d.Policies.Trust) && (sts || !present(text)) {
		kind, member, text = policy.Trust, "trust", d.Policies.Trust
	}
	if present(text) {
		docs, named, err := compile(kind, member, []json.RawMessage{text})
		if err != nil {
			return nil, err
		}
		s.Resource, names.Resource = docs[0], named[0]
	}
	s.Names = names
	return &s, nil
}

func present(text json.RawMessage) bool { return len(text) > 0 && string(text) != "null" }

func levels(kind policy.Kind, member string, texts [][]json.RawMessage) ([][]*policy.Document, [][]string, error) {
	var docs [][]*policy.Document
	var names [][]string
	for i, level := range texts {
		d, n, err := compile(kind, fmt.Sprintf("%s[%d]", member, i), level)
		if err != nil {
			return nil, nil, err
		}
		docs, names = append(docs, d), append(names, n)
	}
	return docs, names, nil
}

func compile(kind policy.Kind, member string, texts []json.RawMessage) ([]*policy.Document, []string, error) {
	var docs []*policy.Document
	var names []string
	for i, text := range texts {
		name := fmt.Sprintf("policies.%s[%d]", member, i)
		d, err := policy.Compile(kind, asText(text))
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		docs, names = append(docs, d), append(names, name)
	}
	return docs, names, nil
}

var kinds = map[string]arn.Kind{
	"user": arn.IAMUser, "assumedRole": arn.RoleSession, "federatedUser": arn.FederatedUser, "root": arn.RootUser,
	"service": arn.Service, "anonymous": arn.Anonymous, "webIdentity": arn.WebIdentity,
}

func (p *principal) principal() (*arn.Principal, error) {
	kind, ok := kinds[p.Type]
	if !ok {
		return nil, fmt.Errorf("unknown principal type %q", p.Type)
	}
	out := &arn.Principal{
		Kind: kind, Account: p.Account, ARN: p.ARN, ID: p.UserID, UserName: p.UserName, RoleARN: p.RoleARN, RoleID: p.RoleID,
		UserARN: p.UserARN, Tags: p.Tags,
	}
	if kind == arn.RoleSession && out.RoleARN == "" {
		out.RoleARN = roleOf(p.ARN)
	}
	return out, nil
}

// roleOf is the ARN of a session's role, for a role without a path. A row about a role with a path has to say so in roleArn.
func roleOf(session string) string {
	a, err := arn.Parse(session)
	if err != nil {
		return ""
	}
	role, ok := strings.CutPrefix(a.Resource, "assumed-role/")
	name, _, _ := strings.Cut(role, "/")
	if !ok || name == "" {
		return ""
	}
	return arn.Role(a.Account, "/", name)
}
