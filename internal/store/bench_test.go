package store_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/podid/podid/internal/store"
	"github.com/podid/podid/internal/store/storetest"
)

// association is a record of ordinary size.
type association struct {
	ID, ARN, Cluster, Namespace, ServiceAccount, RoleARN string
	Tags                                                 map[string]string
}

var associations = store.NewTable[association]("association")

const (
	records = 100_000
	batch   = 100
)

func associationKey(i int) store.Key {
	return store.Key{"123456789012", "production", fmt.Sprintf("namespace-%d", i/100), fmt.Sprintf("service-account-%d", i%100)}
}

// fill writes records in batches.
func fill(b *testing.B, db *store.DB) {
	b.Helper()
	for i := 0; i < records; i += batch {
		if err := db.Update(context.Background(), func(tx *store.Tx) error {
			for k := i; k < i+batch; k++ {
				key := associationKey(k)
				associations.Put(tx, key, &association{
					ID:        fmt.Sprintf("a-%017d", k),
					ARN:       fmt.Sprintf("arn:aws:eks:us-east-1:123456789012:podidentityassociation/production/a-%017d", k),
					Cluster:   key[1],
					Namespace: key[2], ServiceAccount: key[3],
					RoleARN: fmt.Sprintf("arn:aws:iam::123456789012:role/team-%d/reader", k/100),
				})
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkStore measures reads among 100,000 records, what a record costs in memory, and how long a replica takes to load them.
func BenchmarkStore(b *testing.B) {
	c := storetest.Config(b, associations)
	writer := storetest.Open(b, c)
	fill(b, writer)
	b.Run("Load", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			before := heap()
			b.StartTimer()
			db, err := store.Open(context.Background(), c)
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			b.ReportMetric(float64(heap()-before)/records, "B/record")
			if err := db.Close(); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	b.Run("Get", func(b *testing.B) {
		s := writer.Snapshot()
		key := associationKey(records / 2)
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := associations.Get(s, key); !ok {
				b.Fatal("absent")
			}
		}
	})
	b.Run("All of 100", func(b *testing.B) {
		s := writer.Snapshot()
		prefix := associationKey(records / 2)[:3]
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			for range associations.All(s, prefix) {
				n++
			}
			if n != 100 {
				b.Fatal(n)
			}
		}
	})
}

// BenchmarkVisible measures the time from the start of a write on one replica until another one shows it.
func BenchmarkVisible(b *testing.B) {
	c := storetest.Config(b, schema()...)
	writer, reader := storetest.Open(b, c), storetest.Open(b, c)
	i := 0
	for b.Loop() {
		i++
		put(b, writer, store.Key{"cat"}, pet{Count: i})
		until(b, reader, func(s *store.Snapshot) bool { p, ok := pets.Get(s, store.Key{"cat"}); return ok && p.Count == i })
	}
}

// BenchmarkUpdateDurable measures a write to the embedded etcd, synced to the disk.
func BenchmarkUpdateDurable(b *testing.B) {
	db, err := store.Open(context.Background(), store.Config{Dir: b.TempDir(), Schema: schema()})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- db.Run(ctx) }()
	for b.Loop() {
		put(b, db, store.Key{"cat"}, pet{Name: "cat"})
	}
	cancel()
	if err := <-done; err != nil {
		b.Error(err)
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkOpenEmbedded measures the start of an empty embedded store.
func BenchmarkOpenEmbedded(b *testing.B) {
	for b.Loop() {
		db, err := store.Open(context.Background(), store.Config{Dir: b.TempDir(), Schema: schema()})
		if err != nil {
			b.Fatal(err)
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSync(b *testing.B) {
	db := storetest.New(b, schema()...)
	for b.Loop() {
		if err := db.Sync(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
