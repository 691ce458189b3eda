package stsapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/fault"
)

// Bounds of parameters of the calls that users make for themselves. spec: iam-policy.md 7.1
const (
	maxUserDuration = 129600
	maxRootDuration = 900 // of AssumeRoot
	minTarget       = 12
	maxMessage      = 10240
)

func checkSessionToken(in *sdk.GetSessionTokenInput) error {
	return checkDuration(in.DurationSeconds, minDuration, maxUserDuration)
}

func (s *service) getSessionToken(ctx context.Context, c *api.Call, in *sdk.GetSessionTokenInput) (*sdk.GetSessionTokenOutput, error) {
	session, err := s.Authorizer.SessionToken(c.Caller, c.Network, seconds(in.DurationSeconds))
	if err != nil {
		return nil, err
	}
	credentials, err := s.mint(ctx, c, session)
	if err != nil {
		return nil, err
	}
	out := &sdk.GetSessionTokenOutput{Credentials: credentials}
	out.SessionTokenSize, out.SessionTokenUtilization = tokenSize(credentials)
	return out, nil
}

func checkFederationToken(in *sdk.GetFederationTokenInput) error {
	switch {
	case in.Name == nil:
		return invalid("name", "not be null")
	case in.Policy != nil && *in.Policy == "":
		return invalid("policy", "have length greater than or equal to 1")
	}
	return checkDuration(in.DurationSeconds, minDuration, maxUserDuration)
}

func (s *service) getFederationToken(
	ctx context.Context, c *api.Call, in *sdk.GetFederationTokenInput,
) (*sdk.GetFederationTokenOutput, error) {
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	session, err := s.Authorizer.Federate(authz.Federation{
		Caller: c.Caller, Network: c.Network, Name: aws.ToString(in.Name), Duration: seconds(in.DurationSeconds), Tags: tags,
		SessionPolicies: policiesOf(in.Policy), PolicyARNs: policyARNs(in.PolicyArns),
	})
	if err != nil {
		return nil, err
	}
	credentials, err := s.mint(ctx, c, session)
	if err != nil {
		return nil, err
	}
	out := &sdk.GetFederationTokenOutput{
		Credentials:      credentials,
		FederatedUser:    &types.FederatedUser{Arn: aws.String(session.Principal.ARN), FederatedUserId: aws.String(session.Principal.ID)},
		PackedPolicySize: packedSize(session),
	}
	out.SessionTokenSize, out.SessionTokenUtilization = tokenSize(credentials)
	return out, nil
}

func checkAssumeRoot(in *sdk.AssumeRootInput) error {
	switch n := len(aws.ToString(in.TargetPrincipal)); {
	case in.TargetPrincipal == nil:
		return invalid("targetPrincipal", "not be null")
	case in.TaskPolicyArn == nil:
		return invalid("taskPolicyArn", "not be null")
	case n < minTarget:
		return invalid("targetPrincipal", "have length greater than or equal to 12")
	case n > maxText:
		return invalid("targetPrincipal", "have length less than or equal to 2048")
	}
	return checkDuration(in.DurationSeconds, 0, maxRootDuration)
}

// target is the root user that the caller wants to be.
func target(_ *api.Call, in *sdk.AssumeRootInput) api.Resource {
	r := api.Resource{ARN: aws.ToString(in.TargetPrincipal)}
	if arn.CheckAccount(r.ARN) == nil {
		r.ARN = arn.Root(r.ARN)
	}
	return r
}

func assumeRoot(_ context.Context, _ *api.Call, in *sdk.AssumeRootInput) (*sdk.AssumeRootOutput, error) {
	return nil, fault.New(fault.Denied, "role", "Not authorized to perform sts:AssumeRoot (podid has no centralized root access, so nobody may act as %s "+
		"but that root user itself: sign with one of its own access keys)", target(nil, in).ARN)
}

func checkMessage(in *sdk.DecodeAuthorizationMessageInput) error {
	switch n := len(aws.ToString(in.EncodedMessage)); {
	case in.EncodedMessage == nil:
		return invalid("encodedMessage", "not be null")
	case n == 0:
		return invalid("encodedMessage", "have length greater than or equal to 1")
	case n > maxMessage:
		return invalid("encodedMessage", "have length less than or equal to 10240")
	}
	return nil
}

// decodeMessage tells the caller's account why a request was refused, as far as that is the account's to know.
func (s *service) decodeMessage(
	ctx context.Context, c *api.Call, in *sdk.DecodeAuthorizationMessageInput,
) (*sdk.DecodeAuthorizationMessageOutput, error) {
	text, err := s.Authorizer.Decode(ctx, c.Account(), aws.ToString(in.EncodedMessage))
	if err != nil {
		return nil, err
	}
	return &sdk.DecodeAuthorizationMessageOutput{DecodedMessage: aws.String(text)}, nil
}
