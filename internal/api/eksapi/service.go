// Package eksapi is EKS: clusters, node groups, add-ons, access entries, pod identity associations, tags, and truthful answers about what
// podid does not run.
//
// It owns the operations' wire side: which permission each needs, the checks on what a caller sends, the texts, the paging.
// The state and its rules are package cluster's. What is answered of a cluster is what its report says, never more.
//
// spec: pod-identity.md 1
package eksapi

import (
	"encoding/base64"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	smithy "github.com/aws/smithy-go"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
)

// Config is what the service needs; every field is required.
type Config struct {
	Clusters *cluster.Registry
	IAM      *iam.Directory
}

type service struct{ Config }

// New makes the service.
func New(c Config) *api.Typed {
	s := &service{c}
	t := &api.Typed{SigningName: "eks", EventSource: "eks.amazonaws.com", Protocol: api.RESTJSON{}, Faults: faults}
	for _, operations := range [][]api.AnyOperation{
		s.clusterOperations(), s.configOperations(), s.versionOperations(), s.registrationOperations(),
		s.nodegroupOperations(), s.nodegroupUpdateOperations(), s.addonOperations(), s.associationOperations(),
		s.entryOperations(), s.accessPolicyOperations(), s.tagOperations(),
		s.fargateOperations(), s.identityProviderOperations(), s.capabilityOperations(), s.insightOperations(),
		s.subscriptionOperations(), s.authorityOperations(),
	} {
		t.Operations = append(t.Operations, operations...)
	}
	return t
}

// on is an operation on a cluster or something in it: its name, its permission, its place and its errors follow from its schema.
func on[In, Out any](schema *smithy.Schema, resource func(*api.Call, *In) api.Resource) api.Operation[In, Out] {
	name := schema.ID().Name
	place := api.HTTPOf(schema)
	return api.Operation[In, Out]{
		Name: name, HTTP: place, Action: "eks:" + name, Resource: resource, May: modelled[name],
		ReadOnly: place.Method == http.MethodGet,
	}
}

// cluster is the resource of an operation on the cluster that a member names.
func (s *service) cluster(c *api.Call, name *string) api.Resource {
	r := api.Resource{ARN: arn.Cluster(c.Region, c.Account(), aws.ToString(name)), Account: c.Account()}
	if found, ok := s.Clusters.Find(c.Account(), aws.ToString(name)); ok {
		r.Tags = found.Tags
	}
	return r
}

// required refuses an input whose members are missing; it names the first, in the model's order.
func required(members ...string) error {
	for i := 0; i+1 < len(members); i += 2 {
		if members[i+1] == "" {
			return fault.New(fault.Invalid, "parameter", "%s is required", members[i])
		}
	}
	return nil
}

// Paging. A token is the last name of the page before, so that a page is right also when the list changed in between.
const maxPage = 100

type page struct {
	after string
	size  int
}

func paging(maxResults *int32, token *string) (page, error) {
	p := page{size: maxPage}
	if maxResults != nil {
		if *maxResults < 1 || *maxResults > maxPage {
			return page{}, fault.New(fault.Invalid, "parameter", "maxResults must be between 1 and %d, not %d", maxPage, *maxResults)
		}
		p.size = int(*maxResults)
	}
	if token != nil && *token != "" {
		after, err := base64.RawURLEncoding.DecodeString(*token)
		if err != nil || len(after) > 1000 {
			return page{}, fault.New(fault.Invalid, "parameter", "nextToken is not one that this operation returned")
		}
		p.after = string(after)
	}
	return p, nil
}

// cut returns a page of an ascending list and the token for the next one.
func cutPage[T any](p page, list []T, name func(T) string) ([]T, *string) {
	out := []T{}
	for _, v := range list {
		if p.after != "" && name(v) <= p.after {
			continue
		}
		if len(out) == p.size {
			token := base64.RawURLEncoding.EncodeToString([]byte(name(out[len(out)-1])))
			return out, &token
		}
		out = append(out, v)
	}
	return out, nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func tags(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// passRole holds that the caller may pass a role to a service. A role of another account has nobody who could allow that.
func passRole(c *api.Call, roleARN, service string) error {
	name, err := arn.ParseRole(roleARN)
	if err != nil {
		return fault.New(fault.Invalid, "parameter", "%.200q is not the ARN of a role: %s", roleARN, err)
	}
	return c.Authorize("iam:PassRole", api.Resource{ARN: roleARN, Account: name.Account}, passedTo(service))
}
