package admission_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/kube/admission"
	"github.com/podid/podid/internal/kube/inject"
)

var errDown = fault.New(fault.Unavailable, "control plane", "it is down")

// What is decided where everybody answers is the same on both paths.
func TestHandler_decides(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, namespace, account string
		want                     inject.Method
	}{
		{"no identity", "shop", "plain", inject.None},
		{"an association", "shop", "associated", inject.PodIdentity},
		{"a role", "shop", "irsa", inject.IRSA},
		{"an association takes precedence over a role", "shop", "both", inject.PodIdentity},
		{"an association of an account that is not there", "shop", "missing-associated", inject.PodIdentity},
		{"an account that is not there", "shop", "missing", inject.None},
		{"no account", "shop", "", inject.None},
		{"the same name in another namespace", "other", "associated", inject.None},
		{"late binding", "late", "plain", inject.PodIdentity},
		{"late binding does not take precedence over a role", "late", "irsa", inject.IRSA},
		{"late binding, association and role", "late", "both", inject.PodIdentity},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{admission.PathMutate, admission.PathMutateRequired} {
				h := newWorld().handler(t)
				review := post(t, h, path, reviewOf(test.namespace, podOf(test.account)))
				r := review.Response
				if !r.Allowed || r.UID != "b6ae9df7" || len(r.Warnings) > 0 {
					t.Errorf("%s: got %+v", path, r)
				}
				if got := methodOf(t, podOf(test.account), r); got != test.want || r.AuditAnnotations["method"] != string(test.want) {
					t.Errorf("%s: got %q, audit %v, want %q", path, got, r.AuditAnnotations, test.want)
				}
			}
		})
	}
}

// Where somebody does not answer, the one path admits with a warning and the other refuses, unless it would change nothing.
func TestHandler_whereItCannotBeKnown(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, down, namespace, account string
		want                           inject.Method // where it is known all the same
		unknown                        bool
	}{
		{"control plane, no role", "control_plane", "shop", "plain", "", true},
		{"control plane, a role", "control_plane", "shop", "irsa", "", true},
		{"control plane, late binding", "control_plane", "late", "plain", inject.PodIdentity, false},
		{"control plane, late binding and a role", "control_plane", "late", "irsa", "", true},
		{"account, associated", "service_account", "shop", "associated", inject.PodIdentity, false},
		{"account, not associated", "service_account", "shop", "plain", "", true},
		{"account, late binding", "service_account", "late", "plain", "", true}, // it may have a role
		{"namespace, associated", "namespace", "shop", "associated", inject.PodIdentity, false},
		{"namespace, a role", "namespace", "late", "irsa", inject.IRSA, false},
		{"namespace, neither", "namespace", "shop", "plain", "", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.down[test.down] = errDown
			h := w.handler(t)
			pod := podOf(test.account)
			admits := post(t, h, admission.PathMutate, reviewOf(test.namespace, pod)).Response
			refuses := post(t, h, admission.PathMutateRequired, reviewOf(test.namespace, pod)).Response
			if got := methodOf(t, pod, admits); !admits.Allowed || got != test.want {
				t.Errorf("got %q in %+v, want %q", got, admits, test.want)
			}
			if !test.unknown {
				if !refuses.Allowed || methodOf(t, pod, refuses) != test.want || len(admits.Warnings) > 0 {
					t.Errorf("it is known, but: %+v and %+v", admits, refuses)
				}
				return
			}
			if len(admits.Warnings) != 1 || !strings.Contains(admits.Warnings[0], "it is down") || admits.AuditAnnotations["unknown"] != test.down {
				t.Errorf("admitted without a word: %+v", admits)
			}
			if refuses.Allowed || refuses.Result.Code != http.StatusServiceUnavailable || refuses.AuditAnnotations["unknown"] != test.down {
				t.Errorf("not refused as an outage: %+v", refuses)
			}
			for _, word := range []string{test.down, "it is down", "podid.dev/injection", "podid-operator"} {
				if !strings.Contains(refuses.Result.Message, word) {
					t.Errorf("the refusal does not speak of %s: %s", word, refuses.Result.Message)
				}
			}
			for _, outcome := range []string{"unknown", "refused"} {
				if n := counted(t, h, "podid_admission_unknown_total", "layer="+test.down, "outcome="+outcome); n != 1 {
					t.Errorf("%s was counted %v times", outcome, n)
				}
			}
		})
	}
}

