package connect

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	appsv1 "k8s.io/api/apps/v1"
	authv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/podid/podid/internal/fault"
)

// facts are what was found before anything is changed.
type facts struct {
	account, caller string
	kube            *identity
	record          *ekstypes.Cluster // nil: the account has no such cluster
	operatorReports bool              // it is available, and the add-on is as it says
	objects         []*unstructured.Unstructured
}

// look finds out whether the cluster can be connected, and says clearly why not.
func (c *Connection) look(ctx context.Context) (*facts, error) {
	if c.kube == nil {
		return nil, fault.New(fault.Invalid, "kubeconfig", "no kubeconfig was given")
	}
	if err := checkEndpoint(c.Endpoint); err != nil {
		return nil, err
	}
	f := &facts{}
	if err := c.caller(ctx, f); err != nil {
		return nil, err
	}
	if err := c.checkBoundary(ctx, f.account); err != nil {
		return nil, err
	}
	var err error
	if f.kube, err = c.kube.identity(ctx); err != nil {
		return nil, err
	}
	if f.kube.minor < minKubernetes {
		return nil, fault.New(fault.Unsupported, "Kubernetes", "the cluster runs Kubernetes %s; podid needs 1.%d or newer", f.kube.git, minKubernetes)
	}
	if f.record, err = c.record(ctx); err != nil {
		return nil, err
	}
	operator, err := c.operator(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.sameCluster(f, operator); err != nil {
		return nil, err
	}
	if err := c.uniqueIssuer(ctx, f); err != nil {
		return nil, err
	}
	if f.record != nil && operator != nil && available(operator) {
		addon, err := c.addon(ctx)
		if err != nil {
			return nil, err
		}
		f.operatorReports = addon != nil && addon.Status == ekstypes.AddonStatusActive
	}
	if f.objects, err = c.render(f); err != nil {
		return nil, err
	}
	return f, c.mayApply(ctx, f.objects)
}

func (c *Connection) caller(ctx context.Context, f *facts) error {
	who, err := c.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return fmt.Errorf("sign in to podid at %s: %w", *c.AWS.BaseEndpoint, err)
	}
	f.account, f.caller = aws.ToString(who.Account), aws.ToString(who.Arn)
	return nil
}

// operator is the operator's Deployment; nil where there is none.
func (c *Connection) operator(ctx context.Context) (*appsv1.Deployment, error) {
	d, err := c.kube.typed.AppsV1().Deployments(namespace).Get(ctx, operatorName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // absence is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the operator: %w", err)
	}
	return d, nil
}

func available(d *appsv1.Deployment) bool {
	return d.Status.ObservedGeneration >= d.Generation && slices.ContainsFunc(d.Status.Conditions, func(c appsv1.DeploymentCondition) bool {
		return c.Type == appsv1.DeploymentAvailable && c.Status == "True"
	})
}

// ownRole is the role that an operator signs in to, which says whose it is; empty: it does not say.
func ownRole(operator *appsv1.Deployment) string {
	for _, container := range operator.Spec.Template.Spec.Containers {
		if container.Name != operatorName {
			continue
		}
		for _, e := range container.Env {
			if e.Name == "AWS_ROLE_ARN" {
				return e.Value
			}
		}
	}
	return ""
}

// sameOperator refuses a Kubernetes whose operator works for another cluster or another account: the kubeconfig is the wrong one, or the
// profile is.
func (c *Connection) sameOperator(f *facts, operator *appsv1.Deployment, how string) error {
	if is, own := ownRole(operator), roleARN(f.account, c.operatorRole()); is != own {
		return fault.New(fault.Conflict, "operator", "the Kubernetes at %s has an operator whose role is %s; that of the cluster %s is %s: %s",
			c.kube.host, or(is, "not told"), c.Cluster, own, how)
	}
	return nil
}

// sameCluster refuses to take a name that another Kubernetes has, which would lose its identity to this one, and a Kubernetes that works
// for another name, which would lose its operator. An operator that is this cluster's proves that it is the same Kubernetes, also where
// its issuer has changed.
func (c *Connection) sameCluster(f *facts, operator *appsv1.Deployment) error {
	if c.Replace {
		return nil
	}
	if operator != nil {
		return c.sameOperator(f, operator, "choose the kubeconfig and the profile that belong together, disconnect that one first, or say --replace if "+
			"this cluster takes its place")
	}
	if issuerOf(f.record) == "" {
		return nil
	}
	return c.sameKubernetes(f, "disconnect that one first, choose another name, or say --replace if this cluster takes its place")
}

