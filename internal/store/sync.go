package store

import (
	"context"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/podid/podid/internal/fault"
)

const (
	// syncTimeout bounds one question to etcd, whose answer several callers wait for.
	syncTimeout = 5 * time.Second

	// firstAsk is how long await waits for the watch before it asks etcd for a sign of progress. A revision in which nothing
	// under our prefix changed makes no event.
	firstAsk = 5 * time.Millisecond
	maxAsk   = time.Second
)

// round is one question to etcd: what is your newest revision?
type round struct {
	done chan struct{} // closed when the rest is set
	head Revision
	err  error
}

// Sync returns once the local picture shows every write that was acknowledged before the call, on whatever replica. It costs one
// linearizable read of etcd, which all those share who call while the one before is under way; so a flood of questions about
// what is not there does not become a flood to etcd.
func (db *DB) Sync(ctx context.Context) error {
	r := db.join()
	select {
	case <-r.done:
	case <-ctx.Done():
		return db.unavailable(ctx.Err())
	}
	if r.err != nil {
		return db.unavailable(r.err)
	}
	return db.await(ctx, r.head)
}

// join returns the round that begins next. A round that is under way is of no use: it may have read before the caller came.
func (db *DB) join() *round {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.next == nil {
		db.next = &round{done: make(chan struct{})}
		if !db.asking {
			db.asking = true
			go db.ask()
		}
	}
	return db.next
}

// ask goes through rounds until nobody waits for one.
func (db *DB) ask() {
	for {
		db.mu.Lock()
		r := db.next
		db.next, db.asking = nil, r != nil
		db.mu.Unlock()
		if r == nil {
			return
		}
		r.head, r.err = db.head()
		close(r.done)
	}
}

// head is the newest revision of etcd, by a linearizable read.
func (db *DB) head() (Revision, error) {
	ctx, cancel := context.WithTimeout(context.Background(), syncTimeout)
	defer cancel()
	resp, err := db.kv.Get(ctx, db.root+schemaPath, clientv3.WithCountOnly())
	if err != nil {
		return 0, err
	}
	return Revision(resp.Header.Revision), nil
}

// await returns once the picture shows revision. While nobody follows the watch, it loads the state itself.
func (db *DB) await(ctx context.Context, revision Revision) error {
	for ask := firstAsk; db.Snapshot().Revision() < revision; ask = min(2*ask, maxAsk) {
		if !db.following.Load() {
			if err := db.reload(ctx); err != nil {
				return err
			}
			continue
		}
		timer := time.NewTimer(ask)
		select {
		case <-db.Changed(revision - 1):
		case <-timer.C:
			if err := db.client.RequestProgress(clientv3.WithRequireLeader(ctx)); err != nil && ctx.Err() == nil {
				db.log.DebugContext(ctx, "cannot ask etcd for progress", "error", err)
			}
		case <-ctx.Done():
			timer.Stop()
			return fault.New(fault.Unavailable, "store", "This replica has not caught up with etcd yet; try again").Because(ctx.Err())
		}
		timer.Stop()
	}
	return nil
}
