package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
)

const subjectNodegroup = "node group"

// Nodegroup is a named set of nodes. Podid makes no nodes: the group is what the cluster reports of it. It exists because somebody
// created it, or by observation: for as long as nodes of it are reported.
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

	Observed bool `json:"-"` // nobody created it
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

// Nodes lists the group's nodes.
func (n *Nodegroup) Nodes(report *Report) []ReportedNode {
	var nodes []ReportedNode
	for _, node := range report.Nodes {
		if node.Nodegroup == n.Name {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// Nodegroup looks a node group up: one that was created, or that is observed.
func (r *Registry) Nodegroup(account, cluster, name string) (*Nodegroup, error) {
	s, key := r.db.Snapshot(), store.Key{account, cluster, name}
	if n, ok := nodegroups.Get(s, key); ok {
		return n, nil
	}
	if report, ok := reports.Get(s, key[:2]); ok && report.has(name) {
		if c, ok := clusters.Get(s, key[:2]); ok {
			return c.observed(name, report), nil
		}
	}
	return nil, noNodegroup(cluster, name)
}

// Nodegroups lists the node groups of a cluster in the order of names, created and observed.
func (r *Registry) Nodegroups(account, cluster string) []*Nodegroup {
	s, key := r.db.Snapshot(), store.Key{account, cluster}
	list := slices.Collect(values(nodegroups, s, key))
	c, ok := clusters.Get(s, key)
	if !ok {
		return list
	}
	if report, ok := reports.Get(s, key); ok {
		for name := range report.Since {
			if _, created := nodegroups.Get(s, store.Key{account, cluster, name}); !created && report.has(name) {
				list = append(list, c.observed(name, report))
			}
		}
	}
	slices.SortFunc(list, func(a, b *Nodegroup) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// has tells whether the report is of nodes of a group whose name others can ask for: what is no value of a label, is none.
func (p *Report) has(group string) bool {
	_, reported := p.Since[group]
	return reported && simpleName(strings.ReplaceAll(group, ".", "_"), maxNodegroupName)
}

// observed makes a node group of what is reported of it. Its UUID, which is a part of its ARN, follows from the cluster's id and
// its name.
func (c *Cluster) observed(name string, report *Report) *Nodegroup {
	sum := sha256.Sum256([]byte("nodegroup\x00" + c.ID + "\x00" + name))
	since := report.Since[name]
	return &Nodegroup{
		Account: c.Account, Region: c.Region, Cluster: c.Name, Name: name, UUID: formatUUID(hex.EncodeToString(sum[:16])),
		WasActive: true, CreatedAt: since, ModifiedAt: since, Observed: true,
	}
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
		case full(nodegroups, r.db.Snapshot(), store.Key{n.Account, n.Cluster}, r.quotas.Of(quota.NodegroupsPerCluster)):
			return fault.New(fault.Limit, subjectNodegroup, "The cluster %s has reached its limit of %d node groups",
				n.Cluster, r.quotas.Of(quota.NodegroupsPerCluster)).With("clusterName", n.Cluster)
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
			return r.notCreated(account, cluster, name)
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

// notCreated says why a node group that nobody created cannot be changed: it is only observed, or there is none.
func (r *Registry) notCreated(account, cluster, name string) error {
	if n, err := r.Nodegroup(account, cluster, name); err != nil || !n.Observed {
		return noNodegroup(cluster, name)
	}
	return fault.New(fault.Invalid, subjectNodegroup,
		"Nobody created the node group %s: it is there because the cluster has nodes of it, and goes when they do", quotedName(name)).
		With("clusterName", cluster).With("nodegroupName", quotedName(name))
}
