package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	maxQuery  = 64 << 10
	maxParams = 1024
)

// param is a query parameter: decoded from parseQuery, encoded in appendQuery.
type param struct{ name, value string }

func compareParams(a, b param) int {
	if c := strings.Compare(a.name, b.name); c != 0 {
		return c
	}
	return strings.Compare(a.value, b.value)
}

// parseQuery decodes a query and sorts it by name. It reads a query as net/url does ('+' is a space, an empty pair is nothing), but
// refuses what net/url silently drops: a handler must not see less than was signed.
func parseQuery(raw string) ([]param, error) {
	if raw == "" {
		return nil, nil
	}
	n := strings.Count(raw, "&") + 1
	if len(raw) > maxQuery || n > maxParams {
		return nil, malformed("The query string is too long")
	}
	if strings.IndexByte(raw, ';') >= 0 {
		return nil, malformed("The query string is malformed: a semicolon must be written as %%3B")
	}
	query := make([]param, 0, n)
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, errName := url.QueryUnescape(name)
		value, errValue := url.QueryUnescape(value)
		if errName != nil || errValue != nil {
			return nil, malformed("The query string is malformed: a percent sign must be followed by two hexadecimal digits")
		}
		query = append(query, param{name, value})
	}
	slices.SortFunc(query, compareParams)
	return query, nil
}

// lookup returns the value of the first parameter of this name, or "".
func lookup(query []param, name string) string {
	for _, p := range query {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

// appendRequest appends the canonical request.
func (a *Authorization) appendRequest(b []byte, r *http.Request) ([]byte, error) {
	b = append(b, r.Method...)
	b = append(b, '\n')
	if a.s3() {
		b = appendPath(b, r.URL.Path)
	} else {
		b = appendNormalPath(b, r.URL.EscapedPath())
	}
	b = append(b, '\n')
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	b = appendQuery(b, query)
	b = append(b, '\n')
	for _, name := range a.SignedHeaders {
		b = append(b, name...)
		b = append(b, ':')
		var ok bool
		if b, ok = appendHeader(b, r, name); !ok {
			return nil, errMismatch()
		}
		b = append(b, '\n')
	}
	b = append(b, '\n')
	for i, name := range a.SignedHeaders {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, name...)
	}
	b = append(b, '\n')
	return append(b, a.PayloadHash...), nil
}

// appendPath is S3's way: the path, decoded once by net/http, is encoded once. A slash in a key is a slash, however it was sent.
func appendPath(b []byte, path string) []byte {
	if path == "" {
		return append(b, '/')
	}
	return appendEncoded(b, path, true)
}

// appendNormalPath is the way of every other service: the path as sent, without empty and dot segments, is encoded a second time.
func appendNormalPath(b []byte, escaped string) []byte {
	if !strings.Contains(escaped, "//") && !strings.Contains(escaped, "/.") {
		return appendPath(b, escaped)
	}
	var kept []string
	for segment := range strings.SplitSeq(escaped, "/") {
		switch segment {
		case "", ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, segment)
		}
	}
	for _, segment := range kept {
		b = appendEncoded(append(b, '/'), segment, true)
	}
	if len(kept) == 0 || strings.HasSuffix(escaped, "/") {
		b = append(b, '/')
	}
	return b
}

// appendQuery sorts by the encoded names, then the encoded values, and leaves the signature out. It overwrites query.
func appendQuery(b []byte, query []param) []byte {
	for i, p := range query {
		query[i] = param{encoded(p.name), encoded(p.value)}
	}
	slices.SortFunc(query, compareParams)
	start := len(b)
	for _, p := range query {
		if p.name == querySignature {
			continue
		}
		if len(b) > start {
			b = append(b, '&')
		}
		b = append(b, p.name...)
		b = append(b, '=')
		b = append(b, p.value...)
	}
	return b
}

// appendHeader appends the canonical value of a signed header and reports whether the request has the header. net/http moves some
// headers out of the map: they are read from where it puts them.
func appendHeader(b []byte, r *http.Request, name string) ([]byte, bool) {
	if name == "host" {
		host := r.Host
		if host == "" {
			host = r.URL.Host
		}
		return appendTrimmed(b, host), true
	}
	if values := r.Header[http.CanonicalHeaderKey(name)]; len(values) > 0 {
		for i, v := range values {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendTrimmed(b, v)
		}
		return b, true
	}
	switch name {
	case "content-length":
		if r.ContentLength < 0 {
			return b, false
		}
		return strconv.AppendInt(b, r.ContentLength, 10), true
	case "transfer-encoding":
		return append(b, strings.Join(r.TransferEncoding, ",")...), len(r.TransferEncoding) > 0
	case "expect":
		return append(b, "100-continue"...), true // HTTP/2 consumes it; it has no other value
	}
	return b, false
}

// appendTrimmed appends a header value without outer spaces and with runs of inner spaces made one.
func appendTrimmed(b []byte, v string) []byte {
	v = strings.Trim(v, " \t")
	if !strings.Contains(v, "  ") {
		return append(b, v...)
	}
	for i := range len(v) {
		if v[i] != ' ' || v[i-1] != ' ' {
			b = append(b, v[i])
		}
	}
	return b
}

func appendEncoded(b []byte, s string, keepSlash bool) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; unreserved(c) || keepSlash && c == '/' {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return b
}

// encoded returns s itself where nothing needs encoding, which is the common case.
func encoded(s string) string {
	for i := range len(s) {
		if !unreserved(s[i]) {
			return string(appendEncoded(make([]byte, 0, len(s)+16), s, false))
		}
	}
	return s
}
