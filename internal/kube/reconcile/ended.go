package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/fault"
)

// Ended tells the control plane which pods have ended, so that a token of theirs that somebody kept is worth nothing. Every replica sees
// the ends, and remembers them for a while; the leader tells them. So a new leader tells again what the old one may not have told.
type Ended struct {
	c       EndedConfig
	wake    chan struct{}
	mu      sync.Mutex
	pending map[string]time.Time // not told yet: when it ended
	told    map[string]time.Time // told by this replica
	total   prometheus.Counter
	dropped prometheus.Counter
	waiting prometheus.GaugeFunc
}

// EndedConfig is what an Ended needs; every field is required.
type EndedConfig struct {
	Report func(ctx context.Context, uids []string) error // at most [client.MaxEndedPods]
	Now    func() time.Time
	Logger *slog.Logger
}

const (
	endedMemory = 10 * time.Minute
	// maxEnded bounds what is remembered: 10 minutes of pods ending at 200 a second.
	maxEnded = 120_000

	endedGather    = 100 * time.Millisecond // one call tells what ended in this time
	endedRetry     = 250 * time.Millisecond
	endedRetryMost = 10 * time.Second
	endedPatience  = 15 * time.Second
)

// NewEnded makes an Ended that has seen nothing.
func NewEnded(c EndedConfig) *Ended {
	e := &Ended{
		c: c, wake: make(chan struct{}, 1), pending: map[string]time.Time{}, told: map[string]time.Time{},
		total: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "podid_reconcile_ended_pods_total", Help: "Pods whose end was told to the control plane.",
		}),
	}
	e.dropped = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "podid_reconcile_ended_pods_dropped_total",
		Help: "Pods whose end was more than the control plane remembers of a cluster: their tokens are good until they expire.",
	})
	e.waiting = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "podid_reconcile_ended_pods_pending", Help: "Pods whose end is remembered and not told; on a replica that does not lead, those of the last ten minutes.",
	}, func() float64 { e.mu.Lock(); defer e.mu.Unlock(); return float64(len(e.pending)) })
	return e
}

// Metrics are its collectors.
func (e *Ended) Metrics() []prometheus.Collector {
	return []prometheus.Collector{e.total, e.dropped, e.waiting}
}

// Handler sees the pods of a cache.
func (e *Ended) Handler() toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { e.see(o, false) },
		UpdateFunc: func(_, o any) { e.see(o, false) },
		DeleteFunc: func(o any) { e.see(o, true) },
	}
}

func (e *Ended) see(o any, deleted bool) {
	if gone, ok := o.(toolscache.DeletedFinalStateUnknown); ok { // it ended while nobody watched
		o = gone.Obj
	}
	if p, ok := o.(*corev1.Pod); ok && (deleted || finished(p)) && hasToken(p) {
		e.Add(string(p.UID))
	}
}

// aUID is what the control plane takes for one: a single other one would have it refuse all those that are told with it.
var aUID = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,63}$`)

// Add says that a pod has ended. Saying it again changes nothing.
func (e *Ended) Add(uid string) {
	if !aUID.MatchString(uid) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.pending[uid]; ok {
		return
	}
	if _, ok := e.told[uid]; ok {
		return
	}
	if len(e.pending) >= maxEnded {
		e.forget()
	}
	e.pending[uid] = e.c.Now()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// forget drops what is older than the memory, and if that is not enough, the older half.
func (e *Ended) forget() {
	now := e.c.Now()
	old := func(_ string, at time.Time) bool { return now.Sub(at) >= endedMemory }
	for uid, at := range e.pending {
		if old(uid, at) {
			delete(e.pending, uid)
		}
	}
	if len(e.pending) < maxEnded {
		return
	}
	times := make([]time.Time, 0, len(e.pending))
	for _, at := range e.pending {
		times = append(times, at)
	}
	slices.SortFunc(times, time.Time.Compare)
	middle := times[len(times)/2]
	for uid, at := range e.pending {
		if !at.After(middle) {
			delete(e.pending, uid)
		}
	}
}

// Run is the leader's part: it tells, until ctx ends. What does not come through is told again until it is taken. What is over the limit
// is dropped: a cluster's limit is a day wide, and ends that come after must not wait behind it.
func (e *Ended) Run(ctx context.Context) error {
	e.mu.Lock()
	for uid, at := range e.pending { // from the time when another replica led
		if e.c.Now().Sub(at) >= endedMemory {
			delete(e.pending, uid)
		}
	}
	e.mu.Unlock()
	wait := endedRetry
	for {
		batch := e.batch()
		if len(batch) == 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-e.wake:
			}
			if !sleep(ctx, endedGather) {
				return nil
			}
			continue
		}
		if err := e.tell(ctx, batch); err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // told to end, it has
			}
			if errors.Is(err, fault.Limit) {
				e.c.Logger.ErrorContext(ctx, "ended pods are not taken, their tokens are good until they expire", "pods", len(batch), "error", err)
				e.dropped.Add(float64(len(batch)))
				e.done(batch)
				wait = endedRetry
				continue
			}
			e.c.Logger.WarnContext(ctx, "ended pods cannot be reported", "pods", len(batch), "error", err, "again_in", wait)
			if !sleep(ctx, wait) {
				return nil
			}
			wait = min(2*wait, endedRetryMost)
			continue
		}
		wait = endedRetry
	}
}

// batch is what one call tells.
func (e *Ended) batch() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.c.Now()
	for uid, at := range e.told {
		if now.Sub(at) >= endedMemory {
			delete(e.told, uid)
		}
	}
	uids := make([]string, 0, min(len(e.pending), client.MaxEndedPods))
	for uid := range e.pending {
		if uids = append(uids, uid); len(uids) == client.MaxEndedPods {
			break
		}
	}
	slices.Sort(uids)
	return uids
}

func (e *Ended) tell(ctx context.Context, uids []string) error {
	ctx, cancel := context.WithTimeout(ctx, endedPatience)
	defer cancel()
	if err := e.c.Report(ctx, uids); err != nil {
		return err
	}
	e.total.Add(float64(len(uids)))
	e.done(uids)
	return nil
}

// done notes that nothing more is to be told of pods.
func (e *Ended) done(uids []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, uid := range uids {
		e.told[uid] = e.pending[uid]
		delete(e.pending, uid)
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
