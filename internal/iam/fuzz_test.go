package iam_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/iam"
)

// FuzzProviderHost holds that what is accepted is an https URL with a host and nothing but a path, and that it comes back whole.
func FuzzProviderHost(f *testing.F) {
	for _, seed := range []string{
		"https://oidc.eks.eu-central-1.amazonaws.com/id/ABC", "https://h", "http://h", "https://u:p@h/", "https://h/?q", "https://h#f",
		"https://[::1]:8443/x", "https://h:99999", "https:///x", "https://h/%zz", "https://h\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, issuer string) {
		host, err := iam.ProviderHost(issuer)
		if err != nil {
			return
		}
		u, err := url.Parse(issuer)
		if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			t.Fatalf("accepted %q", issuer)
		}
		if "https://"+host != issuer || strings.ContainsAny(host, " \t\r\n") {
			t.Fatalf("%q became %q", issuer, host)
		}
		if a, err := arn.Parse(arn.OIDCProvider("111122223333", host)); err != nil || a.Resource != "oidc-provider/"+host {
			t.Fatalf("the ARN of %q does not lead back: %v", issuer, err)
		}
	})
}
