package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
)

// ports are those of a lab.
type ports struct{ api, etcd, peer uint16 }

// ports finds free ones, where the lab is on the machine's own loopback.
func (l *Lab) ports(ctx context.Context) (ports, error) {
	if l.config.isolated {
		return ports{api: 443, etcd: 2379, peer: 2380}, nil
	}
	var free ports
	for _, port := range []*uint16{&free.api, &free.etcd, &free.peer} {
		var err error
		if *port, err = FreePort(ctx); err != nil {
			return ports{}, err
		}
	}
	return free, nil
}

func (l *Lab) startControlPlane(ctx context.Context, p ports) error {
	clients, peers := fmt.Sprintf("http://127.0.0.1:%d", p.etcd), fmt.Sprintf("http://127.0.0.1:%d", p.peer)
	err := l.component(ctx, "etcd", "--name=lab", "--data-dir="+filepath.Join(l.Dir, "etcd"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls="+clients, "--advertise-client-urls="+clients,
		"--listen-peer-urls="+peers, "--initial-advertise-peer-urls="+peers, "--initial-cluster=lab="+peers)
	if err != nil {
		return err
	}
	l.config.apiServerFlags = append([]string{"--etcd-servers=" + clients, fmt.Sprintf("--secure-port=%d", p.api)}, l.config.apiServerFlags...)
	if err := l.StartAPIServer(ctx); err != nil {
		return err
	}
	if l.config.controllerManager {
		err := l.component(ctx, "kube-controller-manager", "--kubeconfig="+l.Kubeconfig, "--secure-port=0", "--leader-elect=false",
			"--flex-volume-plugin-dir="+filepath.Join(l.Dir, "flex"), // or it makes a folder in /usr
			// As an administrator: with a service account each, the controllers would wait for one another.
			"--use-service-account-credentials=false", "--service-account-private-key-file="+l.pki.file("service-account-0.key"),
			"--root-ca-file="+l.pki.file("ca.crt"), "--cluster-signing-cert-file="+l.pki.file("ca.crt"), "--cluster-signing-key-file="+l.pki.file("ca.key"))
		if err != nil {
			return err
		}
	}
	if l.config.full {
		return l.component(ctx, "kube-scheduler", "--kubeconfig="+filepath.Join(l.Dir, "scheduler.kubeconfig"), "--secure-port=0", "--leader-elect=false")
	}
	return nil
}

// StartAPIServer starts the API server, after StopAPIServer, with further flags for this time. It does not wait until it answers.
func (l *Lab) StartAPIServer(ctx context.Context, flags ...string) error {
	newest := len(l.keys) - 1
	all := []string{
		"--bind-address=0.0.0.0", "--advertise-address=" + l.Address.String(),
		"--tls-cert-file=" + l.pki.file("apiserver.crt"), "--tls-private-key-file=" + l.pki.file("apiserver.key"),
		"--client-ca-file=" + l.pki.file("ca.crt"), "--cert-dir=" + filepath.Join(l.Dir, "apiserver"),
		"--service-cluster-ip-range=" + serviceCIDR, "--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction", "--allow-privileged=true", "--profiling=false",
		"--service-account-issuer=" + l.config.issuer, "--api-audiences=" + l.config.issuer + ",https://kubernetes.default.svc",
		"--service-account-signing-key-file=" + l.pki.file(fmt.Sprintf("service-account-%d.key", newest)),
		"--service-account-extend-token-expiration=false",
		"--kubelet-client-certificate=" + l.pki.file("apiserver-kubelet.crt"), "--kubelet-client-key=" + l.pki.file("apiserver-kubelet.key"),
		"--kubelet-certificate-authority=" + l.pki.file("ca.crt"), "--kubelet-preferred-address-types=InternalIP",
		"--enable-aggregator-routing=true", // a webhook's Service is dialled at its pods: there is no kube-proxy
	}
	for _, key := range l.keys {
		all = append(all, "--service-account-key-file="+key)
	}
	if !l.config.isolated {
		all[0] = "--bind-address=127.0.0.1"
		all = append(all, "--endpoint-reconciler-type=none") // loopback is no endpoint
	}
	all = append(append(all, l.config.apiServerFlags...), flags...)
	return l.component(ctx, "kube-apiserver", all...)
}

// StopAPIServer ends the API server as a crash would.
func (l *Lab) StopAPIServer() error { return l.Component("kube-apiserver").Kill() }

// RestartAPIServer ends the API server, starts it again with further flags and waits until it answers.
func (l *Lab) RestartAPIServer(ctx context.Context, flags ...string) error {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	if err := l.StopAPIServer(); err != nil {
		return err
	}
	if err := l.StartAPIServer(ctx, flags...); err != nil {
		return err
	}
	return l.apiServerReady(ctx)
}

// RotateServiceAccountKey makes another signing key, of another algorithm than the first, and restarts the API server with it. Tokens of
// older keys stay valid.
func (l *Lab) RotateServiceAccountKey(ctx context.Context) error {
	public, err := l.pki.serviceAccountKey(len(l.keys))
	if err != nil {
		return err
	}
	l.keys = append(l.keys, public)
	return l.RestartAPIServer(ctx)
}

// REST is an administrator's configuration for client-go, good in the test's own process. It has no limits of its own.
func (l *Lab) REST() *rest.Config {
	return &rest.Config{
		Host: "https://" + l.server, Dial: l.DialContext, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{
			CAFile: l.pki.file("ca.crt"), CertFile: l.pki.file("admin.crt"), KeyFile: l.pki.file("admin.key"),
		},
	}
}

// CAFile is the certificate authority of the API server, as PEM.
func (l *Lab) CAFile() string { return l.pki.file("ca.crt") }

// Issuer is the issuer of service account tokens.
func (l *Lab) Issuer() string { return l.config.issuer }

// get reads something of the API server.
func (l *Lab) get(ctx context.Context, h *http.Client, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+l.server+path, nil)
	if err != nil {
		return err
	}
	res, err := h.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, res.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// waitFor waits until paths of the API server can be read.
func (l *Lab) waitFor(ctx context.Context, what string, paths ...string) error {
	h, err := rest.HTTPClientFor(l.REST())
	if err != nil {
		return err
	}
	defer h.CloseIdleConnections()
	return until(ctx, what, func(ctx context.Context) error {
		for _, path := range paths {
			if err := l.get(ctx, h, path, nil); err != nil {
				return l.alive(err)
			}
		}
		return nil
	})
}

// errEnded is that a component has ended by itself: it is no use to wait for what it should do.
var errEnded = errors.New("a component has ended")

// alive adds to a failure which components have ended without being told to.
func (l *Lab) alive(err error) error {
	var dead []string
	l.programs.mu.Lock()
	defer l.programs.mu.Unlock()
	for name, program := range l.programs.byName {
		select {
		case <-program.Done():
			if !program.told.Load() {
				dead = append(dead, fmt.Sprintf("%s with %+v", name, program.Exit()))
			}
		default:
		}
	}
	if dead == nil {
		return err
	}
	return fmt.Errorf("%w: %s: %w", errEnded, strings.Join(dead, ", "), err)
}

func (l *Lab) apiServerReady(ctx context.Context) error {
	return l.waitFor(ctx, "the API server is ready", "/readyz")
}

// controlPlaneReady waits until pods can be made.
func (l *Lab) controlPlaneReady(ctx context.Context) error {
	if err := l.apiServerReady(ctx); err != nil || !l.config.controllerManager {
		return err
	}
	return l.waitFor(ctx, "there is a default service account",
		"/api/v1/namespaces/default/serviceaccounts/default", "/api/v1/namespaces/default/configmaps/kube-root-ca.crt")
}
