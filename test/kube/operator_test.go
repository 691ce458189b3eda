package kube_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/kube/operator"
	"github.com/podid/podid/test/lab"
)

// TestOperator is one operator's life: its parts build on each other.
func TestOperator(t *testing.T) {
	w := newOperatorWorld(t)
	w.halt = w.start(w.config)
	for _, part := range []struct {
		title string
		run   func(*testing.T)
	}{
		{"becomes ready", w.becomesReady},
		{"nodes show up as node groups", w.nodes},
		{"the add-on is applied and repaired", w.addon},
		{"the startup taint goes with the agent's readiness", w.taint},
		{"the authority is in every namespace", w.trust},
		{"pods are injected", w.injection},
		{"a pod without its identity is flagged", w.sweep},
		{"an ended pod's token is worth nothing", w.endedPod},
		{"the webhook's registration is repaired", w.registration},
		{"another replica takes over", w.takeover},
		{"a rotation of the issuer's keys is published", w.rotation},
		{"the add-on goes", w.addonGoes},
	} {
		if !t.Run(part.title, part.run) {
			t.FailNow()
		}
	}
}

func (w *operatorWorld) becomesReady(t *testing.T) {
	lab.Eventually(t, 30*time.Second, "the operator is ready", ready(w.config))
	version, err := w.kube.ServerVersion()
	check(t, err)
	want := version.Major + "." + strings.TrimSuffix(version.Minor, "+")
	lab.Eventually(t, 10*time.Second, "the cluster is published", func(ctx context.Context) error {
		out, err := w.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String(clusterName)})
		if err != nil {
			return err
		}
		if c := out.Cluster; aws.ToString(c.Version) != want || c.CertificateAuthority == nil || aws.ToString(c.CertificateAuthority.Data) == "" {
			return fmt.Errorf("it is %s, %v", aws.ToString(c.Version), c.CertificateAuthority)
		}
		return nil
	})
}

// ready asks an operator whether it is.
func ready(c operator.Config) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := get(ctx, "http://"+c.HealthAddress+"/readyz")
		return err
	}
}

func (w *operatorWorld) node(t *testing.T, name, group string, taints ...corev1.Taint) {
	t.Helper()
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"podid.dev/nodegroup": group, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}}}
	n.Spec.Taints = taints
	_, err := w.kube.CoreV1().Nodes().Create(t.Context(), n, metav1.CreateOptions{})
	check(t, err)
	lab.Eventually(t, 5*time.Second, "node "+name+" is ready", func(ctx context.Context) error {
		n, err := w.kube.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: metav1.Now()}}
		_, err = w.kube.CoreV1().Nodes().UpdateStatus(ctx, n, metav1.UpdateOptions{})
		return err
	})
}

func (w *operatorWorld) nodes(t *testing.T) {
	w.node(t, "worker-1", "workers", corev1.Taint{Key: v1alpha1.TaintAgentNotReady, Effect: corev1.TaintEffectNoExecute},
		corev1.Taint{Key: v1alpha1.TaintAgentNotReady, Effect: corev1.TaintEffectNoSchedule}, corev1.Taint{Key: "theirs", Effect: corev1.TaintEffectNoSchedule})
	lab.Eventually(t, 5*time.Second, "the node group is listed", func(ctx context.Context) error {
		out, err := w.eks.ListNodegroups(ctx, &eks.ListNodegroupsInput{ClusterName: aws.String(clusterName)})
		if err == nil && !slices.Contains(out.Nodegroups, "workers") {
			return fmt.Errorf("there are %v", out.Nodegroups)
		}
		return err
	})
	lab.Eventually(t, 5*time.Second, "the node group is active", func(ctx context.Context) error {
		out, err := w.eks.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: aws.String(clusterName), NodegroupName: aws.String("workers")})
		if err == nil && out.Nodegroup.Status != ekstypes.NodegroupStatusActive {
			return fmt.Errorf("it is %s", out.Nodegroup.Status)
		}
		return err
	})
}

const agent = "eks-pod-identity-agent"

func (w *operatorWorld) daemonSet(ctx context.Context) (*appsv1.DaemonSet, error) {
	return w.kube.AppsV1().DaemonSets("kube-system").Get(ctx, agent, metav1.GetOptions{})
}

