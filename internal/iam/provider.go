package iam

import (
	"context"
	"iter"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
)

// spec: pod-identity.md 6.2
const (
	subjectProvider  = "provider"
	maxProviderURL   = 255
	maxClientIDs     = 100
	maxClientID      = 255
	maxThumbprints   = 5
	thumbprintLength = 40
	issuerScheme     = "https://"
)

// Provider is an OIDC identity provider: an issuer of tokens that an account lets its roles trust.
type Provider struct {
	Account     string            `json:"account"`
	Host        string            `json:"host"` // the issuer URL without https://, exactly as tokens spell it
	ClientIDs   []string          `json:"clientIDs,omitempty"`
	Thumbprints []string          `json:"thumbprints,omitempty"` // of certificates that vouch for the issuer's host, where no known authority does
	Tags        map[string]string `json:"tags,omitempty"`
	CreatedAt   time.Time         `json:"createdAt"`
}

// ARN names the provider.
func (p *Provider) ARN() string { return arn.OIDCProvider(p.Account, p.Host) }

// ProviderHost checks an issuer URL and takes its scheme off. Only https is allowed, without user, query and fragment.
func ProviderHost(issuer string) (string, error) {
	if issuer == "" || len(issuer) > maxProviderURL {
		return "", member(subjectProvider, "url", issuer, "have length between 1 and "+decimal(maxProviderURL))
	}
	u, err := url.Parse(issuer)
	if err != nil || !strings.HasPrefix(issuer, issuerScheme) || u.Hostname() == "" || u.User != nil ||
		strings.ContainsAny(issuer, "?# \t\r\n") {
		return "", fault.New(fault.Invalid, subjectProvider, "Invalid Open ID Connect Provider URL")
	}
	return strings.TrimPrefix(issuer, issuerScheme), nil
}

// FindProvider looks a provider up by its issuer URL without the scheme.
func (d *Directory) FindProvider(account, host string) (*Provider, bool) {
	return providers.Get(d.db.Snapshot(), store.Key{account, host})
}

// GetProvider is FindProvider by ARN that fails with fault.NotFound.
func (d *Directory) GetProvider(providerARN string) (*Provider, error) {
	if key, ok := providerKey(providerARN); ok {
		if p, ok := providers.Get(d.db.Snapshot(), key); ok {
			return p, nil
		}
	}
	return nil, noProvider(providerARN)
}

// AllProviders yields an account's providers in the order of their hosts.
func (d *Directory) AllProviders(account string) iter.Seq[*Provider] {
	return values(providers, d.db.Snapshot(), store.Key{account})
}

func providerKey(providerARN string) (store.Key, bool) {
	a, err := arn.Parse(providerARN)
	host, ok := strings.CutPrefix(a.Resource, "oidc-provider/")
	return store.Key{a.Account, host}, err == nil && ok && a.Service == "iam"
}

func noProvider(providerARN string) error {
	return fault.New(fault.NotFound, subjectProvider, "OpenIDConnect Provider not found for arn %s", providerARN)
}

