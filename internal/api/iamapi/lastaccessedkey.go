package iamapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/fault"
)

// accessKeyOwner is the user whose key a call is about. Of another account's keys nothing is known: they are refused as keys that do
// not exist are, with the one error that the operation's model leaves.
func (s *service) accessKeyOwner(c *api.Call, in any) api.Resource {
	if key, ok := s.iam.FindAccessKey(text(in, "AccessKeyId")); ok && key.Account == c.Account() && key.UserName != "" {
		if u, ok := s.iam.FindUser(key.Account, key.UserName); ok {
			return api.Resource{ARN: u.ARN(), Account: u.Account, Tags: u.Tags}
		}
	}
	return api.Resource{}
}

func (s *service) getAccessKeyLastUsed(
	_ context.Context, c *api.Call, in *sdk.GetAccessKeyLastUsedInput,
) (*sdk.GetAccessKeyLastUsedOutput, error) {
	id := aws.ToString(in.AccessKeyId)
	key, ok := s.iam.FindAccessKey(id)
	if !ok || key.Account != c.Account() {
		return nil, fault.New(fault.Denied, "action", "User: %s is not authorized to perform: iam:GetAccessKeyLastUsed on resource: access key %s",
			c.Caller.Principal.ARN, bounded(id))
	}
	out := &sdk.GetAccessKeyLastUsedOutput{
		UserName: optional(key.UserName), AccessKeyLastUsed: &types.AccessKeyLastUsed{ServiceName: aws.String("N/A"), Region: aws.String("N/A")},
	}
	if service, m, ok := s.iam.AccessKeyLastUsed(key.Account, id); ok {
		out.AccessKeyLastUsed = &types.AccessKeyLastUsed{ServiceName: aws.String(service), Region: aws.String(m.Region), LastUsedDate: aws.Time(m.At)}
	}
	return out, nil
}
