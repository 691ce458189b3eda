package store_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
	"github.com/podid/podid/internal/store/storetest"
)

type pet struct {
	Name  string
	Count int
	loud  string
}

var errMute = errors.New("a pet named mute does not load")

// Loaded prepares derived data, as domain packages do.
func (p *pet) Loaded() error {
	if p.Name == "mute" {
		return errMute
	}
	p.loud = p.Name + "!"
	return nil
}

var (
	pets  = store.NewTable[pet]("pet")
	words = store.NewTable[string]("word")
)

func schema() []store.Definition { return []store.Definition{pets, words} }

func put(t testing.TB, db *store.DB, key store.Key, p pet) {
	t.Helper()
	update(t, db, func(tx *store.Tx) error {
		pets.Put(tx, key, &p)
		return nil
	})
}

func update(t testing.TB, db *store.DB, f func(*store.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), f); err != nil {
		t.Fatalf("update: %v", err)
	}
}

// until waits for a picture in which f holds.
func until(t testing.TB, db *store.DB, f func(*store.Snapshot) bool) {
	t.Helper()
	for {
		s := db.Snapshot()
		if f(s) {
			return
		}
		select {
		case <-db.Changed(s.Revision()):
		case <-t.Context().Done():
			t.Fatal("the test ended before the change was seen")
		}
	}
}

func TestReadYourWrites(t *testing.T) {
	t.Parallel()
	db := storetest.New(t, schema()...)
	key := store.Key{"default", "cat"}
	before := db.Snapshot()
	update(t, db, func(tx *store.Tx) error {
		word := "hello"
		words.Put(tx, store.Key{"cat"}, &word)
		return pets.Create(tx, key, &pet{Name: "cat", Count: 1})
	})
	s := db.Snapshot()
	got, ok := pets.Get(s, key)
	if !ok || got.Count != 1 || got.loud != "cat!" {
		t.Errorf("got %+v, %v", got, ok)
	}
	if _, ok := words.Get(s, store.Key{"cat"}); !ok {
		t.Error("the other table's record is missing")
	}
	if _, ok := pets.Get(before, key); ok {
		t.Error("an older picture has changed")
	}
	if s.Revision() <= before.Revision() {
		t.Errorf("revision %d follows %d", s.Revision(), before.Revision())
	}
	err := db.Update(t.Context(), func(tx *store.Tx) error { return pets.Create(tx, key, &pet{}) })
	if !errors.Is(err, fault.Exists) {
		t.Errorf("a second Create: %v", err)
	}
	update(t, db, func(tx *store.Tx) error {
		pets.Delete(tx, key)
		pets.Delete(tx, store.Key{"nobody"})
		return nil
	})
	if _, ok := pets.Get(db.Snapshot(), key); ok {
		t.Error("a deleted record is still there")
	}
}

func TestAll(t *testing.T) {
	t.Parallel()
	db := storetest.New(t, schema()...)
	for _, k := range []store.Key{{"b", "x"}, {"a", "y"}, {"ab", "x"}, {"a", "x"}, {"a", "x", "deep"}} {
		put(t, db, k, pet{Name: k.String()})
	}
	list := func(prefix ...string) []string {
		var got []string
		for k, p := range pets.All(db.Snapshot(), prefix) {
			if k.String() != p.Name {
				t.Errorf("key %s has the value of %s", k, p.Name)
			}
			got = append(got, k.String())
		}
		return got
	}
	if diff := cmp.Diff([]string{"a/x", "a/x/deep", "a/y"}, list("a")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a/x", "a/x/deep", "a/y", "ab/x", "b/x"}, list()); diff != "" {
		t.Error(diff)
	}
	if got := list("c"); got != nil {
		t.Errorf("got %v", got)
	}
	update(t, db, func(tx *store.Tx) error {
		pets.Put(tx, store.Key{"a", "w"}, &pet{Name: "a/w"})
		pets.Delete(tx, store.Key{"a", "y"})
		var got []string
		for k := range pets.AllTx(tx, store.Key{"a"}) {
			got = append(got, k.String())
		}
		if want := []string{"a/w", "a/x", "a/x/deep"}; !slices.Equal(got, want) {
			t.Errorf("in the transaction: got %v, want %v", got, want)
		}
		return nil
	})
}

