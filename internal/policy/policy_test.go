package policy_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/policy"
)

func TestSyntaxErrorSaysWhere(t *testing.T) {
	t.Parallel()
	_, err := policy.Parse(policy.Identity, "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [{\"Effect\": \"allow\"}]\n}")
	got, ok := errors.AsType[*policy.SyntaxError](err)
	if !ok {
		t.Fatalf("got %v, want a SyntaxError", err)
	}
	want := &policy.SyntaxError{
		Message: "The policy failed legacy parsing", Detail: "the case of letters counts in Effect", Line: 3, Column: 28,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSentence(t *testing.T) {
	t.Parallel()
	deny := func(kind policy.Kind, principal string) *policy.Document {
		return mustParse(t, kind, `{"Version":"2012-10-17","Statement":{"Effect":"Deny",`+principal+`"Action":"*","Resource":"*"}}`)
	}
	none := mustParse(t, policy.Boundary, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*","Resource":"*"}}`)
	ten := []*policy.Document{mustParse(t, policy.Identity, tenStatements)}
	const subject = "User: arn:aws:sts::111122223333:assumed-role/app/s is not authorized to perform: s3:PutObject on resource: " +
		"arn:aws:s3:::data/team-a/2024/q1.csv "
	for want, s := range map[string]*policy.Set{
		"because no identity-based policy allows the s3:PutObject action":   {},
		"because no permissions boundary allows the s3:PutObject action":    {Identity: ten, Boundary: none},
		"because no session policy allows the s3:PutObject action":          {Identity: ten, Session: []*policy.Document{none}},
		"because no service control policy allows the s3:PutObject action":  {Identity: ten, SCP: [][]*policy.Document{{none}}},
		"because no resource control policy allows the s3:PutObject action": {Identity: ten, RCP: [][]*policy.Document{{}}},
		"with an explicit deny in an identity-based policy":                 {Identity: []*policy.Document{deny(policy.Identity, "")}},
		"with an explicit deny in a permissions boundary":                   {Boundary: deny(policy.Boundary, "")},
		"with an explicit deny in a session policy":                         {Session: []*policy.Document{deny(policy.Session, "")}},
		"with an explicit deny in a service control policy":                 {SCP: [][]*policy.Document{{deny(policy.SCP, "")}}},
		"with an explicit deny in a resource-based policy":                  {Resource: deny(policy.Bucket, `"Principal":"*",`)},
	} {
		trace := policy.Explain(putObject(), s)
		if got := trace.Sentence(); got != subject+want {
			t.Errorf("got  %s\nwant %s", got, subject+want)
		}
	}
	r := putObject()
	r.Action, r.Resource = "sts:AssumeRole", arn.Role(account, "/", "target")
	trust := mustParse(t, policy.Trust, `{"Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}`)
	trace := policy.Explain(r, &policy.Set{Resource: trust})
	if got := trace.Sentence(); !strings.HasSuffix(got, "because no role trust policy allows the sts:AssumeRole action") {
		t.Error(got)
	}
}

func TestExplainNamesTheStatement(t *testing.T) {
	t.Parallel()
	s := &policy.Set{
		Identity: []*policy.Document{mustParse(t, policy.Identity, tenStatements)},
		Names:    &policy.Names{Identity: []string{"arn:aws:iam::111122223333:policy/data"}},
	}
	trace := policy.Explain(putObject(), s)
	got := *trace.Deciding
	if got.Sid != "Write" || got.Index != 7 || got.Line != 9 || got.Column != 1 || got.Document != s.Names.Identity[0] || got.Effect != "Allow" {
		t.Errorf("deciding statement %+v", got)
	}

	r := putObject()
	r.Context.Set("s3:x-amz-storage-class", "GLACIER")
	trace = policy.Explain(r, s)
	var miss *policy.NearMiss
	for i := range trace.Layers[0].NearMisses {
		if m := &trace.Layers[0].NearMisses[i]; m.Sid == "Write" {
			miss = m
		}
	}
	if miss == nil {
		t.Fatalf("no near miss in %+v", trace)
	}
	if miss.Element != "Condition" || miss.Operator != "StringLike" || miss.Key != "s3:x-amz-storage-class" ||
		!cmp.Equal(miss.Request, []string{"GLACIER"}) || !cmp.Equal(miss.Policy, []string{"STANDARD*"}) {
		t.Errorf("near miss %+v", miss)
	}
	text, err := json.Marshal(trace)
	if err != nil || !strings.Contains(string(text), `"outcome":"implicitDeny","layer":"identity"`) {
		t.Errorf("%s, %v", text, err)
	}
}

func TestSource(t *testing.T) {
	t.Parallel()
	in := struct{ Policy *policy.Source }{policy.NewSource(tenStatements)}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out struct{ Policy *policy.Source }
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	if out.Policy.String() != tenStatements {
		t.Errorf("the text came back as %q", out.Policy)
	}
	d := out.Policy.As(policy.Identity)
	if d != out.Policy.As(policy.Identity) || d.Err() != nil || d.Len() != 10 {
		t.Errorf("compiled more than once, or wrongly: %v", d.Err())
	}
	for _, kind := range []policy.Kind{policy.Identity, policy.Boundary, policy.Session, policy.SCP, policy.RCP, policy.Trust, policy.Bucket} {
		bad := policy.NewSource("{").As(kind)
		if got := policy.Evaluate(putObject(), set(kind, bad)); got.Outcome != policy.ExplicitDeny || bad.Err() == nil {
			t.Errorf("%v: a document that does not compile gives %v", kind, got.Outcome)
		}
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	var c policy.Context
	c.Set("aws:TagKeys")
	c.Set("aws:PrincipalTag/Team", "a")
	c.Set("AWS:PrincipalTag/team", "b")
	if v, ok := c.Get("aws:tagkeys"); !ok || len(v) != 0 {
		t.Errorf("present and empty came back as %v, %v", v, ok)
	}
	if v, _ := c.Get("aws:principaltag/TEAM"); !cmp.Equal(v, []string{"b"}) {
		t.Errorf("the second Set came back as %v", v)
	}
	for i := range 200 {
		c.Set("k"+strings.Repeat("x", i), "v")
	}
	if v, ok := c.Get("K" + strings.Repeat("X", 199)); !ok || v[0] != "v" {
		t.Error("lost after growing")
	}
	c.Reset()
	if _, ok := c.Get("aws:TagKeys"); ok {
		t.Error("still there after Reset")
	}
}

func TestContextRefillsWithoutAllocation(t *testing.T) {
	var c policy.Context
	c.Set("aws:SourceIp", "203.0.113.7")
	c.Set("aws:SecureTransport", "true")
	if n := testing.AllocsPerRun(10, func() {
		c.Reset()
		c.Set("aws:SourceIp", "203.0.113.7")
		c.Set("aws:SecureTransport", "true")
	}); n != 0 {
		t.Errorf("%v allocations to refill", n)
	}
}

func TestReplacePrincipals(t *testing.T) {
	t.Parallel()
	const stored = `{ "Statement": {"Effect":"Allow", "Principal": {"AWS":["arn:aws:iam::111122223333:role\/app", "*"], "Service":"x.y"}, "Action":"sts:AssumeRole"} }`
	got, err := policy.ReplacePrincipals(stored, func(v string) string {
		if v == "arn:aws:iam::111122223333:role/app" {
			return "AROAEXAMPLEEXAMPLE001"
		}
		return v
	})
	want := strings.Replace(stored, `arn:aws:iam::111122223333:role\/app`, "AROAEXAMPLEEXAMPLE001", 1)
	if err != nil || got != want {
		t.Errorf("got %s, %v", got, err)
	}
	principals := mustParse(t, policy.Trust, got).Principals()
	if diff := cmp.Diff([]policy.Principal{{Type: "AWS", Value: "AROAEXAMPLEEXAMPLE001"}, {Type: "AWS", Value: "*"}, {Type: "Service", Value: "x.y"}}, principals); diff != "" {
		t.Error(diff)
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"": 0, " {\n} ": 2, `{"a b":"\" é"}`: 14} {
		if got := policy.Size(text); got != want {
			t.Errorf("Size(%q) = %d, want %d", text, got, want)
		}
	}
}

// TestHostilePatterns: the worst wildcards that fit into the longest document, against the longest ARN. With a matcher that backtracks
// more than once this does not end; how long it takes is for the benchmark in test/bench to say.
func TestHostilePatterns(t *testing.T) {
	t.Parallel()
	r := putObject()
	r.Resource = "arn:aws:s3:::b/" + strings.Repeat("a", 2030)
	for name, unit := range map[string]string{"stars": "*a", "literal": "a", "question": "a?", "both": "*a?", "questions": "?"} {
		one := "arn:aws:s3:::b/*" + strings.Repeat(unit, 1000/len(unit)) + "b*"
		resources, err := json.Marshal([]string{one, one + "c", one + "d", one + "e", one + "f", one + "g"})
		if err != nil {
			t.Fatal(err)
		}
		s := &policy.Set{Identity: []*policy.Document{
			mustParse(t, policy.Identity, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":`+string(resources)+`}}`),
		}}
		if policy.Evaluate(r, s).Outcome == policy.Allow {
			t.Errorf("%s: matched", name)
		}
	}
}
