package reconcile_test

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/kube/reconcile"
)

// register is a control plane that notes whose end it was told.
type register struct {
	mu      sync.Mutex
	refuse  error
	refused int
	calls   [][]string
}

func (r *register) report(_ context.Context, uids []string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse != nil {
		r.refused++
		return r.refuse
	}
	r.calls = append(r.calls, uids)
	return nil
}

func (r *register) told() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Concat(r.calls...)
	slices.Sort(all)
	return all
}

func ended(t *testing.T, r *register) *reconcile.Ended {
	t.Helper()
	return reconcile.NewEnded(reconcile.EndedConfig{Report: r.report, Now: time.Now, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
}

func leads(t *testing.T, e *reconcile.Ended) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestEnded_tellsInBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &register{}
		e := ended(t, r)
		stop := leads(t, e)
		defer stop()
		synctest.Wait()
		for i := range 250 {
			e.Add(strconv.Itoa(i))
			e.Add(strconv.Itoa(i))
		}
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		if n := len(r.told()); n != 250 || len(r.calls) != 3 || len(r.calls[0]) != client.MaxEndedPods {
			t.Errorf("%d pods in %d calls within half a second", n, len(r.calls))
		}
		e.Add("0")
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(r.calls) != 3 {
			t.Errorf("an end was told again: %v", r.calls[3:])
		}
	})
}

func TestEnded_tellsUntilItIsTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &register{refuse: fault.New(fault.Unavailable, "control plane", "away")}
		e := ended(t, r)
		stop := leads(t, e)
		defer stop()
		e.Add("a")
		time.Sleep(time.Hour)
		r.mu.Lock()
		r.refuse = nil
		r.mu.Unlock()
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if got := r.told(); !slices.Equal(got, []string{"a"}) {
			t.Errorf("told %v", got)
		}
	})
}

// A limit is a day wide, and a UID that is none stays none: neither may hold up other ends.
func TestEnded_dropsWhatIsOverTheLimit(t *testing.T) {
	t.Parallel()
	for _, kind := range []fault.Kind{fault.Limit, fault.NotFound} {
		synctest.Test(t, func(t *testing.T) {
			r := &register{refuse: fault.New(kind, "ended pods", "no")}
			e := ended(t, r)
			stop := leads(t, e)
			defer stop()
			e.Add("a")
			e.Add("b")
			e.Add("no uid")
			e.Add("")
			time.Sleep(time.Minute)
			synctest.Wait()
			r.mu.Lock()
			asked := r.refused
			r.refuse = nil
			r.mu.Unlock()
			e.Add("a")
			e.Add("c")
			time.Sleep(11 * time.Second)
			synctest.Wait()
			want, dropped, most := []string{"c"}, 2.0, 1
			if kind == fault.NotFound { // a cluster that is not there may be connected later
				want, dropped, most = []string{"a", "b", "c"}, 0, 20
			}
			if got := r.told(); !slices.Equal(got, want) || asked > most {
				t.Errorf("%v: told %v after %d refusals, want %v", kind, got, asked, want)
			}
			if got := value(t, e, "podid_reconcile_ended_pods_dropped_total"); got != dropped {
				t.Errorf("%v: %v counted as dropped", kind, got)
			}
		})
	}
}

// value is that of a counter among the metrics.
func value(t *testing.T, e *reconcile.Ended, name string) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(e.Metrics()...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

func TestEnded_aNewLeaderTellsWhatTheOldOneMayHaveMissed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &register{}
		standby := ended(t, r)
		standby.Add("old")
		time.Sleep(5 * time.Minute)
		standby.Add("recent")
		time.Sleep(5 * time.Minute)
		stop := leads(t, standby)
		defer stop()
		time.Sleep(time.Second)
		synctest.Wait()
		if got := r.told(); !slices.Equal(got, []string{"recent"}) {
			t.Errorf("told %v, want what ended in the last ten minutes", got)
		}
	})
}

func TestEnded_seesPodsWithATokenAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &register{}
		e := ended(t, r)
		stop := leads(t, e)
		defer stop()
		h := e.Handler()
		pod := func(uid string, phase corev1.PodPhase, changes ...func(*corev1.Pod)) *corev1.Pod {
			p := sweptPod(changes...)
			p.UID, p.Status.Phase = types.UID(uid), phase
			return p
		}
		h.OnAdd(pod("running", corev1.PodRunning, withVolume), false)
		h.OnAdd(pod("succeeded", corev1.PodSucceeded, withVolume), true)
		h.OnUpdate(pod("failed", corev1.PodRunning, withVolume), pod("failed", corev1.PodFailed, withVolume))
		going := pod("going", corev1.PodRunning, withVolume)
		going.DeletionTimestamp = new(metav1.Now())
		h.OnUpdate(going, going) // it may still run to its end
		h.OnDelete(pod("deleted", corev1.PodRunning, withVolume))
		h.OnDelete(toolscache.DeletedFinalStateUnknown{Obj: pod("missed", corev1.PodRunning, withVolume)})
		h.OnDelete(pod("stranger", corev1.PodRunning))
		time.Sleep(time.Second)
		synctest.Wait()
		if got, want := r.told(), []string{"deleted", "failed", "missed", "succeeded"}; !slices.Equal(got, want) {
			t.Errorf("told %v, want %v", got, want)
		}
	})
}
