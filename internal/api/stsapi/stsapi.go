// Package stsapi serves STS: sessions of roles and of users, who a caller is, and why it was refused, over the Query protocol.
//
// It owns what is STS's own on the wire. Whether a role may be assumed is decided in package authz; what the session turns into
// is package credential's. A web identity is proven here first: provider, key set, token, in this order, and nothing about a
// role is said to anybody whose token is not proven.
//
// spec: pod-identity.md 6.4, 6.5; iam-policy.md 7
package stsapi

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/oidc"
)

// Config is what the service needs; every field is required.
type Config struct {
	IAM        *iam.Directory
	Authorizer *authz.Authorizer
	Ring       *credential.Ring

	// Keys finds the keys of a provider's issuer. Lacking is nil, or a set that Keys returned before and that lacks the key which a token
	// names: then the answer is another set, or lacking itself where there is no other. Its failures have the subject "provider":
	// NotFound becomes InvalidIdentityToken, and Unavailable becomes IDPCommunicationError, after which SDKs try again.
	Keys func(ctx context.Context, p *iam.Provider, lacking *oidc.KeySet) (*oidc.KeySet, error)
}

// New makes the service.
func New(c Config) *api.Typed {
	s := &service{c}
	t := &api.Typed{
		SigningName: "sts",
		EventSource: "sts.amazonaws.com",
		Protocol:    api.Query{Namespace: "https://sts.amazonaws.com/doc/2011-06-15/", Version: "2011-06-15"},
		Faults:      faults,
	}
	t.Operations = append(t.Operations,
		// Both ask the authorizer themselves: trust policy, tags and source identity are questions of their own.
		api.Op(api.Operation[sdk.AssumeRoleInput, sdk.AssumeRoleOutput]{
			Name: "AssumeRole", Check: checkAssumeRole, Run: s.assumeRole,
			Refuses: api.Members{
				"SerialNumber": noDevices, "TokenCode": noDevices, "MinimumSessionTokenSize": noPadding,
				"ProvidedContexts": "no identity center issues context assertions",
			},
			Differs: []string{differsTags, differsPacked, differsPolicies},
		}),
		api.Op(api.Operation[sdk.AssumeRoleWithWebIdentityInput, sdk.AssumeRoleWithWebIdentityOutput]{
			Name: "AssumeRoleWithWebIdentity", Check: checkWebIdentity, Run: s.assumeRoleWithWebIdentity, Unsigned: true,
			Refuses: api.Members{
				"ProviderId": "tokens are OpenID Connect tokens, which name their issuer", "MinimumSessionTokenSize": noPadding,
			},
			Differs: []string{
				differsPacked, differsPolicies,
				"IDPRejectedClaim is never answered: tokens are proven with the issuer's keys, and no issuer is asked about one.",
				"InvalidIdentityToken and AccessDenied say in parentheses what was found, after AWS's text.",
			},
		}),
		// Like those of roles, sessions of users are package authz's to grant: it asks for the permissions.
		api.Op(api.Operation[sdk.GetSessionTokenInput, sdk.GetSessionTokenOutput]{
			Name: "GetSessionToken", Check: checkSessionToken, Run: s.getSessionToken,
			Refuses: api.Members{"SerialNumber": noDevices, "TokenCode": noDevices, "MinimumSessionTokenSize": noPadding},
			Differs: []string{differsKey},
		}),
		api.Op(api.Operation[sdk.GetFederationTokenInput, sdk.GetFederationTokenOutput]{
			Name: "GetFederationToken", Check: checkFederationToken, Run: s.getFederationToken,
			Refuses: api.Members{"MinimumSessionTokenSize": noPadding},
			Differs: []string{differsKey, differsPacked, differsPolicies},
		}),
		api.Op(api.Operation[sdk.AssumeRootInput, sdk.AssumeRootOutput]{
			Name: "AssumeRoot", Action: "sts:AssumeRoot", Resource: target, Check: checkAssumeRoot, Run: assumeRoot,
			Refuses: api.Members{"MinimumSessionTokenSize": noPadding},
			Differs: []string{"It is always refused: nobody but an account's own root user acts as that root user."},
		}),
		api.Op(api.Operation[sdk.DecodeAuthorizationMessageInput, sdk.DecodeAuthorizationMessageOutput]{
			Name: "DecodeAuthorizationMessage", Action: "sts:DecodeAuthorizationMessage", Check: checkMessage, Run: s.decodeMessage, ReadOnly: true,
			Differs: []string{
				"A message can be decoded for 24 hours, in the account of the caller that was refused and in that of the resource; each reads what is its own.",
				"The decoded document has a member \"podid\" with how each layer of policies came out.",
			},
		}),
		// Whoever can sign may know who it is, whatever its policies say.
		api.Op(api.Operation[sdk.GetCallerIdentityInput, sdk.GetCallerIdentityOutput]{
			Name: "GetCallerIdentity", Run: s.getCallerIdentity, ReadOnly: true,
		}),
		api.Op(api.Operation[sdk.GetAccessKeyInfoInput, sdk.GetAccessKeyInfoOutput]{
			Name: "GetAccessKeyInfo", Action: "sts:GetAccessKeyInfo", Check: checkAccessKeyInfo, Run: s.getAccessKeyInfo, ReadOnly: true,
			Differs: []string{"Only long-term keys of this control plane are known, and the caller's own: the id of a session's key does not hold the account."},
		}),
	)
	return t
}

