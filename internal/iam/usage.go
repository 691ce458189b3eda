package iam

import (
	"maps"
	"strings"
	"time"

	"github.com/podid/podid/internal/store"
)

// What was used last: the times at which users, roles and access keys made requests, by service and operation, as the reports of
// IAM's access advisor, the last use of a role and that of an access key show them.
//
// A use is noted in memory and written down in batches (usagecollect.go), so a request pays no I/O for it. What is read here has the
// notes of this replica in it at once and those of the others once they are written. A replica that is killed loses the notes it has
// not written: at most those of the last [UsageInterval]. A time that is written lags behind the truth by up to [usageGrain], so that
// an entity in constant use costs one write in as long, and is never ahead of it.

const (
	// UsageInterval is how often what was used is written down.
	UsageInterval = 30 * time.Second

	// usageGrain is how precise the times are: of the uses within one grain the first that was written is kept.
	usageGrain = 5 * time.Minute

	// UsagePeriod is how long a use is remembered.
	UsagePeriod = 400 * 24 * time.Hour
)

// Use is one request that was made by a proven caller, whatever became of it.
type Use struct {
	Account     string
	EntityID    string // AROA..., AIDA...; empty for the root user
	AccessKeyID string // the long-term key that signed; empty for sessions
	Service     string // as policies name it: iam
	Action      string // CreateRole; empty where the request had none
	Region      string
	At          time.Time
}

// Moment is when and for which region a request was signed.
type Moment struct {
	At     time.Time `json:"at"`
	Region string    `json:"region"`
}

// ServiceUse is the last use of one service. Actions are those of the operations that are tracked, see [Tracked].
type ServiceUse struct {
	Moment

	Actions map[string]Moment `json:"actions,omitempty"`
}

// lastUse is the record of one entity or access key, by service.
type lastUse struct {
	Services map[string]ServiceUse `json:"services"`
}

// Tracked tells whether the last use of an operation is remembered by itself: of what manages things, and not of what reads and writes
// the objects of a bucket.
func Tracked(service, action string) bool {
	return action != "" && (service != "s3" || strings.Contains(action, "Bucket"))
}

// LastUses tells when an entity, or an access key, last used each service within the [UsagePeriod].
func (d *Directory) LastUses(account, id string) map[string]ServiceUse {
	key := useKey{account, id}
	out := lastUse{Services: map[string]ServiceUse{}}
	if kept, ok := lastUses.Get(d.db.Snapshot(), key.path()); ok {
		out.merge(kept, 0)
	}
	d.uses.read(key, func(noted *lastUse) { out.merge(noted, 0) })
	out.forget(d.clock().Add(-UsagePeriod))
	return out.Services
}

// RoleLastUsed tells when a session of a role last made a request, and for which region.
func (d *Directory) RoleLastUsed(account, roleID string) (at time.Time, region string, ok bool) {
	_, m, ok := newest(d.LastUses(account, roleID))
	return m.At, m.Region, ok
}

// AccessKeyLastUsed tells when a long-term key last signed a request, and for which service and region.
func (d *Directory) AccessKeyLastUsed(account, id string) (service string, m Moment, ok bool) {
	return newest(d.LastUses(account, id))
}

func newest(uses map[string]ServiceUse) (service string, m Moment, ok bool) {
	for name, u := range uses {
		if !ok || u.At.After(m.At) || u.At.Equal(m.At) && name < service {
			service, m, ok = name, u.Moment, true
		}
	}
	return service, m, ok
}

// merge takes over what is later in other, by more than the grain where one is given, and tells whether there was anything. A time
// of the same grain counts as known.
func (u *lastUse) merge(other *lastUse, grain time.Duration) bool {
	changed := false
	for name, theirs := range other.Services {
		ours := u.Services[name]
		if later(ours.At, theirs.At, grain) {
			ours.Moment, changed = theirs.Moment, true
		}
		cloned := false
		for action, m := range theirs.Actions {
			if !later(ours.Actions[action].At, m.At, grain) {
				continue
			}
			if !cloned { // the map may be that of a shared record
				cloned = true
				if ours.Actions = maps.Clone(ours.Actions); ours.Actions == nil {
					ours.Actions = map[string]Moment{}
				}
			}
			ours.Actions[action], changed = m, true
		}
		if u.Services == nil {
			u.Services = map[string]ServiceUse{}
		}
		u.Services[name] = ours
	}
	return changed
}

func later(known, at time.Time, grain time.Duration) bool {
	if grain == 0 {
		return at.After(known)
	}
	return at.Truncate(grain).After(known.Truncate(grain))
}

// forget drops what was used before a time.
func (u *lastUse) forget(before time.Time) {
	for name, s := range u.Services {
		if s.At.Before(before) {
			delete(u.Services, name)
			continue
		}
		for _, m := range s.Actions {
			if m.At.Before(before) {
				s.Actions = maps.Clone(s.Actions)
				maps.DeleteFunc(s.Actions, func(_ string, m Moment) bool { return m.At.Before(before) })
				u.Services[name] = s
				break
			}
		}
	}
}

// useKey names whose use it is: an account and the id of a role, a user or an access key.
type useKey struct{ account, id string }

func (k useKey) path() store.Key { return store.Key{k.account, k.id} }

// forgetUses drops what is known of the use of something that is being deleted.
func forgetUses(tx *store.Tx, account, id string) { lastUses.Delete(tx, useKey{account, id}.path()) }

// usable tells whether what an id is of still exists.
func usable(tx *store.Tx, id string) (bool, error) {
	if strings.HasPrefix(id, prefixAccessKey) {
		_, ok, err := accessKeys.Read(tx, store.Key{id})
		return ok, err
	}
	_, ok, err := uniqueIDs.Read(tx, store.Key{id})
	return ok, err
}
