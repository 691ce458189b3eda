package iamapi

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
)

// inline is the text of one inline policy of a user, group or role.
func inline(kind string, policies map[string]*policy.Source, name *string) (*string, error) {
	source, ok := policies[aws.ToString(name)]
	if !ok {
		return nil, fault.New(fault.NotFound, "policy", "The %s policy with name %s cannot be found.", kind, aws.ToString(name))
	}
	return document(source.String()), nil
}

// inlineNames is a page of the names of the inline policies that a user, group or role has.
func inlineNames(policies map[string]*policy.Source, marker *string, limit *int32) (page[string], error) {
	return paged(slices.Values(sortedKeys(policies)), self, self, marker, limit)
}

// attached is a page of the managed policies that a user, group or role has.
func attached(policyARNs []string, prefix, marker *string, limit *int32) (page[types.AttachedPolicy], error) {
	all := api.Where(sortedBy(policyARNs, self), func(policyARN string) bool {
		path, _ := splitPolicy(policyARN)
		return pathPrefix(path, prefix)
	})
	return paged(all, self, attachedPolicy, marker, limit)
}

func attachedPolicy(policyARN string) types.AttachedPolicy {
	_, name := splitPolicy(policyARN)
	return types.AttachedPolicy{PolicyArn: aws.String(policyARN), PolicyName: aws.String(name)}
}

// tagPage is a page of the tags that something has.
func tagPage(tags map[string]string, marker *string, limit *int32) (page[types.Tag], error) {
	return paged(slices.Values(wireTags(tags)), func(t types.Tag) string { return aws.ToString(t.Key) },
		func(t types.Tag) types.Tag { return t }, marker, limit)
}
