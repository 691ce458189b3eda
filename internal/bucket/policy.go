package bucket

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
)

// PutPolicy replaces the bucket's policy. fault.Invalid, subject "policy", with AWS's text when it is not a bucket policy, names a principal that does
// not exist or another bucket's resource; fault.Denied when it is public and BlockPublicPolicy is on. spec: iam-policy.md 11.4, 12
func (r *Registry) PutPolicy(ctx context.Context, name, text string) error {
	if len(text) > policy.BucketQuota {
		return malformed("Policy exceeds the maximum allowed document size.")
	}
	doc, err := policy.Parse(policy.Bucket, text)
	if err != nil {
		if s, ok := errors.AsType[*policy.SyntaxError](err); ok {
			return malformed(s.Message)
		}
		return err
	}
	for _, s := range statements(text) {
		for _, resource := range append(list(s.Resource), list(s.NotResource)...) {
			if !within(resource, name) {
				return malformed("Policy has invalid resource")
			}
		}
	}
	kept, err := r.principals.ByID(doc)
	if errors.Is(err, fault.Invalid) {
		return malformed("Invalid principal in policy")
	}
	if err != nil {
		return err
	}
	return r.change(ctx, name, func(b *Bucket) error {
		if b.PublicAccessBlock.BlockPublicPolicy && doc.Public() {
			return fault.New(fault.Denied, "policy",
				"Access Denied because public policies are blocked by the BlockPublicPolicy block public access setting.")
		}
		b.Policy = policy.NewSource(kept)
		return nil
	})
}

// DeletePolicy removes the bucket's policy, if it has one.
func (r *Registry) DeletePolicy(ctx context.Context, name string) error {
	return r.change(ctx, name, func(b *Bucket) error {
		b.Policy = nil
		return nil
	})
}

// Policy is the bucket's policy as it is shown; empty when it has none.
func (r *Registry) Policy(b *Bucket) string {
	if b.Policy == nil {
		return ""
	}
	return r.principals.Printed(b.Policy)
}

func malformed(text string) error { return fault.New(fault.Invalid, "policy", "%s", text) }

// statement is what is judged here of a document that policy.Parse has accepted.
type statement struct {
	Resource, NotResource json.RawMessage
}

func statements(text string) []statement {
	var doc struct{ Statement json.RawMessage }
	if json.Unmarshal([]byte(text), &doc) != nil {
		return nil
	}
	var many []statement
	if json.Unmarshal(doc.Statement, &many) == nil {
		return many
	}
	var one statement
	if json.Unmarshal(doc.Statement, &one) != nil {
		return nil
	}
	return []statement{one}
}

func list(value json.RawMessage) []string {
	var many []string
	if json.Unmarshal(value, &many) == nil {
		return many
	}
	var one string
	if json.Unmarshal(value, &one) != nil {
		return nil
	}
	return []string{one}
}

// within tells whether a resource can be in the bucket. A pattern for the bucket's name is given the benefit of the doubt: it is only ever
// evaluated on this bucket.
func within(resource, name string) bool {
	rest, ok := strings.CutPrefix(resource, arn.Bucket(""))
	bucket, _, _ := strings.Cut(rest, "/")
	return resource == "*" || ok && (bucket == name || strings.ContainsAny(bucket, "*?$"))
}
