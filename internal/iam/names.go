package iam

import (
	"encoding/base32"
	"encoding/base64"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

// Lengths of names and texts, in characters. spec: iam-policy.md 2; pod-identity.md 6.6
const (
	maxUserName    = 64
	maxRoleName    = 64
	maxPolicyName  = 128
	maxGroupName   = 128
	maxProfileName = 128
	maxPath        = 512
	maxDescription = 1000
)

// named is the key of an entity in its table. Names are unique ignoring case.
func named(account, name string) store.Key { return store.Key{account, strings.ToLower(name)} }

// member words the violation of a documented constraint as IAM's model validation does.
func member(subject, name, value, constraint string) error {
	if len(value) > maxPath {
		value = strings.ToValidUTF8(value[:maxPath], "") + "..."
	}
	return fault.New(fault.Invalid, subject,
		"1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must %s", value, name, constraint)
}

// checkName holds the alphabet of user, role and policy names. Field is the member's name for the text: roleName.
func checkName(subject, field, name string, longest int) error {
	switch {
	case name == "":
		return member(subject, field, name, "have length greater than or equal to 1")
	case len(name) > longest:
		return member(subject, field, name, "have length less than or equal to "+decimal(longest))
	}
	for i := range len(name) {
		c := name[i]
		if !alphanumeric(c) && !strings.ContainsRune("+=,.@_-", rune(c)) {
			return member(subject, field, name, `satisfy regular expression pattern: [\w+=,.@-]+`)
		}
	}
	return nil
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// checkPath holds that a path begins and ends with a slash and is printable ASCII.
func checkPath(subject, path string) error {
	if len(path) > maxPath {
		return member(subject, "path", path, "have length less than or equal to "+decimal(maxPath))
	}
	ok := strings.HasPrefix(path, "/") && strings.HasSuffix(path, "/") && !strings.Contains(path, "//")
	for i := range len(path) {
		ok = ok && path[i] > ' ' && path[i] < 0x7f
	}
	if !ok {
		return member(subject, "path", path, `satisfy regular expression pattern: (\u002F)|(\u002F[\u0021-\u007E]+\u002F)`)
	}
	return nil
}

func checkDescription(subject, text string) error {
	if utf8.RuneCountInString(text) > maxDescription {
		return member(subject, "description", text, "have length less than or equal to "+decimal(maxDescription))
	}
	return nil
}

// defaultPath is what an entity without a path has.
func defaultPath(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// The prefixes of unique ids. spec: iam-policy.md 9
const (
	prefixUser      = "AIDA"
	prefixRole      = "AROA"
	prefixGroup     = "AGPA"
	prefixProfile   = "AIPA"
	prefixPolicy    = "ANPA"
	prefixAccessKey = "AKIA"
)

// newID makes a unique id: a prefix and as many random characters of A-Z and 2-7 as it takes to have the length.
func (d *Directory) newID(prefix string, length int) (string, error) {
	var random [16]byte // 25 characters
	if _, err := io.ReadFull(d.rand, random[:]); err != nil {
		return "", fault.Of(err)
	}
	return prefix + base32.StdEncoding.EncodeToString(random[:])[:length-len(prefix)], nil
}

const (
	entityIDLength    = 21
	accessKeyIDLength = 20
	taskIDLength      = 25
	secretBytes       = 30 // 40 characters of base64, 240 bits
)

// newSecret makes the secret of an access key: 40 characters.
func (d *Directory) newSecret() (string, error) {
	var random [secretBytes]byte
	if _, err := io.ReadFull(d.rand, random[:]); err != nil {
		return "", fault.Of(err)
	}
	return base64.StdEncoding.EncodeToString(random[:]), nil
}
