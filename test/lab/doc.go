// Package lab boots a real Kubernetes for tests, on a plain Linux machine, without a container engine and with nothing
// installed. There are two tiers:
//
//   - Light is etcd, kube-apiserver and kube-controller-manager on loopback. It needs no root and takes about four seconds.
//   - Full is one node: also kube-scheduler, containerd, runc, a kubelet and a network for pods, in mount, network, PID, IPC,
//     UTS and control group namespaces of its own. It needs root. Nothing in it can reach the machine's network, nor the
//     other way round; a test dials into it with Lab.DialContext.
//
// A lab ends with its test, even when the test's process is killed: no process, mount, control group or file is left.
//
// What is booted is built from pinned modules with test/lab/build. Where that was not done, tests that need a lab are skipped.
package lab
