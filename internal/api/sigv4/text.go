package sigv4

import (
	"crypto/sha256"
	"net/http"
	"strings"
)

// first returns the header's only value, and whether the header is there. Name is in canonical form.
func first(h http.Header, name string) (string, bool) {
	if v := h[name]; len(v) > 0 {
		return v[0], true
	}
	return "", false
}

func equalFold(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

// hasAmzPrefix reports whether a header or query parameter is in AWS's name space.
func hasAmzPrefix(name string) bool {
	return len(name) >= len("x-amz-") && strings.EqualFold(name[:len("x-amz-")], "x-amz-")
}

// isHash reports whether s is a SHA-256 in lower-case hexadecimal digits.
func isHash(s string) bool {
	if len(s) != 2*sha256.Size {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// isName reports whether s can be an access key id, a region or a service: letters, digits, and the signs '-', '_' and '.'.
func isName(s string, limit int) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for i := range len(s) {
		if !unreserved(s[i]) || s[i] == '~' {
			return false
		}
	}
	return true
}

// isHeaderName reports whether s is a header name in lower case.
func isHeaderName(s string) bool {
	if s == "" || len(s) > maxHeaderName {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// unreserved reports whether a byte stands for itself in a canonical request.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~'
}