// sameKubernetes refuses a Kubernetes that is not the one that reported.
func (c *Connection) sameKubernetes(f *facts, how string) error {
	if was := issuerOf(f.record); was != f.kube.issuer {
		return fault.New(fault.Conflict, "cluster", "the name %s has a cluster whose issuer is %s; the issuer of this one is %s: %s", c.Cluster, was, f.kube.issuer, how)
	}
	if was := authorityOf(f.record); was != "" && len(c.kube.ca) > 0 && !samePEM(was, c.kube.authority()) {
		return fault.New(fault.Conflict, "cluster", "the name %s has a cluster with another certificate authority than this one: %s", c.Cluster, how)
	}
	return nil
}

// checkRemoval refuses to take from a Kubernetes what another cluster needs.
func (c *Connection) checkRemoval(ctx context.Context, f *facts) error {
	if c.kube == nil {
		return nil
	}
	const how = "choose the kubeconfig of that one, or say --kubernetes-is-gone if there is none any more"
	operator, err := c.operator(ctx)
	if err != nil {
		return err
	}
	if operator != nil {
		return c.sameOperator(f, operator, how)
	}
	if issuerOf(f.record) == "" {
		return nil
	}
	if f.kube, err = c.kube.identity(ctx); err != nil {
		return err
	}
	return c.sameKubernetes(f, how)
}

func samePEM(a, b string) bool {
	x, err1 := base64.StdEncoding.DecodeString(a)
	y, err2 := base64.StdEncoding.DecodeString(b)
	return err1 == nil && err2 == nil && strings.TrimSpace(string(x)) == strings.TrimSpace(string(y))
}

// uniqueIssuer refuses a second cluster with an issuer: nothing in a token would tell of which of them it is.
func (c *Connection) uniqueIssuer(ctx context.Context, f *facts) error {
	all, err := c.clusters(ctx)
	if err != nil {
		return err
	}
	for _, other := range all {
		if aws.ToString(other.Name) != c.Cluster && issuerOf(other) == f.kube.issuer {
			return fault.New(fault.Conflict, "issuer", "the cluster %s of account %s has the same issuer, %s, as many clusters have that were made with defaults; "+
				"nothing in a token would tell the two apart. Give this cluster's API server an issuer of its own first: "+
				"--service-account-issuer=https://%s.example.com, followed by a second --service-account-issuer=%s so that tokens that are out stay "+
				"valid, and restart it", aws.ToString(other.Name), f.account, f.kube.issuer, strings.ToLower(c.Cluster), f.kube.issuer)
		}
	}
	return nil
}

// right is something that the kubeconfig's user must be allowed to do.
type right struct{ verb, group, resource, namespace string }

func (r right) String() string {
	s := r.verb + " " + r.resource
	if r.group != "" {
		s += "." + r.group
	}
	if r.namespace != "" {
		s += " in " + r.namespace
	}
	return s
}

// mayApply asks whether the kubeconfig's user may make the objects, before the first of them is made. That he holds all that the roles
// among them give, only Kubernetes can say, and says it then.
func (c *Connection) mayApply(ctx context.Context, objects []*unstructured.Unstructured) error {
	if yes, err := c.may(ctx, right{verb: "*", group: "*", resource: "*"}); err != nil || yes {
		return err
	}
	asked := map[right]bool{}
	var missing []string
	for _, o := range objects {
		gvk := o.GroupVersionKind()
		resource := strings.ToLower(gvk.Kind) + "s" // of the kinds in the chart only policies are spelled otherwise
		if p, ok := strings.CutSuffix(resource, "ys"); ok {
			resource = p + "ies"
		}
		for _, verb := range []string{"get", "create", "patch"} {
			r := right{verb: verb, group: gvk.Group, resource: resource, namespace: o.GetNamespace()}
			if asked[r] {
				continue
			}
			asked[r] = true
			yes, err := c.may(ctx, r)
			if err != nil {
				return err
			}
			if !yes {
				missing = append(missing, r.String())
			}
		}
	}
	if len(missing) > 0 {
		return fault.New(fault.Denied, "kubeconfig", "the kubeconfig's user may not %s; connecting a cluster takes the rights of cluster-admin",
			strings.Join(missing, ", "))
	}
	return nil
}

func (c *Connection) may(ctx context.Context, r right) (bool, error) {
	review, err := c.kube.typed.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authv1.SelfSubjectAccessReview{
		Spec: authv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authv1.ResourceAttributes{
			Verb: r.verb, Group: r.group, Resource: r.resource, Namespace: r.namespace,
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("ask Kubernetes what the kubeconfig's user may do: %w", err)
	}
	return review.Status.Allowed, nil
}
