// Package admission is the webhook's edge: an http.Handler that is asked about every pod that is created, finds out whether the pod
// has an identity, and answers with the patch that package inject says it needs.
//
// It never guesses. Where it cannot be known whether there is an association, a pod of a namespace that requires injection is
// refused with the reason, and any other pod starts as it is, with a warning to whoever created it and a count for whoever watches.
package admission

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"time"
	"unicode/utf8"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/kube/inject"
)

// The handler's paths.
const (
	PathMutate         = "/mutate"          // admits what cannot be decided
	PathMutateRequired = "/mutate-required" // refuses it
	PathHealth         = "/healthz"
)

// maxBody bounds a request. The API server takes objects of up to 3 MiB, and sends them once.
const maxBody = 3<<20 + 64<<10

// Anybody in the cluster reaches the webhook, and what is read is held several times over until it is decided. So few large bodies are
// read at once; pods are seldom that large.
const (
	largeBody   = 256 << 10
	largeAtOnce = 8
	largeWait   = 2 * time.Second // of the five that the API server waits
)

// Config is what a Handler needs. The three sources are required.
type Config struct {
	Settings        inject.Settings
	Associations    Associations
	ServiceAccounts ServiceAccounts
	Namespaces      Namespaces
	Now             func() time.Time // nil: time.Now
	Logger          *slog.Logger     // nil: nothing is logged
}

// Handler answers the API server. It is safe for concurrent use.
type Handler struct {
	c       Config
	metrics *metrics
	large   chan struct{} // one for each large body
}

// New makes a Handler.
func New(c Config) (*Handler, error) {
	if c.Associations == nil || c.ServiceAccounts == nil || c.Namespaces == nil {
		return nil, errors.New("admission: associations, service accounts and namespaces are required")
	}
	if err := c.Settings.Check(); err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Handler{c: c, metrics: newMetrics(), large: make(chan struct{}, largeAtOnce)}, nil
}

// ServeHTTP answers one request. spec: pod-identity.md 5.1
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := h.c.Now()
	code := h.serve(w, r)
	h.metrics.request(r, code, h.c.Now().Sub(began))
}

// serve returns the status it has answered with.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) int {
	switch r.URL.Path {
	case PathHealth:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		return write(w, []byte("ok"))
	case PathMutate, PathMutateRequired:
	default:
		return refuse(w, http.StatusNotFound, "there is nothing here")
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return refuse(w, http.StatusMethodNotAllowed, "an AdmissionReview is sent with POST")
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return refuse(w, http.StatusUnsupportedMediaType, "invalid Content-Type, expected `application/json`")
	}
	if r.ContentLength < 0 || r.ContentLength > largeBody {
		if !h.room(r.Context()) {
			return refuse(w, http.StatusServiceUnavailable, "too many large requests at once")
		}
		defer func() { <-h.large }()
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return refuse(w, http.StatusRequestEntityTooLarge, "an AdmissionReview is not that large")
	} else if err != nil {
		return refuse(w, http.StatusBadRequest, "the body ended early")
	}
	answer, err := json.Marshal(h.review(r.Context(), body, r.URL.Path == PathMutateRequired))
	if err != nil {
		h.c.Logger.ErrorContext(r.Context(), "cannot encode an admission response", "error", err)
		return refuse(w, http.StatusInternalServerError, "cannot encode the response")
	}
	w.Header().Set("Content-Type", "application/json")
	return write(w, answer)
}

