package store_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
	"github.com/podid/podid/internal/store/storetest"
)

// buffer is a log that many goroutines write.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestOneRevisionAppearsTogether(t *testing.T) {
	t.Parallel()
	c := storetest.Config(t, schema()...)
	writer, reader := storetest.Open(t, c), storetest.Open(t, c)
	const rounds, width = 30, 40
	done := make(chan error, 1)
	go func() {
		for i := 1; i <= rounds; i++ {
			if err := writer.Update(context.Background(), func(tx *store.Tx) error {
				for k := range width {
					pets.Put(tx, store.Key{strconv.Itoa(k)}, &pet{Count: i})
				}
				return nil
			}); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	until(t, reader, func(s *store.Snapshot) bool {
		var sum, n int
		first := -1
		for _, p := range pets.All(s, nil) {
			if first == -1 {
				first = p.Count
			}
			sum, n = sum+p.Count, n+1
		}
		if n != 0 && (n != width || sum != first*width) {
			t.Errorf("a torn picture: %d records, first %d, sum %d", n, first, sum)
			return true
		}
		return first == rounds
	})
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestCompaction: what a replica missed is compacted before it follows the watch.
func TestCompaction(t *testing.T) {
	t.Parallel()
	c := storetest.Config(t, schema()...)
	log := &buffer{}
	c.Logger = slog.New(slog.NewTextHandler(log, nil))
	writer := storetest.Open(t, c)
	put(t, writer, store.Key{"same"}, pet{Name: "same"})
	put(t, writer, store.Key{"old"}, pet{Name: "old"})

	late, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	same, _ := pets.Get(late.Snapshot(), store.Key{"same"})
	update(t, writer, func(tx *store.Tx) error {
		pets.Delete(tx, store.Key{"old"})
		pets.Put(tx, store.Key{"new"}, &pet{Name: "new"})
		return nil
	})
	put(t, writer, store.Key{"newer"}, pet{Name: "newer"})
	if _, err := writer.Client().Compact(t.Context(), int64(writer.Snapshot().Revision())); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- late.Run(ctx) }()
	until(t, late, func(s *store.Snapshot) bool { _, ok := pets.Get(s, store.Key{"newer"}); return ok })
	if _, ok := pets.Get(late.Snapshot(), store.Key{"old"}); ok {
		t.Error("a deletion was missed")
	}
	if again, _ := pets.Get(late.Snapshot(), store.Key{"same"}); again != same {
		t.Error("an unchanged record was decoded again")
	}
	put(t, writer, store.Key{"after"}, pet{})
	until(t, late, func(s *store.Snapshot) bool { _, ok := pets.Get(s, store.Key{"after"}); return ok })
	storetest.Check(t, late)
	if !strings.Contains(log.String(), "lost the watch") {
		t.Error("the operator was not told")
	}
	cancel()
	if err := errors.Join(<-done, late.Close()); err != nil {
		t.Error(err)
	}
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	c := storetest.Config(t, schema()...)
	log := &buffer{}
	c.Logger = slog.New(slog.NewTextHandler(log, nil))
	db := storetest.Open(t, c)
	good := `{"tx":"0123456789abcdef","value":{"Name":"good"}}`
	for name, value := range map[string]string{
		"good":     good,
		"text":     "hello",
		"empty":    "",
		"cut":      good[:len(good)-3],
		"type":     `{"tx":"0123456789abcdef","value":{"Name":1}}`,
		"not-load": `{"tx":"0123456789abcdef","value":{"Name":"mute"}}`,
	} {
		if _, err := db.Client().Put(t.Context(), db.Path("pet", store.Key{name}), value); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Client().Put(t.Context(), db.Path("future", store.Key{"x"}), "anything"); err != nil {
		t.Fatal(err)
	}
	check := func(db *store.DB) {
		t.Helper()
		n := 0
		for k := range pets.All(db.Snapshot(), nil) {
			if n++; k.String() != "good" {
				t.Errorf("All yields %s", k)
			}
		}
		if n != 1 {
			t.Errorf("All yields %d records", n)
		}
		for _, name := range []string{"text", "empty", "cut", "type", "not-load"} {
			key := store.Key{name}
			if _, ok := pets.Get(db.Snapshot(), key); ok {
				t.Errorf("%s: Get finds it", name)
			}
			if _, _, err := pets.Fresh(t.Context(), db, key); !errors.Is(err, fault.Internal) {
				t.Errorf("%s: Fresh: %v", name, err)
			}
			err := db.Update(t.Context(), func(tx *store.Tx) error { return pets.Create(tx, key, &pet{}) })
			if !errors.Is(err, fault.Internal) {
				t.Errorf("%s: Create: %v", name, err)
			}
			if got := strings.Count(log.String(), "key=pet/"+name+" "); got != 1 {
				t.Errorf("%s: logged %d times", name, got)
			}
		}
	}
	if err := db.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(db)
	log.buf.Reset()
	check(storetest.Open(t, c))
	update(t, db, func(tx *store.Tx) error {
		pets.Put(tx, store.Key{"text"}, &pet{Name: "mended"})
		pets.Delete(tx, store.Key{"cut"})
		return nil
	})
	if p, ok := pets.Get(db.Snapshot(), store.Key{"text"}); !ok || p.Name != "mended" {
		t.Error("an unreadable record cannot be replaced")
	}
}

func TestNewerSchema(t *testing.T) {
	t.Parallel()
	c := storetest.Config(t, schema()...)
	db, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- db.Run(t.Context()) }()
	if _, err := db.Client().Put(t.Context(), db.SchemaKey(), `{"version":2}`); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, fault.Unsupported) {
		t.Errorf("a running replica: %v", err)
	}
	if _, err := store.Open(t.Context(), c); !errors.Is(err, fault.Unsupported) {
		t.Errorf("a starting replica: %v", err)
	}
	if _, err := db.Client().Put(t.Context(), db.SchemaKey(), `else`); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), c); !errors.Is(err, fault.Internal) {
		t.Errorf("somebody else's prefix: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