// Nobody waits for an answer that would change nothing, and for no answer longer than the API server does.
func TestHandler_waitsOnlyForWhatItNeeds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, hangs, namespace, account string
		want                            inject.Method
		took                            time.Duration
	}{
		{"late binding", "control_plane", "late", "plain", inject.PodIdentity, 0},
		{"associated", "namespace", "shop", "associated", inject.PodIdentity, 0},
		{"a role", "namespace", "shop", "irsa", inject.IRSA, 0},
		{"not known", "control_plane", "shop", "plain", inject.None, 4500 * time.Millisecond},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.hang[test.hangs] = true
				began := time.Now()
				r := post(t, w.handler(t), admission.PathMutate, reviewOf(test.namespace, podOf(test.account))).Response
				if took := time.Since(began); took != test.took || methodOf(t, podOf(test.account), r) != test.want {
					t.Errorf("got %+v after %v", r, took)
				}
				synctest.Wait()
				if w.givenUp.Load() != 1 {
					t.Error("the question is still being asked")
				}
			})
		})
	}
}

func TestHandler_answersInTheVersionOfTheQuestion(t *testing.T) {
	t.Parallel()
	h := newWorld().handler(t)
	for _, version := range []string{"admission.k8s.io/v1", "admission.k8s.io/v1beta1"} {
		body := bytes.Replace(reviewOf("shop", podOf("associated")), []byte("admission.k8s.io/v1"), []byte(version), 1)
		got := post(t, h, admission.PathMutate, body)
		if got.APIVersion != version || got.Kind != "AdmissionReview" || got.Request != nil || len(got.Response.Patch) == 0 {
			t.Errorf("asked in %s, got %+v", version, got)
		}
	}
}

func TestHandler_secondTimeChangesNothing(t *testing.T) {
	t.Parallel()
	h := newWorld().handler(t)
	pod := podOf("associated")
	first := post(t, h, admission.PathMutate, reviewOf("shop", pod)).Response
	patch, err := jsonpatch.DecodePatch(first.Patch)
	if err != nil {
		t.Fatal(err)
	}
	if pod, err = patch.Apply(pod); err != nil {
		t.Fatal(err)
	}
	again := post(t, h, admission.PathMutate, reviewOf("shop", pod)).Response
	if !again.Allowed || again.Patch != nil || again.PatchType != nil {
		t.Errorf("got %+v", again)
	}
	if n := counted(t, h, "pod_identity_webhook_pod_count", "method=container_credentials"); n != 1 {
		t.Errorf("one pod was counted %v times", n)
	}
}

// A dry run is answered as the real thing; what is no new pod is let pass.
func TestHandler_otherRequests(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		change  func(map[string]any)
		patched bool
	}{
		{"dry run", func(r map[string]any) { r["dryRun"] = true }, true},
		{"update", func(r map[string]any) { r["operation"] = "UPDATE" }, false},
		{"delete", func(r map[string]any) { r["operation"] = "DELETE"; r["object"] = nil }, false},
		{"ephemeral containers", func(r map[string]any) { r["subResource"] = "ephemeralcontainers" }, false},
		{"binding", func(r map[string]any) {
			r["subResource"], r["kind"] = "binding", map[string]any{"version": "v1", "kind": "Binding"}
		}, false},
		{"something else", func(r map[string]any) {
			r["kind"], r["object"] = map[string]any{"group": "apps", "version": "v1", "kind": "Deployment"}, []int{}
		}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			r := post(t, w.handler(t), admission.PathMutateRequired, reviewOf("shop", podOf("associated"), test.change)).Response
			if !r.Allowed || (len(r.Patch) > 0) != test.patched {
				t.Errorf("got %+v", r)
			}
		})
	}
}

func TestHandler_whatCannotBeRead(t *testing.T) {
	t.Parallel()
	h := newWorld().handler(t)
	for _, body := range []string{
		``, `{`, `null`, `[]`, `{}`, `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}`,
		`{"apiVersion":"admission.k8s.io/v2","kind":"AdmissionReview","request":{"uid":"u"}}`,
		`{"apiVersion":"admission.k8s.io/v1","kind":"Pod","request":{"uid":"u"}}`,
		string(reviewOf("shop", []byte(`{"spec":{"containers":1}}`))), string(reviewOf("shop", []byte(`null`))),
	} {
		got := post(t, h, admission.PathMutate, []byte(body))
		if got.Response.Allowed || got.Response.Result.Code != http.StatusBadRequest || got.Response.Result.Message == "" || got.Kind != "AdmissionReview" {
			t.Errorf("%s: got %+v", body, got.Response)
		}
	}
}

