package cluster

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/podid/podid/internal/fault"
)

// spec: pod-identity.md 1.8, 1.4, 1.10
const (
	maxClusterName    = 100
	maxNamespace      = 63  // RFC 1123 label
	maxServiceAccount = 253 // RFC 1123 subdomain
	maxTags           = 50
	maxTagKey         = 128
	maxTagValue       = 256
)

func invalid(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "parameter", format, args...)
}

// checkName holds the pattern of cluster, node group and add-on names.
func checkName(member, name string, longest int) error {
	if name == "" || len(name) > longest {
		return invalid("%s must have 1 to %d characters", member, longest)
	}
	for i := range len(name) {
		c := name[i]
		if !alphanumeric(c) && (i == 0 || (c != '-' && c != '_')) {
			return invalid("%s must match ^[0-9A-Za-z][A-Za-z0-9\\-_]*$", member)
		}
	}
	return nil
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func checkNamespace(name string) error {
	if len(name) > maxNamespace || !label(name) {
		return invalid("namespace %q is not the name of a Kubernetes namespace: lower-case letters, digits and '-', at most %d", cut(name), maxNamespace)
	}
	return nil
}

func checkServiceAccount(name string) error {
	ok := len(name) <= maxServiceAccount
	for part := range strings.SplitSeq(name, ".") {
		ok = ok && label(part)
	}
	if !ok {
		return invalid("serviceAccount %q is not the name of a Kubernetes service account: lower-case letters, digits, '-' and '.', at most %d",
			cut(name), maxServiceAccount)
	}
	return nil
}

// label tells whether s is an RFC 1123 label, but for its length.
func label(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return fault.New(fault.Invalid, "tags", "A resource has at most %d tags", maxTags)
	}
	for k, v := range tags {
		if k == "" || utf8.RuneCountInString(k) > maxTagKey || utf8.RuneCountInString(v) > maxTagValue {
			return fault.New(fault.Invalid, "tags", "The tag %q is invalid: keys have 1 to %d characters, values at most %d", cut(k), maxTagKey, maxTagValue)
		}
		if strings.HasPrefix(strings.ToLower(k), "aws:") {
			return fault.New(fault.Invalid, "tags", "The tag key %q is invalid: keys that begin with aws: are reserved", cut(k))
		}
	}
	return nil
}

// cut bounds what of a caller's text is repeated.
func cut(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "..."
	}
	return s
}

const idAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789"

// newID makes n random characters of [a-z0-9]; bytes that would favour some characters are thrown away.
func newID(random io.Reader, n int) (string, error) {
	const fair = 256 - 256%len(idAlphabet)
	id := make([]byte, 0, n)
	buf := make([]byte, 2*n)
	for len(id) < n {
		if _, err := io.ReadFull(random, buf); err != nil {
			return "", fmt.Errorf("make an id: %w", err)
		}
		for _, b := range buf {
			if int(b) < fair && len(id) < n {
				id = append(id, idAlphabet[int(b)%len(idAlphabet)])
			}
		}
	}
	return string(id), nil
}
