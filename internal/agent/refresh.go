package agent

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	refreshTimeout  = time.Minute
	refreshAtOnce   = 16               // renewals under way at one time
	sdkMargin       = 20 * time.Minute // SDKs ask anew 5 to 15 minutes before expiry and must find newer credentials by then
	firstRetryPause = 30 * time.Second
	lastRetryPause  = 5 * time.Minute
)

// renewAt says when credentials that were got now are renewed: after min(retention, half their lifetime, all but the last 20
// minutes of it), a little earlier at random so that pods that started together part. Sessions under 27 minutes keep a
// quarter of their lifetime, or they would be renewed without end. spec: pod-identity.md 4.5
func renewAt(now time.Time, lifetime, retention time.Duration) time.Time {
	d := max(min(lifetime/2, lifetime-sdkMargin), lifetime/4)
	d = min(d, retention)
	return now.Add(d - jitter(d/10))
}

// retryAt says when a failed renewal is tried again: after 30 s, doubling to 5 min, at random up to a
// quarter earlier. The last look is when the credentials can no longer be served, and ends the entry.
func retryAt(now time.Time, failures int, expires time.Time) time.Time {
	d := min(firstRetryPause<<min(failures-1, 10), lastRetryPause)
	at := now.Add(d - jitter(d/4))
	if end := expires.Add(-minRemaining); at.After(end) {
		return end
	}
	return at
}

func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d) //nolint:gosec // nobody gains by guessing
}

// dueAt is when an entry needs attention: for its renewal, or because its token is spent and nobody can present it again.
func dueAt(c *claims, renew time.Time) time.Time {
	if !c.Expires.IsZero() && c.Expires.Before(renew) {
		return c.Expires
	}
	return renew
}

// refresher renews cached sessions until ctx ends. It is paced, so that a node never spends more than its share of the
// service's rate on renewals, and it does not renew what nobody asked for.
func (s *Server) refresher(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	slots := make(chan struct{}, refreshAtOnce)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		e, wait, ok := s.cache.takeDue(s.c.Now())
		if e == nil {
			if !ok {
				wait = time.Hour // an arrival wakes us
			}
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return
			case <-s.cache.wake:
			case <-timer.C:
			}
			continue
		}
		if s.abandoned(e) {
			s.cache.evict(e)
			continue
		}
		if s.pace.wait(ctx) != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case slots <- struct{}{}:
		}
		running.Go(func() {
			defer func() { <-slots }()
			s.refresh(ctx, e)
		})
	}
}

// abandoned reports whether an entry is not worth a renewal: its token can no longer be presented, its credentials are spent,
// its pod has ended, or no pod asked during a whole lifetime. A pod that is gone thus costs one renewal at most, not a day of
// them.
func (s *Server) abandoned(e *entry) bool {
	now := s.c.Now()
	asked := time.Unix(0, e.asked.Load())
	return e.claims.current(now) != nil || !e.granted.usable(now) || now.Sub(asked) >= e.granted.lifetime ||
		s.pods.look(e.claims.PodUID) == over
}

// refresh renews one session. It alone writes e.granted of an entry that is out of the queue.
func (s *Server) refresh(ctx context.Context, e *entry) {
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	g, err := s.exchange(ctx, e.token)
	now := s.c.Now()
	switch {
	case err == nil:
		s.count.Renewed.Add(1)
		s.cache.replace(e, g, dueAt(&e.claims, renewAt(now, g.lifetime, s.c.MaxRetention)))
		e.log.DebugContext(ctx, "credentials renewed", "request_id", g.requestID, "expires", g.expires)
	case final(err):
		s.count.RenewalsRefused.Add(1)
		s.count.renewalFailed(err)
		s.cache.evict(e)
		s.events.refused(&e.claims, err)
		e.log.WarnContext(ctx, "credentials ended: renewal refused", "error", err)
	default:
		s.count.RenewalsFailed.Add(1)
		s.count.renewalFailed(err)
		s.cache.postpone(e, func(failures int, expires time.Time) time.Time { return retryAt(now, failures, expires) })
		e.log.WarnContext(ctx, "credentials not renewed, will try again", "error", err)
	}
}
