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
	header http.Header // of the request, and those that a presigned URL carries in its query
	op     *operation
	bucket string
	key    string
	query  url.Values     // without the parameters of a presigned URL and of the SDKs
	tags   url.Values     // of the x-amz-tagging header
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

func badArgument(format string, args ...any) error {
	return fault.New(fault.Invalid, "argument", format, args...)
}

var errURI = fault.New(fault.Invalid, "uri", "Couldn't parse the specified URI.")

// parse routes a request by path style: the first segment of the path, as the signature covers it, is the bucket and the rest
// is the key, byte for byte. Nothing is looked up yet. It returns what was read even when it fails.
func (s *Service) parse(x *api.Exchange) (*request, error) {
	r := &request{x: x, http: x.Request, header: x.Request.Header, query: url.Values{}}
	if s.virtualHost(x.Request.Host) {
		return r, fault.New(fault.Unsupported, "request", "This endpoint does not serve virtual-host style requests such as this one "+
			"to the host %q: use path-style addressing, where the bucket is the first segment of the path", x.Request.Host)
	}
	path, ok := strings.CutPrefix(x.Request.URL.Path, "/")
	if !ok && path != "" {
		return r, errURI
	}
	r.bucket, r.key, ok = strings.Cut(path, "/")
	if r.bucket == "" && ok {
		return r, errURI // "//name" is neither the service nor a bucket
	}
	given, err := url.ParseQuery(x.Request.URL.RawQuery)
	if err != nil {
		return r, errURI.Because(err)
	}
	for name, values := range given {
		if presigned[name] {
			continue
		}
		if len(values) != 1 {
			return r, badArgument("The query parameter %q is given more than once", name)
		}
		if x.Auth != nil && x.Auth.Presigned && len(name) > len("x-amz-") && strings.EqualFold(name[:len("x-amz-")], "x-amz-") {
			if err := r.hoisted(name, values[0]); err != nil {
				return r, err
			}
			continue
		}
		r.query[name] = values
	}
	if err := r.route(); err != nil {
		return r, err
	}
	return r, r.checkQuery()
}

// hoisted takes a header that a presigned URL carries as a query parameter, as SDKs make them: ?x-amz-checksum-mode=ENABLED.
func (r *request) hoisted(name, value string) error {
	header := http.CanonicalHeaderKey(name)
	if !strings.HasPrefix(header, "X-Amz-") {
		return notImplemented("the parameter " + name)
	}
	if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return badArgument("The value of the query parameter %q cannot stand in a header", name)
	}
	if _, twice := r.header[header]; twice {
		return badArgument("%s is given more than once", name)
	}
	if len(r.header) == len(r.http.Header) {
		r.header = r.header.Clone()
	}
	r.header[header] = []string{value}
	return nil
}

// virtualHost reports whether a request's host is a bucket's name before one of ours. Its path would then be read as another
// bucket's: it is refused, never guessed at.
func (s *Service) virtualHost(host string) bool {
	host = hostName(host)
	return !slices.Contains(s.hosts, host) && slices.ContainsFunc(s.hosts, func(own string) bool { return strings.HasSuffix(host, "."+own) })
}

// hostName is a host without its port, in lower case and without the root's dot.
func hostName(host string) string {
	host = (&url.URL{Host: host}).Hostname()
	return strings.TrimSuffix(strings.ToLower(host), ".")
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
	copies := r.has("X-Amz-Copy-Source")
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
	if !slices.ContainsFunc(operations, func(o operation) bool { return o.method == r.http.Method }) {
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

// checkQuery holds every parameter to its form. A store that reads one otherwise than the row it was taken for would do what
// nobody asked the policies about: an empty uploadId makes an AbortMultipartUpload a DeleteObject, and one with slashes leaves
// the upload's folder.
func (r *request) checkQuery() error {
	for name, values := range r.query {
		v := values[0]
		ok := true
		switch name {
		case "uploadId":
			if !isUploadID(v) {
				return errNoUpload
			}
		case "upload-id-marker":
			ok = v == "" || isUploadID(v)
		case "partNumber":
			n, number := decimal(v)
			ok = number && n >= 1 && n <= maxParts
		case "max-keys", "max-uploads", "max-parts", "max-buckets", "part-number-marker":
			_, number := decimal(v)
			ok = v == "" || number
		case "list-type":
			ok = v == "2"
		case "encoding-type":
			ok = v == "" || v == "url"
		case r.op.marker:
			r.query[name] = []string{""}
		}
		if !ok {
			return badArgument("Invalid value for the query parameter %s", name)
		}
	}
	return nil
}

const maxParts = 10000

var errNoUpload = fault.New(fault.NotFound, "upload", "The specified upload does not exist. The upload ID may be invalid, or the upload may "+
	"have been aborted or completed.")

// isUploadID reports whether s can be an upload id of any store: no separator of paths, no dot segment.
func isUploadID(s string) bool {
	if s == "" || len(s) > 1024 || s[0] == '.' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune("-_.~", rune(c)) {
			return false
		}
	}
	return true
}

// decimal reads a number of at most nine digits and nothing else.
func decimal(s string) (n int, ok bool) {
	if s == "" || len(s) > 9 {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = 10*n + int(s[i]-'0')
	}
	return n, true
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
		return "", "", badArgument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	}
	return bucketName, key, nil
}
