package operator

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	kube "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/kube/publish"
	"github.com/podid/podid/internal/kube/reconcile"
)

// seen is what is seen of the cluster for a report.
type seen struct {
	cache   kube.Reader
	problem func() string // of the agent's add-on
}

// look reads nodes and add-ons.
func (s seen) look(ctx context.Context, w *client.Wanted) ([]client.ReportNode, []client.ReportAddon, error) {
	var nodes corev1.NodeList
	if err := s.cache.List(ctx, &nodes); err != nil {
		return nil, nil, err
	}
	addons, err := s.addons(ctx, w)
	return publish.Nodes(nodes.Items), addons, err
}

// addons are those that are wanted, and those that run though they are not: they are reported until they are gone.
func (s seen) addons(ctx context.Context, w *client.Wanted) ([]client.ReportAddon, error) {
	out := []client.ReportAddon{}
	running, found, err := s.agent(ctx)
	if err != nil {
		return nil, err
	}
	wanted := false
	if w != nil {
		for _, a := range w.Addons {
			switch {
			case a.Name == reconcile.AgentName:
				wanted = a.Status != "DELETING"
			case a.Status != "DELETING":
				out = append(out, publish.Addon(a.Name, publish.Running{
					Problem: "podid runs the add-on " + reconcile.AgentName + " and no other: install this one yourself",
				}))
			}
		}
	}
	if wanted {
		running.Problem = s.problem()
	}
	if wanted || found {
		out = append(out, publish.Addon(reconcile.AgentName, running))
	}
	return out, nil
}

// agent is what runs of the agent's add-on: its DaemonSet, or pods that are left of it.
func (s seen) agent(ctx context.Context) (publish.Running, bool, error) {
	its := kube.MatchingLabels{v1alpha1.LabelAddon: reconcile.AgentName}
	var sets appsv1.DaemonSetList
	if err := s.cache.List(ctx, &sets, its); err != nil {
		return publish.Running{}, false, err
	}
	var pods corev1.PodList
	if err := s.cache.List(ctx, &pods, its); err != nil {
		return publish.Running{}, false, err
	}
	if len(sets.Items) == 0 {
		return publish.Running{}, len(pods.Items) > 0, nil
	}
	set := &sets.Items[0]
	mine := slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return p.Namespace != set.Namespace })
	return publish.Running{DaemonSet: set, Pods: mine}, true, nil
}
