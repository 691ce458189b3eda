package admission_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/kube/admission"
)

// reader is a cache, or an API server, of metadata.
type reader struct {
	client.Reader
	objects map[string]metav1.PartialObjectMetadata // "Kind namespace/name"
	err     error
	hang    bool
	asked   int
}

func (r *reader) Get(ctx context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	r.asked++
	if r.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	if r.err != nil {
		return r.err
	}
	out, ok := into.(*metav1.PartialObjectMetadata)
	if !ok {
		return errors.New("more than metadata was asked for")
	}
	m, ok := r.objects[out.Kind+" "+key.String()]
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	}
	m.DeepCopyInto(out)
	return nil
}

// from is an object that says who knows it.
func from(who string) metav1.PartialObjectMetadata {
	m := map[string]string{"from": who}
	return metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Annotations: m, Labels: m}}
}

func TestLookup_asksTheServerForWhatTheCacheHasNotSeen(t *testing.T) {
	t.Parallel()
	cached := &reader{objects: map[string]metav1.PartialObjectMetadata{"ServiceAccount n/old": from("cache"), "Namespace /n": from("cache")}}
	direct := &reader{objects: map[string]metav1.PartialObjectMetadata{"ServiceAccount n/new": from("server"), "Namespace /new": from("server")}}
	l := admission.NewLookup(cached, direct, time.Second)
	for name, want := range map[string]string{"old": "cache", "new": "server"} {
		if sa, err := l.ServiceAccount(t.Context(), "n", name); err != nil || sa == nil || sa.Annotations["from"] != want {
			t.Errorf("%s: got %v, %v", name, sa, err)
		}
	}
	for name, want := range map[string]string{"n": "cache", "new": "server"} {
		if labels, err := l.NamespaceLabels(t.Context(), name); err != nil || labels["from"] != want {
			t.Errorf("%s: got %v, %v", name, labels, err)
		}
	}
	if direct.asked != 2 {
		t.Errorf("the server was asked %d times", direct.asked)
	}
	if sa, err := l.ServiceAccount(t.Context(), "n", "none"); sa != nil || err != nil {
		t.Errorf("what is not there: got %v, %v", sa, err)
	}
	if labels, err := l.NamespaceLabels(t.Context(), "none"); labels != nil || err != nil {
		t.Errorf("what is not there: got %v, %v", labels, err)
	}
}

func TestLookup_saysWhatItCannotKnow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := &reader{err: errors.New("the API server is being restarted")}
		l := admission.NewLookup(broken, broken, time.Second)
		if sa, err := l.ServiceAccount(t.Context(), "n", "s"); sa != nil || !errors.Is(err, fault.Unavailable) {
			t.Errorf("got %v, %v", sa, err)
		}
		if labels, err := l.NamespaceLabels(t.Context(), "n"); labels != nil || !errors.Is(err, fault.Unavailable) {
			t.Errorf("got %v, %v", labels, err)
		}
		began := time.Now()
		slow := admission.NewLookup(&reader{}, &reader{hang: true}, 300*time.Millisecond)
		if _, err := slow.ServiceAccount(t.Context(), "n", "s"); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 300*time.Millisecond {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		began = time.Now()
		server := &reader{objects: map[string]metav1.PartialObjectMetadata{"ServiceAccount n/s": from("server")}}
		filling := admission.NewLookup(&reader{hang: true}, server, 300*time.Millisecond)
		if sa, err := filling.ServiceAccount(t.Context(), "n", "s"); err != nil || sa.Annotations["from"] != "server" || time.Since(began) != 150*time.Millisecond {
			t.Errorf("a cache that is filling: %v, %v after %v", sa, err, time.Since(began))
		}
	})
}

// A flood of pods whose service accounts are not there does not become a flood to the API server.
func TestLookup_isPaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		direct := &reader{}
		l := admission.NewLookup(&reader{}, direct, time.Second)
		began := time.Now()
		for range 1200 {
			_, _ = l.ServiceAccount(t.Context(), "n", "none")
		}
		if took := time.Since(began); took < 19*time.Second || direct.asked != 1200 {
			t.Errorf("%d times in %v", direct.asked, took)
		}
	})
}
