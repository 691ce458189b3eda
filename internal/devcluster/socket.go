package devcluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/podid/podid/internal/fault"
)

// socketName is the unix socket below the data folder on which the cluster answers.
const socketName = "cluster.sock"

// maxSocketPath is the longest path of a unix socket that every system takes.
const maxSocketPath = 103

// TokenRequest asks for a service account token that is bound to a pod, as a kubelet does with the TokenRequest API.
type TokenRequest struct {
	Namespace      string        `json:"namespace"`
	ServiceAccount string        `json:"serviceAccount"`
	Pod            string        `json:"pod"`
	PodUID         string        `json:"podUid"`
	Audience       string        `json:"audience"`
	Lifetime       time.Duration `json:"lifetime"`
}

// Info is what a pod's environment is made of.
type Info struct {
	Cluster        string `json:"cluster"`
	Region         string `json:"region"`
	Endpoint       string `json:"endpoint"`       // AWS_ENDPOINT_URL
	CredentialsURI string `json:"credentialsUri"` // AWS_CONTAINER_CREDENTIALS_FULL_URI
	CABundle       string `json:"caBundle,omitempty"`
}

// endedPod says which pod has ended.
type endedPod struct {
	PodUID string `json:"podUid"`
}

type tokenAnswer struct {
	Token string `json:"token"`
}

// listen opens the socket. The folder is 0700 and so the socket is the owner's alone.
func (c *Cluster) listen(ctx context.Context) (net.Listener, error) {
	path := filepath.Join(c.dir, socketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the socket of an earlier start: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		if len(path) > maxSocketPath {
			return nil, fmt.Errorf("listen for podid run: the path %s has %d characters, a unix socket's has at most %d: choose a shorter --data",
				path, len(path), maxSocketPath)
		}
		return nil, fmt.Errorf("listen for podid run: %w", err)
	}
	if !c.Create {
		close(c.ready)
	}
	return l, nil
}

// serve answers on the socket until ctx ends.
func (c *Cluster) serve(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) { answer(w, c.info) })
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		var req TokenRequest
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&req); err != nil {
			http.Error(w, "the request is not a TokenRequest", http.StatusBadRequest)
			return
		}
		token, err := c.Token(req)
		if err != nil {
			http.Error(w, fault.Of(err).Public, http.StatusBadRequest)
			return
		}
		answer(w, tokenAnswer{Token: token})
	})
	mux.HandleFunc("POST /ended", func(w http.ResponseWriter, r *http.Request) {
		var pod endedPod
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&pod); err != nil || pod.PodUID == "" {
			http.Error(w, "the request does not say which pod has ended", http.StatusBadRequest)
			return
		}
		c.end(r.Context(), pod.PodUID)
		answer(w, struct{}{})
	})
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve podid run: %w", err)
	}
	return nil
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client is gone: nothing is left to tell
}
