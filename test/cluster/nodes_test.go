package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podid/podid/test/lab"
)

// node is another node of the cluster: known to Kubernetes, without a kubelet, and with the real agent in a network of its own. What
// the agent signs in with is a real token, bound by the API server to the agent's pod on that node.
type node struct {
	name  string
	place *lab.Place
	agent *lab.Program
	http  *http.Client // from within the node
}

// newNode starts a node's agent. Kubernetes knows the node already.
func (w *world) newNode(t testing.TB, name string) *node {
	t.Helper()
	ctx := t.Context()
	var agent *corev1.Pod
	lab.Eventually(t, 30*time.Second, "the add-on's DaemonSet has a pod on "+name, func(ctx context.Context) error {
		list, err := w.kube.CoreV1().Pods(agentNamespace).List(ctx, metav1.ListOptions{
			LabelSelector: agentSelector, FieldSelector: "spec.nodeName=" + name,
		})
		if err != nil {
			return err
		}
		if len(list.Items) == 0 {
			return errors.New("it has none")
		}
		agent = &list.Items[0]
		return nil
	})
	file := filepath.Join(w.dir, name+".token")
	must(t, os.WriteFile(file, []byte(w.token(t, agent, "sts.amazonaws.com")), 0o600))

	place, err := w.lab.Netns(ctx, name)
	must(t, err)
	program, err := lab.Build(ctx, "./cmd/podid-agent")
	must(t, err)
	if text, err := place.Command(ctx, program, "initialize", "--link", "lo").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	n := &node{name: name, place: place, http: &http.Client{
		Timeout: 30 * time.Second, Transport: &http.Transport{DialContext: place.DialContext, DisableKeepAlives: true},
	}}
	// The token of the Kubernetes API is a file of the agent's container, which is not here: what the agent would refuse by itself is
	// left to the control plane.
	n.agent, err = place.Start(ctx, lab.Spec{Name: "agent-" + name, Argv: []string{
		program, "server", "--cluster-name", clusterName, "--endpoint", *w.cluster.BaseEndpoint, "--region", w.cluster.Region, "--ca-file", w.authority(),
		"--role-arn", "arn:aws:iam::" + clusterAccount + ":role/podid-agent-" + clusterName, "--web-identity-token-file", file, "--node-name", name,
		"--kubernetes", "off",
	}})
	must(t, err)
	lab.Eventually(t, 20*time.Second, "the agent of "+name+" answers", func(ctx context.Context) error {
		if status, text, err := n.ask(ctx, "x.y.z"); err != nil || status != http.StatusBadRequest {
			return fmt.Errorf("%d %s %w; it says %s", status, text, err, n.agent.Output())
		}
		return nil
	})
	return n
}

// ask asks the node's agent, as a pod on the node does.
func (n *node) ask(ctx context.Context, token string) (status int, text string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://169.254.170.23/v1/credentials", http.NoBody)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", token)
	resp, err := n.http.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// fakeNode tells Kubernetes of a node with room for pods.
func (w *world) fakeNode(t testing.TB, name string) {
	t.Helper()
	_, err := w.kube.CoreV1().Nodes().Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": name},
	}}, metav1.CreateOptions{})
	must(t, err)
	const room = `{"cpu":"4","memory":"8Gi","pods":"110"}`
	_, err = w.kube.CoreV1().Nodes().Patch(t.Context(), name, types.MergePatchType, []byte(`{"status":{"capacity":`+room+`,"allocatable":`+room+`}}`),
		metav1.PatchOptions{}, "status")
	must(t, err)
}

// stolenToken: a token is of no use on another node than its pod's, neither by that node's agent nor by the agent's own credentials.
func (w *world) stolenToken(t *testing.T) {
	victim := w.watcher(t, corev1.RestartPolicyNever)
	token := w.token(t, victim, "pods.eks.amazonaws.com")
	if status, text := w.askAgent(t, token); status != http.StatusOK {
		t.Fatalf("the agent of the pod's own node refuses it: %d %s", status, text)
	}
	const elsewhere = "thief"
	w.fakeNode(t, elsewhere)
	thief := w.newNode(t, elsewhere)
	status, text, err := thief.ask(t.Context(), token)
	must(t, err)
	if status != http.StatusBadRequest || !strings.Contains(text, "AccessDeniedException") || !strings.Contains(text, lab.NodeName) || !strings.Contains(text, elsewhere) {
		t.Errorf("got %d %s", status, text)
	}
	t.Logf("refused on another node: %s", strings.TrimSpace(text))
	must(t, thief.agent.Stop(t.Context()))
	must(t, w.kube.CoreV1().Nodes().Delete(t.Context(), elsewhere, metav1.DeleteOptions{}))
	w.delete(t, victim)
}
