package organizationsapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/organizations"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/fault"
)

func (s *service) addTags(t *api.Typed) {
	t.Operations = append(t.Operations,
		api.Op(call(s, "ResourceId", s.tagResource)),
		api.Op(call(s, "ResourceId", s.untagResource)),
		api.Op(with(call(s, "ResourceId", s.listTags), func(o *api.Operation[sdk.ListTagsForResourceInput, sdk.ListTagsForResourceOutput]) {
			o.Ignores = api.Members{"NextToken": "all tags of a resource, of which there are 50 at most, come in one answer"}
		})),
	)
}

func (s *service) tagResource(ctx context.Context, c *api.Call, in *sdk.TagResourceInput) (*sdk.TagResourceOutput, error) {
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	return nil, s.orgs.Tag(ctx, c.Account(), aws.ToString(in.ResourceId), tags)
}

func (s *service) untagResource(ctx context.Context, c *api.Call, in *sdk.UntagResourceInput) (*sdk.UntagResourceOutput, error) {
	return nil, s.orgs.Untag(ctx, c.Account(), aws.ToString(in.ResourceId), in.TagKeys)
}

func (s *service) listTags(_ context.Context, c *api.Call, in *sdk.ListTagsForResourceInput) (*sdk.ListTagsForResourceOutput, error) {
	o, err := s.orgs.View(c.Account())
	if err != nil {
		return nil, err
	}
	id := aws.ToString(in.ResourceId)
	if !o.Taggable(id) {
		return nil, fault.New(fault.NotFound, "target", "We can't find a root, OU, account, or policy with the TargetId that you specified.")
	}
	return &sdk.ListTagsForResourceOutput{Tags: wireTags(s.orgs.Tags(o, id))}, nil
}
