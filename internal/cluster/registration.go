package cluster

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/quota"
)

const (
	subjectRegistration = "registration"

	// activationLifetime is how long AWS's activation codes are good for.
	activationLifetime   = 3 * 24 * time.Hour
	activationCodeLength = 20
)

// Registration is what RegisterCluster announced of a cluster that runs elsewhere already. The activation is for a connector, which
// podid has none of: like every cluster, a registered one is connected by its first report.
type Registration struct {
	Provider         string    `json:"provider"`
	RoleARN          string    `json:"roleArn"`
	ActivationID     string    `json:"activationId"`
	ActivationCode   string    `json:"activationCode"` // opens nothing
	ActivationExpiry time.Time `json:"activationExpiry"`
}

// Register announces a cluster: it is PENDING until somebody connects it. Account, Name, Tags, and of Registration provider and role,
// are taken from c.
func (r *Registry) Register(ctx context.Context, c Cluster, token string) (*Cluster, error) {
	id, err := r.newUUID()
	if err != nil {
		return nil, err
	}
	code, err := r.newActivationCode()
	if err != nil {
		return nil, err
	}
	asked := *c.Registration
	c.Registration = &Registration{
		Provider: asked.Provider, RoleARN: asked.RoleARN,
		ActivationID: id, ActivationCode: code, ActivationExpiry: r.clock().Add(activationLifetime),
	}
	return r.make(ctx, "RegisterCluster", c, []any{c.Name, asked.Provider, asked.RoleARN, c.Tags}, token)
}

// newActivationCode draws 20 of 36 characters.
func (r *Registry) newActivationCode() (string, error) {
	var random [activationCodeLength]byte
	if _, err := io.ReadFull(r.rand, random[:]); err != nil {
		return "", fault.Of(err)
	}
	for i, b := range random {
		random[i] = idAlphabet[int(b)%len(idAlphabet)]
	}
	return string(random[:]), nil
}

// Deregister is [Registry.Delete] of a cluster that was registered, and of no other.
func (r *Registry) Deregister(ctx context.Context, account, name string) (*Cluster, error) {
	c, err := r.Get(ctx, account, name)
	if err != nil {
		return nil, err
	}
	if c.Registration == nil {
		return nil, fault.New(fault.Conflict, subjectRegistration, "The cluster %s was created and not registered: delete it with DeleteCluster", name).
			With("clusterName", name)
	}
	return r.Delete(ctx, account, name)
}

// fullOf holds the quota that counts c: registered clusters have one of their own.
func (r *Registry) fullOf(c *Cluster) error {
	name, what := quota.ClustersPerAccount, "clusters"
	if c.Registration != nil {
		name, what = quota.RegisteredClusters, "registered clusters"
	}
	n := 0
	for old := range r.All(c.Account) {
		if (old.Registration != nil) == (c.Registration != nil) {
			n++
		}
	}
	if limit := r.quotas.Of(name); n >= limit {
		return fault.New(fault.Limit, subjectCluster, "The account has reached its limit of %d %s", limit, what).With("clusterName", c.Name)
	}
	return nil
}

// Versions are the Kubernetes versions that an account's clusters report, each once, in no order.
func (r *Registry) Versions(account string) []string {
	var versions []string
	for c := range r.All(account) {
		if c.Version != "" && !slices.Contains(versions, c.Version) {
			versions = append(versions, c.Version)
		}
	}
	return versions
}
