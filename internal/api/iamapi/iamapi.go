// Package iamapi serves IAM over the Query protocol: users, groups and what they sign in with, roles and instance profiles, policies,
// identity providers, and what an account has of them.
//
// It owns what is IAM's own on the wire: which permission and which resource each call needs, the condition keys of the request,
// paging, and the shape of the answers. The documents and the rules for them are in package iam. Inputs and outputs are the
// structs of the AWS SDK, so an operation is named after its input and cannot be misspelled.
//
// IAM has no regions: clients sign for us-east-1 whatever their region is.
//
// spec: pod-identity.md 6.6
package iamapi

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

// Config is what the service needs.
type Config struct {
	IAM *iam.Directory // required

	// Connected tells whether a cluster of the account is connected that has this issuer. nil: none is.
	Connected func(account, issuer string) bool
}

// New makes the service.
func New(c Config) *api.Typed {
	s := &service{iam: c.IAM, connected: c.Connected}
	t := &api.Typed{
		SigningName: "iam",
		EventSource: "iam.amazonaws.com",
		Protocol: api.Query{
			Namespace: "https://iam.amazonaws.com/doc/2010-05-08/", Version: "2010-05-08", EmptyResults: []string{"UpdateRole"},
		},
		Faults: faults,
	}
	s.addUsers(t)
	s.addUserSettings(t)
	s.addUserPolicies(t)
	s.addAccessKeys(t)
	s.addLoginProfiles(t)
	s.addGroups(t)
	s.addGroupPolicies(t)
	s.addRoles(t)
	s.addRolePolicies(t)
	s.addServiceLinkedRoles(t)
	s.addInstanceProfiles(t)
	s.addPolicies(t)
	s.addProviders(t)
	s.addAccount(t)
	s.addPasswordPolicy(t)
	s.addCredentialReport(t)
	s.addAbsent(t)
	s.addSimulation(t)
	s.addLastAccessed(t)
	return t
}

type service struct {
	iam       *iam.Directory
	connected func(account, issuer string) bool
}

// on finds the resource that a call is about, by the members of its input.
type on func(c *api.Call, in any) api.Resource

// call is an operation that needs the permission iam:<its name> on a resource. Required are the members that must be given.
func call[In, Out any](run func(context.Context, *api.Call, *In) (*Out, error), on on, required ...string) api.Operation[In, Out] {
	name := strings.TrimSuffix(reflect.TypeFor[In]().Name(), "Input")
	return api.Operation[In, Out]{
		Name:     name,
		Action:   "iam:" + name,
		Run:      run,
		ReadOnly: strings.HasPrefix(name, "Get") || strings.HasPrefix(name, "List"),
		Check:    func(in *In) error { return check(in, required) },
		Resource: func(c *api.Call, in *In) api.Resource {
			r := on(c, in)
			if r.ARN != "" {
				c.Record.Touch(r.ARN, r.Account, "")
			}
			return r
		},
		Keys: func(c *api.Call, in *In, keys *policy.Context) {
			resourceTags(on(c, in).Tags)(keys)
		},
	}
}

// with adds condition keys of the request to an operation.
func with[In, Out any](o api.Operation[In, Out], more func(*api.Call, *In, *policy.Context)) api.Operation[In, Out] {
	before := o.Keys
	o.Keys = func(c *api.Call, in *In, keys *policy.Context) {
		before(c, in, keys)
		more(c, in, keys)
	}
	return o
}

// Lengths of text members; what is shorter is judged by the domain. spec: pod-identity.md 6.6
const (
	maxText     = 2048
	maxDocument = 131072
)

