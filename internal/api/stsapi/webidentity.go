package stsapi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/oidc"
)

// AWS's texts. spec: pod-identity.md 6.4
const (
	textNoProvider = "No OpenIDConnect provider found in your account for %s"
	textNoKey      = "Couldn't retrieve verification key from your identity provider, " +
		"please reference AssumeRoleWithWebIdentity documentation for requirements"
	textAudience     = "Incorrect token audience"
	textNotValid     = "The web identity token could not be validated"
	textNotAllowed   = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
	issuerScheme     = "https://"
	maxIssuerInError = 255
)

func (s *service) assumeRoleWithWebIdentity(
	ctx context.Context, c *api.Call, in *sdk.AssumeRoleWithWebIdentityInput,
) (*sdk.AssumeRoleWithWebIdentityOutput, error) {
	role, err := arn.ParseRole(aws.ToString(in.RoleArn))
	if err != nil {
		return nil, invalid("roleArn", "be the ARN of a role")
	}
	touchRole(c, aws.ToString(in.RoleArn))
	c.Record.RecipientAccountID = role.Account
	provider, claims, err := s.prove(ctx, c, role.Account, aws.ToString(in.WebIdentityToken))
	if err != nil {
		return nil, err
	}
	audience := matching(claims.Audience, provider.ClientIDs)
	c.Record.UserIdentity = api.UserIdentity{
		Type: arn.WebIdentity.String(), PrincipalID: provider.ARN() + ":" + audience + ":" + claims.Subject, UserName: claims.Subject,
	}
	pod := podOf(claims)
	c.Record.AdditionalData.Pod = pod
	session, err := s.Authorizer.Assume(authz.Assumption{
		Caller:  authz.Caller{Principal: arn.Principal{Kind: arn.WebIdentity, ARN: provider.ARN(), ID: claims.Subject}},
		Network: c.Network, Action: authz.AssumeRoleWithWebIdentity, Via: credential.ViaWebIdentity,
		RoleARN: aws.ToString(in.RoleArn), SessionName: aws.ToString(in.RoleSessionName), Duration: seconds(in.DurationSeconds),
		Tags: claims.PrincipalTags, TransitiveTagKeys: claims.TransitiveTagKeys, SourceIdentity: claims.SourceIdentity,
		SessionPolicies: policiesOf(in.Policy), PolicyARNs: policyARNs(in.PolicyArns),
		Claims: claimKeys(provider.Host, audience, claims), Provider: provider.ARN(), Pod: pod,
	})
	if err != nil {
		return nil, wordDenial(err, aws.ToString(in.RoleArn), audience, claims)
	}
	credentials, err := s.mint(ctx, c, session)
	if err != nil {
		return nil, err
	}
	out := &sdk.AssumeRoleWithWebIdentityOutput{
		Credentials: credentials, AssumedRoleUser: assumedRoleUser(session), SubjectFromWebIdentityToken: aws.String(claims.Subject),
		Provider: aws.String(provider.ARN()), Audience: aws.String(audience), SourceIdentity: optional(session.SourceIdentity),
	}
	out.PackedPolicySize = packedSize(session)
	out.SessionTokenSize, out.SessionTokenUtilization = tokenSize(credentials)
	return out, nil
}

// prove finds the provider that an account has for the token's issuer and proves the token with that issuer's keys.
// spec: iam-policy.md 7.3, steps 1 and 2
func (s *service) prove(ctx context.Context, c *api.Call, account, token string) (*iam.Provider, *oidc.Claims, error) {
	issuer, err := oidc.Issuer(token)
	if err != nil {
		return nil, nil, wordToken(err)
	}
	host, https := strings.CutPrefix(issuer, issuerScheme)
	provider, ok := s.IAM.FindProvider(account, host)
	if !ok || !https {
		return nil, nil, fault.New(fault.NotFound, "provider", textNoProvider, issuer[:min(len(issuer), maxIssuerInError)])
	}
	claims, err := s.verify(ctx, provider, token, oidc.Expect{Issuer: issuer, Audiences: provider.ClientIDs, Now: c.Now})
	if err != nil {
		return nil, nil, wordToken(err)
	}
	return provider, claims, nil
}

// verify proves a token with the keys of a provider's issuer. A key that is not among them may be new: then the issuer is asked again.
func (s *service) verify(ctx context.Context, p *iam.Provider, token string, expect oidc.Expect) (*oidc.Claims, error) {
	keys, err := s.Keys(ctx, p, nil)
	if err != nil {
		return nil, err
	}
	claims, err := oidc.Verify(token, keys, expect)
	if !errors.Is(err, oidc.ErrUnknownKey) {
		return claims, err
	}
	newer, failure := s.Keys(ctx, p, keys)
	if failure != nil {
		return nil, failure
	}
	if newer == keys {
		return nil, err
	}
	return oidc.Verify(token, newer, expect)
}

// wordToken puts AWS's text before what package oidc found.
func wordToken(err error) error {
	f := fault.Of(err)
	text := textNotValid
	switch {
	case f.Kind == fault.Expired || f.Subject != "token":
		return err // the text is AWS's already
	case errors.Is(err, oidc.ErrAudience):
		text = textAudience
	case errors.Is(err, oidc.ErrUnknownKey):
		text = textNoKey
	}
	return fault.New(f.Kind, f.Subject, "%s (%s)", text, f.Public).Because(err)
}

// wordDenial gives AWS's text for a trust policy that lets the token not in, and says what was asked of it. A role that does not
// exist is refused in the same words, so that names cannot be probed; the record has the trace.
func wordDenial(err error, roleARN, audience string, claims *oidc.Claims) error {
	f := fault.Of(err)
	if f.Kind != fault.Denied || f.Subject != "role" {
		return err
	}
	return fault.New(f.Kind, f.Subject, "%s (no trust policy of %s allows it to the issuer %q with sub %q and aud %q, or one denies it)",
		textNotAllowed, roleARN, claims.Issuer, claims.Subject, audience).Because(f)
}

// matching is the audience that a token was accepted for.
func matching(audiences, accepted []string) string {
	if i := slices.IndexFunc(audiences, func(a string) bool { return slices.Contains(accepted, a) }); i >= 0 {
		return audiences[i]
	}
	return ""
}

// claimKeys are the condition keys of a web identity. Where the token names an authorized party, that is its audience and the
// token's own is oaud. spec: iam-policy.md 7.3
func claimKeys(host, audience string, claims *oidc.Claims) map[string][]string {
	keys := map[string][]string{host + ":sub": {claims.Subject}, host + ":aud": {audience}}
	if claims.AuthorizedParty != "" {
		keys[host+":aud"], keys[host+":oaud"] = []string{claims.AuthorizedParty}, []string{audience}
	}
	if len(claims.AuthenticationMethods) > 0 {
		keys[host+":amr"] = claims.AuthenticationMethods
	}
	return keys
}

// podOf is the pod of a Kubernetes service account token; nil for every other token. Its subject decides who the bearer is, so
// claims that say otherwise are not repeated.
func podOf(claims *oidc.Claims) *credential.Pod {
	k := claims.Kubernetes
	if k == nil || claims.Subject != fmt.Sprintf("system:serviceaccount:%s:%s", k.Namespace, k.ServiceAccount) {
		return nil
	}
	return &credential.Pod{
		Namespace: k.Namespace, ServiceAccount: k.ServiceAccount, PodName: k.Pod, PodUID: k.PodUID, Node: k.Node,
	}
}
