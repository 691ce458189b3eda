package admission_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/kube/admission"
	"github.com/podid/podid/internal/kube/inject"
)

// world is what there is to know, and who does not answer.
type world struct {
	associated map[string]bool              // "namespace/name"
	accounts   map[string]map[string]string // annotations
	namespaces map[string]map[string]string // labels
	down       map[string]error             // by layer
	hang       map[string]bool              // answers only when the question is given up
	givenUp    atomic.Int64
}

func (w *world) ask(ctx context.Context, layer string) error {
	if w.hang[layer] {
		<-ctx.Done()
		w.givenUp.Add(1)
		return fault.New(fault.Unavailable, layer, "%s hangs", layer).Because(ctx.Err())
	}
	return w.down[layer]
}

func (w *world) Associated(ctx context.Context, namespace, name string) (bool, error) {
	if err := w.ask(ctx, "control_plane"); err != nil {
		return false, err
	}
	return w.associated[namespace+"/"+name], nil
}

func (w *world) ServiceAccount(ctx context.Context, namespace, name string) (*inject.ServiceAccount, error) {
	if err := w.ask(ctx, "service_account"); err != nil {
		return nil, err
	}
	annotations, ok := w.accounts[namespace+"/"+name]
	if !ok {
		return nil, nil
	}
	return &inject.ServiceAccount{Annotations: annotations}, nil
}

func (w *world) NamespaceLabels(ctx context.Context, name string) (map[string]string, error) {
	return w.namespaces[name], w.ask(ctx, "namespace")
}

func (w *world) handler(t testing.TB) *admission.Handler {
	t.Helper()
	h, err := admission.New(admission.Config{Settings: inject.Defaults(), Associations: w, ServiceAccounts: w, Namespaces: w})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

const role = "arn:aws:iam::111122223333:role/app"

func newWorld() *world {
	return &world{
		associated: map[string]bool{"shop/associated": true, "shop/both": true, "shop/missing-associated": true, "late/both": true},
		accounts: map[string]map[string]string{
			"shop/plain": {}, "shop/associated": {}, "late/plain": {},
			"shop/irsa": {"eks.amazonaws.com/role-arn": role},
			"shop/both": {"eks.amazonaws.com/role-arn": role},
			"late/irsa": {"eks.amazonaws.com/role-arn": role},
			"late/both": {"eks.amazonaws.com/role-arn": role},
		},
		namespaces: map[string]map[string]string{"shop": {}, "late": {"podid.dev/late-binding": "enabled"}},
		down:       map[string]error{},
		hang:       map[string]bool{},
	}
}

// podOf is a pod of a service account. It says that it is in another namespace than it is.
func podOf(serviceAccount string) []byte {
	return []byte(`{"metadata":{"generateName":"app-","namespace":"elsewhere"},"spec":{"serviceAccountName":"` + serviceAccount +
		`","containers":[{"name":"app","image":"app"}],"volumes":[{"name":"kube-api-access"}]}}`)
}

// reviewOf is the review of a pod's creation.
func reviewOf(namespace string, pod []byte, change ...func(map[string]any)) []byte {
	request := map[string]any{
		"uid": "b6ae9df7", "kind": map[string]any{"group": "", "version": "v1", "kind": "Pod"},
		"resource":  map[string]any{"group": "", "version": "v1", "resource": "pods"},
		"namespace": namespace, "operation": "CREATE", "object": json.RawMessage(pod), "userInfo": map[string]any{"username": "somebody"},
	}
	for _, c := range change {
		c(request)
	}
	body, err := json.Marshal(map[string]any{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
	if err != nil {
		panic(err)
	}
	return body
}

// post sends a review and reads the answer.
func post(t testing.TB, h http.Handler, path string, body []byte) *admissionv1.AdmissionReview {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path+"?timeout=5s", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(w.Body.Bytes(), &review); err != nil || review.Response == nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return &review
}

// methodOf is the method that a pod has after an answer.
func methodOf(t testing.TB, pod []byte, response *admissionv1.AdmissionResponse) inject.Method {
	t.Helper()
	if len(response.Patch) > 0 {
		if response.PatchType == nil || *response.PatchType != admissionv1.PatchTypeJSONPatch {
			t.Fatalf("patch type %v", response.PatchType)
		}
		patch, err := jsonpatch.DecodePatch(response.Patch)
		if err != nil {
			t.Fatal(err)
		}
		if pod, err = patch.Apply(pod); err != nil {
			t.Fatal(err)
		}
	}
	var p corev1.Pod
	if err := json.Unmarshal(pod, &p); err != nil {
		t.Fatal(err)
	}
	for _, e := range p.Spec.Containers[0].Env {
		switch e.Name {
		case "AWS_CONTAINER_CREDENTIALS_FULL_URI":
			return inject.PodIdentity
		case "AWS_ROLE_ARN":
			return inject.IRSA
		}
	}
	return inject.None
}

// counted is the value of a counter or gauge, or the count of a histogram, with the labels given as "name=value".
func counted(t testing.TB, h *admission.Handler, name string, labels ...string) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	for _, c := range h.Metrics() {
		if err := registry.Register(c); err != nil {
			t.Fatal(err)
		}
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	series:
		for _, m := range f.GetMetric() {
			has := map[string]bool{}
			for _, l := range m.GetLabel() {
				has[l.GetName()+"="+l.GetValue()] = true
			}
			for _, l := range labels {
				if !has[l] {
					continue series
				}
			}
			switch {
			case m.GetCounter() != nil:
				return m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				return m.GetGauge().GetValue()
			}
			return float64(m.GetHistogram().GetSampleCount())
		}
	}
	return 0
}
