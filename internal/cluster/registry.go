// Package cluster knows clusters, what runs in them, and which role each service account may take.
//
// It owns clusters, node groups, add-ons and pod identity associations. What is wanted of a cluster and what is true of it
// are kept apart: an operator's call says what is wanted, and whoever runs the cluster reports what is true. A status is
// always computed from the two, so nothing is ACTIVE because somebody asked for it.
//
// Associations are keyed by (account, cluster, namespace, service account), so that the lookup on the path of a credential is
// one read of the in-memory picture, and exactly one of many concurrent creations wins.
//
// Failures are faults with the subjects "cluster", "node group", "add-on", "association", "tags" and "parameter".
//
// spec: pod-identity.md 1
package cluster

import (
	"crypto/rand"
	"errors"
	"io"
	"time"

	"github.com/podid/podid/internal/store"
)

// DefaultMaxAssociations is AWS's limit of associations in a cluster. spec: pod-identity.md 8
const DefaultMaxAssociations = 5000

// Config is what a Registry needs.
type Config struct {
	DB              *store.DB
	Region          string
	Now             func() time.Time
	Rand            io.Reader // default: crypto/rand
	MaxAssociations int       // in a cluster; default: DefaultMaxAssociations
}

// Registry is the register of clusters. Its methods may be called by any number of goroutines. Values that it returns are
// shared and must not be changed.
type Registry struct {
	db              *store.DB
	region          string
	now             func() time.Time
	rand            io.Reader
	maxAssociations int
}

// The tables and their keys.
var (
	clusters       = store.NewTable[Cluster]("cluster")              // account, name
	nodegroups     = store.NewTable[Nodegroup]("nodegroup")          // account, cluster, name
	addons         = store.NewTable[Addon]("addon")                  // account, cluster, name
	associations   = store.NewTable[Association]("association")      // account, cluster, namespace, service account
	associationIDs = store.NewTable[associationID]("association-id") // account, cluster, id
	requestTokens  = store.NewTable[requestToken]("request-token")   // account, token; leased
)

// Schema lists the tables of this package for store.Config.
func Schema() []store.Definition {
	return []store.Definition{clusters, nodegroups, addons, associations, associationIDs, requestTokens}
}

// New makes a Registry on a database that was opened with this package's [Schema].
func New(c Config) (*Registry, error) {
	if c.DB == nil || c.Region == "" || c.Now == nil {
		return nil, errors.New("cluster: DB, Region and Now are required")
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.MaxAssociations == 0 {
		c.MaxAssociations = DefaultMaxAssociations
	}
	return &Registry{db: c.DB, region: c.Region, now: c.Now, rand: c.Rand, maxAssociations: c.MaxAssociations}, nil
}

// Region is the one region whose clusters these are.
func (r *Registry) Region() string { return r.region }

// Revision is the position of the picture that the lookups of this moment see.
func (r *Registry) Revision() int64 { return int64(r.db.Snapshot().Revision()) }

// Changed is closed once there is a picture newer than a revision.
func (r *Registry) Changed(after int64) <-chan struct{} { return r.db.Changed(store.Revision(after)) }

// instant is now as it is stored: AWS's times have milliseconds.
func (r *Registry) instant() time.Time { return r.now().UTC().Truncate(time.Millisecond) }
