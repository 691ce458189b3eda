package reconcile

import (
	"context"
	"log/slog"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
)

// AgentName is the name of the node agent: of its DaemonSet, its service account, its add-on, and in its pods' name label.
const AgentName = "eks-pod-identity-agent"

// IndexAgentNode finds the agent's pods by their node.
const IndexAgentNode = "agentNode"

// Taint removes the startup taint from a node once the agent's pod there is ready.
type Taint struct {
	Client         kube.Client   // reads from a cache with the index [IndexAgentNode]
	AgentNamespace func() string // where the agent runs: a pod elsewhere that calls itself the agent is none
	Logger         *slog.Logger
}

// AgentNode is the index function of [IndexAgentNode].
func AgentNode(o kube.Object) []string {
	if p, ok := o.(*corev1.Pod); ok && agentPod(p) && p.Spec.NodeName != "" {
		return []string{p.Spec.NodeName}
	}
	return nil
}

func agentPod(p *corev1.Pod) bool {
	return p.Labels[labelName] == AgentName && p.Spec.ServiceAccountName == AgentName
}

// Setup adds the controller to a manager.
func (r *Taint) Setup(mgr manager.Manager) error {
	tainted := predicate.NewPredicateFuncs(func(o kube.Object) bool {
		n, ok := o.(*corev1.Node)
		return ok && hasTaint(n)
	})
	agents := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o kube.Object) []reconcile.Request {
		if nodes := AgentNode(o); len(nodes) > 0 {
			return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: nodes[0]}}}
		}
		return nil
	})
	return builder.ControllerManagedBy(mgr).Named("startup-taint").WithOptions(controller.Options{MaxConcurrentReconciles: 4}).
		For(&corev1.Node{}, builder.WithPredicates(tainted)).
		Watches(&corev1.Pod{}, agents, builder.WithPredicates(predicate.NewPredicateFuncs(func(o kube.Object) bool {
			p, ok := o.(*corev1.Pod)
			return ok && agentPod(p) && conditionTrue(p, corev1.PodReady)
		}))).
		Complete(r)
}

// Reconcile looks at one node.
func (r *Taint) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var node corev1.Node
	if err := r.Client.Get(ctx, req.NamespacedName, &node); err != nil {
		return reconcile.Result{}, kube.IgnoreNotFound(err)
	}
	if !hasTaint(&node) {
		return reconcile.Result{}, nil
	}
	var pods corev1.PodList
	if err := r.Client.List(ctx, &pods, kube.InNamespace(r.AgentNamespace()), kube.MatchingFields{IndexAgentNode: node.Name}); err != nil {
		return reconcile.Result{}, err
	}
	if !slices.ContainsFunc(pods.Items, func(p corev1.Pod) bool {
		return p.DeletionTimestamp == nil && p.Spec.NodeName == node.Name && conditionTrue(&p, corev1.PodReady)
	}) {
		return reconcile.Result{}, nil // its becoming ready is an event
	}
	changed := node.DeepCopy()
	changed.Spec.Taints = slices.DeleteFunc(changed.Spec.Taints, func(t corev1.Taint) bool { return t.Key == v1alpha1.TaintAgentNotReady })
	// Taints are one list to the API server: a patch against an older node would undo somebody else's.
	if err := r.Client.Patch(ctx, changed, kube.MergeFromWithOptions(&node, kube.MergeFromWithOptimisticLock{})); err != nil {
		return reconcile.Result{}, kube.IgnoreNotFound(err)
	}
	r.Logger.InfoContext(ctx, "the node's agent is ready, the startup taint is removed", "node", node.Name)
	return reconcile.Result{}, nil
}

func hasTaint(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Key == v1alpha1.TaintAgentNotReady })
}
