package publish_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/kube/publish"
)

func TestNodes(t *testing.T) {
	t.Parallel()
	node := func(name string, status corev1.ConditionStatus, labels map[string]string) corev1.Node {
		return corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
			Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status}}},
		}
	}
	got := publish.Nodes([]corev1.Node{
		node("d", corev1.ConditionTrue, map[string]string{"karpenter.sh/nodepool": "spot"}),
		node("a", corev1.ConditionTrue, map[string]string{"podid.dev/nodegroup": "mine", "eks.amazonaws.com/nodegroup": "workers"}),
		node("b", corev1.ConditionUnknown, map[string]string{"podid.dev/nodegroup": "mine", "kubernetes.azure.com/agentpool": "pool"}),
		node("c", corev1.ConditionFalse, nil),
	})
	want := []client.ReportNode{
		{Name: "a", Ready: true, Nodegroup: "workers"}, {Name: "b", Nodegroup: "mine"}, {Name: "c"}, {Name: "d", Ready: true, Nodegroup: "spot"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := len(publish.Nodes(make([]corev1.Node, 6000))); n != 5000 {
		t.Errorf("got %d nodes", n)
	}
}

func TestAddon(t *testing.T) {
	t.Parallel()
	const name, v1, v2 = "eks-pod-identity-agent", "v1", "v2"
	ds := func(version string, observed int64, desired, updated, ready int32) *appsv1.DaemonSet {
		d := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Generation: 2}}
		d.Spec.Template.Annotations = map[string]string{v1alpha1.AnnotationAddonVersion: version}
		d.Status = appsv1.DaemonSetStatus{ObservedGeneration: observed, DesiredNumberScheduled: desired, UpdatedNumberScheduled: updated, NumberReady: ready}
		return d
	}
	pod := func(node, version string, ready bool, waiting string) corev1.Pod {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "agent-" + node, Annotations: map[string]string{v1alpha1.AnnotationAddonVersion: version}}}
		p.Spec.NodeName = node
		if ready {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		}
		if waiting != "" {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: waiting}}}}
		}
		return p
	}
	unschedulable := pod("", v1, false, "")
	unschedulable.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable}}
	tests := []struct {
		name string
		in   publish.Running
		want client.ReportAddon
	}{
		{"nothing is there", publish.Running{}, client.ReportAddon{Message: "it does not run yet"}},
		{"it cannot be applied", publish.Running{Problem: "no such value"}, client.ReportAddon{Message: "no such value"}},
		{"just made", publish.Running{DaemonSet: ds(v1, 1, 0, 0, 0)}, client.ReportAddon{Version: v1, Message: "it is being started"}},
		{"all is well", publish.Running{DaemonSet: ds(v1, 2, 1, 1, 1), Pods: []corev1.Pod{pod("a", v1, true, "")}}, client.ReportAddon{Version: v1, Healthy: true}},
		{"a cluster without nodes", publish.Running{DaemonSet: ds(v1, 2, 0, 0, 0)}, client.ReportAddon{Version: v1, Healthy: true}},
		{
			"starting",
			publish.Running{DaemonSet: ds(v1, 2, 2, 2, 1), Pods: []corev1.Pod{pod("b", v1, false, "ContainerCreating"), pod("a", v1, true, "")}},
			client.ReportAddon{Version: v1, Message: "1 of 2 nodes are ready; b: not ready"},
		},
		{
			"no image",
			publish.Running{DaemonSet: ds(v1, 2, 2, 2, 1), Pods: []corev1.Pod{pod("b", v1, false, "ImagePullBackOff"), pod("a", v1, true, "")}},
			client.ReportAddon{Version: v1, Message: "b: ImagePullBackOff"},
		},
		{
			"no room",
			publish.Running{DaemonSet: ds(v1, 2, 1, 1, 0), Pods: []corev1.Pod{unschedulable}},
			client.ReportAddon{Version: v1, Message: "pod agent-: Unschedulable"},
		},
		{
			"a new version is rolled out",
			publish.Running{DaemonSet: ds(v2, 2, 2, 1, 1), Pods: []corev1.Pod{pod("a", v1, true, ""), pod("b", v2, false, "PodInitializing")}},
			client.ReportAddon{Version: v1, Healthy: true},
		},
		{
			"a new version cannot start",
			publish.Running{DaemonSet: ds(v2, 2, 2, 1, 1), Pods: []corev1.Pod{pod("a", v1, true, ""), pod("b", v2, false, "CrashLoopBackOff")}},
			client.ReportAddon{Version: v1, Message: "b: CrashLoopBackOff"},
		},
		{
			"the new version cannot be applied",
			publish.Running{DaemonSet: ds(v1, 2, 1, 1, 1), Pods: []corev1.Pod{pod("a", v1, true, "")}, Problem: "no such value"},
			client.ReportAddon{Version: v1, Message: "no such value"},
		},
		{
			"many",
			publish.Running{DaemonSet: ds(v1, 2, 7, 7, 0), Pods: []corev1.Pod{
				pod("a", v1, false, "X"), pod("b", v1, false, "X"), pod("c", v1, false, "X"), pod("d", v1, false, "X"), pod("e", v1, false, "X"), pod("f", v1, false, "X"), pod("g", v1, false, "X"),
			}},
			client.ReportAddon{Version: v1, Message: "a: X; b: X; c: X; d: X; e: X; and 2 more"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.want.Name = name
			if diff := cmp.Diff(test.want, publish.Addon(name, test.in)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAPIServer(t *testing.T) {
	t.Parallel()
	documents := map[string]string{
		"/.well-known/openid-configuration": `{"issuer":"` + issuer + `","jwks_uri":"https://elsewhere/keys"}`,
		"/openid/v1/jwks":                   `{"keys":[]}`,
		"/version":                          `{"major":"1","minor":"36+","gitVersion":"v1.36.3-vendor"}`,
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := documents[r.URL.Path]
		if !ok || r.Header.Get("Authorization") != "Bearer mine" {
			w.WriteHeader(http.StatusForbidden)
		}
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(s.Close)
	api := func(token string) publish.APIServer {
		k, err := kubernetes.NewForConfig(&rest.Config{Host: s.URL, BearerToken: token})
		if err != nil {
			t.Fatal(err)
		}
		return publish.APIServer{REST: k.Discovery().RESTClient()}
	}
	got, err := api("mine").Identity(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&publish.Identity{Issuer: issuer, JWKS: []byte(`{"keys":[]}`), Version: "1.36"}, got); diff != "" {
		t.Error(diff)
	}
	if id, err := api("another").Identity(t.Context()); err == nil {
		t.Errorf("a stranger got %v", id)
	}
}