func (w *operatorWorld) health(ctx context.Context) (ekstypes.AddonStatus, string, error) {
	out, err := w.eks.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: aws.String(clusterName), AddonName: aws.String(agent)})
	if err != nil {
		return "", "", err
	}
	var issues []string
	if out.Addon.Health != nil {
		for _, i := range out.Addon.Health.Issues {
			issues = append(issues, aws.ToString(i.Message))
		}
	}
	return out.Addon.Status, strings.Join(issues, "; "), nil
}

func (w *operatorWorld) addon(t *testing.T) {
	out, err := w.eks.CreateAddon(t.Context(), &eks.CreateAddonInput{ClusterName: aws.String(clusterName), AddonName: aws.String(agent)})
	check(t, err)
	version := aws.ToString(out.Addon.AddonVersion)
	var uid types.UID
	lab.Eventually(t, 5*time.Second, "the DaemonSet is there", func(ctx context.Context) error {
		ds, err := w.daemonSet(ctx)
		if err != nil {
			return err
		}
		uid = ds.UID
		if image := ds.Spec.Template.Spec.Containers[0].Image; image != "ghcr.io/podid/podid-agent:"+version {
			t.Errorf("the image is %s", image)
		}
		return nil
	})
	check(t, retry.RetryOnConflict(retry.DefaultBackoff, func() error { // with who writes its status
		ds, err := w.daemonSet(t.Context())
		if err != nil {
			return err
		}
		ds.Spec.Template.Spec.Containers[0].Image = "evil.example.com/agent"
		_, err = w.kube.AppsV1().DaemonSets("kube-system").Update(t.Context(), ds, metav1.UpdateOptions{})
		return err
	}))
	lab.Eventually(t, 5*time.Second, "a changed DaemonSet is repaired", func(ctx context.Context) error {
		ds, err := w.daemonSet(ctx)
		if err == nil && strings.HasPrefix(ds.Spec.Template.Spec.Containers[0].Image, "evil") {
			return errors.New("it is not")
		}
		return err
	})
	// A pod that is being made while its DaemonSet is replaced by one of the same name is waited for by its controller for minutes.
	lab.Eventually(t, 20*time.Second, "the DaemonSet's controller has done its work", func(ctx context.Context) error {
		ds, err := w.daemonSet(ctx)
		if err != nil {
			return err
		}
		if s := ds.Status; s.ObservedGeneration != ds.Generation || s.CurrentNumberScheduled != 1 || s.UpdatedNumberScheduled != 1 {
			return fmt.Errorf("of generation %d, it is %+v", ds.Generation, s)
		}
		return nil
	})
	check(t, w.kube.AppsV1().DaemonSets("kube-system").Delete(t.Context(), agent, metav1.DeleteOptions{}))
	lab.Eventually(t, 5*time.Second, "a deleted DaemonSet is made again", func(ctx context.Context) error {
		ds, err := w.daemonSet(ctx)
		if err == nil && ds.UID == uid {
			return errors.New("it is the old one")
		}
		return err
	})
	_, err = w.eks.UpdateAddon(t.Context(), &eks.UpdateAddonInput{ClusterName: aws.String(clusterName), AddonName: aws.String(agent), ConfigurationValues: aws.String(`{"nodeSelector":{"-no-label-":"x"}}`)})
	check(t, err)
	lab.Eventually(t, 5*time.Second, "a configuration that Kubernetes refuses is told", func(ctx context.Context) error {
		_, text, err := w.health(ctx)
		if err == nil && !strings.Contains(text, "nodeSelector") {
			return fmt.Errorf("the health is %q", text)
		}
		return err
	})
	_, err = w.eks.UpdateAddon(t.Context(), &eks.UpdateAddonInput{ClusterName: aws.String(clusterName), AddonName: aws.String(agent), ConfigurationValues: aws.String("podLabels: {team: a}")})
	check(t, err)
	lab.Eventually(t, 5*time.Second, "a right one is applied", func(ctx context.Context) error {
		ds, err := w.daemonSet(ctx)
		if err == nil && ds.Spec.Template.Labels["team"] != "a" {
			return errors.New("it is not")
		}
		return err
	})
}

