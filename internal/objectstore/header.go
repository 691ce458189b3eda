package objectstore

import (
	"net/http"
	"strings"
)

// hopByHop are the headers that belong to one connection (RFC 9110 7.6.1). They are never passed on, in either direction.
var hopByHop = [...]string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// ours are request headers that speak about the caller's own signature, identity or transfer. The store gets ours or none.
var ours = [...]string{
	"Authorization", "Host", "Content-Length", "Expect", "Accept-Encoding", "User-Agent", "Cookie",
	"X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Security-Token", "X-Amz-Decoded-Content-Length", "X-Amz-Trailer",
	"X-Amz-Expected-Bucket-Owner", "X-Amz-Source-Expected-Bucket-Owner", "X-Amz-Acl",
}

// theirs are response headers about the store itself: we are the server the caller speaks to, and a cookie or an alternative service of the
// store would lead past us.
var theirs = [...]string{"Server", "Set-Cookie", "Alt-Svc", "Strict-Transport-Security"}

const checksumPrefix = "X-Amz-Checksum-"

// requestHeader is what of h may reach the store. h has passed the front's closed list; this is the second fence.
func requestHeader(h http.Header) http.Header {
	out := make(http.Header, len(h)+4)
	checksum := false
	for name, values := range h {
		name = http.CanonicalHeaderKey(name)
		if strings.HasPrefix(name, "X-Amz-Grant-") || strings.HasPrefix(name, "X-Forwarded-") {
			continue
		}
		checksum = checksum || strings.HasPrefix(name, checksumPrefix)
		out[name] = append(out[name], values...)
	}
	dropHopByHop(out)
	for _, name := range ours {
		delete(out, name)
	}
	if !checksum {
		// It announces a checksum that came in a trailer, which has been verified and is not passed on; alone it is an error.
		delete(out, "X-Amz-Sdk-Checksum-Algorithm")
	}
	dropChunked(out)
	return out
}

// responseHeader removes from h, in place, what the caller must not see.
func responseHeader(h http.Header) {
	dropHopByHop(h)
	for _, name := range theirs {
		delete(h, name)
	}
}

func dropHopByHop(h http.Header) {
	for _, v := range h["Connection"] {
		for name := range strings.SplitSeq(v, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
}

// dropChunked removes aws-chunked from Content-Encoding: bodies arrive here decoded, and a store would keep it as the object's encoding.
func dropChunked(h http.Header) {
	const name = "Content-Encoding"
	var keep []string
	for _, v := range h[name] {
		for coding := range strings.SplitSeq(v, ",") {
			if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "aws-chunked") {
				keep = append(keep, coding)
			}
		}
	}
	if len(keep) == 0 {
		delete(h, name)
		return
	}
	h[name] = []string{strings.Join(keep, ",")}
}
