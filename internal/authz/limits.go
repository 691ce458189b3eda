package authz

import (
	"strings"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
)

// Limits of a session. spec: iam-policy.md 2, pod-identity.md 6.5
const (
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
	if err := checkName("RoleSessionName", q.SessionName, "=,.@-_+", 64); err != nil {
		return err
	}
	if q.Duration != 0 && (q.Duration < minDuration || q.Duration > maxDuration) {
		return invalid("DurationSeconds must be between 900 and 43200, not %d", int64(q.Duration/time.Second))
	}
	if q.ExternalID != "" {
		if err := checkName("ExternalId", q.ExternalID, "=,.@:/-_+", 1224); err != nil {
			return err
		}
	}
	if q.SourceIdentity != "" {
		if strings.HasPrefix(q.SourceIdentity, "aws:") {
			return invalid("SourceIdentity must not start with aws:")
		}
		if err := checkName("SourceIdentity", q.SourceIdentity, "=,.@-_+", 64); err != nil {
			return err
		}
	}
	if len(q.PolicyARNs) > maxPolicyARNs {
		return invalid("A session has at most %d managed session policies", maxPolicyARNs)
	}
	return checkTags(q.Tags, q.TransitiveTagKeys)
}

// checkName bounds a name, which has two characters at least.
func checkName(member, value, punctuation string, longest int) error {
	const shortest = 2
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
