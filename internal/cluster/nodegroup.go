package cluster

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

const subjectNodegroup = "node group"

// Nodegroup is a named set of nodes. Podid makes no nodes: the group is what the cluster reports of it.
type Nodegroup struct {
	Account    string            `json:"account"`
	Region     string            `json:"region"`
	Cluster    string            `json:"cluster"`
	Name       string            `json:"name"`
	UUID       string            `json:"uuid"`
	NodeRole   string            `json:"nodeRole"`
	Settings   json.RawMessage   `json:"settings,omitempty"` // what the API keeps for its clients; nothing of it matters here
	Tags       map[string]string `json:"tags,omitempty"`
	Deleting   bool              `json:"deleting,omitempty"`
	WasActive  bool              `json:"wasActive,omitempty"` // it was ACTIVE once
	CreatedAt  time.Time         `json:"createdAt"`
	ModifiedAt time.Time         `json:"modifiedAt"`
}

// ARN names the node group.
func (n *Nodegroup) ARN() string {
	return arn.Nodegroup(n.Region, n.Account, n.Cluster, n.Name, n.UUID)
}

func (n *Nodegroup) key() store.Key { return store.Key{n.Account, n.Cluster, n.Name} }

// Status is ACTIVE while a node of the group is ready.
func (n *Nodegroup) Status(report *Report) Status {
	if n.Deleting {
		return Deleting
	}
	for _, node := range report.Nodes {
		if node.Nodegroup == n.Name && node.Ready {
			return Active
		}
	}
	if n.WasActive {
		return Degraded
	}
	return Creating
}

// Unready lists the group's nodes that are not ready.
func (n *Nodegroup) Unready(report *Report) []string {
	var names []string
	for _, node := range report.Nodes {
		if node.Nodegroup == n.Name && !node.Ready {
			names = append(names, node.Name)
		}
	}
	return names
}

// Nodegroup looks a node group up.
func (r *Registry) Nodegroup(account, cluster, name string) (*Nodegroup, error) {
	if n, ok := nodegroups.Get(r.db.Snapshot(), store.Key{account, cluster, name}); ok {
		return n, nil
	}
	return nil, noNodegroup(cluster, name)
}

// Nodegroups yields the node groups of a cluster in the order of names.
func (r *Registry) Nodegroups(account, cluster string) iter.Seq[*Nodegroup] {
	return values(nodegroups, r.db.Snapshot(), store.Key{account, cluster})
}

func noNodegroup(cluster, name string) error {
	return fault.New(fault.NotFound, subjectNodegroup, "No node group found for name: %s.", quotedName(name)).
		With("clusterName", quotedName(cluster)).With("nodegroupName", quotedName(name))
}

// CreateNodegroup makes a node group: Account, Cluster, Name, NodeRole, Settings and Tags are taken from n. It is CREATING until the
// cluster reports a ready node of it.
func (r *Registry) CreateNodegroup(ctx context.Context, n Nodegroup, token string) (*Nodegroup, error) {
	if !simpleName(n.Name, maxNodegroupName) {
		return nil, invalidName("The node group name %s is not valid: it has 1 to %d letters, digits, hyphens and underscores, "+
			"the first of them a letter or a digit", quoted(n.Name), maxNodegroupName)
	}
	if err := checkTags(n.Tags); err != nil {
		return nil, err
	}
	if len(n.Settings) > maxSettings {
		return nil, fault.New(fault.Invalid, subjectNodegroup, "The settings of the node group have more than %d bytes", maxSettings)
	}
	uuid, err := r.newUUID()
	if err != nil {
		return nil, err
	}
	params := []any{n.Name, n.NodeRole, n.Settings, n.Tags}
	n.Region, n.UUID, n.CreatedAt = r.region, uuid, r.clock()
	n.ModifiedAt, n.Deleting, n.WasActive = n.CreatedAt, false, false
	var out *Nodegroup
	err = r.db.Update(ctx, func(tx *store.Tx) error {
		out = &n
		c, err := readCluster(tx, n.Account, n.Cluster)
		if err != nil {
			return err
		}
		before, err := once(tx, onceKey{n.Account, c.ID, "CreateNodegroup", token}, params, uuid)
		if err != nil {
			return err
		}
		if before != "" {
			out, err = again(tx, nodegroups, n.key(), before, func(old *Nodegroup) string { return old.UUID }, "the node group "+n.Name)
			return err
		}
		_, exists, err := nodegroups.Read(tx, n.key())
		switch {
		case err != nil:
			return err
		case exists:
			return fault.New(fault.Exists, subjectNodegroup, "NodeGroup already exists with name %s and cluster name %s", n.Name, n.Cluster).
				With("clusterName", n.Cluster).With("nodegroupName", n.Name)
		case full(nodegroups, r.db.Snapshot(), store.Key{n.Account, n.Cluster}, r.limits.Nodegroups):
			return fault.New(fault.Limit, subjectNodegroup, "The cluster %s has reached its limit of %d node groups",
				n.Cluster, r.limits.Nodegroups).With("clusterName", n.Cluster)
		}
		nodegroups.Put(tx, n.key(), &n)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DeleteNodegroup wants a node group gone, and returns it as DELETING: at once in a cluster that was never connected, otherwise when
// the cluster no longer reports nodes of it.
func (r *Registry) DeleteNodegroup(ctx context.Context, account, cluster, name string) (*Nodegroup, error) {
	var out *Nodegroup
	err := r.db.Update(ctx, func(tx *store.Tx) error {
		c, ok, err := clusters.Read(tx, store.Key{account, cluster})
		if err != nil {
			return err
		}
		if !ok {
			return noCluster(cluster)
		}
		n, ok, err := nodegroups.Read(tx, store.Key{account, cluster, name})
		if err != nil {
			return err
		}
		if !ok { // a cluster that is being deleted has none left
			return noNodegroup(cluster, name)
		}
		out = n
		if !c.connected() {
			nodegroups.Delete(tx, n.key())
		} else if !n.Deleting {
			n.ModifiedAt = r.clock()
			n.Deleting = true
			nodegroups.Put(tx, n.key(), n)
		}
		n.Deleting = true
		return nil
	})
	return out, err
}