type service struct{ Config }

// Why members are refused, and how podid differs.
const (
	noDevices       = "there are no MFA devices"
	noPadding       = "session tokens are as long as they are"
	differsTags     = "Inherited transitive tags count as aws:RequestTag, aws:TagKeys and sts:TransitiveTagKeys of the call."
	differsPacked   = "PackedPolicySize is podid's own measure; sessions need not pack alike on AWS."
	differsPolicies = "Managed session policies mean what they say when they are asked, not when the session began; one that is deleted denies."
	differsKey      = "The session ends when the access key that asked for it is deactivated or deleted."
)

// faults is how STS words each way to fail. spec: pod-identity.md 6.4, 6.5
var faults = api.Faults{
	{Kind: fault.Denied, Subject: "role", Shape: api.Shape{Code: "AccessDenied", Status: http.StatusForbidden}},
	{Kind: fault.Invalid, Subject: "policy document", Shape: api.Shape{Code: "MalformedPolicyDocument", Status: http.StatusBadRequest}},
	{Kind: fault.Limit, Subject: "session policy", Shape: api.Shape{Code: "PackedPolicyTooLarge", Status: http.StatusBadRequest}},
	{Kind: fault.Limit, Subject: "session", Shape: api.Shape{Code: "PackedPolicyTooLarge", Status: http.StatusBadRequest}},
	{Kind: fault.NotFound, Subject: "provider", Shape: api.Shape{Code: "InvalidIdentityToken", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Subject: "token", Shape: api.Shape{Code: "InvalidIdentityToken", Status: http.StatusBadRequest}},
	{Kind: fault.Unauthenticated, Subject: "token", Shape: api.Shape{Code: "InvalidIdentityToken", Status: http.StatusBadRequest}},
	{Kind: fault.Expired, Subject: "token", Shape: api.Shape{Code: "ExpiredTokenException", Status: http.StatusBadRequest}},
	{Kind: fault.Unavailable, Subject: "provider", Shape: api.Shape{Code: "IDPCommunicationError", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Subject: "authorization message", Shape: api.Shape{
		Code: "InvalidAuthorizationMessageException", Status: http.StatusBadRequest,
	}},
	{Kind: fault.NotFound, Subject: "access key", Shape: api.Shape{Code: "ValidationError", Status: http.StatusBadRequest}},
}

func (s *service) getCallerIdentity(
	_ context.Context, c *api.Call, _ *sdk.GetCallerIdentityInput,
) (*sdk.GetCallerIdentityOutput, error) {
	p := c.Caller.Principal
	return &sdk.GetCallerIdentityOutput{Account: aws.String(p.Account), Arn: aws.String(p.ARN), UserId: aws.String(p.ID)}, nil
}

// getAccessKeyInfo tells whose key an id is. Sessions are not kept anywhere, so of those only the caller's own is known.
func (s *service) getAccessKeyInfo(
	_ context.Context, c *api.Call, in *sdk.GetAccessKeyInfoInput,
) (*sdk.GetAccessKeyInfoOutput, error) {
	id := aws.ToString(in.AccessKeyId)
	if id == c.Caller.AccessKeyID {
		return &sdk.GetAccessKeyInfoOutput{Account: aws.String(c.Account())}, nil
	}
	if key, ok := s.IAM.FindAccessKey(id); ok {
		return &sdk.GetAccessKeyInfoOutput{Account: aws.String(key.Account)}, nil
	}
	return nil, fault.New(fault.NotFound, "access key", "The access key %s is not known here", id)
}

// mint turns a session into credentials and notes it on the record.
func (s *service) mint(ctx context.Context, c *api.Call, session credential.Session) (*types.Credentials, error) {
	made, err := s.Ring.Mint(ctx, session)
	if err != nil {
		return nil, err
	}
	c.Record.AdditionalData.Credential = session.Principal.ARN
	return &types.Credentials{
		AccessKeyId: aws.String(made.AccessKeyID), SecretAccessKey: aws.String(made.SecretAccessKey),
		SessionToken: aws.String(made.SessionToken), Expiration: aws.Time(made.Expiration),
	}, nil
}

func assumedRoleUser(session credential.Session) *types.AssumedRoleUser {
	return &types.AssumedRoleUser{Arn: aws.String(session.Principal.ARN), AssumedRoleId: aws.String(session.Principal.ID)}
}

// tokenSize is the length of a session token and its share of the longest one, in percent.
func tokenSize(c *types.Credentials) (size, percent *int32) {
	n := len(*c.SessionToken)
	return aws.Int32(int32(n)), //nolint:gosec // at most MaxTokenLength
		aws.Int32(int32((100*n + credential.MaxTokenLength - 1) / credential.MaxTokenLength)) //nolint:gosec // at most 100
}

// packedSize is nil for a session that has neither policies nor tags.
func packedSize(session credential.Session) *int32 {
	n := authz.PackedSize(&session)
	if n == 0 {
		return nil
	}
	return aws.Int32(int32(n)) //nolint:gosec // a few hundred at most
}

func seconds(n *int32) time.Duration { return time.Duration(aws.ToInt32(n)) * time.Second }

// optional is nil for an empty text: the member is left out of the answer.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return aws.String(text)
}
