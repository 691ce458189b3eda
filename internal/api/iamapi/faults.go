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
	{Kind: fault.Invalid, Subject: "tags", Shape: api.Shape{Code: "InvalidInput", Status: http.StatusBadRequest}},
}
