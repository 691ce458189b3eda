package connect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/kube/manifest"
)

// Removal says how far a cluster is disconnected.
type Removal struct {
	CRDs         bool // the kinds of podid.dev too, and all objects of theirs
	Associations bool // also those that there are; otherwise they are a reason to refuse
}

// PlanRemoval looks at cluster and account, and says what disconnecting them removes. Nothing is changed. Without a kubeconfig it is about
// the account alone: the Kubernetes is gone.
func (c *Connection) PlanRemoval(ctx context.Context, r Removal) (Plan, error) {
	f := &facts{}
	if err := c.caller(ctx, f); err != nil {
		return nil, err
	}
	var err error
	if f.record, err = c.record(ctx); err != nil {
		return nil, err
	}
	if err := c.checkRemoval(ctx, f); err != nil {
		return nil, err
	}
	associations, err := c.associations(ctx, f)
	if err != nil {
		return nil, err
	}
	if len(associations) > 0 && !r.Associations {
		return nil, fault.New(fault.Conflict, "cluster", "the cluster %s has %d associations, whose pods would lose their credentials; delete them first, "+
			"or say --force", c.Cluster, len(associations))
	}
	var p Plan
	if c.kube != nil && r.CRDs { // while there is an operator that takes the finalizers off
		some, err := c.customSteps(ctx)
		if err != nil {
			return nil, err
		}
		p = append(p, some...)
	}
	p = append(p, c.associationSteps(associations)...)
	some, err := c.addonRemoval(ctx, f)
	if err != nil {
		return nil, err
	}
	p = append(p, some...)
	if c.kube != nil {
		if some, err = c.objectRemoval(ctx, f, r); err != nil {
			return nil, err
		}
		p = append(p, some...)
	}
	some, err = c.accountRemoval(ctx, f)
	if err != nil {
		return nil, err
	}
	return append(p, some...), nil
}

func (c *Connection) associations(ctx context.Context, f *facts) ([]ekstypes.PodIdentityAssociationSummary, error) {
	if f.record == nil {
		return nil, nil
	}
	var list []ekstypes.PodIdentityAssociationSummary
	for pages := eks.NewListPodIdentityAssociationsPaginator(c.eks, &eks.ListPodIdentityAssociationsInput{ClusterName: &c.Cluster}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the associations: %w", err)
		}
		list = append(list, page.Associations...)
	}
	return list, nil
}

// Of many associations the plan tells the number, and several are deleted at a time.
const (
	manyAssociations = 20
	deletesAtOnce    = 8
)

func (c *Connection) associationSteps(list []ekstypes.PodIdentityAssociationSummary) Plan {
	if len(list) > manyAssociations {
		return Plan{{Action: Delete, What: fmt.Sprintf("%d associations", len(list)), Do: func(ctx context.Context) error {
			g, ctx := errgroup.WithContext(ctx)
			g.SetLimit(deletesAtOnce)
			for i := range list {
				g.Go(func() error { return c.deleteAssociation(ctx, &list[i]) })
			}
			return g.Wait()
		}}}
	}
	var p Plan
	for i := range list {
		a := &list[i]
		p = append(p, Step{
			Action: Delete, What: fmt.Sprintf("association of %s/%s", aws.ToString(a.Namespace), aws.ToString(a.ServiceAccount)),
			Do: func(ctx context.Context) error { return c.deleteAssociation(ctx, a) },
		})
	}
	return p
}

func (c *Connection) deleteAssociation(ctx context.Context, a *ekstypes.PodIdentityAssociationSummary) error {
	_, err := c.eks.DeletePodIdentityAssociation(ctx, &eks.DeletePodIdentityAssociationInput{ClusterName: &c.Cluster, AssociationId: a.AssociationId})
	return unless[*ekstypes.ResourceNotFoundException](err)
}

// addonRemoval deletes the add-on and the node groups, and gives the operator the time to do its part. One that does not is no obstacle:
// what it leaves behind is removed after.
func (c *Connection) addonRemoval(ctx context.Context, f *facts) (Plan, error) {
	if f.record == nil {
		return nil, nil
	}
	var p Plan
	addon, err := c.addon(ctx)
	if err != nil {
		return nil, err
	}
	if addon != nil {
		p = append(p, Step{Action: Delete, What: "add-on " + agentAddon, Do: func(ctx context.Context) error {
			_, err := c.eks.DeleteAddon(ctx, &eks.DeleteAddonInput{ClusterName: &c.Cluster, AddonName: aws.String(agentAddon)})
			if err := unless[*ekstypes.ResourceNotFoundException](err); err != nil {
				return err
			}
			return c.gone(ctx, "the add-on", func(ctx context.Context) (bool, error) {
				a, err := c.addon(ctx)
				return a == nil, err
			})
		}})
	}
	groups, err := c.eks.ListNodegroups(ctx, &eks.ListNodegroupsInput{ClusterName: &c.Cluster})
	if err != nil {
		return nil, fmt.Errorf("list the node groups: %w", err)
	}
	for _, name := range groups.Nodegroups {
		p = append(p, Step{Action: Delete, What: "node group " + name, Do: func(ctx context.Context) error {
			_, err := c.eks.DeleteNodegroup(ctx, &eks.DeleteNodegroupInput{ClusterName: &c.Cluster, NodegroupName: &name})
			if err := unless[*ekstypes.ResourceNotFoundException](err); err != nil {
				return err
			}
			return c.gone(ctx, "the node group "+name, func(ctx context.Context) (bool, error) {
				_, err := c.eks.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: &c.Cluster, NodegroupName: &name})
				return is[*ekstypes.ResourceNotFoundException](err), unless[*ekstypes.ResourceNotFoundException](err)
			})
		}})
	}
	return p, nil
}

