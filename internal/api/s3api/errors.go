package s3api

import (
	"encoding/xml"
	"errors"
	"net/http"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/fault"
)

// faults words each way to fail as S3 does. spec: s3.md 3.1, iam-policy.md 11
var faults = api.Faults{
	{Kind: fault.Denied, Shape: api.Shape{Code: "AccessDenied", Status: http.StatusForbidden}},
	{Kind: fault.Denied, Subject: "method", Shape: api.Shape{Code: "MethodNotAllowed", Status: http.StatusMethodNotAllowed}},
	{Kind: fault.Unauthenticated, Shape: api.Shape{Code: "AccessDenied", Status: http.StatusForbidden}},
	{Kind: fault.Unauthenticated, Subject: "access key", Shape: api.Shape{
		Code: "InvalidAccessKeyId", Status: http.StatusForbidden,
		Text: "The AWS Access Key Id you provided does not exist in our records.",
	}},
	{Kind: fault.Unauthenticated, Subject: "session token", Shape: api.Shape{
		Code: "InvalidToken", Status: http.StatusBadRequest, Text: "The provided token is malformed or otherwise invalid.",
	}},
	{Kind: fault.Expired, Subject: "session token", Shape: api.Shape{
		Code: "ExpiredToken", Status: http.StatusBadRequest, Text: "The provided token has expired.",
	}},
	{Kind: fault.Unauthenticated, Subject: "signature", Shape: api.Shape{Code: "SignatureDoesNotMatch", Status: http.StatusForbidden}},
	{Kind: fault.Unauthenticated, Subject: "region", Shape: api.Shape{Code: "AuthorizationHeaderMalformed", Status: http.StatusBadRequest}},
	{Kind: fault.Expired, Subject: "signature", Shape: api.Shape{Code: "RequestTimeTooSkewed", Status: http.StatusForbidden}},
	{Kind: fault.Invalid, Subject: "signature", Shape: api.Shape{Code: "AuthorizationHeaderMalformed", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Subject: "payload", Shape: api.Shape{Code: "XAmzContentSHA256Mismatch", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Subject: "checksum", Shape: api.Shape{Code: "BadDigest", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Subject: "chunk", Shape: api.Shape{Code: "IncompleteBody", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Subject: "length", Shape: api.Shape{Code: "MissingContentLength", Status: http.StatusLengthRequired}},
	{Kind: fault.Limit, Subject: "body", Shape: api.Shape{Code: "EntityTooLarge", Status: http.StatusBadRequest}},
	{Kind: fault.Limit, Subject: "bucket", Shape: api.Shape{Code: "TooManyBuckets", Status: http.StatusBadRequest}},
	{Kind: fault.Limit, Shape: api.Shape{Code: "InvalidRequest", Status: http.StatusBadRequest}},
	{Kind: fault.NotFound, Subject: "upload", Shape: api.Shape{Code: "NoSuchUpload", Status: http.StatusNotFound}},
	{Kind: fault.NotFound, Subject: "bucket", Shape: api.Shape{Code: "NoSuchBucket", Status: http.StatusNotFound}},
	{Kind: fault.NotFound, Subject: "key", Shape: api.Shape{Code: "NoSuchKey", Status: http.StatusNotFound}},
	{Kind: fault.NotFound, Subject: "policy", Shape: api.Shape{Code: "NoSuchBucketPolicy", Status: http.StatusNotFound}},
	{Kind: fault.NotFound, Subject: "operation", Shape: api.Shape{Code: "InvalidRequest", Status: http.StatusBadRequest}},
	{Kind: fault.Exists, Subject: "bucket", Shape: api.Shape{Code: "BucketAlreadyExists", Status: http.StatusConflict}},
	{Kind: fault.Exists, Subject: "own bucket", Shape: api.Shape{Code: "BucketAlreadyOwnedByYou", Status: http.StatusConflict}},
	{Kind: fault.Conflict, Subject: "bucket", Shape: api.Shape{Code: "BucketNotEmpty", Status: http.StatusConflict}},
	{Kind: fault.Conflict, Shape: api.Shape{Code: "OperationAborted", Status: http.StatusConflict}},
	{Kind: fault.Invalid, Subject: "bucket", Shape: api.Shape{Code: "InvalidBucketName", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Subject: "policy", Shape: api.Shape{Code: "MalformedPolicy", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Subject: "xml", Shape: api.Shape{Code: "MalformedXML", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Subject: "uri", Shape: api.Shape{Code: "InvalidURI", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Subject: "acl", Shape: api.Shape{Code: "AccessControlListNotSupported", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Subject: "request", Shape: api.Shape{Code: "InvalidRequest", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Subject: "key length", Shape: api.Shape{Code: "KeyTooLongError", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Subject: "location", Shape: api.Shape{Code: "IllegalLocationConstraintException", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Subject: "storage class", Shape: api.Shape{Code: "InvalidStorageClass", Status: http.StatusBadRequest}},
	{Kind: fault.Invalid, Shape: api.Shape{Code: "InvalidArgument", Status: http.StatusBadRequest}},
	{Kind: fault.Unsupported, Subject: "method", Shape: api.Shape{Code: "MethodNotAllowed", Status: http.StatusMethodNotAllowed}},
	{Kind: fault.Unsupported, Shape: api.Shape{Code: "NotImplemented", Status: http.StatusNotImplemented}},
	{Kind: fault.Throttled, Shape: api.Shape{Code: "SlowDown", Status: http.StatusServiceUnavailable}},
	{Kind: fault.Unavailable, Shape: api.Shape{Code: "ServiceUnavailable", Status: http.StatusServiceUnavailable}},
	{Kind: fault.Internal, Shape: api.Shape{Code: "InternalError", Status: http.StatusInternalServerError}},
}

type errorBody struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string   `xml:"Code"`
	Message   string   `xml:"Message"`
	Bucket    string   `xml:"BucketName,omitempty"`
	Key       string   `xml:"Key,omitempty"`
	Region    string   `xml:"Region,omitempty"` // the right one, for a request that was signed for another
	RequestID string   `xml:"RequestId"`
	HostID    string   `xml:"HostId"`
}

// shapeOf finds a failure's shape. A store's failure has the shape that was found for it.
func shapeOf(f *fault.Error) api.Shape {
	if own, ok := errors.AsType[*storeAnswerError](f); ok && f.Subject == "store" {
		return own.shape
	}
	return faults.Shape(f)
}

// fail writes a failure. Once the answer has begun only the connection is left to break, so that no client takes half an
// object for a whole one.
func (s *Service) fail(x *api.Exchange, r *request, err error) {
	f := fault.Of(err)
	shape := shapeOf(f)
	if f.Kind == fault.Invalid && f.Subject == "signature" && x.Request.URL.Query().Has("X-Amz-Signature") {
		shape.Code = "AuthorizationQueryParametersError"
	}
	if f.Kind == fault.Expired && f.Subject == "signature" && x.Auth != nil && x.Auth.Presigned {
		shape = api.Shape{Code: "AccessDenied", Status: http.StatusForbidden, Text: "Request has expired"}
	}
	text := f.Public
	if shape.Text != "" {
		text = shape.Text
	}
	x.Fail(f, shape, text)
	if x.Answered() {
		panic(http.ErrAbortHandler)
	}
	b := errorBody{Code: shape.Code, Message: text, RequestID: x.Record.RequestID, HostID: x.Record.EventID}
	if r != nil {
		b.Bucket, b.Key = r.bucket, r.key
	}
	if f.Subject == "region" {
		b.Region = s.region
	}
	if name, ok := f.Members["BucketName"]; ok {
		b.Bucket = name // of the copy source, for one
	}
	clear(x.Writer.Header())
	setIDs(x)
	x.SendEncoded(f)
	if x.Request.ContentLength != 0 {
		// What is left of the body is not read: the client may have more of it than anyone wants.
		x.Writer.Header().Set("Connection", "close")
	}
	writeXML(x, shape.Status, b)
}

// writeXML answers with a document; a HEAD request gets its headers only.
func writeXML(x *api.Exchange, status int, v any) {
	body, _ := xml.Marshal(v) // structs of strings and numbers always encode
	x.Writer.Header().Set("Content-Type", "application/xml")
	x.Writer.WriteHeader(status)
	if x.Request.Method != http.MethodHead {
		_, _ = x.Writer.Write(append([]byte(xml.Header), body...)) // the caller is gone: nothing is left to tell
	}
}
