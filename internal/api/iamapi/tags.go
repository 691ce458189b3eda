package iamapi

import (
	"context"
	"reflect"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

// change is how the tags of one thing are changed: f gets those it has.
type change func(f func(map[string]string) map[string]string) error

// tagging is a call that puts tags on what on finds. Its input has the member Tags.
func tagging[In, Out any](of func(context.Context, *api.Call, *In) change, on on, required string) api.Operation[In, Out] {
	run := func(ctx context.Context, c *api.Call, in *In) (*Out, error) {
		tags, err := tagsOf(tagsIn(in))
		if err != nil {
			return nil, err
		}
		return new(Out), of(ctx, c, in)(func(before map[string]string) map[string]string { return iam.WithTags(before, tags) })
	}
	return with(call(run, on, required), func(_ *api.Call, in *In, keys *policy.Context) { requestKeys(keys, nil, tagsIn(in)) })
}

// untagging is a call that takes tags from what on finds. Its input has the member TagKeys.
func untagging[In, Out any](of func(context.Context, *api.Call, *In) change, on on, required string) api.Operation[In, Out] {
	run := func(ctx context.Context, c *api.Call, in *In) (*Out, error) {
		return new(Out), of(ctx, c, in)(func(before map[string]string) map[string]string { return iam.WithoutTags(before, keysIn(in)) })
	}
	return with(call(run, on, required), func(_ *api.Call, in *In, keys *policy.Context) {
		if named := keysIn(in); len(named) > 0 {
			keys.Set("aws:TagKeys", named...)
		}
	})
}

func tagsIn(in any) []types.Tag {
	tags, _ := reflect.ValueOf(in).Elem().FieldByName("Tags").Interface().([]types.Tag)
	return tags
}

func keysIn(in any) []string {
	keys, _ := reflect.ValueOf(in).Elem().FieldByName("TagKeys").Interface().([]string)
	return keys
}
