package arn

// Kind tells what sort of caller a [Principal] is. The set is closed.
type Kind uint8

// The kinds of principal. Anonymous is the zero value: a caller about whom nothing was proven.
const (
	Anonymous Kind = iota
	RootUser
	IAMUser
	RoleSession   // AssumeRole, AssumeRoleWithWebIdentity, pod identity
	FederatedUser // GetFederationToken
	Service       // an AWS-style service acting by itself: pods.eks.amazonaws.com
	WebIdentity   // the bearer of a proven token, before it has a session
)

// String is the kind as CloudTrail's userIdentity.type spells it.
func (k Kind) String() string {
	switch k {
	case Anonymous:
		return "Anonymous"
	case RootUser:
		return "Root"
	case IAMUser:
		return "IAMUser"
	case RoleSession:
		return "AssumedRole"
	case FederatedUser:
		return "FederatedUser"
	case Service:
		return "AWSService"
	case WebIdentity:
		return "WebIdentityUser"
	}
	return "Unknown"
}

// Principal says who is asking: the caller of a request. It is a plain value and is never changed after it was made.
type Principal struct {
	Kind Kind

	// Account is the caller's account; empty for services, web identities and anonymous callers.
	Account string

	// ARN is what the caller is called: the user, the session (arn:aws:sts::A:assumed-role/Role/Session), the account root.
	// For a service its name, for a web identity the provider's ARN, for an anonymous caller "*".
	ARN string

	// ID is the unique id as aws:userid has it: AIDA..., AROA...:session, the account id for the root user.
	ID string

	// UserName is set for IAM users only.
	UserName string

	// RoleARN (with path) and RoleID (AROA...) are set for role sessions: the session's own ARN has lost the path.
	RoleARN string
	RoleID  string

	// UserARN is the user who called GetFederationToken; set for federated users only.
	UserARN string

	// Tags are the principal tags: the tags of the user or role, overlaid by the tags of the session.
	Tags map[string]string
}
