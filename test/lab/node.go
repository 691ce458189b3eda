package lab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
)

const pauseImage = "lab.internal/pause:1"

// containerdConfig: this is no place for AppArmor or for negative OOM scores, which not every machine's root may give.
const containerdConfig = `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp"]
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "` + pauseImage + `"
[plugins.'io.containerd.cri.v1.runtime']
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = %[1]q
      SystemdCgroup = false
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = [%[2]q]
    conf_dir = %[3]q
`

// networkConfig: pods have addresses that the node sees as they are, and reach the node's own by the bridge.
const networkConfig = `{
  "cniVersion": "1.0.0", "name": "lab",
  "plugins": [{
    "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
    "ipam": {
      "type": "host-local", "ranges": [[{"subnet": "` + podCIDRv4 + `"}], [{"subnet": "` + podCIDRv6 + `"}]],
      "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]
    }
  }]
}
`

// kubeletConfig: failCgroupV1 because a machine may have version 1 only, which the kubelet has refused by default since 1.35.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
failSwapOn: false
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: %[1]q}}
authorization: {mode: Webhook}
tlsCertFile: %[2]q
tlsPrivateKeyFile: %[3]q
volumePluginDir: /var/lib/kubelet/volume-plugins
clusterDomain: cluster.local
resolvConf: ""
makeIPTablesUtilChains: false
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi, nodefs.available: 1%%, imagefs.available: 1%%, nodefs.inodesFree: 1%%}
maxPods: 250
syncFrequency: 10s
`

func (l *Lab) startNode(ctx context.Context) error {
	networks := filepath.Join(l.Dir, "cni")
	if err := os.Mkdir(networks, 0o700); err != nil {
		return err
	}
	for file, text := range map[string]string{
		"containerd.toml":  fmt.Sprintf(containerdConfig, filepath.Join(l.bin, "runc"), filepath.Join(l.bin, "cni"), networks),
		"cni/lab.conflist": networkConfig,
		"kubelet.yaml":     fmt.Sprintf(kubeletConfig, l.pki.file("ca.crt"), l.pki.file("kubelet-server.crt"), l.pki.file("kubelet-server.key")),
	} {
		if err := os.WriteFile(filepath.Join(l.Dir, file), []byte(text), 0o600); err != nil {
			return err
		}
	}
	g, parallel := errgroup.WithContext(ctx)
	g.Go(func() error { return l.startContainerd(parallel) })
	g.Go(func() error { return l.controlPlaneReady(parallel) })
	if err := g.Wait(); err != nil { // a kubelet ends without containerd, and without an API server it waits long before it asks again
		return err
	}
	if err := l.startKubelet(ctx); err != nil {
		return err
	}
	return l.nodeReady(ctx, "")
}

func (l *Lab) startContainerd(ctx context.Context) error {
	if err := l.component(ctx, "containerd", "--config="+filepath.Join(l.Dir, "containerd.toml")); err != nil {
		return err
	}
	pause, err := Build(ctx, "./test/lab/pause")
	if err != nil {
		return err
	}
	image, err := NewImage(filepath.Join(l.Dir, "pause.tar"), pauseImage, pause)
	if err != nil {
		return err
	}
	if err := l.containerdAnswers(ctx); err != nil {
		return err
	}
	return l.Import(ctx, image)
}

func (l *Lab) containerdAnswers(ctx context.Context) error {
	return until(ctx, "containerd answers", func(ctx context.Context) error {
		if _, err := l.output(l.Command(ctx, "ctr", "version")); err != nil {
			return l.alive(err)
		}
		return nil
	})
}

func (l *Lab) startKubelet(ctx context.Context) error {
	return l.component(ctx, "kubelet", "--config="+filepath.Join(l.Dir, "kubelet.yaml"),
		"--kubeconfig="+filepath.Join(l.Dir, "kubelet.kubeconfig"), "--hostname-override="+NodeName, "--node-ip="+nodeIPv4, "--v=2")
}

// node is what we want to know of a Node.
type node struct {
	Status struct {
		NodeInfo   struct{ BootID string }
		Conditions []struct{ Type, Status string }
	}
}

// nodeReady waits until the node is ready in another boot than that one.
func (l *Lab) nodeReady(ctx context.Context, otherBoot string) error {
	h, err := rest.HTTPClientFor(l.REST())
	if err != nil {
		return err
	}
	defer h.CloseIdleConnections()
	return until(ctx, "the node is ready", func(ctx context.Context) error {
		n, err := l.readNode(ctx, h)
		if err != nil {
			return l.alive(err)
		}
		if n.Status.NodeInfo.BootID == otherBoot {
			return errors.New("the kubelet has not reported since the reboot")
		}
		for _, c := range n.Status.Conditions {
			if c.Type == "Ready" && c.Status == "True" {
				return nil
			}
		}
		return l.alive(fmt.Errorf("not ready: %+v", n.Status.Conditions))
	})
}

func (l *Lab) readNode(ctx context.Context, h *http.Client) (node, error) {
	var n node
	return n, l.get(ctx, h, "/api/v1/nodes/"+NodeName, &n)
}

// Import gives the node an image, from a tar file in the OCI layout. A pod uses it by the reference in the file; with another
// tag than latest, so that nobody tries to pull it.
func (l *Lab) Import(ctx context.Context, tar string) error {
	file, err := os.Open(tar)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	cmd := l.Command(ctx, "ctr", "images", "import", "-")
	cmd.Stdin = file
	_, err = l.output(cmd)
	return err
}

// Reboot restarts the node: its pods and all that lives in memory are gone at once, then containerd and the kubelet start
// again. The control plane stays. It returns when the node is ready; that its pods run again takes a little longer.
func (l *Lab) Reboot(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	h, err := rest.HTTPClientFor(l.REST())
	if err != nil {
		return err
	}
	before, err := l.readNode(ctx, h)
	h.CloseIdleConnections()
	if err != nil {
		return err
	}
	for _, name := range []string{"kubelet", "containerd"} {
		if err := l.Component(name).Kill(); err != nil {
			return err
		}
	}
	if err := l.inside.Reboot(ctx); err != nil {
		return fmt.Errorf("reboot: %w", err)
	}
	if err := l.again(ctx, "containerd"); err != nil {
		return err
	}
	if err := l.containerdAnswers(ctx); err != nil {
		return err
	}
	if err := l.again(ctx, "kubelet"); err != nil {
		return err
	}
	return l.nodeReady(ctx, before.Status.NodeInfo.BootID)
}

// again starts a component that was killed.
func (l *Lab) again(ctx context.Context, name string) error {
	program, err := l.Component(name).Restart(ctx)
	if err != nil {
		return err
	}
	l.programs.set(name, program)
	return nil
}
