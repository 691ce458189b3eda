package authz

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
)

// Limits of a session. spec: iam-policy.md 2, pod-identity.md 6.5
const (
	maxTags          = 50
	maxTagKey        = 128
	maxTagValue      = 256
	maxSessionPolicy = 2048
	maxPolicyARNs    = 10
	minDuration      = 15 * time.Minute
	maxDuration      = 12 * time.Hour
)

// check validates the parameters before anything is asked of anyone.
func (q *Assumption) check() error {
	invalid := func(format string, args ...any) error { return fault.New(fault.Invalid, "parameter", format, args...) }
	if _, err := arn.ParseRole(q.RoleARN); err != nil {
		return invalid("%s is invalid: %s", quoted(q.RoleARN), err)
	}
	if err := checkName("RoleSessionName", q.SessionName, "=,.@-_+", 2, 64); err != nil {
		return err
	}
	if q.Duration != 0 && (q.Duration < minDuration || q.Duration > maxDuration) {
		return invalid("DurationSeconds must be between 900 and 43200, not %d", int64(q.Duration/time.Second))
	}
	if q.ExternalID != "" {
		if err := checkName("ExternalId", q.ExternalID, "=,.@:/-_+", 2, 1224); err != nil {
			return err
		}
	}
	if q.SourceIdentity != "" {
		if strings.HasPrefix(q.SourceIdentity, "aws:") {
			return invalid("SourceIdentity must not start with aws:")
		}
		if err := checkName("SourceIdentity", q.SourceIdentity, "=,.@-_+", 2, 64); err != nil {
			return err
		}
	}
	if len(q.PolicyARNs) > maxPolicyARNs {
		return invalid("A session has at most %d managed session policies", maxPolicyARNs)
	}
	return checkTags(q.Tags, q.TransitiveTagKeys)
}

func checkTags(tags map[string]string, transitive []string) error {
	if len(tags) > maxTags {
		return fault.New(fault.Invalid, "tags", "A session has at most %d tags", maxTags)
	}
	folded := make(map[string]bool, len(tags))
	for k, v := range tags {
		if k == "" || utf8.RuneCountInString(k) > maxTagKey || utf8.RuneCountInString(v) > maxTagValue || !tagText(k) || !tagText(v) {
			return fault.New(fault.Invalid, "tags", "The session tag %s is invalid: keys have 1 to 128 and values 0 to 256 letters, digits, "+
				"spaces and _.:/=+-@", quoted(k))
		}
		low := strings.ToLower(k)
		if strings.HasPrefix(low, "aws:") {
			return fault.New(fault.Invalid, "tags", "The session tag %s is invalid: keys that begin with aws: are reserved", quoted(k))
		}
		if folded[low] {
			return fault.New(fault.Invalid, "tags", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		folded[low] = true
	}
	for _, k := range transitive {
		if !folded[strings.ToLower(k)] {
			return fault.New(fault.Invalid, "tags", "The transitive tag key %s must be one of the session's tags", quoted(k))
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
	return true
}

func checkName(member, value, punctuation string, shortest, longest int) error {
	if len(value) < shortest || len(value) > longest {
		return fault.New(fault.Invalid, "parameter", "%s must have %d to %d characters, not %d", member, shortest, longest, len(value))
	}
	for _, r := range value {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(punctuation, r) {
			return fault.New(fault.Invalid, "parameter", "%s may have letters, digits and any of %s, not %q", member, punctuation, r)
		}
	}
	return nil
}

func quoted(s string) string {
	if len(s) > 200 {
		s = s[:200] + "..."
	}
	return "'" + s + "'"
}
