package iamapi

import (
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// document is a policy document as IAM answers with it: percent-encoded, with %20 for a blank, as every client decodes it.
// spec: pod-identity.md 6.6
func document(text string) *string {
	return aws.String(strings.ReplaceAll(url.QueryEscape(text), "+", "%20"))
}
