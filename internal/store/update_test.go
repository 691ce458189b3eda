package store_test

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
	"github.com/podid/podid/internal/store/storetest"
)

func TestUpdateLosesNothing(t *testing.T) {
	t.Parallel()
	c := storetest.Config(t, schema()...)
	replicas := []*store.DB{storetest.Open(t, c), storetest.Open(t, c)}
	key := store.Key{"counter"}
	const goroutines, each = 50, 4
	var g errgroup.Group
	for i := range goroutines {
		db := replicas[i%2]
		g.Go(func() error {
			for range each {
				if err := db.Update(t.Context(), func(tx *store.Tx) error {
					p, _, err := pets.Read(tx, key)
					if err != nil {
						return err
					}
					if p == nil {
						p = &pet{Name: "counter"}
					}
					p.Count++
					pets.Put(tx, key, p)
					return nil
				}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	p, ok, err := pets.Fresh(t.Context(), replicas[0], key)
	if err != nil || !ok || p.Count != goroutines*each {
		t.Errorf("got %+v, %v, %v; want %d", p, ok, err, goroutines*each)
	}
}

func TestCreateRace(t *testing.T) {
	t.Parallel()
	c := storetest.Config(t, schema()...)
	replicas := []*store.DB{storetest.Open(t, c), storetest.Open(t, c)}
	for round := range 5 {
		var won atomic.Int32
		var g errgroup.Group
		for i := range 16 {
			g.Go(func() error {
				err := replicas[i%2].Update(t.Context(), func(tx *store.Tx) error {
					return pets.Create(tx, store.Key{strconv.Itoa(round)}, &pet{Count: i})
				})
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, fault.Exists) {
					return err
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		if won.Load() != 1 {
			t.Errorf("round %d: %d creates won", round, won.Load())
		}
	}
}

// TestUpdateNotices: whatever f looked at is compared, also what was not there.
func TestUpdateNotices(t *testing.T) {
	t.Parallel()
	out := store.Key{"out"}
	for name, tt := range map[string]struct {
		look   func(*store.Tx)
		change func(*store.Tx)
		runs   int
	}{
		"a change of a record": {
			look:   func(tx *store.Tx) { _, _, _ = pets.Read(tx, store.Key{"a", "1"}) },
			change: func(tx *store.Tx) { pets.Put(tx, store.Key{"a", "1"}, &pet{Count: 2}) }, runs: 2,
		},
		"the creation of a record": {
			look:   func(tx *store.Tx) { _, _, _ = pets.Read(tx, store.Key{"a", "2"}) },
			change: func(tx *store.Tx) { pets.Put(tx, store.Key{"a", "2"}, &pet{}) }, runs: 2,
		},
		"a record added to a set": {
			look:   func(tx *store.Tx) { drain(tx, store.Key{"a"}) },
			change: func(tx *store.Tx) { pets.Put(tx, store.Key{"a", "2"}, &pet{}) }, runs: 2,
		},
		"a record deleted from a set": {
			look:   func(tx *store.Tx) { drain(tx, store.Key{"a"}) },
			change: func(tx *store.Tx) { pets.Delete(tx, store.Key{"a", "1"}) }, runs: 2,
		},
		"a record added to an empty set": {
			look:   func(tx *store.Tx) { drain(tx, store.Key{"b"}) },
			change: func(tx *store.Tx) { pets.Put(tx, store.Key{"b", "1"}, &pet{}) }, runs: 2,
		},
		"nothing of a neighbouring set": {
			look:   func(tx *store.Tx) { drain(tx, store.Key{"a"}) },
			change: func(tx *store.Tx) { pets.Put(tx, store.Key{"ab", "1"}, &pet{}) }, runs: 1,
		},
		"a change of what it overwrites": {
			look:   func(tx *store.Tx) {},
			change: func(tx *store.Tx) { pets.Put(tx, out, &pet{}) }, runs: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := storetest.New(t, schema()...)
			put(t, db, store.Key{"a", "1"}, pet{Count: 1})
			runs := 0
			update(t, db, func(tx *store.Tx) error {
				runs++
				tt.look(tx)
				if runs == 1 {
					update(t, db, func(tx *store.Tx) error { tt.change(tx); return nil })
				}
				pets.Put(tx, out, &pet{Count: runs})
				return nil
			})
			if runs != tt.runs {
				t.Errorf("f ran %d times, want %d", runs, tt.runs)
			}
		})
	}
}

func drain(tx *store.Tx, prefix store.Key) {
	for range pets.AllTx(tx, prefix) {
	}
}

func TestUpdateFails(t *testing.T) {
	t.Parallel()
	db := storetest.New(t, schema()...)
	foreign := store.NewTable[pet]("foreign")
	odd := store.NewTable[func()]("word")
	mine := errors.New("mine")
	for name, tt := range map[string]struct {
		f    func(*store.Tx) error
		want error
	}{
		"with f's own error":       {func(*store.Tx) error { return mine }, mine},
		"for a table of no schema": {func(tx *store.Tx) error { foreign.Put(tx, store.Key{"x"}, &pet{}); return nil }, fault.Internal},
		"for another type":         {func(tx *store.Tx) error { odd.Delete(tx, store.Key{"x"}); return nil }, fault.Internal},
		"for too many records": {func(tx *store.Tx) error {
			for i := range 129 {
				pets.Put(tx, store.Key{strconv.Itoa(i)}, &pet{})
			}
			return nil
		}, fault.Limit},
	} {
		before := db.Snapshot().Revision()
		if err := db.Update(t.Context(), tt.f); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v", name, err)
		}
		for range pets.All(db.Snapshot(), nil) {
			t.Errorf("%s: something was written after revision %d", name, before)
			break
		}
	}
}

func TestUpdateWithoutWrites(t *testing.T) {
	t.Parallel()
	db := storetest.New(t, schema()...)
	put(t, db, store.Key{"cat"}, pet{Name: "cat", Count: 1})
	broken := errors.New("etcd must not be asked")
	db.WrapKV(func(kv clientv3.KV) clientv3.KV {
		return &lossy{KV: kv, before: func() error { return broken }}
	})
	update(t, db, func(tx *store.Tx) error {
		p, ok, err := pets.Read(tx, store.Key{"cat"})
		if err != nil || !ok || p.loud != "cat!" {
			t.Errorf("got %+v, %v, %v", p, ok, err)
		}
		p.Count = 99 // a private copy
		pets.Delete(tx, store.Key{"nobody"})
		return nil
	})
	if p, _ := pets.Get(db.Snapshot(), store.Key{"cat"}); p.Count != 1 {
		t.Error("the shared value was changed through a transaction's copy")
	}
}

// lossy is etcd behind a bad network: a transaction may get lost before it, or its answer after it.
type lossy struct {
	clientv3.KV
	before, after func() error
}

func (l *lossy) Txn(ctx context.Context) clientv3.Txn { return &lossyTxn{Txn: l.KV.Txn(ctx), l: l} }

type lossyTxn struct {
	clientv3.Txn
	l *lossy
}

func (t *lossyTxn) If(c ...clientv3.Cmp) clientv3.Txn  { t.Txn = t.Txn.If(c...); return t }
func (t *lossyTxn) Then(o ...clientv3.Op) clientv3.Txn { t.Txn = t.Txn.Then(o...); return t }
func (t *lossyTxn) Else(o ...clientv3.Op) clientv3.Txn { t.Txn = t.Txn.Else(o...); return t }
func (t *lossyTxn) Commit() (*clientv3.TxnResponse, error) {
	if t.l.before != nil {
		if err := t.l.before(); err != nil {
			return nil, err
		}
	}
	resp, err := t.Txn.Commit()
	if err == nil && t.l.after != nil {
		err = t.l.after()
	}
	return resp, err
}

var errLost = errors.New("the connection was lost")

// first fails the first n times.
func first(n int, then func()) func() error {
	return func() error {
		if n--; n >= 0 {
			if then != nil {
				then()
			}
			return errLost
		}
		return nil
	}
}

func TestLostCommit(t *testing.T) {
	t.Parallel()
	key := store.Key{"cat"}
	create := func(tx *store.Tx) error { return pets.Create(tx, key, &pet{Name: "mine"}) }
	remove := func(tx *store.Tx) error { pets.Delete(tx, key); return nil }
	for name, tt := range map[string]struct {
		exists  bool
		f       func(*store.Tx) error
		lossy   func(theirs func()) *lossy
		want    error
		unclear bool
		left    string
	}{
		"the request is lost": {
			f: create, left: "mine",
			lossy: func(func()) *lossy { return &lossy{before: first(2, nil)} },
		},
		"the answer is lost": {
			f: create, left: "mine",
			lossy: func(func()) *lossy { return &lossy{after: first(2, nil)} },
		},
		"the answer to a deletion is lost": {
			exists: true, f: remove, left: "",
			lossy: func(func()) *lossy { return &lossy{after: first(1, nil)} },
		},
		"another one comes first": {
			f: create, left: "theirs", unclear: true,
			lossy: func(theirs func()) *lossy {
				return &lossy{before: first(1, theirs)}
			},
		},
		"another one comes after": {
			f: create, left: "theirs", unclear: true,
			lossy: func(theirs func()) *lossy {
				return &lossy{after: first(1, theirs)}
			},
		},
		"every answer is lost": {
			f: create, left: "mine", unclear: true,
			lossy: func(func()) *lossy { return &lossy{before: nil, after: first(100, nil)} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := storetest.Config(t, schema()...)
			db, other := storetest.Open(t, c), storetest.Open(t, c)
			if tt.exists {
				put(t, db, key, pet{Name: "old"})
			}
			runs := 0
			db.WrapKV(func(kv clientv3.KV) clientv3.KV {
				l := tt.lossy(func() { put(t, other, key, pet{Name: "theirs"}) })
				l.KV = kv
				return l
			})
			err := db.Update(t.Context(), func(tx *store.Tx) error { runs++; return tt.f(tx) })
			if tt.unclear != errors.Is(err, fault.Unavailable) || tt.unclear != errors.Is(err, errLost) || !tt.unclear && err != nil {
				t.Errorf("got %v", err)
			}
			if runs != 1 {
				t.Errorf("f ran %d times", runs)
			}
			got, ok, err := pets.Fresh(t.Context(), db, key)
			if err != nil || ok != (tt.left != "") || ok && got.Name != tt.left {
				t.Errorf("left is %+v, %v, %v; want %q", got, ok, err, tt.left)
			}
		})
	}
}

func TestTTL(t *testing.T) {
	t.Parallel()
	db := storetest.New(t, schema()...)
	brief, kept := store.Key{"brief"}, store.Key{"kept"}
	update(t, db, func(tx *store.Tx) error {
		return errors.Join(
			pets.CreateTTL(tx, brief, &pet{}, time.Millisecond),
			pets.CreateTTL(tx, kept, &pet{}, time.Millisecond),
		)
	})
	if _, ok := pets.Get(db.Snapshot(), brief); !ok {
		t.Error("the record is not there before its time")
	}
	put(t, db, kept, pet{Name: "for ever"})
	until(t, db, func(s *store.Snapshot) bool { _, ok := pets.Get(s, brief); return !ok })
	if _, ok := pets.Get(db.Snapshot(), kept); !ok {
		t.Error("a record that was put for ever has gone with its first lease")
	}
}
