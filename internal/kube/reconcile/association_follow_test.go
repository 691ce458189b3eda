package reconcile_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/kube/reconcile"
)

// follower hands out pictures one after the other.
type follower struct {
	mu     sync.Mutex
	wanted *client.Wanted
	newer  chan struct{}
}

func (f *follower) Wanted() *client.Wanted {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wanted
}

func (f *follower) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.newer
}

func (f *follower) show(accounts map[string]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wanted = &client.Wanted{}
	for name, id := range accounts {
		f.wanted.Associations = append(f.wanted.Associations, client.WantedAssociation{AssociationID: id, Namespace: "shop", ServiceAccount: name})
	}
	close(f.newer)
	f.newer = make(chan struct{})
}

func TestAssociation_whatOthersDoIsLookedAtAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &follower{newer: make(chan struct{})}
		w := newObjects(t, func(c *reconcile.ResourcesConfig) { c.Follower = f }, association("a", "a", reader), association("b", "b", reader))
		if err := w.look(w.Associations, "shop", "b"); err != nil {
			t.Fatal(err)
		}
		id := w.association("b").Status.AssociationID
		queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[ctrl.Request]())
		defer queue.ShutDown()
		if err := w.Followed.Start(t.Context(), queue); err != nil {
			t.Fatal(err)
		}
		steps := []struct {
			what     string
			accounts map[string]string
			want     string // the one object that is looked at; empty: none
		}{
			{"the first picture is no news", map[string]string{"x": "a-x"}, ""},
			{"made by the object itself", map[string]string{"x": "a-x", "b": id}, ""},
			{"made by somebody", map[string]string{"x": "a-x", "b": id, "a": "a-1"}, "a"},
			{"replaced", map[string]string{"x": "a-x", "b": "a-2", "a": "a-1"}, "b"},
			{"deleted", map[string]string{"x": "a-x", "b": "a-2"}, "a"},
			{"nobody's object", map[string]string{"b": "a-2"}, ""},
		}
		for _, step := range steps {
			f.show(step.accounts)
			synctest.Wait()
			var names []string
			for queue.Len() > 0 {
				req, _ := queue.Get()
				queue.Done(req)
				names = append(names, req.Name)
			}
			if got := strings.Join(names, " "); got != step.want {
				t.Errorf("%s: looked at %q, want %q", step.what, got, step.want)
			}
		}
	})
}
