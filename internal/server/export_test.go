package server

import (
	"context"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/issuer"
	"github.com/podid/podid/internal/oidc"
)

// ProviderKeys is what STS finds the keys of providers with.
func ProviderKeys(clusters *cluster.Registry, issuers *issuer.Fetcher) func(context.Context, *iam.Provider, *oidc.KeySet) (*oidc.KeySet, error) {
	return newProviderKeys(clusters, issuers).find
}
