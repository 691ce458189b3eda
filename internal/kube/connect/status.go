package connect

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podid/podid/internal/fault"
)

// Status tells how the cluster is, or, without a name, how all clusters of the account are: what podid knows, and, with a kubeconfig, what
// is true in the Kubernetes.
func (c *Connection) Status(ctx context.Context) error {
	if c.Cluster == "" {
		all, err := c.clusters(ctx)
		if err != nil {
			return err
		}
		for _, r := range all {
			c.say("%s  %s  Kubernetes %s  %s", aws.ToString(r.Name), r.Status, or(aws.ToString(r.Version), "unknown"), or(issuerOf(r), "not connected"))
		}
		return nil
	}
	r, err := c.record(ctx)
	if err != nil {
		return err
	}
	if r == nil {
		return fault.New(fault.NotFound, "cluster", "the account has no cluster %s; connect it with \"podid cluster connect\"", c.Cluster)
	}
	c.say("cluster       %s, %s", c.Cluster, r.Status)
	c.say("Kubernetes    %s at %s", or(aws.ToString(r.Version), "unknown"), or(aws.ToString(r.Endpoint), "an address that was not told"))
	c.say("issuer        %s", or(issuerOf(r), "none: not connected"))
	if err := c.tellAddon(ctx); err != nil {
		return err
	}
	associations, err := c.associations(ctx, &facts{record: r})
	if err != nil {
		return err
	}
	c.say("associations  %d", len(associations))
	groups, err := c.eks.ListNodegroups(ctx, &eks.ListNodegroupsInput{ClusterName: &c.Cluster})
	if err != nil {
		return fmt.Errorf("list the node groups: %w", err)
	}
	for _, name := range groups.Nodegroups {
		g, err := c.eks.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: &c.Cluster, NodegroupName: &name})
		if is[*ekstypes.ResourceNotFoundException](err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("ask for the node group %s: %w", name, err)
		}
		c.say("node group    %s, %s", name, g.Nodegroup.Status)
	}
	if c.kube == nil {
		return nil
	}
	return c.tellKubernetes(ctx, r)
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func (c *Connection) tellAddon(ctx context.Context) error {
	a, err := c.addon(ctx)
	if err != nil {
		return err
	}
	if a == nil {
		c.say("add-on        %s is not asked for", agentAddon)
		return nil
	}
	c.say("add-on        %s %s, %s", agentAddon, aws.ToString(a.AddonVersion), a.Status)
	if a.Health != nil {
		for _, i := range a.Health.Issues {
			c.say("              %s: %s", i.Code, aws.ToString(i.Message))
		}
	}
	return nil
}

// tellKubernetes tells what is true in the cluster itself.
func (c *Connection) tellKubernetes(ctx context.Context, r *ekstypes.Cluster) error {
	id, err := c.kube.identity(ctx)
	if err != nil {
		return err
	}
	if id.issuer != issuerOf(r) {
		c.say("              the API server at %s says %s: podid refuses its tokens; run \"podid cluster connect\" again", c.kube.host, id.issuer)
	}
	d, err := c.operator(ctx)
	if err != nil {
		return err
	}
	if d == nil {
		c.say("operator      is not installed")
	} else {
		c.say("operator      %d of %d pods are ready%s", d.Status.ReadyReplicas, aws.ToInt32(d.Spec.Replicas), c.podTroubles(ctx, namespace, "app.kubernetes.io/name="+operatorName))
	}
	sets, err := c.kube.typed.AppsV1().DaemonSets(agentNamespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + agentName})
	if err != nil {
		return fmt.Errorf("ask for the agent: %w", err)
	}
	if len(sets.Items) == 0 {
		c.say("agent         is not installed")
	}
	for _, s := range sets.Items {
		c.say("agent         ready on %d of %d nodes%s", s.Status.NumberReady, s.Status.DesiredNumberScheduled, c.podTroubles(ctx, agentNamespace, "app.kubernetes.io/name="+agentName))
	}
	return c.tellWebhook(ctx)
}

func (c *Connection) tellWebhook(ctx context.Context) error {
	w, err := c.kube.typed.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, webhookName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		c.say("webhook       is not registered: pods get no identity")
		return nil
	}
	if err != nil {
		return fmt.Errorf("ask for the webhook: %w", err)
	}
	for _, h := range w.Webhooks {
		trusted := "trusted"
		if len(h.ClientConfig.CABundle) == 0 {
			trusted = "not trusted yet"
		}
		c.say("webhook       %s, on failure %s, %s", h.Name, aws.ToString((*string)(h.FailurePolicy)), trusted)
	}
	pods, err := c.kube.typed.CoreV1().Pods(corev1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list the pods: %w", err)
	}
	identity, missing := count(pods.Items)
	c.say("pods          %d with an identity, %d that should have one and have not", identity, missing)
	return nil
}