func TestReplicas(t *testing.T) {
	t.Parallel()
	c := storetest.Config(t, schema()...)
	one, two := storetest.Open(t, c), storetest.Open(t, c)
	key := store.Key{"cat"}
	put(t, one, key, pet{Name: "cat", Count: 7})
	until(t, two, func(s *store.Snapshot) bool { p, ok := pets.Get(s, key); return ok && p.Count == 7 })

	t.Run("a fresh read misses nothing", func(t *testing.T) {
		for i := range 20 {
			key := store.Key{"fresh", strconv.Itoa(i)}
			if _, ok, err := pets.Fresh(t.Context(), two, key); ok || err != nil {
				t.Fatalf("before: %v, %v", ok, err)
			}
			put(t, one, key, pet{Name: "cat"})
			got, ok, err := pets.Fresh(t.Context(), two, key)
			if err != nil || !ok || got.loud != "cat!" {
				t.Fatalf("fresh: %+v, %v, %v", got, ok, err)
			}
			if _, ok := pets.Get(two.Snapshot(), key); !ok {
				t.Fatal("the picture is older than the fresh read")
			}
		}
	})
	t.Run("a refusal is never stale", func(t *testing.T) {
		for range 20 {
			create := func(tx *store.Tx) error { return pets.Create(tx, store.Key{"ball"}, &pet{}) }
			remove := func(tx *store.Tx) error { pets.Delete(tx, store.Key{"ball"}); return nil }
			update(t, one, create)
			if err := two.Update(t.Context(), create); !errors.Is(err, fault.Exists) {
				t.Fatalf("create after create: %v", err)
			}
			update(t, one, remove)
			update(t, two, create)
			update(t, two, remove)
		}
	})
}

func TestRestart(t *testing.T) {
	t.Parallel()
	c := store.Config{Dir: filepath.Join(t.TempDir(), "state"), Schema: schema()}
	key := store.Key{"cat"}
	for i := range 3 {
		db, err := store.Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		p, ok := pets.Get(db.Snapshot(), key)
		if ok != (i > 0) || ok && p.Count != i {
			t.Errorf("after %d restarts: %+v, %v", i, p, ok)
		}
		if _, err := store.Open(t.Context(), c); !errors.Is(err, fault.Conflict) {
			t.Errorf("a second open of the folder: %v", err)
		}
		// Nobody follows the watch: an update loads what it needs by itself.
		put(t, db, key, pet{Name: "cat", Count: i + 1})
		storetest.Check(t, db)
		var backup bytes.Buffer
		if err := db.Backup(t.Context(), &backup); err != nil || backup.Len() == 0 {
			t.Errorf("a backup of %d bytes: %v", backup.Len(), err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	socket := "unix://" + filepath.Join(t.TempDir(), "nobody")
	for name, tt := range map[string]struct {
		config store.Config
		kind   fault.Kind
	}{
		"nothing":          {store.Config{}, fault.Invalid},
		"both":             {store.Config{Dir: t.TempDir(), Endpoints: []string{socket}}, fault.Invalid},
		"nobody listening": {store.Config{Endpoints: []string{socket}, StartTimeout: 50 * time.Millisecond}, fault.Unavailable},
		"two of one name":  {store.Config{Dir: t.TempDir(), Schema: []store.Definition{pets, pets}}, fault.Internal},
	} {
		if _, err := store.Open(t.Context(), tt.config); !errors.Is(err, tt.kind) {
			t.Errorf("%s: got %v, want %v", name, err, tt.kind)
		}
	}
}
