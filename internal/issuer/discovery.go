package issuer

import (
	"errors"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4/json" // case-sensitive and strict about duplicates, which encoding/json is not
)

const scheme = "https"

// wellKnown is the address of an issuer's discovery document.
func wellKnown(issuer string) string {
	return strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
}

// checkURL holds a URL to what may be fetched: https, a host, and nobody's credentials.
func checkURL(u *url.URL) error {
	switch {
	case u.Scheme != scheme:
		return errors.New("a URL is not https")
	case u.Hostname() == "" || u.Opaque != "":
		return errors.New("a URL has no host")
	case u.User != nil:
		return errors.New("a URL has a user")
	}
	return nil
}

// parseDiscovery reads where an issuer's key set is. Other members of the document are not for us.
func parseDiscovery(issuer string, text []byte) (jwksURI string, err error) {
	var d struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return "", errors.New("the discovery document is not the JSON object that it should be")
	}
	if d.Issuer != issuer {
		return "", errors.New("the discovery document is of another issuer")
	}
	u, err := url.Parse(d.JWKSURI)
	if err != nil {
		return "", errors.New("the discovery document's jwks_uri is not a URL")
	}
	if err := checkURL(u); err != nil {
		return "", errors.New("the discovery document's jwks_uri is not an https URL")
	}
	return d.JWKSURI, nil
}
