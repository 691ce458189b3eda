package policy

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// SyntaxError says why a document was refused.
type SyntaxError struct {
	// Message is AWS's text, to be sent as the message of MalformedPolicyDocument (IAM, STS) or MalformedPolicy (S3).
	Message string
	// Detail is ours: what exactly was found. It quotes the document and nothing else.
	Detail string
	// Line and Column count from one; columns are characters.
	Line, Column int
}

// Error is the message, followed by the place and the detail.
func (e *SyntaxError) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("%s (line %d, column %d)", e.Message, e.Line, e.Column)
	}
	return fmt.Sprintf("%s (line %d, column %d: %s)", e.Message, e.Line, e.Column, e.Detail)
}

// The texts with which AWS refuses a document. spec: iam-policy.md 12
const (
	textSyntax        = "Syntax errors in policy."
	textVersion       = "Policy document must be version 2012-10-17 or greater."
	textLegacy        = "The policy failed legacy parsing"
	textSid           = "Statement IDs (SID) in a single policy must be unique."
	textSidAlphabet   = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
	textNoAction      = "Policy statement must contain actions."
	textNoResource    = "Policy statement must contain resources."
	textPrincipal     = "Policy document should not specify a principal."
	textVendor        = "Resource vendor must be fully qualified and cannot contain regexes."
	textActionVendor  = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
	textActionColon   = "Actions/Condition can contain only one colon."
	textTrustResource = "Has prohibited field Resource"
	textTrustAction   = "AssumeRole policy may only specify STS AssumeRole actions."
	textBadPrincipal  = "Invalid principal in policy"

	textBucketJSON     = "Policies must be valid JSON and the first byte must be '{'"
	textBucketMissing  = "Missing required field " // + the element
	textBucketResource = "Policy has invalid resource"
	textBucketAction   = "Policy has invalid action"
	textBucketMismatch = "Action does not apply to any resource(s) in statement"
)

func syntaxAt(text string, pos int, message, detail string) *SyntaxError {
	line, column := place(text, pos)
	return &SyntaxError{Message: message, Detail: detail, Line: line, Column: column}
}

// place turns an offset into a line and a column, both from one.
func place(text string, pos int) (line, column int) {
	before := text[:min(pos, len(text))]
	line = 1 + strings.Count(before, "\n")
	return line, 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
}
