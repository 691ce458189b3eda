// Package follow knows what the control plane wants of one cluster.
//
// A [Follower] polls, and keeps the newest answer where every reader finds it without a lock. An association it has heard of is
// found at once, whether it is the service account's own or for a pattern that it matches. One it has not heard of is asked for, so
// that "no association" is never said of one that was made before the question: a pod that is created right after its association
// gets its identity. What cannot be known is an error and never a "no".
package follow

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/podid/podid/internal/client"
)

const (
	pollWait   = 20 * time.Second       // how long the control plane may hold a poll
	pollMargin = 10 * time.Second       // and how much longer the answer may be on its way
	pollPace   = 100 * time.Millisecond // between the beginnings of two polls: a thousand changes are not a thousand pictures
	firstPause = 200 * time.Millisecond // after a failure, doubling
	lastPause  = 10 * time.Second
)

// Config is what a Follower needs. Cluster, Watch and Find are required.
type Config struct {
	Cluster string
	Watch   func(ctx context.Context, after int64, wait time.Duration) (*client.Wanted, error) // one long poll
	Find    func(ctx context.Context, namespace, serviceAccount string) (bool, error)          // asks the control plane, and gets the truth of that moment or a later one
	Now     func() time.Time                                                                   // nil: time.Now
	Logger  *slog.Logger                                                                       // nil: nothing is logged
}

// Follower follows what is wanted. It is safe for concurrent use.
type Follower struct {
	c       Config
	picture atomic.Pointer[picture]
	slots   chan struct{} // one for each question under way

	mu        sync.Mutex
	questions map[identity]*question
}

// picture is one answer, ready for lookups. It never changes.
type picture struct {
	wanted *client.Wanted // nil: no answer yet
	known  *Known
	newer  chan struct{} // closed when there is a newer one
}

// identity is a service account by its full name.
type identity struct{ namespace, serviceAccount string }

// New makes a Follower that knows nothing yet.
func New(c Config) *Follower {
	if c.Watch == nil || c.Find == nil {
		panic("follow: Watch and Find are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	f := &Follower{c: c, slots: make(chan struct{}, questionsAtOnce), questions: map[identity]*question{}}
	f.picture.Store(&picture{newer: make(chan struct{})})
	return f
}

// Wanted is the newest answer, nil before the first. It is shared and must not be changed.
func (f *Follower) Wanted() *client.Wanted { return f.picture.Load().wanted }

// Synced reports whether there was an answer.
func (f *Follower) Synced() bool { return f.Wanted() != nil }

// Changed is closed once there is something newer than now. Who wants to miss nothing takes it before looking at Wanted.
func (f *Follower) Changed() <-chan struct{} { return f.picture.Load().newer }

// Run polls until ctx ends, whose error it returns. It never gives up: a cluster that is unknown or not permitted now may be
// connected later. What was known stays known meanwhile.
func (f *Follower) Run(ctx context.Context) error {
	failures := 0
	for {
		began := f.c.Now()
		err := f.poll(ctx)
		pause := pollPace - f.c.Now().Sub(began)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			failures++
			pause = backoff(failures)
			if failures == 1 {
				f.c.Logger.WarnContext(ctx, "cannot follow what is wanted of the cluster, will try again", "cluster", f.c.Cluster, "error", err)
			} else {
				f.c.Logger.DebugContext(ctx, "still cannot follow what is wanted of the cluster", "cluster", f.c.Cluster, "failures", failures, "error", err)
			}
		case failures > 0:
			f.c.Logger.InfoContext(ctx, "following what is wanted of the cluster again", "cluster", f.c.Cluster, "failures", failures)
			failures = 0
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// poll asks once, and shows the answer if it is news.
func (f *Follower) poll(ctx context.Context) error {
	known := f.picture.Load()
	var after int64
	if known.wanted != nil {
		after = known.wanted.Revision
	}
	ctx, cancel := context.WithTimeout(ctx, pollWait+pollMargin)
	defer cancel()
	wanted, err := f.c.Watch(ctx, after, pollWait)
	if err != nil {
		return fmt.Errorf("watch cluster %s: %w", f.c.Cluster, err)
	}
	if known.wanted != nil && wanted.Revision == after {
		return nil
	}
	p := &picture{wanted: wanted, known: KnownBy(wanted), newer: make(chan struct{})}
	f.picture.Store(p)
	close(known.newer)
	return nil
}

// backoff is the pause after so many failures in a row: doubling, and at random up to a half shorter, so that the operators of
// many clusters do not come back to a control plane at the same moment.
func backoff(failures int) time.Duration {
	d := min(firstPause<<min(failures-1, 16), lastPause)
	return d - rand.N(d/2) //nolint:gosec // nobody gains by guessing
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
