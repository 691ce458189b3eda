package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/oidc"
	"github.com/podid/podid/internal/store"
)

const subjectCluster = "cluster"

// maxSettings bounds what is kept for others without being understood.
const maxSettings = 64 << 10

// Status is where something is on the way from wanted to true, in EKS's words.
type Status string

// The statuses that podid's clusters, node groups and add-ons have.
const (
	Creating Status = "CREATING"
	Active   Status = "ACTIVE"
	Updating Status = "UPDATING"
	Degraded Status = "DEGRADED"
	Deleting Status = "DELETING"
	Pending  Status = "PENDING"
)

// Cluster is a Kubernetes cluster, or the wish for one.
type Cluster struct {
	Account   string            `json:"account"`
	Region    string            `json:"region"`
	Name      string            `json:"name"`
	ID        string            `json:"id"` // 32 upper-case hex digits; another one for a cluster made again under the same name
	RoleARN   string            `json:"roleArn"`
	Settings  json.RawMessage   `json:"settings,omitempty"` // what the API keeps for its clients; nothing of it matters here
	Tags      map[string]string `json:"tags,omitempty"`
	Protected bool              `json:"protected,omitempty"` // refuse deletion
	Deleting  bool              `json:"deleting,omitempty"`  // what belongs to it is being removed
	CreatedAt time.Time         `json:"createdAt"`

	AuthenticationMode string        `json:"authenticationMode,omitempty"` // whether it has access entries; empty: CONFIG_MAP
	CreatorAdmin       *bool         `json:"creatorAdmin,omitempty"`       // whether its creator was to get an access entry; nil: not asked, and none
	Registration       *Registration `json:"registration,omitempty"`       // nil: it was not registered but created

	Creator string `json:"-"` // to [Registry.Create]: who gets an access entry; empty: nobody

	// What the cluster itself reported, empty before it was connected.
	Issuer               string `json:"issuer,omitempty"`
	JWKS                 string `json:"jwks,omitempty"`
	Endpoint             string `json:"endpoint,omitempty"`
	CertificateAuthority string `json:"certificateAuthority,omitempty"` // base64 of PEM
	Version              string `json:"version,omitempty"`              // Kubernetes, "1.36"

	keys *oidc.KeySet
}

// Loaded parses the key set. One that this program cannot read is like none: no token of the cluster is accepted.
func (c *Cluster) Loaded() error {
	c.keys = nil
	if c.JWKS == "" {
		return nil
	}
	if keys, err := oidc.ParseKeySet([]byte(c.JWKS)); err == nil {
		c.keys = keys
	}
	return nil
}

// ARN names the cluster.
func (c *Cluster) ARN() string { return arn.Cluster(c.Region, c.Account, c.Name) }

// Keys is the key set that the cluster's tokens are signed with; nil: none was published yet.
func (c *Cluster) Keys() *oidc.KeySet { return c.keys }

// Mode is the authentication mode; unless another one was asked for it is CONFIG_MAP, as EKS's API has it.
func (c *Cluster) Mode() string { return cmp.Or(c.AuthenticationMode, ModeConfig) }

// Status is CREATING, or of a registered cluster PENDING, until the cluster was connected.
func (c *Cluster) Status() Status {
	switch {
	case c.Deleting:
		return Deleting
	case c.connected():
		return Active
	case c.Registration != nil:
		return Pending
	}
	return Creating
}

func (c *Cluster) connected() bool { return c.Issuer != "" && c.JWKS != "" }

// key is the prefix of everything that belongs to the cluster, and the cluster's own key.
func (c *Cluster) key() store.Key { return store.Key{c.Account, c.Name} }

// Find looks a cluster up.
func (r *Registry) Find(account, name string) (*Cluster, bool) {
	return clusters.Get(r.db.Snapshot(), store.Key{account, name})
}

// Get is Find that makes sure before it fails with fault.NotFound: the cluster may have been created on another replica just now.
func (r *Registry) Get(ctx context.Context, account, name string) (*Cluster, error) {
	if c, ok := r.Find(account, name); ok {
		return c, nil
	}
	if CheckName(name) != nil {
		return nil, noCluster(name)
	}
	c, ok, err := clusters.Fresh(ctx, r.db, store.Key{account, name})
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, noCluster(name)
	}
	return c, nil
}

// Sync returns once this replica knows every report and association that was acknowledged before the call.
func (r *Registry) Sync(ctx context.Context) error { return r.db.Sync(ctx) }

