package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	iradix "github.com/hashicorp/go-immutable-radix/v2"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/podid/podid/internal/fault"
)

// Snapshot is an immutable picture of every table at one revision. It stays valid for as long as somebody holds it.
type Snapshot struct {
	revision Revision
	tree     *iradix.Tree[entry] // by path: a key in etcd without the prefix
}

// Revision is the position in etcd's history that the picture shows. Nothing of ours that happened up to it is missing.
func (s *Snapshot) Revision() Revision { return s.revision }

// entry is one record, decoded: value is the *T of its table, or an unreadable.
type entry struct {
	value any
	mod   Revision // when it was last written
}

// unreadable stands for a record that cannot be decoded.
type unreadable struct{ cause error }

const (
	loadPage     = 2000
	loadAttempts = 3 // when etcd is compacted under a load

	minBackoff = 50 * time.Millisecond
	maxBackoff = 5 * time.Second
)

var errHistory = errors.New("etcd has lost revisions that it had acknowledged: was it restored from an older backup?")

// Run follows etcd's watch until ctx ends, and then returns nil. When the watch is lost, or etcd has compacted what it missed,
// the whole state is loaded again and replaces the picture; nothing is skipped. It fails when going on would be wrong: etcd has
// lost acknowledged revisions, or a newer podid has changed the schema.
func (db *DB) Run(ctx context.Context) error {
	if !db.following.CompareAndSwap(false, true) {
		return fault.New(fault.Internal, "store", "Run is on its way already")
	}
	defer db.following.Store(false)
	backoff := minBackoff
	for ctx.Err() == nil {
		before := db.Snapshot().Revision()
		err := db.follow(ctx)
		for err != nil && ctx.Err() == nil && !fatal(err) {
			if db.Snapshot().Revision() > before {
				backoff = minBackoff
			}
			db.log.WarnContext(ctx, "lost the watch on etcd; loading the state again", "error", err, "after", backoff)
			pause(ctx, backoff)
			backoff = min(2*backoff, maxBackoff)
			err = db.reload(ctx)
		}
		if err != nil && fatal(err) {
			return err
		}
	}
	return nil
}

func fatal(err error) bool {
	return errors.Is(err, errHistory) || errors.Is(err, fault.Unsupported)
}

// pause waits between half of d and d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d/2 + rand.N(d/2+1)) //nolint:gosec // nobody gains by guessing
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// follow applies the watch to the picture until the watch fails. It never returns nil.
func (db *DB) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	events := db.client.Watch(ctx, db.root, clientv3.WithPrefix(),
		clientv3.WithRev(int64(db.Snapshot().Revision())+1), clientv3.WithProgressNotify())
	for resp := range events {
		if err := resp.Err(); err != nil {
			return err
		}
		if err := db.apply(resp); err != nil {
			return err
		}
	}
	return errors.New("the watch channel was closed")
}

// apply makes one answer of the watch visible. An answer holds whole revisions: etcd splits none unless it is asked to.
func (db *DB) apply(resp clientv3.WatchResponse) error {
	db.replacing.Lock()
	defer db.replacing.Unlock()
	old := db.Snapshot()
	next := &Snapshot{revision: old.revision, tree: old.tree}
	if resp.IsProgressNotify() {
		// The header of any other answer may be ahead of its events.
		next.revision = max(old.revision, Revision(resp.Header.Revision))
	}
	txn := old.tree.Txn()
	for _, event := range resp.Events {
		mod := Revision(event.Kv.ModRevision)
		if mod <= old.revision {
			continue
		}
		next.revision = max(next.revision, mod)
		path := event.Kv.Key[len(db.root):]
		switch {
		case string(path) == schemaPath:
			if event.Type == clientv3.EventTypePut {
				if err := checkSchema(event.Kv.Value); err != nil {
					return err
				}
			}
		case event.Type == clientv3.EventTypeDelete:
			txn.Delete(path)
		default:
			if e, ok := db.decode(path, event.Kv); ok {
				txn.Insert(path, e)
			}
		}
	}
	next.tree = txn.Commit()
	db.publish(next)
	return nil
}

