package connect

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Plan looks at cluster and account, and says what connecting them takes. Nothing is changed.
func (c *Connection) Plan(ctx context.Context) (Plan, error) {
	f, err := c.look(ctx)
	if err != nil {
		return nil, err
	}
	c.say("cluster %s: Kubernetes %s at %s, issuer %s", c.Cluster, f.kube.git, c.kube.host, f.kube.issuer)
	c.say("account %s of podid at %s (the cluster: %s), as %s", f.account, *c.AWS.BaseEndpoint, c.Endpoint, f.caller)
	account, err := c.accountSteps(ctx, f)
	if err != nil {
		return nil, err
	}
	objects, err := c.objectSteps(ctx, f.objects)
	if err != nil {
		return nil, err
	}
	addon := Step{Action: Create, What: "add-on " + agentAddon}
	if f.record != nil {
		if addon, err = c.addonStep(ctx); err != nil {
			return nil, err
		}
	} else {
		addon.Do = func(ctx context.Context) error { return c.doAddon(ctx) }
	}
	return append(append(account, objects...), addon), nil
}

func (c *Connection) doAddon(ctx context.Context) error {
	s, err := c.addonStep(ctx)
	if err != nil || s.Action == Unchanged {
		return err
	}
	return s.Do(ctx)
}

// Wait returns once the operator is available and the add-on is active: every node's agent answers. If that does not come about, the
// error says what Kubernetes says about it.
func (c *Connection) Wait(ctx context.Context) error {
	err := c.until(ctx, "the operator", func(ctx context.Context) (bool, string, error) {
		d, err := c.operator(ctx)
		if err != nil {
			return false, err.Error(), nil //nolint:nilerr // the API server may be away for a moment
		}
		if d == nil {
			return false, "its Deployment is gone", nil
		}
		if available(d) {
			return true, "", nil
		}
		return false, fmt.Sprintf("%d of %d pods are ready%s", d.Status.ReadyReplicas, aws.ToInt32(d.Spec.Replicas), c.podTroubles(ctx, namespace, "app.kubernetes.io/name="+operatorName)), nil
	})
	if err != nil {
		return err
	}
	c.say("operator is available")
	err = c.until(ctx, "the add-on "+agentAddon, func(ctx context.Context) (bool, string, error) {
		a, err := c.addon(ctx)
		switch {
		case err != nil:
			return false, err.Error(), nil //nolint:nilerr // the control plane may be away for a moment
		case a == nil:
			return false, "nobody asks for it any more", nil
		}
		if a.Status == ekstypes.AddonStatusActive {
			return true, "", nil
		}
		reasons := []string{"it is " + string(a.Status)}
		if a.Health != nil {
			for _, i := range a.Health.Issues {
				reasons = append(reasons, aws.ToString(i.Message))
			}
		}
		return false, strings.Join(reasons, "; ") + c.podTroubles(ctx, agentNamespace, "app.kubernetes.io/name="+agentName), nil
	})
	if err != nil {
		return err
	}
	c.say("add-on %s is active", agentAddon)
	return nil
}

// podTroubles says why pods that a selector finds do not run, as far as Kubernetes knows: each reason once.
func (c *Connection) podTroubles(ctx context.Context, namespace, selector string) string {
	pods, err := c.kube.typed.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return ""
	}
	reasons := []string{""} // before the first there is a "; " too
	for i := range pods.Items {
		for _, t := range troubles(&pods.Items[i]) {
			if !slices.Contains(reasons, t) {
				reasons = append(reasons, t)
			}
		}
	}
	return strings.Join(reasons, "; ")
}

// troubles are the reasons for which a pod is not ready.
func troubles(p *corev1.Pod) []string {
	var list []string
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			list = append(list, "a pod is not scheduled: "+c.Message)
		}
	}
	for _, s := range append(append([]corev1.ContainerStatus{}, p.Status.InitContainerStatuses...), p.Status.ContainerStatuses...) {
		if w := s.State.Waiting; w != nil && w.Reason != "PodInitializing" && w.Reason != "ContainerCreating" {
			list = append(list, fmt.Sprintf("%s is waiting: %s %s", s.Name, w.Reason, w.Message))
		}
		if t := s.LastTerminationState.Terminated; t != nil && t.ExitCode != 0 {
			list = append(list, fmt.Sprintf("%s ended with exit code %d: %s", s.Name, t.ExitCode, t.Reason))
		}
	}
	return list
}
