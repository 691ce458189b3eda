// Package lint finds what is wrong, dangerous, odd or superfluous in a policy that its author should hear about.
//
// It judges one document by its text, without accounts, roles or buckets to look things up in, so it can be wrong about intent and never
// refuses anything by itself. What the engine refuses on write is reported as the rule "syntax", in AWS's words. Every other
// rule is a row of [Rules].
//
// spec: iam-policy.md 13
package lint

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/podid/podid/internal/policy"
)

// Severity orders findings.
type Severity string

// The severities. A warning may be about security; each rule says so.
const (
	Error      Severity = "error"      // it does not work, or not as it reads
	Warning    Severity = "warning"    // it works, and probably not as meant
	Suggestion Severity = "suggestion" // it can be said better
)

// Finding is one remark about one place.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	Line     int      `json:"line"` // from one
	Column   int      `json:"column"`
	Message  string   `json:"message"`
}

// Rule is one thing that is looked for.
type Rule struct {
	ID       string   `json:"rule"`
	Severity Severity `json:"severity"`
	About    string   `json:"about"`
}

// rules is the list of what is looked for, in order of weight.
var rules = [...]Rule{
	{"syntax", Error, "the document would be refused when it is stored"},
	{"size-over-quota", Error, "the document is longer than its kind may be"},
	{"unknown-condition-key", Error, "no such condition key: the condition is about a key that is never present"},
	{"condition-type-mismatch", Error, "the operator does not fit the type of the key"},
	{"missing-set-operator", Error, "a multivalued key needs ForAllValues or ForAnyValue; without one nothing matches"},
	{"invalid-value", Error, "the operator cannot read the value, so it equals nothing"},
	{"multiple-bool-values", Error, "Bool with both values says nothing"},
	{"invalid-account", Error, "an account id in an ARN has 12 digits"},
	{"provider-mismatch", Error, "the action of a trust policy does not go with the type of its principal"},
	{"private-source-ip", Error, "aws:SourceIp is a public address; a private range never matches"},

	{"allow-not-principal", Warning, "security: Allow with NotPrincipal lets everybody else in, anonymous callers too"},
	{"deny-not-principal", Warning, "security: Deny with NotPrincipal denies whoever has a permissions boundary"},
	{"allow-not-action", Warning, "security: Allow with NotAction grants every action that is ever added"},
	{"allow-not-resource", Warning, "security: Allow with NotResource grants on every resource that is ever added"},
	{"pass-role", Warning, "security: iam:PassRole on every role, to every service"},
	{"trust-everyone", Warning, "security: a trust policy for everybody without a condition"},
	{"public-bucket", Warning, "security: S3 Block Public Access calls the policy public"},
	{"oidc-without-audience", Warning, "security: any token of the provider is accepted, whoever it was made for"},
	{"oidc-without-subject", Warning, "security: every subject of the provider may assume the role"},
	{"service-without-source", Warning, "security: the service may act for anybody's resources (confused deputy)"},
	{"for-all-values-allow", Warning, "security: ForAllValues is true when the key is absent"},
	{"set-operator-on-single-value", Warning, "security: a set operator on a single-valued key changes what an absent key means"},
	{"mfa-bool-deny", Warning, "security: without IfExists the Deny skips callers with long-term keys"},
	{"source-ip-without-via-service", Warning, "a Deny by address also stops services that act for the caller"},
	{"wildcard-service", Warning, "security: a wildcard in the service part of an action"},
	{"missing-paired-key", Warning, "security: a private address is unique only within its VPC"},

	{"old-version", Warning, "version 2012-10-17 is missing: policy variables are ordinary text"},
	{"variable-in-old-version", Warning, "${...} is ordinary text without version 2012-10-17"},
	{"wildcard-without-like", Warning, "the operator takes * and ? literally"},
	{"unique-id-principal", Warning, "the principal was deleted; the id stands for nobody"},
	{"deprecated-key", Warning, "the condition key is deprecated"},
	{"epoch-date", Warning, "a date in seconds since 1970 is hard to read"},
	{"operator-case", Warning, "operators are written in one letter case"},
	{"unknown-action", Warning, "no such action: the entry matches nothing"},
	{"action-resource-mismatch", Warning, "the action does not apply to any resource of the statement"},
	{"blank-in-action", Warning, "a blank in an action name matches nothing"},

	{"empty-list", Suggestion, "an empty list"},
	{"empty-condition", Suggestion, "an empty condition is always true"},
	{"empty-sid", Suggestion, "an empty Sid"},
	{"redundant-value", Suggestion, "another entry of the list covers it"},
	{"redundant-principal", Suggestion, "another principal covers it"},
	{"redundant-statement", Suggestion, "another statement covers it"},
	{"cidr-host-bits", Suggestion, "the address has bits beyond its prefix"},
}

