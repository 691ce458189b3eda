package admission

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/podid/podid/internal/kube/inject"
)

// outcome is how one pod was answered. It is a label of a metric.
type outcome string

const (
	outcomeInjected  outcome = "injected"
	outcomeUnchanged outcome = "unchanged"
	outcomeUnknown   outcome = "unknown" // admitted as it is, because it could not be known
	outcomeRefused   outcome = "refused"
)

// metrics are AWS's, by their names, and two of ours. spec: pod-identity.md 5.7
type metrics struct {
	requests  *prometheus.CounterVec
	latencies *prometheus.HistogramVec
	summary   *prometheus.SummaryVec
	pods      *prometheus.CounterVec
	missing   prometheus.Counter
	used      prometheus.Gauge

	duration  *prometheus.HistogramVec
	undecided *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_request_count", Help: "Requests by verb, path and code.",
		}, []string{"verb", "path", "code"}),
		latencies: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "http_request_latencies", Help: "Latency of requests in microseconds.", Buckets: prometheus.ExponentialBuckets(125000, 2, 7),
		}, []string{"verb", "path"}),
		summary: prometheus.NewSummaryVec(prometheus.SummaryOpts{
			Name: "http_request_duration_microseconds", Help: "Latency of requests in microseconds.", MaxAge: time.Hour,
		}, []string{"verb", "path"}),
		pods: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pod_identity_webhook_pod_count", Help: "Pods that were given an identity, by method.",
		}, []string{"method"}),
		missing: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pod_identity_webhook_missing_sa_count", Help: "Pods whose service account was not found.",
		}),
		used: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "pod_identity_webhook_used", Help: "1 once a pod was given an identity.",
		}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "podid_admission_duration_seconds", Help: "Time to decide about a pod, by how it ended.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"outcome"}),
		undecided: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podid_admission_unknown_total", Help: "Pods whose identity could not be known, by who did not say and by what was done.",
		}, []string{"layer", "outcome"}),
	}
	for _, method := range []inject.Method{inject.PodIdentity, inject.IRSA} {
		m.pods.WithLabelValues(string(method))
	}
	for _, l := range []layer{layerControlPlane, layerServiceAccount, layerNamespace} {
		m.undecided.WithLabelValues(string(l), string(outcomeUnknown))
		m.undecided.WithLabelValues(string(l), string(outcomeRefused))
	}
	return m
}

// Metrics are the collectors to register.
func (h *Handler) Metrics() []prometheus.Collector {
	m := h.metrics
	return []prometheus.Collector{m.requests, m.latencies, m.summary, m.pods, m.missing, m.used, m.duration, m.undecided}
}

// request counts a request. What strangers choose becomes no label.
func (m *metrics) request(r *http.Request, code int, took time.Duration) {
	path := r.URL.Path
	switch path {
	case PathMutate, PathMutateRequired, PathHealth:
	default:
		path = "other"
	}
	verb := r.Method
	switch verb {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		verb = "other"
	}
	m.requests.WithLabelValues(verb, path, strconv.Itoa(code)).Inc()
	m.latencies.WithLabelValues(verb, path).Observe(float64(took.Microseconds()))
	m.summary.WithLabelValues(verb, path).Observe(float64(took.Microseconds()))
}

func (m *metrics) decided(o outcome, took time.Duration) {
	m.duration.WithLabelValues(string(o)).Observe(took.Seconds())
}

func (m *metrics) injected(method inject.Method) {
	m.pods.WithLabelValues(string(method)).Inc()
	m.used.Set(1)
}

func (m *metrics) unknown(l layer, required bool) {
	o := outcomeUnknown
	if required {
		o = outcomeRefused
	}
	m.undecided.WithLabelValues(string(l), string(o)).Inc()
}
