package lab

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// fakeNodes is how kwok knows its nodes, so that it leaves a real one alone.
const fakeNodes = "kwok.x-k8s.io/node"

// Kwok starts kwok, which plays the kubelets of fake nodes: a pod that is bound to one is running within moments, and runs nothing.
func (l *Lab) Kwok(ctx context.Context) error {
	stages, err := filepath.Glob(filepath.Join(l.bin, "kwok-*.yaml"))
	if err != nil {
		return err
	}
	flags := []string{"--kubeconfig=" + l.Kubeconfig, "--manage-nodes-with-annotation-selector=" + fakeNodes + "=fake", "--node-lease-duration-seconds=40"}
	for _, stage := range stages {
		flags = append(flags, "--config="+stage)
	}
	return l.component(ctx, "kwok", flags...)
}

// FakeNodes makes nodes NAME-0, NAME-1 and so on, and waits until kwok says that they are ready. A light lab has no scheduler:
// give pods their nodeName.
func (l *Lab) FakeNodes(ctx context.Context, name string, n int) ([]string, error) {
	var manifests strings.Builder
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%d", name, i)
		fmt.Fprintf(&manifests, `---
apiVersion: v1
kind: Node
metadata:
  name: %[1]s
  annotations: {%[2]s: fake, node.alpha.kubernetes.io/ttl: "0"}
  labels: {kubernetes.io/hostname: %[1]s, kubernetes.io/os: linux, kubernetes.io/arch: amd64, type: kwok}
`, names[i], fakeNodes)
	}
	if err := l.Apply(ctx, manifests.String()); err != nil {
		return nil, err
	}
	_, err := l.Kubectl(ctx, append([]string{"wait", "--for=condition=Ready", "--timeout=60s", "node"}, names...)...)
	return names, err
}
