package eksapi

import (
	"context"
	"errors"
	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
)

// tagged is the resource of a tagging operation: what its ARN names, in whatever account that is.
func (s *service) tagged(resourceARN *string) api.Resource {
	r := api.Resource{ARN: aws.ToString(resourceARN)}
	if a, err := arn.Parse(r.ARN); err == nil {
		r.Account = a.Account
		if t, err := s.Clusters.Tagged(a.Account, r.ARN); err == nil {
			r.Tags = t.Tags
		}
	}
	return r
}

func (s *service) tagOperations() []api.AnyOperation {
	tag := on[sdk.TagResourceInput, sdk.TagResourceOutput](schemas.TagResource,
		func(_ *api.Call, in *sdk.TagResourceInput) api.Resource { return s.tagged(in.ResourceArn) })
	tag.Keys = func(_ *api.Call, in *sdk.TagResourceInput, k *policy.Context) { api.TagKeys(k, in.Tags) }
	tag.Run = func(ctx context.Context, c *api.Call, in *sdk.TagResourceInput) (*sdk.TagResourceOutput, error) {
		if len(in.Tags) == 0 {
			return nil, fault.New(fault.Invalid, "tagging", "tags is required")
		}
		return &sdk.TagResourceOutput{}, s.changeTags(ctx, c, in.ResourceArn, in.Tags, nil)
	}
	untag := on[sdk.UntagResourceInput, sdk.UntagResourceOutput](schemas.UntagResource,
		func(_ *api.Call, in *sdk.UntagResourceInput) api.Resource { return s.tagged(in.ResourceArn) })
	untag.Keys = func(_ *api.Call, in *sdk.UntagResourceInput, k *policy.Context) { k.Set("aws:TagKeys", in.TagKeys...) }
	untag.Run = func(ctx context.Context, c *api.Call, in *sdk.UntagResourceInput) (*sdk.UntagResourceOutput, error) {
		if len(in.TagKeys) == 0 {
			return nil, fault.New(fault.Invalid, "tagging", "tagKeys is required")
		}
		return &sdk.UntagResourceOutput{}, s.changeTags(ctx, c, in.ResourceArn, nil, in.TagKeys)
	}
	list := on[sdk.ListTagsForResourceInput, sdk.ListTagsForResourceOutput](schemas.ListTagsForResource,
		func(_ *api.Call, in *sdk.ListTagsForResourceInput) api.Resource { return s.tagged(in.ResourceArn) })
	list.Run = func(_ context.Context, c *api.Call, in *sdk.ListTagsForResourceInput) (*sdk.ListTagsForResourceOutput, error) {
		t, err := s.Clusters.Tagged(c.Account(), aws.ToString(in.ResourceArn))
		if err != nil {
			return nil, tagging(err)
		}
		return &sdk.ListTagsForResourceOutput{Tags: tags(t.Tags)}, nil
	}
	own := "A tag of podid's own takes a further permission to set, change or remove: on an association eks:UpdatePodIdentityAssociation, and iam:PassRole " +
		"on its role; on a cluster eks:UpdateClusterConfig. Unknown tags that begin with podid.io/ are refused."
	tag.Differs, untag.Differs = []string{own}, []string{own}
	return []api.AnyOperation{api.Op(tag), api.Op(untag), api.Op(list)}
}

// changeTags changes the tags of something in the caller's account; something of another account does not exist for it.
func (s *service) changeTags(ctx context.Context, c *api.Call, resourceARN *string, set map[string]string, remove []string) error {
	text := aws.ToString(resourceARN)
	c.Record.Touch(text, c.Account(), "")
	return tagging(s.Clusters.Retag(ctx, c.Account(), text, func(t *cluster.Tagged) error {
		before := maps.Clone(t.Tags)
		maps.Copy(t.Tags, set)
		for _, k := range remove {
			delete(t.Tags, k)
		}
		return s.mayChange(c, t, before)
	}))
}

// mayChange asks for what tags of podid's own need besides the permission to tag: they change what a cluster does, or whose sessions an
// association's pods get, and so need what the call needs that changes these.
func (s *service) mayChange(c *api.Call, t *cluster.Tagged, before map[string]string) error {
	own := func(tags map[string]string) map[string]string {
		tags = maps.Clone(tags)
		maps.DeleteFunc(tags, func(key, _ string) bool { return !cluster.OwnTag(key) })
		return tags
	}
	if maps.Equal(own(before), own(t.Tags)) {
		return nil
	}
	resource := api.Resource{ARN: t.ARN, Account: c.Account(), Tags: before}
	switch t.Type {
	case "cluster":
		return c.Authorize("eks:UpdateClusterConfig", resource, nil)
	case "podidentityassociation":
		if err := c.Authorize("eks:UpdatePodIdentityAssociation", resource, nil); err != nil {
			return err
		}
		return c.Authorize("iam:PassRole", api.Resource{ARN: t.RoleARN, Account: c.Account()}, passedTo(servicePrincipal))
	}
	return nil
}

// tagging words failures as the tagging operations do, which have error shapes of their own. spec: pod-identity.md 1.10
func tagging(err error) error {
	if err == nil {
		return nil
	}
	f := fault.Of(err)
	switch {
	case errors.Is(err, fault.Invalid):
		return fault.New(fault.Invalid, "tagging", "%s", f.Public).Because(err)
	case errors.Is(err, fault.NotFound):
		return fault.New(fault.NotFound, "tagged resource", "%s", f.Public).Because(err)
	}
	return err
}
