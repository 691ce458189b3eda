package kube_test

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/kube/admission"
	"github.com/podid/podid/internal/kube/follow"
	"github.com/podid/podid/internal/kube/inject"
	"github.com/podid/podid/test/lab"
)

const webhookCluster = "admission"

// webhookPlane is a control plane with one cluster.
type webhookPlane struct{ *plane }

func newWebhookPlane(t *testing.T) webhookPlane {
	t.Helper()
	p := webhookPlane{newPlane(t)}
	p.cluster(t, webhookCluster)
	p.role(t, "/", "app", podsTrust)
	return p
}

// associate returns when the association is acknowledged.
func (p webhookPlane) associate(ctx context.Context, namespace, serviceAccount string) error {
	_, err := p.plane.associate(ctx, webhookCluster, namespace, serviceAccount, roleARN("app"))
	return err
}

// follower follows the cluster until the test ends.
func (p webhookPlane) follower(t *testing.T) *follow.Follower {
	t.Helper()
	podid := p.podid(p.admin.Credentials)
	service := eks.NewFromConfig(p.admin, func(o *eks.Options) { o.Retryer = aws.NopRetryer{} })
	f := follow.New(follow.Config{
		Cluster: webhookCluster,
		Watch: func(ctx context.Context, after int64, wait time.Duration) (*client.Wanted, error) {
			return podid.WatchCluster(ctx, webhookCluster, after, wait)
		},
		Find: func(ctx context.Context, namespace, serviceAccount string) (bool, error) {
			out, err := service.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{
				ClusterName: aws.String(webhookCluster), Namespace: &namespace, ServiceAccount: &serviceAccount,
			})
			return err == nil && len(out.Associations) > 0, err
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = f.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return f
}

// webhook is a webhook that a real API server calls. Its handler may be replaced.
type webhook struct {
	t       *testing.T
	kube    *kubernetes.Clientset
	lookup  *admission.Lookup
	handler atomic.Pointer[admission.Handler]
	server  *httptest.Server

	mu       sync.Mutex
	warnings []string // that clients were shown
}

// HandleWarningHeader implements [rest.WarningHandler].
func (w *webhook) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.warnings = append(w.warnings, text)
}

func newWebhook(t *testing.T) *webhook {
	t.Helper()
	l := lab.Light(t, lab.NoControllerManager())
	w := &webhook{t: t}
	c := rest.CopyConfig(l.REST())
	c.QPS, c.WarningHandler = -1, w
	var err error
	if w.kube, err = kubernetes.NewForConfig(c); err != nil {
		t.Fatal(err)
	}
	cached, err := cache.New(c, cache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	direct, err := ctrlclient.New(c, ctrlclient.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = cached.Start(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	if !cached.WaitForCacheSync(t.Context()) {
		t.Fatal("the cache did not start")
	}
	for _, kind := range admission.Informers() {
		if _, err := cached.GetInformer(t.Context(), kind); err != nil {
			t.Fatal(err)
		}
	}
	w.lookup = admission.NewLookup(cached, direct, 2*time.Second)

	w.server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.handler.Load().ServeHTTP(rw, r) }))
	w.server.EnableHTTP2 = true
	w.server.StartTLS()
	t.Cleanup(w.server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.server.Certificate().Raw})
	registration := admission.Registration(ca, admission.Endpoint{URL: w.server.URL, Namespace: "podid-system"})
	if _, err := w.kube.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(t.Context(), registration, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return w
}

// serve makes the webhook decide with other settings and by somebody else's word.
func (w *webhook) serve(s inject.Settings, a admission.Associations) {
	w.t.Helper()
	h, err := admission.New(admission.Config{Settings: s, Associations: a, ServiceAccounts: w.lookup, Namespaces: w.lookup})
	if err != nil {
		w.t.Fatal(err)
	}
	w.handler.Store(h)
}

// asked waits until the API server has heard of the registration: it follows it, and so needs a moment.
func (w *webhook) asked() {
	w.t.Helper()
	w.serve(inject.Defaults(), always(true))
	w.namespace("ready", nil)
	w.account("ready", "s", nil)
	lab.Eventually(w.t, 30*time.Second, "the API server calls the webhook", func(context.Context) error {
		pod, err := w.create("ready", "s", metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil && !injected(pod) {
			return errors.New("it does not")
		}
		return err
	})
}

func (w *webhook) namespace(name string, labels map[string]string) {
	w.t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	if _, err := w.kube.CoreV1().Namespaces().Create(w.t.Context(), ns, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *webhook) account(namespace, name string, annotations map[string]string) {
	w.t.Helper()
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Annotations: annotations}}
	if _, err := w.kube.CoreV1().ServiceAccounts(namespace).Create(w.t.Context(), sa, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *webhook) create(namespace, serviceAccount string, o metav1.CreateOptions, change ...func(*corev1.Pod)) (*corev1.Pod, error) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "app-"},
		Spec:       corev1.PodSpec{ServiceAccountName: serviceAccount, Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	}
	for _, c := range change {
		c(pod)
	}
	return w.kube.CoreV1().Pods(namespace).Create(w.t.Context(), pod, o)
}

// injected reports whether a pod is complete: label, variables, mount and volume.
func injected(p *corev1.Pod) bool {
	const name = "eks-pod-identity-token"
	c := p.Spec.Containers[0]
	return p.Labels["eks.amazonaws.com/pod-identity"] == "enabled" &&
		slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == "AWS_CONTAINER_CREDENTIALS_FULL_URI" }) &&
		slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == name && m.ReadOnly }) &&
		slices.ContainsFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == name && v.Projected != nil })
}

// always answers every question about an association with the same.
type always bool

func (a always) Associated(context.Context, string, string) (bool, error) { return bool(a), nil }
