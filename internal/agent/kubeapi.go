package agent

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ServiceAccountFolder is where every container finds its service account's token and the API server's certificate authority.
const ServiceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

const (
	kubeHeaderTimeout = 30 * time.Second // to the first byte of an answer
	maxPodList        = 64 << 20         // bytes; it is read as a stream
	maxPod            = 4 << 20          // bytes; what etcd takes at most is less
	metadataOf        = "application/json;as=PartialObjectMetadata%s;g=meta.k8s.io;v=v1,application/json"
)

// Kubernetes is the agent's way to the API server of its cluster: which pods are on this node, and events about them. It is
// four calls over HTTP, because client-go weighs more than the rest of the agent.
type Kubernetes struct {
	url       *url.URL
	tokenFile string
	transport http.RoundTripper
}

// NewKubernetes makes a way to an API server. The token file is read at every request, because kubelet renews it. Transport nil is
// the system's roots and no proxy.
func NewKubernetes(server *url.URL, tokenFile string, transport http.RoundTripper) (*Kubernetes, error) {
	if err := CheckEndpoint(server); err != nil {
		return nil, invalid("The Kubernetes API server %s cannot be used: %v", server, err)
	}
	if transport == nil {
		transport = newKubernetesTransport(nil)
	}
	return &Kubernetes{server, tokenFile, transport}, nil
}

// InCluster makes the way that every pod has: host and port are KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, and folder is
// usually [ServiceAccountFolder].
func InCluster(host, port, folder string) (*Kubernetes, error) {
	text, err := os.ReadFile(filepath.Join(folder, "ca.crt"))
	if err != nil {
		return nil, invalid("The agent has no service account here: automountServiceAccountToken must not be false (%v).", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, invalid("%s holds no PEM certificate.", filepath.Join(folder, "ca.crt"))
	}
	server := &url.URL{Scheme: "https", Host: net.JoinHostPort(strings.Trim(host, "[]"), port)}
	return NewKubernetes(server, filepath.Join(folder, "token"), newKubernetesTransport(roots))
}

// newKubernetesTransport never goes through a proxy: the API server is inside the cluster.
func newKubernetesTransport(roots *x509.CertPool) *http.Transport {
	t := NewTransport(roots)
	t.Proxy = nil
	t.ResponseHeaderTimeout = kubeHeaderTimeout
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second} // a watch hears of a dead peer
	return t
}

// podName is where a pod is.
type podName struct{ namespace, name string }

// metadata is what the agent reads of any object.
type metadata struct {
	Name            string `json:"name"`
	Namespace       string `json:"namespace"`
	UID             string `json:"uid"`
	ResourceVersion string `json:"resourceVersion"`
}

// apiError is an answer of the API server that is not what was asked for.
type apiError struct {
	status  int
	message string
}

func (e *apiError) Error() string {
	return fmt.Sprintf("the API server answers %d: %s", e.status, e.message)
}

// answeredWith reports whether err is an answer of the API server with one of the statuses.
func answeredWith(err error, statuses ...int) bool {
	e, ok := errors.AsType[*apiError](err)
	return ok && slices.Contains(statuses, e.status)
}

// do sends one request. The caller closes the body of an answer that is no error.
func (k *Kubernetes) do(ctx context.Context, method, accept string, u *url.URL, body []byte) (*http.Response, error) {
	token, err := os.ReadFile(k.tokenFile)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	r.Header.Set("Accept", accept)
	r.Header.Set("User-Agent", "podid-agent")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := k.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	var status struct{ Message string }
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil || json.Unmarshal(text, &status) != nil || status.Message == "" {
		status.Message = http.StatusText(res.StatusCode)
	}
	return nil, &apiError{res.StatusCode, oneLine(status.Message)}
}

// nodesPods selects the pods of a node that have not come to their end.
func nodesPods(node string) url.Values {
	return url.Values{"fieldSelector": {"spec.nodeName=" + node + ",status.phase!=Succeeded,status.phase!=Failed"}}
}

