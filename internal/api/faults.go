package api

import (
	"net/http"
	"slices"

	"github.com/podid/podid/internal/fault"
)

// Shape is an error as a service's model spells it.
type Shape struct {
	Code   string
	Status int
	Text   string // when set, replaces the failure's own text: where that would tell too much
}

// Rule maps one kind of failure, about one subject, to a shape. An empty subject stands for every subject without a rule
// of its own.
type Rule struct {
	Kind    fault.Kind
	Subject string
	Shape   Shape
}

// Faults is a service's table: how it words each way to fail. One row per error; the order does not matter.
type Faults []Rule

// Shape finds the row for f: kind and subject, else the kind's general row, else the service's internal error. Of two rows for
// the same the first counts, so that a service's rows go before those of its protocol.
func (t Faults) Shape(f *fault.Error) Shape {
	var general *Shape
	internal := Shape{Code: "InternalFailure", Status: http.StatusInternalServerError}
	own := false
	for i := range t {
		r := &t[i]
		switch {
		case r.Kind == f.Kind && r.Subject == f.Subject && r.Subject != "":
			return r.Shape
		case r.Kind == f.Kind && r.Subject == "" && general == nil:
			general = &r.Shape
		}
		if r.Kind == fault.Internal && r.Subject == "" && !own {
			internal, own = r.Shape, true
		}
	}
	if general != nil {
		return *general
	}
	return internal
}

// JSONFront holds the rows that every REST-JSON service answers with before an operation is reached.
// spec: pod-identity.md 0.3
var JSONFront = Faults{
	{fault.Unauthenticated, "request", Shape{Code: "MissingAuthenticationTokenException", Status: http.StatusForbidden}},
	{fault.Unauthenticated, "access key", Shape{Code: "UnrecognizedClientException", Status: http.StatusForbidden}},
	{fault.Unauthenticated, "session token", Shape{Code: "UnrecognizedClientException", Status: http.StatusForbidden}},
	{fault.Expired, "session token", Shape{Code: "ExpiredTokenException", Status: http.StatusForbidden}},
	{fault.Unauthenticated, "signature", Shape{Code: "InvalidSignatureException", Status: http.StatusForbidden}},
	{fault.Unauthenticated, "region", Shape{Code: "InvalidSignatureException", Status: http.StatusForbidden}},
	{fault.Expired, "signature", Shape{Code: "InvalidSignatureException", Status: http.StatusForbidden}},
	{fault.Invalid, "signature", Shape{Code: "IncompleteSignatureException", Status: http.StatusForbidden}},
	{fault.Invalid, "payload", Shape{Code: "InvalidSignatureException", Status: http.StatusForbidden}},
	{fault.Denied, "action", Shape{Code: "AccessDeniedException", Status: http.StatusForbidden}},
	{fault.NotFound, "operation", Shape{Code: "UnknownOperationException", Status: http.StatusNotFound}},
	{fault.Invalid, "body", Shape{Code: "SerializationException", Status: http.StatusBadRequest}},
	{fault.Limit, "body", Shape{Code: "RequestEntityTooLargeException", Status: http.StatusRequestEntityTooLarge}},
	{fault.Throttled, "", Shape{Code: "ThrottlingException", Status: http.StatusTooManyRequests}},
}

