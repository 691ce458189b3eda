package cluster_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/podid/podid/test/lab"
)

// The image that pods run; see test/cluster/app.
const appImage = "test.podid.dev/app:1"

// podOf is a pod that runs the application once.
func podOf(namespace, serviceAccount string, args ...string) *corev1.Pod {
	no := false
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: serviceAccount + "-", Namespace: namespace},
		Spec: corev1.PodSpec{
			ServiceAccountName: serviceAccount, RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: &no,
			TerminationGracePeriodSeconds: new(int64),
			Containers: []corev1.Container{{
				Name: "app", Image: appImage, Args: args, ImagePullPolicy: corev1.PullNever,
				// A refusal stays one: an SDK that finds no credentials does not go looking for the machine's.
				Env: []corev1.EnvVar{{Name: "AWS_EC2_METADATA_DISABLED", Value: "true"}},
			}},
		},
	}
}

// serviceAccount makes a service account, and its namespace, where they are missing.
func (w *world) serviceAccount(t testing.TB, namespace, name string, annotations map[string]string) {
	t.Helper()
	ctx := t.Context()
	_, err := w.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	_, err = w.kube.CoreV1().ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Annotations: annotations},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}

// create makes a pod. Where the service account is so new that the API server does not know it yet, it tries again.
func (w *world) create(t testing.TB, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	var made *corev1.Pod
	lab.Eventually(t, 30*time.Second, "the pod is admitted", func(ctx context.Context) error {
		var err error
		made, err = w.kube.CoreV1().Pods(pod.Namespace).Create(ctx, pod, metav1.CreateOptions{})
		return err
	})
	return made
}

// result is how a pod's program ended.
type result struct {
	pod  *corev1.Pod
	said string
	err  error // it ended with another status than 0
}

// run makes a pod and waits until its program has ended.
func (w *world) run(t testing.TB, pod *corev1.Pod) result {
	t.Helper()
	made := w.create(t, pod)
	ended := w.wait(t, made, func(p *corev1.Pod) bool {
		return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	})
	r := result{pod: ended, said: w.logs(t, ended)}
	if ended.Status.Phase == corev1.PodFailed {
		r.err = fmt.Errorf("pod %s/%s failed: %s", ended.Namespace, ended.Name, r.said)
	}
	return r
}

// wait waits until a pod is as it should be.
func (w *world) wait(t testing.TB, pod *corev1.Pod, is func(*corev1.Pod) bool) *corev1.Pod {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var last *corev1.Pod
	for {
		watcher, err := w.kube.CoreV1().Pods(pod.Namespace).Watch(ctx, metav1.ListOptions{
			FieldSelector: fields.OneTermEqualSelector("metadata.name", pod.Name).String(),
		})
		if err == nil {
			for e := range watcher.ResultChan() {
				p, ok := e.Object.(*corev1.Pod)
				if !ok || p.UID != pod.UID {
					continue
				}
				last = p
				if is(p) || e.Type == watch.Deleted {
					watcher.Stop()
					return p
				}
			}
		}
		if ctx.Err() != nil {
			text := "never seen"
			if last != nil {
				text = fmt.Sprintf("%s: %+v", last.Status.Phase, last.Status.ContainerStatuses)
			}
			t.Fatalf("pod %s/%s is not as it should be: %s\n%s", pod.Namespace, pod.Name, text, w.events(pod))
		}
	}
}

func running(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodRunning && len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].Ready
}

// logs is what a pod's program printed.
func (w *world) logs(t testing.TB, pod *corev1.Pod) string {
	t.Helper()
	var text string
	lab.Eventually(t, 20*time.Second, "the pod's log can be read", func(ctx context.Context) error {
		stream, err := w.kube.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{}).Stream(ctx)
		if err != nil {
			return err
		}
		defer stream.Close()
		b, err := io.ReadAll(stream)
		text = string(b)
		return err
	})
	return text
}

// events are the Events about a pod, for people.
func (w *world) events(pod *corev1.Pod) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	list, err := w.kube.CoreV1().Events(pod.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=" + pod.Name})
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, e := range list.Items {
		fmt.Fprintf(&b, "%s %s: %s\n", e.Type, e.Reason, e.Message)
	}
	return b.String()
}

// refused asserts that a pod's program was refused with a text that has every fragment.
func refused(t testing.TB, r result, fragments ...string) {
	t.Helper()
	if r.err == nil {
		t.Fatalf("it was allowed: %s", r.said)
	}
	for _, f := range fragments {
		if !strings.Contains(r.said, f) {
			t.Errorf("refused, but the text lacks %q: %s", f, r.said)
		}
	}
}
