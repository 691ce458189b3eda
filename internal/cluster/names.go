package cluster

import (
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/podid/podid/internal/fault"
)

// Lengths of names. spec: pod-identity.md 1.8, 1.4, 1.11
const (
	maxClusterName    = 100
	maxNodegroupName  = 63
	maxAddonName      = 100
	maxNamespace      = 63
	maxServiceAccount = 253
	maxRoleARN        = 2048
)

const subjectName = "name"

func invalidName(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, subjectName, format, args...)
}

// CheckName holds the alphabet of cluster names: it also bounds what goes into keys and ARNs.
func CheckName(name string) error {
	if !simpleName(name, maxClusterName) {
		return invalidName("The cluster name %s is not valid: it has 1 to %d letters, digits, hyphens and underscores, "+
			"the first of them a letter or a digit", quoted(name), maxClusterName)
	}
	return nil
}

func simpleName(s string, longest int) bool {
	if s == "" || len(s) > longest || !alphanumeric(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// CheckServiceAccount holds Kubernetes' rules: a namespace is an RFC 1123 label, a service account an RFC 1123 subdomain.
func CheckServiceAccount(namespace, serviceAccount string) error {
	if err := checkNamespace(namespace); err != nil {
		return err
	}
	if !subdomain(serviceAccount, maxServiceAccount) {
		return invalidName("The service account %s is not valid: it has at most %d lower-case letters, digits, hyphens and dots, "+
			"and begins and ends each part between dots with a letter or a digit", quoted(serviceAccount), maxServiceAccount)
	}
	return nil
}

func checkNamespace(namespace string) error {
	if strings.Contains(namespace, ".") || !subdomain(namespace, maxNamespace) {
		return invalidName("The namespace %s is not valid: it has at most %d lower-case letters, digits and hyphens, "+
			"and begins and ends with a letter or a digit", quoted(namespace), maxNamespace)
	}
	return nil
}

func subdomain(s string, longest int) bool {
	if len(s) > longest {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
				return false
			}
		}
	}
	return true
}

// quoted prints a stranger's text in a refusal, cut to a length for people.
func quoted(s string) string {
	const longest = 128
	if len(s) > longest {
		s = s[:longest] + "..."
	}
	return `"` + strings.ToValidUTF8(s, "?") + `"`
}

// Limits of tags. Keys differ by case. spec: pod-identity.md 1.10
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

const subjectTags = "tags"

// checkTags holds the rules for a resource's whole set of tags. Own are those of podid's own that the resource may have, or how they begin,
// where they end in a slash: a misspelt one would be without effect, and is refused.
func checkTags(tags map[string]string, own ...string) error {
	if len(tags) > maxTags {
		return fault.New(fault.Invalid, subjectTags, "A resource has at most %d tags, not %d", maxTags, len(tags))
	}
	for key, value := range tags {
		switch {
		case key == "" || utf8.RuneCountInString(key) > maxTagKey || !tagText(key):
			return fault.New(fault.Invalid, subjectTags, "The tag key %s is not valid: it has 1 to %d letters, digits, spaces and _.:/=+-@",
				quoted(key), maxTagKey)
		case utf8.RuneCountInString(value) > maxTagValue || !tagText(value):
			return fault.New(fault.Invalid, subjectTags, "The value of tag %s is not valid: it has at most %d letters, digits, spaces and _.:/=+-@",
				quoted(key), maxTagValue)
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return fault.New(fault.Invalid, subjectTags, "The tag key %s is not valid: the prefix aws: is reserved", quoted(key))
		case len(key) >= len(ownTags) && strings.EqualFold(key[:len(ownTags)], ownTags) && !slices.ContainsFunc(own, func(name string) bool {
			return key == name || strings.HasSuffix(name, "/") && strings.HasPrefix(key, name)
		}):
			return fault.New(fault.Invalid, subjectTags, "The tag key %s is not valid: the prefix %s is podid's own, and there is no such tag here",
				quoted(key), ownTags)
		}
	}
	return nil
}

func tagText(s string) bool {
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.Is(unicode.Z, r) && !strings.ContainsRune("_.:/=+-@", r) {
			return false
		}
	}
	return utf8.ValidString(s)
}

const (
	associationIDPrefix = "a-"
	associationIDLength = 17 // without the prefix
	idAlphabet          = "abcdefghijklmnopqrstuvwxyz0123456789"
)

// newAssociationID draws an id: a- and 17 of 36 characters, 88 bits. spec: pod-identity.md 1.3.1
func (r *Registry) newAssociationID() (string, error) {
	id := make([]byte, 0, len(associationIDPrefix)+associationIDLength)
	id = append(id, associationIDPrefix...)
	var random [2 * associationIDLength]byte
	for {
		if _, err := io.ReadFull(r.rand, random[:]); err != nil {
			return "", fault.Of(err)
		}
		for _, b := range random {
			// A byte above the last multiple of 36 would favour some characters.
			if b < 252 {
				id = append(id, idAlphabet[int(b)%len(idAlphabet)])
			}
			if len(id) == cap(id) {
				return string(id), nil
			}
		}
	}
}

// newUUID draws a version 4 UUID, the last part of the ARNs of node groups and add-ons.
func (r *Registry) newUUID() (string, error) {
	h, err := r.newHex()
	if err != nil {
		return "", err
	}
	return formatUUID(strings.ToLower(h)), nil
}

// formatUUID makes a version 4 UUID of 32 lower-case hex digits.
func formatUUID(digits string) string {
	b := []byte(digits)
	b[12], b[16] = '4', "89ab"[b[16]&3]
	return string(b[:8]) + "-" + string(b[8:12]) + "-" + string(b[12:16]) + "-" + string(b[16:20]) + "-" + string(b[20:])
}

// newHex draws 32 upper-case hex digits: what EKS has in an issuer's URL. spec: pod-identity.md 6.1
func (r *Registry) newHex() (string, error) {
	var random [16]byte
	if _, err := io.ReadFull(r.rand, random[:]); err != nil {
		return "", fault.Of(err)
	}
	return strings.ToUpper(hex.EncodeToString(random[:])), nil
}
