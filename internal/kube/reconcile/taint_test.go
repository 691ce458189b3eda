package reconcile_test

import (
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	ctrl "sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/kube/reconcile"
)

func TestTaint(t *testing.T) {
	t.Parallel()
	agent := func(changes ...func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "agent-x", Labels: map[string]string{"app.kubernetes.io/name": reconcile.AgentName}},
			Spec:       corev1.PodSpec{NodeName: "n", ServiceAccountName: reconcile.AgentName},
			Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
		}
		for _, change := range changes {
			change(p)
		}
		return p
	}
	tests := []struct {
		name string
		pod  *corev1.Pod
		gone bool
	}{
		{"the agent is ready", agent(), true},
		{"it is not", agent(func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }), false},
		{"it is on another node", agent(func(p *corev1.Pod) { p.Spec.NodeName = "m" }), false},
		{"it is going", agent(func(p *corev1.Pod) {
			p.DeletionTimestamp = new(metav1.NewTime(sweepNow))
			p.Finalizers = []string{"x/y"}
		}), false},
		{"another namespace's pod calls itself the agent", agent(func(p *corev1.Pod) { p.Namespace = "shop" }), false},
		{"another service account's", agent(func(p *corev1.Pod) { p.Spec.ServiceAccountName = "default" }), false},
		{"another program", agent(func(p *corev1.Pod) { p.Labels = nil }), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			theirs := corev1.Taint{Key: "theirs", Effect: corev1.TaintEffectNoSchedule}
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}, Spec: corev1.NodeSpec{Taints: []corev1.Taint{
				{Key: v1alpha1.TaintAgentNotReady, Effect: corev1.TaintEffectNoExecute}, theirs, {Key: v1alpha1.TaintAgentNotReady, Effect: corev1.TaintEffectNoSchedule, Value: "x"},
			}}}
			c := fake.NewClientBuilder().WithObjects(node, test.pod).WithIndex(&corev1.Pod{}, reconcile.IndexAgentNode, reconcile.AgentNode).Build()
			r := &reconcile.Taint{Client: c, AgentNamespace: func() string { return "kube-system" }, Logger: slog.New(slog.DiscardHandler)}
			if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: kube.ObjectKey{Name: "n"}}); err != nil {
				t.Fatal(err)
			}
			want := node.Spec.Taints
			if test.gone {
				want = []corev1.Taint{theirs}
			}
			var got corev1.Node
			must(t, c.Get(t.Context(), kube.ObjectKey{Name: "n"}, &got))
			if diff := cmp.Diff(want, got.Spec.Taints); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTrimNode_keepsWhatIsLookedAt(t *testing.T) {
	t.Parallel()
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "d"}, ResourceVersion: "7"}}
	n.Spec.Taints = []corev1.Taint{{Key: "k"}}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeDiskPressure}, {Type: corev1.NodeReady, Status: corev1.ConditionTrue, Message: "m"}}
	n.Status.Images = []corev1.ContainerImage{{Names: []string{"i"}}}
	want := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{"a": "b"}, ResourceVersion: "7"}}
	want.Spec.Taints = n.Spec.Taints
	want.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	got, err := reconcile.TrimNode(n)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// certificate is PEM of a real certificate.
const certificate = `-----BEGIN CERTIFICATE-----
MIIBhTCCASugAwIBAgIQIRi6zePL6mKjOipn+dNuaTAKBggqhkjOPQQDAjASMRAw
DgYDVQQKEwdBY21lIENvMB4XDTE3MTAyMDE5NDMwNloXDTE4MTAyMDE5NDMwNlow
EjEQMA4GA1UEChMHQWNtZSBDbzBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABD0d
7VNhbWvZLWPuj/RtHFjvtJBEwOkhbN/BnnE8rnZR8+sbwnc/KhCk3FhnpHZnQz7B
5aETbbIgmuvewdjvSBSjYzBhMA4GA1UdDwEB/wQEAwICpDATBgNVHSUEDDAKBggr
BgEFBQcDATAPBgNVHRMBAf8EBTADAQH/MCkGA1UdEQQiMCCCDmxvY2FsaG9zdDo1
NDUzgg4xMjcuMC4wLjE6NTQ1MzAKBggqhkjOPQQDAgNIADBFAiEA2zpJEPQyz6/l
Wf86aX6PepsntZv2GYlA5UpabfT2EZICICpJ5h/iI+i341gBmLiAFQOyTDT+/wQc
6MF9+Yw1Yy0t
-----END CERTIFICATE-----
`

func TestTrust(t *testing.T) {
	t.Parallel()
	going := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "going", DeletionTimestamp: new(metav1.NewTime(sweepNow)), Finalizers: []string{"kubernetes"}}}
	c := fake.NewClientBuilder().WithObjects(
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "new"}}, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "changed"}}, going,
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "changed", Name: v1alpha1.CAConfigMap}, Data: map[string]string{v1alpha1.CAKey: "mine", "other": "kept"}},
	).Build()
	r := &reconcile.Trust{Client: c, CA: func() ([]byte, error) { return []byte(certificate), nil }, Logger: slog.New(slog.DiscardHandler)}
	for _, name := range []string{"new", "changed", "going", "gone"} {
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: kube.ObjectKey{Name: name}}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	var maps corev1.ConfigMapList
	must(t, c.List(t.Context(), &maps))
	got := map[string]map[string]string{}
	for _, m := range maps.Items {
		got[m.Namespace+"/"+m.Name] = m.Data
	}
	want := map[string]map[string]string{
		"new/podid-ca.crt": {v1alpha1.CAKey: certificate}, "changed/podid-ca.crt": {v1alpha1.CAKey: certificate, "other": "kept"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ca.crt")
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret")}))
	tests := []struct {
		name, text, want string
	}{
		{"a certificate", certificate, certificate},
		{"words around it", "issued by\n" + certificate + "\nthat was it", certificate},
		{"two", certificate + certificate, certificate + certificate},
		{"nothing", "", ""},
		{"a key beside it", certificate + key, ""},
		{"no certificate", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})), ""},
	}
	for _, test := range tests {
		must(t, os.WriteFile(file, []byte(test.text), 0o600))
		got, err := reconcile.CAFile(file)()
		if string(got) != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: got %q, %v", test.name, got, err)
		}
	}
	if _, err := reconcile.CAFile(filepath.Join(t.TempDir(), "no"))(); err == nil {
		t.Error("a file that is not there was read")
	}
}
