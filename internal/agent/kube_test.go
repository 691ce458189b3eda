package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/podid/podid/internal/agent"
)

// apiServer is a Kubernetes API server as the agent sees one: it lists and watches the pods of worker-1, knows every pod by its
// name, and keeps events. As a RoundTripper it needs no network, so that it works inside a synctest bubble.
type apiServer struct {
	mu       sync.Mutex
	away     bool
	silent   bool // takes questions about single pods and never answers
	version  int
	pods     map[string]apiPod // by namespace/name; all nodes
	watches  map[*io.PipeWriter]bool
	requests []string // "GET path?query", without watches' time limits
	events   []string // bodies
}

type apiPod struct{ uid, node, phase string }

func newAPIServer() *apiServer {
	return &apiServer{version: 100, pods: map[string]apiPod{}, watches: map[*io.PipeWriter]bool{}}
}

var errRefusedDial = errors.New("dial tcp 10.96.0.1:443: connect: connection refused")

func (a *apiServer) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.away {
		return nil, errRefusedDial
	}
	query := r.URL.Query()
	query.Del("timeoutSeconds")
	a.requests = append(a.requests, r.Method+" "+r.URL.Path+"?"+query.Encode())
	if r.Header.Get("Authorization") != "Bearer agent-token" {
		return statusResponse(http.StatusUnauthorized), nil
	}
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.Method == http.MethodPost:
		a.events = append(a.events, string(body))
		return jsonResponse(http.StatusCreated, "", string(body)), nil
	case query.Get("watch") == "true":
		if query.Get("resourceVersion") == "" || !strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadata;") {
			return statusResponse(http.StatusBadRequest), nil
		}
		if after, err := strconv.Atoi(query.Get("resourceVersion")); err != nil || after < a.version {
			return statusResponse(http.StatusGone), nil // it keeps no history
		}
		return a.watch(r.Context()), nil
	case r.URL.Path == "/api/v1/pods":
		return jsonResponse(http.StatusOK, "", a.list()), nil
	case len(path) == 6 && path[2] == "namespaces" && path[4] == "pods":
		if a.silent {
			a.mu.Unlock()
			<-r.Context().Done()
			a.mu.Lock()
			return nil, r.Context().Err()
		}
		p, ok := a.pods[path[3]+"/"+path[5]]
		if !ok {
			return statusResponse(http.StatusNotFound), nil
		}
		return jsonResponse(http.StatusOK, "", fmt.Sprintf(`{"metadata":{"uid":%q},"spec":{"nodeName":%q},"status":{"phase":%q}}`,
			p.uid, p.node, p.phase)), nil
	}
	return statusResponse(http.StatusNotFound), nil
}

func statusResponse(code int) *http.Response {
	return jsonResponse(code, "", fmt.Sprintf(`{"kind":"Status","code":%d,"message":%q}`, code, http.StatusText(code)))
}

func (a *apiServer) list() string {
	var items []string
	for _, key := range slices.Sorted(maps.Keys(a.pods)) {
		if p := a.pods[key]; p.onOurNode() {
			items = append(items, a.metadata(key, p))
		}
	}
	return fmt.Sprintf(`{"kind":"PartialObjectMetadataList","metadata":{"resourceVersion":"%d"},"items":[%s]}`, a.version, strings.Join(items, ","))
}

func (p apiPod) onOurNode() bool {
	return p.node == "worker-1" && p.phase != "Succeeded" && p.phase != "Failed"
}

func (a *apiServer) metadata(key string, p apiPod) string {
	namespace, name, _ := strings.Cut(key, "/")
	return fmt.Sprintf(`{"metadata":{"name":%q,"namespace":%q,"uid":%q,"resourceVersion":"%d"}}`, name, namespace, p.uid, a.version)
}

func (a *apiServer) watch(ctx context.Context) *http.Response {
	reader, writer := io.Pipe()
	a.watches[writer] = true
	context.AfterFunc(ctx, func() { writer.CloseWithError(context.Cause(ctx)) })
	res := jsonResponse(http.StatusOK, "", "")
	res.Body = reader
	return res
}

// tell sends one line to every watch.
func (a *apiServer) tell(line string) {
	a.mu.Lock()
	watches := slices.Collect(maps.Keys(a.watches))
	a.mu.Unlock()
	for _, w := range watches {
		if _, err := io.WriteString(w, line+"\n"); err != nil {
			a.mu.Lock()
			delete(a.watches, w)
			a.mu.Unlock()
		}
	}
}

// set makes or changes a pod; quiet pods are told to nobody.
func (a *apiServer) set(key string, p apiPod, quiet bool) {
	a.mu.Lock()
	a.version++
	_, was := a.pods[key]
	a.pods[key] = p
	kind := map[bool]string{false: "ADDED", true: "MODIFIED"}[was]
	if !p.onOurNode() {
		kind = "DELETED"
	}
	line := fmt.Sprintf(`{"type":%q,"object":%s}`, kind, a.metadata(key, p))
	a.mu.Unlock()
	if !quiet && p.node == "worker-1" {
		a.tell(line)
	}
}

func (a *apiServer) remove(key string, quiet bool) {
	a.mu.Lock()
	a.version++
	line := fmt.Sprintf(`{"type":"DELETED","object":%s}`, a.metadata(key, a.pods[key]))
	delete(a.pods, key)
	a.mu.Unlock()
	if !quiet {
		a.tell(line)
	}
}

// goAway closes every watch and answers nobody until come.
func (a *apiServer) goAway() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.away = true
	for w := range a.watches {
		w.CloseWithError(io.ErrUnexpectedEOF)
	}
	clear(a.watches)
}

func (a *apiServer) comeBack() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.away = false
}

// sent is every request, in order.
func (a *apiServer) sent() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.requests)
}

// asked counts the requests whose text begins so.
func (a *apiServer) asked(prefix string) int {
	n := 0
	for _, r := range a.sent() {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	return n
}

func (a *apiServer) written(t *testing.T) []map[string]any {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []map[string]any
	for _, text := range a.events {
		var e map[string]any
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// watched makes an agent of a config watch the pods of an API server.
func watched(t testing.TB, a *apiServer) func(*agent.Config) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("agent-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(c *agent.Config) {
		k, err := agent.NewKubernetes(&url.URL{Scheme: "https", Host: "10.96.0.1:443"}, file, a)
		if err != nil {
			t.Fatal(err)
		}
		c.Kubernetes = k
	}
}
