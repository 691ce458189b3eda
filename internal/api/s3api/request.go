package s3api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/bucket"
	"github.com/podid/podid/internal/fault"
)

// request is a routed S3 request. Its strings are what is authorised and what is stored.
type request struct {
	x      *api.Exchange
	http   *http.Request
	op     *operation
	bucket string
	key    string
	query  url.Values     // without the parameters of a presigned URL and of the SDKs
	found  *bucket.Bucket // nil: CreateBucket, ListBuckets
	source *source        // the copy source, copies only
}

// source is the object that a copy reads.
type source struct {
	bucket *bucket.Bucket
	key    string
}

// presigned are the query parameters of a presigned URL; x-id is a hint of the SDKs that means nothing.
var presigned = map[string]bool{
	"X-Amz-Algorithm": true, "X-Amz-Credential": true, "X-Amz-Date": true, "X-Amz-Expires": true, "X-Amz-SignedHeaders": true,
	"X-Amz-Signature": true, "X-Amz-Security-Token": true, "X-Amz-Content-Sha256": true, "x-id": true,
}

func notImplemented(what string) error {
	return fault.New(fault.Unsupported, "request", "A header or query you provided implies functionality that is not implemented: %s", what)
}

// parse routes a request by path style. Nothing is looked up yet.
func parse(x *api.Exchange) (*request, error) {
	r := &request{x: x, http: x.Request, query: url.Values{}}
	path, err := url.PathUnescape(strings.TrimPrefix(x.Request.URL.EscapedPath(), "/"))
	if err != nil {
		return nil, fault.New(fault.Invalid, "uri", "Couldn't parse the specified URI.").Because(err)
	}
	r.bucket, r.key, _ = strings.Cut(path, "/")
	given, err := url.ParseQuery(x.Request.URL.RawQuery)
	if err != nil {
		return nil, fault.New(fault.Invalid, "uri", "Couldn't parse the specified URI.").Because(err)
	}
	for name, values := range given {
		if presigned[name] {
			continue
		}
		if len(values) != 1 {
			return nil, fault.New(fault.Invalid, "argument", "The query parameter %q is given more than once", name)
		}
		r.query[name] = values
	}
	return r, r.route()
}

// route finds the row. Exactly one marker selects it; every other parameter must be one that the row takes.
func (r *request) route() error {
	on := onObject
	switch {
	case r.bucket == "":
		on = onService
	case r.key == "":
		on = onBucket
	}
	copies := r.http.Header.Get("X-Amz-Copy-Source") != ""
	for i := range operations {
		o := &operations[i]
		if o.method != r.http.Method || o.on != on || o.copies != copies || !r.takes(o) {
			continue
		}
		r.op = o
		return nil
	}
	for name := range r.query {
		if !slices.ContainsFunc(operations, func(o operation) bool { return o.marker == name || slices.Contains(o.query, name) }) {
			return notImplemented("the sub-resource or parameter " + name)
		}
	}
	if r.http.Method != http.MethodGet && r.http.Method != http.MethodPut && r.http.Method != http.MethodHead &&
		r.http.Method != http.MethodDelete && r.http.Method != http.MethodPost {
		return fault.New(fault.Unsupported, "method", "The specified method is not allowed against this resource.")
	}
	return notImplemented(r.http.Method + " with these parameters")
}

// takes reports whether the request has the row's marker and no parameter that the row does not know.
func (r *request) takes(o *operation) bool {
	if o.marker != "" && !r.query.Has(o.marker) {
		return false
	}
	for name := range r.query {
		if name != o.marker && !slices.Contains(o.query, name) {
			return false
		}
	}
	return true
}

// parseSource reads x-amz-copy-source: "bucket/key", percent-encoded, with or without a leading slash.
func parseSource(header string) (bucketName, key string, err error) {
	text, version, versioned := strings.Cut(header, "?versionId=")
	if versioned {
		return "", "", notImplemented("the version " + version + " of the copy source")
	}
	text, err = url.PathUnescape(strings.TrimPrefix(text, "/"))
	bucketName, key, ok := strings.Cut(text, "/")
	if err != nil || !ok || bucketName == "" || key == "" {
		return "", "", fault.New(fault.Invalid, "argument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	}
	return bucketName, key, nil
}
