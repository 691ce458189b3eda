package operator

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/kube/admission"
	"github.com/podid/podid/internal/kube/follow"
	"github.com/podid/podid/internal/kube/manifest"
	"github.com/podid/podid/internal/kube/publish"
	"github.com/podid/podid/internal/kube/reconcile"
)

// operator is the wiring of one replica.
type operator struct {
	Config
	plane    *plane
	mgr      manager.Manager
	follower *follow.Follower
	registry *prometheus.Registry
	served   *served
	started  atomic.Bool // the caches are filled
}

// Run runs one replica until ctx ends, and then returns nil. A replica that loses its lead ends with an error: it is to be started anew.
func Run(ctx context.Context, c Config) error {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if err := c.check(); err != nil {
		return err
	}
	p, err := c.plane()
	if err != nil {
		return err
	}
	o := &operator{Config: c, plane: p, registry: prometheus.NewRegistry(), served: &served{logger: c.Logger}}
	o.follower = follow.New(follow.Config{
		Cluster: c.Cluster, Find: o.find, Now: c.Now, Logger: c.Logger,
		Watch: func(ctx context.Context, after int64, wait time.Duration) (*client.Wanted, error) {
			return p.podid.WatchCluster(ctx, c.Cluster, after, wait)
		},
	})
	if o.mgr, err = o.manager(); err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	for _, part := range []func(context.Context) error{o.webhook, o.certificates, o.publisher, o.pods, o.resources, o.probes} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	c.Logger.InfoContext(ctx, "the operator starts", "cluster", c.Cluster, "endpoint", c.Endpoint, "namespace", c.Namespace, "leader_election", c.LeaderElect)
	if err := o.mgr.Start(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// find asks the control plane whether an association counts for a service account. The operator of a cluster that was connected before there were
// patterns may not ask this, and a control plane of that time cannot answer: then it asks for the service account's own, and hears of patterns
// by its watch.
func (o *operator) find(ctx context.Context, namespace, serviceAccount string) (bool, error) {
	preview, err := o.plane.podid.PreviewAssociation(ctx, o.Cluster, namespace, serviceAccount)
	if err == nil {
		return preview.Winner != nil, nil
	}
	if !errors.Is(err, fault.Denied) && !errors.Is(err, fault.NotFound) {
		return false, unsaid(namespace, serviceAccount, err)
	}
	out, err := o.plane.eks.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{
		ClusterName: &o.Cluster, Namespace: &namespace, ServiceAccount: &serviceAccount,
	})
	if err != nil {
		return false, unsaid(namespace, serviceAccount, err)
	}
	return len(out.Associations) > 0, nil
}

func unsaid(namespace, serviceAccount string, cause error) error {
	return fault.New(fault.Unavailable, "control plane", "podid does not say whether %s/%s has a pod identity association", namespace, serviceAccount).
		Because(cause)
}

// every is a part that every replica runs.
type every func(context.Context) error

func (f every) Start(ctx context.Context) error { return f(ctx) }
func (every) NeedLeaderElection() bool          { return false }

// leading is a part that only the leader runs.
type leading func(context.Context) error

func (f leading) Start(ctx context.Context) error { return f(ctx) }
func (leading) NeedLeaderElection() bool          { return true }

// webhook is served by every replica.
func (o *operator) webhook(context.Context) error {
	h, err := admission.New(admission.Config{
		Settings: o.Settings, Associations: o.follower, Now: o.Now, Logger: o.Logger,
		ServiceAccounts: admission.NewLookup(o.mgr.GetCache(), o.mgr.GetAPIReader(), o.LookupGrace),
		Namespaces:      admission.NewLookup(o.mgr.GetCache(), o.mgr.GetAPIReader(), o.LookupGrace),
	})
	if err != nil {
		return err
	}
	o.registry.MustRegister(h.Metrics()...)
	address := net.JoinHostPort(o.WebhookHost, strconv.Itoa(o.WebhookPort))
	config := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: o.served.get}
	if o.TLSMinVersion > config.MinVersion {
		config.MinVersion = o.TLSMinVersion
	}
	return errors.Join(
		o.mgr.Add(every(func(ctx context.Context) error {
			if err := o.follower.Run(ctx); ctx.Err() == nil {
				return err
			}
			return nil
		})),
		o.mgr.Add(every(func(ctx context.Context) error { return serve(ctx, address, h, config) })),
	)
}

