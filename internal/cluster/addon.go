package cluster

import (
	"context"
	"iter"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

const (
	subjectAddon = "add-on"

	// maxOwned bounds the associations of one add-on: they are written in one transaction.
	maxOwned = 20
	// maxAddons bounds the add-ons of one cluster: a report looks at all of them in one transaction.
	maxAddons = 30
)

// Addon is a program that the cluster is to run: the operator makes it so and reports what runs.
type Addon struct {
	Account            string            `json:"account"`
	Region             string            `json:"region"`
	Cluster            string            `json:"cluster"`
	Name               string            `json:"name"`
	UUID               string            `json:"uuid"`
	Version            string            `json:"version"` // wanted
	Namespace          string            `json:"namespace"`
	Configuration      string            `json:"configuration,omitempty"` // as it was given: JSON or YAML
	ServiceAccountRole string            `json:"serviceAccountRole,omitempty"`
	Associations       []string          `json:"associations,omitempty"` // ids of those that it owns
	Tags               map[string]string `json:"tags,omitempty"`
	Deleting           bool              `json:"deleting,omitempty"`
	WasActive          bool              `json:"wasActive,omitempty"` // it was ACTIVE once
	CreatedAt          time.Time         `json:"createdAt"`
	ModifiedAt         time.Time         `json:"modifiedAt"`
	Updates            []AddonUpdate     `json:"updates,omitempty"` // the newest is the last
}

// ARN names the add-on.
func (a *Addon) ARN() string { return arn.Addon(a.Region, a.Account, a.Cluster, a.Name, a.UUID) }

func (a *Addon) key() store.Key { return store.Key{a.Account, a.Cluster, a.Name} }

// AssociationARNs are the associations that the add-on owns.
func (a *Addon) AssociationARNs() []string {
	arns := make([]string, 0, len(a.Associations))
	for _, id := range a.Associations {
		arns = append(arns, arn.Association(a.Region, a.Account, a.Cluster, id))
	}
	return arns
}

// Running finds what the cluster reports of the add-on.
func (a *Addon) Running(report *Report) (ReportedAddon, bool) {
	for _, reported := range report.Addons {
		if reported.Name == a.Name {
			return reported, true
		}
	}
	return ReportedAddon{}, false
}

// Status is ACTIVE while the wanted version runs and is healthy. With which configuration it runs is not reported: whoever reports says
// that it is not healthy while a change is being made.
func (a *Addon) Status(report *Report) Status {
	running, ok := a.Running(report)
	switch {
	case a.Deleting:
		return Deleting
	case ok && running.Healthy && running.Version == a.Version:
		return Active
	case !a.WasActive:
		return Creating
	case a.updating() || ok && running.Healthy:
		return Updating
	}
	return Degraded
}

// Addon looks an add-on up.
func (r *Registry) Addon(account, cluster, name string) (*Addon, error) {
	if a, ok := addons.Get(r.db.Snapshot(), store.Key{account, cluster, name}); ok {
		return a, nil
	}
	return nil, noAddon(cluster, name)
}

// Addons yields the add-ons of a cluster in the order of names.
func (r *Registry) Addons(account, cluster string) iter.Seq[*Addon] {
	return values(addons, r.db.Snapshot(), store.Key{account, cluster})
}

func noAddon(cluster, name string) error {
	return fault.New(fault.NotFound, subjectAddon, "No addon: %s found in cluster: %s", quotedName(name), quotedName(cluster)).
		With("clusterName", quotedName(cluster)).With("addonName", quotedName(name))
}

// ServiceAccountRole is an association that comes with an add-on, in the add-on's namespace.
type ServiceAccountRole struct {
	ServiceAccount, RoleARN string
}

// CreateAddon makes an add-on with the associations that it owns, all or nothing. Account, Cluster, Name, Version, Namespace,
// Configuration, ServiceAccountRole and Tags are taken from a.
func (r *Registry) CreateAddon(ctx context.Context, a Addon, owned []ServiceAccountRole, token string) (*Addon, error) {
	if !simpleName(a.Name, maxAddonName) {
		return nil, invalidName("The add-on name %s is not valid", quoted(a.Name))
	}
	if err := checkNamespace(a.Namespace); err != nil {
		return nil, err
	}
	if err := checkTags(a.Tags); err != nil {
		return nil, err
	}
	if len(a.Configuration) > maxSettings {
		return nil, fault.New(fault.Invalid, subjectAddon, "The configuration values have more than %d bytes", maxSettings)
	}
	uuid, err := r.newUUID()
	if err != nil {
		return nil, err
	}
	params := []any{a.Name, a.Version, a.Namespace, a.Configuration, a.ServiceAccountRole, a.Tags, owned}
	a.Region, a.UUID, a.CreatedAt = r.region, uuid, r.clock()
	a.ModifiedAt, a.Deleting, a.WasActive, a.Updates = a.CreatedAt, false, false, nil
	made, err := r.ownedBy(&a, owned)
	if err != nil {
		return nil, err
	}
	var out *Addon
	err = r.db.Update(ctx, func(tx *store.Tx) error {
		out = &a
		c, err := readCluster(tx, a.Account, a.Cluster)
		if err != nil {
			return err
		}
		before, err := once(tx, onceKey{a.Account, c.ID, "CreateAddon", token}, params, uuid)
		if err != nil {
			return err
		}
		if before != "" {
			out, err = again(tx, addons, a.key(), before, func(old *Addon) string { return old.UUID }, "the add-on "+a.Name)
			return err
		}
		_, exists, err := addons.Read(tx, a.key())
		switch {
		case err != nil:
			return err
		case exists:
			return fault.New(fault.Exists, subjectAddon, "Addon already exists.").With("clusterName", a.Cluster).With("addonName", a.Name)
		case full(addons, r.db.Snapshot(), store.Key{a.Account, a.Cluster}, maxAddons):
			return fault.New(fault.Invalid, subjectAddon, "A cluster has at most %d add-ons", maxAddons).With("clusterName", a.Cluster)
		}
		for _, association := range made {
			if err := r.insertAssociation(tx, association); err != nil {
				return err
			}
		}
		addons.Put(tx, a.key(), &a)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ownedBy makes the associations of an add-on, and notes their ids there.
func (r *Registry) ownedBy(a *Addon, owned []ServiceAccountRole) ([]*Association, error) {
	if len(owned) > maxOwned {
		return nil, fault.New(fault.Invalid, subjectAddon, "An add-on has at most %d pod identity associations", maxOwned)
	}
	a.Associations = make([]string, 0, len(owned))
	made := make([]*Association, 0, len(owned))
	for _, o := range owned {
		association, err := r.newAssociation(Association{
			Account: a.Account, Cluster: a.Cluster, Namespace: a.Namespace, ServiceAccount: o.ServiceAccount, RoleARN: o.RoleARN, OwnerARN: a.ARN(),
		})
		if err != nil {
			return nil, err
		}
		a.Associations, made = append(a.Associations, association.ID), append(made, association)
	}
	return made, nil
}

// DeleteAddon wants an add-on gone, and returns it as DELETING: at once in a cluster that was never connected, otherwise when the
// cluster no longer reports it. Its associations go with it. With preserve, the add-on and its associations are only forgotten:
// what runs in the cluster stays, and the associations stand by themselves.
func (r *Registry) DeleteAddon(ctx context.Context, account, cluster, name string, preserve bool) (*Addon, error) {
	var out *Addon
	err := r.db.Update(ctx, func(tx *store.Tx) error {
		c, err := readCluster(tx, account, cluster)
		if err != nil {
			return err
		}
		a, ok, err := addons.Read(tx, store.Key{account, cluster, name})
		if err != nil {
			return err
		}
		if !ok {
			return noAddon(cluster, name)
		}
		if err := a.releaseAssociations(tx, preserve); err != nil {
			return err
		}
		out = a
		changed := !a.Deleting
		a.Deleting = true
		switch {
		case preserve || !c.connected():
			addons.Delete(tx, a.key())
		case changed:
			stored := *a
			stored.ModifiedAt, stored.Associations = r.clock(), nil
			addons.Put(tx, a.key(), &stored)
		}
		return nil
	})
	return out, err
}

// releaseAssociations removes the associations that the add-on still owns, or with keep lets them stand by themselves.
func (a *Addon) releaseAssociations(tx *store.Tx, keep bool) error {
	for _, id := range a.Associations {
		name, ok, err := associationIDs.Read(tx, store.Key{a.Account, a.Cluster, id})
		if err != nil {
			return err
		}
		if !ok {
			continue // it was deleted by itself
		}
		owned, ok, err := associations.Read(tx, store.Key{a.Account, a.Cluster, name.Namespace, name.ServiceAccount})
		switch {
		case err != nil:
			return err
		case !ok:
		case keep:
			owned.OwnerARN = ""
			associations.Put(tx, owned.key(), owned)
		default:
			owned.remove(tx)
		}
	}
	return nil
}