// gone waits for the operator to confirm a removal. Where no operator is left to do so, a last report does: nothing runs.
func (c *Connection) gone(ctx context.Context, what string, so func(context.Context) (bool, error)) error {
	err := errors.New("there is no operator to wait for")
	var operator *appsv1.Deployment
	if c.kube != nil {
		var failed error
		if operator, failed = c.operator(ctx); failed != nil {
			return failed
		}
	}
	if operator != nil {
		err = c.until(ctx, what+"'s end", func(ctx context.Context) (bool, string, error) {
			ok, err := so(ctx)
			return ok, "it is still there", err
		})
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	r, err := c.record(ctx)
	if err != nil || r == nil {
		return err
	}
	c.say("nobody in the cluster confirms the end of %s; it is taken as ended", what)
	return c.confirm(ctx, r)
}

// objectRemoval deletes what runs in the cluster, in the opposite order of installing.
func (c *Connection) objectRemoval(ctx context.Context, f *facts, r Removal) (Plan, error) {
	objects, err := c.installed(ctx, f)
	if err != nil {
		return nil, err
	}
	var p, crds Plan
	for _, o := range objects {
		s, found, err := c.deleteStep(ctx, o)
		if err != nil {
			return nil, err
		}
		switch {
		case !found:
		case o.GetKind() == "CustomResourceDefinition":
			crds = append(crds, s)
		default:
			p = append(p, s)
		}
		if o.GetKind() == "Deployment" { // what the operator made, and would make again while it runs
			some, err := c.operatorsOwn(ctx)
			if err != nil {
				return nil, err
			}
			p = append(p, some...)
		}
	}
	if r.CRDs {
		p = append(p, crds...)
	}
	return p, nil
}

// installed is everything that connecting has installed or had installed, last first. Its values do not matter: only names do.
func (c *Connection) installed(ctx context.Context, f *facts) ([]*unstructured.Unstructured, error) {
	least := map[string]any{
		"clusterName": c.Cluster, "endpoint": "https://podid.invalid", "env": map[string]any{"AWS_REGION": c.AWS.Region},
		"agent":    map[string]any{"roleArn": roleARN(f.account, c.agentRole())},
		"operator": map[string]any{"roleArn": roleARN(f.account, c.operatorRole())},
	}
	objects, err := manifest.Render(least, manifest.Release{Namespace: namespace})
	if err != nil {
		return nil, err
	}
	agent, err := manifest.Agent(manifest.Defaults{
		Cluster: c.Cluster, Endpoint: "https://podid.invalid", Region: c.AWS.Region, RoleARN: roleARN(f.account, c.agentRole()), Namespace: agentNamespace,
	}, "")
	if err != nil {
		return nil, err
	}
	objects = append(append(objects, agent...), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": operatorName, "namespace": namespace},
	}})
	slices.Reverse(objects)
	more, err := c.labelled(ctx)
	if err != nil {
		return nil, err
	}
	objects = append(objects, more...)
	seen := map[string]bool{}
	objects = slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool {
		again := seen[nameOf(o)]
		seen[nameOf(o)] = true
		return again
	})
	return append(objects, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": namespace},
	}}), nil
}

// deleteStep deletes an object and waits until it is gone. A namespace that somebody else made is left alone.
func (c *Connection) deleteStep(ctx context.Context, o *unstructured.Unstructured) (s Step, found bool, err error) {
	r, err := c.resource(o)
	if meta.IsNoMatchError(err) {
		return s, false, nil
	}
	if err != nil {
		return s, false, err
	}
	there, err := r.Get(ctx, o.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return s, false, nil
	}
	if err != nil {
		return s, false, fmt.Errorf("ask for %s: %w", nameOf(o), err)
	}
	if o.GetKind() == "Namespace" && there.GetLabels()[managedByLabel] != manager {
		return s, false, nil
	}
	return Step{Action: Delete, What: nameOf(o), Do: func(ctx context.Context) error {
		foreground := metav1.DeletePropagationForeground
		err := r.Delete(ctx, o.GetName(), metav1.DeleteOptions{PropagationPolicy: &foreground})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return c.until(ctx, "the end of "+nameOf(o), func(ctx context.Context) (bool, string, error) {
			left, err := r.Get(ctx, o.GetName(), metav1.GetOptions{})
			switch {
			case apierrors.IsNotFound(err):
				return true, "", nil
			case err != nil:
				return false, err.Error(), nil //nolint:nilerr // the API server may be away for a moment
			case len(left.GetFinalizers()) > 0:
				return false, "it has the finalizers " + strings.Join(left.GetFinalizers(), ", "), nil
			}
			return false, "it is still there", nil
		})
	}}, true, nil
}

