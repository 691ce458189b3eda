package store_test

import (
	"strconv"
	"testing"

	"github.com/podid/podid/internal/store"
	"github.com/podid/podid/internal/store/storetest"
)

// TestMark holds that a mark differs after every change of what it stands for, and that changes elsewhere leave it as it is.
func TestMark(t *testing.T) {
	t.Parallel()
	db := storetest.New(t, schema()...)
	update := func(f func(tx *store.Tx)) {
		t.Helper()
		if err := db.Update(t.Context(), func(tx *store.Tx) error { f(tx); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	put := func(key ...string) {
		t.Helper()
		update(func(tx *store.Tx) { pets.Put(tx, key, &pet{Count: 1}) })
	}
	mark := func() store.Mark { return pets.Mark(db.Snapshot(), store.Key{"a", "b"}) }
	last := mark()
	if last != (store.Mark{}) {
		t.Error("no records have a mark")
	}
	step := func(what string, changes bool, f func()) {
		t.Helper()
		f()
		now := mark()
		if (now != last) != changes {
			t.Errorf("%s: changed is %t, want %t", what, now != last, changes)
		}
		last = now
	}
	step("a record of another prefix", false, func() { put("z") })
	step("a prefix that begins alike", false, func() { put("a", "bb") })
	step("the first record", true, func() { put("a", "b", "1") })
	step("a record beside it", true, func() { put("a", "b", "12") })
	step("the same record again", true, func() { put("a", "b", "1") })
	step("the record of the prefix itself", true, func() { put("a", "b") })
	step("other records, many", false, func() {
		update(func(tx *store.Tx) {
			for i := range 100 {
				pets.Put(tx, store.Key{"a", "b" + strconv.Itoa(i), "x"}, &pet{})
			}
		})
	})
	step("one of them deleted", false, func() { update(func(tx *store.Tx) { pets.Delete(tx, store.Key{"a", "b7", "x"}) }) })
	step("a record deleted", true, func() { update(func(tx *store.Tx) { pets.Delete(tx, store.Key{"a", "b", "12"}) }) })
	step("all deleted", true, func() {
		update(func(tx *store.Tx) { pets.Delete(tx, store.Key{"a", "b", "1"}); pets.Delete(tx, store.Key{"a", "b"}) })
	})
	if last != (store.Mark{}) {
		t.Error("deleted records have a mark")
	}
}
