// Package oracle asks the policy engine what others have answered: a second evaluator written from the specification
// (test/oracle/reference), and @cloud-copilot/iam-simulate. It belongs to the tests; the product never imports it.
//
// It promises that a question can be asked again: everything is drawn from a seed.
package oracle

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/podid/podid/test/oracle/reference"
)

// The two accounts of the small world that questions are about.
const (
	home  = "111122223333"
	other = "444455556666"
)

// Generator draws questions over small alphabets, so that policies and requests meet often.
type Generator struct{ *rand.Rand }

// NewGenerator draws the same questions for the same seed.
func NewGenerator(seed uint64) Generator { return Generator{rand.New(rand.NewPCG(seed, 0))} }

func (g Generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g Generator, from []T) T { return from[g.IntN(len(from))] }

// some draws between least and most of the list, with repetition.
func some[T any](g Generator, from []T, least, most int) []T {
	out := []T{}
	for range least + g.IntN(most-least+1) {
		out = append(out, pick(g, from))
	}
	return out
}

var principals = []reference.Principal{
	{Type: "user", Account: home, ARN: "arn:aws:iam::111122223333:user/ann", UserName: "ann", UserID: "AIDAEXAMPLEEXAMPLE001"},
	{Type: "user", Account: other, ARN: "arn:aws:iam::444455556666:user/ops/bob", UserName: "bob", UserID: "AIDAEXAMPLEEXAMPLE002"},
	{
		Type: "assumedRole", Account: home, ARN: "arn:aws:sts::111122223333:assumed-role/app/s", UserID: "AROAEXAMPLEEXAMPLE001:s",
		RoleARN: "arn:aws:iam::111122223333:role/app", RoleID: "AROAEXAMPLEEXAMPLE001",
	},
	{
		Type: "assumedRole", Account: home, ARN: "arn:aws:sts::111122223333:assumed-role/ci/s", UserID: "AROAEXAMPLEEXAMPLE002:s",
		RoleARN: "arn:aws:iam::111122223333:role/team/ci", RoleID: "AROAEXAMPLEEXAMPLE002",
	},
	{
		Type: "assumedRole", Account: other, ARN: "arn:aws:sts::444455556666:assumed-role/app/s", UserID: "AROAEXAMPLEEXAMPLE003:s",
		RoleARN: "arn:aws:iam::444455556666:role/app", RoleID: "AROAEXAMPLEEXAMPLE003",
	},
	{
		Type: "federatedUser", Account: home, ARN: "arn:aws:sts::111122223333:federated-user/ann", UserID: "111122223333:ann",
		UserARN: "arn:aws:iam::111122223333:user/ann",
	},
	{Type: "root", Account: home, ARN: "arn:aws:iam::111122223333:root", UserID: home},
	{Type: "root", Account: other, ARN: "arn:aws:iam::444455556666:root", UserID: other},
	{Type: "service", ARN: "pods.eks.amazonaws.com"},
	{Type: "anonymous", ARN: "*"},
	{Type: "webIdentity", ARN: "arn:aws:iam::111122223333:oidc-provider/ids.example.com"},
}

// outsider tells the callers that bring no policies of their own.
func outsider(p reference.Principal) bool {
	return p.Type == "service" || p.Type == "anonymous" || p.Type == "webIdentity"
}

var awsNames = []string{
	"*", home, other, "arn:aws:iam::111122223333:root", "arn:aws:iam::444455556666:root",
	"arn:aws:iam::111122223333:user/ann", "arn:aws:iam::444455556666:user/ops/bob", "arn:aws:iam::111122223333:role/app",
	"arn:aws:iam::111122223333:role/team/ci", "arn:aws:iam::111122223333:role/ci", "arn:aws:iam::444455556666:role/app", "arn:aws:sts::111122223333:assumed-role/app/s",
	"arn:aws:sts::111122223333:assumed-role/app/t", "arn:aws:sts::111122223333:assumed-role/ci/s",
	"arn:aws:sts::444455556666:assumed-role/app/s", "arn:aws:sts::111122223333:federated-user/ann",
	"arn:aws:sts::111122223333:federated-user/bob", "AIDAEXAMPLEEXAMPLE001", "AROAEXAMPLEEXAMPLE001", "AROAEXAMPLEEXAMPLE002",
}

var (
	actions = []string{"s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:GetObjectTagging", "sqs:SendMessage"}
	acts    = []string{
		"*", "s3:*", "s3:GetObject", "S3:getobject", "s3:Get*", "s3:?utObject", "s3:*Object", "s3:PutObject", "s3:ListBucket", "sqs:*",
		"s3:*e*t*", "sqs:SendMessage", "s3:GetObject?agging",
	}
	resources = []string{
		"arn:aws:s3:::b", "arn:aws:s3:::b/ann/x", "arn:aws:s3:::b/bob/y", "arn:aws:s3:::b/a:n/x", "arn:aws:s3:::c/ann/*", "arn:aws:s3:::c/é",
		"arn:aws:sqs:eu-west-1:111122223333:q",
	}
	patterns = []string{
		"*", "arn:aws:s3:::*", "arn:aws:s3:::b", "arn:aws:s3:::b/*", "arn:aws:s3:::b/ann/*", "arn:aws:s3:::?/*", "arn:aws:s3:::b/a*/x",
		"arn:aws:s3:::c/?", "arn:aws:s3:::c/ann/${*}", "arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::*/${aws:PrincipalTag/team, 'bob'}/?",
		"arn:aws:s3:::b/${AWS:USERNAME, 'ann'}/x", "arn:aws:s3:::b/${aws:TagKeys}/*", "arn:aws:sqs:*:111122223333:q",
		"arn:aws:sqs:eu-*:*:*", "arn:aws:s3:::*b*n*x",
	}
)

