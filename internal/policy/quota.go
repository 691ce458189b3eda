package policy

import "unicode/utf8"

// Quotas on documents, in characters. spec: iam-policy.md 2
const (
	ManagedQuota     = 6144  // one managed policy, by Size
	UserInlineQuota  = 2048  // all inline policies of a user together, by Size
	GroupInlineQuota = 5120  // of a group, by Size
	RoleInlineQuota  = 10240 // of a role, by Size
	TrustQuota       = 2048  // a trust policy, by Size
	SessionQuota     = 2048  // the session policies of one call together, white space counts
	SCPQuota         = 10240 // white space counts
	RCPQuota         = 5120  // white space counts
	BucketQuota      = 20480 // bytes, white space counts
)

// maxText bounds every document before it is read at all: the length that IAM's API model gives a policy document, in bytes.
const maxText = 131072

// Size is the length of a document in characters, white space outside of strings not counted.
func Size(text string) int {
	n, quoted := utf8.RuneCountInString(text), false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			n--
		}
	}
	return n
}
