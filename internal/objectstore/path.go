package objectstore

import (
	"net/url"
	"strings"

	"github.com/podid/podid/internal/fault"
)

// target is the one place that turns a bucket and a raw key into what is signed and sent. An empty bucket is the service itself, an
// empty key the bucket. Query parameters are sorted and encoded as SigV4 has them, so that the signed and the sent form agree.
func target(endpoint *url.URL, bucket, key string, query url.Values) *url.URL {
	u := *endpoint
	u.Path, u.RawPath = "/", "/"
	if bucket != "" {
		u.Path += bucket
		u.RawPath += bucket
	}
	if key != "" {
		u.Path += "/" + key
		u.RawPath += "/" + escape(key)
	}
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	return &u
}

// CopySource is the value of the x-amz-copy-source header for an object; version may be empty. It is built as the path of a request is, so
// the source that was authorised is the source that is read.
func CopySource(bucket, key, version string) string {
	s := "/" + bucket + "/" + escape(key)
	if version != "" {
		s += "?versionId=" + strings.ReplaceAll(url.QueryEscape(version), "+", "%20")
	}
	return s
}

// escape percent-encodes everything but the unreserved characters of RFC 3986 and the slash, as SigV4 wants a canonical path.
func escape(key string) string {
	const hex = "0123456789ABCDEF"
	n := 0
	for i := range len(key) {
		if !unreserved(key[i]) {
			n++
		}
	}
	if n == 0 {
		return key
	}
	b := make([]byte, 0, len(key)+2*n)
	for i := range len(key) {
		if c := key[i]; unreserved(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.~/", c) >= 0
}

// checkBucket refuses a name that could mean another path. The rules for bucket names are the registry's; this is only what the path needs.
func checkBucket(name string) error {
	ok := len(name) <= 63 && !strings.HasPrefix(name, ".")
	for i := range len(name) {
		c := name[i]
		ok = ok && ('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.')
	}
	if !ok {
		return fault.New(fault.Invalid, "bucket", "The specified bucket is not valid.")
	}
	return nil
}
