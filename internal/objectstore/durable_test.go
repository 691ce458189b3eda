package objectstore_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/podid/podid/internal/objectstore"
)

func TestGroup_oneSyncServesAllWhoAskedBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		syncs := make(chan error)
		var begun, served, failed atomic.Int64
		wait := objectstore.Group(func() error {
			begun.Add(1)
			return <-syncs
		})
		ask := func(n int) {
			for range n {
				go func() {
					if err := wait(); err != nil {
						failed.Add(1)
					}
					served.Add(1)
				}()
			}
			synctest.Wait()
		}
		check := func(when string, wantBegun, wantServed, wantFailed int64) {
			t.Helper()
			synctest.Wait()
			if begun.Load() != wantBegun || served.Load() != wantServed || failed.Load() != wantFailed {
				t.Errorf("%s: %d begun, %d served, %d failed", when, begun.Load(), served.Load(), failed.Load())
			}
		}
		ask(1)
		check("the first asks", 1, 0, 0)
		ask(100)
		check("a hundred ask while it runs", 1, 0, 0)
		syncs <- nil
		check("the running sync serves only the first", 2, 1, 0)
		ask(1)
		syncs <- errors.New("disk full")
		check("one sync serves the hundred, and fails them all", 3, 101, 100)
		syncs <- nil
		check("the one who came later has a sync of its own", 3, 102, 100)
		ask(1)
		syncs <- nil
		check("after a rest it works again", 4, 103, 100)
	})
}
