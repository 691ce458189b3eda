package follow

import (
	"context"
	"errors"
	"time"

	"github.com/podid/podid/internal/fault"
)

const (
	questionTimeout = time.Second     // one question to the control plane
	answerWait      = 2 * time.Second // one caller, who may have to wait for the end of a question that began before he came
	questionsAtOnce = 64
)

// question is about one identity. It is asked in rounds, one at a time.
type question struct{ next *round }

// round is one call of Find, for all who came before it began.
type round struct {
	waiting int           // under the Follower's lock
	done    chan struct{} // closed when the rest is set
	found   bool
	err     error
}

// Associated reports whether an association counts for a service account: whether one was acknowledged before the call, and not deleted
// since. What the picture shows is answered without asking. Else the control plane is asked, once for all who come while the
// question before is under way: joining that one would answer them with what was true before they came.
//
// An error says that it cannot be known now.
func (f *Follower) Associated(ctx context.Context, namespace, serviceAccount string) (bool, error) {
	id := identity{namespace, serviceAccount}
	if f.shows(id) {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	r := f.join(id)
	var err error
	select {
	case <-r.done:
		err = r.err
	case <-ctx.Done():
		f.leave(r)
		err = ctx.Err()
	}
	switch {
	case err == nil:
		return r.found, nil
	case f.shows(id): // the poll was faster
		return true, nil
	}
	return false, unknown(id, err)
}

func (f *Follower) shows(id identity) bool {
	return f.picture.Load().known.Has(id.namespace, id.serviceAccount)
}

// join returns the round that begins next.
func (f *Follower) join(id identity) *round {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.questions[id]
	if q == nil {
		q = &question{}
		f.questions[id] = q
		go f.ask(id, q)
	}
	if q.next == nil {
		q.next = &round{done: make(chan struct{})}
	}
	q.next.waiting++
	return q.next
}

func (f *Follower) leave(r *round) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r.waiting--
}

// ask goes through the rounds of one question until nobody waits for one. A round begins when it has a slot, and takes all who
// have come by then.
func (f *Follower) ask(id identity, q *question) {
	for {
		f.slots <- struct{}{}
		r := f.begin(id, q)
		if r != nil {
			r.found, r.err = f.find(id)
			close(r.done)
		}
		<-f.slots
		if r == nil {
			return
		}
	}
}

// begin takes the round that is next, or ends the question.
func (f *Follower) begin(id identity, q *question) *round {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := q.next
	q.next = nil
	if r == nil || r.waiting == 0 { // all have left: nothing is asked for nobody
		delete(f.questions, id)
		return nil
	}
	return r
}

func (f *Follower) find(id identity) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), questionTimeout)
	defer cancel()
	return f.c.Find(ctx, id.namespace, id.serviceAccount)
}

// unknown words why it cannot be known. Whoever creates a pod may read it.
func unknown(id identity, cause error) error {
	why := "the control plane did not answer in time"
	if e, ok := errors.AsType[*fault.Error](cause); ok {
		why = e.Public
	} else if !errors.Is(cause, context.DeadlineExceeded) {
		why = "the control plane could not be asked"
	}
	return fault.New(fault.Unavailable, "control plane",
		"whether service account %s/%s has a pod identity association cannot be known now: %s", id.namespace, id.serviceAccount, why).Because(cause)
}