// reload replaces the picture by one that is loaded from scratch.
func (db *DB) reload(ctx context.Context) error {
	next, err := db.load(ctx, db.Snapshot(), 0)
	for attempt := 1; errors.Is(err, rpctypes.ErrCompacted) && attempt < loadAttempts; attempt++ {
		next, err = db.load(ctx, db.Snapshot(), 0)
	}
	if err != nil {
		return err
	}
	db.replacing.Lock()
	defer db.replacing.Unlock()
	db.publish(next)
	return nil
}

// load reads everything under the prefix, page by page, as it was at a revision; 0 is now. Records that old has in the same
// version are taken from it: they are not decoded again, and pointers to them stay good as cache keys. old may be nil.
func (db *DB) load(ctx context.Context, old *Snapshot, at Revision) (*Snapshot, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	txn := iradix.New[entry]().Txn()
	for page := range db.pages(ctx, at) {
		if page.err != nil {
			return nil, db.unavailable(page.err)
		}
		at = page.at
		for _, kv := range page.kvs {
			path := kv.Key[len(db.root):]
			if string(path) == schemaPath {
				if err := checkSchema(kv.Value); err != nil {
					return nil, err
				}
				continue
			}
			if old != nil {
				if e, ok := old.tree.Get(path); ok && e.mod == Revision(kv.ModRevision) {
					txn.Insert(path, e)
					continue
				}
			}
			if e, ok := db.decode(path, kv); ok {
				txn.Insert(path, e)
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, db.unavailable(err)
	}
	if old != nil && at < old.revision {
		return nil, fmt.Errorf("%w: had revision %d, etcd is at %d", errHistory, old.revision, at)
	}
	return &Snapshot{revision: at, tree: txn.Commit()}, nil
}

type page struct {
	kvs []*mvccpb.KeyValue
	at  Revision
	err error // ends the pages
}

// pages reads ahead of its reader, by one page. The channel is closed after the last page, an error, or the end of ctx.
func (db *DB) pages(ctx context.Context, at Revision) <-chan page {
	out := make(chan page, 1)
	go func() {
		defer close(out)
		from, end := db.root, clientv3.GetPrefixRangeEnd(db.root)
		for more := true; more; {
			resp, err := db.kv.Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(loadPage), clientv3.WithRev(int64(at)))
			p := page{err: err}
			if err == nil {
				if at == 0 {
					at = Revision(resp.Header.Revision)
				}
				p = page{kvs: resp.Kvs, at: at}
				if n := len(resp.Kvs); n > 0 {
					from = string(resp.Kvs[n-1].Key) + "\x00"
				}
			}
			more = err == nil && resp.More
			select {
			case out <- p:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// decode makes the entry of a stored record; false for keys of tables that are not in the schema.
func (db *DB) decode(path []byte, kv *mvccpb.KeyValue) (entry, bool) {
	key, err := decodeKey(path)
	if err != nil || len(key) == 0 {
		return entry{}, false
	}
	table, ok := db.tables[key[0]]
	if !ok {
		return entry{}, false
	}
	e := entry{mod: Revision(kv.ModRevision)}
	_, body, err := openEnvelope(kv.Value)
	if err == nil {
		e.value, err = table.decode(body)
	}
	if err != nil {
		e.value = unreadable{cause: err}
		db.log.Error("a stored record cannot be read", "key", key.String(), "revision", kv.ModRevision, "error", err)
	}
	return e, true
}

// publish puts a newer picture in place and wakes who waits for it. The caller holds db.replacing.
func (db *DB) publish(next *Snapshot) {
	if old := db.Snapshot(); old != nil && next.revision <= old.revision {
		return
	}
	db.snapshot.Store(next)
	db.mu.Lock()
	defer db.mu.Unlock()
	for after, ch := range db.waiting {
		if next.revision > after {
			close(ch)
			delete(db.waiting, after)
		}
	}
}