// check holds that the required members are there and that no text is longer than any legal one.
func check(in any, required []string) error {
	v := reflect.ValueOf(in).Elem()
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if v.Field(i).Kind() == reflect.Slice || !field.IsExported() {
			continue
		}
		value, given := textOf(v.Field(i))
		longest := maxText
		if strings.HasSuffix(field.Name, "Document") {
			longest = maxDocument
		}
		switch {
		case !given && slices.Contains(required, field.Name):
			return fault.New(fault.Invalid, "parameter",
				"1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", memberName(field.Name))
		case len(value) > longest:
			return fault.New(fault.Invalid, "parameter", "1 validation error detected: Value at '%s' failed to satisfy constraint: "+
				"Member must have length less than or equal to %d", memberName(field.Name), longest)
		case value != "" && !oneOf(v.Field(i), value):
			return fault.New(fault.Invalid, "parameter", "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: "+
				"Member must satisfy enum value set: [%s]", value, memberName(field.Name), strings.Join(values(v.Field(i)), ", "))
		case field.Name == "PathPrefix" && given && !strings.HasPrefix(value, "/"):
			return fault.New(fault.Invalid, "parameter", "1 validation error detected: Value '%s' at 'pathPrefix' failed to satisfy constraint: "+
				`Member must satisfy regular expression pattern: \u002F[\u0021-\u007F]*`, value)
		}
	}
	return nil
}

// values are those that an enum of the SDK knows; none for any other member.
func values(v reflect.Value) []string {
	method := v.MethodByName("Values")
	if v.Kind() != reflect.String || !method.IsValid() {
		return nil
	}
	list := method.Call(nil)[0]
	out := make([]string, list.Len())
	for i := range out {
		out[i] = list.Index(i).String()
	}
	return out
}

// oneOf tells whether a value is one of an enum's. Every value is one of a member that is no enum.
func oneOf(v reflect.Value, value string) bool {
	known := values(v)
	return known == nil || slices.Contains(known, value)
}

// textOf reads a string or pointer member; given tells whether it was in the request.
func textOf(v reflect.Value) (text string, given bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return "", false
		}
		text, _ = textOf(v.Elem())
		return text, true
	case reflect.String:
		return v.String(), v.Len() > 0
	default:
		return "", true
	}
}

// text is the value of a text member of an input, empty when it is absent or when the input has no such member.
func text(in any, member string) string {
	field := reflect.ValueOf(in).Elem().FieldByName(member)
	if !field.IsValid() {
		return ""
	}
	value, _ := textOf(field)
	return value
}

// memberName is how IAM's validation texts spell a member: with a lower first letter.
func memberName(field string) string { return strings.ToLower(field[:1]) + field[1:] }

// account is the resource of calls that are about no single thing: they list, or read what is the account's.
func account(*api.Call, any) api.Resource { return api.Resource{} }

// tagsOf turns the tags of a request into a map. That keys differ ignoring case is checked here, before one hides another.
func tagsOf(tags []types.Tag) (map[string]string, error) {
	seen := make(map[string]bool, len(tags))
	for _, tag := range tags {
		folded := strings.ToLower(aws.ToString(tag.Key))
		if seen[folded] {
			return nil, fault.New(fault.Invalid, "tags", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		seen[folded] = true
	}
	return tagMap(tags), nil
}

// newTags are the tags of what a request makes. To set any is an action of its own, which the caller must be allowed as well.
func newTags(c *api.Call, action string, r api.Resource, wire []types.Tag) (map[string]string, error) {
	tags, err := tagsOf(wire)
	if err != nil || len(tags) == 0 {
		return nil, err
	}
	return tags, c.Authorize(action, r, func(keys *policy.Context) { api.TagKeys(keys, tags) })
}

func tagMap(tags []types.Tag) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	m := make(map[string]string, len(tags))
	for _, tag := range tags {
		m[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return m
}

// wireTags are the tags of a resource in the order of their keys.
func wireTags(tags map[string]string) []types.Tag {
	out := make([]types.Tag, 0, len(tags))
	for _, key := range sortedKeys(tags) {
		out = append(out, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
	}
	return out
}

func boundary(policyARN string) *types.AttachedPermissionsBoundary {
	if policyARN == "" {
		return nil
	}
	return &types.AttachedPermissionsBoundary{
		PermissionsBoundaryArn:  aws.String(policyARN),
		PermissionsBoundaryType: types.PermissionsBoundaryAttachmentTypePolicy,
	}
}

// optional is nil for an empty text: the member is left out of the answer.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return aws.String(text)
}
