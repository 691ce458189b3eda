package publish_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/kube/publish"
)

// world is a cluster and a control plane in a test's hand.
type world struct {
	mu      sync.Mutex
	jwks    []byte
	nodes   []client.ReportNode
	wanted  *client.Wanted
	changed chan struct{}
	refuse  error
	told    []client.Report
}

func (w *world) do(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *world) publisher(t *testing.T, keys publish.Store) *publish.Publisher {
	t.Helper()
	return publish.New(publish.Config{
		Identity: func(context.Context) (*publish.Identity, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return &publish.Identity{Issuer: issuer, JWKS: w.jwks, Version: "1.36"}, nil
		},
		Keys:    keys,
		Wanted:  func() *client.Wanted { w.mu.Lock(); defer w.mu.Unlock(); return w.wanted },
		Changed: func() <-chan struct{} { w.mu.Lock(); defer w.mu.Unlock(); return w.changed },
		See: func(context.Context, *client.Wanted) ([]client.ReportNode, []client.ReportAddon, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return slices.Clone(w.nodes), []client.ReportAddon{}, nil
		},
		Put: func(_ context.Context, r client.Report) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.refuse != nil {
				return w.refuse
			}
			w.told = append(w.told, r)
			return nil
		},
		Now: time.Now, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
}

func configMap(t *testing.T) publish.ConfigMap {
	t.Helper()
	return publish.ConfigMap{API: fake.NewClientset().CoreV1().ConfigMaps("podid-system")}
}

// run runs a publisher until the test or the returned function ends it.
func run(t *testing.T, p *publish.Publisher) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestPublisher_tellsWhatChanges(t *testing.T) {
	t.Parallel()
	_, jwks := newKey(t)
	synctest.Test(t, func(t *testing.T) {
		w := &world{jwks: jwks, changed: make(chan struct{}), nodes: []client.ReportNode{{Name: "a"}}}
		p := w.publisher(t, configMap(t))
		stop := run(t, p)
		defer stop()
		count := func(after time.Duration, want int, why string) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			w.do(func() {
				if len(w.told) != want {
					t.Errorf("%s: %d reports, want %d", why, len(w.told), want)
				}
			})
		}
		count(0, 1, "at the start")
		count(30*time.Second, 1, "nothing changes")
		w.do(func() { w.nodes[0].Ready = true })
		for range 100 {
			p.Poke()
		}
		count(200*time.Millisecond, 1, "it waits whether more changes")
		count(100*time.Millisecond, 2, "then it tells once")
		w.do(func() { w.wanted = &client.Wanted{Revision: 7}; close(w.changed); w.changed = make(chan struct{}) })
		count(300*time.Millisecond, 3, "what is wanted changed: what is DELETING goes by a report, be it the same")
		count(2*time.Minute, 5, "every minute, whatever the control plane may have lost")
		w.do(func() {
			want := client.Report{
				Issuer: issuer, JWKS: w.told[0].JWKS, Version: "1.36", Nodes: []client.ReportNode{{Name: "a", Ready: true}}, Addons: []client.ReportAddon{},
			}
			if diff := cmp.Diff(want, w.told[4]); diff != "" {
				t.Error(diff)
			}
		})
	})
}

func TestPublisher_aRotationOutlivesARestart(t *testing.T) {
	t.Parallel()
	oldID, oldSet := newKey(t)
	newID, newSet := newKey(t)
	synctest.Test(t, func(t *testing.T) {
		w := &world{jwks: oldSet, changed: make(chan struct{})}
		kept := configMap(t)
		stop := run(t, w.publisher(t, kept))
		time.Sleep(time.Minute)
		stop()
		w.do(func() { w.jwks, w.told = newSet, nil }) // while no operator runs
		stop = run(t, w.publisher(t, kept))
		defer stop()
		last := func(after time.Duration, want ...string) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			w.do(func() {
				if diff := cmp.Diff(want, ids(t, w.told[len(w.told)-1].JWKS)); diff != "" {
					t.Errorf("after %s: %s", after, diff)
				}
			})
		}
		last(0, newID, oldID)
		last(24*time.Hour, newID, oldID)
		last(2*time.Hour, newID)
		w.do(func() { w.jwks = oldSet })
		last(10*time.Second, oldID, newID)
		if err := kept.API.Delete(t.Context(), "podid-operator-keys", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		last(10*time.Second, oldID) // forgotten, because somebody said so
	})
}

func TestPublisher_neverTellsAnEmptySetAndGoesOn(t *testing.T) {
	t.Parallel()
	_, jwks := newKey(t)
	synctest.Test(t, func(t *testing.T) {
		w := &world{jwks: []byte(`{"keys":[]}`), changed: make(chan struct{})}
		p := w.publisher(t, configMap(t))
		stop := run(t, p)
		defer stop()
		time.Sleep(time.Hour)
		synctest.Wait()
		w.do(func() {
			if len(w.told) != 0 {
				t.Errorf("told %v", w.told)
			}
			w.jwks, w.refuse = jwks, fault.New(fault.Unavailable, "control plane", "away")
		})
		time.Sleep(time.Hour)
		w.do(func() { w.refuse = nil })
		time.Sleep(31 * time.Second)
		synctest.Wait()
		w.do(func() {
			if len(w.told) != 1 {
				t.Errorf("told %d reports, want 1 within half a minute", len(w.told))
			}
		})
		registry := prometheus.NewRegistry()
		registry.MustRegister(p.Metrics()...)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				name := []string{f.GetName()}
				for _, l := range m.GetLabel() {
					name = append(name, l.GetValue())
				}
				got[strings.Join(name, " ")] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
		if got["podid_publish_keys served"] != 1 || got["podid_publish_keys kept"] != 0 || got["podid_publish_reports_total ok"] != 1 ||
			got["podid_publish_reports_total invalid"] < 100 || got["podid_publish_reports_total unavailable"] < 100 {
			t.Errorf("the metrics are %v", got)
		}
	})
}

// broken is a Store that cannot be reached.
type broken struct{}

func (broken) Load(context.Context) (publish.Keys, error) { return publish.Keys{}, nil }
func (broken) Save(context.Context, publish.Keys) error   { return errors.New("no") }

func TestPublisher_tellsNoKeyThatItCouldForget(t *testing.T) {
	t.Parallel()
	_, jwks := newKey(t)
	synctest.Test(t, func(t *testing.T) {
		w := &world{jwks: jwks, changed: make(chan struct{})}
		stop := run(t, w.publisher(t, broken{}))
		defer stop()
		time.Sleep(time.Minute)
		synctest.Wait()
		w.do(func() {
			if len(w.told) != 0 {
				t.Errorf("told %v", w.told)
			}
		})
	})
}
