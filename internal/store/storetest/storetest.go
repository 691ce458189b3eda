// Package storetest gives tests a real store: one embedded etcd per test binary, one prefix per test.
package storetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/zap"

	"github.com/podid/podid/internal/store"
	"github.com/podid/podid/internal/store/internal/embedded"
)

// folder begins the names of the etcd folders.
const folder = "podid-storetest-"

// member is the etcd of this test binary. It does not sync its files, and ends with the process; the next test binary removes
// its folder, as nothing runs after the last test.
var (
	member   = sync.OnceValues(startMember)
	prefixes atomic.Int64
)

func startMember() (endpoint string, err error) {
	stale, err := filepath.Glob(filepath.Join(os.TempDir(), folder+"*"))
	if err != nil {
		return "", err
	}
	for _, dir := range stale {
		if err := embedded.RemoveUnused(dir); err != nil {
			return "", err
		}
	}
	dir, err := os.MkdirTemp("", folder)
	if err != nil {
		return "", err
	}
	socket := filepath.Join(dir, "s")
	_, err = embedded.Start(context.Background(), embedded.Config{Dir: dir, Logger: zap.NewNop(), Socket: socket, NoFsync: true})
	return "unix://" + socket, err
}

// New opens a store of its own for the test and runs it until the test ends, when [Check] has the last word.
func New(t testing.TB, schema ...store.Definition) *store.DB {
	t.Helper()
	return Open(t, Config(t, schema...))
}

// Config is a configuration with a fresh prefix on the etcd of this test binary. Opened twice, it gives two replicas.
func Config(t testing.TB, schema ...store.Definition) store.Config {
	t.Helper()
	endpoint, err := member()
	if err != nil {
		t.Fatalf("start etcd: %v", err)
	}
	return store.Config{
		Endpoints: []string{endpoint},
		Prefix:    fmt.Sprintf("test-%d", prefixes.Add(1)),
		Schema:    schema,
	}
}

// Open opens a store and runs it until the test ends, when [Check] has the last word.
func Open(t testing.TB, c store.Config) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), c)
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- db.Run(ctx) }()
	t.Cleanup(func() {
		Check(t, db)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run the store: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return db
}

// Check is the store's invariant: once the local picture has caught up, it equals a full linearizable read of etcd.
func Check(t testing.TB, db *store.DB) {
	t.Helper()
	if err := db.Verify(context.Background()); err != nil {
		t.Errorf("the picture differs from etcd: %v", err)
	}
}
