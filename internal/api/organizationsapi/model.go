package organizationsapi

import "strings"

// model is what the service's model says of an operation: the members that must be given, and the errors that it may answer with,
// without the suffix that all have.
type model struct{ required, may string }

func (m model) errors() []string {
	codes := strings.Fields(m.may)
	for i := range codes {
		codes[i] += "Exception"
	}
	return codes
}

var modelled = map[string]model{
	"AcceptHandshake": {
		"HandshakeId",
		"AccessDenied AWSOrganizationsNotInUse HandshakeConstraintViolation HandshakeNotFound InvalidHandshakeTransition " +
			"HandshakeAlreadyInState InvalidInput ConcurrentModification Service TooManyRequests AccessDeniedForDependency " +
			"ConstraintViolation MasterCannotLeaveOrganization",
	},
	"AttachPolicy": {
		"PolicyId TargetId",
		"AccessDenied AWSOrganizationsNotInUse ConcurrentModification ConstraintViolation DuplicatePolicyAttachment InvalidInput " +
			"PolicyNotFound PolicyTypeNotEnabled Service TargetNotFound TooManyRequests UnsupportedAPIEndpoint PolicyChangesInProgress",
	},
	"CancelHandshake": {
		"HandshakeId",
		"AccessDenied ConcurrentModification HandshakeNotFound InvalidHandshakeTransition HandshakeAlreadyInState InvalidInput Service " +
			"TooManyRequests",
	},
	"CloseAccount": {
		"AccountId",
		"AccessDenied AccountAlreadyClosed AccountNotFound AWSOrganizationsNotInUse ConcurrentModification Conflict " +
			"ConstraintViolation InvalidInput Service TooManyRequests UnsupportedAPIEndpoint",
	},
	"CreateAccount": {
		"Email AccountName",
		"AccessDenied AWSOrganizationsNotInUse ConcurrentModification ConstraintViolation InvalidInput FinalizingOrganization Service " +
			"TooManyRequests UnsupportedAPIEndpoint",
	},
	"CreateOrganization": {
		"",
		"AccessDenied AlreadyInOrganization ConcurrentModification ConstraintViolation InvalidInput Service TooManyRequests " +
			"AccessDeniedForDependency",
	},
	"CreateOrganizationalUnit": {
		"ParentId Name",
		"AccessDenied AWSOrganizationsNotInUse ConcurrentModification ConstraintViolation DuplicateOrganizationalUnit InvalidInput " +
			"ParentNotFound Service TooManyRequests",
	},
	"CreatePolicy": {
		"Content Description Name Type",
		"AccessDenied AWSOrganizationsNotInUse ConcurrentModification ConstraintViolation DuplicatePolicy InvalidInput " +
			"MalformedPolicyDocument PolicyTypeNotAvailableForOrganization Service TooManyRequests UnsupportedAPIEndpoint",
	},
	"DeclineHandshake": {
		"HandshakeId",
		"AccessDenied ConcurrentModification HandshakeNotFound InvalidHandshakeTransition HandshakeAlreadyInState InvalidInput Service " +
			"TooManyRequests",
	},
	"DeleteOrganization": {
		"",
		"AccessDenied AWSOrganizationsNotInUse ConcurrentModification ConstraintViolation InvalidInput OrganizationNotEmpty Service " +
			"TooManyRequests",
	},
	"DeleteOrganizationalUnit": {
		"OrganizationalUnitId",
		"AccessDenied AWSOrganizationsNotInUse ConcurrentModification InvalidInput OrganizationalUnitNotEmpty " +
			"OrganizationalUnitNotFound Service TooManyRequests",
	},
	"DeletePolicy": {
		"PolicyId",
		"AccessDenied AWSOrganizationsNotInUse ConcurrentModification InvalidInput PolicyInUse PolicyNotFound Service TooManyRequests " +
			"UnsupportedAPIEndpoint",
	},
	"DescribeAccount": {
		"AccountId",
		"AccessDenied AccountNotFound AWSOrganizationsNotInUse InvalidInput Service TooManyRequests",
	},
	"DescribeCreateAccountStatus": {
		"CreateAccountRequestId",
		"AccessDenied AWSOrganizationsNotInUse CreateAccountStatusNotFound InvalidInput Service TooManyRequests UnsupportedAPIEndpoint",
	},
	"DescribeEffectivePolicy": {
		"PolicyType",
		"AccessDenied AWSOrganizationsNotInUse ConstraintViolation Service TooManyRequests TargetNotFound EffectivePolicyNotFound " +
			"InvalidInput UnsupportedAPIEndpoint",
	},
	"DescribeHandshake": {
		"HandshakeId",
		"AccessDenied ConcurrentModification HandshakeNotFound InvalidInput Service TooManyRequests",
	},
	"DescribeOrganization": {
		"",
		"AccessDenied AWSOrganizationsNotInUse ConcurrentModification Service TooManyRequests",
	},
	"DescribeOrganizationalUnit": {
		"OrganizationalUnitId",
		"AccessDenied AWSOrganizationsNotInUse InvalidInput OrganizationalUnitNotFound Service TooManyRequests",
	},
	"DescribePolicy": {
		"PolicyId",
		"AccessDenied AWSOrganizationsNotInUse InvalidInput PolicyNotFound Service TooManyRequests UnsupportedAPIEndpoint",
	},
	"DescribeResourcePolicy": {
		"",
		"AccessDenied Service UnsupportedAPIEndpoint TooManyRequests AWSOrganizationsNotInUse ResourcePolicyNotFound " +
			"ConstraintViolation",
	},
	"DetachPolicy": {
		"PolicyId TargetId",
		"AccessDenied AWSOrganizationsNotInUse ConcurrentModification ConstraintViolation InvalidInput PolicyNotAttached " +
			"PolicyNotFound Service TargetNotFound TooManyRequests UnsupportedAPIEndpoint PolicyChangesInProgress",
	},
	"DisablePolicyType": {
		"RootId PolicyType",
		"AccessDenied AWSOrganizationsNotInUse ConcurrentModification ConstraintViolation InvalidInput PolicyTypeNotEnabled " +
			"RootNotFound Service TooManyRequests UnsupportedAPIEndpoint PolicyChangesInProgress",
	},
	"EnableAllFeatures": {
		"",
		"AccessDenied AWSOrganizationsNotInUse ConcurrentModification ConstraintViolation HandshakeConstraintViolation InvalidInput " +
			"Service TooManyRequests",
	},
	"EnablePolicyType": {
		"RootId PolicyType",
		"AccessDenied AWSOrganizationsNotInUse ConcurrentModification ConstraintViolation InvalidInput PolicyTypeAlreadyEnabled " +
			"RootNotFound Service TooManyRequests PolicyTypeNotAvailableForOrganization UnsupportedAPIEndpoint PolicyChangesInProgress",
	},
	"InviteAccountToOrganization": {
		"Target",
		"AccessDenied AWSOrganizationsNotInUse AccountOwnerNotVerified ConcurrentModification HandshakeConstraintViolation " +
			"DuplicateHandshake ConstraintViolation InvalidInput FinalizingOrganization Service TooManyRequests",
	},
	"LeaveOrganization": {
		"",
		"AccessDenied AccountNotFound AWSOrganizationsNotInUse ConcurrentModification ConstraintViolation InvalidInput " +
			"MasterCannotLeaveOrganization Service TooManyRequests",
	},
	"ListAWSServiceAccessForOrganization": {
		"",
		"AccessDenied AWSOrganizationsNotInUse ConstraintViolation InvalidInput Service TooManyRequests UnsupportedAPIEndpoint",
	},
	"ListAccounts": {
		"",
		"AccessDenied AWSOrganizationsNotInUse InvalidInput Service TooManyRequests",
	},
	"ListAccountsForParent": {
		"ParentId",
		"AccessDenied AWSOrganizationsNotInUse InvalidInput ParentNotFound Service TooManyRequests",
	},
	"ListChildren": {
		"ParentId ChildType",
		"AccessDenied AWSOrganizationsNotInUse InvalidInput ParentNotFound Service TooManyRequests",
	},
	"ListCreateAccountStatus": {
		"",
		"AccessDenied AWSOrganizationsNotInUse InvalidInput Service TooManyRequests UnsupportedAPIEndpoint",
	},
	"ListDelegatedAdministrators": {
		"",
		"AccessDenied AWSOrganizationsNotInUse ConstraintViolation InvalidInput TooManyRequests Service UnsupportedAPIEndpoint",
	},
	"ListDelegatedServicesForAccount": {
		"AccountId",
		"AccessDenied AccountNotFound AccountNotRegistered AWSOrganizationsNotInUse ConstraintViolation InvalidInput TooManyRequests " +
			"Service UnsupportedAPIEndpoint",
	},
	"ListHandshakesForAccount": {
		"",
		"AccessDenied ConcurrentModification InvalidInput Service TooManyRequests",
	},
	"ListHandshakesForOrganization": {
		"",
		"AccessDenied AWSOrganizationsNotInUse ConcurrentModification InvalidInput Service TooManyRequests",
	},
	"ListOrganizationalUnitsForParent": {
		"ParentId",
		"AccessDenied AWSOrganizationsNotInUse InvalidInput ParentNotFound Service TooManyRequests",
	},
	"ListParents": {
		"ChildId",
		"AccessDenied AWSOrganizationsNotInUse ChildNotFound InvalidInput Service TooManyRequests",
	},
	"ListPolicies": {
		"Filter",
		"AccessDenied AWSOrganizationsNotInUse InvalidInput Service TooManyRequests UnsupportedAPIEndpoint",
	},
	"ListPoliciesForTarget": {
		"TargetId Filter",
		"AccessDenied AWSOrganizationsNotInUse InvalidInput Service TargetNotFound TooManyRequests UnsupportedAPIEndpoint",
	},
	"ListRoots": {
		"",
		"AccessDenied AWSOrganizationsNotInUse InvalidInput Service TooManyRequests",
	},
	"ListTagsForResource": {
		"ResourceId",
		"AccessDenied AWSOrganizationsNotInUse TargetNotFound InvalidInput Service TooManyRequests",
	},
	"ListTargetsForPolicy": {
		"PolicyId",
		"AccessDenied AWSOrganizationsNotInUse InvalidInput PolicyNotFound Service TooManyRequests UnsupportedAPIEndpoint",
	},
	"MoveAccount": {
		"AccountId SourceParentId DestinationParentId",
		"AccessDenied InvalidInput SourceParentNotFound DestinationParentNotFound DuplicateAccount AccountNotFound TooManyRequests " +
			"ConcurrentModification AWSOrganizationsNotInUse Service",
	},
	"RemoveAccountFromOrganization": {
		"AccountId",
		"AccessDenied AccountNotFound AWSOrganizationsNotInUse ConcurrentModification ConstraintViolation InvalidInput " +
			"MasterCannotLeaveOrganization Service TooManyRequests",
	},
	"TagResource": {
		"ResourceId Tags",
		"AccessDenied ConcurrentModification AWSOrganizationsNotInUse TargetNotFound ConstraintViolation InvalidInput Service " +
			"TooManyRequests",
	},
	"UntagResource": {
		"ResourceId TagKeys",
		"AccessDenied ConcurrentModification AWSOrganizationsNotInUse TargetNotFound ConstraintViolation InvalidInput Service " +
			"TooManyRequests",
	},
	"UpdateOrganizationalUnit": {
		"OrganizationalUnitId",
		"AccessDenied AWSOrganizationsNotInUse ConcurrentModification DuplicateOrganizationalUnit InvalidInput " +
			"OrganizationalUnitNotFound Service TooManyRequests",
	},
	"UpdatePolicy": {
		"PolicyId",
		"AccessDenied AWSOrganizationsNotInUse ConcurrentModification ConstraintViolation DuplicatePolicy InvalidInput " +
			"MalformedPolicyDocument PolicyNotFound Service TooManyRequests UnsupportedAPIEndpoint PolicyChangesInProgress",
	},
}
