package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/policy"
)

// tenStatements is the workload of policy-engines.md: nine Allow and one Deny; number eight of the Allow statements matches.
const tenStatements = `{"Version":"2012-10-17","Statement":[
{"Sid":"List","Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"},
{"Sid":"Location","Effect":"Allow","Action":"s3:GetBucketLocation","Resource":"arn:aws:s3:::*"},
{"Sid":"Browse","Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::data","Condition":{"StringLike":{"s3:prefix":"team-a/*"}}},
{"Sid":"Read","Effect":"Allow","Action":["s3:GetObject","s3:GetObjectVersion"],"Resource":"arn:aws:s3:::data/team-a/*"},
{"Sid":"Shared","Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::shared/*"},
{"Sid":"Logs","Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::logs/team-a/*"},
{"Sid":"Tags","Effect":"Allow","Action":["s3:PutObjectTagging","s3:GetObjectTagging"],"Resource":"arn:aws:s3:::data/team-a/*"},
{"Sid":"Write","Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::data/team-a/*","Condition":{"StringLike":{"s3:x-amz-storage-class":"STANDARD*"}}},
{"Sid":"Parts","Effect":"Allow","Action":["s3:AbortMultipartUpload","s3:ListMultipartUploadParts"],"Resource":"arn:aws:s3:::data/team-a/*"},
{"Sid":"TLS","Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}
]}`

const account = "111122223333"

func roleSession() *arn.Principal {
	return &arn.Principal{
		Kind: arn.RoleSession, Account: account, ARN: arn.AssumedRole(account, "app", "s"), ID: "AROAEXAMPLEEXAMPLE001:s",
		RoleARN: arn.Role(account, "/", "app"), RoleID: "AROAEXAMPLEEXAMPLE001",
	}
}

// putObject is the request of the workload.
func putObject() *policy.Request {
	c := &policy.Context{}
	c.Set("aws:SecureTransport", "true")
	c.Set("s3:x-amz-storage-class", "STANDARD_IA")
	c.Set("aws:SourceIp", "203.0.113.7")
	c.Set("aws:PrincipalArn", arn.Role(account, "/", "app"))
	c.Set("aws:PrincipalAccount", account)
	c.Set("aws:PrincipalTag/team", "team-a")
	return &policy.Request{
		Principal: roleSession(), Action: "s3:PutObject", Resource: "arn:aws:s3:::data/team-a/2024/q1.csv", ResourceAccount: account,
		Context: c,
	}
}

func mustParse(tb testing.TB, kind policy.Kind, text string) *policy.Document {
	tb.Helper()
	d, err := policy.Parse(kind, text)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// fullStack is seven documents that all have a say: SCP, RCP, bucket policy, two identity policies, boundary, session policy.
func fullStack(tb testing.TB) *policy.Set {
	tb.Helper()
	all := mustParse(tb, policy.SCP, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	return &policy.Set{
		Identity: []*policy.Document{
			mustParse(tb, policy.Identity, tenStatements),
			mustParse(tb, policy.Identity, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:*","Resource":"*"}}`),
		},
		Boundary: mustParse(tb, policy.Boundary, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`),
		Session: []*policy.Document{mustParse(tb, policy.Session,
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Put*","Resource":"arn:aws:s3:::${aws:PrincipalTag/dept, 'data'}/${aws:PrincipalTag/team}/*"}}`)},
		Resource: mustParse(tb, policy.Bucket, `{"Version":"2012-10-17","Statement":[
			{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::data","arn:aws:s3:::data/*"],"Condition":{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}}]}`),
		SCP: [][]*policy.Document{{all}},
		RCP: [][]*policy.Document{{mustParse(tb, policy.RCP, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`)}},
	}
}

// manyStatements is a document of n statements in which only the last one matches putObject.
func manyStatements(n int) string {
	var b strings.Builder
	b.WriteString(`{"Version":"2012-10-17","Statement":[`)
	for i := range n - 1 {
		fmt.Fprintf(&b, `{"Effect":"Allow","Action":["s3:PutObject","s3:Get*"],"Resource":"arn:aws:s3:::bucket-%d/*"},`, i)
	}
	b.WriteString(`{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::data/*"}]}`)
	return b.String()
}

func TestEvaluateAllocatesNothing(t *testing.T) {
	r := putObject()
	for name, s := range map[string]*policy.Set{
		"identity": {Identity: []*policy.Document{mustParse(t, policy.Identity, tenStatements)}},
		"full":     fullStack(t),
		"many":     {Identity: []*policy.Document{mustParse(t, policy.Identity, manyStatements(1000))}},
	} {
		if got := policy.Evaluate(r, s); got.Outcome != policy.Allow {
			t.Errorf("%s: %v by %v, want allow", name, got.Outcome, got.Layer)
		}
		if n := testing.AllocsPerRun(100, func() { policy.Evaluate(r, s) }); n != 0 {
			t.Errorf("%s: %v allocations per decision, want 0", name, n)
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	run := func(name string, s *policy.Set) {
		b.Run(name, func(b *testing.B) {
			r := putObject()
			b.ReportAllocs()
			for b.Loop() {
				if policy.Evaluate(r, s).Outcome != policy.Allow {
					b.Fatal("not allowed")
				}
			}
		})
	}
	run("ten", &policy.Set{Identity: []*policy.Document{mustParse(b, policy.Identity, tenStatements)}})
	run("full-stack", fullStack(b))
	for _, n := range []int{1, 10, 100, 1000} {
		run(fmt.Sprintf("statements-%d", n), &policy.Set{Identity: []*policy.Document{mustParse(b, policy.Identity, manyStatements(n))}})
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := policy.Parse(policy.Identity, tenStatements); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExplain(b *testing.B) {
	r, s := putObject(), fullStack(b)
	r.Resource = "arn:aws:s3:::data/team-b/q1.csv"
	b.ReportAllocs()
	for b.Loop() {
		if policy.Explain(r, s).Outcome == policy.Allow {
			b.Fatal("allowed")
		}
	}
}
