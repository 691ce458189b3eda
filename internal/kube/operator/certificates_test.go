package operator_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/podid/podid/internal/kube/admission"
	"github.com/podid/podid/internal/kube/operator"
)

const dnsName = "podid-operator.podid-system.svc"

// authorities is a cluster in which the leader keeps the webhook's certificates, and whose every write is looked at.
type authorities struct {
	t       *testing.T
	now     time.Time
	at      admission.Endpoint
	kube    kube.Client
	checked int

	served  string // what the replicas serve, PEM
	trusted []trustedSince
	issued  int  // how often what is served has changed
	blind   bool // what is written now is the test's
	lost    bool // the keys of what was served are lost: API servers cannot have heard of the new ones
	// fail makes the next write of a kind fail.
	fail map[string]error
}

// trustedSince is what the API server trusts from a moment on.
type trustedSince struct {
	at     time.Time
	bundle []byte
}

func newAuthorities(t *testing.T) *authorities {
	t.Helper()
	a := &authorities{
		t: t, now: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), at: admission.Endpoint{Namespace: "podid-system", Service: "podid-operator"}, fail: map[string]error{},
	}
	fails := func(kind string) error {
		err := a.fail[kind]
		delete(a.fail, kind)
		return err
	}
	a.kube = fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		Apply: func(ctx context.Context, c kube.WithWatch, o runtime.ApplyConfiguration, opts ...kube.ApplyOption) error {
			if err := fails("registration"); err != nil {
				return err
			}
			defer a.look(c)
			return c.Apply(ctx, o, opts...)
		},
		Create: func(ctx context.Context, c kube.WithWatch, o kube.Object, opts ...kube.CreateOption) error {
			if err := fails("secret"); err != nil {
				return err
			}
			defer a.look(c)
			return c.Create(ctx, o, opts...)
		},
		Update: func(ctx context.Context, c kube.WithWatch, o kube.Object, opts ...kube.UpdateOption) error {
			if err := fails("secret"); err != nil {
				return err
			}
			defer a.look(c)
			return c.Update(ctx, o, opts...)
		},
	}).Build()
	return a
}

// look holds the promise at this moment: whatever is served, by replicas that have heard and by those that have not, is trusted, by API
// servers that have heard and by those that have not.
func (a *authorities) look(c kube.Client) {
	a.t.Helper()
	if a.blind {
		return
	}
	ctx := context.WithoutCancel(a.t.Context())
	var registered admissionregistrationv1.MutatingWebhookConfiguration
	if err := c.Get(ctx, kube.ObjectKey{Name: admission.RegistrationName}, &registered); err == nil {
		bundle := registered.Webhooks[0].ClientConfig.CABundle
		if string(bundle) != string(registered.Webhooks[1].ClientConfig.CABundle) {
			a.t.Errorf("%s: the webhooks have two bundles", a.now)
		}
		if n := len(a.trusted); n == 0 || string(a.trusted[n-1].bundle) != string(bundle) {
			a.trusted = append(a.trusted, trustedSince{a.now, bundle})
		}
	} else if !apierrors.IsNotFound(err) {
		a.t.Fatal(err)
	}
	var secret corev1.Secret
	if err := c.Get(ctx, kube.ObjectKey{Namespace: "podid-system", Name: operator.SecretName}, &secret); apierrors.IsNotFound(err) {
		return
	} else if err != nil {
		a.t.Fatal(err)
	}
	if len(secret.Data["ca.key"]) == 0 || string(secret.Data["ca.key"]) == string(secret.Data["tls.key"]) {
		return // spoilt by the test
	}
	if _, err := tls.X509KeyPair(secret.Data["tls.crt"], secret.Data["tls.key"]); err != nil {
		a.t.Errorf("%s: what is served is of no use: %v", a.now, err)
	}
	before, newest := a.served, len(a.trusted)-1
	a.served = string(secret.Data["tls.crt"])
	news := a.served != before
	if news {
		a.issued++
		a.trust(a.served, newest, "the new certificate by those who have heard")
	}
	if before == "" || !a.now.Before(a.leaf(before).NotAfter) {
		return // nothing that was good was served before
	}
	a.trust(before, newest, "the old certificate by those who have heard")
	if news && !a.lost && newest > 0 && a.now.Sub(a.trusted[newest].at) < operator.Settle {
		a.trust(a.served, newest-1, "the new certificate by those who have not heard")
	}
}