// operatorsOwn are the objects that the operator makes outside of its namespace.
func (c *Connection) operatorsOwn(ctx context.Context) (Plan, error) {
	var p Plan
	s, found, err := c.deleteStep(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": map[string]any{"name": webhookName},
	}})
	if err != nil {
		return nil, err
	}
	if found {
		p = append(p, s)
	}
	maps, err := c.kube.typed.CoreV1().ConfigMaps("").List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + v1alpha1.CAConfigMap})
	if err != nil {
		return nil, fmt.Errorf("list the certificate authorities: %w", err)
	}
	for _, m := range maps.Items {
		if m.Name != v1alpha1.CAConfigMap {
			continue
		}
		p = append(p, Step{Action: Delete, What: "ConfigMap " + m.Namespace + "/" + m.Name, Do: func(ctx context.Context) error {
			err := c.kube.typed.CoreV1().ConfigMaps(m.Namespace).Delete(ctx, m.Name, metav1.DeleteOptions{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			return err
		}})
	}
	return p, nil
}

// customSteps delete all objects of podid's kinds. Their finalizers are the operator's to take off.
func (c *Connection) customSteps(ctx context.Context) (Plan, error) {
	crds, err := manifest.CRDs()
	if err != nil {
		return nil, err
	}
	var p Plan
	for _, crd := range crds {
		kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
		m, err := c.kube.mapper.RESTMapping(v1alpha1.GroupVersion.WithKind(kind).GroupKind(), v1alpha1.GroupVersion.Version)
		if meta.IsNoMatchError(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list, err := c.kube.dynamic.Resource(m.Resource).List(ctx, metav1.ListOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list the objects of kind %s: %w", kind, err)
		}
		for i := range list.Items {
			s, found, err := c.deleteStep(ctx, &list.Items[i])
			if err != nil {
				return nil, err
			}
			if found {
				p = append(p, s)
			}
		}
	}
	return p, nil
}

// accountRemoval deletes the roles of operator and agent, the OIDC provider and the cluster.
func (c *Connection) accountRemoval(ctx context.Context, f *facts) (Plan, error) {
	var p Plan
	for _, name := range []string{c.operatorRole(), c.agentRole()} {
		found, err := c.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
		if is[*iamtypes.NoSuchEntityException](err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("ask for the role %s: %w", name, err)
		}
		if aws.ToString(found.Role.Arn) != roleARN(f.account, name) {
			continue // it is another's: names of roles do not tell upper from lower case
		}
		p = append(p, Step{Action: Delete, What: "role " + name, Do: func(ctx context.Context) error { return c.deleteRole(ctx, name) }})
	}
	if issuer := issuerOf(f.record); issuer != "" {
		arn := providerARN(f.account, issuer)
		_, err := c.iam.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
		if err := unless[*iamtypes.NoSuchEntityException](err); err != nil {
			return nil, fmt.Errorf("ask for the OIDC provider: %w", err)
		}
		if err == nil {
			p = append(p, Step{Action: Delete, What: "OIDC provider " + arn, Do: func(ctx context.Context) error {
				_, err := c.iam.DeleteOpenIDConnectProvider(ctx, &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
				return unless[*iamtypes.NoSuchEntityException](err)
			}})
		}
	}
	if f.record != nil {
		p = append(p, Step{Action: Delete, What: "EKS cluster " + c.Cluster, Do: func(ctx context.Context) error {
			_, err := c.eks.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: &c.Cluster})
			return unless[*ekstypes.ResourceNotFoundException](err)
		}})
	}
	return p, nil
}

// deleteRole deletes a role with what hangs on it.
func (c *Connection) deleteRole(ctx context.Context, name string) error {
	inline, err := c.iam.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: &name})
	if err != nil {
		return unless[*iamtypes.NoSuchEntityException](err)
	}
	for _, policy := range inline.PolicyNames {
		if _, err := c.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &name, PolicyName: &policy}); err != nil {
			return err
		}
	}
	attached, err := c.iam.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: &name})
	if err != nil {
		return err
	}
	for _, policy := range attached.AttachedPolicies {
		if _, err := c.iam.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: &name, PolicyArn: policy.PolicyArn}); err != nil {
			return err
		}
	}
	_, err = c.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &name})
	return unless[*iamtypes.NoSuchEntityException](err)
}
