package bench_test

import (
	"bytes"
	_ "embed"
	"fmt"
	"testing"

	cedar "github.com/cedar-policy/cedar-go"
	minio "github.com/minio/pkg/v3/policy"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/policy"
)

//go:embed testdata/ten.json
var ten string

//go:embed testdata/ten.cedar
var tenCedar []byte

const account = "111122223333"

func parse(tb testing.TB, kind policy.Kind, text string) *policy.Document {
	tb.Helper()
	d, err := policy.Parse(kind, text)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// request is the request of the workload, to object key of bucket data.
func request(key string) *policy.Request {
	c := &policy.Context{}
	c.Set("aws:SecureTransport", "true")
	c.Set("s3:x-amz-storage-class", "STANDARD_IA")
	c.Set("aws:SourceIp", "203.0.113.7")
	c.Set("aws:PrincipalTag/team", "team-a")
	return &policy.Request{
		Principal: &arn.Principal{
			Kind: arn.RoleSession, Account: account, ARN: arn.AssumedRole(account, "app", "s"), ID: "AROAEXAMPLEEXAMPLE001:s",
			RoleARN: arn.Role(account, "/", "app"), RoleID: "AROAEXAMPLEEXAMPLE001",
		},
		Action: "s3:PutObject", Resource: arn.Object("data", key), ResourceAccount: account, Context: c,
	}
}

const (
	good = "team-a/2024/q1.csv"
	bad  = "team-b/2024/q1.csv"
)

// keys are the good one and the bad one; what is asked about them is prepared in the same order.
var keys = [2]string{good, bad}

// run measures decide on the good key, after it has refused the bad one.
func run(b *testing.B, name string, decide func(key int) bool) {
	b.Helper()
	b.Run(name, func(b *testing.B) {
		if decide(1) {
			b.Fatal("allows what it should not")
		}
		b.ReportAllocs()
		for b.Loop() {
			if !decide(0) {
				b.Fatal("does not allow")
			}
		}
	})
}

func BenchmarkTen(b *testing.B) {
	set := &policy.Set{Identity: []*policy.Document{parse(b, policy.Identity, ten)}}
	asked := [2]*policy.Request{request(good), request(bad)}
	run(b, "podid", func(key int) bool { return policy.Evaluate(asked[key], set).Outcome == policy.Allow })

	theirs, err := minio.ParseConfig(bytes.NewReader([]byte(ten)))
	if err != nil {
		b.Fatal(err)
	}
	args := minio.Args{
		AccountName: "app", Action: minio.PutObjectAction, BucketName: "data",
		ConditionValues: map[string][]string{"SecureTransport": {"true"}, "x-amz-storage-class": {"STANDARD_IA"}, "SourceIp": {"203.0.113.7"}},
	}
	run(b, "minio", func(key int) bool {
		args.ObjectName = keys[key]
		return theirs.IsAllowed(args)
	})

	policies, err := cedar.NewPolicySetFromBytes("ten.cedar", tenCedar)
	if err != nil {
		b.Fatal(err)
	}
	built := [2]cedar.EntityMap{entities(good), entities(bad)}
	requests := [2]cedar.Request{cedarRequest(good), cedarRequest(bad)}
	run(b, "cedar", func(key int) bool {
		ok, _ := cedar.Authorize(policies, built[key], requests[key])
		return ok == cedar.Allow
	})
	run(b, "cedar-built-per-call", func(key int) bool {
		ok, _ := cedar.Authorize(policies, entities(keys[key]), cedarRequest(keys[key]))
		return ok == cedar.Allow
	})
}

func entities(key string) cedar.EntityMap {
	role, object := cedar.NewEntityUID("Role", "app"), cedar.NewEntityUID("Object", cedar.String(key))
	action := cedar.NewEntityUID("Action", "s3:PutObject")
	return cedar.EntityMap{
		role:   {UID: role},
		action: {UID: action},
		object: {UID: object, Attributes: cedar.NewRecord(cedar.RecordMap{"name": cedar.String("data/" + key)})},
	}
}

func cedarRequest(key string) cedar.Request {
	return cedar.Request{
		Principal: cedar.NewEntityUID("Role", "app"), Action: cedar.NewEntityUID("Action", "s3:PutObject"),
		Resource: cedar.NewEntityUID("Object", cedar.String(key)),
		Context: cedar.NewRecord(cedar.RecordMap{
			"secureTransport": cedar.True, "storageClass": cedar.String("STANDARD_IA"), "sourceAddress": cedar.String("203.0.113.7"),
		}),
	}
}

func BenchmarkCompile(b *testing.B) {
	for name, compile := range map[string]func() error{
		"podid": func() error { _, err := policy.Parse(policy.Identity, ten); return err },
		"minio": func() error { _, err := minio.ParseConfig(bytes.NewReader([]byte(ten))); return err },
		"cedar": func() error { _, err := cedar.NewPolicySetFromBytes("ten.cedar", tenCedar); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := compile(); err != nil {
					b.Fatal(fmt.Errorf("%s: %w", name, err))
				}
			}
		})
	}
}