// room waits for its turn to read a large body.
func (h *Handler) room(ctx context.Context) bool {
	timer := time.NewTimer(largeWait)
	defer timer.Stop()
	select {
	case h.large <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func refuse(w http.ResponseWriter, code int, text string) int {
	http.Error(w, text, code)
	return code
}

func write(w http.ResponseWriter, body []byte) int {
	_, _ = w.Write(body) // an API server that is gone needs no answer
	return http.StatusOK
}

// review answers an AdmissionReview in the version it was asked in.
func (h *Handler) review(ctx context.Context, body []byte, required bool) *admissionv1.AdmissionReview {
	asked, err := readReview(body)
	if err != nil {
		h.c.Logger.WarnContext(ctx, "an admission review cannot be read", "error", err)
		return answer(asked, malformed(err))
	}
	return answer(asked, h.admit(ctx, asked.Request, required))
}

// admit decides about one object.
func (h *Handler) admit(ctx context.Context, r *admissionv1.AdmissionRequest, required bool) *admissionv1.AdmissionResponse {
	if !createsPod(r) {
		return &admissionv1.AdmissionResponse{Allowed: true}
	}
	began := h.c.Now()
	pod, err := inject.ReadPod(r.Object.Raw)
	if err != nil {
		h.c.Logger.WarnContext(ctx, "a pod cannot be read", "namespace", r.Namespace, "error", err)
		h.metrics.decided(outcomeRefused, h.c.Now().Sub(began))
		return malformed(err)
	}
	log := h.c.Logger.With("namespace", r.Namespace, "pod", pod.Name, "service_account", pod.ServiceAccountName)
	v := h.decide(ctx, r.Namespace, pod.ServiceAccountName)
	if v.missing {
		h.metrics.missing.Inc()
	}
	response, outcome := h.respond(ctx, log, pod, &v, required)
	h.metrics.decided(outcome, h.c.Now().Sub(began))
	return response
}

// respond turns a verdict into an answer.
func (h *Handler) respond(ctx context.Context, log *slog.Logger, pod *inject.Pod, v *verdict, required bool) (*admissionv1.AdmissionResponse, outcome) {
	if v.unknown != nil {
		h.metrics.unknown(v.layer, required)
		log.WarnContext(ctx, "the identity of a pod cannot be known", "required", required, "layer", v.layer, "error", v.unknown)
		if required {
			return refusal(v), outcomeRefused
		}
		return &admissionv1.AdmissionResponse{
			Allowed: true, Warnings: []string{warning(v)}, AuditAnnotations: map[string]string{auditUnknown: string(v.layer)},
		}, outcomeUnknown
	}
	patch := h.c.Settings.Patch(pod, v.account, v.method)
	response := &admissionv1.AdmissionResponse{Allowed: true}
	if v.method != inject.None {
		response.AuditAnnotations = map[string]string{auditMethod: string(v.method)}
	}
	if len(patch) == 0 {
		log.DebugContext(ctx, "a pod is left as it is", "method", v.method)
		return response, outcomeUnchanged
	}
	encoded, err := json.Marshal(patch)
	if err != nil { // it is made of strings and numbers
		return malformed(err), outcomeRefused
	}
	jsonPatch := admissionv1.PatchTypeJSONPatch
	response.Patch, response.PatchType = encoded, &jsonPatch
	h.metrics.injected(v.method)
	log.InfoContext(ctx, "a pod was given its identity", "method", v.method)
	return response, outcomeInjected
}

// Audit annotations. The API server puts the webhook's name before them.
const (
	auditMethod  = "method"
	auditUnknown = "unknown"
)

// maxWarning is what the API server passes on of a warning without cutting it.
const maxWarning = 256

func warning(v *verdict) string {
	text := "podid: this pod starts without an injected identity: " + fault.Of(v.unknown).Public
	if len(text) <= maxWarning {
		return text
	}
	end := maxWarning - len("...")
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "..."
}

// refusal names the layer and what to do. It is an outage and no verdict about the pod, so that controllers try again.
func refusal(v *verdict) *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{
		AuditAnnotations: map[string]string{auditUnknown: string(v.layer)},
		Result: &metav1.Status{
			Status: metav1.StatusFailure, Code: http.StatusServiceUnavailable, Reason: metav1.StatusReasonServiceUnavailable,
			Message: "podid (" + string(v.layer) + "): " + fault.Of(v.unknown).Public +
				". The namespace requires injection, so none of its pods starts without that being known. Try again; " +
				"if it lasts, see the log of podid-operator, or remove the namespace's label " + v1alpha1.LabelInjection + " to let its pods start without an identity",
		},
	}
}

func malformed(err error) *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{Result: &metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusBadRequest, Reason: metav1.StatusReasonBadRequest, Message: "podid: " + err.Error(),
	}}
}
