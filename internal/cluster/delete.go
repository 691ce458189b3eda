package cluster

import (
	"context"
	"errors"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

// deleteBatch is how many things are removed in one transaction; an association is two records, or three where it is for a pattern.
const deleteBatch = 40

// Delete removes a cluster with its add-ons, access entries and associations and returns what it was, DELETING. It refuses while there are node
// groups, and while the cluster is protected.
//
// The first transaction marks the cluster: from then on nothing can be made in it, no token of it is accepted, and nothing brings it
// back. What belongs to it goes next and the cluster last. A deletion that was cut short is taken up by the next call, or by
// [Registry.Reconcile].
func (r *Registry) Delete(ctx context.Context, account, name string) (*Cluster, error) {
	var c *Cluster
	err := r.db.Update(ctx, func(tx *store.Tx) error {
		var ok bool
		var err error
		if c, ok, err = clusters.Read(tx, store.Key{account, name}); err != nil || c != nil && c.Deleting {
			return err
		}
		if !ok {
			return noCluster(name)
		}
		if c.Protected {
			return fault.New(fault.Conflict, "deletion protection",
				"The cluster %s has deletion protection: turn it off first", name).With("clusterName", name)
		}
		for range nodegroups.AllTx(tx, c.key()) {
			return fault.New(fault.Conflict, subjectCluster, "Cluster has nodegroups attached").With("clusterName", name)
		}
		c.Deleting = true
		clusters.Put(tx, c.key(), c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c, r.finish(ctx, c)
}

// Reconcile finishes the deletions that a crash cut short.
func (r *Registry) Reconcile(ctx context.Context) error {
	var errs []error
	for c := range values(clusters, r.db.Snapshot(), nil) {
		if c.Deleting {
			errs = append(errs, r.finish(ctx, c))
		}
	}
	return errors.Join(errs...)
}

// finish removes what belongs to a marked cluster, then the cluster. Nothing is added meanwhile: whoever adds reads the mark in the
// same transaction.
func (r *Registry) finish(ctx context.Context, c *Cluster) error {
	for {
		batch := r.belongings(c)
		err := r.db.Update(ctx, func(tx *store.Tx) error {
			now, ok, err := clusters.Read(tx, c.key())
			if err != nil || !ok || now.ID != c.ID {
				return err // somebody else has finished it
			}
			for _, remove := range batch {
				remove(tx)
			}
			if len(batch) > 0 {
				return nil
			}
			for key := range addons.AllTx(tx, c.key()) {
				addons.Delete(tx, key)
			}
			reports.Delete(tx, c.key())
			patternGuards.Delete(tx, c.key())
			release(tx, c)
			clusters.Delete(tx, c.key())
			return nil
		})
		if err != nil || len(batch) == 0 {
			return err
		}
	}
}

// belongings are the next of the things of a cluster of which there may be many, each with how to remove it.
func (r *Registry) belongings(c *Cluster) []func(*store.Tx) {
	s := r.db.Snapshot()
	batch := make([]func(*store.Tx), 0, deleteBatch)
	for a := range values(associations, s, c.key()) {
		if batch = append(batch, a.remove); len(batch) == deleteBatch {
			return batch
		}
	}
	for e := range values(accessEntries, s, c.key()) {
		if batch = append(batch, func(tx *store.Tx) { accessEntries.Delete(tx, e.key()) }); len(batch) == deleteBatch {
			return batch
		}
	}
	for u := range values(updates, s, c.key()) {
		if batch = append(batch, func(tx *store.Tx) { updates.Delete(tx, append(c.key(), u.ID)) }); len(batch) == deleteBatch {
			return batch
		}
	}
	return batch
}
