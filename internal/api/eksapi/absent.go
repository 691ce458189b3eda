package eksapi

import (
	"context"
	"reflect"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	smithy "github.com/aws/smithy-go"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
)

// What EKS runs beside clusters and podid does not is answered alike: lists of it are empty, each of it is not found, and making it is
// refused.

// within is the resource that the parts of its ARN name, of the caller's account.
func within(c *api.Call, parts ...string) api.Resource {
	cluster := arn.Cluster(c.Region, c.Account(), "")
	return api.Resource{ARN: strings.TrimSuffix(cluster, "cluster/") + strings.Join(parts, "/"), Account: c.Account()}
}

// never is an operation that has one answer, a failure.
func never[In, Out any](
	schema *smithy.Schema, why string, resource func(*api.Call, *In) api.Resource, fail func(context.Context, *api.Call, *In) error,
) api.AnyOperation {
	o := on[In, Out](schema, resource)
	o.Differs = []string{"It always fails: " + why + "."}
	o.Ignores = api.Members{}
	for f := range reflect.TypeFor[In]().Fields() {
		label := "{" + strings.ToLower(f.Name[:1]) + f.Name[1:] + "}"
		if f.IsExported() && !strings.Contains(o.HTTP.URI, label) {
			o.Ignores[f.Name] = "the operation always fails"
		}
	}
	o.Run = func(ctx context.Context, c *api.Call, in *In) (*Out, error) { return nil, fail(ctx, c, in) }
	if strings.HasPrefix(o.Name, "Describe") {
		o.ReadOnly = true
	}
	return api.Op(o)
}

// none is a list that is empty. Of names where it is: the cluster, the size of a page and the token.
func none[In, Out any](
	s *service, schema *smithy.Schema, why string, of func(*In) (*string, *int32, *string), empty func() *Out,
) api.AnyOperation {
	o := on[In, Out](schema, func(c *api.Call, in *In) api.Resource {
		if name, _, _ := of(in); name != nil {
			return s.cluster(c, name)
		}
		return api.Resource{}
	})
	o.ReadOnly = true
	o.Differs = []string{"It is always empty: " + why + "."}
	o.Run = func(ctx context.Context, c *api.Call, in *In) (*Out, error) {
		name, size, token := of(in)
		if name != nil {
			if err := s.exists(ctx, c, o.Name, *name); err != nil {
				return nil, err
			}
		}
		if _, err := paging(size, token); err != nil {
			return nil, err
		}
		return empty(), nil
	}
	return api.Op(o)
}

// exists holds that there is the cluster that something is asked of.
func (s *service) exists(ctx context.Context, c *api.Call, operation, name string) error {
	_, err := s.Clusters.Get(ctx, c.Account(), name)
	if f := fault.Of(err); err != nil && f.Kind == fault.NotFound && operation == "ListCapabilities" {
		return badParameter("%s", f.Public).With("clusterName", name).Because(err) // its model has no other error
	}
	return err
}

// unsupported refuses what podid does not do, of a cluster that exists.
func (s *service) unsupported(ctx context.Context, c *api.Call, name *string, why string) error {
	if err := s.exists(ctx, c, "", aws.ToString(name)); err != nil {
		return err
	}
	return fault.New(fault.Unsupported, "operation", "%s", why).With("clusterName", *name)
}

// missing says that a cluster, if it exists, has no such thing.
func (s *service) missing(ctx context.Context, c *api.Call, cluster *string, format, name string) *fault.Error {
	if err := s.exists(ctx, c, "", aws.ToString(cluster)); err != nil {
		return fault.Of(err)
	}
	return fault.New(fault.NotFound, "thing", format, strings.ToValidUTF8(name[:min(len(name), 100)], "?")).With("clusterName", *cluster)
}

// quotedMember is a name as a member of an error carries it, cut to a length for people.
func quotedMember(name *string) string {
	text := aws.ToString(name)
	return strings.ToValidUTF8(text[:min(len(text), 100)], "?")
}
