package policy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/podid/podid/internal/policy"
)

// hostile are documents of the sort that breaks parsers and matchers.
var hostile = []string{
	"", "{", "[]", `{"Statement":`, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
	`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username, '}'}/*?"}}`,
	`{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::111122223333:role/app"},"NotAction":"s3:G*t?","NotResource":"arn:*:s3:::*"}}`,
	`{"Statement":{"Effect":"Allow","Principal":{"AWS":["AROAEXAMPLEEXAMPLE001","*"],"Service":[]},"Action":"sts:AssumeRole","Condition":{"ForAllValues:StringLike":{"aws:TagKeys":["*a*","\u0000"]}}}}`,
	`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"2024-02-30"},"IpAddress":{"aws:SourceIp":"::ffff:1.2.3.4/95"},"NumericEquals":{"a":-0.0}}}}`,
	strings.Repeat("[", 100), `{"a":"\ud800"}`, `{"a":"\u`,
}

// set puts the document to every use that its kind has.
func set(kind policy.Kind, d *policy.Document) *policy.Set {
	s := &policy.Set{}
	switch kind {
	case policy.Identity:
		s.Identity = []*policy.Document{d}
	case policy.Boundary:
		s.Boundary = d
	case policy.Session:
		s.Session = []*policy.Document{d}
	case policy.SCP:
		s.SCP = [][]*policy.Document{{d}}
	case policy.RCP:
		s.RCP = [][]*policy.Document{{d}}
	case policy.Trust, policy.Bucket:
		s.Resource = d
	}
	return s
}

// FuzzParse: no text makes the reader panic, and whatever it accepts can be evaluated, explained, printed and compared.
func FuzzParse(f *testing.F) {
	for i, text := range hostile {
		f.Add(uint8(i), text, "s3:PutObject", "arn:aws:s3:::data/team-a/x", "v")
	}
	f.Add(uint8(0), tenStatements, "s3:PutObject", "arn:aws:s3:::data/team-a/x", "STANDARD_IA")
	f.Fuzz(func(t *testing.T, k uint8, text, action, resource, value string) {
		kind := policy.Kind(k % 7)
		d, err := policy.Compile(kind, text)
		if _, strict := policy.Parse(kind, text); strict == nil && err != nil {
			t.Fatalf("accepted on write, refused at rest: %v", err)
		}
		if err != nil {
			if policy.Evaluate(putObject(), set(kind, policy.NewSource(text).As(kind))).Outcome != policy.ExplicitDeny {
				t.Fatal("a document that does not compile does not deny")
			}
			return
		}
		r := putObject()
		r.Action, r.Resource = action, resource
		r.Context.Set("aws:username", value)
		r.Context.Set("aws:TagKeys", value, "a")
		s := set(kind, d)
		got := policy.Evaluate(r, s)
		trace := policy.Explain(r, s)
		if trace.Decision != got {
			t.Fatalf("Explain says %+v, Evaluate %+v", trace.Decision, got)
		}
		if got.Document != nil && trace.Deciding == nil {
			t.Fatalf("the deciding statement of %+v is not in the trace", got)
		}
		checkLayers(t, kind, trace)
		_ = trace.Sentence()
		if same, err := policy.Equivalent(text, text); err == nil && !same {
			t.Fatal("not equivalent to itself")
		}
		if again, err := policy.ReplacePrincipals(text, func(v string) string { return v }); err != nil || again != text {
			t.Fatalf("replacing nothing changed the text: %v", err)
		}
	})
}

// checkLayers compares the index, which Evaluate uses, with the walk over all statements, which Explain makes.
func checkLayers(t *testing.T, kind policy.Kind, trace policy.Trace) {
	t.Helper()
	if strings.EqualFold(trace.Action, "sts:GetCallerIdentity") {
		return
	}
	for _, l := range trace.Layers {
		if (l.Result == policy.ExplicitDeny) != (trace.Outcome == policy.ExplicitDeny) && kind != policy.Identity && len(l.Statements) > 0 {
			t.Fatalf("layer %v came out as %v, the request as %v", l.Layer, l.Result, trace.Outcome)
		}
		if kind == policy.Identity && l.Layer == policy.IdentityLayer && l.Result != trace.Outcome &&
			!strings.EqualFold(trace.Action, "sts:GetSessionToken") {
			t.Fatalf("the only layer came out as %v, the request as %v", l.Result, trace.Outcome)
		}
	}
}

