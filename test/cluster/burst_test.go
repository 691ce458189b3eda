package cluster_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eks"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
)

// The burst: so many pods, at so many a second, over so many nodes; and what each first request may take. All of it, Kubernetes and the
// pods' kubelets as well, is on one machine: where its API server is slower than the rate, no more than burstWaiting pods wait for it.
const (
	burstPods    = 5000
	burstRate    = 200 // a second
	burstLeast   = 100 // a second, on a machine that is busy with something else
	burstWaiting = 64
	burstNodes   = 10
	servedIn     = 2 * time.Second
)

// burst makes thousands of pods on nodes that kwok plays. Each pod gets a real token from the API server, and asks the real agent of its
// node, once: its first request is served, and in time.
func (w *world) burst(t *testing.T) {
	ctx := t.Context()
	must(t, w.lab.Kwok(ctx))
	names, err := w.lab.FakeNodes(ctx, "burst", burstNodes)
	must(t, err)
	nodes := make([]*node, len(names))
	for i, name := range names {
		nodes[i] = w.newNode(t, name)
	}
	const namespace, account = "burst", "app"
	w.serviceAccount(t, namespace, account, nil)
	w.associate(t, eks.CreatePodIdentityAssociationInput{Namespace: new(namespace), ServiceAccount: new(account)})

	rest := w.lab.REST()
	rest.QPS, rest.Burst = -1, 0 // the client does not hold us back
	rest.ContentType, rest.AcceptContentTypes = runtime.ContentTypeProtobuf, runtime.ContentTypeProtobuf
	kube, err := kubernetes.NewForConfig(rest)
	must(t, err)
	fast := *w
	fast.kube = kube

	var mu sync.Mutex
	var took, created []time.Duration
	var running errgroup.Group
	running.SetLimit(burstWaiting)
	begin := time.Now()
	for i := range burstPods {
		<-time.After(time.Until(begin.Add(time.Duration(i) * time.Second / burstRate))) // by the clock: a late one holds up none
		running.Go(func() error {
			c, s, err := fast.firstRequest(ctx, nodes[i%len(nodes)], namespace, account)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("pod %d: %v", i, err)
			}
			created, took = append(created, c), append(took, s)
			return nil
		})
	}
	rate := burstPods / time.Since(begin).Seconds()
	must(t, running.Wait())
	all := time.Since(begin)
	slices.Sort(took)
	slices.Sort(created)
	t.Logf("%d pods begun at %.0f a second, all served after %s; creating one took %s at the median, %s at p99; its first credential request took %s at the median, %s at p99, %s at most",
		burstPods, rate, round(all), round(at(created, 50)), round(at(created, 99)),
		at(took, 50).Round(time.Millisecond), at(took, 99).Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
	if rate < burstLeast {
		t.Errorf("the API server takes %.0f pods a second, less than %d", rate, burstLeast)
	}
	if longest := took[len(took)-1]; longest > servedIn {
		t.Errorf("a first credential request took %s, more than %s", longest, servedIn)
	}
	for _, n := range nodes {
		must(t, n.agent.Stop(ctx))
	}
	must(t, w.kube.CoreV1().Namespaces().Delete(ctx, namespace, metav1.DeleteOptions{}))
	for _, name := range names {
		must(t, w.kube.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{}))
	}
}

// at is a percentile of what is sorted.
func at(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)-1)*percent/100]
}

// firstRequest makes a pod on a node, gets its token as its kubelet would, and asks the node's agent for the first time.
func (w *world) firstRequest(ctx context.Context, n *node, namespace, account string) (created, served time.Duration, err error) {
	begin := time.Now()
	pod := podOf(namespace, account, "watch")
	pod.Spec.NodeName = n.name
	made, err := w.kube.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{})
	if err != nil {
		return 0, 0, err
	}
	created = time.Since(begin)
	if made.Labels[v1alpha1.LabelPodIdentity] != "enabled" {
		return created, 0, fmt.Errorf("%s was not injected", made.Name)
	}
	token, err := w.request(ctx, made, v1alpha1.TokenAudience)
	if err != nil {
		return created, 0, err
	}
	begin = time.Now()
	status, text, err := n.ask(ctx, token)
	served = time.Since(begin)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s: %d %s", made.Name, status, text)
	}
	return created, served, err
}
