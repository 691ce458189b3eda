package cluster

import (
	"context"
	"errors"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

// deleteBatch is how many associations are removed in one transaction, each of them two records.
const deleteBatch = 50

// Delete removes a cluster with its add-ons and associations and returns what it was, DELETING. It refuses while there are node
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
		batch := make([]*Association, 0, deleteBatch)
		for a := range values(associations, r.db.Snapshot(), c.key()) {
			if batch = append(batch, a); len(batch) == deleteBatch {
				break
			}
		}
		err := r.db.Update(ctx, func(tx *store.Tx) error {
			now, ok, err := clusters.Read(tx, c.key())
			if err != nil || !ok || now.ID != c.ID {
				return err // somebody else has finished it
			}
			for _, a := range batch {
				a.remove(tx)
			}
			if len(batch) > 0 {
				return nil
			}
			for key := range addons.AllTx(tx, c.key()) {
				addons.Delete(tx, key)
			}
			reports.Delete(tx, c.key())
			release(tx, c)
			clusters.Delete(tx, c.key())
			return nil
		})
		if err != nil || len(batch) == 0 {
			return err
		}
	}
}
