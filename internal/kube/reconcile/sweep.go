package reconcile

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/kube/follow"
)

// SweepConfig is what a Sweep needs; every field but Skipped is required.
type SweepConfig struct {
	Client  kube.Client           // reads from a cache
	Wanted  func() *client.Wanted // nil before the first answer
	Changed func() <-chan struct{}
	Events  events.EventRecorder
	Skipped []string // namespaces that the webhook is never called for
	Now     func() time.Time
	Logger  *slog.Logger
}

// Sweep flags pods that run without the identity that they should have: with an Event, a condition and a metric. It works from events:
// a pod's, its namespace's, and an association that comes or goes; and looks at every pod again now and then, slowly.
type Sweep struct {
	c SweepConfig

	mu      sync.Mutex
	wanted  *client.Wanted // what associated was made of
	who     *follow.Known
	missing map[types.NamespacedName]types.UID // pods that are flagged
}

const (
	sweepEvery = 10 * time.Minute
	sweepPace  = 20 * time.Millisecond // between two pods of a full pass

	reasonMissing = "IdentityMissing"
	reasonFine    = "IdentityNotMissing"
)

// NewSweep makes a Sweep.
func NewSweep(c SweepConfig) *Sweep {
	return &Sweep{c: c, missing: map[types.NamespacedName]types.UID{}}
}

var missingDesc = prometheus.NewDesc("podid_pods_identity_missing", "Pods that should have an identity and run without.", []string{"namespace"}, nil)

// Describe is of prometheus.Collector.
func (s *Sweep) Describe(ch chan<- *prometheus.Desc) { ch <- missingDesc }

// Collect is of prometheus.Collector.
func (s *Sweep) Collect(ch chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[string]int{}
	for name := range s.missing {
		counts[name.Namespace]++
	}
	for namespace, n := range counts {
		ch <- prometheus.MustNewConstMetric(missingDesc, prometheus.GaugeValue, float64(n), namespace)
	}
}

// Setup adds the controller to a manager.
func (s *Sweep) Setup(mgr manager.Manager) error {
	namespaces := &metav1.PartialObjectMetadata{}
	namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	its := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o kube.Object) []reconcile.Request {
		return s.requests(ctx, func(*corev1.Pod) bool { return true }, kube.InNamespace(o.GetName()))
	})
	return builder.ControllerManagedBy(mgr).Named("sweep").WithOptions(controller.Options{MaxConcurrentReconciles: 4}).
		For(&corev1.Pod{}).Watches(namespaces, its, builder.WithPredicates(predicate.LabelChangedPredicate{})).
		WatchesRawSource(source.Func(func(ctx context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			go s.watch(ctx, q)
			return nil
		})).
		Complete(s)
}

// watch wakes the pods of service accounts whose association came or went, and at intervals all.
func (s *Sweep) watch(ctx context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	var before *follow.Known
	for {
		changed := s.c.Changed()
		_, after := s.associated()
		for _, r := range s.requests(ctx, func(p *corev1.Pod) bool {
			a := accountOf(p)
			return before.Has(a.Namespace, a.Name) != after.Has(a.Namespace, a.Name)
		}) {
			q.Add(r)
		}
		before = after
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-tick.C:
			for i, r := range s.requests(ctx, func(*corev1.Pod) bool { return true }) {
				q.AddAfter(r, time.Duration(i)*sweepPace)
			}
		}
	}
}

// associated are the service accounts with an association; false: not known yet.
func (s *Sweep) associated() (bool, *follow.Known) {
	w := s.c.Wanted()
	s.mu.Lock()
	defer s.mu.Unlock()
	if w != s.wanted {
		s.wanted, s.who = w, follow.KnownBy(w)
	}
	return w != nil, s.who
}

func accountOf(p *corev1.Pod) types.NamespacedName {
	name := p.Spec.ServiceAccountName
	if name == "" {
		name = "default"
	}
	return types.NamespacedName{Namespace: p.Namespace, Name: name}
}

