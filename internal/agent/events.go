package agent

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/podid/podid/internal/fault"
)

const (
	eventPause   = 5 * time.Minute // between two events that say the same of a pod
	eventRate    = 1               // a second, over all pods of the node
	eventBurst   = 25
	eventQueue   = 64
	eventTimeout = 5 * time.Second
	maxTold      = 1024 // pods and texts that are remembered
	maxTexts     = 4    // of them, of one pod
	maxNote      = 1024 // bytes, as Kubernetes has it
	maxInstance  = 128  // bytes, as Kubernetes has it
)

// events tells people why a pod got no credentials: `kubectl describe pod` shows it. An event is about a pod that runs on this
// node, as the API server knows it; that the refused token was this pod's own is claimed. It is never worth waiting for: what
// cannot be written at once is dropped and counted.
type events struct {
	api   *Kubernetes
	pods  *pods
	node  string
	now   func() time.Time
	log   *slog.Logger
	pace  *limiter
	count *Counters
	queue chan event

	mu   sync.Mutex
	told map[toldKey]*told
}

// toldKey is what makes two events the same: the request id is not part of it.
type toldKey struct{ uid, text string }

type told struct {
	at    time.Time
	since int // refusals since the event
}

type event struct {
	key  toldKey
	at   podName
	note string
}

func newEvents(c Config, p *pods, count *Counters) *events {
	return &events{
		api: c.Kubernetes, pods: p, node: c.NodeName, now: c.Now, log: c.Logger, count: count,
		pace: newLimiter(eventRate, eventBurst, c.Now), queue: make(chan event, eventQueue), told: make(map[toldKey]*told),
	}
}

// refused notes that a token was refused. It returns at once.
func (v *events) refused(c *claims, err error) {
	if v == nil || c == nil {
		return
	}
	text, ok := worthTelling(err)
	at, here := v.pods.where(c.PodUID)
	if !ok || !here {
		return
	}
	key := toldKey{c.PodUID, text}
	again, due := v.due(key)
	if !due {
		return
	}
	_, note := statusOf(err)
	if again > 0 {
		note = fmt.Sprintf("%s (and %d times before, since the last event)", note[:min(len(note), maxNote-60)], again)
	}
	select {
	case v.queue <- event{key, at, note}:
	default:
		v.drop(key)
	}
}

// worthTelling tells refusals that last from those that the next attempt may not meet, and gives them a text without what
// differs from one to the next.
func worthTelling(err error) (string, bool) {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.code + ": " + r.message, r.final()
	}
	f := fault.Of(err)
	return f.Public, f.Kind == fault.Invalid
}

// due reports whether an event may be written now, and how many were left out since the last.
func (v *events) due(key toldKey) (since int, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.now()
	t := v.told[key]
	if t != nil && now.Sub(t.at) < eventPause {
		t.since++
		return 0, false
	}
	if t != nil {
		since = t.since
	} else if !v.room(key.uid, now) {
		v.count.EventsDropped.Add(1)
		return 0, false
	}
	v.told[key] = &told{at: now}
	return since, true
}

// room forgets what was told long ago, where there is too much. A pod has little of it: whoever forges tokens chooses their pod, and
// what is wrong with them.
func (v *events) room(uid string, now time.Time) bool {
	texts := 0
	for key, t := range v.told {
		switch {
		case now.Sub(t.at) >= eventPause && (key.uid == uid || len(v.told) >= maxTold):
			delete(v.told, key)
		case key.uid == uid:
			texts++
		}
	}
	return len(v.told) < maxTold && texts < maxTexts
}

// drop counts an event that was not written; the next refusal tries again.
func (v *events) drop(key toldKey) {
	v.count.EventsDropped.Add(1)
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.told, key)
}

// run writes events until ctx ends.
func (v *events) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-v.queue:
			if v.pace.wait(ctx) != nil {
				return
			}
			if err := v.write(ctx, e); err != nil {
				v.drop(e.key)
				v.log.DebugContext(ctx, "event dropped", "namespace", e.at.namespace, "pod", e.at.name, "error", err)
				continue
			}
			v.count.EventsWritten.Add(1)
		}
	}
}

func (v *events) write(ctx context.Context, e event) error {
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	name := strings.TrimRight(e.at.name[:min(len(e.at.name), 230)], ".-") + "." + strings.ToLower(rand.Text()[:16])
	type meta struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	}
	type reference struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		meta
		UID string `json:"uid"`
	}
	body, err := json.Marshal(struct {
		APIVersion          string    `json:"apiVersion"`
		Kind                string    `json:"kind"`
		Metadata            meta      `json:"metadata"`
		EventTime           string    `json:"eventTime"`
		ReportingController string    `json:"reportingController"`
		ReportingInstance   string    `json:"reportingInstance"`
		Action              string    `json:"action"`
		Reason              string    `json:"reason"`
		Type                string    `json:"type"`
		Regarding           reference `json:"regarding"`
		Note                string    `json:"note"`
	}{
		APIVersion: "events.k8s.io/v1", Kind: "Event",
		Metadata:            meta{name, e.at.namespace},
		EventTime:           v.now().UTC().Format("2006-01-02T15:04:05.000000Z07:00"),
		ReportingController: "podid.dev/agent", ReportingInstance: v.node[:min(len(v.node), maxInstance)],
		Action: "GetCredentials", Reason: "IdentityRefused", Type: "Warning",
		Regarding: reference{"v1", "Pod", meta{e.at.name, e.at.namespace}, e.key.uid},
		Note:      strings.ToValidUTF8(e.note[:min(len(e.note), maxNote)], ""),
	})
	if err != nil {
		return err
	}
	return v.api.createEvent(ctx, e.at.namespace, body)
}
