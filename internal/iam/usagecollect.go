package iam

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

// Bounds of what is noted between two writes. What does not fit is passed over: an entity in use is soon noted again.
const (
	useShards  = 64
	maxNoted   = 2048 // entities and keys a shard
	usageBatch = 32   // records a transaction

	// lastFlush is how long the last write may take once a replica has stopped serving.
	lastFlush = 5 * time.Second
)

// uses are the notes that have not been written. They are split by whose use it is, so that requests rarely meet at a lock, which
// none holds for longer than it takes to look into two maps.
type uses struct {
	seed   maphash.Seed
	shards [useShards]useShard
}

type useShard struct {
	mu    sync.Mutex
	noted map[useKey]*lastUse
	_     [48]byte // a cache line each: neighbours do not slow one another down
}

func newUses() *uses { return &uses{seed: maphash.MakeSeed()} }

func (u *uses) shard(k useKey) *useShard { return &u.shards[maphash.String(u.seed, k.id)%useShards] }

// Used notes that a request was made. It waits for nothing and costs no I/O.
func (d *Directory) Used(u Use) {
	m := Moment{At: u.At.UTC().Truncate(time.Second), Region: u.Region}
	if u.EntityID != "" {
		action := u.Action
		if !Tracked(u.Service, action) {
			action = ""
		}
		d.uses.note(useKey{u.Account, u.EntityID}, u.Service, action, m)
	}
	if u.AccessKeyID != "" {
		d.uses.note(useKey{u.Account, u.AccessKeyID}, u.Service, "", m)
	}
}

func (u *uses) note(k useKey, service, action string, m Moment) {
	s := u.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.noted[k]
	if l == nil {
		if len(s.noted) >= maxNoted {
			return
		}
		if s.noted == nil {
			s.noted = map[useKey]*lastUse{}
		}
		l = &lastUse{Services: map[string]ServiceUse{}}
		s.noted[k] = l
	}
	was := l.Services[service]
	known := action == "" || !m.At.After(was.Actions[action].At)
	if known && !m.At.After(was.At) {
		return // as nearly always: several requests a second do the same
	}
	if !known {
		if was.Actions == nil {
			was.Actions = map[string]Moment{}
		}
		was.Actions[action] = m
	}
	if m.At.After(was.At) {
		was.Moment = m
	}
	l.Services[service] = was
}

// read shows f what is noted of one entity.
func (u *uses) read(k useKey, f func(*lastUse)) {
	s := u.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.noted[k]; l != nil {
		f(l)
	}
}

// restore puts back what could not be written.
func (u *uses) restore(k useKey, l *lastUse) {
	s := u.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if newer := s.noted[k]; newer != nil {
		newer.merge(l, 0)
		return
	}
	if s.noted == nil {
		s.noted = map[useKey]*lastUse{}
	}
	if len(s.noted) < maxNoted {
		s.noted[k] = l
	}
}

// note is what was noted of one entity.
type usageNote struct {
	key  useKey
	uses *lastUse
}

// take empties the notes, in an order that does not depend on chance: replicas that write at once meet at fewer records.
func (u *uses) take() []usageNote {
	var out []usageNote
	for i := range u.shards {
		s := &u.shards[i]
		s.mu.Lock()
		noted := s.noted
		s.noted = nil
		s.mu.Unlock()
		for k, l := range noted {
			out = append(out, usageNote{k, l})
		}
	}
	return out
}

// FlushUses writes what was noted so far. What cannot be written stays noted.
func (d *Directory) FlushUses(ctx context.Context) error {
	var errs []error
	for batch := range slices.Chunk(d.unwritten(d.uses.take()), usageBatch) {
		err := d.db.Update(ctx, func(tx *store.Tx) error {
			for _, n := range batch {
				if err := d.writeUse(tx, n); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			errs = append(errs, err)
			for _, n := range batch {
				d.uses.restore(n.key, n.uses)
			}
		}
	}
	return errors.Join(errs...)
}

// unwritten are the notes that tell more than the records do.
func (d *Directory) unwritten(notes []usageNote) []usageNote {
	s := d.db.Snapshot()
	return slices.DeleteFunc(notes, func(n usageNote) bool {
		kept, ok := lastUses.Get(s, n.key.path())
		if !ok {
			return false
		}
		known := lastUse{}
		known.merge(kept, 0)
		return !known.merge(n.uses, usageGrain)
	})
}

// writeUse merges one note into its record: of what several replicas write the later counts. Nothing is written of what is gone.
func (d *Directory) writeUse(tx *store.Tx, n usageNote) error {
	ok, err := usable(tx, n.key.id)
	if err != nil || !ok {
		return err
	}
	kept, ok, err := lastUses.Read(tx, n.key.path())
	if err != nil && !errors.Is(err, fault.Internal) {
		return err
	}
	if !ok || err != nil { // a record that cannot be read is written anew
		kept = &lastUse{}
	}
	if !kept.merge(n.uses, usageGrain) {
		return nil
	}
	kept.forget(d.clock().Add(-UsagePeriod))
	lastUses.Put(tx, n.key.path(), kept)
	return nil
}

// RunUsage writes what was noted every [UsageInterval] until ctx ends. Failures are logged, and what they kept from being written
// is tried again.
func (d *Directory) RunUsage(ctx context.Context, log *slog.Logger) error {
	tick := time.NewTicker(UsageInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := d.FlushUses(ctx); err != nil && ctx.Err() == nil {
				log.WarnContext(ctx, "last uses not written, trying again", "error", err)
			}
		}
	}
}

// StopUsage writes what is left, once nothing is served any more and while the database still runs.
func (d *Directory) StopUsage(ctx context.Context, log *slog.Logger) {
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
	defer cancel()
	if err := d.FlushUses(limit); err != nil {
		log.WarnContext(ctx, "last uses not written", "error", err)
	}
}
