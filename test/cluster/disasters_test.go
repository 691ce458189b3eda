package cluster_test

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/test/lab"
)

// Bounds of what a disaster may cost, from its beginning. They are wide, because the machine may be busy with other things; what was
// measured is logged.
const (
	mayTake   = 90 * time.Second // until a new pod has put its object
	untouched = 3 * time.Second  // a running pod notices nothing but a busy machine
)

// disasters lets the parts of the system fail one after the other. A pod that runs all the while tells what it felt: "credentials" is
// the credential endpoint, which SDKs ask every few hours; "call" is a signed call with the credentials that it has.
//
// The namespace is one of those that require injection: no pod starts there without its identity, whatever happens.
func (w *world) disasters(t *testing.T) {
	w.label(t, namespace, v1alpha1.LabelInjection, v1alpha1.InjectionRequired)
	for _, d := range []struct {
		title             string
		strike            func(t *testing.T)
		credentials, call time.Duration // the longest interruption that the running pod may see
	}{
		{"the API server is restarted", w.lab.RestartAPIServer, untouched, untouched},
		{"the control plane is killed and started again", w.restartPlane, untouched, mayTake},
		{"the operator is killed", w.killOperators, untouched, untouched},
		{"the agent is killed", w.killAgent, mayTake, untouched},
		{"the cluster's signing key is rotated", w.lab.RotateServiceAccountKey, untouched, untouched},
	} {
		t.Run(d.title, func(t *testing.T) {
			w.led(t)
			watcher := w.watcher(t, corev1.RestartPolicyNever)
			begin := time.Now()
			d.strike(t)
			strike := time.Since(begin)
			w.newPod(t)
			credentials, call := w.felt(t, watcher)
			t.Logf("struck for %s; a new pod had put its object after %s; the running pod was without the credential endpoint for %s, without answers to calls for %s",
				round(strike), round(time.Since(begin)), round(credentials), round(call))
			if credentials > d.credentials || call > d.call {
				t.Errorf("the running pod was without the credential endpoint for %s (bound %s), and without answers to calls for %s (bound %s)",
					credentials, d.credentials, call, d.call)
			}
			w.delete(t, watcher)
		})
	}
	t.Run("the node is rebooted", func(t *testing.T) {
		w.led(t)
		watcher := w.watcher(t, corev1.RestartPolicyAlways)
		begin := time.Now()
		w.lab.Reboot(t)
		back := w.wait(t, watcher, func(p *corev1.Pod) bool {
			return running(p) && p.Status.ContainerStatuses[0].RestartCount > 0
		})
		lab.Eventually(t, mayTake, "the pod that ran before the reboot has credentials again", func(context.Context) error {
			if said := w.logs(t, back); !strings.Contains(said, "credentials up") || !strings.Contains(said, "call up") {
				return fmt.Errorf("it said %s", said)
			}
			return nil
		})
		again := time.Since(begin)
		w.newPod(t)
		t.Logf("a pod from before the reboot had credentials again after %s, a new pod had put its object after %s", round(again), round(time.Since(begin)))
		w.delete(t, watcher)
	})
}

// led waits until a replica of the operator leads, so that a disaster is not that of the one before as well: a leader that was killed is
// followed after a quarter of a minute.
func (w *world) led(t testing.TB) {
	t.Helper()
	lab.Eventually(t, 30*time.Second, "the operator has a leader", func(ctx context.Context) error {
		lease, err := w.kube.CoordinationV1().Leases(operatorNamespace).Get(ctx, "podid-operator", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if since := time.Since(lease.Spec.RenewTime.Time); since > 4*time.Second { // a leader renews it every 2 s
			return fmt.Errorf("the lease was renewed %s ago", since)
		}
		return nil
	})
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }

// watcher is a running pod that tells what it feels; see test/cluster/app.
func (w *world) watcher(t testing.TB, policy corev1.RestartPolicy) *corev1.Pod {
	t.Helper()
	pod := podOf(namespace, uploader, "watch")
	pod.Spec.RestartPolicy = policy
	made := w.wait(t, w.create(t, pod), running)
	lab.Eventually(t, 20*time.Second, "the watching pod has credentials", func(context.Context) error {
		if said := w.logs(t, made); !strings.Contains(said, "credentials up") || !strings.Contains(said, "call up") {
			return fmt.Errorf("it said %s", said)
		}
		return nil
	})
	return made
}

// felt is the longest interruption of each kind that a watching pod tells of, once it has both again.
func (w *world) felt(t testing.TB, watcher *corev1.Pod) (credentials, call time.Duration) {
	t.Helper()
	lab.Eventually(t, mayTake, "the running pod has everything again", func(context.Context) error {
		said := w.logs(t, watcher)
		last := map[string]string{}
		credentials, call = 0, 0
		for lines := bufio.NewScanner(strings.NewReader(said)); lines.Scan(); {
			what, state, _ := strings.Cut(lines.Text(), " ")
			last[what] = state
			after, ok := strings.CutPrefix(state, "up after ")
			if !ok {
				continue
			}
			took, err := time.ParseDuration(after)
			must(t, err)
			if what == "call" {
				call = max(call, took)
			} else {
				credentials = max(credentials, took)
			}
		}
		if !strings.HasPrefix(last["credentials"], "up") || !strings.HasPrefix(last["call"], "up") {
			return fmt.Errorf("it said %s", said)
		}
		return nil
	})
	return credentials, call
}

// newPod makes a pod that puts an object, as soon as the API server takes one. Its program is started again when it fails, as those of
// most pods are.
func (w *world) newPod(t testing.TB) {
	t.Helper()
	key := fmt.Sprintf("%s/after-%d.txt", folder, time.Now().UnixNano())
	pod := podOf(namespace, uploader, "put", bucketName, key, "it goes on")
	pod.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
	r := w.run(t, pod)
	must(t, r.err)
	w.holds(t, key, "it goes on")
	c := r.pod.Status.ContainerStatuses[0]
	t.Logf("the new pod's program was started %d times, at last %s after the pod was made: that is Kubernetes' part of it",
		c.RestartCount+1, c.State.Terminated.StartedAt.Sub(r.pod.CreationTimestamp.Time))
}

func (w *world) label(t testing.TB, namespace, key, value string) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, key, value)
	_, err := w.kube.CoreV1().Namespaces().Patch(t.Context(), namespace, types.MergePatchType, patch, metav1.PatchOptions{})
	must(t, err)
}

// restartPlane kills the control plane, and starts it again.
func (w *world) restartPlane(t *testing.T) {
	t.Helper()
	must(t, w.plane.Kill())
	w.startPlane(t)
}

// killOperators kills the processes of all replicas of the operator at once.
func (w *world) killOperators(t *testing.T) { w.kill(t, "podid-operator") }

// killAgent kills the process of the node's agent.
func (w *world) killAgent(t *testing.T) { w.kill(t, "podid-agent") }

func (w *world) kill(t testing.TB, program string) {
	t.Helper()
	if text, err := w.lab.Command(t.Context(), "pkill", "-KILL", "-x", program).CombinedOutput(); err != nil {
		t.Fatalf("kill %s: %v %s", program, err, text)
	}
}
