package podidapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
)

// TestWatchEndsWithItsCaller holds that a long poll whose caller has gone holds nothing: its record comes at once, not when the wait
// is over.
func TestWatchEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now, err := w.admin.WatchCluster(t.Context(), "c", 0, 0)
	must(t, err)
	ended := make(chan struct{}, 1)
	w.mu.Lock()
	w.emitted = func() { ended <- struct{}{} }
	w.mu.Unlock()
	start := time.Now()
	ctx, leave := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer leave()
	_, err = w.admin.WatchCluster(ctx, "c", now.Revision, 30*time.Second)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller got %v", err)
	}
	<-ended
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("the watch went on for %s", took)
	}
}

// TestWatchEndsWithTheControlPlane holds that a long poll does not hold up a restart: it is answered with what is known.
func TestWatchEndsWithTheControlPlane(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	now, err := w.admin.WatchCluster(ctx, "c", 0, 0)
	must(t, err)
	start := time.Now()
	answered := make(chan error, 1)
	go func() {
		again, err := w.admin.WatchCluster(ctx, "c", now.Revision, 30*time.Second)
		if err == nil && again.Revision != now.Revision {
			err = fmt.Errorf("got revision %d, want %d", again.Revision, now.Revision)
		}
		answered <- err
	}()
	close(w.stopping)
	must(t, <-answered)
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("the watch went on for %s", took)
	}
}

// TestWatchWithoutNews holds that a watch returns what it was given when its time is over, whatever length was asked for.
func TestWatchWithoutNews(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	now, err := w.admin.WatchCluster(ctx, "c", 0, time.Second)
	must(t, err)
	for _, wait := range []string{"0", "-5", "-2147483648"} {
		var again client.Wanted
		must(t, w.admin.Do(ctx, http.MethodGet, fmt.Sprintf("/clusters/c/watch?after=%d&waitSeconds=%s", now.Revision, wait), nil, &again))
		if again.Revision != now.Revision || again.Addons == nil || again.Nodegroups == nil || again.Associations == nil {
			t.Errorf("after %q seconds: %+v", wait, again)
		}
	}
}

// TestBadRequests holds what a caller learns who sends nonsense.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	is(t, w.admin.Do(ctx, http.MethodGet, "/clusters/c/watch?after=x", nil, nil), fault.Invalid, "after")
	is(t, w.admin.Do(ctx, http.MethodGet, "/clusters/c/watch?waitSeconds=99999999999", nil, nil), fault.Invalid, "waitSeconds")
	is(t, w.admin.Do(ctx, http.MethodPut, "/clusters/c/report", map[string]any{"nodes": "all"}, nil), fault.Invalid, "JSON")
	is(t, w.admin.Do(ctx, http.MethodPut, "/clusters/c/report", map[string]any{}, nil), fault.Invalid, "issuer")
	is(t, w.admin.Do(ctx, http.MethodDelete, "/clusters/c/report", nil, nil), fault.NotFound, "UnknownOperationException")
	r := report(t)
	r.Issuer = "http://plain.example"
	is(t, w.admin.PutClusterReport(ctx, "c", r), fault.Invalid, "https")
	r = report(t)
	r.Nodes = make([]client.ReportNode, 5001)
	is(t, w.admin.PutClusterReport(ctx, "c", r), fault.Invalid, "at most 5000 nodes")
	_, err := w.admin.CreateAccount(ctx, client.NewAccount{AccountID: other, Name: strings.Repeat("n", 2000)})
	is(t, err, fault.Invalid, "constraint")
	if c, _ := w.clusters.Find(account, "c"); c.Status() != cluster.Creating {
		t.Errorf("nonsense made the cluster %s", c.Status())
	}
	// A body that names another cluster changes nothing: the path does.
	r = report(t)
	body := map[string]any{"name": "d", "issuer": r.Issuer, "jwks": r.JWKS, "nodes": []any{}, "addons": []any{}}
	must(t, w.admin.Do(ctx, http.MethodPut, "/clusters/c/report", body, nil))
	if c, _ := w.clusters.Find(account, "c"); c.Status() != cluster.Active {
		t.Errorf("the reported cluster is %s", c.Status())
	}
}

// TestDiscoveryMethods holds that the documents can only be read.
func TestDiscoveryMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.admin.PutClusterReport(t.Context(), "c", report(t)))
	for method, want := range map[string]int{
		http.MethodGet: http.StatusOK, http.MethodHead: http.StatusOK, http.MethodPost: http.StatusNotFound, http.MethodDelete: http.StatusNotFound,
	} {
		r, err := http.NewRequestWithContext(t.Context(), method, w.url+"/id/"+id+"/keys", nil)
		must(t, err)
		resp, err := http.DefaultClient.Do(r)
		must(t, err)
		must(t, resp.Body.Close())
		if resp.StatusCode != want {
			t.Errorf("%s: status %d, want %d", method, resp.StatusCode, want)
		}
	}
}
