package policy_test

import (
	"strings"
	"testing"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/policy"
)

const (
	readLogs = `{"Version":"2012-10-17","Statement":[{"Sid":"Logs","Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::logs/*"}]}`
	allS3    = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`
)

func roleRequest(action, resource string) *policy.Request {
	c := &policy.Context{}
	c.Set("aws:PrincipalArn", "arn:aws:iam::111122223333:role/app")
	return &policy.Request{
		Principal: &arn.Principal{
			Kind: arn.RoleSession, Account: "111122223333", ARN: "arn:aws:sts::111122223333:assumed-role/app/s",
			RoleARN: "arn:aws:iam::111122223333:role/app",
		},
		Action: action, Resource: resource, ResourceAccount: "111122223333", Context: c,
	}
}

func docs(t *testing.T, kind policy.Kind, texts ...string) []*policy.Document {
	t.Helper()
	var out []*policy.Document
	for _, text := range texts {
		d, err := policy.Compile(kind, text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d)
	}
	return out
}

func TestSuggest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name             string
		identity         []string
		boundary, bucket string
		scp              []string
		action, resource string
		account          string // of the resource
		key, value       string
		want             []string // beginnings of the sentences of the suggestions, edits joined by "; then "
	}{
		{
			name: "no policy at all", action: "s3:GetObject", resource: "arn:aws:s3:::data/x",
			want: []string{"attach an identity-based policy"},
		},
		{
			name: "another resource", identity: []string{readLogs}, action: "s3:GetObject", resource: "arn:aws:s3:::data/a*b",
			want: []string{
				`add "arn:aws:s3:::data/a${*}b" to Resource of the Allow statement "Logs" of the identity-based policy (line 1, column 38); the statement then`,
				"add a statement to the identity-based policy",
			},
		},
		{
			name: "another action", identity: []string{readLogs}, action: "s3:DeleteObject", resource: "arn:aws:s3:::logs/x",
			want: []string{`add "s3:DeleteObject" to Action of the Allow statement "Logs"`, "add a statement"},
		},
		{
			name: "two layers", identity: []string{readLogs}, boundary: readLogs, action: "s3:DeleteObject", resource: "arn:aws:s3:::logs/x",
			want: []string{
				`add "s3:DeleteObject" to Action of the Allow statement "Logs" of the identity-based policy (line 1, column 38); the statement then allows more than this request; ` +
					`then add "s3:DeleteObject" to Action of the Allow statement "Logs" of the permissions boundary`,
			},
		},
		{
			name: "a deny", action: "s3:GetObject", resource: "arn:aws:s3:::data/x",
			identity: []string{allS3, `{"Version":"2012-10-17","Statement":[{"Sid":"No","Effect":"Deny","Action":["s3:GetObject","s3:PutObject"],"Resource":"*"}]}`},
			want: []string{
				`remove "s3:GetObject" from Action of the Deny statement "No"`,
				`remove the Deny statement "No"`,
				`exempt arn:aws:iam::111122223333:role/app from the Deny statement "No"`,
			},
		},
		{
			name: "a deny of insecure transport", action: "s3:GetObject", resource: "arn:aws:s3:::data/x", key: "aws:SecureTransport", value: "false",
			identity: []string{
				allS3,
				`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`,
			},
			want: []string{`send the request with aws:SecureTransport = "true"`},
		},
		{
			name: "a condition value", action: "s3:GetObject", resource: "arn:aws:s3:::data/x", key: "aws:RequestedRegion", value: "eu-west-1",
			identity: []string{
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}}]}`,
			},
			want: []string{
				`add "eu-west-1" to StringEquals aws:RequestedRegion of the Allow statement`,
				`send the request with aws:RequestedRegion = "us-east-1"`,
			},
		},
		{
			name: "across accounts without a resource policy", identity: []string{allS3}, action: "s3:GetObject", resource: "arn:aws:s3:::data/x",
			account: "444455556666", want: []string{"attach a resource-based policy"},
		},
		{
			name: "a service control policy", identity: []string{allS3}, scp: []string{readLogs}, action: "s3:GetObject", resource: "arn:aws:s3:::data/x",
			want: []string{`add "arn:aws:s3:::data/x" to Resource of the Allow statement "Logs" of the service control policy`},
		},
		{
			name: "a single action more on the one resource", action: "s3:PutObject", resource: "arn:aws:s3:::data/x",
			identity: []string{`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/x"}]}`},
			want:     []string{`add "s3:PutObject" to Action of the Allow statement of the identity-based policy (line 1, column 38)`},
		},
		{name: "an allowed request", identity: []string{allS3}, action: "s3:GetObject", resource: "arn:aws:s3:::data/x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &policy.Set{Identity: docs(t, policy.Identity, tt.identity...)}
			if tt.boundary != "" {
				s.Boundary = docs(t, policy.Boundary, tt.boundary)[0]
			}
			if tt.bucket != "" {
				s.Resource = docs(t, policy.Bucket, tt.bucket)[0]
			}
			if tt.scp != nil {
				s.SCP = [][]*policy.Document{docs(t, policy.SCP, tt.scp...)}
			}
			r := roleRequest(tt.action, tt.resource)
			if tt.account != "" {
				r.ResourceAccount = tt.account
			}
			if tt.key != "" {
				r.Context.Set(tt.key, tt.value)
			}
			var got []string
			for _, suggestion := range policy.Suggest(r, s) {
				var edits []string
				for _, e := range suggestion.Edits {
					edits = append(edits, e.Sentence())
				}
				got = append(got, strings.Join(edits, "; then "))
			}
			if len(tt.want) == 0 && len(got) > 0 {
				t.Errorf("got %q, want none", got)
			}
			for _, want := range tt.want {
				found := false
				for _, g := range got {
					found = found || strings.HasPrefix(g, want)
				}
				if !found {
					t.Errorf("no suggestion %q among\n%s", want, strings.Join(got, "\n"))
				}
			}
		})
	}
}
