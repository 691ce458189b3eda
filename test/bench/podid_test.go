package bench_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

func decide(b *testing.B, name string, key string, s *policy.Set, want policy.Outcome) {
	b.Helper()
	b.Run(name, func(b *testing.B) {
		r := request(key)
		b.ReportAllocs()
		for b.Loop() {
			if policy.Evaluate(r, s).Outcome != want {
				b.Fatalf("want %v", want)
			}
		}
	})
}

const (
	all      = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	everyone = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`
	queues   = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:*","Resource":"*"}}`
	s3       = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`
	tagged   = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Put*",
		"Resource":"arn:aws:s3:::${aws:PrincipalTag/dept, 'data'}/${aws:PrincipalTag/team}/*"}}`
	office = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*",
		"Resource":["arn:aws:s3:::data","arn:aws:s3:::data/*"],"Condition":{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}}}`
)

// stack is seven documents that all have a say.
func stack(b *testing.B) *policy.Set {
	b.Helper()
	return &policy.Set{
		Identity: []*policy.Document{parse(b, policy.Identity, ten), parse(b, policy.Identity, queues)},
		Boundary: parse(b, policy.Boundary, s3),
		Session:  []*policy.Document{parse(b, policy.Session, tagged)},
		Resource: parse(b, policy.Bucket, office),
		SCP:      [][]*policy.Document{{parse(b, policy.SCP, all)}},
		RCP:      [][]*policy.Document{{parse(b, policy.RCP, everyone)}},
	}
}

func BenchmarkStack(b *testing.B) {
	decide(b, "allow", good, stack(b), policy.Allow)
	decide(b, "refuse", bad, stack(b), policy.ImplicitDeny)
}

func BenchmarkExplain(b *testing.B) {
	s := stack(b)
	for name, key := range map[string]string{"allow": good, "refuse": bad} {
		b.Run(name, func(b *testing.B) {
			r := request(key)
			b.ReportAllocs()
			for b.Loop() {
				policy.Explain(r, s)
			}
		})
	}
}

// BenchmarkStatements grows a role: n statements that could match by their action and do not by their resource, in one document
// or in several, and one that does.
func BenchmarkStatements(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		for shape, per := range map[string]int{"one-document": n, "documents-of-fifty": min(n, 50), "documents-of-ten": 10} {
			for kind, resource := range map[string]string{"buckets": "arn:aws:s3:::bucket-%d/*", "wildcards": "arn:aws:s3:::*-%d/?/*"} {
				s := &policy.Set{}
				for first := 0; first < n; first += per {
					var list []string
					for i := first; i < first+per; i++ {
						name := fmt.Sprintf(resource, i)
						if i == n-1 {
							name = "arn:aws:s3:::data/team-a/*"
						}
						list = append(list, fmt.Sprintf(`{"Effect":"Allow","Action":["s3:PutObject","s3:Get*"],"Resource":%q}`, name))
					}
					s.Identity = append(s.Identity, parse(b, policy.Identity, `{"Version":"2012-10-17","Statement":[`+strings.Join(list, ",")+`]}`))
				}
				decide(b, fmt.Sprintf("%s/%s/%d", kind, shape, n), good, s, policy.Allow)
			}
		}
	}
}

// BenchmarkHostile: the worst wildcards that fit into the longest document (6,144 characters), against an ARN of 2,048.
func BenchmarkHostile(b *testing.B) {
	key := strings.Repeat("a", 2048-len("arn:aws:s3:::data/"))
	for name, unit := range map[string]string{"stars": "*a", "literal": "a", "questions": "?", "both": "*a?", "star-question": "*?"} {
		one := "arn:aws:s3:::data/*" + strings.Repeat(unit, 950/len(unit)) + "b*"
		text, err := json.Marshal([]string{one, one + "c", one + "d", one + "e", one + "f", one + "g"})
		if err != nil {
			b.Fatal(err)
		}
		s := &policy.Set{Identity: []*policy.Document{
			parse(b, policy.Identity, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":`+string(text)+`}}`),
		}}
		if n := policy.Size(s.Identity[0].Text()); n > 6144 {
			b.Fatalf("%d characters are more than a managed policy may have", n)
		}
		decide(b, name, key, s, policy.ImplicitDeny)
	}
}

// BenchmarkRoles: 100,000 roles, each with a trust policy of its own and two inline policies, decoded from the records that the store
// keeps, as it does when it opens; then every document compiled. It says the heap that a role takes and the times for all of them.
func BenchmarkRoles(b *testing.B) {
	const roles = 100_000
	records := make([][]byte, roles)
	for i := range records {
		text, err := json.Marshal(role(i))
		if err != nil {
			b.Fatal(err)
		}
		records[i] = text
	}
	for b.Loop() {
		before := heap()
		kept := make([]*iam.Role, roles)
		start := time.Now()
		for i, text := range records {
			kept[i] = &iam.Role{}
			if err := json.Unmarshal(text, kept[i]); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(time.Since(start).Seconds(), "decode-s")
		b.ReportMetric(float64(heap()-before)/roles, "decoded-B/role")
		start = time.Now()
		for _, r := range kept {
			docs := []*policy.Document{r.Trust.As(policy.Trust), r.Inline["data"].As(policy.Identity), r.Inline["queue"].As(policy.Identity)}
			for _, d := range docs {
				if err := d.Err(); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(time.Since(start).Seconds(), "compile-s")
		b.ReportMetric(float64(heap()-before)/roles, "compiled-B/role")
		runtime.KeepAlive(kept)
	}
}

func role(i int) *iam.Role {
	team := fmt.Sprintf("team-%d", i)
	trust := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},` +
		`"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{"StringEquals":{"aws:RequestTag/kubernetes-namespace":"` + team + `"}}}}`
	return &iam.Role{
		Account: account, Path: "/", Name: team, ID: fmt.Sprintf("AROA%017d", i), Trust: policy.NewSource(trust), MaxSession: time.Hour,
		Inline: map[string]*policy.Source{
			"data":  policy.NewSource(strings.ReplaceAll(ten, "team-a", team)),
			"queue": policy.NewSource(strings.ReplaceAll(queues, `"*"}}`, `"arn:aws:sqs:eu-west-1:111122223333:`+team+`"}}`)),
		},
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
