package issuer_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/issuer"
)

func TestCertificates(t *testing.T) {
	t.Parallel()
	known, own, third := newAuthority(t), newAuthority(t), newAuthority(t)
	top := thumbprint(own.certificate.Raw)
	alone := (*authority)(nil).issue(t, time.Hour, "127.0.0.1")
	leafOfOwn := own.issue(t, time.Hour, "127.0.0.1")
	// A stranger's chain with the authority's certificate on top of it: what somebody in between can present.
	forged := third.issue(t, time.Hour, "127.0.0.1")
	forged.Certificate = append(forged.Certificate, own.certificate.Raw)
	forgedAlone := third.issue(t, time.Hour, "127.0.0.1")
	forgedAlone.Certificate = [][]byte{forgedAlone.Certificate[0], own.certificate.Raw}
	unordered := own.issue(t, time.Hour, "127.0.0.1")
	unordered.Certificate = append(unordered.Certificate, third.certificate.Raw)
	const text = "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
	tests := []struct {
		name        string
		certificate tls.Certificate
		thumbprints []string
		want        string // how the refusal begins; empty: none
	}{
		{"trusted", known.issue(t, time.Hour, "127.0.0.1"), nil, ""},
		{"trusted, another thumbprint", known.issue(t, time.Hour, "127.0.0.1"), []string{top}, ""},
		{"trusted, another host", known.issue(t, time.Hour, "127.0.0.2", "idp.example"), nil, noKey},
		{"trusted, out of date", known.issue(t, -time.Hour, "127.0.0.1"), nil, noKey},
		{"not trusted", leafOfOwn, nil, noKey},
		{"not trusted, another thumbprint", leafOfOwn, []string{thumbprint(third.certificate.Raw)}, text},
		{"thumbprint", leafOfOwn, []string{top}, ""},
		{"thumbprint in upper case, among others", leafOfOwn, []string{strings.Repeat("0", 40), strings.ToUpper(top)}, ""},
		{"thumbprint of the leaf and not of the top", leafOfOwn, []string{thumbprint(leafOfOwn.Certificate[0])}, text},
		{"thumbprint, another host", own.issue(t, time.Hour, "127.0.0.2", "idp.example"), []string{top}, text},
		{"thumbprint, out of date", own.issue(t, -time.Hour, "127.0.0.1"), []string{top}, text},
		{"thumbprint of a certificate that did not sign", forged, []string{top}, text},
		{"thumbprint of a certificate that did not sign, next to the leaf", forgedAlone, []string{top}, text},
		{"thumbprint not of the top", unordered, []string{top}, text},
		{"certificate that signed itself", alone, []string{thumbprint(alone.Certificate[0])}, ""},
		{"certificate that signed itself, another thumbprint", alone, []string{top}, text},
		{"no thumbprint at all", leafOfOwn, []string{"", "zz"}, text},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSiteWith(t, "127.0.0.1", test.certificate)
			_, err := issuer.New(config(known)).Keys(t.Context(), s.source(test.thumbprints...))
			if test.want == "" {
				must(t, err)
			} else if got := refused(t, err, fault.NotFound); !strings.HasPrefix(got, test.want) {
				t.Errorf("refused with %q, want %q", got, test.want)
			}
			if n := s.fetches.Load(); (n == 1) != (test.want == "") {
				t.Errorf("the site was asked %d times", n)
			}
		})
	}
}

// TestThumbprintsVouchForNobodyElse holds that what was fetched because one account trusts a certificate is of no use to another.
func TestThumbprintsVouchForNobodyElse(t *testing.T) {
	t.Parallel()
	known, own := newAuthority(t), newAuthority(t)
	s := newSite(t, own)
	f := issuer.New(config(known))
	trusting := s.source(thumbprint(own.certificate.Raw))
	keys, err := f.Keys(t.Context(), trusting)
	must(t, err)
	for _, thumbprints := range [][]string{nil, {thumbprint(known.certificate.Raw)}} {
		other := s.source(thumbprints...)
		other.Account = "444455556666"
		_, err = f.Keys(t.Context(), other)
		refused(t, err, fault.NotFound)
		if newer, err := f.Newer(t.Context(), other, nil); newer != nil || err != nil {
			t.Errorf("got %v, %v", newer, err)
		}
	}
	again, err := f.Keys(t.Context(), trusting)
	must(t, err)
	if again != keys {
		t.Error("the keys were fetched again")
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := newSite(t, a)
	s.TLS.MaxVersion = tls.VersionTLS11
	_, err := issuer.New(config(a)).Keys(t.Context(), s.source())
	refused(t, err, fault.NotFound)
}
