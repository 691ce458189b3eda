package store

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/podid/podid/internal/fault"
)

// Tx is one attempt of an [DB.Update]. Its reads all come from one picture of the state, overlaid by its own writes; what was
// read is remembered and compared when the attempt commits. It belongs to the function that got it, and to one goroutine.
type Tx struct {
	db     *DB
	base   *Snapshot
	reads  map[string]Revision // path: when it was last written, 0 for absent
	ranges map[string]struct{} // paths of prefixes that were read
	writes map[string]write
	err    error // the first failure of a method that returns none
}

type write struct {
	body []byte        // nil: delete
	ttl  time.Duration // 0: for ever
}

// Read returns the caller's own copy of a record, as this transaction sees it.
func (t Table[T]) Read(tx *Tx, key Key) (*T, bool, error) {
	path := string(t.appendPath(nil, key))
	if err := t.check(tx); err != nil {
		return nil, false, err
	}
	if w, ok := tx.writes[path]; ok {
		if w.body == nil {
			return nil, false, nil
		}
		v, err := t.decodeValue(w.body)
		return v, err == nil, err
	}
	e := tx.observe(path)
	if e.value == nil {
		return nil, false, nil
	}
	v, err := t.copyOf(key, e)
	return v, err == nil, err
}

// AllTx yields copies of the records whose key begins with prefix, in key order. The commit fails when any of them was changed
// or deleted since, or another one was added. It is for small sets: every record counts towards the limit of a transaction.
func (t Table[T]) AllTx(tx *Tx, prefix Key) iter.Seq2[Key, *T] {
	return func(yield func(Key, *T) bool) {
		if !tx.keep(t.check(tx)) {
			return
		}
		root := t.appendPath(nil, prefix)
		tx.ranges[string(root)] = struct{}{}
		paths := map[string]struct{}{}
		it := tx.base.tree.Root().Iterator()
		it.SeekPrefix(root)
		for path, e, ok := it.Next(); ok; path, e, ok = it.Next() {
			tx.reads[string(path)] = e.mod
			paths[string(path)] = struct{}{}
		}
		for path := range tx.writes {
			if strings.HasPrefix(path, string(root)) {
				paths[path] = struct{}{}
			}
		}
		for _, path := range slices.Sorted(maps.Keys(paths)) {
			key, err := decodeKey([]byte(path[len(t.root):]))
			if !tx.keep(err) {
				return
			}
			v, ok, err := t.Read(tx, key)
			if !tx.keep(err) || ok && !yield(key, v) {
				return
			}
		}
	}
}

// Create writes a record that must not be there; it fails with [fault.Exists].
func (t Table[T]) Create(tx *Tx, key Key, v *T) error { return t.CreateTTL(tx, key, v, 0) }

// CreateTTL is Create of a record that etcd removes after ttl, in whole seconds rounded up and never less than one. The removal
// may come a second late. A ttl of 0 keeps the record for ever.
func (t Table[T]) CreateTTL(tx *Tx, key Key, v *T, ttl time.Duration) error {
	_, exists, err := t.Read(tx, key)
	if err != nil {
		return err
	}
	if exists {
		return fault.New(fault.Exists, t.name, "%s %s already exists", t.name, key)
	}
	t.PutTTL(tx, key, v, ttl)
	return nil
}

// Put writes a record, over whatever is there; a record that had a time to live loses it. v is encoded at once: later changes to
// it have no effect. What cannot be encoded fails the whole Update.
func (t Table[T]) Put(tx *Tx, key Key, v *T) { t.PutTTL(tx, key, v, 0) }

// PutTTL is Put of a record that etcd removes after ttl; see CreateTTL.
func (t Table[T]) PutTTL(tx *Tx, key Key, v *T, ttl time.Duration) {
	if !tx.keep(t.check(tx)) {
		return
	}
	body, err := json.Marshal(v)
	if !tx.keep(err) {
		return
	}
	path := string(t.appendPath(nil, key))
	tx.observe(path)
	tx.writes[path] = write{body: body, ttl: ttl}
}

// Delete removes a record. Deleting what is not there is no failure, and no write.
func (t Table[T]) Delete(tx *Tx, key Key) {
	if !tx.keep(t.check(tx)) {
		return
	}
	path := string(t.appendPath(nil, key))
	if tx.observe(path).value == nil {
		delete(tx.writes, path)
		return
	}
	tx.writes[path] = write{}
}

func (t Table[T]) check(tx *Tx) error {
	if tx.db.tables[t.name] != Definition(t) {
		return t.undefined()
	}
	return nil
}

// copyOf makes a private copy of a shared value by way of its JSON, which is what the record is.
func (t Table[T]) copyOf(key Key, e entry) (*T, error) {
	if u, ok := e.value.(unreadable); ok {
		return nil, t.unreadable(key, u.cause)
	}
	body, err := json.Marshal(e.value)
	if err != nil {
		return nil, t.unreadable(key, err)
	}
	v, err := t.decodeValue(body)
	if err != nil {
		return nil, t.unreadable(key, err)
	}
	return v, nil
}

// observe reads from the picture and remembers what was seen. Written paths are observed too, so that every write is compared
// and a transaction that is sent twice takes effect once.
func (tx *Tx) observe(path string) entry {
	e, _ := tx.base.tree.Get([]byte(path))
	tx.reads[path] = e.mod
	return e
}

// keep remembers the first failure and tells whether there was none in err.
func (tx *Tx) keep(err error) bool {
	if err != nil && tx.err == nil {
		tx.err = err
	}
	return err == nil
}

const (
	maxAttempts   = 100
	maxRetryPause = 50 * time.Millisecond
)

// Update runs f and commits what it wrote, if nothing that it read has changed meanwhile; otherwise f runs again on the newer
// state. So f must have no effect but through tx, and may be called any number of times. Update returns when the local snapshot
// shows the result. An f that writes nothing costs no write.
//
// An error of f ends the update and is returned as it is; before that, f has run on a state that is not older than the call, so
// that a refusal is never based on a stale picture.
//
// Update fails with [fault.Unavailable] when the conflicts do not end, when etcd does not answer, and when the outcome of a
// commit could not be learned: the text tells which. A commit is never repeated blindly.
func (db *DB) Update(ctx context.Context, f func(tx *Tx) error) error {
	c := newCommitter(db)
	defer c.close(ctx)
	current := false // the picture is not older than the call
	for attempt := range maxAttempts {
		tx := &Tx{
			db: db, base: db.Snapshot(),
			reads: map[string]Revision{}, ranges: map[string]struct{}{}, writes: map[string]write{},
		}
		err := f(tx)
		if err == nil {
			err = tx.err
		}
		if err == nil && len(tx.writes) == 0 {
			return nil
		}
		if err != nil {
			if current {
				return err
			}
			if syncErr := db.Sync(ctx); syncErr != nil {
				return syncErr
			}
			if current = true; db.Snapshot() == tx.base {
				return err
			}
			continue
		}
		revision, committed, err := c.commit(ctx, tx)
		if err != nil {
			return err
		}
		if !committed {
			pause(ctx, min(time.Millisecond<<min(attempt, 10), maxRetryPause))
		}
		if err := db.await(ctx, revision); err != nil {
			return err
		}
		if committed {
			return nil
		}
	}
	return fault.New(fault.Unavailable, "store", "The records are busy; try again")
}
