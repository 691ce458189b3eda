package connect

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/oidc"
)

// chosen are the kinds of which a person's values decide how many there are, and where.
var chosen = []schema.GroupVersionKind{
	{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"},
	{Group: "cilium.io", Version: "v2", Kind: "CiliumNetworkPolicy"},
	{Group: "cilium.io", Version: "v2", Kind: "CiliumClusterwideNetworkPolicy"},
}

// labelled are the objects of those kinds that connecting has made.
func (c *Connection) labelled(ctx context.Context) ([]*unstructured.Unstructured, error) {
	var list []*unstructured.Unstructured
	for _, gvk := range chosen {
		m, err := c.kube.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if meta.IsNoMatchError(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found, err := c.kube.dynamic.Resource(m.Resource).List(ctx, metav1.ListOptions{LabelSelector: managedByLabel + "=" + manager})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list the objects of kind %s: %w", gvk.Kind, err)
		}
		for i := range found.Items {
			list = append(list, &found.Items[i])
		}
	}
	return list, nil
}

// confirm reports for a cluster in which nobody does: nothing runs there. Where there is no Kubernetes to ask for its keys, they become
// some that nobody has: tokens of a cluster that is gone are worth nothing.
func (c *Connection) confirm(ctx context.Context, r *ekstypes.Cluster) error {
	report := client.Report{
		Issuer: issuerOf(r), Endpoint: aws.ToString(r.Endpoint), CertificateAuthority: authorityOf(r), Version: aws.ToString(r.Version),
		Nodes: []client.ReportNode{}, Addons: []client.ReportAddon{},
	}
	if c.kube != nil {
		id, err := c.kube.identity(ctx)
		if err != nil {
			return err
		}
		report.JWKS = id.jwks
		return c.own.PutClusterReport(ctx, c.Cluster, report)
	}
	nobody, err := oidc.NewSigner("RS256")
	if err != nil {
		return err
	}
	keys, err := nobody.KeySet().MarshalJSON()
	if err != nil {
		return err
	}
	report.JWKS = string(keys)
	return c.own.PutClusterReport(ctx, c.Cluster, report)
}

// count counts pods that have an identity, and those that should.
func count(pods []corev1.Pod) (identity, missing int) {
	for i := range pods {
		if pods[i].Labels[v1alpha1.LabelPodIdentity] == "enabled" {
			identity++
		}
		for _, c := range pods[i].Status.Conditions {
			if string(c.Type) == v1alpha1.ConditionIdentityMissing && c.Status == corev1.ConditionTrue {
				missing++
			}
		}
	}
	return identity, missing
}
