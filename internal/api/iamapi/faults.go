package iamapi

import (
	"net/http"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/fault"
)

// faults is how IAM words each way to fail. spec: pod-identity.md 6.6
var faults = api.Faults{
	{Kind: fault.NotFound, Shape: api.Shape{Code: "NoSuchEntity", Status: http.StatusNotFound}},
	{Kind: fault.Exists, Shape: api.Shape{Code: "EntityAlreadyExists", Status: http.StatusConflict}},
	{Kind: fault.Conflict, Shape: api.Shape{Code: "DeleteConflict", Status: http.StatusConflict}},
	{Kind: fault.Limit, Shape: api.Shape{Code: "LimitExceeded", Status: http.StatusConflict}},
	{Kind: fault.Invalid, Subject: "policy document", Shape: api.Shape{Code: "MalformedPolicyDocument", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Subject: subjectInput, Shape: api.Shape{Code: "InvalidInput", Status: http.StatusBadRequest}},
	{Kind: fault.Internal, Subject: "policy evaluation", Shape: api.Shape{Code: "PolicyEvaluation", Status: http.StatusInternalServerError}},
	{Kind: fault.Conflict, Subject: "protected role", Shape: api.Shape{Code: "UnmodifiableEntity", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Subject: "service role", Shape: api.Shape{Code: "InvalidInput", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Subject: "user type", Shape: api.Shape{Code: "InvalidUserType", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Subject: "password", Shape: api.Shape{Code: "PasswordPolicyViolation", Status: http.StatusBadRequest}},
	{Kind: fault.Denied, Subject: "password", Shape: api.Shape{Code: "AccessDenied", Status: http.StatusForbidden}},
	{Kind: fault.Invalid, Subject: "tags", Shape: api.Shape{Code: "InvalidInput", Status: http.StatusBadRequest}},
}
