package api

import (
	"context"
	"reflect"
	"time"

	smithy "github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"

	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/policy"
)

// Call is one request as an operation sees it: who asks, from where, and the record to fill.
type Call struct {
	Caller    authz.Caller
	Network   authz.Network
	Region    string
	RequestID string
	Now       time.Time
	Record    *Record

	authorizer *authz.Authorizer
}

// Resource is what an operation acts on, as the policy question needs it.
type Resource struct {
	ARN     string            // "" means "*": the operation has no resource-level permissions
	Account string            // the owner; "" means the caller's own account
	Tags    map[string]string // aws:ResourceTag/*
}

// Authorize asks whether the caller may do action to r. Keys, when not nil, adds the request's own condition keys.
// A refusal is fault.Denied with subject "action".
func (c *Call) Authorize(action string, r Resource, keys func(*policy.Context)) error {
	return c.authorizer.Authorize(c.Caller, c.Network, authz.Question{
		Action: action, Resource: r.ARN, ResourceAccount: r.Account, ResourceTags: r.Tags, Keys: keys,
	})
}

// Authorizer answers questions about others than the caller, for operations that simulate.
func (c *Call) Authorizer() *authz.Authorizer { return c.authorizer }

// Account is the caller's account: the one in which a request creates and finds things.
func (c *Call) Account() string { return c.Caller.Principal.Account }

// HTTP is how a REST operation is found: the method and the URI template with {labels}.
type HTTP struct {
	Method string
	URI    string
}

// HTTPOf reads method and URI from an operation's schema in the AWS SDK, so that they are not written down again.
func HTTPOf(s *smithy.Schema) HTTP {
	t, ok := smithy.SchemaTrait[*traits.HTTP](s)
	if !ok {
		return HTTP{}
	}
	return HTTP{Method: t.Method, URI: t.URI}
}

// Operation is one API call: what it needs to be allowed, and what it does. In and Out are the structs of the AWS SDK
// where it declares them.
type Operation[In, Out any] struct {
	Name string // CreatePodIdentityAssociation
	HTTP HTTP   // REST protocols only

	// Action is the permission the call needs: "eks:CreatePodIdentityAssociation". Empty means that the call needs none of
	// its own; it then either proves its caller otherwise (a token) or authorises inside Run, which says so.
	Action   string
	Resource func(*Call, *In) Resource         // nil: "*"
	Keys     func(*Call, *In, *policy.Context) // the request's condition keys; nil: none
	Check    func(*In) error                   // syntax of the input, before anything is asked of anyone; nil: nothing
	Run      func(context.Context, *Call, *In) (*Out, error)
	Unsigned bool // the call is made without a signature (AssumeRoleWithWebIdentity)
	ReadOnly bool // changes nothing; the record says so

	// May lists the error shapes that the model allows, besides those every call of the protocol may answer with.
	// Nil allows every shape of the service's table.
	May []string

	// What is special about the members of In, by their Go names, each with the reason. Members that none of the three names are
	// supported. docs/compat is made of them.
	Refuses Members // sending one is an error, which the pipeline answers with
	Keeps   Members // kept and shown again; nothing here acts on it
	Ignores Members // accepted and passed over

	// Differs are the known differences from AWS, a sentence each.
	Differs []string
}

// Members names members of an input and says why each is special.
type Members map[string]string

// Op erases the types of an operation for the service's table.
func Op[In, Out any](o Operation[In, Out]) AnyOperation {
	d := Description{
		Name: o.Name, HTTP: o.HTTP, Action: o.Action, Unsigned: o.Unsigned, ReadOnly: o.ReadOnly,
		In: reflect.TypeFor[In](), Out: reflect.TypeFor[Out](),
		Refuses: o.Refuses, Keeps: o.Keeps, Ignores: o.Ignores, Differs: o.Differs,
	}
	d.check()
	return AnyOperation{
		Description: d, may: o.May,
		input: func() any { return new(In) },
		run: func(ctx context.Context, c *Call, in any) (any, error) {
			typed := in.(*In)
			if err := d.refused(reflect.ValueOf(typed).Elem()); err != nil {
				return nil, err
			}
			if o.Check != nil {
				if err := o.Check(typed); err != nil {
					return nil, err
				}
			}
			if o.Action != "" {
				var r Resource
				if o.Resource != nil {
					r = o.Resource(c, typed)
				}
				var keys func(*policy.Context)
				if o.Keys != nil {
					keys = func(p *policy.Context) { o.Keys(c, typed, p) }
				}
				if err := c.Authorize(o.Action, r, keys); err != nil {
					return nil, err
				}
			}
			out, err := o.Run(ctx, c, typed)
			if err != nil {
				return nil, err
			}
			return out, nil
		},
	}
}

// AnyOperation is an operation without its types: a row of a service's table. [Op] makes it.
type AnyOperation struct {
	Description

	may   []string
	input func() any
	run   func(context.Context, *Call, any) (any, error)
}

// TagKeys sets the condition keys of tags in a request: aws:RequestTag/* and aws:TagKeys. spec: iam-policy.md 10
func TagKeys(p *policy.Context, tags map[string]string) {
	if tags == nil {
		return
	}
	keys := make([]string, 0, len(tags))
	for k, v := range tags {
		p.Set("aws:RequestTag/"+k, v)
		keys = append(keys, k)
	}
	p.Set("aws:TagKeys", keys...)
}