// Rules lists what is looked for.
func Rules() []Rule { return slices.Clone(rules[:]) }

// Check reads a document of a kind and returns what there is to say about it, in the order of the document.
func Check(kind policy.Kind, text string) []Finding {
	c := &checker{kind: kind, text: text}
	refused := false
	if _, err := policy.Parse(kind, text); err != nil {
		refused = true
		c.syntax(err)
	}
	o, err := policy.ReadOutline(text)
	if err != nil {
		if !refused {
			c.syntax(err)
		}
		return c.found
	}
	c.o = o
	c.document()
	for i := range o.Statements {
		s := &o.Statements[i]
		c.conditions(s)
		c.actions(s)
		c.lists(s)
		c.security(s)
		if kind == policy.Trust {
			c.trust(s)
		}
	}
	c.redundantStatements()
	slices.SortStableFunc(c.found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), strings.Compare(a.Rule, b.Rule))
	})
	return c.found
}

type checker struct {
	kind  policy.Kind
	text  string
	o     *policy.Outline
	found []Finding
}

func (c *checker) syntax(err error) {
	f := Finding{Rule: "syntax", Severity: Error, Line: 1, Column: 1, Message: err.Error()}
	if e, ok := errors.AsType[*policy.SyntaxError](err); ok {
		f.Line, f.Column, f.Message = e.Line, e.Column, strings.TrimSpace(e.Message+" "+e.Detail)
	}
	c.found = append(c.found, f)
}

// maxFindings bounds the report on one document.
const maxFindings = 1000

func (c *checker) add(rule string, offset int, format string, args ...any) {
	if len(c.found) == maxFindings {
		return
	}
	f := Finding{Rule: rule, Message: fmt.Sprintf(format, args...)}
	f.Line, f.Column = c.o.Place(offset)
	for _, r := range rules {
		if r.ID == rule {
			f.Severity = r.Severity
		}
	}
	c.found = append(c.found, f)
}

// quotas are the lengths in characters that a document of a kind may have. spec: iam-policy.md 2
var quotas = map[policy.Kind]struct {
	limit int
	white bool // white space counts
}{
	policy.Identity: {policy.RoleInlineQuota, false}, policy.Boundary: {policy.ManagedQuota, false}, policy.Session: {policy.SessionQuota, true},
	policy.SCP: {policy.SCPQuota, true}, policy.RCP: {policy.RCPQuota, true}, policy.Trust: {policy.TrustQuota, false},
	policy.Bucket: {policy.BucketQuota, true},
}

func (c *checker) document() {
	q, size := quotas[c.kind], policy.Size(c.text)
	if q.white {
		size = len(c.text)
	}
	if size > q.limit {
		c.add("size-over-quota", 0, "%d characters; a %s policy has at most %d", size, c.kind, q.limit)
	}
	if !c.o.Variables() {
		c.add("old-version", 0, `no "Version": "2012-10-17"`)
	}
	if d, err := policy.Compile(policy.Bucket, c.text); c.kind == policy.Bucket && err == nil && d.Public() {
		c.add("public-bucket", 0, "an Allow statement is limited neither to known principals nor by a condition with fixed values")
	}
}

// redundantStatements tries every statement: if the document means the same without it, others cover it.
func (c *checker) redundantStatements() {
	const most = 50 // the comparison is quadratic, and this makes it cubic
	if n := len(c.o.Statements); n < 2 || n > most || len(c.text) > policy.BucketQuota {
		return
	}
	for i := range c.o.Statements {
		without := c.o.Clone()
		without.Statements = slices.Delete(without.Statements, i, i+1)
		if same, err := policy.Equivalent(c.text, without.String()); err == nil && same {
			c.add("redundant-statement", c.o.Statements[i].Offset, "another statement says all that this one says")
		}
	}
}

func allows(s *policy.Statement) bool { return s.Effect.Value == "Allow" }

// has reports whether the statement has a condition on the key, under an operator that test accepts.
func has(s *policy.Statement, key string, test func(operator string) bool) bool {
	for i := range s.Conditions {
		for j := range s.Conditions[i].Keys {
			if strings.EqualFold(s.Conditions[i].Keys[j].Name.Value, key) && test(s.Conditions[i].Name.Value) {
				return true
			}
		}
	}
	return false
}

func anyOperator(string) bool { return true }