// CreateProvider makes a provider. Account and Host are required; see [ProviderHost].
func (d *Directory) CreateProvider(ctx context.Context, p Provider) (*Provider, error) {
	if _, err := ProviderHost(issuerScheme + p.Host); err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	key := store.Key{p.Account, p.Host}
	held := count(providers, d.db.Snapshot(), key[:1])
	if err := d.limited(quota.ProvidersPerAccount, subjectProvider, "OpenIdConnectProvidersPerAccount", held); err != nil {
		return nil, err
	}
	p.CreatedAt = d.clock()
	err := d.db.Update(ctx, func(tx *store.Tx) error {
		if _, err := requireAccount(tx, p.Account); err != nil {
			return err
		}
		_, taken, err := providers.Read(tx, key)
		if err != nil {
			return err
		}
		if taken {
			return providerExists(p.Host)
		}
		providers.Put(tx, key, &p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &p, nil
}

// AdoptProvider is CreateProvider for a provider that is there because a cluster was connected: it gets the thumbprints and tags of
// whoever meant to make it. It must have none yet and exactly the client ids that are wanted, so that nothing is trusted afterwards
// that was not before; any other is fault.Exists.
func (d *Directory) AdoptProvider(ctx context.Context, p Provider) (*Provider, error) {
	return d.UpdateProvider(ctx, p.ARN(), func(now *Provider) error {
		has, wants := slices.Sorted(slices.Values(now.ClientIDs)), slices.Sorted(slices.Values(p.ClientIDs))
		if len(now.Thumbprints) > 0 || len(now.Tags) > 0 || !slices.Equal(has, wants) {
			return providerExists(p.Host)
		}
		now.Thumbprints, now.Tags = p.Thumbprints, p.Tags
		return nil
	})
}

func providerExists(host string) error {
	return fault.New(fault.Exists, subjectProvider, "Provider with url %s already exists.", issuerScheme+host)
}

func (p *Provider) check() error {
	if len(p.ClientIDs) > maxClientIDs {
		return fault.New(fault.Limit, subjectProvider, "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", maxClientIDs)
	}
	for _, id := range p.ClientIDs {
		if id == "" || len(id) > maxClientID {
			return member(subjectProvider, "clientIDList", id, "have length between 1 and "+decimal(maxClientID))
		}
	}
	if len(p.Thumbprints) > maxThumbprints {
		return fault.New(fault.Invalid, subjectProvider, "Thumbprint list must contain fewer than %d entries.", maxThumbprints)
	}
	for _, t := range p.Thumbprints {
		if len(t) != thumbprintLength || strings.Trim(t, "0123456789abcdefABCDEF") != "" {
			return member(subjectProvider, "thumbprintList", t, "be 40 hexadecimal digits")
		}
	}
	return checkTags(p.Tags)
}

// UpdateProvider changes a provider: f gets a private copy, and may be called again on a newer one. Account, Host and CreatedAt stay.
func (d *Directory) UpdateProvider(ctx context.Context, providerARN string, f func(*Provider) error) (*Provider, error) {
	var out *Provider
	err := d.db.Update(ctx, func(tx *store.Tx) error {
		p, key, err := readProvider(tx, providerARN)
		if err != nil {
			return err
		}
		before := *p
		if err := f(p); err != nil {
			return err
		}
		p.Account, p.Host, p.CreatedAt = before.Account, before.Host, before.CreatedAt
		if err := p.check(); err != nil {
			return err
		}
		providers.Put(tx, key, p)
		out = p
		return nil
	})
	return out, err
}

func readProvider(tx *store.Tx, providerARN string) (*Provider, store.Key, error) {
	key, ok := providerKey(providerARN)
	if !ok {
		return nil, nil, noProvider(providerARN)
	}
	p, ok, err := providers.Read(tx, key)
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		return nil, nil, noProvider(providerARN)
	}
	return p, key, nil
}

// AddClientID lets tokens for one more audience in; one that is there already stays so.
func (d *Directory) AddClientID(ctx context.Context, providerARN, clientID string) error {
	_, err := d.UpdateProvider(ctx, providerARN, func(p *Provider) error {
		if !slices.Contains(p.ClientIDs, clientID) {
			p.ClientIDs = append(p.ClientIDs, clientID)
		}
		return nil
	})
	return err
}

// RemoveClientID shuts tokens for an audience out; one that is not there is no failure.
func (d *Directory) RemoveClientID(ctx context.Context, providerARN, clientID string) error {
	_, err := d.UpdateProvider(ctx, providerARN, func(p *Provider) error {
		p.ClientIDs = slices.DeleteFunc(p.ClientIDs, func(id string) bool { return id == clientID })
		return nil
	})
	return err
}

// DeleteProvider removes a provider. Roles that trust it stay as they are and let nobody in by it.
func (d *Directory) DeleteProvider(ctx context.Context, providerARN string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		_, key, err := readProvider(tx, providerARN)
		if err != nil {
			return err
		}
		providers.Delete(tx, key)
		return nil
	})
}
