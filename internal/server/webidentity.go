package server

import (
	"context"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/oidc"
)

// webIdentityKeys finds the key set behind an issuer for AssumeRoleWithWebIdentity: that of the one cluster of the role's
// own account which reported the issuer. Keys that another account reported never count: whoever may connect a cluster
// somewhere could otherwise speak for an issuer that others trust. Where two clusters of the account share an issuer, a
// token does not tell which of them it is from, and it is refused.
func webIdentityKeys(clusters *cluster.Registry) func(context.Context, string, string) (*oidc.KeySet, error) {
	return func(_ context.Context, account, issuer string) (*oidc.KeySet, error) {
		found := clusters.ByIssuer(account, issuer)
		switch {
		case len(found) > 1:
			return nil, fault.New(fault.Unavailable, "provider",
				"The clusters %s and %s of account %s share the issuer %s: give each its own issuer to use it as an identity provider",
				found[0].Name, found[1].Name, account, issuer)
		case len(found) == 0 || found[0].Keys() == nil:
			return nil, fault.New(fault.Unavailable, "provider",
				"Couldn't retrieve verification key from your identity provider: no connected cluster of account %s has the issuer %s",
				account, issuer)
		}
		return found[0].Keys(), nil
	}
}