// All yields an account's clusters in the order of names.
func (r *Registry) All(account string) iter.Seq[*Cluster] {
	return values(clusters, r.db.Snapshot(), store.Key{account})
}

// ByIssuer lists the connected clusters of an account that have an issuer. Of more than one, nothing tells which of them a token
// is from: whoever has only a token must refuse it then.
func (r *Registry) ByIssuer(account, issuer string) []*Cluster {
	var found []*Cluster
	for c := range r.All(account) {
		if issuer != "" && c.Issuer == issuer && !c.Deleting {
			found = append(found, c)
		}
	}
	return found
}

func noCluster(name string) error {
	return fault.New(fault.NotFound, subjectCluster, "No cluster found for name: %s.", quotedName(name)).With("clusterName", quotedName(name))
}

// quotedName is a name as texts and members carry it: as it is, unless it is no name at all.
func quotedName(name string) string {
	if simpleName(name, maxClusterName) {
		return name
	}
	return quoted(name)
}

// readCluster reads a cluster that something is to be made in or changed.
func readCluster(tx *store.Tx, account, name string) (*Cluster, error) {
	c, ok, err := clusters.Read(tx, store.Key{account, name})
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, noCluster(name)
	}
	if c.Deleting {
		return nil, fault.New(fault.Conflict, "deleting cluster", "The cluster %s is being deleted", name).With("clusterName", name)
	}
	return c, nil
}

// Create makes a cluster, or rather the wish for one: it is CREATING until somebody connects it. Account, Name, RoleARN, Settings,
// Tags, Protected, AuthenticationMode, CreatorAdmin and Creator are taken from c. Token is the client request token, or empty.
func (r *Registry) Create(ctx context.Context, c Cluster, token string) (*Cluster, error) {
	c.Registration = nil
	params := []any{c.Name, c.RoleARN, c.Settings, c.Tags, c.Protected, c.AuthenticationMode, c.CreatorAdmin}
	return r.make(ctx, "CreateCluster", c, params, token)
}

// make makes a cluster that was created or registered. Params is what was asked, to recognise the same request.
func (r *Registry) make(ctx context.Context, operation string, c Cluster, params any, token string) (*Cluster, error) {
	if err := CheckName(c.Name); err != nil {
		return nil, err
	}
	if err := checkClusterTags(c.Tags); err != nil {
		return nil, err
	}
	if err := checkSettings(c.Settings); err != nil {
		return nil, err
	}
	id, err := r.newHex()
	if err != nil {
		return nil, err
	}
	made := &Cluster{
		Account: c.Account, Region: r.region, Name: c.Name, ID: id, RoleARN: c.RoleARN, Settings: c.Settings, Tags: c.Tags,
		Protected: c.Protected, CreatedAt: r.clock(), AuthenticationMode: c.AuthenticationMode, CreatorAdmin: c.CreatorAdmin,
		Registration: c.Registration,
	}
	entry, err := r.creatorEntry(&c)
	if err != nil {
		return nil, err
	}
	var out *Cluster
	err = r.db.Update(ctx, func(tx *store.Tx) error {
		out = made
		before, err := once(tx, onceKey{c.Account, "", operation, token}, params, id)
		if err != nil {
			return err
		}
		if before != "" {
			out, err = again(tx, clusters, made.key(), before, func(old *Cluster) string { return old.ID }, "the cluster "+c.Name)
			return err
		}
		_, exists, err := clusters.Read(tx, made.key())
		if err != nil {
			return err
		}
		if exists {
			return fault.New(fault.Exists, subjectCluster, "Cluster already exists with name: %s", c.Name).With("clusterName", c.Name)
		}
		if err := r.fullOf(made); err != nil {
			return err
		}
		clusters.Put(tx, made.key(), made)
		if entry != nil {
			accessEntries.Put(tx, entry.key(), entry)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func checkSettings(settings json.RawMessage) error {
	if len(settings) > maxSettings {
		return fault.New(fault.Invalid, subjectCluster, "The settings of the cluster have more than %d bytes", maxSettings)
	}
	return nil
}

// values iterates over the records of a table under a prefix.
func values[T any](t store.Table[T], s *store.Snapshot, prefix store.Key) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for _, v := range t.All(s, prefix) {
			if !yield(v) {
				return
			}
		}
	}
}
