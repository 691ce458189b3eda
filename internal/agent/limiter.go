package agent

import (
	"context"
	"sync"
	"time"
)

// limiter is a token bucket. The zero value lets nothing through.
type limiter struct {
	rate  float64 // a second
	burst float64
	now   func() time.Time

	mu    sync.Mutex
	level float64 // below zero: that many have been promised ahead of time
	at    time.Time
}

func newLimiter(rate, burst float64, now func() time.Time) *limiter {
	return &limiter{rate: rate, burst: burst, now: now, level: burst, at: now()}
}

// allow takes one token if there is one now.
func (l *limiter) allow() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fill()
	if l.level < 1 {
		return false
	}
	l.level--
	return true
}

// wait takes the next token and sleeps until it is there. It fails only with ctx.
func (l *limiter) wait(ctx context.Context) error {
	l.mu.Lock()
	l.fill()
	l.level--
	missing := -l.level
	l.mu.Unlock()
	return sleep(ctx, time.Duration(missing/l.rate*float64(time.Second)))
}

func (l *limiter) fill() {
	now := l.now()
	l.level = min(l.burst, l.level+l.rate*max(0, now.Sub(l.at).Seconds()))
	l.at = now
}

// sleep returns after d, or earlier with ctx's error.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
