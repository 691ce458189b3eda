package iam

import (
	"maps"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/podid/podid/internal/fault"
)

// Limits of tags. spec: iam-policy.md 2
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

const subjectTags = "tags"

func decimal(n int) string { return strconv.Itoa(n) }

// checkTags holds the rules for a resource's whole set of tags. Keys are unique ignoring case.
func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return fault.New(fault.Limit, subjectTags, "The number of tags has reached the maximum limit.")
	}
	seen := make(map[string]bool, len(tags))
	for key, value := range tags {
		folded := strings.ToLower(key)
		switch {
		case key == "" || utf8.RuneCountInString(key) > maxTagKey || !tagText(key):
			return member(subjectTags, "tags.member.key", key, `satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}`)
		case utf8.RuneCountInString(value) > maxTagValue || !tagText(value):
			return member(subjectTags, "tags.member.value", value, `satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}`)
		case strings.HasPrefix(folded, "aws:"):
			return fault.New(fault.Invalid, subjectTags, "System tags cannot be added or changed: a key must not begin with aws:")
		case seen[folded]:
			return fault.New(fault.Invalid, subjectTags, "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		seen[folded] = true
	}
	return nil
}

func tagText(s string) bool {
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.In(r, unicode.Z) && !strings.ContainsRune("_.:/=+-@", r) {
			return false
		}
	}
	return utf8.ValidString(s)
}

// WithTags returns tags with those of added put in: an added key replaces the same key in another case.
func WithTags(tags, added map[string]string) map[string]string {
	out := WithoutTags(tags, keysOf(added))
	maps.Copy(out, added)
	return out
}

// WithoutTags returns tags without the given keys, which match ignoring case.
func WithoutTags(tags map[string]string, keys []string) map[string]string {
	gone := make(map[string]bool, len(keys))
	for _, key := range keys {
		gone[strings.ToLower(key)] = true
	}
	out := make(map[string]string, len(tags))
	for key, value := range tags {
		if !gone[strings.ToLower(key)] {
			out[key] = value
		}
	}
	return out
}

func keysOf(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}