// certificates are made by the leader and loaded by all.
func (o *operator) certificates(ctx context.Context) error {
	c := &certificates{
		client: o.mgr.GetClient(), live: o.mgr.GetAPIReader(), now: o.Now, logger: o.Logger,
		endpoint: admission.Endpoint{Namespace: o.Namespace, Service: o.Service, URL: o.WebhookURL},
	}
	return errors.Join(c.setup(o.mgr), o.informer(ctx, &corev1.Secret{}, o.served.handler(ctx)))
}

// informer adds a handler to the cache of a kind; every replica's sees it.
func (o *operator) informer(ctx context.Context, of kube.Object, h toolscache.ResourceEventHandler) error {
	i, err := o.mgr.GetCache().GetInformer(ctx, of, cache.BlockUntilSynced(false))
	if err != nil {
		return err
	}
	_, err = i.AddEventHandler(h)
	return err
}

// publisher tells the control plane about the cluster, and runs the add-on that it tells about.
func (o *operator) publisher(ctx context.Context) error {
	set, err := kubernetes.NewForConfigAndClient(o.mgr.GetConfig(), o.mgr.GetHTTPClient())
	if err != nil {
		return err
	}
	ca, err := authorityOf(o.Kubernetes)
	if err != nil {
		return err
	}
	var p *publish.Publisher
	addon := reconcile.NewAddon(reconcile.AddonConfig{
		Name: reconcile.AgentName, Client: o.mgr.GetClient(), Live: o.mgr.GetAPIReader(), Namespace: o.Namespace, Render: o.render,
		Wanted: o.follower.Wanted, Changed: o.follower.Changed, Told: func() { p.Poke() }, Logger: o.Logger,
	})
	p = publish.New(publish.Config{
		Identity: publish.APIServer{REST: set.Discovery().RESTClient()}.Identity,
		Keys:     publish.ConfigMap{API: set.CoreV1().ConfigMaps(o.Namespace)},
		Wanted:   o.follower.Wanted, Changed: o.follower.Changed,
		See: seen{cache: o.mgr.GetCache(), problem: addon.Problem}.look,
		Put: func(ctx context.Context, r client.Report) error {
			return o.plane.podid.PutClusterReport(ctx, o.Cluster, r)
		},
		Endpoint: o.ClusterEndpoint, CertificateAuthority: base64.StdEncoding.EncodeToString(ca),
		Now: o.Now, Logger: o.Logger,
	})
	o.registry.MustRegister(p.Metrics()...)
	poke := func(o any) {
		if pod, ok := o.(*corev1.Pod); ok && pod.Labels[v1alpha1.LabelAddon] == "" {
			return
		}
		p.Poke()
	}
	h := toolscache.ResourceEventHandlerFuncs{AddFunc: poke, UpdateFunc: func(_, o any) { poke(o) }, DeleteFunc: func(any) { p.Poke() }}
	errs := []error{addon.Setup(o.mgr), o.mgr.Add(leading(p.Run))}
	for _, kind := range []kube.Object{&corev1.Node{}, &appsv1.DaemonSet{}, &corev1.Pod{}} {
		errs = append(errs, o.informer(ctx, kind, h))
	}
	return errors.Join(errs...)
}

// render makes the agent's objects as the chart has them.
func (o *operator) render(a client.WantedAddon) ([]*unstructured.Unstructured, error) {
	if o.AgentImage == "" || o.AgentRoleARN == "" {
		return nil, errors.New("the operator was started without --agent-image and --agent-role-arn and cannot run the agent")
	}
	return manifest.Agent(manifest.Defaults{
		Cluster: o.Cluster, Endpoint: o.Endpoint, Region: o.Region, RoleARN: o.AgentRoleARN, Namespace: a.Namespace,
		Image: imageOf(o.AgentImage, a.Version), CABundle: o.plane.ca, Proxy: o.Proxy,
	}, a.ConfigurationValues)
}

// agentNamespace is where the agent runs.
func (o *operator) agentNamespace() string {
	if w := o.follower.Wanted(); w != nil {
		for _, a := range w.Addons {
			if a.Name == reconcile.AgentName && a.Namespace != "" {
				return a.Namespace
			}
		}
	}
	return agentNamespace
}

