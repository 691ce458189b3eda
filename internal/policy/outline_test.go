package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/policy"
)

func TestOutlineLayout(t *testing.T) {
	t.Parallel()
	const text = `{"Statement":{"Condition":{"bool":{"aws:SecureTransport":true}, "StringLike":{"aws:userid":["a","<b>"]}},
 "Resource":["arn:aws:s3:::b/*"],"NotAction":[],"Principal":{"AWS":["111122223333","AROAEXAMPLEEXAMPLE001"],"Service":"x.y"},"Effect":"Deny","Sid":"S"},
 "Id":"i","Version":"2012-10-17"}`
	const want = `{
  "Version": "2012-10-17",
  "Id": "i",
  "Statement": [
    {
      "Sid": "S",
      "Effect": "Deny",
      "Principal": {
        "AWS": [
          "111122223333",
          "AROAEXAMPLEEXAMPLE001"
        ],
        "Service": "x.y"
      },
      "NotAction": [],
      "Resource": "arn:aws:s3:::b/*",
      "Condition": {
        "bool": {
          "aws:SecureTransport": true
        },
        "StringLike": {
          "aws:userid": [
            "a",
            "<b>"
          ]
        }
      }
    }
  ]
}
`
	o, err := policy.ReadOutline(text)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, o.String()); d != "" {
		t.Error(d)
	}
	if line, column := o.Place(o.Statements[0].Action.Offset); line != 2 || column != 34 {
		t.Errorf("NotAction at %d:%d", line, column)
	}
}

// FuzzOutline: what an outline prints reads back as the same document, means the same and decides the same; printing it again changes
// nothing.
func FuzzOutline(f *testing.F) {
	for i, text := range hostile {
		f.Add(uint8(i), text)
	}
	f.Add(uint8(0), tenStatements)
	f.Add(uint8(6), `{"Id":"x","Statement":{"Effect":"Deny","Principal":{"AWS":[]},"Action":[],"NotResource":"<&>\u2028","Condition":{"bool":{"a":true,"b":[1.0,"x"]},"X":{}}}}`)
	f.Fuzz(func(t *testing.T, k uint8, text string) {
		o, err := policy.ReadOutline(text)
		if err != nil {
			return
		}
		printed := o.String()
		again, err := policy.ReadOutline(printed)
		if err != nil {
			t.Fatalf("%v in\n%s", err, printed)
		}
		if twice := again.String(); twice != printed {
			t.Fatalf("first\n%s\nthen\n%s", printed, twice)
		}
		if reflexive, err := policy.Equivalent(text, text); err == nil {
			if same, err := policy.Equivalent(text, printed); err != nil || same != reflexive {
				t.Fatalf("%v, %v:\n%s", same, err, printed)
			}
		}
		kind := policy.Kind(k % 7)
		before, err := policy.Compile(kind, text)
		after, broken := policy.Compile(kind, printed)
		if (err == nil) != (broken == nil) {
			t.Fatalf("compiles before: %v, after: %v", err, broken)
		}
		if err != nil {
			return
		}
		for _, action := range [...]string{"s3:PutObject", "s3:GetObject", "sts:AssumeRole"} {
			r := putObject()
			r.Action = action
			a, b := policy.Evaluate(r, set(kind, before)), policy.Evaluate(r, set(kind, after))
			if a.Outcome != b.Outcome || a.Layer != b.Layer || a.Statement != b.Statement {
				t.Fatalf("%s: %+v before, %+v after", action, a, b)
			}
		}
	})
}

// FuzzSuggest: there are suggestions for refused requests only, a new statement has no wildcard that the request does not have, and every
// edit can be said in words.
func FuzzSuggest(f *testing.F) {
	for i, text := range hostile {
		f.Add(uint8(i), text, "s3:PutObject", "arn:aws:s3:::data/team-a/x")
	}
	f.Add(uint8(0), tenStatements, "s3:DeleteObject", "arn:aws:s3:::data/*?${x}")
	f.Fuzz(func(t *testing.T, k uint8, text, action, resource string) {
		kind := policy.Kind(k % 7)
		r := putObject()
		r.Action, r.Resource = action, resource
		s := set(kind, policy.NewSource(text).As(kind))
		if kind != policy.Identity {
			s.Identity = docs(t, policy.Identity, allS3)
		}
		allowed := policy.Evaluate(r, s).Outcome == policy.Allow
		for _, suggestion := range policy.Suggest(r, s) {
			if allowed || len(suggestion.Edits) == 0 {
				t.Fatalf("%+v", suggestion)
			}
			for _, e := range suggestion.Edits {
				if e.Sentence() == "" {
					t.Fatalf("%+v", e)
				}
				if added := e.Change == policy.AddStatement; added && !strings.ContainsAny(action+resource, "*?") && strings.ContainsAny(e.Text, "*?") {
					t.Fatalf("a wildcard that the request does not have: %s", e.Text)
				}
			}
		}
	})
}
