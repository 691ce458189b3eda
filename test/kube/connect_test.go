package kube_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/podid/podid/internal/kube/connect"
	"github.com/podid/podid/test/lab"
)

// TestConnect holds that a real API server takes all that connecting applies, and that applying it again is no change. No pod runs here.
func TestConnect(t *testing.T) {
	w := &operatorWorld{t: t, lab: lab.Light(t), plane: newPlane(t), dir: t.TempDir()}
	var err error
	w.kube, err = kubernetes.NewForConfig(w.lab.REST())
	check(t, err)
	ca, err := os.ReadFile(w.caFile)
	check(t, err)
	ctx := t.Context()
	var out bytes.Buffer
	limit, err := w.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("limit"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)})
	check(t, err)
	open := func() *connect.Connection {
		c, err := connect.New(connect.Config{
			Cluster: clusterName, Kubeconfigs: []string{w.lab.Kubeconfig}, AWS: w.admin, Endpoint: "https://podid.example.com", CABundle: string(ca),
			OperatorImage: "registry.example.com/operator:1", AgentImage: "registry.example.com/agent:1", IAMResources: true, IAMBoundary: *limit.Policy.Arn,
			Values:   map[string]any{"networkPolicy": map[string]any{"create": true, "namespaces": []any{"default"}}, "agent": map[string]any{"create": true}},
			Patience: 10 * time.Second, Out: &out, Now: time.Now,
		})
		check(t, err)
		return c
	}
	plan, err := open().Plan(ctx)
	check(t, err)
	check(t, plan.Execute(ctx))
	plan, err = open().Plan(ctx)
	check(t, err)
	for _, s := range plan {
		// Without an operator that reports, telling the issuer again is right.
		if s.Action != connect.Unchanged && !strings.HasPrefix(s.What, "issuer ") {
			t.Errorf("done again: %s %s", s.Action, s.What)
		}
	}
	d, err := w.kube.AppsV1().Deployments("podid-system").Get(ctx, "podid-operator", metav1.GetOptions{})
	check(t, err)
	if d.Labels["app.kubernetes.io/managed-by"] != "podid-connect" {
		t.Errorf("got the labels %v", d.Labels)
	}
	set, err := w.kube.AppsV1().DaemonSets("kube-system").Get(ctx, "eks-pod-identity-agent", metav1.GetOptions{})
	check(t, err)
	w.claimsNoPort(t, set)

	plan, err = open().PlanRemoval(ctx, connect.Removal{CRDs: true})
	check(t, err)
	check(t, plan.Execute(ctx))
	plan, err = open().PlanRemoval(ctx, connect.Removal{CRDs: true})
	check(t, err)
	for _, s := range plan {
		t.Errorf("left: %s", s.What)
	}
	if _, err := w.kube.CoreV1().Namespaces().Get(ctx, "podid-system", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the namespace is still there: %v", err)
	}
	t.Log(out.String())
}

// claimsNoPort: what the API server fills in for a port of a pod in the node's network is a claim on it.
func (w *operatorWorld) claimsNoPort(t *testing.T, set *appsv1.DaemonSet) {
	t.Helper()
	for _, c := range append(append([]corev1.Container{}, set.Spec.Template.Spec.InitContainers...), set.Spec.Template.Spec.Containers...) {
		if len(c.Ports) > 0 {
			t.Errorf("%s claims %v", c.Name, c.Ports)
		}
	}
}
