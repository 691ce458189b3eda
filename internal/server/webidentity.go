package server

import (
	"context"
	"time"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/issuer"
	"github.com/podid/podid/internal/oidc"
)

const (
	keyWait     = 2 * time.Second // for a connected cluster to publish a key that it signs with already
	maxKeyWaits = 8               // requests that wait at a time; whoever sends forged tokens can keep them
)

// providerKeys finds the key set behind a provider for AssumeRoleWithWebIdentity.
type providerKeys struct {
	clusters *cluster.Registry
	issuers  *issuer.Fetcher
	waits    chan struct{}
}

func newProviderKeys(clusters *cluster.Registry, issuers *issuer.Fetcher) *providerKeys {
	return &providerKeys{clusters: clusters, issuers: issuers, waits: make(chan struct{}, maxKeyWaits)}
}

// find is that of the one cluster of the provider's own account which reported the issuer; where there is none, the one that the issuer
// publishes itself. Keys that another account reported never count: whoever may connect a cluster somewhere could otherwise speak for
// an issuer that others trust. Where two clusters of the account share an issuer, a token does not tell which of them it is from, and
// it is refused.
func (k *providerKeys) find(ctx context.Context, p *iam.Provider, lacking *oidc.KeySet) (*oidc.KeySet, error) {
	url := "https://" + p.Host
	found := k.clusters.ByIssuer(p.Account, url)
	switch {
	case len(found) > 1:
		return nil, fault.New(fault.Unavailable, "provider",
			"The clusters %s and %s of account %s share the issuer %s: give each its own issuer to use it as an identity provider",
			found[0].Name, found[1].Name, p.Account, url)
	case len(found) == 0:
		from := issuer.Source{Account: p.Account, Issuer: url, Thumbprints: p.Thumbprints}
		if lacking != nil {
			return k.issuers.Newer(ctx, from, lacking)
		}
		return k.issuers.Keys(ctx, from)
	case found[0].Keys() == nil:
		return nil, fault.New(fault.Unavailable, "provider",
			"Couldn't retrieve verification key from your identity provider: the cluster %s of account %s, whose issuer is %s, has no keys",
			found[0].Name, p.Account, url)
	case lacking != nil && found[0].Keys() == lacking:
		return k.await(ctx, found[0], lacking), nil
	}
	return found[0].Keys(), nil
}

// await is a key set of a cluster other than lacking, once there is one, and lacking where there is none for a while or too many wait.
func (k *providerKeys) await(ctx context.Context, c *cluster.Cluster, lacking *oidc.KeySet) *oidc.KeySet {
	select {
	case k.waits <- struct{}{}:
		defer func() { <-k.waits }()
	default:
		return lacking
	}
	ctx, cancel := context.WithTimeout(ctx, keyWait)
	defer cancel()
	newer, ok := k.clusters.AwaitKeys(ctx, c.Account, c.Name, c.JWKS)
	if !ok || newer.Issuer != c.Issuer || newer.Keys() == nil {
		return lacking
	}
	return newer.Keys()
}
