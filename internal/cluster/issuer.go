package cluster

import (
	"context"
	"strings"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

// hostedIssuer says whose key set is served under an issuer's id.
type hostedIssuer struct {
	Account string `json:"account"`
	Cluster string `json:"cluster"` // empty: the cluster is gone, and the id is kept for its account
	Issuer  string `json:"issuer"`
}

// maxIssuerIDs is how many ids an account may have had, those of clusters that are gone among them.
const maxIssuerIDs = 10_000

const issuerIDLength = 32

// issuerID is the id of an issuer of EKS's form, https://HOST/id/ID with 32 upper-case hex digits; other issuers have none.
// spec: pod-identity.md 6.1
func issuerID(issuer string) (string, bool) {
	_, id, ok := strings.Cut(issuer, "/id/")
	if !ok || len(id) != issuerIDLength {
		return "", false
	}
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'A' || c > 'F') {
			return "", false
		}
	}
	return id, true
}

// claim makes c the cluster whose keys are served under the id of its issuer. The first claim holds until that cluster goes or has
// another issuer, and afterwards for its account: nobody takes over an id by reporting it, and nobody elsewhere ever speaks for an
// issuer that others may still trust.
func (r *Registry) claim(tx *store.Tx, c *Cluster, issuer string) error {
	id, ok := issuerID(issuer)
	if !ok {
		return nil
	}
	h, taken, err := hostedIssuers.Read(tx, store.Key{id})
	if err != nil || taken && (h.Cluster != "" || h.Account != c.Account) {
		return err
	}
	if !taken {
		had := 0
		for _, h := range hostedIssuers.All(r.db.Snapshot(), nil) {
			if h.Account == c.Account {
				had++
			}
		}
		if had >= maxIssuerIDs {
			return fault.New(fault.Limit, "report", "The account has had %d issuers below /id/, which is the limit", maxIssuerIDs)
		}
	}
	hostedIssuers.Put(tx, store.Key{id}, &hostedIssuer{Account: c.Account, Cluster: c.Name, Issuer: issuer})
	return nil
}

// release gives the id of c's issuer back to its account, where c has it.
func release(tx *store.Tx, c *Cluster) {
	id, ok := issuerID(c.Issuer)
	if !ok {
		return
	}
	h, taken, err := hostedIssuers.Read(tx, store.Key{id})
	if err == nil && taken && h.Account == c.Account && h.Cluster == c.Name {
		h.Cluster = ""
		hostedIssuers.Put(tx, store.Key{id}, h)
	}
}

// Hosted finds the cluster whose issuer has an id: whose discovery document and key set are served for whoever verifies its tokens.
func (r *Registry) Hosted(id string) (*Cluster, bool) {
	s := r.db.Snapshot()
	h, ok := hostedIssuers.Get(s, store.Key{id})
	if !ok {
		return nil, false
	}
	c, ok := clusters.Get(s, store.Key{h.Account, h.Cluster})
	if !ok || c.Deleting || c.Issuer != h.Issuer || c.Keys() == nil {
		return nil, false
	}
	return c, true
}

// AwaitKeys returns a cluster once its key set is another one than jwks, and false when ctx ends before that or the cluster is gone.
func (r *Registry) AwaitKeys(ctx context.Context, account, cluster, jwks string) (*Cluster, bool) {
	for {
		s := r.db.Snapshot()
		c, ok := clusters.Get(s, store.Key{account, cluster})
		if !ok || c.JWKS != jwks {
			return c, ok
		}
		select {
		case <-r.db.Changed(s.Revision()):
		case <-ctx.Done():
			return nil, false
		}
	}
}
