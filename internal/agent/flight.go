package agent

import (
	"context"
	"sync"
	"time"
)

// flightTimeout bounds a foreground exchange, attempts and pauses together.
const flightTimeout = 20 * time.Second

// flights holds the exchanges that pods wait for, one a token.
type flights struct {
	mu      sync.Mutex
	waiting map[tokenKey]*flight
}

type flight struct {
	done    chan struct{} // closed when the fields below are set
	granted *granted
	err     error
}

// join waits for the exchange of a token; the first who comes starts it. The exchange belongs to nobody: a waiter whose
// ctx ends leaves, and it goes on. joined reports whether somebody else had started it.
func (f *flights) join(ctx context.Context, key tokenKey, exchange func(context.Context) (*granted, error)) (g *granted, joined bool, err error) {
	f.mu.Lock()
	if f.waiting == nil {
		f.waiting = make(map[tokenKey]*flight)
	}
	fl, joined := f.waiting[key]
	if !joined {
		fl = &flight{done: make(chan struct{})}
		f.waiting[key] = fl
		go func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flightTimeout)
			defer cancel()
			fl.granted, fl.err = exchange(ctx)
			f.mu.Lock()
			delete(f.waiting, key)
			f.mu.Unlock()
			close(fl.done)
		}()
	}
	f.mu.Unlock()
	select {
	case <-fl.done:
		return fl.granted, joined, fl.err
	case <-ctx.Done():
		return nil, joined, unreachable(ctx.Err())
	}
}