// Stack draws policies around a caller: those of its own side, the resource's, and the organization's.
func (g Generator) Stack(p reference.Principal, trust bool) reference.Policies {
	s := reference.Policies{
		Identity: []json.RawMessage{}, Boundary: []json.RawMessage{}, Session: []json.RawMessage{}, SCP: [][]json.RawMessage{}, RCP: [][]json.RawMessage{},
	}
	if !outsider(p) {
		for range g.IntN(3) {
			s.Identity = append(s.Identity, g.document("", trust))
		}
		if g.chance(25) && p.Type != "root" {
			s.Boundary = append(s.Boundary, g.document("", trust))
		}
		for range g.IntN(3) {
			if p.Type == "assumedRole" && g.chance(40) || p.Type == "federatedUser" && g.chance(80) {
				s.Session = append(s.Session, g.document("", trust))
			}
		}
		if g.chance(20) {
			s.SCP = g.levels("")
		}
	}
	if g.chance(20) {
		s.RCP = g.levels("rcp")
	}
	switch {
	case trust:
		s.Trust = g.document("trust", true)
	case g.chance(60):
		s.Resource = g.document("bucket", false)
	}
	return s
}

func (g Generator) levels(kind string) [][]json.RawMessage {
	out := [][]json.RawMessage{}
	for range 1 + g.IntN(2) {
		level := []json.RawMessage{}
		for range 1 + g.IntN(2) {
			level = append(level, g.document(kind, g.chance(10)))
		}
		if g.chance(60) {
			level = append(level, g.everything(kind))
		}
		out = append(out, level)
	}
	return out
}

func (Generator) everything(kind string) json.RawMessage {
	if kind == "rcp" {
		return json.RawMessage(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`)
	}
	return json.RawMessage(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
}

type object = map[string]any

// document draws one policy; kind is "bucket", "trust", "rcp" or empty.
func (g Generator) document(kind string, sts bool) json.RawMessage {
	d := object{"Version": "2012-10-17"}
	if g.chance(10) {
		d["Version"] = "2008-10-17"
	}
	list := []any{}
	for range 1 + g.IntN(3) {
		list = append(list, g.statement(kind, sts))
	}
	d["Statement"] = list
	if len(list) == 1 && g.chance(50) {
		d["Statement"] = list[0]
	}
	text, err := json.Marshal(d)
	if err != nil {
		panic(fmt.Sprintf("what was drawn does not marshal: %v", err)) // maps of strings
	}
	return text
}

func (g Generator) statement(kind string, sts bool) object {
	s := object{"Effect": "Allow"}
	if g.chance(25) {
		s["Effect"] = "Deny"
	}
	not := func(element string, percent int) string {
		if g.chance(percent) {
			return "Not" + element
		}
		return element
	}
	switch {
	case kind == "trust":
		s["Principal"] = g.principal()
		s["Action"] = g.list(some(g, []string{"sts:AssumeRole", "sts:*", "STS:assumerole", "sts:Assume*", "sts:TagSession"}, 1, 2))
	case sts:
		s[not("Action", 10)] = g.list(some(g, []string{"sts:AssumeRole", "sts:*", "*", "sts:TagSession"}, 1, 2))
		s[not("Resource", 10)] = g.list(some(g, []string{"*", "arn:aws:iam::111122223333:role/*", "arn:aws:iam::*:role/target"}, 1, 2))
	default:
		s[not("Action", 12)] = g.list(some(g, acts, 1, 3))
		s[not("Resource", 12)] = g.list(some(g, patterns, 1, 3))
	}
	switch kind {
	case "bucket":
		s[not("Principal", 12)] = g.principal()
	case "rcp":
		s["Principal"] = "*"
	}
	if g.chance(45) {
		s["Condition"] = g.condition()
	}
	return s
}

// list is a list, or its only member now and then.
func (g Generator) list(of []string) any {
	if len(of) == 1 && g.chance(50) {
		return of[0]
	}
	return of
}

func (g Generator) principal() any {
	if g.chance(12) {
		return "*"
	}
	p := object{}
	if g.chance(85) {
		p["AWS"] = g.list(some(g, awsNames, 1, 3))
	}
	if g.chance(15) || len(p) == 0 {
		p["Service"] = g.list(some(g, []string{"pods.eks.amazonaws.com", "ec2.amazonaws.com"}, 1, 2))
	}
	if g.chance(10) {
		p["Federated"] = pick(g, []string{"arn:aws:iam::111122223333:oidc-provider/ids.example.com", "accounts.google.com"})
	}
	return p
}

// Case draws the request that belongs to a stack.
func (g Generator) Case(id string, p reference.Principal, s reference.Policies) reference.Case {
	r := reference.Request{
		Action: pick(g, actions), Resource: pick(g, resources), ResourceAccount: pick(g, []string{home, home, home, other}), Context: g.context(),
	}
	if len(s.Trust) > 0 {
		r.Action, r.Resource = pick(g, []string{"sts:AssumeRole", "sts:AssumeRole", "sts:TagSession"}), "arn:aws:iam::111122223333:role/target"
	}
	p.Tags = map[string]string{}
	return reference.Case{ID: id, Policies: s, Principal: p, Request: r}
}

// Questions calls ask with n questions, several about each stack of policies, until it returns false.
func (g Generator) Questions(n int, ask func(reference.Case) bool) {
	const perStack = 5
	for i := 0; i < n; {
		p := pick(g, principals)
		trust := g.chance(15)
		s := g.Stack(p, trust)
		for range perStack {
			if i++; i > n || !ask(g.Case(fmt.Sprintf("generated-%d", i), p, s)) {
				return
			}
		}
	}
}
