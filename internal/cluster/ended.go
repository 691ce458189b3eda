package cluster

import (
	"context"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

const (
	// MaxTokenAge is how long after its issue a pod's token is good for anything, whatever its own expiry says. A kubelet replaces a
	// projected token once it is 24 hours old, however long it would live, so a running pod never needs an older one; the hour is for
	// a kubelet that reaches its API server late. decisions/0011
	MaxTokenAge = 25 * time.Hour

	// endedFor is how long an ended pod is remembered: longer than MaxTokenAge, because no token of a pod is issued after its end. The
	// hour is for clocks that differ.
	endedFor = MaxTokenAge + time.Hour

	// MaxEndedPods bounds how many ended pods one call tells: they are written in one transaction.
	MaxEndedPods = 100

	maxPodUID   = 64
	subjectPods = "ended pods"
)

// endedPod says that a pod has ended; the key says which.
type endedPod struct {
	At time.Time `json:"at"` // when it was told
}

// EndPods remembers that pods of a cluster have ended, by their UIDs: no token of theirs is accepted any more. It is remembered for as
// long as there can be such tokens. Telling it again is no write.
func (r *Registry) EndPods(ctx context.Context, account, cluster string, uids []string) error {
	if len(uids) == 0 || len(uids) > MaxEndedPods {
		return fault.New(fault.Invalid, subjectPods, "Tell 1 to %d ended pods at once, not %d", MaxEndedPods, len(uids))
	}
	for _, uid := range uids {
		if !simpleName(uid, maxPodUID) {
			return fault.New(fault.Invalid, subjectPods, "%s is not the UID of a pod: it has 1 to %d letters, digits and hyphens", quoted(uid), maxPodUID)
		}
	}
	return r.db.Update(ctx, func(tx *store.Tx) error {
		c, err := readCluster(tx, account, cluster)
		if err != nil {
			return err
		}
		var told []store.Key
		for _, uid := range uids {
			key := c.podKey(uid)
			_, known, err := endedPods.Read(tx, key)
			if err != nil {
				return err
			}
			if !known {
				told = append(told, key)
			}
		}
		// Only what is new counts, and is counted: what is known costs nothing more.
		if len(told) > 0 && full(endedPods, r.db.Snapshot(), store.Key{account, c.ID}, r.limits.EndedPods) {
			return fault.New(fault.Limit, subjectPods, "The cluster %s has told of %d pods that ended in the last %d hours, which is its limit",
				cluster, r.limits.EndedPods, int(r.endedFor.Hours()))
		}
		for _, key := range told {
			endedPods.PutTTL(tx, key, &endedPod{At: r.clock()}, r.endedFor)
		}
		return nil
	})
}

// Ended tells whether a pod of a cluster is known to have ended. It is one read from memory; a pod that another replica was told of
// is known here as soon as etcd's watch has brought it, a few milliseconds later.
func (r *Registry) Ended(c *Cluster, uid string) bool {
	_, ended := endedPods.Get(r.db.Snapshot(), c.podKey(uid))
	return ended
}

// podKey names a pod by the cluster's id, and not its name: a cluster of the same name made later knows nothing of it.
func (c *Cluster) podKey(uid string) store.Key { return store.Key{c.Account, c.ID, uid} }
