package agent

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/podid/podid/internal/fault"
)

const (
	endedFor     = 24 * time.Hour // tokens live no longer, as kubelet gets them
	maxEnded     = 10_000         // pods; a node has hundreds a day, and the oldest are forgotten first
	confirmFor   = 10 * time.Second
	maxConfirmed = 1000
	askTimeout   = 500 * time.Millisecond // of a pod's patience, for the API server
	askPause     = 5 * time.Second        // after the API server did not answer
	askRate      = 25                     // questions a second about pods that the watch has not shown
	askBurst     = 250                    // a node's worth of pods
	showWait     = time.Second            // for the watch, where no more may be asked
	showPoll     = 50 * time.Millisecond
)

// pods is which pods run on this node, as the API server tells. It only ever refuses what it knows: while the API server does
// not answer, EKS Auth decides alone.
type pods struct {
	api   *Kubernetes
	node  string
	now   func() time.Time
	log   *slog.Logger
	pace  *limiter
	count *Counters
	ended func(uid string) // told of every pod that ends
	// newest is the last resource version that was heard of; only run touches it.
	newest string

	mu        sync.RWMutex
	watching  bool               // what happens now, we hear of
	live      map[string]podName // by UID
	gone      map[string]time.Time
	order     []gonePod            // of gone, oldest first
	confirmed map[string]time.Time // pods that the watch has not shown, and the API server knows
	askAgain  time.Time            // no question before this
}

type gonePod struct {
	uid string
	at  time.Time
}

func newPods(c Config, count *Counters, ended func(uid string)) *pods {
	return &pods{
		api: c.Kubernetes, node: c.NodeName, now: c.Now, log: c.Logger, count: count, ended: ended, newest: "0",
		pace: newLimiter(askRate, askBurst, c.Now),
		live: make(map[string]podName), gone: make(map[string]time.Time), confirmed: make(map[string]time.Time),
	}
}

// presence is what is known of a pod without asking.
type presence uint8

const (
	unknown presence = iota // never seen, and whoever could say is not there
	unseen                  // never seen, although we watch
	living
	over // seen, and gone
)

