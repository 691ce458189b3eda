package cluster_test

import (
	"context"
	"errors"
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

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/test/lab"
)

const (
	operatorSelector = "app.kubernetes.io/name=podid-operator"
	agentSelector    = "app.kubernetes.io/name=eks-pod-identity-agent"
)

// connect connects the cluster with one command, and finds what the command promises.
func (w *world) connect(t *testing.T) {
	ctx := t.Context()
	flags := []string{
		"--profile", "podid", "--kubeconfig", w.lab.Kubeconfig, "--yes", "--timeout", "90s",
		"--operator-image", imagePrefix + "/podid-operator:" + imageVersion, "--agent-image", imagePrefix + "/podid-agent:" + imageVersion,
	}
	plan, err := w.command(t, append([]string{"cluster", "connect", clusterName, "--dry-run"}, flags...)...)
	must(t, err)
	if _, err := w.kube.CoreV1().Namespaces().Get(ctx, operatorNamespace, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a dry run made the namespace %s: %v", operatorNamespace, err)
	}
	begin := time.Now()
	said, err := w.command(t, append([]string{"cluster", "connect", clusterName}, flags...)...)
	must(t, err)
	t.Logf("a dry run says:\n%s\nconnected in %s:\n%s", plan, round(time.Since(begin)), said)
	said, err = w.command(t, append([]string{"cluster", "connect", clusterName}, flags...)...)
	must(t, err) // again: nothing is left to do
	t.Logf("connected again:\n%s", said)

	status, err := w.command(t, "cluster", "status", clusterName, "--profile", "podid", "--kubeconfig", w.lab.Kubeconfig)
	must(t, err)
	t.Logf("its status:\n%s", status)

	e := eks.NewFromConfig(w.cluster)
	c, err := e.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String(clusterName)})
	must(t, err)
	if c.Cluster.Status != ekstypes.ClusterStatusActive || *c.Cluster.Identity.Oidc.Issuer != w.lab.Issuer() || *c.Cluster.Version != "1.36" {
		t.Errorf("the cluster is %s, issuer %s, version %s", c.Cluster.Status, *c.Cluster.Identity.Oidc.Issuer, *c.Cluster.Version)
	}
	a, err := e.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: aws.String(clusterName), AddonName: aws.String("eks-pod-identity-agent")})
	must(t, err)
	if a.Addon.Status != ekstypes.AddonStatusActive {
		t.Errorf("the add-on is %s: %+v", a.Addon.Status, a.Addon.Health)
	}
	w.secure(t)
	// A namespace with late binding, for the story.
	_, err = w.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: lateNamespace, Labels: map[string]string{v1alpha1.LabelLateBinding: v1alpha1.LateBindingEnabled},
	}}, metav1.CreateOptions{})
	must(t, err)
}

// secure holds what the agent's pods may do: the init step changes the network, the server binds a low port, and nothing else.
func (w *world) secure(t *testing.T) {
	t.Helper()
	var set *appsv1.DaemonSet
	set, err := w.kube.AppsV1().DaemonSets(agentNamespace).Get(t.Context(), "eks-pod-identity-agent", metav1.GetOptions{})
	must(t, err)
	spec := set.Spec.Template.Spec
	for _, c := range append(spec.InitContainers, spec.Containers...) {
		want := corev1.Capability("NET_BIND_SERVICE")
		if c.Name != spec.Containers[0].Name {
			want = "NET_ADMIN"
		}
		s := c.SecurityContext
		if s == nil || s.Capabilities == nil || len(s.Capabilities.Add) != 1 || s.Capabilities.Add[0] != want || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" ||
			s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.Privileged != nil && *s.Privileged {
			t.Errorf("container %s may more than it needs: %+v", c.Name, s)
		}
		if len(c.Ports) > 0 {
			t.Errorf("container %s claims ports of the host: %+v", c.Name, c.Ports)
		}
	}
	if p := spec.SecurityContext; p == nil || p.SeccompProfile == nil || p.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("the agent's pods have the seccomp profile %+v", p)
	}
}

// disconnect undoes what connect did, and leaves pods alone.
func (w *world) disconnect(t *testing.T) {
	ctx := t.Context()
	flags := []string{"--profile", "podid", "--kubeconfig", w.lab.Kubeconfig, "--yes"}
	if said, err := w.command(t, append([]string{"cluster", "disconnect", clusterName}, flags...)...); err == nil || !strings.Contains(said, "association") {
		t.Errorf("a cluster with associations was disconnected without --force: %s", said)
	}
	said, err := w.command(t, append([]string{"cluster", "disconnect", clusterName, "--force", "--delete-crds"}, flags...)...)
	must(t, err)
	t.Logf("disconnected:\n%s", said)
	_, err = eks.NewFromConfig(w.cluster).DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String(clusterName)})
	if _, gone := errors.AsType[*ekstypes.ResourceNotFoundException](err); !gone {
		t.Errorf("the control plane still knows the cluster: %v", err)
	}
	for what, get := range map[string]func(context.Context) error{
		"the webhook configuration": func(ctx context.Context) error {
			_, err := w.kube.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, "pod-identity-webhook", metav1.GetOptions{})
			return err
		},
		"the agent": func(ctx context.Context) error {
			_, err := w.kube.AppsV1().DaemonSets(agentNamespace).Get(ctx, "eks-pod-identity-agent", metav1.GetOptions{})
			return err
		},
		"the operator": func(ctx context.Context) error {
			_, err := w.kube.AppsV1().Deployments(operatorNamespace).Get(ctx, "podid-operator", metav1.GetOptions{})
			return err
		},
		"the operator's rights": func(ctx context.Context) error {
			_, err := w.kube.RbacV1().ClusterRoles().Get(ctx, "podid-operator", metav1.GetOptions{})
			return err
		},
		"the operator's namespace": func(ctx context.Context) error {
			_, err := w.kube.CoreV1().Namespaces().Get(ctx, operatorNamespace, metav1.GetOptions{})
			return err
		},
	} {
		lab.Eventually(t, 60*time.Second, what+" is gone", func(ctx context.Context) error {
			if err := get(ctx); !apierrors.IsNotFound(err) {
				return errors.Join(errors.New("it is there"), err)
			}
			return nil
		})
	}
	w.serviceAccount(t, "after", "app", nil)
	r := w.run(t, podOf("after", "app", "put", bucketName, objectKey, "order"))
	refused(t, r, "no EC2 IMDS role found") // pods start as they did before podid came
}
