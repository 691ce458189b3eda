package cluster

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

const (
	subjectUpdate = "update"

	// maxClusterUpdates bounds the updates of a cluster and its node groups that are remembered, the newest of them.
	maxClusterUpdates = 50
)

// Update is a change of what is wanted of a cluster or of one of its node groups. It is Successful when it exists: nothing but what is
// told of the cluster changed, and that in the same transaction. Those of add-ons, which take time, are [AddonUpdate]s.
type Update struct {
	ID        string        `json:"id"` // a UUID
	Nodegroup string        `json:"nodegroup,omitempty"`
	Type      string        `json:"type"` // EKS's word for what changed
	Params    []UpdateParam `json:"params,omitempty"`
	CreatedAt time.Time     `json:"createdAt"`
}

// Updates lists the updates of a cluster itself, or of one of its node groups, in the order of ids.
func (r *Registry) Updates(account, cluster, nodegroup string) []*Update {
	var list []*Update
	for u := range values(updates, r.db.Snapshot(), store.Key{account, cluster}) {
		if u.Nodegroup == nodegroup {
			list = append(list, u)
		}
	}
	return list
}

// Update finds an update of a cluster itself, or of one of its node groups.
func (r *Registry) Update(account, cluster, nodegroup, id string) (*Update, error) {
	if u, ok := updates.Get(r.db.Snapshot(), store.Key{account, cluster, id}); ok && u.Nodegroup == nodegroup {
		return u, nil
	}
	return nil, noUpdate(cluster, id)
}

func noUpdate(cluster, id string) error {
	return fault.New(fault.NotFound, subjectUpdate, "No update found for ID: %s", quotedName(id)).With("clusterName", quotedName(cluster))
}

// remember writes an update down and forgets the oldest ones.
func (u *Update) remember(tx *store.Tx, c *Cluster) {
	var all []*Update
	for _, old := range updates.AllTx(tx, c.key()) {
		all = append(all, old)
	}
	slices.SortFunc(all, func(a, b *Update) int {
		if n := a.CreatedAt.Compare(b.CreatedAt); n != 0 {
			return n
		}
		return strings.Compare(a.ID, b.ID)
	})
	for _, old := range all[:max(0, len(all)+1-maxClusterUpdates)] {
		updates.Delete(tx, append(c.key(), old.ID))
	}
	updates.Put(tx, append(c.key(), u.ID), u)
}

// Change is a request to change a cluster or a node group.
type Change struct {
	Operation string // whose client request token it has
	Token     string // empty: none
	Request   any    // what was asked, to recognise the same request; it goes through JSON

	Type   string // of the update
	Params []UpdateParam
}

// update carries a change out: apply changes what is wanted and writes it. A request that was carried out before is answered with its
// update.
func (r *Registry) update(ctx context.Context, account, cluster, nodegroup string, change Change, apply func(*store.Tx, *Cluster) error) (*Update, error) {
	id, err := r.newUUID()
	if err != nil {
		return nil, err
	}
	var out *Update
	err = r.db.Update(ctx, func(tx *store.Tx) error {
		c, err := readCluster(tx, account, cluster)
		if err != nil {
			return err
		}
		before, err := once(tx, onceKey{account, c.ID, change.Operation, change.Token}, []any{nodegroup, change.Request}, id)
		if err != nil {
			return err
		}
		if before != "" {
			var ok bool
			if out, ok, err = updates.Read(tx, append(c.key(), before)); err == nil && !ok {
				err = noUpdate(cluster, before)
			}
			return err
		}
		out = &Update{ID: id, Nodegroup: nodegroup, Type: change.Type, Params: change.Params, CreatedAt: r.clock()}
		if err := apply(tx, c); err != nil {
			return err
		}
		out.remember(tx, c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// UpdateCluster changes what is wanted of a cluster: f gets a private copy and may be called again on a newer one. What it may change
// is Settings, AuthenticationMode and Protected; the rest stays. A registered cluster is not changed.
func (r *Registry) UpdateCluster(ctx context.Context, account, name string, change Change, f func(*Cluster) error) (*Update, error) {
	return r.update(ctx, account, name, "", change, func(tx *store.Tx, c *Cluster) error {
		if c.Registration != nil {
			return fault.New(fault.Conflict, "registered cluster", "The cluster %s was registered: it is configured where it runs", name).With("clusterName", name)
		}
		changed := *c
		if err := f(&changed); err != nil {
			return err
		}
		if err := checkSettings(changed.Settings); err != nil {
			return err
		}
		c.Settings, c.AuthenticationMode, c.Protected = changed.Settings, changed.AuthenticationMode, changed.Protected
		clusters.Put(tx, c.key(), c)
		return nil
	})
}

// UpdateNodegroup changes what is wanted of a node group that somebody created: f gets a private copy and may be called again on a
// newer one. What it may change is Settings; the rest stays.
func (r *Registry) UpdateNodegroup(ctx context.Context, account, cluster, name string, change Change, f func(*Nodegroup) error) (*Update, error) {
	return r.update(ctx, account, cluster, name, change, func(tx *store.Tx, c *Cluster) error {
		n, ok, err := nodegroups.Read(tx, append(c.key(), name))
		switch {
		case err != nil:
			return err
		case !ok:
			return r.notCreated(account, cluster, name)
		case n.Deleting:
			return fault.New(fault.Conflict, subjectNodegroup, "The node group %s is being deleted", name).
				With("clusterName", cluster).With("nodegroupName", name)
		}
		changed := *n
		if err := f(&changed); err != nil {
			return err
		}
		if len(changed.Settings) > maxSettings {
			return fault.New(fault.Invalid, subjectNodegroup, "The settings of the node group have more than %d bytes", maxSettings)
		}
		n.Settings, n.ModifiedAt = changed.Settings, r.clock()
		nodegroups.Put(tx, n.key(), n)
		return nil
	})
}
