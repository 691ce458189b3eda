package authz

import (
	"strconv"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/policy"
)

// callerKeys sets the condition keys that describe caller and transport. They are set here and nowhere else, and never from
// headers other than the two that AWS documents. spec: iam-policy.md 10
func callerKeys(k *policy.Context, c Caller, n Network) {
	k.Set("aws:CurrentTime", n.Time.UTC().Format(time.RFC3339))
	k.Set("aws:EpochTime", strconv.FormatInt(n.Time.Unix(), 10))
	k.Set("aws:RequestedRegion", n.Region)
	k.Set("aws:SecureTransport", strconv.FormatBool(n.Secure))
	k.Set("aws:UserAgent", n.UserAgent)
	k.Set("aws:ViaAWSService", "false")
	if n.SourceIP.IsValid() {
		k.Set("aws:SourceIp", n.SourceIP.String())
	}
	if n.Referer != "" {
		k.Set("aws:referer", n.Referer)
	}
	principalKeys(k, c.Principal)
	s := c.Session
	if s == nil {
		return
	}
	k.Set("aws:TokenIssueTime", s.IssuedAt.UTC().Format(time.RFC3339))
	k.Set("aws:MultiFactorAuthPresent", "false")
	if s.SourceIdentity != "" {
		k.Set("aws:SourceIdentity", s.SourceIdentity)
	}
	if s.FederatedProvider != "" {
		k.Set("aws:FederatedProvider", s.FederatedProvider)
	}
}

func principalKeys(k *policy.Context, p arn.Principal) {
	account := p.Account
	switch p.Kind {
	case arn.Service:
		k.Set("aws:PrincipalServiceName", p.ARN)
		k.Set("aws:PrincipalServiceNamesList", p.ARN)
		k.Set("aws:PrincipalIsAWSService", "true")
		return
	case arn.WebIdentity:
		return
	case arn.Anonymous:
		k.Set("aws:PrincipalType", "Anonymous")
		k.Set("aws:userid", "anonymous")
		k.Set("aws:PrincipalAccount", "anonymous")
		return
	case arn.RoleSession:
		k.Set("aws:PrincipalType", "AssumedRole")
		k.Set("aws:PrincipalArn", p.RoleARN)
	case arn.RootUser:
		k.Set("aws:PrincipalType", "Account")
		k.Set("aws:PrincipalArn", p.ARN)
	case arn.IAMUser:
		k.Set("aws:PrincipalType", "User")
		k.Set("aws:PrincipalArn", p.ARN)
		k.Set("aws:username", p.UserName)
	case arn.FederatedUser:
		k.Set("aws:PrincipalType", "FederatedUser")
		k.Set("aws:PrincipalArn", p.ARN)
	}
	k.Set("aws:PrincipalIsAWSService", "false")
	k.Set("aws:PrincipalAccount", account)
	k.Set("aws:userid", p.ID)
	for key, value := range p.Tags {
		k.Set("aws:PrincipalTag/"+key, value)
	}
}
