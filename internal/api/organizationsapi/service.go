// Package organizationsapi serves AWS Organizations over the AWS JSON 1.1 protocol: organizations, accounts, organizational units,
// service and resource control policies, and invitations.
//
// It owns what is the service's own on the wire: which permission and which resource each call needs, the condition keys of the
// request, paging, and the shape of the answers. The tree and the rules for it are in package organization; the one thing that is
// made outside of it is the account that CreateAccount asks for, which is package iam's.
//
// Almost every call is for the management account only. Members may describe their organization, answer invitations and leave.
// The service has no regions: clients sign for us-east-1 whatever their region is.
//
// spec: iam-policy.md 6.1, 10
package organizationsapi

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/organization"
	"github.com/podid/podid/internal/policy"
)

// Config is what the service needs; every field is required.
type Config struct {
	Organizations *organization.Directory
	IAM           *iam.Directory
}

type service struct {
	orgs *organization.Directory
	iam  *iam.Directory
}

// New makes the service.
func New(c Config) *api.Typed {
	s := &service{orgs: c.Organizations, iam: c.IAM}
	t := &api.Typed{
		SigningName: "organizations",
		EventSource: "organizations.amazonaws.com",
		Protocol:    api.JSON11{Target: "AWSOrganizationsV20161128", Message: "Message"},
		Faults:      faults,
	}
	s.addOrganization(t)
	s.addAccounts(t)
	s.addUnits(t)
	s.addPolicies(t)
	s.addHandshakes(t)
	s.addTags(t)
	s.addServices(t)
	return t
}

// call is an operation that needs the permission organizations:<its name>. On names the member of the input that holds the id of
// what it is about; empty: nothing in particular.
func call[In, Out any](s *service, on string, run func(context.Context, *api.Call, *In) (*Out, error)) api.Operation[In, Out] {
	name := strings.TrimSuffix(reflect.TypeFor[In]().Name(), "Input")
	m := modelled[name]
	return api.Operation[In, Out]{
		Name:     name,
		Action:   "organizations:" + name,
		ReadOnly: strings.HasPrefix(name, "Describe") || strings.HasPrefix(name, "List"),
		May:      m.errors(),
		Check:    func(in *In) error { return check(in, strings.Fields(m.required)) },
		Run:      run,
		Resource: func(c *api.Call, in *In) api.Resource {
			r := s.resource(c, text(in, on))
			if r.ARN != "" {
				c.Record.Touch(r.ARN, c.Account(), "")
			}
			return r
		},
		Keys: func(c *api.Call, in *In, keys *policy.Context) { s.keys(c, in, keys) },
	}
}

// with says what is special about the members of an operation's input.
func with[In, Out any](o api.Operation[In, Out], change func(*api.Operation[In, Out])) api.Operation[In, Out] {
	change(&o)
	return o
}

// resource is what an id stands for in the caller's organization. What is not known has no ARN. Whoever may see a resource here at
// all is asked for a permission of its own account, as the caller is one of the organization's.
func (s *service) resource(c *api.Call, id string) api.Resource {
	if id == "" {
		return api.Resource{}
	}
	if h, err := s.orgs.FindHandshake(c.Account(), id); err == nil {
		return api.Resource{ARN: h.ARN()}
	}
	o, err := s.orgs.Describe(c.Account())
	if err != nil {
		return api.Resource{}
	}
	r := api.Resource{ARN: targetARN(o, id), Tags: s.orgs.Tags(o, id)}
	if p, err := s.orgs.FindPolicy(o, id); err == nil {
		r.ARN = p.ARN()
	}
	return r
}

// targetARN is the ARN of the root, a unit or an account by its id.
func targetARN(o *organization.Organization, id string) string {
	switch {
	case id == o.RootID:
		return o.RootARN()
	case strings.HasPrefix(id, "ou-"):
		return o.UnitARN(id)
	case arn.CheckAccount(id) == nil:
		return o.AccountARN(id)
	}
	return ""
}

