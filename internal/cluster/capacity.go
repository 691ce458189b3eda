package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

// Nodegroup is a group of nodes that is wanted. Its nodes are those that the cluster reports in it.
type Nodegroup struct {
	Account   string            `json:"account"`
	Cluster   string            `json:"cluster"`
	Region    string            `json:"region"`
	Name      string            `json:"name"`
	ID        string            `json:"id"` // uuid
	RoleARN   string            `json:"roleArn"`
	Wanted    json.RawMessage   `json:"wanted,omitempty"` // the further members of CreateNodegroup, as they were given
	Tags      map[string]string `json:"tags,omitempty"`
	CreatedAt time.Time         `json:"createdAt"`
	Deleting  bool              `json:"deleting,omitempty"`
}

// ARN names the node group.
func (g *Nodegroup) ARN() string { return arn.Nodegroup(g.Region, g.Account, g.Cluster, g.Name, g.ID) }

// Status is ACTIVE once the cluster reports a ready node of the group, DEGRADED while none of its nodes is ready.
func (g *Nodegroup) Status(c *Cluster) Status {
	if g.Deleting {
		return Deleting
	}
	status := Creating
	if c.Report == nil {
		return status
	}
	for _, n := range c.Report.Nodes {
		if n.Nodegroup == g.Name {
			if n.Ready {
				return Active
			}
			status = Degraded
		}
	}
	return status
}

// Addon is an add-on that is wanted.
type Addon struct {
	Account             string            `json:"account"`
	Cluster             string            `json:"cluster"`
	Region              string            `json:"region"`
	Name                string            `json:"name"`
	ID                  string            `json:"id"` // uuid
	Version             string            `json:"version"`
	RoleARN             string            `json:"serviceAccountRoleArn,omitempty"`
	ConfigurationValues string            `json:"configurationValues,omitempty"`
	Namespace           string            `json:"namespace,omitempty"`
	Tags                map[string]string `json:"tags,omitempty"`
	CreatedAt           time.Time         `json:"createdAt"`
	ModifiedAt          time.Time         `json:"modifiedAt"`
	Deleting            bool              `json:"deleting,omitempty"`
}

// ARN names the add-on.
func (a *Addon) ARN() string { return arn.Addon(a.Region, a.Account, a.Cluster, a.Name, a.ID) }

// Status is ACTIVE while the cluster reports the add-on as healthy in the wanted version; why says what is wrong.
func (a *Addon) Status(c *Cluster) (status Status, why string) {
	if a.Deleting {
		return Deleting, ""
	}
	if c.Report == nil {
		return Creating, ""
	}
	runs, ok := c.Report.Addons[a.Name]
	switch {
	case !ok, runs.Version != a.Version:
		return Creating, ""
	case !runs.Healthy:
		return Degraded, runs.Message
	}
	return Active, ""
}

func noNodegroup(cluster, name string) error {
	return fault.New(fault.NotFound, "node group", "No node group found for name: %s.", cut(name)).
		With("clusterName", cluster).With("nodegroupName", cut(name))
}

func noAddon(cluster, name string) error {
	return fault.New(fault.NotFound, "add-on", "No addon: %s found in cluster: %s", cut(name), cluster).
		With("clusterName", cluster).With("addonName", cut(name))
}

// GetNodegroup looks a node group up.
func (r *Registry) GetNodegroup(account, cluster, name string) (*Nodegroup, error) {
	g, ok := nodegroups.Get(r.db.Snapshot(), store.Key{account, cluster, name})
	if !ok {
		return nil, noNodegroup(cluster, name)
	}
	return g, nil
}

// Nodegroups yields a cluster's node groups in the order of names.
func (r *Registry) Nodegroups(account, cluster string) iter.Seq[*Nodegroup] {
	return values(nodegroups, r.db.Snapshot(), store.Key{account, cluster})
}

// GetAddon looks an add-on up.
func (r *Registry) GetAddon(account, cluster, name string) (*Addon, error) {
	a, ok := addons.Get(r.db.Snapshot(), store.Key{account, cluster, name})
	if !ok {
		return nil, noAddon(cluster, name)
	}
	return a, nil
}

// Addons yields a cluster's add-ons in the order of names.
func (r *Registry) Addons(account, cluster string) iter.Seq[*Addon] {
	return values(addons, r.db.Snapshot(), store.Key{account, cluster})
}