// JSON11Front holds the rows that every AWS JSON 1.1 service answers with before an operation is reached. The protocol has one status
// for whatever is the caller's fault.
var JSON11Front = Faults{
	{fault.Unauthenticated, "request", Shape{Code: "MissingAuthenticationTokenException", Status: http.StatusBadRequest}},
	{fault.Unauthenticated, "access key", Shape{Code: "UnrecognizedClientException", Status: http.StatusBadRequest}},
	{fault.Unauthenticated, "session token", Shape{Code: "UnrecognizedClientException", Status: http.StatusBadRequest}},
	{fault.Expired, "session token", Shape{Code: "ExpiredTokenException", Status: http.StatusBadRequest}},
	{fault.Unauthenticated, "signature", Shape{Code: "InvalidSignatureException", Status: http.StatusBadRequest}},
	{fault.Unauthenticated, "region", Shape{Code: "InvalidSignatureException", Status: http.StatusBadRequest}},
	{fault.Expired, "signature", Shape{Code: "InvalidSignatureException", Status: http.StatusBadRequest}},
	{fault.Invalid, "signature", Shape{Code: "IncompleteSignatureException", Status: http.StatusBadRequest}},
	{fault.Invalid, "payload", Shape{Code: "InvalidSignatureException", Status: http.StatusBadRequest}},
	{fault.Denied, "action", Shape{Code: "AccessDeniedException", Status: http.StatusBadRequest}},
	{fault.NotFound, "operation", Shape{Code: "UnknownOperationException", Status: http.StatusBadRequest}},
	{fault.Invalid, "body", Shape{Code: "SerializationException", Status: http.StatusBadRequest}},
	{fault.Limit, "body", Shape{Code: "RequestEntityTooLargeException", Status: http.StatusRequestEntityTooLarge}},
	{fault.Invalid, "", Shape{Code: "ValidationException", Status: http.StatusBadRequest}},
	{fault.Throttled, "", Shape{Code: "ThrottlingException", Status: http.StatusBadRequest}},
	{fault.Unavailable, "", Shape{Code: "ServiceUnavailable", Status: http.StatusServiceUnavailable}},
}

// QueryFront holds the same for the Query protocol.
var QueryFront = Faults{
	{fault.Unauthenticated, "request", Shape{Code: "MissingAuthenticationToken", Status: http.StatusForbidden}},
	{fault.Unauthenticated, "access key", Shape{Code: "InvalidClientTokenId", Status: http.StatusForbidden}},
	{fault.Unauthenticated, "session token", Shape{Code: "InvalidClientTokenId", Status: http.StatusForbidden}},
	{fault.Expired, "session token", Shape{Code: "ExpiredToken", Status: http.StatusForbidden}},
	{fault.Unauthenticated, "signature", Shape{Code: "SignatureDoesNotMatch", Status: http.StatusForbidden}},
	{fault.Unauthenticated, "region", Shape{Code: "SignatureDoesNotMatch", Status: http.StatusForbidden}},
	{fault.Expired, "signature", Shape{Code: "SignatureDoesNotMatch", Status: http.StatusForbidden}},
	{fault.Invalid, "signature", Shape{Code: "IncompleteSignature", Status: http.StatusBadRequest}},
	{fault.Invalid, "payload", Shape{Code: "SignatureDoesNotMatch", Status: http.StatusForbidden}},
	{fault.Denied, "action", Shape{Code: "AccessDenied", Status: http.StatusForbidden}},
	{fault.NotFound, "operation", Shape{Code: "InvalidAction", Status: http.StatusBadRequest}},
	{fault.Invalid, "body", Shape{Code: "MalformedQueryString", Status: http.StatusBadRequest}},
	{fault.Limit, "body", Shape{Code: "RequestEntityTooLarge", Status: http.StatusRequestEntityTooLarge}},
	{fault.Invalid, "", Shape{Code: "ValidationError", Status: http.StatusBadRequest}},
	{fault.Throttled, "", Shape{Code: "Throttling", Status: http.StatusBadRequest}},
	{fault.Unavailable, "", Shape{Code: "ServiceUnavailable", Status: http.StatusServiceUnavailable}},
	{fault.Internal, "", Shape{Code: "InternalFailure", Status: http.StatusInternalServerError}},
}

// allowed reports whether an operation may answer with a shape: it lists the shape, or the protocol's front answers so.
func (o *AnyOperation) allowed(s Shape, front Faults) bool {
	if o.may == nil || slices.Contains(o.may, s.Code) {
		return true
	}
	return slices.ContainsFunc(front, func(r Rule) bool { return r.Shape.Code == s.Code })
}
