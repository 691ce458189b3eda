package kube_test

import (
	"bufio"
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
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

const (
	webhookCluster = "admission"
	webhookTrust   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`
)

// webhookPlane is a control plane, a process of its own, with one cluster.
type webhookPlane struct {
	aws     aws.Config
	account string
	stop    func() // ends it; more than once is once
}

func newWebhookPlane(t *testing.T) *webhookPlane {
	t.Helper()
	podid, err := lab.Build(t.Context(), "./cmd/podid")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	awsConfig := filepath.Join(dir, "aws", "config")
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, podid, "serve", "--data", filepath.Join(dir, "data"), "--aws-config", awsConfig, "--listen", "127.0.0.1:0")
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &webhookPlane{stop: sync.OnceFunc(func() {
		cancel()
		_ = cmd.Wait() // "signal: killed"
	})}
	t.Cleanup(p.stop)
	lines := bufio.NewScanner(out)
	serves := func(line string) bool { return strings.HasPrefix(line, "podid serves ") }
	for lines.Scan() && !serves(lines.Text()) {
	}
	if !serves(lines.Text()) {
		t.Fatal("podid serve ended")
	}
	p.aws, err = config.LoadDefaultConfig(t.Context(), config.WithSharedConfigFiles([]string{awsConfig}),
		config.WithSharedCredentialsFiles([]string{}), config.WithSharedConfigProfile("podid"))
	if err != nil {
		t.Fatal(err)
	}
	caller, err := sts.NewFromConfig(p.aws).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	p.account = *caller.Account
	if _, err := eks.NewFromConfig(p.aws).CreateCluster(t.Context(), &eks.CreateClusterInput{
		Name: aws.String(webhookCluster), RoleArn: aws.String("arn:aws:iam::" + p.account + ":role/cluster"), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := iam.NewFromConfig(p.aws).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("app"), AssumeRolePolicyDocument: aws.String(webhookTrust)}); err != nil {
		t.Fatal(err)
	}
	return p
}

// associate returns when the association is acknowledged.
func (p *webhookPlane) associate(ctx context.Context, namespace, serviceAccount string) error {
	_, err := eks.NewFromConfig(p.aws).CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{
		ClusterName: aws.String(webhookCluster), Namespace: &namespace, ServiceAccount: &serviceAccount,
		RoleArn: aws.String("arn:aws:iam::" + p.account + ":role/app"),
	})
	return err
}

// follower follows the cluster until the test ends.
func (p *webhookPlane) follower(t *testing.T) *follow.Follower {
	t.Helper()
	podid := client.New(client.Config{Endpoint: *p.aws.BaseEndpoint, Region: p.aws.Region, Credentials: p.aws.Credentials, HTTP: http.DefaultClient, Now: time.Now})
	service := eks.NewFromConfig(p.aws, func(o *eks.Options) { o.Retryer = aws.NopRetryer{} })
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
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		pod, err := w.create("ready", "s", metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			w.t.Fatal(err)
		}
		if injected(pod) {
			return
		}
		select {
		case <-tick.C:
		case <-w.t.Context().Done():
			w.t.Fatal("the API server does not call the webhook")
		}
	}
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