// CreateNodegroup makes a node group. Account, Cluster and Name are required.
func (r *Registry) CreateNodegroup(ctx context.Context, g Nodegroup) (*Nodegroup, error) {
	if err := errors.Join(checkName("nodegroupName", g.Name, maxNamespace), checkTags(g.Tags)); err != nil {
		return nil, err
	}
	g.Region, g.ID, g.CreatedAt, g.Deleting = r.region, uuid.NewString(), r.instant(), false
	err := r.inCluster(ctx, g.Account, g.Cluster, func(tx *store.Tx) error {
		return nodegroups.Create(tx, store.Key{g.Account, g.Cluster, g.Name}, &g)
	})
	if errors.Is(err, fault.Exists) {
		return nil, fault.New(fault.Exists, "node group", "NodeGroup already exists with name %s and cluster name %s", g.Name, g.Cluster).
			With("clusterName", g.Cluster).With("nodegroupName", g.Name)
	}
	if err != nil {
		return nil, err
	}
	return &g, nil
}

// CreateAddon makes an add-on. Account, Cluster, Name and Version are required.
func (r *Registry) CreateAddon(ctx context.Context, a Addon) (*Addon, error) {
	if err := errors.Join(checkName("addonName", a.Name, maxClusterName), checkTags(a.Tags)); err != nil {
		return nil, err
	}
	a.Region, a.ID, a.CreatedAt, a.Deleting = r.region, uuid.NewString(), r.instant(), false
	a.ModifiedAt = a.CreatedAt
	err := r.inCluster(ctx, a.Account, a.Cluster, func(tx *store.Tx) error {
		return addons.Create(tx, store.Key{a.Account, a.Cluster, a.Name}, &a)
	})
	if errors.Is(err, fault.Exists) {
		return nil, fault.New(fault.Exists, "add-on", "Addon already exists.").With("clusterName", a.Cluster).With("addonName", a.Name)
	}
	if err != nil {
		return nil, err
	}
	return &a, nil
}

// inCluster runs a change of something inside a cluster. The cluster is read, so that the change fails if it is deleted
// meanwhile.
func (r *Registry) inCluster(ctx context.Context, account, name string, f func(*store.Tx) error) error {
	return r.db.Update(ctx, func(tx *store.Tx) error {
		_, ok, err := clusters.Read(tx, store.Key{account, name})
		if err != nil {
			return err
		}
		if !ok {
			return noCluster(name)
		}
		return f(tx)
	})
}

// DeleteNodegroup begins the deletion of a node group. It is gone when the cluster no longer reports nodes of it; at once,
// where the cluster reports none.
func (r *Registry) DeleteNodegroup(ctx context.Context, account, cluster, name string) (*Nodegroup, error) {
	var deleted *Nodegroup
	err := r.db.Update(ctx, func(tx *store.Tx) error {
		key := store.Key{account, cluster, name}
		g, ok, err := nodegroups.Read(tx, key)
		if err != nil {
			return err
		}
		c, known, err := clusters.Read(tx, store.Key{account, cluster})
		if err != nil {
			return err
		}
		if !known {
			return noCluster(cluster)
		}
		if !ok {
			return noNodegroup(cluster, name)
		}
		status := g.Status(c)
		g.Deleting = true
		deleted = g
		if status == Creating {
			nodegroups.Delete(tx, key)
			return nil
		}
		nodegroups.Put(tx, key, g)
		return nil
	})
	return deleted, err
}

// DeleteAddon begins the deletion of an add-on. It is gone when the cluster no longer reports it; at once, where it does not.
// The add-on's own associations go with it, unless they are to be preserved.
func (r *Registry) DeleteAddon(ctx context.Context, account, cluster, name string, preserve bool) (*Addon, error) {
	var deleted *Addon
	err := r.db.Update(ctx, func(tx *store.Tx) error {
		key := store.Key{account, cluster, name}
		a, ok, err := addons.Read(tx, key)
		if err != nil {
			return err
		}
		c, known, err := clusters.Read(tx, store.Key{account, cluster})
		if err != nil {
			return err
		}
		if !known {
			return noCluster(cluster)
		}
		if !ok {
			return noAddon(cluster, name)
		}
		if !preserve {
			for k, association := range associations.AllTx(tx, store.Key{account, cluster}) {
				if association.OwnerARN == a.ARN() {
					associations.Delete(tx, k)
					associationIDs.Delete(tx, store.Key{account, cluster, association.ID})
				}
			}
		}
		a.Deleting, a.ModifiedAt = true, r.instant()
		deleted = a
		if c.Report == nil {
			addons.Delete(tx, key)
		} else if _, runs := c.Report.Addons[name]; !runs {
			addons.Delete(tx, key)
		} else {
			addons.Put(tx, key, a)
		}
		return nil
	})
	return deleted, err
}
