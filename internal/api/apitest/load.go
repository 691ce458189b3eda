package apitest

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Load measures requests over HTTP, the client on the same cores. Prepare makes n requests, before the clock runs, and returns what
// sends the one of an index; requests are sent side by side.
//
// full reports requests a second, half the median and the 99th percentile of the latency when requests come at half that rate.
func Load(b *testing.B, prepare func(b *testing.B, n int) (send func(b *testing.B, i int))) {
	b.Helper()
	rate := 2000.0
	b.Run("full", func(b *testing.B) {
		send := prepare(b, b.N)
		var next atomic.Int64
		b.ReportAllocs()
		b.ResetTimer()
		start := clock()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				send(b, int(next.Add(1)-1))
			}
		})
		rate = float64(b.N) / clock().Sub(start).Seconds()
		b.ReportMetric(rate, "req/s")
	})
	b.Run("half", func(b *testing.B) {
		send := prepare(b, b.N)
		took := make([]time.Duration, b.N)
		pace := time.NewTicker(time.Millisecond) // tickers are no finer: requests come in small bursts
		burst := max(1, int(rate/2/1000))
		defer pace.Stop()
		b.ResetTimer()
		var wait sync.WaitGroup
		var due time.Time
		for i := range b.N {
			if i%burst == 0 {
				due = <-pace.C
			}
			at := due
			wait.Go(func() {
				send(b, i)
				took[i] = clock().Sub(at)
			})
		}
		wait.Wait()
		slices.Sort(took)
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
		b.ReportMetric(float64(took[b.N*99/100])/1e6, "p99-ms")
		b.ReportMetric(float64(took[b.N/2])/1e6, "p50-ms")
	})
}
