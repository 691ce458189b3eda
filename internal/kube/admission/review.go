package admission

import (
	"errors"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/util/json"
)

// versions are the versions of AdmissionReview that can be read. Both have the same fields, so one type serves for both, and an
// answer is in the version of its question.
var versions = map[string]bool{"admission.k8s.io/v1": true, "admission.k8s.io/v1beta1": true}

const reviewKind = "AdmissionReview"

// readReview returns a review with a request, or an error with as much of the review as could be read.
func readReview(body []byte) (*admissionv1.AdmissionReview, error) {
	var r admissionv1.AdmissionReview
	if err := json.Unmarshal(body, &r); err != nil {
		return &admissionv1.AdmissionReview{}, fmt.Errorf("decode the AdmissionReview: %w", err)
	}
	switch {
	case !versions[r.APIVersion] || r.Kind != reviewKind:
		return &r, fmt.Errorf("decode the AdmissionReview: %q %q is not one", r.APIVersion, r.Kind)
	case r.Request == nil || r.Request.UID == "":
		return &r, errors.New("decode the AdmissionReview: it has no request")
	}
	return &r, nil
}

// answer is the review that goes back.
func answer(asked *admissionv1.AdmissionReview, response *admissionv1.AdmissionResponse) *admissionv1.AdmissionReview {
	r := &admissionv1.AdmissionReview{TypeMeta: asked.TypeMeta, Response: response}
	if !versions[r.APIVersion] {
		r.APIVersion = "admission.k8s.io/v1"
	}
	r.Kind = reviewKind
	if asked.Request != nil {
		response.UID = asked.Request.UID
	}
	return r
}

// createsPod reports whether a request is one of those that the webhook registers for. Others are let pass: somebody's registration
// of his own must not stop what has nothing to do with identities.
func createsPod(r *admissionv1.AdmissionRequest) bool {
	return r.Operation == admissionv1.Create && r.SubResource == "" && r.Kind.Group == "" && r.Kind.Kind == "Pod"
}
