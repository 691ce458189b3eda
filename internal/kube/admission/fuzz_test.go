package admission_test

import (
	"testing"

	"github.com/podid/podid/internal/kube/admission"
)

// FuzzReview: whatever is sent is answered with a review, and what is admitted with a patch is a pod of a review that was read.
func FuzzReview(f *testing.F) {
	f.Add(reviewOf("shop", podOf("associated")))
	f.Add(reviewOf("late", podOf("plain")))
	f.Add(reviewOf("shop", []byte(`{"spec":{"serviceAccountName":"irsa"}}`)))
	f.Add([]byte(`{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview","request":{"uid":"u","operation":"CREATE","kind":{"kind":"Pod"}}}`))
	f.Add([]byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":null,"response":{"allowed":true}}`))
	f.Add([]byte(`{"Kind":"AdmissionReview"}`))
	f.Add([]byte(`null`))
	f.Add([]byte(``))
	h := newWorld().handler(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, path := range []string{admission.PathMutate, admission.PathMutateRequired} {
			r := post(t, h, path, body)
			if r.Request != nil || r.Kind != "AdmissionReview" {
				t.Errorf("got %+v", r)
			}
			if !r.Response.Allowed && (r.Response.Result == nil || len(r.Response.Patch) > 0) {
				t.Errorf("refused without a reason, or with a patch: %+v", r.Response)
			}
			if r.Response.Allowed && r.Response.UID == "" {
				t.Errorf("admitted what nobody asked about: %+v", r.Response)
			}
		}
	})
}
