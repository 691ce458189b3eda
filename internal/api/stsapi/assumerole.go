package stsapi

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/fault"
)

func (s *service) assumeRole(ctx context.Context, c *api.Call, in *sdk.AssumeRoleInput) (*sdk.AssumeRoleOutput, error) {
	touchRole(c, aws.ToString(in.RoleArn))
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	q := authz.Assumption{
		Caller: c.Caller, Network: c.Network, Action: authz.AssumeRole, Via: credential.ViaAssumeRole,
		RoleARN: aws.ToString(in.RoleArn), SessionName: aws.ToString(in.RoleSessionName), Duration: seconds(in.DurationSeconds),
		Tags: tags, TransitiveTagKeys: in.TransitiveTagKeys,
		ExternalID: aws.ToString(in.ExternalId), SourceIdentity: aws.ToString(in.SourceIdentity),
		SessionPolicies: policiesOf(in.Policy), PolicyARNs: policyARNs(in.PolicyArns),
	}
	if calling := c.Caller.Session; calling != nil {
		q.Pod = calling.Pod // the chain began in that pod
	}
	session, err := s.Authorizer.Assume(q)
	if err != nil {
		return nil, err
	}
	credentials, err := s.mint(ctx, c, session)
	if err != nil {
		return nil, err
	}
	out := &sdk.AssumeRoleOutput{
		Credentials: credentials, AssumedRoleUser: assumedRoleUser(session), SourceIdentity: optional(session.SourceIdentity),
	}
	out.PackedPolicySize = packedSize(session)
	out.SessionTokenSize, out.SessionTokenUtilization = tokenSize(credentials)
	return out, nil
}

// touchRole puts the role on the record.
func touchRole(c *api.Call, roleARN string) {
	if name, err := arn.ParseRole(roleARN); err == nil {
		c.Record.Touch(roleARN, name.Account, "AWS::IAM::Role")
	}
}

func tagsOf(tags []types.Tag) (map[string]string, error) {
	m := make(map[string]string, len(tags))
	for _, tag := range tags {
		key := aws.ToString(tag.Key)
		if _, twice := m[key]; twice { // keys that differ in case are authz's to find
			return nil, fault.New(fault.Invalid, "tags", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		m[key] = aws.ToString(tag.Value)
	}
	return m, nil
}

func policiesOf(document *string) []string {
	if document == nil {
		return nil
	}
	return []string{*document}
}

func policyARNs(list []types.PolicyDescriptorType) []string {
	arns := make([]string, len(list))
	for i, d := range list {
		arns[i] = aws.ToString(d.Arn)
	}
	return arns
}

// Bounds of parameters. What they mean within them is authz's to judge. spec: pod-identity.md 6.4
const (
	minDuration    = 900
	maxDuration    = 43200
	minWebToken    = 4
	maxWebToken    = 20000
	maxText        = 2048
	minAccessKeyID = 16
	maxAccessKeyID = 128
)

func checkAssumeRole(in *sdk.AssumeRoleInput) error {
	return checkCommon(in.RoleArn, in.RoleSessionName, in.Policy, in.DurationSeconds)
}

func checkWebIdentity(in *sdk.AssumeRoleWithWebIdentityInput) error {
	switch n := len(aws.ToString(in.WebIdentityToken)); {
	case in.WebIdentityToken == nil:
		return invalid("webIdentityToken", "not be null")
	case n > maxWebToken:
		return invalid("webIdentityToken", "have length less than or equal to 20000")
	case n < minWebToken:
		return invalid("webIdentityToken", "have length greater than or equal to 4")
	}
	return checkCommon(in.RoleArn, in.RoleSessionName, in.Policy, in.DurationSeconds)
}

func checkCommon(roleARN, sessionName, document *string, duration *int32) error {
	switch {
	case roleARN == nil:
		return invalid("roleArn", "not be null")
	case sessionName == nil:
		return invalid("roleSessionName", "not be null")
	case len(*roleARN) > maxText:
		return invalid("roleArn", "have length less than or equal to 2048")
	case document != nil && *document == "":
		return invalid("policy", "have length greater than or equal to 1")
	}
	return checkDuration(duration, minDuration, maxDuration)
}

func checkDuration(seconds *int32, least, most int32) error {
	switch {
	case seconds == nil:
		return nil
	case *seconds < least:
		return invalidValue("durationSeconds", *seconds, fmt.Sprintf("have value greater than or equal to %d", least))
	case *seconds > most:
		return invalidValue("durationSeconds", *seconds, fmt.Sprintf("have value less than or equal to %d", most))
	}
	return nil
}

func checkAccessKeyInfo(in *sdk.GetAccessKeyInfoInput) error {
	id := aws.ToString(in.AccessKeyId)
	if len(id) < minAccessKeyID || len(id) > maxAccessKeyID ||
		strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return invalid("accessKeyId", `satisfy regular expression pattern: [\w]{16,128}`)
	}
	return nil
}

// invalid words the violation of a documented constraint as STS does. It repeats no value: some are secret.
func invalid(member, constraint string) error {
	return fault.New(fault.Invalid, "parameter",
		"1 validation error detected: Value at '%s' failed to satisfy constraint: Member must %s", member, constraint)
}

// invalidValue is invalid for a number, which is no secret.
func invalidValue(member string, value int32, constraint string) error {
	return fault.New(fault.Invalid, "parameter",
		"1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: Member must %s", value, member, constraint)
}
