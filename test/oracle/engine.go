package oracle

import (
	"encoding/json"
	"fmt"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/test/oracle/reference"
)

// Set compiles the documents of a case for the engine.
func Set(p reference.Policies) (*policy.Set, error) {
	s := &policy.Set{}
	var first error
	compile := func(kind policy.Kind, texts []json.RawMessage) []*policy.Document {
		var out []*policy.Document
		for _, text := range texts {
			d, err := policy.Compile(kind, string(text))
			if err != nil && first == nil {
				first = fmt.Errorf("%s policy %s: %w", kind, text, err)
			}
			out = append(out, d)
		}
		return out
	}
	s.Identity, s.Session = compile(policy.Identity, p.Identity), compile(policy.Session, p.Session)
	for _, b := range compile(policy.Boundary, p.Boundary) {
		s.Boundary = b
	}
	for _, level := range p.SCP {
		s.SCP = append(s.SCP, compile(policy.SCP, level))
	}
	for _, level := range p.RCP {
		s.RCP = append(s.RCP, compile(policy.RCP, level))
	}
	switch {
	case len(p.Trust) > 0:
		s.Resource = compile(policy.Trust, []json.RawMessage{p.Trust})[0]
	case len(p.Resource) > 0:
		s.Resource = compile(policy.Bucket, []json.RawMessage{p.Resource})[0]
	}
	return s, first
}

var kinds = map[string]arn.Kind{
	"user": arn.IAMUser, "assumedRole": arn.RoleSession, "federatedUser": arn.FederatedUser, "root": arn.RootUser,
	"service": arn.Service, "anonymous": arn.Anonymous, "webIdentity": arn.WebIdentity,
}

// Request is the request of a case as the engine takes it.
func Request(c reference.Case) *policy.Request {
	p := c.Principal
	keys := &policy.Context{}
	for key, values := range c.Request.Context {
		keys.Set(key, values...)
	}
	return &policy.Request{
		Principal: &arn.Principal{
			Kind: kinds[p.Type], Account: p.Account, ARN: p.ARN, ID: p.UserID, UserName: p.UserName, RoleARN: p.RoleARN, RoleID: p.RoleID,
			UserARN: p.UserARN,
		},
		Action: c.Request.Action, Resource: c.Request.Resource, ResourceAccount: c.Request.ResourceAccount, Context: keys,
	}
}