// look is on the path of every request. No pods (nil) know nothing.
func (p *pods) look(uid string) presence {
	if p == nil || uid == "" {
		return unknown
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if _, ok := p.live[uid]; ok {
		return living
	}
	if _, ok := p.gone[uid]; ok {
		return over
	}
	if !p.watching {
		return unknown
	}
	return unseen
}

// check says why the pod that a token claims gets no credentials, if it does not. A pod that the watch has not shown, and only
// such a one, costs a question to the API server.
func (p *pods) check(ctx context.Context, c *claims) error {
	if p == nil || c.PodUID == "" {
		return nil
	}
	if c.Node != "" && c.Node != p.node {
		p.count.Elsewhere.Add(1)
		return p.elsewhere(c.Node)
	}
	switch p.look(c.PodUID) {
	case over:
		p.count.Ended.Add(1)
		return hasEnded()
	case unseen:
		return p.ask(ctx, c)
	case unknown, living:
	}
	return nil
}

// errOfPod marks refusals that are about the pod a token claims, and came from this agent.
var errOfPod = errors.New("refused for its pod")

func ofPod(format string, args ...any) error {
	return fault.New(fault.Invalid, "pod", format, args...).Because(errOfPod)
}

func hasEnded() error { return ofPod("Service account token is of a pod that has ended") }

func (p *pods) elsewhere(node string) error {
	return ofPod("Service account token is of a pod on node %q, and this is node %q", oneLine(node), p.node)
}

// The names that a path to the API server may be made of: what Kubernetes lets a namespace and a pod be called.
var (
	namespaceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	objectName    = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
)

// ask asks the API server for one pod. What it says of forged claims is kept nowhere, or whoever writes another pod's UID into a
// token would end that pod.
func (p *pods) ask(ctx context.Context, c *claims) error {
	if !namespaceName.MatchString(c.Namespace) || !objectName.MatchString(c.Pod) {
		p.count.Absent.Add(1)
		return ofPod("Service account token names no pod that could be")
	}
	now := p.now()
	p.mu.RLock()
	rests := now.Before(p.askAgain)
	_, sure := p.confirmed[c.PodUID]
	sure = sure && now.Sub(p.confirmed[c.PodUID]) < confirmFor
	p.mu.RUnlock()
	if sure || rests {
		return nil
	}
	if !p.pace.allow() {
		return p.wait(ctx, c.PodUID)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	got, err := p.api.getPod(ctx, podName{c.Namespace, c.Pod})
	switch {
	case answeredWith(err, http.StatusNotFound):
		p.count.Absent.Add(1)
		return hasEnded()
	case err != nil:
		p.log.WarnContext(ctx, "the API server was not able to tell of a pod; EKS Auth decides alone", "error", err,
			"claimed_namespace", c.Namespace, "claimed_pod", c.Pod, "claimed_pod_uid", c.PodUID)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.askAgain = now.Add(askPause)
		return nil
	case got.uid != c.PodUID || got.ended:
		p.count.Absent.Add(1)
		return hasEnded()
	case got.node != p.node:
		p.count.Elsewhere.Add(1)
		return p.elsewhere(got.node)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.confirmed) >= maxConfirmed {
		clear(p.confirmed)
	}
	p.confirmed[c.PodUID] = now
	return nil
}

// wait is for a node that gets pods faster than may be asked about: what is true of a new pod, the watch is about to show.
func (p *pods) wait(ctx context.Context, uid string) error {
	for range showWait / showPoll {
		if sleep(ctx, showPoll) != nil {
			break
		}
		switch p.look(uid) {
		case unseen:
		case over:
			p.count.Ended.Add(1)
			return hasEnded()
		case unknown, living:
			return nil
		}
	}
	return tooMany()
}

// where is the name of a pod that runs here.
func (p *pods) where(uid string) (podName, bool) {
	if p == nil {
		return podName{}, false
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	at, ok := p.live[uid]
	return at, ok
}

func (p *pods) setWatching(ctx context.Context, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if on {
		p.log.DebugContext(ctx, "pods of this node are watched", "pods", len(p.live))
	}
	p.watching = on
}

// begin notes a pod that runs. One that was gone is back: only the API server knows.
func (p *pods) begin(uid string, at podName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live[uid] = at
	delete(p.gone, uid)
	delete(p.confirmed, uid)
}

// end notes that a pod is gone.
func (p *pods) end(uid string) {
	p.mu.Lock()
	p.bury(uid)
	p.mu.Unlock()
	p.ended(uid)
}

// replace notes the pods that run now; all others that did are gone.
func (p *pods) replace(now map[string]podName) {
	var ended []string
	p.mu.Lock()
	for uid := range p.live {
		if _, still := now[uid]; !still {
			p.bury(uid)
			ended = append(ended, uid)
		}
	}
	for uid := range now {
		delete(p.gone, uid)
		delete(p.confirmed, uid)
	}
	p.live = now
	p.mu.Unlock()
	for _, uid := range ended {
		p.ended(uid)
	}
}

// bury remembers a pod that is gone, and forgets those that nobody has a token of any more.
func (p *pods) bury(uid string) {
	now := p.now()
	delete(p.live, uid)
	delete(p.confirmed, uid)
	p.gone[uid] = now
	p.order = append(p.order, gonePod{uid, now})
	for len(p.order) > maxEnded || now.Sub(p.order[0].at) > endedFor {
		if first := p.order[0]; p.gone[first.uid].Equal(first.at) {
			delete(p.gone, first.uid)
		}
		p.order = p.order[1:]
	}
}

// state is the numbers for the metrics.
func (p *pods) state() (live int, watching bool) {
	if p == nil {
		return 0, false
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return len(p.live), p.watching
}