// pods are looked after: their ends are told, those without their identity are flagged, nodes are opened for them.
func (o *operator) pods(ctx context.Context) error {
	ended := reconcile.NewEnded(reconcile.EndedConfig{
		Report: func(ctx context.Context, uids []string) error {
			return o.plane.podid.ReportEndedPods(ctx, o.Cluster, uids)
		},
		Now: o.Now, Logger: o.Logger,
	})
	sweep := reconcile.NewSweep(reconcile.SweepConfig{
		Client: o.mgr.GetClient(), Wanted: o.follower.Wanted, Changed: o.follower.Changed, Events: o.mgr.GetEventRecorder("podid-operator"),
		Skipped: []string{"kube-system", o.Namespace}, Now: o.Now, Logger: o.Logger,
	})
	o.registry.MustRegister(append(ended.Metrics(), sweep)...)
	taint := &reconcile.Taint{Client: o.mgr.GetClient(), AgentNamespace: o.agentNamespace, Logger: o.Logger}
	errs := []error{
		o.mgr.GetFieldIndexer().IndexField(ctx, &corev1.Pod{}, reconcile.IndexAgentNode, reconcile.AgentNode),
		o.informer(ctx, &corev1.Pod{}, ended.Handler()), o.mgr.Add(leading(ended.Run)), sweep.Setup(o.mgr), taint.Setup(o.mgr),
	}
	if o.PodCAFile != "" {
		trust := &reconcile.Trust{Client: o.mgr.GetClient(), CA: reconcile.CAFile(o.PodCAFile), Logger: o.Logger}
		if _, err := trust.CA(); err != nil {
			return err
		}
		errs = append(errs, trust.Setup(o.mgr))
	}
	return errors.Join(errs...)
}

// resources are podid's own kinds.
func (o *operator) resources(context.Context) error {
	c := reconcile.ResourcesConfig{
		Cluster: o.Cluster, Region: o.Region, Account: o.account(), EKS: o.plane.eks, Boundary: o.IAMPermissionsBoundary,
		Follower: o.follower, ACKNamespaces: o.ACKNamespaces, AgentNamespace: agentNamespace, AgentDaemonSet: reconcile.AgentName,
		Now: o.Now, Logger: o.Logger,
	}
	if o.IAMResources {
		c.IAM = o.plane.iam
	}
	return reconcile.SetupResources(o.mgr, c)
}

// probes say how this replica is, and the metrics how it was.
func (o *operator) probes(context.Context) error {
	ready := map[string]func(*http.Request) error{
		"certificate": func(*http.Request) error { _, err := o.served.get(nil); return err },
		"caches": func(*http.Request) error {
			if !o.started.Load() {
				return errors.New("the caches are not filled")
			}
			return nil
		},
		"control-plane": func(*http.Request) error {
			if !o.follower.Synced() {
				return errors.New("the control plane has not said yet what is wanted of the cluster")
			}
			return nil
		},
	}
	errs := []error{o.mgr.AddHealthzCheck("ping", func(*http.Request) error { return nil })}
	for name, check := range ready {
		errs = append(errs, o.mgr.AddReadyzCheck(name, check))
	}
	errs = append(errs, o.mgr.Add(every(func(ctx context.Context) error {
		if o.mgr.GetCache().WaitForCacheSync(ctx) {
			o.started.Store(true)
		}
		return nil
	})))
	if o.MetricsAddress != "" {
		mux := http.NewServeMux()
		mux.Handle("/metrics", promhttp.HandlerFor(prometheus.Gatherers{o.registry, ctrlmetrics.Registry}, promhttp.HandlerOpts{}))
		errs = append(errs, o.mgr.Add(every(func(ctx context.Context) error { return serve(ctx, o.MetricsAddress, mux, nil) })))
	}
	return errors.Join(errs...)
}

// authorityOf is the authority of the API server's certificate, PEM.
func authorityOf(c *rest.Config) ([]byte, error) {
	if len(c.CAData) > 0 || c.CAFile == "" {
		return c.CAData, nil
	}
	text, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read the API server's authority: %w", err)
	}
	return text, nil
}

func (o *operator) logr() logr.Logger { return logr.FromSlogHandler(o.Logger.Handler()) }
