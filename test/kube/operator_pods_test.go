package kube_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/test/lab"
)

func (w *operatorWorld) namespace(t *testing.T, name string, labels map[string]string) {
	t.Helper()
	_, err := w.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}, metav1.CreateOptions{})
	check(t, err)
	lab.Eventually(t, 10*time.Second, "namespace "+name+" has its service account", func(ctx context.Context) error {
		_, err := w.kube.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

func (w *operatorWorld) trust(t *testing.T) {
	w.namespace(t, "shop", map[string]string{v1alpha1.LabelInjection: v1alpha1.InjectionRequired})
	there := func(ctx context.Context) error {
		m, err := w.kube.CoreV1().ConfigMaps("shop").Get(ctx, v1alpha1.CAConfigMap, metav1.GetOptions{})
		if err == nil && !strings.Contains(m.Data[v1alpha1.CAKey], "BEGIN CERTIFICATE") {
			return fmt.Errorf("it holds %v", m.Data)
		}
		return err
	}
	lab.Eventually(t, 5*time.Second, "the authority is there", there)
	check(t, retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		m, err := w.kube.CoreV1().ConfigMaps("shop").Get(t.Context(), v1alpha1.CAConfigMap, metav1.GetOptions{})
		if err != nil {
			return err
		}
		m.Data[v1alpha1.CAKey] = "mine"
		_, err = w.kube.CoreV1().ConfigMaps("shop").Update(t.Context(), m, metav1.UpdateOptions{})
		return err
	}))
	lab.Eventually(t, 5*time.Second, "a changed one is repaired", there)
	check(t, w.kube.CoreV1().ConfigMaps("shop").Delete(t.Context(), v1alpha1.CAConfigMap, metav1.DeleteOptions{}))
	lab.Eventually(t, 5*time.Second, "a deleted one is made again", there)
}

func (w *operatorWorld) pod(t *testing.T, namespace, name string, change func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}}}
	if change != nil {
		change(p)
	}
	p, err := w.kube.CoreV1().Pods(namespace).Create(t.Context(), p, metav1.CreateOptions{})
	check(t, err)
	return p
}

func hasVolume(p *corev1.Pod) bool {
	return p.Labels[v1alpha1.LabelPodIdentity] == "enabled" && slices.ContainsFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == v1alpha1.TokenVolume })
}

func (w *operatorWorld) injection(t *testing.T) {
	_, err := w.associate(t.Context(), clusterName, "shop", "default", roleARN("app"))
	check(t, err)
	if p := w.pod(t, "shop", "right-after", nil); !hasVolume(p) {
		t.Errorf("a pod that was made right after its association is %v", p.Spec)
	}
	w.namespace(t, "other", nil)
	if p := w.pod(t, "other", "nobody", nil); hasVolume(p) {
		t.Error("a pod without an association was injected")
	}
}

func condition(p *corev1.Pod) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if p.Status.Conditions[i].Type == v1alpha1.ConditionIdentityMissing {
			return &p.Status.Conditions[i]
		}
	}
	return nil
}

func (w *operatorWorld) sweep(t *testing.T) {
	check(t, w.runs(t.Context(), w.pod(t, "other", "before", nil), corev1.PodRunning, corev1.ConditionTrue))
	w.pod(t, "other", "skipped", func(p *corev1.Pod) { p.Labels = map[string]string{v1alpha1.LabelSkip: "true"} })
	id, err := w.associate(t.Context(), clusterName, "other", "default", roleARN("app"))
	check(t, err)
	lab.Eventually(t, 15*time.Second, "the pod is flagged", func(ctx context.Context) error {
		p, err := w.kube.CoreV1().Pods("other").Get(ctx, "before", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if c := condition(p); c == nil || c.Status != corev1.ConditionTrue || c.Reason != "IdentityMissing" || !strings.Contains(c.Message, "create it again") {
			return fmt.Errorf("the condition is %v", c)
		}
		return nil
	})
	lab.Eventually(t, 5*time.Second, "an Event says so", func(ctx context.Context) error {
		list, err := w.kube.EventsV1().Events("other").List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, e := range list.Items {
			if e.Reason == "IdentityMissing" && e.Regarding.Name == "before" && e.Type == corev1.EventTypeWarning {
				return nil
			}
		}
		return errors.New("there is none")
	})
	lab.Eventually(t, 15*time.Second, "the metric counts it, and its like", func(ctx context.Context) error {
		text, err := get(ctx, "http://"+w.config.MetricsAddress+"/metrics")
		if err != nil {
			return err
		}
		if !strings.Contains(text, `podid_pods_identity_missing{namespace="other"} 2`) { // "nobody" too, not "skipped"
			return errors.New("it does not")
		}
		return nil
	})
	_, err = w.eks.DeletePodIdentityAssociation(t.Context(), &eks.DeletePodIdentityAssociationInput{ClusterName: aws.String(clusterName), AssociationId: &id})
	check(t, err)
	lab.Eventually(t, 15*time.Second, "the flag goes with the association", func(ctx context.Context) error {
		p, err := w.kube.CoreV1().Pods("other").Get(ctx, "before", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if c := condition(p); c == nil || c.Status != corev1.ConditionFalse {
			return fmt.Errorf("the condition is %v", c)
		}
		return nil
	})
	if p, err := w.kube.CoreV1().Pods("other").Get(t.Context(), "skipped", metav1.GetOptions{}); err != nil || condition(p) != nil {
		t.Errorf("the pod that asked to be skipped has %v, %v", condition(p), err)
	}
}

func (w *operatorWorld) told(ctx context.Context) (string, error) {
	text, err := get(ctx, "http://"+w.config.MetricsAddress+"/metrics")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "podid_reconcile_ended_pods_total "); ok {
			return strings.TrimSpace(rest), nil
		}
	}
	return "", errors.New("there is no such metric")
}

func (w *operatorWorld) endedPod(t *testing.T) {
	before, err := w.told(t.Context())
	check(t, err)
	check(t, w.kube.CoreV1().Pods("shop").Delete(t.Context(), "right-after", metav1.DeleteOptions{GracePeriodSeconds: aws.Int64(0)}))
	check(t, w.kube.CoreV1().Pods("other").Delete(t.Context(), "nobody", metav1.DeleteOptions{GracePeriodSeconds: aws.Int64(0)}))
	lab.Eventually(t, 5*time.Second, "the end is told", func(ctx context.Context) error {
		now, err := w.told(ctx)
		if err == nil && now == before {
			return errors.New("it is not")
		}
		return err
	})
}
