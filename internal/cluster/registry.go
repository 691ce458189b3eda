// Package cluster knows the clusters and their pod identity associations: which role a service account of which cluster has.
//
// It owns clusters, node groups, add-ons, access entries and associations at rest, the rules for them, and the lookup on the path of every
// credential: (account, cluster, namespace, service account) to association is one read from memory. Nothing here decides who may
// do what.
//
// What is wanted and what is true are kept apart. Create and delete write what is wanted; whoever runs the cluster (the operator, or
// the built-in cluster of the laptop mode) tells what is true with [Registry.PutReport], the whole truth each time. A status is never
// stored: it is computed from the two, so it cannot be out of date.
//
// An association is two records, one under what it is for and one under its id, written in one transaction: of any number of
// concurrent creates for one service account exactly one wins. Where a cluster's owner lets it, an association may be for a pattern; of
// those that match a service account the most specific counts, and two that could be equally good cannot be made.
//
// Lookups read the newest snapshot and return shared values that must not be changed. The lookups that may refuse somebody
// ([Registry.Lookup], [Registry.Get]) make sure with one linearizable read first.
//
// Failures are faults with the subjects "cluster", "registration", "registered cluster", "node group", "add-on", "update", "access entry",
// "access policy", "association", "role", "target role", "policy document", "name", "tags", "resource" (of a tag call), "report", "ended pods",
// "deletion protection" and "client request token".
//
// spec: pod-identity.md 1
package cluster

import (
	"crypto/rand"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
)

// Config is what a Registry needs; DB and Region are required.
type Config struct {
	DB     *store.DB
	Region string           // of every ARN made here
	Now    func() time.Time // nil: time.Now
	Rand   io.Reader        // where ids come from; nil: crypto/rand
	Quotas quota.Set        // zero: AWS's defaults. They are counted in the snapshot: as many things as are made at one instant may pass one
	Limits Limits           // zero members: the defaults
}

// Limits are bounds of podid's own, for which AWS has no quota.
type Limits struct {
	EndedPods int // of a cluster, that are remembered; default 100,000
}

// Registry is all clusters of all accounts. Its methods may be called by any number of goroutines.
type Registry struct {
	db     *store.DB
	region string
	now    func() time.Time
	rand   io.Reader
	quotas quota.Set
	limits Limits

	endedFor time.Duration // how long an ended pod is remembered
	views    sync.Map      // [2]string of account and cluster: *view, of those that are watched
	patterns sync.Map      // [2]string of account and cluster: *patternView, of those that have patterns
	turns    sync.Map      // [2]string of account and cluster: chan struct{}, of those in which a pattern was made here
}

// The tables. Every key begins with the account, so that one account's clusters lie together.
var (
	clusters            = store.NewTable[Cluster]("cluster")                        // account, name
	reports             = store.NewTable[Report]("cluster-report")                  // account, cluster
	nodegroups          = store.NewTable[Nodegroup]("cluster-nodegroup")            // account, cluster, name
	addons              = store.NewTable[Addon]("cluster-addon")                    // account, cluster, name
	associations        = store.NewTable[Association]("association")                // account, cluster, namespace, service account
	associationIDs      = store.NewTable[associationName]("association-id")         // account, cluster, id
	associationPatterns = store.NewTable[associationName]("association-pattern")    // account, cluster, id: those that are for patterns
	patternGuards       = store.NewTable[patternGuard]("association-pattern-guard") // account, cluster
	requests            = store.NewTable[request]("cluster-request")                // account, cluster id, operation, client request token
	endedPods           = store.NewTable[endedPod]("ended-pod")                     // account, cluster id, pod uid
	accessEntries       = store.NewTable[AccessEntry]("cluster-access-entry")       // account, cluster, principal ARN
	updates             = store.NewTable[Update]("cluster-update")                  // account, cluster, update id
	hostedIssuers       = store.NewTable[hostedIssuer]("cluster-issuer")            // the issuer's id: 32 hex digits
)

// Schema lists the tables of this package for store.Config.
func Schema() []store.Definition {
	return []store.Definition{
		clusters, reports, nodegroups, addons, associations, associationIDs, associationPatterns, patternGuards, requests,
		endedPods, accessEntries, updates, hostedIssuers,
	}
}

// New makes a Registry on a database that was opened with this package's [Schema].
func New(c Config) (*Registry, error) {
	if c.DB == nil || c.Region == "" {
		return nil, errors.New("cluster: DB and Region are required")
	}
	r := &Registry{db: c.DB, region: c.Region, now: c.Now, rand: c.Rand, quotas: c.Quotas, limits: c.Limits, endedFor: endedFor}
	if r.now == nil {
		r.now = time.Now
	}
	if r.rand == nil {
		r.rand = rand.Reader
	}
	if r.limits.EndedPods == 0 {
		r.limits.EndedPods = 100_000
	}
	return r, nil
}

// clock is the present as records carry it: UTC in milliseconds, as EKS prints times.
func (r *Registry) clock() time.Time { return r.now().UTC().Truncate(time.Millisecond) }

// full tells whether there are limit or more records under a prefix. It looks at no more than that many.
func full[T any](t store.Table[T], s *store.Snapshot, prefix store.Key, limit int) bool {
	n := 0
	for range t.All(s, prefix) {
		if n++; n >= limit {
			return true
		}
	}
	return false
}
