package organizationsapi

import (
	"net/http"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/fault"
)

func row(kind fault.Kind, subject, code string) api.Rule {
	status := http.StatusBadRequest
	if kind == fault.Internal || kind == fault.Unavailable {
		status = http.StatusInternalServerError
	}
	return api.Rule{Kind: kind, Subject: subject, Shape: api.Shape{Code: code + "Exception", Status: status}}
}

// faults is how Organizations words each way to fail.
var faults = api.Faults{
	row(fault.Denied, "", "AccessDenied"),
	row(fault.NotFound, "organization", "AWSOrganizationsNotInUse"),
	row(fault.Exists, "organization", "AlreadyInOrganization"),
	row(fault.Conflict, "organization", "OrganizationNotEmpty"),
	row(fault.NotFound, "root", "RootNotFound"),
	row(fault.NotFound, "account", "AccountNotFound"),
	row(fault.Exists, "account", "DuplicateAccount"),
	row(fault.Conflict, "management account", "MasterCannotLeaveOrganization"),
	row(fault.NotFound, "create account request", "CreateAccountStatusNotFound"),
	row(fault.NotFound, "organizational unit", "OrganizationalUnitNotFound"),
	row(fault.Exists, "organizational unit", "DuplicateOrganizationalUnit"),
	row(fault.Conflict, "organizational unit", "OrganizationalUnitNotEmpty"),
	row(fault.NotFound, "parent", "ParentNotFound"),
	row(fault.NotFound, "source parent", "SourceParentNotFound"),
	row(fault.NotFound, "destination parent", "DestinationParentNotFound"),
	row(fault.NotFound, "child", "ChildNotFound"),
	row(fault.NotFound, "target", "TargetNotFound"),
	row(fault.NotFound, "policy", "PolicyNotFound"),
	row(fault.Exists, "policy", "DuplicatePolicy"),
	row(fault.Conflict, "policy", "PolicyInUse"),
	row(fault.Invalid, "policy document", "MalformedPolicyDocument"),
	row(fault.NotFound, "attachment", "PolicyNotAttached"),
	row(fault.Exists, "attachment", "DuplicatePolicyAttachment"),
	row(fault.NotFound, "policy type", "PolicyTypeNotEnabled"),
	row(fault.Exists, "policy type", "PolicyTypeAlreadyEnabled"),
	row(fault.Unsupported, "policy type", "PolicyTypeNotAvailableForOrganization"),
	row(fault.NotFound, "effective policy", "EffectivePolicyNotFound"),
	row(fault.NotFound, "resource policy", "ResourcePolicyNotFound"),
	row(fault.NotFound, "delegated administrator", "AccountNotRegistered"),
	row(fault.NotFound, "handshake", "HandshakeNotFound"),
	row(fault.Exists, "handshake", "DuplicateHandshake"),
	row(fault.Exists, "handshake state", "HandshakeAlreadyInState"),
	row(fault.Conflict, "handshake", "InvalidHandshakeTransition"),
	row(fault.Limit, "handshake", "HandshakeConstraintViolation"),
	row(fault.Limit, "", "ConstraintViolation"),
	row(fault.Invalid, "", "InvalidInput"),
	row(fault.Unsupported, "", "UnsupportedAPIEndpoint"),
	row(fault.Throttled, "", "TooManyRequests"),
	row(fault.Unavailable, "", "Service"),
	row(fault.Internal, "", "Service"),
}
