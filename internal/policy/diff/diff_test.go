package diff_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/policy/diff"
)

func doc(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// say prints a difference without its example.
func say(d diff.Difference) string {
	s := string(d.Change) + ": " + strings.Join(d.Actions, " ") + " on " + strings.Join(d.Resources, " ")
	if len(d.Principals) > 0 {
		s += " for " + strings.Join(d.Principals, " ")
	}
	if len(d.When) > 0 {
		s += " when " + strings.Join(d.When, " and ")
	}
	return s
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	const (
		read  = `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*"}`
		write = `{"Effect":"Allow","Action":["s3:PutObject","s3:GetObject"],"Resource":"arn:aws:s3:::a/*"}`
	)
	tests := []struct {
		name       string
		kind       policy.Kind
		old, new   string
		equivalent bool
		want       []string
	}{
		{name: "order and lists of one", old: doc(read, write), new: doc(write), equivalent: true},
		{
			name: "an action more", old: doc(read), new: doc(write),
			want: []string{"newly-allowed: s3:PutObject on arn:aws:s3:::a/*"},
		},
		{
			name: "a wildcard less", old: doc(`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`), new: doc(read),
			want: []string{
				"newly-denied: s3:* any other action of s3 s3:GetObject on * any other resource",
				"newly-denied: s3:* any other action of s3 on arn:aws:s3:::a/*",
			},
		},
		{
			name: "a condition more",
			old:  doc(read),
			new:  doc(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}`),
			want: []string{
				`newly-denied: s3:GetObject on arn:aws:s3:::a/* when aws:SecureTransport is absent or "false"`,
			},
		},
		{
			name: "a Deny more",
			old:  doc(read), new: doc(read, `{"Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/secret"}`),
			want: []string{
				"newly-denied: s3:GetObject on arn:aws:s3:::a/secret",
			},
		},
		{
			name: "another principal", kind: policy.Trust,
			old: doc(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/a"},"Action":"sts:AssumeRole"}`),
			new: doc(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/b","Service":"pods.eks.amazonaws.com"},"Action":"sts:AssumeRole"}`),
			want: []string{
				"newly-allowed: sts:AssumeRole on the role for arn:aws:iam::111122223333:role/b pods.eks.amazonaws.com",
				"newly-denied: sts:AssumeRole on the role for arn:aws:iam::111122223333:role/a",
			},
		},
		{
			name: "a variable instead of a star",
			old:  doc(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*"}`),
			new:  doc(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/${aws:username}/*"}`),
			want: []string{
				"newly-denied: s3:GetObject on arn:aws:s3:::a/*",
				`newly-denied: s3:GetObject on arn:aws:s3:::a/${aws:username}/* when aws:username is absent or another value`,
			},
		},
		{
			name: "a resource control policy", kind: policy.RCP,
			old: doc(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`),
			new: doc(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`,
				`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-1"}}}`),
			want: []string{`newly-denied: s3:* any other action of s3 on * any other resource when aws:PrincipalOrgID is absent or another value`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			report, err := diff.Documents(tt.kind, tt.old, tt.new, diff.DefaultBudget)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range report.Differences {
				if d.Example.Old == d.Example.New {
					t.Errorf("the example shows no change: %+v", d)
				}
				got = append(got, say(d))
			}
			if report.Equivalent != tt.equivalent || !report.Complete {
				t.Errorf("got %+v", report)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestBudget(t *testing.T) {
	t.Parallel()
	var conditions []string
	for i := range 12 {
		conditions = append(conditions, `"custom:`+string(rune('a'+i))+`":["1","2","3"]`)
	}
	large := doc(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{` + strings.Join(conditions, ",") + `}}}`)
	report, err := diff.Documents(policy.Identity, large, strings.Replace(large, `"2"`, `"4"`, 1), 5000)
	if err != nil {
		t.Fatal(err)
	}
	if report.Complete || report.Evaluated > 5000 || report.Evaluated == 0 || len(report.Differences) == 0 {
		t.Errorf("complete %v, %d evaluated, %d differences", report.Complete, report.Evaluated, len(report.Differences))
	}
}

// FuzzDocuments: comparing never panics and keeps its budget; turned around, what was newly allowed is newly denied.
func FuzzDocuments(f *testing.F) {
	f.Add(uint8(0), doc(`{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::a/${aws:username, 'x'}${*}"}`), doc(`{"Effect":"Deny","NotAction":"*","Resource":"*"}`))
	f.Add(uint8(5), doc(`{"Effect":"Allow","Principal":{"AWS":["*","111122223333"],"Federated":"a"},"Action":"sts:*","Condition":{"ForAllValues:NumericLessThan":{"a":[1,"x"]}}}`),
		doc(`{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Condition":{"IpAddress":{"aws:SourceIp":"::/0"}}}`))
	f.Fuzz(func(t *testing.T, k uint8, a, b string) {
		kind := policy.Kind(k % 7)
		const budget = 2000
		there, err := diff.Documents(kind, a, b, budget)
		if err != nil {
			return
		}
		if there.Evaluated > budget {
			t.Fatalf("%d evaluated", there.Evaluated)
		}
		back, err := diff.Documents(kind, b, a, budget)
		if err != nil {
			t.Fatal(err)
		}
		if there.Complete && back.Complete && (len(there.Differences) == 0) != (len(back.Differences) == 0) {
			t.Fatalf("there %+v\nback %+v", there, back)
		}
	})
}
