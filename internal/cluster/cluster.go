package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/oidc"
	"github.com/podid/podid/internal/store"
)

// Status is where a cluster, node group or add-on is on its way. The words are EKS's.
type Status string

// The statuses that are in use.
const (
	Creating Status = "CREATING"
	Active   Status = "ACTIVE"
	Degraded Status = "DEGRADED"
	Deleting Status = "DELETING"
)

// Cluster is a cluster: what was asked for when it was created, and what was last reported of it.
type Cluster struct {
	Account   string            `json:"account"`
	Name      string            `json:"name"`
	Region    string            `json:"region"`
	ID        string            `json:"id"` // uuid, new for each creation
	RoleARN   string            `json:"roleArn"`
	Wanted    json.RawMessage   `json:"wanted,omitempty"` // the further members of CreateCluster, as they were given
	Tags      map[string]string `json:"tags,omitempty"`
	CreatedAt time.Time         `json:"createdAt"`

	Report *Report `json:"report,omitempty"` // nil: never connected

	keys *oidc.KeySet
}

// Report is what whoever runs a cluster says is true of it.
type Report struct {
	At                   time.Time        `json:"at"`
	Issuer               string           `json:"issuer"`
	JWKS                 string           `json:"jwks"`
	Endpoint             string           `json:"endpoint,omitempty"`
	CertificateAuthority string           `json:"certificateAuthority,omitempty"`
	Version              string           `json:"version,omitempty"`
	Nodes                []Node           `json:"nodes,omitempty"`
	Addons               map[string]Agent `json:"addons,omitempty"` // by name
}

// Node is a node of a cluster.
type Node struct {
	Name      string `json:"name"`
	Ready     bool   `json:"ready"`
	Nodegroup string `json:"nodegroup,omitempty"`
}

// Agent is an add-on as it runs.
type Agent struct {
	Version string `json:"version"`
	Healthy bool   `json:"healthy"`
	Message string `json:"message,omitempty"`
}

// Loaded parses the key set, once for each version of the record.
func (c *Cluster) Loaded() error {
	if c.Report == nil {
		return nil
	}
	keys, err := oidc.ParseKeySet([]byte(c.Report.JWKS))
	if err != nil {
		return err
	}
	c.keys = keys
	return nil
}

// ARN names the cluster.
func (c *Cluster) ARN() string { return arn.Cluster(c.Region, c.Account, c.Name) }

// Keys are the cluster's public keys; nil while none are published.
func (c *Cluster) Keys() *oidc.KeySet { return c.keys }

// Issuer is the issuer of the cluster's tokens; empty while it was never connected.
func (c *Cluster) Issuer() string {
	if c.Report == nil {
		return ""
	}
	return c.Report.Issuer
}

// Status is ACTIVE once the cluster is connected.
func (c *Cluster) Status() Status {
	if c.Report == nil {
		return Creating
	}
	return Active
}

func noCluster(name string) error {
	return fault.New(fault.NotFound, "cluster", "No cluster found for name: %s.", cut(name)).With("clusterName", cut(name))
}

// Find looks a cluster up.
func (r *Registry) Find(account, name string) (*Cluster, bool) {
	return clusters.Get(r.db.Snapshot(), store.Key{account, name})
}

// Get is Find that fails with fault.NotFound.
func (r *Registry) Get(account, name string) (*Cluster, error) {
	c, ok := r.Find(account, name)
	if !ok {
		return nil, noCluster(name)
	}
	return c, nil
}

// All yields an account's clusters in the order of names.
func (r *Registry) All(account string) iter.Seq[*Cluster] {
	return values(clusters, r.db.Snapshot(), store.Key{account})
}

// ByIssuer finds the clusters of an account whose tokens have an issuer. More than one makes the issuer useless as an
// identity provider, because a token does not say which of them it is from.
func (r *Registry) ByIssuer(account, issuer string) []*Cluster {
	var found []*Cluster
	for c := range r.All(account) {
		if c.Issuer() == issuer && issuer != "" {
			found = append(found, c)
		}
	}
	return found
}

// Issuers yields every connected cluster of every account whose issuer is a given one.
func (r *Registry) Issuers(issuer string) iter.Seq[*Cluster] {
	return func(yield func(*Cluster) bool) {
		for c := range values(clusters, r.db.Snapshot(), nil) {
			if c.Issuer() == issuer && !yield(c) {
				return
			}
		}
	}
}

// values drops the keys of a table's records.
func values[T any](t store.Table[T], s *store.Snapshot, prefix store.Key) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for _, v := range t.All(s, prefix) {
			if !yield(v) {
				return
			}
		}
	}
}