func (s *Sweep) requests(ctx context.Context, concerned func(*corev1.Pod) bool, opts ...kube.ListOption) []reconcile.Request {
	var pods corev1.PodList
	if err := s.c.Client.List(ctx, &pods, append(opts, kube.UnsafeDisableDeepCopy)...); err != nil {
		if ctx.Err() == nil {
			s.c.Logger.WarnContext(ctx, "pods cannot be listed", "error", err)
		}
		return nil
	}
	var out []reconcile.Request
	for i := range pods.Items {
		if p := &pods.Items[i]; concerned(p) {
			out = append(out, reconcile.Request{NamespacedName: kube.ObjectKeyFromObject(p)})
		}
	}
	return out
}

// Reconcile looks at one pod.
func (s *Sweep) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	known, associations := s.associated()
	var p corev1.Pod
	if err := s.c.Client.Get(ctx, req.NamespacedName, &p); err != nil {
		s.unflag(req.NamespacedName)
		return reconcile.Result{}, kube.IgnoreNotFound(err)
	}
	if !known {
		return reconcile.Result{}, nil // the first answer wakes it
	}
	account := accountOf(&p)
	around := Surroundings{Associated: associations.Has(account.Namespace, account.Name)}
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := s.c.Client.Get(ctx, types.NamespacedName{Name: p.Namespace}, namespace); err != nil {
		return reconcile.Result{}, kube.IgnoreNotFound(err)
	}
	around.LateBinding = namespace.Labels[v1alpha1.LabelLateBinding] == v1alpha1.LateBindingEnabled
	for _, skipped := range s.c.Skipped {
		around.Skipped = around.Skipped || skipped == p.Namespace
	}
	if around.Skipped && !around.Associated {
		around.LateBinding = false // whoever made it so knows
	}
	found := Inspect(&p, around, s.c.Now())
	if found.Later > 0 {
		return reconcile.Result{RequeueAfter: found.Later}, nil
	}
	return reconcile.Result{}, s.tell(ctx, &p, found)
}

// tell makes the pod say what was found.
func (s *Sweep) tell(ctx context.Context, p *corev1.Pod, found Finding) error {
	says := conditionTrue(p, v1alpha1.ConditionIdentityMissing)
	if !found.Missing {
		s.unflag(kube.ObjectKeyFromObject(p))
		if !says || finished(p) || p.DeletionTimestamp != nil {
			return nil
		}
		return s.condition(ctx, p, corev1.ConditionFalse, reasonFine, "")
	}
	news := s.flag(p)
	if says {
		return nil
	}
	if err := s.condition(ctx, p, corev1.ConditionTrue, reasonMissing, found.Why); err != nil {
		s.unflag(kube.ObjectKeyFromObject(p))
		return err
	}
	if news {
		s.c.Events.Eventf(p, nil, corev1.EventTypeWarning, reasonMissing, "Sweep", "%s", found.Why)
		s.c.Logger.WarnContext(ctx, "a pod runs without the identity it should have", "namespace", p.Namespace, "pod", p.Name,
			"service_account", accountOf(p).Name)
	}
	return nil
}

// condition writes the pod's condition. The uid makes that it is this pod's and not that of one with the same name.
func (s *Sweep) condition(ctx context.Context, p *corev1.Pod, status corev1.ConditionStatus, reason, message string) error {
	c := applycorev1.PodCondition().WithType(v1alpha1.ConditionIdentityMissing).WithStatus(status).WithReason(reason).
		WithMessage(message).WithLastTransitionTime(metav1.NewTime(s.c.Now()))
	want := applycorev1.Pod(p.Name, p.Namespace).WithUID(p.UID).WithStatus(applycorev1.PodStatus().WithConditions(c))
	return kube.IgnoreNotFound(s.c.Client.Status().Apply(ctx, want, kube.FieldOwner(FieldManager), kube.ForceOwnership))
}

// flag notes a pod, and reports whether that is news.
func (s *Sweep) flag(p *corev1.Pod) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := kube.ObjectKeyFromObject(p)
	if s.missing[name] == p.UID {
		return false
	}
	s.missing[name] = p.UID
	return true
}

func (s *Sweep) unflag(name types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.missing, name)
}