// agentPod finds the pod that the DaemonSet controller made for a node.
func (w *operatorWorld) agentPod(ctx context.Context, node string) (*corev1.Pod, error) {
	pods, err := w.kube.CoreV1().Pods("kube-system").List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + agent})
	if err != nil {
		return nil, err
	}
	for i := range pods.Items {
		p := &pods.Items[i]
		a := p.Spec.Affinity
		if p.DeletionTimestamp == nil && (p.Spec.NodeName == node || a != nil && strings.Contains(a.String(), node)) && p.Labels["team"] == "a" {
			return p, nil
		}
	}
	return nil, errors.New("the DaemonSet controller has made none")
}

// runs says of a pod what a kubelet would.
func (w *operatorWorld) runs(ctx context.Context, p *corev1.Pod, phase corev1.PodPhase, ready corev1.ConditionStatus) error {
	p.Status.Phase = phase
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}
	_, err := w.kube.CoreV1().Pods(p.Namespace).UpdateStatus(ctx, p, metav1.UpdateOptions{})
	return err
}

func (w *operatorWorld) bind(ctx context.Context, p *corev1.Pod, node string) error {
	return w.kube.CoreV1().Pods(p.Namespace).Bind(ctx, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: p.Namespace}, Target: corev1.ObjectReference{Kind: "Node", Name: node},
	}, metav1.CreateOptions{})
}

func (w *operatorWorld) taint(t *testing.T) {
	lab.Eventually(t, 20*time.Second, "the agent's pod runs on the node", func(ctx context.Context) error {
		p, err := w.agentPod(ctx, "worker-1")
		if err != nil {
			return err
		}
		if p.Spec.NodeName == "" {
			if err := w.bind(ctx, p, "worker-1"); err != nil {
				return err
			}
		}
		return nil
	})
	n, err := w.kube.CoreV1().Nodes().Get(t.Context(), "worker-1", metav1.GetOptions{})
	check(t, err)
	if len(n.Spec.Taints) < 3 {
		t.Fatalf("the taints are %v before the agent is ready", n.Spec.Taints)
	}
	lab.Eventually(t, 5*time.Second, "the agent is ready", func(ctx context.Context) error {
		p, err := w.agentPod(ctx, "worker-1")
		if err != nil {
			return err
		}
		return w.runs(ctx, p, corev1.PodRunning, corev1.ConditionTrue)
	})
	lab.Eventually(t, 5*time.Second, "the taint is gone", func(ctx context.Context) error {
		n, err := w.kube.CoreV1().Nodes().Get(ctx, "worker-1", metav1.GetOptions{})
		if err != nil {
			return err
		}
		theirs := false
		for _, taint := range n.Spec.Taints {
			if taint.Key == v1alpha1.TaintAgentNotReady {
				return fmt.Errorf("the taints are %v", n.Spec.Taints)
			}
			theirs = theirs || taint.Key == "theirs"
		}
		if !theirs {
			t.Errorf("another taint went with it: %v", n.Spec.Taints)
		}
		return nil
	})
	lab.Eventually(t, 15*time.Second, "the add-on is active", func(ctx context.Context) error {
		status, text, err := w.health(ctx)
		if err == nil && status != ekstypes.AddonStatusActive {
			return fmt.Errorf("it is %s: %s", status, text)
		}
		return err
	})
}

func (w *operatorWorld) registration(t *testing.T) {
	api := w.kube.AdmissionregistrationV1().MutatingWebhookConfigurations()
	var good string
	check(t, retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		c, err := api.Get(t.Context(), "pod-identity-webhook", metav1.GetOptions{})
		if err != nil {
			return err
		}
		good = string(c.Webhooks[0].ClientConfig.CABundle)
		for i := range c.Webhooks {
			c.Webhooks[i].ClientConfig.CABundle = nil
		}
		_, err = api.Update(t.Context(), c, metav1.UpdateOptions{})
		return err
	}))
	lab.Eventually(t, 5*time.Second, "a changed registration is repaired", func(ctx context.Context) error {
		c, err := api.Get(ctx, "pod-identity-webhook", metav1.GetOptions{})
		if err == nil && string(c.Webhooks[0].ClientConfig.CABundle) != good {
			return errors.New("it is not")
		}
		return err
	})
	check(t, w.kube.CoreV1().Secrets("podid-system").Delete(t.Context(), "podid-operator-webhook", metav1.DeleteOptions{}))
	lab.Eventually(t, 5*time.Second, "a lost Secret is made again, and what was trusted stays trusted", func(ctx context.Context) error {
		if _, err := w.kube.CoreV1().Secrets("podid-system").Get(ctx, "podid-operator-webhook", metav1.GetOptions{}); err != nil {
			return err
		}
		c, err := api.Get(ctx, "pod-identity-webhook", metav1.GetOptions{})
		if err == nil && !strings.Contains(string(c.Webhooks[0].ClientConfig.CABundle), strings.TrimSpace(good)) {
			return errors.New("it does not")
		}
		return err
	})
	for i := range 20 { // pods of this namespace are refused where the webhook is not trusted
		p := w.pod(t, "shop", fmt.Sprintf("after-%d", i), nil)
		if !hasVolume(p) {
			t.Errorf("pod %d is not injected", i)
		}
	}
}

