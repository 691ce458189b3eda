package operator

import (
	"context"
	"log/slog"
	"time"

	kube "sigs.k8s.io/controller-runtime/pkg/client"
	ctrl "sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/kube/admission"
)

// Names of what the tests look at.
const (
	SecretName = secretName
	Settle     = settle
)

// ReconcileCertificates looks once, as the leader does.
func ReconcileCertificates(ctx context.Context, c kube.Client, at admission.Endpoint, now func() time.Time, l *slog.Logger) (time.Duration, error) {
	r := &certificates{client: c, live: c, endpoint: at, now: now, logger: l}
	out, err := r.Reconcile(ctx, ctrl.Request{NamespacedName: kube.ObjectKey{Namespace: at.Namespace, Name: secretName}})
	return out.RequeueAfter, err
}

// Addons are the add-ons of a report.
func Addons(ctx context.Context, c kube.Reader, w *client.Wanted, problem string) ([]client.ReportAddon, error) {
	return seen{cache: c, problem: func() string { return problem }}.addons(ctx, w)
}

// ImageOf is the agent's image of a version.
var ImageOf = imageOf

// Check says what is wrong with a configuration.
func (c *Config) Check() error { return c.check() }

// Find asks the control plane whether an association counts for a service account.
func (c *Config) Find(ctx context.Context, namespace, serviceAccount string) (bool, error) {
	p, err := c.plane()
	if err != nil {
		return false, err
	}
	return (&operator{Config: *c, plane: p}).find(ctx, namespace, serviceAccount)
}
