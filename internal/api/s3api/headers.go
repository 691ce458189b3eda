package s3api

import (
	"net/http"
	"strings"

	"github.com/podid/podid/internal/fault"
)

// forwarded are the request headers that reach the store as they are. With x-amz-meta-* and x-amz-checksum-* it is a
// closed list: what is not on it and not in consumed refuses the request, so that no header of tomorrow means something to
// the store that nobody asked the policies about.
var forwarded = map[string]bool{
	"Content-Type": true, "Content-Md5": true, "Content-Encoding": true, "Content-Disposition": true, "Content-Language": true,
	"Cache-Control": true, "Expires": true, "Range": true,
	"If-Match": true, "If-None-Match": true, "If-Modified-Since": true, "If-Unmodified-Since": true,
	"X-Amz-Sdk-Checksum-Algorithm": true, "X-Amz-Checksum-Algorithm": true, "X-Amz-Checksum-Mode": true, "X-Amz-Checksum-Type": true,
	"X-Amz-Tagging": true, "X-Amz-Tagging-Directive": true, "X-Amz-Metadata-Directive": true,
	"X-Amz-Copy-Source-If-Match": true, "X-Amz-Copy-Source-If-None-Match": true, "X-Amz-Copy-Source-If-Modified-Since": true,
	"X-Amz-Copy-Source-If-Unmodified-Since": true, "X-Amz-Copy-Source-Range": true,
	"X-Amz-Object-Attributes": true, "X-Amz-Max-Parts": true, "X-Amz-Part-Number-Marker": true, "X-Amz-Mp-Object-Size": true,
}

// consumed are x-amz-* headers that are answered here, or that mean nothing to a store.
var consumed = map[string]bool{
	"X-Amz-Date": true, "X-Amz-Content-Sha256": true, "X-Amz-Security-Token": true, "X-Amz-Decoded-Content-Length": true,
	"X-Amz-Trailer": true, "X-Amz-Expected-Bucket-Owner": true, "X-Amz-Source-Expected-Bucket-Owner": true,
	"X-Amz-Acl": true, "X-Amz-Copy-Source": true, "X-Amz-User-Agent": true, "X-Amz-Request-Payer": true,
	"X-Amz-Storage-Class": true, "X-Amz-Object-Ownership": true,
}

// checkHeaders refuses what is asked for by a header and not done here.
func (r *request) checkHeaders() error {
	h := r.http.Header
	for name := range h {
		if strings.HasPrefix(name, "X-Amz-") && !forwarded[name] && !consumed[name] &&
			!strings.HasPrefix(name, "X-Amz-Meta-") && !strings.HasPrefix(name, "X-Amz-Checksum-") {
			if strings.HasPrefix(name, "X-Amz-Grant-") {
				return errACL
			}
			return notImplemented("the header " + strings.ToLower(name))
		}
	}
	if acl := h.Get("X-Amz-Acl"); acl != "" && acl != "bucket-owner-full-control" && (acl != "private" || r.op.on != onBucket) {
		return errACL
	}
	if class := h.Get("X-Amz-Storage-Class"); class != "" && class != "STANDARD" {
		return fault.New(fault.Invalid, "argument", "The storage class you specified is not valid: this store has STANDARD only")
	}
	if owner := h.Get("X-Amz-Object-Ownership"); owner != "" && owner != bucketOwnerEnforced {
		return errACL
	}
	return nil
}

const bucketOwnerEnforced = "BucketOwnerEnforced"

var errACL = fault.New(fault.Invalid, "acl", "The bucket does not allow ACLs: its owner owns every object, and policies decide")

// storeHeader is the part of the request's headers that goes to the store.
func (r *request) storeHeader() http.Header {
	out := make(http.Header, 8)
	for name, values := range r.http.Header {
		if forwarded[name] || strings.HasPrefix(name, "X-Amz-Meta-") || strings.HasPrefix(name, "X-Amz-Checksum-") {
			out[name] = values
		}
	}
	return out
}

// copyHeader puts the store's headers on the answer. Metadata names are lower case on the wire: net/http spells headers
// with capitals, and boto compares metadata names by letter. spec: s3.md 3.2
func copyHeader(to, from http.Header) {
	for name, values := range from {
		switch {
		case strings.HasPrefix(name, "X-Amz-Meta-"):
			to[strings.ToLower(name)] = values
		case name == "X-Amz-Request-Id", name == "X-Amz-Id-2", name == "Date":
		default:
			to[name] = values
		}
	}
}