func (w *operatorWorld) takeover(t *testing.T) {
	second := w.replica()
	haltSecond := w.start(second)
	lab.Eventually(t, 20*time.Second, "a second replica is ready, and does not lead", ready(second))
	// It serves the certificate that the leader made.
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", second.WebhookPort), &tls.Config{InsecureSkipVerify: true})
	check(t, err)
	served := conn.ConnectionState().PeerCertificates[0]
	conn.Close()
	registered, err := w.kube.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), "pod-identity-webhook", metav1.GetOptions{})
	check(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(registered.Webhooks[0].ClientConfig.CABundle)
	if _, err := served.Verify(x509.VerifyOptions{Roots: roots, DNSName: "127.0.0.1"}); err != nil {
		t.Errorf("what it serves is not what the API server trusts: %v", err)
	}
	w.halt()
	w.node(t, "worker-2", "more")
	lab.Eventually(t, 20*time.Second, "the second leads and publishes", func(ctx context.Context) error {
		_, err := w.eks.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: aws.String(clusterName), NodegroupName: aws.String("more")})
		return err
	})
	haltSecond()
	w.halt = w.start(w.config)
	lab.Eventually(t, 20*time.Second, "the first is ready again", ready(w.config))
}

func (w *operatorWorld) rotation(t *testing.T) {
	kept := func(ctx context.Context) (int, error) {
		m, err := w.kube.CoreV1().ConfigMaps("podid-system").Get(ctx, "podid-operator-keys", metav1.GetOptions{})
		if err != nil {
			return 0, err
		}
		return strings.Count(m.Data["keys.json"], `"jwk"`), nil
	}
	before, err := kept(t.Context())
	check(t, err)
	check(t, w.lab.RotateServiceAccountKey(t.Context()))
	lab.Eventually(t, 30*time.Second, "the new key is published", func(ctx context.Context) error {
		n, err := kept(ctx)
		if err == nil && n <= before {
			return fmt.Errorf("there are %d keys", n)
		}
		return err
	})
}

func (w *operatorWorld) addonGoes(t *testing.T) {
	_, err := w.eks.DeleteAddon(t.Context(), &eks.DeleteAddonInput{ClusterName: aws.String(clusterName), AddonName: aws.String(agent)})
	check(t, err)
	lab.Eventually(t, 10*time.Second, "the DaemonSet is gone", func(ctx context.Context) error {
		_, err := w.daemonSet(ctx)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it is there: %w", err)
	})
	pods, err := w.kube.CoreV1().Pods("kube-system").List(t.Context(), metav1.ListOptions{})
	check(t, err)
	for _, p := range pods.Items { // there is no kubelet that would end them
		check(t, w.kube.CoreV1().Pods("kube-system").Delete(t.Context(), p.Name, metav1.DeleteOptions{GracePeriodSeconds: aws.Int64(0)}))
	}
	lab.Eventually(t, 10*time.Second, "the add-on is gone", func(ctx context.Context) error {
		_, _, err := w.health(ctx)
		if _, gone := errors.AsType[*ekstypes.ResourceNotFoundException](err); gone {
			return nil
		}
		return fmt.Errorf("it is there: %w", err)
	})
	if _, err := w.kube.RbacV1().ClusterRoles().Get(t.Context(), agent, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("its ClusterRole: %v", err)
	}
}
