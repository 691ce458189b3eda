package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/policy"
)

func compiled(t *testing.T, text string) *policy.Document {
	t.Helper()
	d, err := policy.Compile(policy.Identity, text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestContextKeys(t *testing.T) {
	t.Parallel()
	d := compiled(t, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::b/${aws:username}/*","arn:aws:s3:::b/${*}"],
		 "Condition":{"StringEquals":{"aws:PrincipalTag/team":"${aws:RequestTag/team, 'x'}"},"Bool":{"AWS:SecureTransport":"true"}}},
		{"Effect":"Deny","NotAction":"s3:*","Resource":"*","Condition":{"Null":{"aws:securetransport":"true"}}}]}`)
	want := []string{"aws:PrincipalTag/team", "aws:RequestTag/team", "AWS:SecureTransport", "aws:username"}
	if diff := cmp.Diff(d.ContextKeys(), want); diff != "" {
		t.Error(diff)
	}
	old := compiled(t, `{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}"}}`)
	if keys := old.ContextKeys(); len(keys) != 0 {
		t.Errorf("a document of 2008 has no variables, got %v", keys)
	}
}

func place(line, column int) policy.Place { return policy.Place{Line: line, Column: column} }

func TestSpan(t *testing.T) {
	t.Parallel()
	type span struct{ Start, End policy.Place }
	for _, c := range []struct {
		text string
		want []span
	}{
		{
			"{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": {\n    \"Effect\": \"Allow\",\n    \"Action\": \"s3:*\",\n    \"Resource\": \"*\"\n  }\n}",
			[]span{{place(3, 16), place(7, 4)}},
		},
		{
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"a:b","Resource":"arn:aws:s3:::é}"},` +
				`{"Effect":"Deny","Action":"a:c","Resource":"*"}]}`,
			[]span{{place(1, 38), place(1, 100)}, {place(1, 101), place(1, 148)}},
		},
		{`nonsense`, []span{{place(1, 1), place(1, 9)}}},
	} {
		d := policy.NewSource(c.text).As(policy.Identity)
		var got []span
		for i := range d.Len() {
			start, end := d.Span(i)
			got = append(got, span{start, end})
		}
		if diff := cmp.Diff(got, c.want); diff != "" {
			t.Errorf("%s\n%s", c.text, diff)
		}
	}
}

func TestServices(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		statement string
		grants    string // of s3, iam, sts, each with + or -
		withholds string
		names     []string
	}{
		{`"Effect":"Allow","Action":"*","Resource":"*"`, "+++", "---", nil},
		{`"Effect":"Allow","Action":["S3:Get*","ec2:*"],"Resource":"*"`, "+--", "---", []string{"ec2", "s3"}},
		{`"Effect":"Allow","Action":"s*:Get*","Resource":"*"`, "+-+", "---", nil},
		{`"Effect":"Allow","NotAction":["iam:*","sts:Get*"],"Resource":"*"`, "+-+", "---", nil},
		{`"Effect":"Deny","Action":["s3:*","iam:Get*"],"Resource":"*"`, "---", "+--", nil},
		{`"Effect":"Deny","Action":"*","Resource":"arn:aws:s3:::b"`, "---", "---", nil},
		{`"Effect":"Deny","NotAction":"sts:GetCallerIdentity","Resource":"*"`, "---", "++-", nil},
		{`"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}`, "---", "---", nil},
	} {
		d := compiled(t, `{"Version":"2012-10-17","Statement":[{`+c.statement+`}]}`)
		grants := sign(d.Grants("s3")) + sign(d.Grants("iam")) + sign(d.Grants("sts"))
		withholds := sign(d.Withholds("s3")) + sign(d.Withholds("iam")) + sign(d.Withholds("sts"))
		if grants != c.grants || withholds != c.withholds {
			t.Errorf("%s: grants %s, withholds %s; want %s and %s", c.statement, grants, withholds, c.grants, c.withholds)
		}
		if diff := cmp.Diff(d.Services(), c.names); diff != "" {
			t.Errorf("%s\n%s", c.statement, diff)
		}
	}
}

func sign(b bool) string {
	if b {
		return "+"
	}
	return "-"
}

func TestValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		as         policy.ValueType
		text, want string
		ok         bool
	}{
		{policy.StringValue, "", "", true},
		{policy.NumericValue, "1.50", "1.50", true},
		{policy.NumericValue, "1e", "1e", false},
		{policy.BooleanValue, "TRUE", "TRUE", true},
		{policy.BooleanValue, "1", "1", false},
		{policy.DateValue, "2026-11-24T08:00:00Z", "2026-11-24T08:00:00Z", true},
		{policy.DateValue, "1700000000", "1700000000", true},
		{policy.DateValue, "yesterday", "yesterday", false},
		{policy.IPValue, "2001:db8::1", "2001:db8::1", true},
		{policy.IPValue, "10.0.0.0.1", "10.0.0.0.1", false},
		{policy.BinaryValue, "aGk=", "aGk=", true},
		{policy.BinaryValue, "?", "", false},
	} {
		if got, ok := c.as.Value(c.text); got != c.want && c.ok || ok != c.ok {
			t.Errorf("%d %q: %q %v", c.as, c.text, got, ok)
		}
	}
}
