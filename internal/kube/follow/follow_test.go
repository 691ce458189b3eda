package follow_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/kube/follow"
)

// plane is a control plane: what is wanted, and how it behaves.
type plane struct {
	mu       sync.Mutex
	wanted   client.Wanted
	changed  chan struct{}
	down     error
	polls    atomic.Int64
	finds    atomic.Int64
	findTook time.Duration
}

func newPlane() *plane {
	return &plane{wanted: client.Wanted{Revision: 1}, changed: make(chan struct{})}
}

// associate gives a service account of namespace n an association.
func (p *plane) associate(serviceAccount string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted.Associations = append(p.wanted.Associations[:len(p.wanted.Associations):len(p.wanted.Associations)],
		client.WantedAssociation{Namespace: "n", ServiceAccount: serviceAccount})
	p.wanted.Revision++
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *plane) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = err
}

func (p *plane) watch(ctx context.Context, after int64, wait time.Duration) (*client.Wanted, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	p.polls.Add(1)
	for {
		p.mu.Lock()
		w, changed, down := p.wanted, p.changed, p.down
		p.mu.Unlock()
		if down != nil {
			return nil, down
		}
		if w.Revision != after {
			return &w, nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return &w, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// find answers with what was true when the question was asked, late.
func (p *plane) find(ctx context.Context, namespace, serviceAccount string) (bool, error) {
	p.finds.Add(1)
	p.mu.Lock()
	w, down := p.wanted, p.down
	p.mu.Unlock()
	select {
	case <-time.After(p.findTook):
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if down != nil {
		return false, down
	}
	for _, a := range w.Associations {
		if a.Namespace == namespace && a.ServiceAccount == serviceAccount {
			return true, nil
		}
	}
	return false, nil
}

func (p *plane) follower() *follow.Follower {
	return follow.New(follow.Config{Cluster: "c", Watch: p.watch, Find: p.find})
}

// run follows for the rest of the test.
func run(t *testing.T, f *follow.Follower) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	})
}

func TestFollower_showsTheNewestAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlane()
		f := p.follower()
		if f.Synced() || f.Wanted() != nil {
			t.Error("it knows something before the first answer")
		}
		first := f.Changed()
		run(t, f)
		<-first
		second := f.Changed()
		if !f.Synced() || f.Wanted().Revision != 1 {
			t.Errorf("got %v", f.Wanted())
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		select {
		case <-second:
			t.Error("changed, but nothing is new")
		default:
		}
		p.associate("s")
		<-second
		want := []client.WantedAssociation{{Namespace: "n", ServiceAccount: "s"}}
		if diff := cmp.Diff(want, f.Wanted().Associations); diff != "" {
			t.Error(diff)
		}
		if ok, err := f.Associated(t.Context(), "n", "s"); !ok || err != nil || p.finds.Load() != 0 {
			t.Errorf("got %v, %v after %d questions", ok, err, p.finds.Load())
		}
	})
}

func TestFollower_isPaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlane()
		run(t, p.follower())
		for i := range 1000 {
			p.associate(strconv.Itoa(i))
			time.Sleep(10 * time.Millisecond)
		}
		if n := p.polls.Load(); n < 90 || n > 102 {
			t.Errorf("%d polls in 10 seconds", n)
		}
	})
}

func TestFollower_keepsWhatItKnowsWhileNobodyAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlane()
		p.associate("s")
		f := p.follower()
		run(t, f)
		<-f.Changed()
		p.fail(fault.New(fault.Unavailable, "control plane", "podid does not answer"))
		p.associate("late")
		before := p.polls.Load()
		time.Sleep(10 * time.Minute)
		if n := p.polls.Load() - before; n < 60 || n > 150 {
			t.Errorf("%d polls in 10 minutes without an answer", n)
		}
		if ok, err := f.Associated(t.Context(), "n", "s"); !ok || err != nil {
			t.Errorf("known: got %v, %v", ok, err)
		}
		ok, err := f.Associated(t.Context(), "n", "late")
		if ok || !errors.Is(err, fault.Unavailable) || !strings.Contains(fault.Of(err).Public, "n/late") {
			t.Errorf("not known: got %v, %v", ok, err)
		}
		changed := f.Changed()
		p.fail(nil)
		<-changed
		if ok, err := f.Associated(t.Context(), "n", "late"); !ok || err != nil {
			t.Errorf("answered again: got %v, %v", ok, err)
		}
	})
}

// A question that was put before the association existed must answer nobody who came after it did.
func TestAssociated_neverAnswersWithThePast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlane()
		p.findTook = 300 * time.Millisecond
		f := p.follower() // nobody polls: only questions
		early := make(chan bool, 1)
		go func() {
			ok, err := f.Associated(t.Context(), "n", "s")
			early <- ok && err == nil
		}()
		time.Sleep(100 * time.Millisecond)
		p.associate("s")
		const callers = 100
		var after sync.WaitGroup
		var found atomic.Int64
		for range callers {
			after.Go(func() {
				if ok, err := f.Associated(t.Context(), "n", "s"); ok && err == nil {
					found.Add(1)
				}
			})
		}
		after.Wait()
		if <-early {
			t.Error("the plane is not as late as this test needs it")
		}
		if found.Load() != callers {
			t.Errorf("%d of %d who came after the association were told of it", found.Load(), callers)
		}
		if n := p.finds.Load(); n != 2 {
			t.Errorf("%d questions, want 2", n)
		}
	})
}

func TestAssociated_asksAboutManyAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlane()
		p.findTook = 250 * time.Millisecond
		for i := range 200 {
			p.associate(strconv.Itoa(i))
		}
		f := p.follower()
		began := time.Now()
		var all sync.WaitGroup
		for i := range 256 {
			all.Go(func() {
				if ok, err := f.Associated(t.Context(), "n", strconv.Itoa(i)); err != nil || ok != (i < 200) {
					t.Errorf("%d: got %v, %v", i, ok, err)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestAssociated_waitsOnlySoLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlane()
		p.findTook = time.Hour
		f := p.follower()
		var all sync.WaitGroup
		for i := range 1000 { // more than are asked about at once
			all.Go(func() {
				began := time.Now()
				if _, err := f.Associated(t.Context(), "n", strconv.Itoa(i)); !errors.Is(err, fault.Unavailable) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("took %v", took)
				}
			})
		}
		all.Wait()
		time.Sleep(2 * time.Second) // those who left are not asked for
		if n := p.finds.Load(); n > 3*64 {
			t.Errorf("%d questions, though all had left", n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := f.Associated(ctx, "n", "s"); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that has left: got %v", err)
		}
		time.Sleep(time.Minute)
	})
}

// The poll may bring what the question could not.
func TestAssociated_believesThePollWhereTheQuestionFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlane()
		f := follow.New(follow.Config{Cluster: "c", Watch: p.watch, Find: func(ctx context.Context, _, _ string) (bool, error) {
			<-ctx.Done()
			return false, ctx.Err()
		}})
		run(t, f)
		time.Sleep(time.Second)
		time.AfterFunc(500*time.Millisecond, func() { p.associate("s") })
		if ok, err := f.Associated(t.Context(), "n", "s"); !ok || err != nil {
			t.Errorf("got %v, %v", ok, err)
		}
	})
}
