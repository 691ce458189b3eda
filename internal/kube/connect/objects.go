package connect

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/kube/manifest"
)

// render is what the cluster gets: the namespace, the certificate authority where the agent will run, and the chart.
func (c *Connection) render(f *facts) ([]*unstructured.Unstructured, error) {
	objects, err := manifest.Render(c.values(f.account), manifest.Release{Namespace: namespace, ManagedBy: manager, KubeVersion: f.kube.git})
	if err != nil {
		return nil, fmt.Errorf("the chart's values: %w", err)
	}
	first := []*unstructured.Unstructured{{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace",
		"metadata": map[string]any{"name": namespace, "labels": map[string]any{
			managedByLabel: manager, "pod-security.kubernetes.io/enforce": "restricted",
		}},
	}}}
	if c.CABundle != "" && !slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool {
		return o.GetName() == v1alpha1.CAConfigMap && o.GetNamespace() == agentNamespace
	}) {
		first = append(first, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap",
			"metadata": map[string]any{"name": v1alpha1.CAConfigMap, "namespace": agentNamespace},
			"data":     map[string]any{v1alpha1.CAKey: c.CABundle},
		}})
	}
	return append(first, objects...), nil
}

// values are the chart's: those that follow from what is connected to what lie over those that a person chose.
func (c *Connection) values(account string) map[string]any {
	operator := map[string]any{
		"roleArn": roleARN(account, c.operatorRole()), "iamResources": c.IAMResources, "iamPermissionsBoundary": c.IAMBoundary,
	}
	if strings.HasPrefix(c.kube.host, "https://") {
		operator["clusterEndpoint"] = c.kube.host
	}
	values := map[string]any{
		"clusterName": c.Cluster, "endpoint": c.Endpoint, "caBundle": c.CABundle,
		"env":      map[string]any{"AWS_REGION": c.AWS.Region},
		"agent":    map[string]any{"roleArn": roleARN(account, c.agentRole())},
		"operator": operator,
	}
	if c.AgentImage != "" {
		values["image"] = map[string]any{"override": c.AgentImage}
	}
	if c.OperatorImage != "" {
		operator["image"] = map[string]any{"override": c.OperatorImage}
	}
	return over(c.Values, values)
}

// over lays one tree of values over another; neither is changed.
func over(base, top map[string]any) map[string]any {
	out := maps.Clone(base)
	if out == nil {
		out = map[string]any{}
	}
	for k, v := range top {
		inner, isMap := v.(map[string]any)
		below, wasMap := out[k].(map[string]any)
		if isMap && wasMap {
			v = over(below, inner)
		}
		out[k] = v
	}
	return out
}

// objectSteps apply the objects, each of which is first asked for.
func (c *Connection) objectSteps(ctx context.Context, objects []*unstructured.Unstructured) (Plan, error) {
	var p Plan
	for _, o := range objects {
		s, err := c.objectStep(ctx, o)
		if err != nil {
			return nil, err
		}
		p = append(p, s)
	}
	return p, nil
}

func nameOf(o *unstructured.Unstructured) string {
	s := o.GetKind() + " "
	if o.GetNamespace() != "" {
		s += o.GetNamespace() + "/"
	}
	return s + o.GetName()
}

func (c *Connection) objectStep(ctx context.Context, o *unstructured.Unstructured) (Step, error) {
	s := Step{Action: Create, What: nameOf(o), Do: func(ctx context.Context) error { _, err := c.apply(ctx, o, false); return err }}
	r, err := c.resource(o)
	if meta.IsNoMatchError(err) { // its CRD comes with it, or is missing and Kubernetes will say so
		return s, nil
	}
	if err != nil {
		return s, err
	}
	found, err := r.Get(ctx, o.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("ask for %s: %w", s.What, err)
	}
	would, err := c.apply(ctx, o, true)
	if err != nil {
		return s, fmt.Errorf("try to apply %s: %w", s.What, err)
	}
	if s.Action = Update; same(found, would) {
		s.Action = Unchanged
	}
	return s, nil
}

// apply is server-side apply. It takes the fields that it names from whoever has them: this is the description of what is to be.
func (c *Connection) apply(ctx context.Context, o *unstructured.Unstructured, dryRun bool) (*unstructured.Unstructured, error) {
	r, err := c.resource(o)
	if meta.IsNoMatchError(err) {
		c.kube.mapper.Reset() // a CRD was made since
		r, err = c.resource(o)
	}
	if err != nil {
		return nil, err
	}
	options := metav1.ApplyOptions{FieldManager: manager, Force: true}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	return r.Apply(ctx, o.GetName(), o, options)
}

func (c *Connection) resource(o *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	gvk := o.GroupVersionKind()
	m, err := c.kube.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return nil, err
	}
	if m.Scope.Name() == meta.RESTScopeNameNamespace {
		return c.kube.dynamic.Resource(m.Resource).Namespace(o.GetNamespace()), nil
	}
	return c.kube.dynamic.Resource(m.Resource), nil
}

// same compares two states of an object but for the server's own book-keeping.
func same(a, b *unstructured.Unstructured) bool {
	return reflect.DeepEqual(bare(a), bare(b))
}

func bare(o *unstructured.Unstructured) map[string]any {
	c := o.DeepCopy()
	for member := range strings.FieldsSeq("managedFields resourceVersion generation creationTimestamp uid selfLink") {
		unstructured.RemoveNestedField(c.Object, "metadata", member)
	}
	unstructured.RemoveNestedField(c.Object, "status")
	return c.Object
}
