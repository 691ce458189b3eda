package s3api

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/podid/podid/internal/fault"
)

// forwarded are the request headers that reach the store as they are. With x-amz-meta-* it is a closed list: what is not on it
// and not in consumed refuses the request, so that no header of tomorrow means something to the store that nobody asked the
// policies about.
var forwarded = map[string]bool{
	"Content-Type": true, "Content-Md5": true, "Content-Encoding": true, "Content-Disposition": true, "Content-Language": true,
	"Cache-Control": true, "Expires": true, "Range": true,
	"If-Match": true, "If-None-Match": true, "If-Modified-Since": true, "If-Unmodified-Since": true,
	"X-Amz-Sdk-Checksum-Algorithm": true, "X-Amz-Checksum-Algorithm": true, "X-Amz-Checksum-Mode": true, "X-Amz-Checksum-Type": true,
	"X-Amz-Checksum-Crc32": true, "X-Amz-Checksum-Crc32c": true, "X-Amz-Checksum-Crc64nvme": true, "X-Amz-Checksum-Sha1": true,
	"X-Amz-Checksum-Sha256": true,
	"X-Amz-Tagging":         true, "X-Amz-Tagging-Directive": true, "X-Amz-Metadata-Directive": true,
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

const metadata = "X-Amz-Meta-"

// checkHeaders refuses what is asked for by a header and not done here. A header that counts is there once: two readers of two
// values could pick different ones.
func (r *request) checkHeaders() error {
	h := r.header
	for name, values := range h {
		known := forwarded[name] || consumed[name]
		switch {
		case strings.HasPrefix(name, "X-Amz-Grant-"):
			return errACL
		case strings.HasPrefix(name, "X-Amz-") && !known && !strings.HasPrefix(name, metadata):
			return notImplemented("the header " + strings.ToLower(name))
		case known && len(values) != 1 && name != "X-Amz-Object-Attributes":
			return badArgument("The header %s is given more than once", strings.ToLower(name))
		}
	}
	if acl := h.Get("X-Amz-Acl"); acl != "" && acl != "bucket-owner-full-control" && (acl != "private" || r.op.on != onBucket) {
		return errACL
	}
	if class := h.Get("X-Amz-Storage-Class"); class != "" && class != "STANDARD" {
		return fault.New(fault.Invalid, "storage class", "The storage class you specified is not valid: this store has STANDARD only")
	}
	if owner := h.Get("X-Amz-Object-Ownership"); owner != "" && owner != bucketOwnerEnforced {
		return errACL
	}
	for _, name := range [...]string{"X-Amz-Tagging-Directive", "X-Amz-Metadata-Directive"} {
		if r.has(name) && h.Get(name) != "COPY" && h.Get(name) != "REPLACE" {
			return badArgument("The header %s is COPY or REPLACE", strings.ToLower(name))
		}
	}
	if r.has("X-Amz-Tagging") {
		var err error
		if r.tags, err = url.ParseQuery(h.Get("X-Amz-Tagging")); err != nil {
			return badArgument("The header x-amz-tagging shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
		}
	}
	return r.checkOverrides()
}

// checkOverrides: what an object's answer looks like is the owner's word, which only somebody who can be named may change.
func (r *request) checkOverrides() error {
	if r.x.Auth != nil {
		return nil
	}
	for name := range r.query {
		if strings.HasPrefix(name, "response-") {
			return fault.New(fault.Invalid, "request", "Request specific response headers cannot be used for anonymous GET requests.")
		}
	}
	return nil
}

// has reports whether a header is there, be it empty.
func (r *request) has(name string) bool { return len(r.header[name]) > 0 }

const bucketOwnerEnforced = "BucketOwnerEnforced"

var errACL = fault.New(fault.Invalid, "acl", "The bucket does not allow ACLs: its owner owns every object, and policies decide")

// storeHeader is the part of the request's headers that goes to the store.
func (r *request) storeHeader() http.Header {
	out := make(http.Header, 8)
	for name, values := range r.header {
		switch {
		case name == "X-Amz-Object-Attributes":
			out[name] = []string{strings.Join(values, ",")}
		case name == "X-Amz-Tagging": // as it was read
			out[name] = []string{strings.ReplaceAll(r.tags.Encode(), "+", "%20")}
		case forwarded[name], strings.HasPrefix(name, metadata):
			out[name] = values
		}
	}
	return out
}

// answered are the store's headers that reach the caller, with x-amz-meta-* and x-amz-checksum-*. The others are about the
// store: its ids, its name, its versions.
var answered = map[string]bool{
	"Content-Type": true, "Content-Length": true, "Content-Encoding": true, "Content-Disposition": true, "Content-Language": true,
	"Content-Range": true, "Accept-Ranges": true, "Cache-Control": true, "Expires": true, "Etag": true, "Last-Modified": true,
	"X-Amz-Tagging-Count": true, "X-Amz-Mp-Parts-Count": true, "X-Amz-Missing-Meta": true, "X-Amz-Storage-Class": true,
}

// copyHeader puts the store's headers on the answer. Metadata names are lower case on the wire: net/http spells headers
// with capitals, and boto compares metadata names by letter. spec: s3.md 3.2
func copyHeader(to, from http.Header) {
	for name, values := range from {
		switch {
		case strings.HasPrefix(name, metadata):
			to[strings.ToLower(name)] = values
		case answered[name], strings.HasPrefix(name, "X-Amz-Checksum-"):
			to[name] = values
		}
	}
}