// also asks the call's permission for a second resource.
func (s *service) also(c *api.Call, action, id string, in any) error {
	return c.Authorize(action, s.resource(c, id), func(keys *policy.Context) { s.keys(c, in, keys) })
}

// keys sets the condition keys of a request: the type of the policy that it is about, and its tags.
func (s *service) keys(c *api.Call, in any, keys *policy.Context) {
	for _, member := range []string{"PolicyType", "Type", "Filter"} {
		if t := text(in, member); t != "" {
			keys.Set("organizations:PolicyType", t)
		}
	}
	if id := text(in, "PolicyId"); id != "" {
		if o, err := s.orgs.Describe(c.Account()); err == nil {
			if p, err := s.orgs.FindPolicy(o, id); err == nil {
				keys.Set("organizations:PolicyType", string(p.Type))
			}
		}
	}
	v := reflect.ValueOf(in).Elem()
	if f := v.FieldByName("Tags"); f.IsValid() {
		if tags, ok := f.Interface().([]types.Tag); ok && len(tags) > 0 {
			api.TagKeys(keys, tagMap(tags))
		}
	}
	if f := v.FieldByName("TagKeys"); f.IsValid() {
		if names, ok := f.Interface().([]string); ok && len(names) > 0 {
			keys.Set("aws:TagKeys", names...)
		}
	}
}

// longestID is the longest of any id.
const longestID = 130

// check holds that the required members are there, that ids are made of what ids are made of, and that enums have one of their values.
func check(in any, required []string) error {
	v := reflect.ValueOf(in).Elem()
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		value := text(in, field.Name)
		switch {
		case v.Field(i).IsZero() && slices.Contains(required, field.Name):
			return invalid("INPUT_REQUIRED", "You must provide a value for the parameter %s.", field.Name)
		case strings.HasSuffix(field.Name, "Id") && value != "" && !isID(value):
			return invalid("INVALID_PATTERN", "You provided a value that does not match the required pattern: %s.", field.Name)
		case value != "" && !isEnum(v.Field(i), value):
			reason := "INVALID_ENUM"
			if field.Type == reflect.TypeFor[types.PolicyType]() {
				reason = "INVALID_ENUM_POLICY_TYPE"
			}
			return invalid(reason, "You specified an invalid value for %s.", field.Name)
		}
	}
	return nil
}

func isID(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return len(s) <= longestID
}

// isEnum reports whether a value is one that its type knows; types that are no enums know every value.
func isEnum(v reflect.Value, value string) bool {
	values := v.MethodByName("Values")
	if v.Kind() != reflect.String || !values.IsValid() {
		return true
	}
	known := values.Call(nil)[0]
	for i := range known.Len() {
		if known.Index(i).String() == value {
			return true
		}
	}
	return false
}

// text is the value of a text member of an input, empty when it is absent or when the input has no such member.
func text(in any, member string) string {
	v := reflect.ValueOf(in).Elem().FieldByName(member)
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.String {
		return ""
	}
	return v.String()
}

func invalid(reason, format string, args ...any) error {
	return fault.New(fault.Invalid, "input", format, args...).With("Reason", reason)
}

// optional is nil for an empty text: the member is left out of the answer.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return aws.String(text)
}

// tagsOf turns the tags of a request into a map. A key that is there twice is refused, before one hides the other.
func tagsOf(tags []types.Tag) (map[string]string, error) {
	m := tagMap(tags)
	if len(m) != len(tags) {
		return nil, invalid("DUPLICATE_TAG_KEY", "Tag keys must be unique among the tags attached to the same entity.")
	}
	return m, nil
}

func tagMap(tags []types.Tag) map[string]string {
	m := make(map[string]string, len(tags))
	for _, tag := range tags {
		m[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return m
}

func wireTags(tags map[string]string) []types.Tag {
	out := make([]types.Tag, 0, len(tags))
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
	}
	return out
}