// listPods calls each with every pod of a node and returns the resource version to watch from. It takes a list that is not older
// than a resource version: "0" is any, "" the newest.
func (k *Kubernetes) listPods(ctx context.Context, node, notOlder string, each func(uid string, at podName)) (version string, err error) {
	query := nodesPods(node)
	if notOlder != "" {
		query.Set("resourceVersion", notOlder)
		query.Set("resourceVersionMatch", "NotOlderThan")
	}
	u := k.url.JoinPath("api/v1/pods")
	u.RawQuery = query.Encode()
	res, err := k.do(ctx, http.MethodGet, fmt.Sprintf(metadataOf, "List"), u, nil)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	return readPodList(io.LimitReader(res.Body, maxPodList), each)
}

// readPodList reads a list item by item, so that a node full of pods with long annotations costs the memory of one.
func readPodList(r io.Reader, each func(uid string, at podName)) (version string, err error) {
	d := json.NewDecoder(r)
	if err := expect(d, json.Delim('{')); err != nil {
		return "", err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return "", err
		}
		switch key {
		case "metadata":
			var list metadata
			if err := d.Decode(&list); err != nil {
				return "", err
			}
			version = list.ResourceVersion
		case "items":
			if err := readItems(d, each); err != nil {
				return "", err
			}
		default:
			var skipped json.RawMessage
			if err := d.Decode(&skipped); err != nil {
				return "", err
			}
		}
	}
	if err := expect(d, json.Delim('}')); err != nil {
		return "", err
	}
	if version == "" {
		return "", errors.New("the list has no resource version")
	}
	return version, nil
}

func readItems(d *json.Decoder, each func(uid string, at podName)) error {
	first, err := d.Token()
	if err != nil || first == nil { // "items": null is no items
		return err
	}
	if first != json.Delim('[') {
		return errors.New("the list's items are not an array")
	}
	for d.More() {
		var item struct {
			Metadata metadata `json:"metadata"`
		}
		if err := d.Decode(&item); err != nil {
			return err
		}
		if m := item.Metadata; m.UID != "" {
			each(m.UID, podName{m.Namespace, m.Name})
		}
	}
	return expect(d, json.Delim(']'))
}

func expect(d *json.Decoder, want json.Token) error {
	got, err := d.Token()
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	if err == nil && got != want {
		return fmt.Errorf("got %v, want %v", got, want)
	}
	return err
}

// watchPods opens the stream of what happens to a node's pods after a resource version.
func (k *Kubernetes) watchPods(ctx context.Context, node, after string, lasts time.Duration) (io.ReadCloser, error) {
	query := nodesPods(node)
	query.Set("watch", "true")
	query.Set("allowWatchBookmarks", "true")
	query.Set("resourceVersion", after)
	query.Set("timeoutSeconds", strconv.Itoa(int(lasts.Seconds())))
	u := k.url.JoinPath("api/v1/pods")
	u.RawQuery = query.Encode()
	res, err := k.do(ctx, http.MethodGet, fmt.Sprintf(metadataOf, ""), u, nil)
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}

// getPod reads one pod from the store itself, not from what a replica of the API server remembers of it. The names must be names.
func (k *Kubernetes) getPod(ctx context.Context, at podName) (*podState, error) {
	u := k.url.JoinPath("api/v1/namespaces", at.namespace, "pods", at.name)
	res, err := k.do(ctx, http.MethodGet, "application/json", u, nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var p struct {
		Metadata metadata `json:"metadata"`
		Spec     struct {
			NodeName string `json:"nodeName"`
		} `json:"spec"`
		Status struct {
			Phase string `json:"phase"`
		} `json:"status"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxPod)).Decode(&p); err != nil {
		return nil, err
	}
	return &podState{uid: p.Metadata.UID, node: p.Spec.NodeName, ended: p.Status.Phase == "Succeeded" || p.Status.Phase == "Failed"}, nil
}

// podState is what a single question tells of a pod.
type podState struct {
	uid, node string
	ended     bool
}

// createEvent writes an event into a namespace.
func (k *Kubernetes) createEvent(ctx context.Context, namespace string, body []byte) error {
	u := k.url.JoinPath("apis/events.k8s.io/v1/namespaces", namespace, "events")
	res, err := k.do(ctx, http.MethodPost, "application/json", u, body)
	if err != nil {
		return err
	}
	return res.Body.Close()
}
