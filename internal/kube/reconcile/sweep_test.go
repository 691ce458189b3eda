package reconcile_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	ctrl "sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/kube/reconcile"
)

var sweepNow = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// sweptPod is a running pod of service account "uploader", an hour old, without an identity.
func sweptPod(changes ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "uploader-0", UID: "u", CreationTimestamp: metav1.NewTime(sweepNow.Add(-time.Hour))},
		Spec:       corev1.PodSpec{ServiceAccountName: "uploader", Containers: []corev1.Container{{Name: "app"}, {Name: "helper"}}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
	for _, change := range changes {
		change(p)
	}
	return p
}

func withVolume(p *corev1.Pod) {
	p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "any", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: v1alpha1.TokenAudience}}},
	}}})
}

func withVariables(p *corev1.Pod) {
	p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "AWS_CONTAINER_CREDENTIALS_FULL_URI", Value: "http://169.254.170.23/v1/credentials"}}
}

func TestInspect(t *testing.T) {
	t.Parallel()
	associated, late, both := reconcile.Surroundings{Associated: true}, reconcile.Surroundings{LateBinding: true}, reconcile.Surroundings{Associated: true, LateBinding: true}
	tests := []struct {
		name   string
		pod    *corev1.Pod
		around reconcile.Surroundings
		want   string // a part of what is said; empty: nothing is missing
		later  time.Duration
	}{
		{"nothing is due", sweptPod(), reconcile.Surroundings{}, "", 0},
		{"associated and without", sweptPod(), associated, "Service account uploader has a pod identity association, but", 0},
		{"late binding and without", sweptPod(), late, "Namespace shop asks for late binding", 0},
		{"both", sweptPod(), both, "Service account uploader", 0},
		{"all is there", sweptPod(withVolume, withVariables), associated, "", 0},
		{"variables alone", sweptPod(withVariables), associated, "made without it", 0},
		{"a token alone", sweptPod(withVolume), associated, "made without it", 0},
		{"the author's own volume", sweptPod(withVariables, func(p *corev1.Pod) {
			p.Spec.Volumes = []corev1.Volume{{Name: v1alpha1.TokenVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
		}), associated, "", 0},
		{"a role by annotation, late binding", sweptPod(func(p *corev1.Pod) { p.Spec.Volumes = []corev1.Volume{{Name: "aws-iam-token"}} }), late, "", 0},
		{"a role by annotation, associated since", sweptPod(func(p *corev1.Pod) { p.Spec.Volumes = []corev1.Volume{{Name: "aws-iam-token"}} }), associated, "made without it", 0},
		{"it asked to be skipped", sweptPod(func(p *corev1.Pod) { p.Labels = map[string]string{v1alpha1.LabelSkip: ""} }), associated, "", 0},
		{"all its containers asked to be skipped", sweptPod(func(p *corev1.Pod) {
			p.Annotations = map[string]string{"eks.amazonaws.com/skip-containers": "app, helper"}
		}), associated, "", 0},
		{"one of them did", sweptPod(func(p *corev1.Pod) { p.Annotations = map[string]string{"eks.amazonaws.com/skip-containers": "app"} }), associated, "made without it", 0},
		{"a mirror pod", sweptPod(func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} }), associated, "", 0},
		{"it has ended", sweptPod(func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }), associated, "", 0},
		{"it is going", sweptPod(func(p *corev1.Pod) { p.DeletionTimestamp = new(metav1.NewTime(sweepNow)) }), associated, "", 0},
		{"it is being created", sweptPod(func(p *corev1.Pod) { p.CreationTimestamp = metav1.NewTime(sweepNow.Add(-2 * time.Second)) }), associated, "", 3 * time.Second},
		{"it was created", sweptPod(func(p *corev1.Pod) { p.CreationTimestamp = metav1.NewTime(sweepNow.Add(-5 * time.Second)) }), associated, "made without it", 0},
		{"the webhook is never called", sweptPod(), reconcile.Surroundings{Associated: true, Skipped: true}, "Run the pod in another namespace.", 0},
		{"no owner", sweptPod(), associated, "Delete this pod and create it again.", 0},
		{"of a Deployment", sweptPod(owner("ReplicaSet", "web-1")), associated, "Restart the Deployment of ReplicaSet web-1", 0},
		{"of a StatefulSet", sweptPod(owner("StatefulSet", "db")), associated, "Restart StatefulSet db", 0},
		{"the default service account", sweptPod(func(p *corev1.Pod) { p.Spec.ServiceAccountName = "" }), associated, "Service account default", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			trimmed, err := reconcile.TrimPod(test.pod)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range []*corev1.Pod{test.pod, trimmed.(*corev1.Pod)} { // as it is, and as the cache has it
				got := reconcile.Inspect(p, test.around, sweepNow)
				if got.Missing != (test.want != "") || !strings.Contains(got.Why, test.want) || got.Later != test.later {
					t.Errorf("got %+v, want %q, %s", got, test.want, test.later)
				}
			}
		})
	}
}

func owner(kind, name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: name, Controller: new(true)}}
	}
}

