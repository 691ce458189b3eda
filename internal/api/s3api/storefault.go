package s3api

import (
	"encoding/xml"
	"io"
	"net/http"
	"strconv"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/objectstore"
)

// storeAnswerError is an error answer of the store: the shape it is passed on with, and its own words for the record.
type storeAnswerError struct {
	shape  api.Shape
	detail string
}

func (e *storeAnswerError) Error() string {
	return "the store answered " + strconv.Itoa(e.shape.Status) + " " + e.shape.Code + ": " + e.detail
}

// storeDocument is what is read of a store's error. The rest (its request ids, its names for things) is never passed on.
type storeDocument struct {
	Code    string `xml:"Code"`
	Message string `xml:"Message"`
}

// storeErrors are the failures of a store that are the request's doing, by the store's code. Their texts are ours.
var storeErrors = map[string]struct {
	status int
	kind   fault.Kind
	text   string
}{
	"BadDigest":                  {400, fault.Invalid, "The Content-MD5 or checksum you specified did not match what we received."},
	"ConditionalRequestConflict": {409, fault.Conflict, "The conditional request cannot succeed due to a conflicting operation against this resource."},
	"EntityTooLarge":             {400, fault.Limit, "Your proposed upload exceeds the maximum allowed object size."},
	"EntityTooSmall":             {400, fault.Invalid, "Your proposed upload is smaller than the minimum allowed object size."},
	"IncompleteBody":             {400, fault.Invalid, "You did not provide the number of bytes specified by the Content-Length HTTP header."},
	"InvalidArgument":            {400, fault.Invalid, "Invalid Argument"},
	"InvalidDigest":              {400, fault.Invalid, "The Content-MD5 or checksum value you specified is not valid."},
	"InvalidPart": {400, fault.Invalid, "One or more of the specified parts could not be found. The part may not have been uploaded, or the " +
		"specified entity tag may not match the part's entity tag."},
	"InvalidPartNumber":         {416, fault.Invalid, "The requested partnumber is not satisfiable"},
	"InvalidPartOrder":          {400, fault.Invalid, "The list of parts was not in ascending order. Parts must be ordered by part number."},
	"InvalidRange":              {416, fault.Invalid, "The requested range is not satisfiable"},
	"InvalidRequest":            {400, fault.Invalid, "The request is not valid for this object."},
	"InvalidTag":                {400, fault.Invalid, "The tag provided was not a valid tag."},
	"KeyTooLongError":           {400, fault.Invalid, "Your key is too long."},
	"MalformedXML":              {400, fault.Invalid, "The XML you provided was not well-formed or did not validate against our published schema"},
	"MetadataTooLarge":          {400, fault.Limit, "Your metadata headers exceed the maximum allowed metadata size."},
	"MissingContentLength":      {411, fault.Invalid, "You must provide the Content-Length HTTP header."},
	"NoSuchUpload":              {404, fault.NotFound, errNoUpload.Public},
	"NotImplemented":            {501, fault.Unsupported, "A header or query you provided implies functionality that is not implemented."},
	"OperationAborted":          {409, fault.Conflict, "A conflicting operation or another object, such as one at a parent of this key, is in the way."},
	"PreconditionFailed":        {412, fault.Conflict, "At least one of the pre-conditions you specified did not hold"},
	"XAmzContentSHA256Mismatch": {400, fault.Invalid, "The provided 'x-amz-content-sha256' header does not match what was computed."},
}

// byStatus is the code for an answer without one that is known: a HEAD request has no document.
var byStatus = map[int]string{
	http.StatusBadRequest: "InvalidRequest", http.StatusConflict: "OperationAborted", http.StatusLengthRequired: "MissingContentLength",
	http.StatusPreconditionFailed: "PreconditionFailed", http.StatusRequestedRangeNotSatisfiable: "InvalidRange",
	http.StatusNotImplemented: "NotImplemented",
}

// storeError reads an error answer.
func storeError(resp *objectstore.Response) error {
	var doc storeDocument
	_ = xml.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&doc) // a HEAD answer has no document
	return doc.failure(resp.Status)
}

// failure is what the caller is told of a store's error. A refusal of our own key, a lost bucket and what nobody knows is our
// failure, not the caller's. Status is 0 for an error that came with status 200.
func (d storeDocument) failure(status int) error {
	cause := &storeAnswerError{shape: api.Shape{Code: d.Code, Status: status}, detail: d.Message}
	if d.Code == "NoSuchKey" || status == http.StatusNotFound && d.Code == "" {
		return fault.New(fault.NotFound, "key", "The specified key does not exist.").Because(cause)
	}
	code := d.Code
	known, ok := storeErrors[code]
	if !ok {
		code = byStatus[status]
		known, ok = storeErrors[code]
	}
	switch {
	case ok:
		cause.shape, cause.detail = api.Shape{Code: code, Status: known.status}, d.Code+" "+d.Message
		return fault.New(known.kind, "store", "%s", known.text).Because(cause)
	case status < http.StatusInternalServerError && status != 0:
		return fault.New(fault.Internal, "object store", "We encountered an internal error. Please try again.").Because(cause)
	}
	return fault.New(fault.Unavailable, "object store", "The object store does not answer. Please try again.").Because(cause)
}
