package cluster

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

const (
	// maxUpdates bounds the updates of an add-on that are remembered, the newest of them.
	maxUpdates = 10
	// maxParam bounds what is kept of a parameter of an update: it is there to be read. The add-on itself has all of it.
	maxParam = 4096
)

// Progress is what has become of an update, in EKS's words.
type Progress string

// Podid's updates do not fail: what keeps one from being true may pass.
const (
	InProgress Progress = "InProgress"
	Successful Progress = "Successful"
	Cancelled  Progress = "Cancelled" // another one came, or the add-on is being deleted
)

// AddonUpdate is a change of what is wanted of an add-on.
type AddonUpdate struct {
	ID        string        `json:"id"` // a UUID
	CreatedAt time.Time     `json:"createdAt"`
	Params    []UpdateParam `json:"params,omitempty"`
	Settled   Progress      `json:"settled,omitempty"` // what became of it; empty: what the cluster reports says so
}

// UpdateParam is one thing that an update changed. Long values are cut.
type UpdateParam struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// NewParam makes a parameter of an update.
func NewParam(kind, value string) UpdateParam {
	if len(value) > maxParam {
		value = value[:maxParam] + "..."
	}
	return UpdateParam{kind, value}
}

// updating tells whether the add-on has an update that was never true.
func (a *Addon) updating() bool {
	return len(a.Updates) > 0 && a.Updates[len(a.Updates)-1].Settled == ""
}

// Progress is what has become of one of the add-on's updates.
func (a *Addon) Progress(u AddonUpdate, report *Report) Progress {
	switch {
	case u.Settled != "":
		return u.Settled
	case a.Deleting:
		return Cancelled
	case a.Status(report) == Active:
		return Successful
	}
	return InProgress
}

// settle puts down what has become of the newest update: it is for the moment when that is known for good.
func (a *Addon) settle(p Progress) {
	if a.updating() {
		a.Updates[len(a.Updates)-1].Settled = p
	}
}

// AddonChange is a change of an add-on; what is nil stays.
type AddonChange struct {
	Version            *string
	Configuration      *string
	ServiceAccountRole *string
	Associations       *[]ServiceAccountRole // all of them
	Params             []UpdateParam         // to be told of the update
}

// UpdateAddon changes what is wanted of an add-on, with its associations, all or nothing. An update that was not true yet is given up.
func (r *Registry) UpdateAddon(ctx context.Context, account, cluster, name string, change AddonChange, token string) (*Addon, *AddonUpdate, error) {
	if change.Configuration != nil && len(*change.Configuration) > maxSettings {
		return nil, nil, fault.New(fault.Invalid, subjectAddon, "The configuration values have more than %d bytes", maxSettings)
	}
	id, err := r.newUUID()
	if err != nil {
		return nil, nil, err
	}
	params := []any{name, change.Version, change.Configuration, change.ServiceAccountRole, change.Associations, change.Params}
	var out *Addon
	var update *AddonUpdate
	err = r.db.Update(ctx, func(tx *store.Tx) error {
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
		out = a
		before, err := once(tx, onceKey{account, c.ID, "UpdateAddon", token}, params, id)
		if err != nil {
			return err
		}
		if before != "" {
			update, err = a.Update(before)
			return err
		}
		update = &AddonUpdate{ID: id, CreatedAt: r.clock(), Params: change.Params}
		return r.changeAddon(tx, a, change, *update)
	})
	if err != nil {
		return nil, nil, err
	}
	return out, update, nil
}

func (r *Registry) changeAddon(tx *store.Tx, a *Addon, change AddonChange, update AddonUpdate) error {
	if a.Deleting {
		return fault.New(fault.Conflict, subjectAddon, "The add-on %s is being deleted", a.Name).With("clusterName", a.Cluster).With("addonName", a.Name)
	}
	if a.updating() {
		report, ok, err := reports.Read(tx, store.Key{a.Account, a.Cluster})
		if err != nil {
			return err
		}
		if ok && a.Status(report) == Active {
			a.settle(Successful)
		}
		a.settle(Cancelled)
	}
	for _, member := range []struct{ to, from *string }{
		{&a.Version, change.Version}, {&a.Configuration, change.Configuration}, {&a.ServiceAccountRole, change.ServiceAccountRole},
	} {
		if member.from != nil {
			*member.to = *member.from
		}
	}
	if change.Associations != nil {
		if err := r.replaceAssociations(tx, a, *change.Associations); err != nil {
			return err
		}
	}
	a.ModifiedAt = update.CreatedAt
	a.Updates = append(a.Updates, update)
	a.Updates = a.Updates[max(0, len(a.Updates)-maxUpdates):]
	addons.Put(tx, a.key(), a)
	return nil
}

// replaceAssociations makes the add-on own the associations that are given and no others. One of a service account that it owns already
// stays the same association, under the role that is given.
func (r *Registry) replaceAssociations(tx *store.Tx, a *Addon, owned []ServiceAccountRole) error {
	had := slices.Clone(a.Associations)
	made, err := r.ownedBy(a, owned)
	if err != nil {
		return err
	}
	stays := make(map[string]*Association, len(had))
	for _, id := range had {
		old, err := readAssociation(tx, a.Account, a.Cluster, id)
		if errors.Is(err, fault.NotFound) {
			continue // it was deleted by itself
		}
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(owned, func(o ServiceAccountRole) bool { return o.ServiceAccount == old.ServiceAccount }) {
			old.remove(tx)
			continue
		}
		stays[old.ServiceAccount] = old
	}
	for i, association := range made {
		old, ok := stays[association.ServiceAccount]
		if !ok {
			if err := r.insertAssociation(tx, association); err != nil {
				return err
			}
			continue
		}
		a.Associations[i] = old.ID
		if old.RoleARN != association.RoleARN {
			old.RoleARN, old.ModifiedAt = association.RoleARN, association.ModifiedAt
			associations.Put(tx, old.key(), old)
		}
	}
	return nil
}

// Update finds one of the add-on's updates.
func (a *Addon) Update(id string) (*AddonUpdate, error) {
	i := slices.IndexFunc(a.Updates, func(u AddonUpdate) bool { return u.ID == id })
	if i < 0 {
		return nil, noUpdate(a.Cluster, id)
	}
	return &a.Updates[i], nil
}