// Create makes a cluster. Account, Name and RoleARN are required. It is CREATING until somebody connects it.
func (r *Registry) Create(ctx context.Context, c Cluster) (*Cluster, error) {
	if err := checkName("name", c.Name, maxClusterName); err != nil {
		return nil, err
	}
	if _, err := arn.ParseRole(c.RoleARN); err != nil {
		return nil, invalid("roleArn %q is invalid: %s", cut(c.RoleARN), err).With("clusterName", c.Name)
	}
	if err := checkTags(c.Tags); err != nil {
		return nil, err
	}
	c.Region, c.ID, c.CreatedAt, c.Report = r.region, uuid.NewString(), r.instant(), nil
	err := r.db.Update(ctx, func(tx *store.Tx) error { return clusters.Create(tx, store.Key{c.Account, c.Name}, &c) })
	if errors.Is(err, fault.Exists) {
		return nil, fault.New(fault.Exists, "cluster", "Cluster already exists with name: %s", c.Name).With("clusterName", c.Name)
	}
	if err != nil {
		return nil, err
	}
	return &c, nil
}

// change updates a cluster.
func (r *Registry) change(ctx context.Context, account, name string, f func(*store.Tx, *Cluster) error) error {
	return r.db.Update(ctx, func(tx *store.Tx) error {
		c, ok, err := clusters.Read(tx, store.Key{account, name})
		if err != nil {
			return err
		}
		if !ok {
			return noCluster(name)
		}
		if err := f(tx, c); err != nil {
			return err
		}
		clusters.Put(tx, store.Key{account, name}, c)
		return nil
	})
}

// deleteBatch is how many associations one transaction removes: each is two records, and a transaction has a limit.
const deleteBatch = 50

// Delete removes a cluster and its associations. It is refused while node groups exist. Associations go first, in batches: a
// deletion that is broken off leaves the cluster, and can be repeated.
func (r *Registry) Delete(ctx context.Context, account, name string) (*Cluster, error) {
	c, err := r.Get(account, name)
	if err != nil {
		return nil, err
	}
	for more := true; more; {
		if err := r.db.Update(ctx, func(tx *store.Tx) error {
			more = false
			for range nodegroups.AllTx(tx, store.Key{account, name}) {
				return fault.New(fault.Exists, "cluster", "Cluster has nodegroups attached").With("clusterName", name)
			}
			n := 0
			for k, a := range associations.AllTx(tx, store.Key{account, name}) {
				if n++; n > deleteBatch {
					more = true
					return nil
				}
				associations.Delete(tx, k)
				associationIDs.Delete(tx, store.Key{account, name, a.ID})
			}
			for k := range addons.AllTx(tx, store.Key{account, name}) {
				addons.Delete(tx, k)
			}
			clusters.Delete(tx, store.Key{account, name})
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// PutReport replaces what is known of a cluster. An add-on or node group that is being deleted goes when the report no longer
// has it.
func (r *Registry) PutReport(ctx context.Context, account, name string, report Report) error {
	if err := checkReport(&report); err != nil {
		return err
	}
	report.At = r.instant()
	return r.change(ctx, account, name, func(tx *store.Tx, c *Cluster) error {
		c.Report = &report
		for k, a := range addons.AllTx(tx, store.Key{account, name}) {
			if _, runs := report.Addons[a.Name]; a.Deleting && !runs {
				addons.Delete(tx, k)
			}
		}
		for k, g := range nodegroups.AllTx(tx, store.Key{account, name}) {
			has := slices.ContainsFunc(report.Nodes, func(n Node) bool { return n.Nodegroup == g.Name })
			if g.Deleting && !has {
				nodegroups.Delete(tx, k)
			}
		}
		return nil
	})
}

// Bounds of a report: the largest cluster that Kubernetes supports has 5,000 nodes.
const (
	maxNodes  = 10_000
	maxAddons = 200
	maxText   = 16 << 10
)

func checkReport(r *Report) error {
	if _, err := oidc.ParseKeySet([]byte(r.JWKS)); err != nil {
		return invalid("jwks is not a key set of public keys: %s", fault.Of(err).Public).Because(err)
	}
	switch {
	case r.Issuer == "" || len(r.Issuer) > 255:
		return invalid("issuer must have 1 to 255 characters")
	case len(r.Nodes) > maxNodes:
		return invalid("a report has at most %d nodes", maxNodes)
	case len(r.Addons) > maxAddons:
		return invalid("a report has at most %d add-ons", maxAddons)
	case len(r.Endpoint) > maxText || len(r.CertificateAuthority) > maxText || len(r.Version) > 100:
		return invalid("endpoint, certificateAuthority or version is too long")
	}
	for _, n := range r.Nodes {
		if n.Name == "" || len(n.Name) > maxServiceAccount || len(n.Nodegroup) > maxServiceAccount {
			return invalid("the node %q has no fit name", cut(n.Name))
		}
	}
	for name, a := range r.Addons {
		if len(name) > maxServiceAccount || len(a.Version) > 100 || len(a.Message) > maxText {
			return invalid("the add-on %q is reported with too long a name, version or message", cut(name))
		}
	}
	return nil
}
