// Package eksapi is EKS: clusters, node groups, add-ons, pod identity associations and tags.
//
// It owns the operations' wire side: which permission each needs, the checks on what a caller sends, the texts, the paging.
// The state and its rules are package cluster's. What is answered of a cluster is what its report says, never more.
//
// spec: pod-identity.md 1
package eksapi

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	smithy "github.com/aws/smithy-go"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
)

// Codes of the error shapes that operations list. spec: pod-identity.md 1.1, 1.2
const (
	shapeBadRequest = "BadRequestException"
	shapeClient     = "ClientException"
	shapeInUse      = "ResourceInUseException"
	shapeLimit      = "ResourceLimitExceededException"
	shapeNotFound   = "ResourceNotFoundException"
	shapeParameter  = "InvalidParameterException"
	shapeRequest    = "InvalidRequestException"
	shapeServer     = "ServerException"
	shapeTagMissing = "NotFoundException"
	shapeUnavail    = "ServiceUnavailableException"
)

var faults = api.Faults{
	{Kind: fault.NotFound, Shape: api.Shape{Code: shapeNotFound, Status: http.StatusNotFound}},
	{Kind: fault.NotFound, Subject: "tagged resource", Shape: api.Shape{Code: shapeTagMissing, Status: http.StatusNotFound}},
	{Kind: fault.Invalid, Subject: "tagging", Shape: api.Shape{Code: shapeBadRequest, Status: http.StatusBadRequest}},
	{Kind: fault.Exists, Shape: api.Shape{Code: shapeInUse, Status: http.StatusConflict}},
	{Kind: fault.Conflict, Subject: "cluster", Shape: api.Shape{Code: shapeInUse, Status: http.StatusConflict}},
	{Kind: fault.Conflict, Subject: "client request token", Shape: api.Shape{Code: shapeParameter, Status: http.StatusBadRequest}},
	{Kind: fault.Conflict, Shape: api.Shape{Code: shapeRequest, Status: http.StatusBadRequest}},
	{Kind: fault.Limit, Shape: api.Shape{Code: shapeLimit, Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Shape: api.Shape{Code: shapeParameter, Status: http.StatusBadRequest}},
	{Kind: fault.Unavailable, Shape: api.Shape{Code: shapeServer, Status: http.StatusInternalServerError}},
	{Kind: fault.Internal, Shape: api.Shape{Code: shapeServer, Status: http.StatusInternalServerError}},
}

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
	t.Operations = append(t.Operations, s.clusterOperations()...)
	t.Operations = append(t.Operations, s.nodegroupOperations()...)
	t.Operations = append(t.Operations, s.addonOperations()...)
	t.Operations = append(t.Operations, s.associationOperations()...)
	t.Operations = append(t.Operations, s.tagOperations()...)
	return t
}

// on is an operation on a cluster or something in it: its name, its permission and its place come from its schema.
func on[In, Out any](schema *smithy.Schema, resource func(*api.Call, *In) api.Resource, may ...string) api.Operation[In, Out] {
	name := schema.ID().Name
	http := api.HTTPOf(schema)
	return api.Operation[In, Out]{
		Name: name, HTTP: http, Action: "eks:" + name, Resource: resource, May: append(may, shapeServer),
		ReadOnly: http.Method == "GET",
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

func instant(t time.Time) *time.Time { return &t }

// checkRole holds that a role of the caller's account may be passed to a service. The permission is the caller's own.
func passRole(c *api.Call, roleARN, service string) error {
	name, err := arn.ParseRole(roleARN)
	if err != nil {
		return fault.New(fault.Invalid, "parameter", "%q is not the ARN of a role: %s", strings.ToValidUTF8(roleARN, ""), err)
	}
	return c.Authorize("iam:PassRole", api.Resource{ARN: roleARN, Account: name.Account}, passedTo(service))
}