func (a *authorities) leaf(text string) *x509.Certificate {
	a.t.Helper()
	block, _ := pem.Decode([]byte(text))
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

func (a *authorities) trust(served string, bundle int, what string) {
	a.t.Helper()
	if bundle < 0 {
		a.t.Errorf("%s: %s: nothing is trusted", a.now, what)
		return
	}
	leaf := a.leaf(served)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.trusted[bundle].bundle)
	name := dnsName
	if len(leaf.IPAddresses) > 0 {
		name = leaf.IPAddresses[0].String()
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: a.now, DNSName: name}); err != nil {
		a.t.Errorf("%s: %s: %v", a.now, what, err)
	}
	a.checked++
}

// reconcile looks once, and returns when to look again.
func (a *authorities) reconcile() (time.Duration, error) {
	return operator.ReconcileCertificates(a.t.Context(), a.kube, a.at, func() time.Time { return a.now }, slog.New(slog.DiscardHandler))
}

// live lets time pass until a moment, with the leader at work.
func (a *authorities) live(until time.Time) {
	a.t.Helper()
	for a.now.Before(until) {
		wait, err := a.reconcile()
		if err != nil {
			a.t.Fatal(err)
		}
		if wait <= 0 {
			a.t.Fatal("it would never look again")
		}
		a.look(a.kube)
		a.now = earlier(a.now.Add(wait), until)
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func (a *authorities) secret() *corev1.Secret {
	a.t.Helper()
	var s corev1.Secret
	if err := a.kube.Get(a.t.Context(), kube.ObjectKey{Namespace: "podid-system", Name: operator.SecretName}, &s); err != nil {
		a.t.Fatal(err)
	}
	return &s
}

func TestCertificates_fiveYears(t *testing.T) {
	t.Parallel()
	a := newAuthorities(t)
	start := a.now
	a.live(start.AddDate(5, 0, 0))
	// Every 60 days, or when there is a new authority, which is every 243 days.
	if a.issued < 30 || a.issued > 40 || a.checked < 500 {
		t.Errorf("%d certificates in five years, %d moments", a.issued, a.checked)
	}
	if n := len(a.trusted); n < 14 || n > 18 {
		t.Errorf("%d bundles in five years", n)
	}
	text := a.trusted[len(a.trusted)-1].bundle
	count := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		count++
	}
	if count < 1 || count > 2 {
		t.Errorf("%d authorities are trusted at the end", count)
	}
}

func TestCertificates_aLeaderThatWasAway(t *testing.T) {
	t.Parallel()
	a := newAuthorities(t)
	for _, away := range []time.Duration{89 * 24 * time.Hour, 60 * 24 * time.Hour, 85 * 24 * time.Hour, 88 * 24 * time.Hour} {
		a.live(a.now.Add(time.Hour))
		a.now = a.now.Add(away)
	}
	a.live(a.now.Add(time.Hour))
	a.now = a.now.AddDate(3, 0, 0) // all has expired
	served := a.issued
	if _, err := a.reconcile(); err != nil {
		t.Fatal(err)
	}
	if a.issued != served+1 {
		t.Error("no certificate was made after all had expired")
	}
}

func TestCertificates_whatWasLostOrSpoilt(t *testing.T) {
	t.Parallel()
	a := newAuthorities(t)
	a.live(a.now.Add(time.Hour))
	a.lost = true
	for name, spoil := range map[string]func() error{
		"deleted":       func() error { return a.kube.Delete(t.Context(), a.secret()) },
		"emptied":       func() error { s := a.secret(); s.Data = nil; return a.update(s) },
		"without a key": func() error { s := a.secret(); delete(s.Data, "ca.key"); return a.update(s) },
		"another's key": func() error { s := a.secret(); s.Data["ca.key"] = s.Data["tls.key"]; return a.update(s) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		a.now = a.now.Add(time.Hour)
		n := len(a.trusted)
		if _, err := a.reconcile(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(a.trusted) != n+1 {
			t.Errorf("%s: the bundle was not renewed", name)
		}
		a.live(a.now.Add(time.Hour))
	}
}

// update writes past the looking: what is in the Secret now no operator has made, and no replica serves.
func (a *authorities) update(s *corev1.Secret) error {
	a.blind = true
	defer func() { a.blind = false }()
	return a.kube.Update(a.t.Context(), s)
}

func TestCertificates_writesThatFail(t *testing.T) {
	t.Parallel()
	a := newAuthorities(t)
	for _, kind := range []string{"registration", "secret"} {
		a.fail[kind] = fmt.Errorf("%s: no", kind)
		if _, err := a.reconcile(); err == nil {
			t.Errorf("%s: a failure was swallowed", kind)
		}
		a.now = a.now.Add(time.Second)
	}
	a.live(a.now.Add(243*24*time.Hour + time.Hour - 10*time.Minute))
	a.now = a.now.Add(20 * time.Minute) // there is a new authority to be made, and a new certificate
	issued := a.issued
	for range 6 {
		for _, kind := range []string{"registration", "secret"} {
			a.fail[kind] = apierrors.NewConflict(corev1.Resource("secrets"), operator.SecretName, errors.New("another leader"))
			_, _ = a.reconcile()
			delete(a.fail, kind)
			a.now = a.now.Add(time.Second)
		}
	}
	a.live(a.now.Add(48 * time.Hour))
	if a.issued != issued+1 {
		t.Errorf("%d certificates were made", a.issued-issued)
	}
}

func TestCertificates_namesFollowTheEndpoint(t *testing.T) {
	t.Parallel()
	a := newAuthorities(t)
	a.live(a.now.Add(time.Hour))
	a.at.URL = "https://127.0.0.1:9443"
	a.now = a.now.Add(time.Hour)
	if _, err := a.reconcile(); err != nil {
		t.Fatal(err)
	}
	if leaf := a.leaf(string(a.secret().Data["tls.crt"])); len(leaf.IPAddresses) != 1 || len(leaf.DNSNames) != 0 {
		t.Errorf("the certificate is for %v %v", leaf.DNSNames, leaf.IPAddresses)
	}
}

func TestCertificates_driftIsRepaired(t *testing.T) {
	t.Parallel()
	a := newAuthorities(t)
	a.live(a.now.Add(time.Hour))
	var r admissionregistrationv1.MutatingWebhookConfiguration
	key := kube.ObjectKey{Name: admission.RegistrationName}
	if err := a.kube.Get(t.Context(), key, &r); err != nil {
		t.Fatal(err)
	}
	ignore := admissionregistrationv1.Ignore
	r.Webhooks[0].FailurePolicy = &ignore
	good := string(r.Webhooks[1].ClientConfig.CABundle)
	r.Webhooks[1].ClientConfig.CABundle = append(r.Webhooks[1].ClientConfig.CABundle, "x"...)
	a.blind = true
	err := a.kube.Update(t.Context(), &r)
	a.blind = false
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.reconcile(); err != nil {
		t.Fatal(err)
	}
	if err := a.kube.Get(t.Context(), key, &r); err != nil || *r.Webhooks[0].FailurePolicy != admissionregistrationv1.Fail || string(r.Webhooks[1].ClientConfig.CABundle) != good {
		t.Errorf("got %v, %v", r.Webhooks, err)
	}
}
