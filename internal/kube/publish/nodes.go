package publish

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/podid/podid/internal/client"
)

// nodegroupLabels name the group that a node is in, as those who make nodes label them; the first that is there counts.
var nodegroupLabels = []string{
	"eks.amazonaws.com/nodegroup", "alpha.eksctl.io/nodegroup-name", "podid.dev/nodegroup",
	"karpenter.sh/nodepool", "cloud.google.com/gke-nodepool", "kubernetes.azure.com/agentpool",
}

// maxNodes bounds the nodes of a report: the control plane takes no more.
const maxNodes = 5000

// Nodes are the nodes as they are reported, by name; of very many the first [maxNodes].
func Nodes(nodes []corev1.Node) []client.ReportNode {
	out := make([]client.ReportNode, 0, len(nodes))
	for i := range nodes {
		n := &nodes[i]
		if n.DeletionTimestamp != nil {
			continue
		}
		out = append(out, client.ReportNode{
			Name: n.Name, Ready: ready(n), Nodegroup: nodegroup(n), Version: n.Status.NodeInfo.KubeletVersion, Zone: n.Labels[corev1.LabelTopologyZone],
		})
	}
	slices.SortFunc(out, func(a, b client.ReportNode) int { return cmp.Compare(a.Name, b.Name) })
	return out[:min(len(out), maxNodes)]
}

func ready(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

func nodegroup(n *corev1.Node) string {
	for _, label := range nodegroupLabels {
		if v := n.Labels[label]; v != "" {
			return v
		}
	}
	return ""
}
