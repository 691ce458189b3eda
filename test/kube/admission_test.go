// Package kube_test tests what runs in a cluster against a real API server.
package kube_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/podid/podid/internal/kube/admission"
	"github.com/podid/podid/internal/kube/inject"
)

// The tests of the webhook share one API server, and so run one after the other.
func TestAdmission(t *testing.T) {
	t.Parallel()
	w := newWebhook(t)
	w.asked()
	t.Run("golden pods", func(t *testing.T) { w.goldenPods(t) })
	p := newWebhookPlane(t)
	f := p.follower(t)
	w.serve(inject.Defaults(), f)
	t.Run("a pod right after its association", func(t *testing.T) { w.rightAfter(t, p) })
	t.Run("namespaces and labels", func(t *testing.T) { w.namespaces(t, p) })
	t.Run("without the control plane", func(t *testing.T) {
		p.stop()
		w.withoutControlPlane(t)
	})
	t.Run("without the webhook", func(t *testing.T) {
		w.server.Close()
		w.withoutWebhook(t)
	})
}

// A golden file's pod comes out of the API server as the file says.
func (w *webhook) goldenPods(t *testing.T) {
	files, err := filepath.Glob("../../internal/kube/inject/testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for i, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		if strings.HasSuffix(name, "account-unknown") {
			continue // an API server has no pods without one
		}
		t.Run(name, func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, output, _ := bytes.Cut(content, []byte("---\n"))
			var given struct {
				Settings                json.RawMessage
				Random                  int64
				Associated, LateBinding bool
				ServiceAccount          inject.ServiceAccount
				Pod                     json.RawMessage
			}
			var expected struct{ Patch json.RawMessage }
			if err := errors.Join(yaml.Unmarshal(input, &given), yaml.Unmarshal(output, &expected)); err != nil {
				t.Fatal(err)
			}
			s := inject.Defaults()
			if given.Settings != nil {
				if err := yaml.Unmarshal(given.Settings, &s); err != nil {
					t.Fatal(err)
				}
			}
			s.Random = func(n int64) int64 { return min(given.Random, n-1) }
			w.serve(s, always(given.Associated))
			namespace := fmt.Sprint("golden-", i)
			labels := map[string]string{}
			if given.LateBinding {
				labels["podid.dev/late-binding"] = "enabled"
			}
			w.namespace(namespace, labels)
			w.account(namespace, "s", given.ServiceAccount.Annotations)

			var before, want corev1.Pod
			if err := json.Unmarshal(given.Pod, &before); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(patchedPod(t, given.Pod, expected.Patch), &want); err != nil {
				t.Fatal(err)
			}
			before.Namespace, before.Spec.EphemeralContainers = namespace, nil
			for _, list := range [][]corev1.Container{before.Spec.Containers, before.Spec.InitContainers} {
				for i := range list {
					list[i].Image = "app"
				}
			}
			got, err := w.kube.CoreV1().Pods(namespace).Create(t.Context(), &before, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(identityOf(&want), identityOf(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func patchedPod(t *testing.T, pod, patch []byte) []byte {
	t.Helper()
	if string(patch) == "null" {
		return pod
	}
	p, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		t.Fatal(err)
	}
	if pod, err = p.Apply(pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

// identityOf is all of a pod that an injection may touch, and nothing that an API server adds by itself.
func identityOf(p *corev1.Pod) []string {
	lines := []string{"label " + p.Labels["eks.amazonaws.com/pod-identity"]}
	for _, v := range p.Spec.Volumes {
		if strings.HasPrefix(v.Name, "kube-api-access-") {
			continue
		}
		lines = append(lines, "volume "+v.Name)
		if v.Projected == nil {
			continue
		}
		for _, s := range v.Projected.Sources {
			if s.ServiceAccountToken != nil {
				lines = append(lines, fmt.Sprint("  token ", s.ServiceAccountToken.Audience, " ", *s.ServiceAccountToken.ExpirationSeconds, " ", s.ServiceAccountToken.Path))
			}
			if s.ConfigMap != nil {
				lines = append(lines, fmt.Sprint("  config map ", s.ConfigMap.Name, " ", s.ConfigMap.Items))
			}
		}
	}
	for _, list := range [][]corev1.Container{p.Spec.Containers, p.Spec.InitContainers} {
		for _, c := range list {
			lines = append(lines, "container "+c.Name)
			for _, e := range c.Env {
				lines = append(lines, "  "+e.Name+"="+e.Value)
			}
			for _, m := range c.VolumeMounts {
				if !strings.HasPrefix(m.Name, "kube-api-access-") {
					lines = append(lines, fmt.Sprint("  mount ", m.Name, " ", m.MountPath, " ", m.ReadOnly, m.SubPath))
				}
			}
		}
	}
	return lines
}

// An association is made, and the pod at once: it is injected, a thousand times out of a thousand. Beside the association another
// pod of the same account is created, so that a question is under way whose answer may be the one from before.
func (w *webhook) rightAfter(t *testing.T, p webhookPlane) {
	const rounds, workers = 1000, 8
	w.namespace("right-after", nil)
	var next, ok atomic.Int64
	var took [rounds]time.Duration
	began := time.Now()
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for i := next.Add(1); i <= rounds; i = next.Add(1) {
				account := fmt.Sprint("s-", i)
				sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account}}
				if _, err := w.kube.CoreV1().ServiceAccounts("right-after").Create(t.Context(), sa, metav1.CreateOptions{}); err != nil {
					t.Error(err)
					return
				}
				var beside sync.WaitGroup
				beside.Go(func() {
					if _, err := w.create("right-after", account, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
						t.Error(err)
					}
				})
				if err := p.associate(t.Context(), "right-after", account); err != nil {
					t.Error(err)
					return
				}
				asked := time.Now()
				pod, err := w.create("right-after", account, metav1.CreateOptions{})
				took[i-1] = time.Since(asked)
				if err != nil {
					t.Error(err)
					return
				}
				if injected(pod) {
					ok.Add(1)
				}
				beside.Wait()
			}
		})
	}
	all.Wait()
	if ok.Load() != rounds {
		t.Errorf("%d of %d pods were injected", ok.Load(), rounds)
	}
	slices.Sort(took[:])
	t.Logf("%d of %d injected in %v; pod creation p50 %v, p99 %v", ok.Load(), rounds, time.Since(began).Round(time.Millisecond), took[rounds/2], took[rounds*99/100])
}

func (w *webhook) namespaces(t *testing.T, p webhookPlane) {
	w.namespace("plain", nil)
	w.namespace("required", map[string]string{"podid.dev/injection": "required"})
	w.namespace("late", map[string]string{"podid.dev/late-binding": "enabled"})
	w.namespace("podid-system", nil)
	for _, namespace := range []string{"plain", "required", "late", "podid-system", "kube-system"} {
		for _, account := range []string{"associated", "other"} {
			w.account(namespace, account, nil)
		}
		if err := p.associate(t.Context(), namespace, "associated"); err != nil {
			t.Fatal(err)
		}
	}
	skip := func(p *corev1.Pod) {
		p.Labels = map[string]string{"eks.amazonaws.com/skip-pod-identity-webhook": "false"}
	}
	tests := []struct {
		namespace, account string
		change             []func(*corev1.Pod)
		want               bool
	}{
		{"plain", "associated", nil, true},
		{"plain", "other", nil, false},
		{"required", "associated", nil, true},
		{"required", "other", nil, false},
		{"late", "associated", nil, true},
		{"late", "other", nil, true},
		{"plain", "associated", []func(*corev1.Pod){skip}, false},
		{"required", "associated", []func(*corev1.Pod){skip}, false},
		{"podid-system", "associated", nil, false},
		{"kube-system", "associated", nil, false},
	}
	for _, test := range tests {
		for _, dryRun := range [][]string{nil, {metav1.DryRunAll}} {
			pod, err := w.create(test.namespace, test.account, metav1.CreateOptions{DryRun: dryRun}, test.change...)
			if err != nil {
				t.Fatal(err)
			}
			if injected(pod) != test.want {
				t.Errorf("%s/%s, dry run %v, skipped %v: injected %v, want %v", test.namespace, test.account, dryRun, test.change != nil, !test.want, test.want)
			}
		}
	}
}

// What is known stays known. What is not is refused where injection is required, and admitted with a warning elsewhere.
func (w *webhook) withoutControlPlane(t *testing.T) {
	for _, namespace := range []string{"plain", "required", "late"} {
		pod, err := w.create(namespace, "associated", metav1.CreateOptions{})
		if err != nil || !injected(pod) {
			t.Errorf("an association that is known in %s: %v, %v", namespace, pod.Spec, err)
		}
	}
	if pod, err := w.create("late", "other", metav1.CreateOptions{}); err != nil || !injected(pod) {
		t.Errorf("a late bound pod: %v", err)
	}
	_, err := w.create("required", "other", metav1.CreateOptions{})
	if !apierrors.IsServiceUnavailable(err) || !strings.Contains(err.Error(), "control_plane") || !strings.Contains(err.Error(), "required/other") {
		t.Errorf("refused with %v", err)
	}
	w.mu.Lock()
	w.warnings = nil
	w.mu.Unlock()
	pod, err := w.create("plain", "other", metav1.CreateOptions{})
	if err != nil || injected(pod) {
		t.Errorf("admitted %v, %v", pod, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.warnings) != 1 || !strings.Contains(w.warnings[0], "plain/other") {
		t.Errorf("the client was warned %q", w.warnings)
	}
}

func (w *webhook) withoutWebhook(t *testing.T) {
	if pod, err := w.create("plain", "associated", metav1.CreateOptions{}); err != nil || injected(pod) {
		t.Errorf("where injection is not required: %v, %v", pod, err)
	}
	if _, err := w.create("required", "associated", metav1.CreateOptions{}); !apierrors.IsInternalError(err) || !strings.Contains(err.Error(), admission.RequiredName) {
		t.Errorf("where it is: %v", err)
	}
}