func TestTrimPod_keepsNoSecret(t *testing.T) {
	t.Parallel()
	p := sweptPod(withVolume, withVariables, func(p *corev1.Pod) {
		p.Spec.Containers[0].Env = append(p.Spec.Containers[0].Env, corev1.EnvVar{Name: "PASSWORD", Value: "hunter2"})
		p.Annotations = map[string]string{"note": "hunter2"}
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "other"})
		p.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	})
	out, err := reconcile.TrimPod(p)
	if err != nil {
		t.Fatal(err)
	}
	trimmed := out.(*corev1.Pod)
	if text := trimmed.String(); strings.Contains(text, "hunter2") || strings.Contains(text, "169.254") || len(trimmed.Spec.Volumes) != 1 || trimmed.ManagedFields != nil {
		t.Errorf("what is kept is %s", text)
	}
	if again, _ := reconcile.TrimPod(trimmed); !cmp.Equal(again, out) {
		t.Error("trimming what is trimmed changes it")
	}
}

// sweep is a Sweep on an API server of the test's.
func sweep(t *testing.T, wanted **client.Wanted, objects ...kube.Object) (*reconcile.Sweep, kube.Client, *events.FakeRecorder) {
	t.Helper()
	c := fake.NewClientBuilder().WithObjects(objects...).WithStatusSubresource(&corev1.Pod{}).Build()
	recorder := events.NewFakeRecorder(10)
	return reconcile.NewSweep(reconcile.SweepConfig{
		Client: c, Wanted: func() *client.Wanted { return *wanted }, Changed: func() <-chan struct{} { return nil },
		Events: recorder, Skipped: []string{"kube-system"}, Now: func() time.Time { return sweepNow }, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}), c, recorder
}

func gauge(t *testing.T, c prometheus.Collector) map[string]float64 {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(c)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			out[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
		}
	}
	return out
}

func TestSweep_flagsAndTakesBack(t *testing.T) {
	t.Parallel()
	var wanted *client.Wanted
	s, c, recorder := sweep(t, &wanted, sweptPod(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}})
	request := ctrl.Request{NamespacedName: kube.ObjectKey{Namespace: "shop", Name: "uploader-0"}}
	look := func(why string, status corev1.ConditionStatus, flagged float64, said int) {
		t.Helper()
		if _, err := s.Reconcile(t.Context(), request); err != nil {
			t.Fatalf("%s: %v", why, err)
		}
		var p corev1.Pod
		if err := c.Get(context.WithoutCancel(t.Context()), request.NamespacedName, &p); err != nil {
			t.Fatal(err)
		}
		var got corev1.ConditionStatus
		for _, condition := range p.Status.Conditions {
			if condition.Type == v1alpha1.ConditionIdentityMissing {
				got = condition.Status
			}
		}
		if got != status || gauge(t, s)["shop"] != flagged || len(recorder.Events) != said {
			t.Errorf("%s: condition %q, gauge %v, %d events", why, got, gauge(t, s), len(recorder.Events))
		}
	}
	look("it is not known what is wanted", "", 0, 0)
	wanted = &client.Wanted{}
	look("no association", "", 0, 0)
	wanted = &client.Wanted{Associations: []client.WantedAssociation{{Namespace: "shop", ServiceAccount: "uploader"}}}
	look("an association came", corev1.ConditionTrue, 1, 1)
	look("nothing is said twice", corev1.ConditionTrue, 1, 1)
	wanted = &client.Wanted{}
	look("it went", corev1.ConditionFalse, 0, 1)
	wanted = &client.Wanted{Associations: []client.WantedAssociation{{Namespace: "shop", ServiceAccount: "uploader"}}}
	look("it came again", corev1.ConditionTrue, 1, 2)
	wanted = &client.Wanted{Associations: []client.WantedAssociation{{Namespace: "sh*", ServiceAccount: "cart"}}}
	look("a pattern that does not match is left", corev1.ConditionFalse, 0, 2)
	wanted = &client.Wanted{Associations: []client.WantedAssociation{{Namespace: "sh*", ServiceAccount: "*"}}}
	look("one that matches came", corev1.ConditionTrue, 1, 3)
	if err := c.Delete(t.Context(), sweptPod()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Reconcile(t.Context(), request); err != nil || len(gauge(t, s)) != 0 {
		t.Errorf("the pod is gone: %v, %v", err, gauge(t, s))
	}
}

func TestSweep_aNewLeaderSaysNothingTwice(t *testing.T) {
	t.Parallel()
	wanted := &client.Wanted{Associations: []client.WantedAssociation{{Namespace: "shop", ServiceAccount: "uploader"}}}
	flagged := sweptPod(func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: v1alpha1.ConditionIdentityMissing, Status: corev1.ConditionTrue}}
	})
	s, _, recorder := sweep(t, &wanted, flagged, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}})
	if _, err := s.Reconcile(t.Context(), ctrl.Request{NamespacedName: kube.ObjectKeyFromObject(flagged)}); err != nil {
		t.Fatal(err)
	}
	if len(recorder.Events) != 0 || gauge(t, s)["shop"] != 1 {
		t.Errorf("%d events, gauge %v", len(recorder.Events), gauge(t, s))
	}
}