func TestHandler_speaksHTTP(t *testing.T) {
	t.Parallel()
	h := newWorld().handler(t)
	tests := []struct {
		method, path, contentType string
		body                      io.Reader
		code                      int
		text                      string
	}{
		{"GET", "/healthz", "", nil, 200, "ok"},
		{"GET", "/mutate", "application/json", nil, 405, ""},
		{"POST", "/mutate", "text/plain", strings.NewReader("{}"), 415, ""},
		{"POST", "/mutate", "", strings.NewReader("{}"), 415, ""},
		{"POST", "/mutate", "application/json; charset=utf-8", bytes.NewReader(reviewOf("shop", podOf("plain"))), 200, ""},
		{"POST", "/mutate", "application/json", strings.NewReader(strings.Repeat(" ", 4<<20)), 413, ""},
		{"POST", "/mutate-required", "application/json", io.MultiReader(strings.NewReader("{"), failing{}), 400, ""},
		{"POST", "/mutate/", "application/json", strings.NewReader("{}"), 404, ""},
		{"BREW", "/coffee", "", nil, 404, ""},
	}
	for _, test := range tests {
		r := httptest.NewRequest(test.method, test.path, test.body)
		if test.contentType != "" {
			r.Header.Set("Content-Type", test.contentType)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != test.code || test.text != "" && w.Body.String() != test.text {
			t.Errorf("%s %s: got %d %s, want %d %s", test.method, test.path, w.Code, w.Body, test.code, test.text)
		}
	}
	for labels, want := range map[string]float64{
		"verb=GET path=/healthz code=200": 1, "verb=POST path=/mutate code=415": 2, "verb=other path=other code=404": 1, "path=/mutate/": 0, "verb=BREW": 0,
	} {
		if got := counted(t, h, "http_request_count", strings.Fields(labels)...); got != want {
			t.Errorf("%s: counted %v, want %v", labels, got, want)
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestHandler_counts(t *testing.T) {
	t.Parallel()
	h := newWorld().handler(t)
	if n := counted(t, h, "pod_identity_webhook_used"); n != 0 {
		t.Errorf("used before it was: %v", n)
	}
	for _, account := range []string{"associated", "both", "irsa", "plain", "missing", "missing-associated"} {
		post(t, h, admission.PathMutate, reviewOf("shop", podOf(account)))
	}
	for series, want := range map[string]float64{
		"pod_identity_webhook_pod_count method=container_credentials": 3,
		"pod_identity_webhook_pod_count method=sts_web_identity":      1,
		"pod_identity_webhook_missing_sa_count":                       2,
		"pod_identity_webhook_used":                                   1,
		"podid_admission_duration_seconds outcome=injected":           4,
		"podid_admission_duration_seconds outcome=unchanged":          2,
		"http_request_latencies verb=POST path=/mutate":               6,
	} {
		f := strings.Fields(series)
		if got := counted(t, h, f[0], f[1:]...); got != want {
			t.Errorf("%s: got %v, want %v", series, got, want)
		}
	}
}

func TestHandler_cutsLongWarnings(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.down["control_plane"] = fault.New(fault.Unavailable, "control plane", "%s", strings.Repeat("ü", 500))
	r := post(t, w.handler(t), admission.PathMutate, reviewOf("shop", podOf("plain"))).Response
	if n := len(r.Warnings[0]); n > 256 || n < 250 || !strings.HasSuffix(r.Warnings[0], "ü...") {
		t.Errorf("%d bytes: %s", n, r.Warnings[0])
	}
}

func TestNew_refusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	w := newWorld()
	bad := inject.Defaults()
	bad.TokenMountPath = ""
	for i, c := range []admission.Config{
		{Settings: inject.Defaults(), ServiceAccounts: w, Namespaces: w},
		{Settings: bad, Associations: w, ServiceAccounts: w, Namespaces: w},
	} {
		if _, err := admission.New(c); err == nil {
			t.Errorf("%d was taken", i)
		}
	}
}
