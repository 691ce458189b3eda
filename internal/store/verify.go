package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Verify waits until the picture has caught up, reads the same revision of everything from etcd, and reports the first
// difference. It is the invariant that storetest checks at the end of every test.
func (db *DB) Verify(ctx context.Context) error {
	if err := db.Sync(ctx); err != nil {
		return err
	}
	got := db.Snapshot()
	want, err := db.load(ctx, nil, got.revision)
	if err != nil {
		return err
	}
	return compare(got, want)
}

func compare(got, want *Snapshot) error {
	if got.tree.Len() != want.tree.Len() {
		return fmt.Errorf("the picture has %d records, etcd has %d", got.tree.Len(), want.tree.Len())
	}
	it := want.tree.Root().Iterator()
	for path, w, ok := it.Next(); ok; path, w, ok = it.Next() {
		g, found := got.tree.Get(path)
		if !found {
			return fmt.Errorf("%q is missing", path)
		}
		if g.mod != w.mod {
			return fmt.Errorf("%q is of revision %d, in etcd of %d", path, g.mod, w.mod)
		}
		if err := same(g.value, w.value); err != nil {
			return fmt.Errorf("%q: %w", path, err)
		}
	}
	return nil
}

// same compares what is stored of two values; what their Loaded methods prepared may be at different stages.
func same(got, want any) error {
	_, gotUnreadable := got.(unreadable)
	_, wantUnreadable := want.(unreadable)
	if gotUnreadable != wantUnreadable {
		return errors.New("readable in one only")
	}
	if gotUnreadable {
		return nil
	}
	g, gotErr := json.Marshal(got)
	w, wantErr := json.Marshal(want)
	if err := errors.Join(gotErr, wantErr); err != nil {
		return err
	}
	if !bytes.Equal(g, w) {
		return errors.New("the values differ")
	}
	return nil
}
