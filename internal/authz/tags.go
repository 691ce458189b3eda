package authz

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/fault"
)

// Limits of session tags. spec: pod-identity.md 6.5
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

// fold is the form in which tag keys compare: keys that differ in letter case only are one key.
func fold(key string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, key)
}

// lookalikes are the letters beyond ASCII that some comparisons take for an ASCII letter and others do not: the long s and the
// Kelvin sign. A tag key with one of them could be the same key to one reader of a policy and another key to the next.
const lookalikes = "\u017f\u212a"

func checkTags(tags map[string]string, transitive []string) error {
	if len(tags) > maxTags {
		return fault.New(fault.Invalid, "tags", "A session has at most %d tags", maxTags)
	}
	folded := make(map[string]bool, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		if !tagText(k, 1, maxTagKey) || strings.ContainsAny(k, lookalikes) || !tagText(tags[k], 0, maxTagValue) {
			return fault.New(fault.Invalid, "tags", "The session tag %s is invalid: keys have 1 to 128 and values 0 to 256 letters, digits, "+
				"spaces and _.:/=+-@", quoted(k))
		}
		key := fold(k)
		if strings.HasPrefix(key, "AWS:") {
			return fault.New(fault.Invalid, "tags", "The session tag %s is invalid: keys that begin with aws: are reserved", quoted(k))
		}
		if folded[key] {
			return fault.New(fault.Invalid, "tags", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		folded[key] = true
	}
	for _, k := range transitive {
		if !folded[fold(k)] {
			return fault.New(fault.Invalid, "tags", "The transitive tag key %s must be one of the session's tags", quoted(k))
		}
	}
	return nil
}

func tagText(s string, shortest, longest int) bool {
	if n := utf8.RuneCountInString(s); n < shortest || n > longest {
		return false
	}
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.Is(unicode.Z, r) && !strings.ContainsRune("_.:/=+-@", r) {
			return false
		}
	}
	return true
}

// inherited are the tags that a calling session hands on.
func inherited(s *credential.Session) map[string]string {
	if s == nil || len(s.TransitiveTagKeys) == 0 {
		return nil
	}
	tags := make(map[string]string, len(s.TransitiveTagKeys))
	for _, k := range s.TransitiveTagKeys {
		if v, ok := s.SessionTags[k]; ok {
			tags[k] = v
		}
	}
	return tags
}

// sessionTags are the tags of the new session, those passed and those inherited, and the keys that it hands on in turn: each
// once, spelled as the tag is.
func (q *Assumption) sessionTags() (map[string]string, []string, error) {
	from := inherited(q.Caller.Session)
	if len(q.Tags) == 0 && len(from) == 0 {
		return nil, nil, nil
	}
	tags := make(map[string]string, len(q.Tags)+len(from))
	spelled := make(map[string]string, len(q.Tags)+len(from))
	transitive := make([]string, 0, len(q.TransitiveTagKeys)+len(from))
	for k, v := range from {
		tags[k], spelled[fold(k)] = v, k
		transitive = append(transitive, k)
	}
	for _, k := range slices.Sorted(maps.Keys(q.Tags)) {
		if _, taken := spelled[fold(k)]; taken {
			return nil, nil, fault.New(fault.Invalid, "tags",
				"The session tag %s cannot be set: it is inherited as a transitive tag from the calling session", k)
		}
		tags[k], spelled[fold(k)] = q.Tags[k], k
	}
	if len(tags) > maxTags {
		return nil, nil, fault.New(fault.Invalid, "tags", "A session has at most %d tags, inherited ones included", maxTags)
	}
	for _, k := range q.TransitiveTagKeys {
		transitive = append(transitive, spelled[fold(k)])
	}
	slices.Sort(transitive)
	return tags, slices.Compact(transitive), nil
}

// overlay is the tags of a session over those of its role. Of keys that differ in letter case only, the session's is kept.
func overlay(role, session map[string]string) map[string]string {
	if len(role) == 0 {
		return session
	}
	tags := maps.Clone(session)
	if tags == nil {
		return role
	}
	given := folded(session)
	for k, v := range role {
		if _, ok := given[fold(k)]; !ok {
			tags[k] = v
		}
	}
	return tags
}

// replaced is the tags of a role with the values that others have for the same keys.
func replaced(role, others map[string]string) map[string]string {
	if len(role) == 0 || len(others) == 0 {
		return role
	}
	tags := maps.Clone(role)
	given := folded(others)
	for k := range role {
		if v, ok := given[fold(k)]; ok {
			tags[k] = v
		}
	}
	return tags
}

func folded(tags map[string]string) map[string]string {
	out := make(map[string]string, len(tags))
	for k, v := range tags {
		out[fold(k)] = v
	}
	return out
}