// FuzzMonotony: in every layer another Deny never allows and another Allow never denies; a layer that limits never allows what was
// refused without it; and a list means what its parts mean. spec: iam-policy.md 16
func FuzzMonotony(f *testing.F) {
	names, _ := filepath.Glob("testdata/*.jsonl")
	for _, name := range names {
		if text, err := os.ReadFile(name); err == nil {
			f.Add(string(text[:min(len(text), 600)]), "s3:GetObject", "arn:aws:s3:::b/k")
		}
	}
	f.Add(`{"Effect":"Allow","Action":"s3:*","NotResource":"arn:aws:s3:::b/${aws:username}"}`, "s3:PutObject", "arn:aws:s3:::data/x")
	f.Add(`{"Effect":"Deny","NotAction":"s3:*","Resource":"*","Condition":{"StringNotEquals":{"a":"b"}}}`, "iam:GetRole", "*")
	f.Add(`{"Effect":"Allow","Action":["s3:P*","s3:?et*"],"Resource":["arn:aws:s3:::a*/x","*"]}`, "s3:PutObject", "arn:aws:s3:::data/x")
	f.Add(`{"Effect":"Deny","Action":["sqs:*","s3:Put*"],"Resource":["arn:aws:s3:::data/*","arn:aws:s3:::b"]}`, "s3:PutObject", "arn:aws:s3:::data/team-a/x")
	f.Fuzz(func(t *testing.T, extra, action, resource string) {
		r := putObject()
		r.Action, r.Resource = action, resource
		ten := &policy.Set{Identity: []*policy.Document{mustParse(t, policy.Identity, tenStatements)}}
		for _, base := range []*policy.Set{{}, ten, fullStack(t)} {
			before := policy.Evaluate(r, base).Outcome
			for kind := policy.Identity; kind <= policy.SCP; kind++ {
				more, err := policy.Compile(kind, `{"Version":"2012-10-17","Statement":[`+extra+`]}`)
				if err != nil {
					return
				}
				with, limits := extend(base, kind, more)
				after := policy.Evaluate(r, with).Outcome
				deny, allow := strings.Contains(extra, "Deny"), strings.Contains(extra, "Allow")
				if (limits || !allow) && before != policy.Allow && after == policy.Allow {
					t.Fatalf("the %s policy turned %v into allow", kind, before)
				}
				if !limits && !deny && before == policy.Allow && after != policy.Allow {
					t.Fatalf("an Allow in a %s policy turned allow into %v", kind, after)
				}
				parts, err := policy.Compile(kind, `{"Version":"2012-10-17","Statement":[`+split(extra)+`]}`)
				if err != nil {
					t.Fatalf("split into %s: %v", split(extra), err)
				}
				apart, _ := extend(base, kind, parts)
				if got := policy.Evaluate(r, apart).Outcome; got != after {
					t.Fatalf("%s: %v as lists, %v in parts", kind, after, got)
				}
			}
		}
	})
}

// extend adds a document to a layer of the set. It limits where the layer had no document before, or is a level of its own.
func extend(base *policy.Set, kind policy.Kind, d *policy.Document) (with *policy.Set, limits bool) {
	s := *base
	switch kind {
	case policy.Boundary:
		if base.Boundary == nil {
			s.Boundary = d
		}
		return &s, true
	case policy.Session:
		s.Session = append([]*policy.Document{d}, base.Session...)
		return &s, len(base.Session) == 0
	case policy.SCP:
		s.SCP = append([][]*policy.Document{{d}}, base.SCP...)
		return &s, true
	case policy.Identity, policy.RCP, policy.Trust, policy.Bucket:
	}
	s.Identity = append([]*policy.Document{d}, base.Identity...)
	return &s, false
}

// split takes the lists of actions and resources of the statements apart, one statement for each pair. What it cannot read, or what
// negates a list, it leaves alone.
func split(statements string) string {
	var list []map[string]any
	if json.Unmarshal([]byte("["+statements+"]"), &list) != nil {
		return statements
	}
	var out []string
	for _, s := range list {
		actions, many := s["Action"].([]any)
		resources, more := s["Resource"].([]any)
		if !many || !more || len(actions)*len(resources) == 0 {
			return statements
		}
		delete(s, "Sid")
		for _, a := range actions {
			for _, r := range resources {
				s["Action"], s["Resource"] = a, r
				text, err := json.Marshal(s)
				if err != nil {
					return statements
				}
				out = append(out, string(text))
			}
		}
	}
	return strings.Join(out, ",")
}
