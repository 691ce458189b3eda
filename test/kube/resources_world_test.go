package kube_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/kube/follow"
	"github.com/podid/podid/internal/kube/reconcile"
	"github.com/podid/podid/test/lab"
)

const resourcesCluster = "shops"

// operatorRights is what the operator's role may do for resources, and no more.
const operatorRights = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Allow","Action":["eks:CreatePodIdentityAssociation","eks:ListPodIdentityAssociations"],"Resource":"arn:aws:eks:us-east-1:111122223333:cluster/shops"},
	{"Effect":"Allow","Action":["eks:DescribePodIdentityAssociation","eks:UpdatePodIdentityAssociation","eks:DeletePodIdentityAssociation","eks:TagResource","eks:UntagResource"],
	 "Resource":"arn:aws:eks:us-east-1:111122223333:podidentityassociation/shops/*"},
	{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::111122223333:role/podid/shops/*","Condition":{"StringEquals":{"iam:PassedToService":"pods.eks.amazonaws.com"}}},
	{"Effect":"Allow","Action":"podid:WatchCluster","Resource":"arn:aws:eks:us-east-1:111122223333:cluster/shops"},
	{"Effect":"Allow","Action":["iam:CreateRole","iam:GetRole","iam:UpdateRole","iam:DeleteRole","iam:UpdateAssumeRolePolicy","iam:PutRolePermissionsBoundary",
	 "iam:DeleteRolePermissionsBoundary","iam:TagRole","iam:UntagRole","iam:PutRolePolicy","iam:GetRolePolicy","iam:ListRolePolicies","iam:DeleteRolePolicy",
	 "iam:AttachRolePolicy","iam:DetachRolePolicy","iam:ListAttachedRolePolicies"],"Resource":"arn:aws:iam::111122223333:role/podid/shops/*"},
	{"Effect":"Allow","Action":["iam:CreatePolicy","iam:GetPolicy","iam:DeletePolicy","iam:CreatePolicyVersion","iam:GetPolicyVersion","iam:ListPolicyVersions",
	 "iam:DeletePolicyVersion"],"Resource":"arn:aws:iam::111122223333:policy/podid/shops/*"},
	{"Effect":"Allow","Action":"iam:ListRoles","Resource":"*"}]}`

// shops is a cluster with podid's kinds, a control plane, and the controllers between them.
type shops struct {
	*plane
	lab  *lab.Lab
	kube kube.Client
}

func newShops(t *testing.T) *shops {
	t.Helper()
	w := &shops{lab: lab.Light(t, lab.NoControllerManager()), plane: newPlane(t)}
	w.accounts(t)
	scheme := runtime.NewScheme()
	check(t, errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)))
	var err error
	if w.kube, err = kube.New(w.lab.REST(), kube.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"shop", "bank", "platform", "ack"} {
		if err := w.kube.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	w.controllers(t, scheme)
	for _, crd := range []string{"podidentityassociations", "roles", "policies"} {
		w.apply(t, "../../deploy/chart/crds/podid.dev_"+crd+".yaml")
	}
	w.until(t, "the kinds are served", func(ctx context.Context) error { // and looked after from then on
		return w.kube.List(ctx, &v1alpha1.PodIdentityAssociationList{})
	})
	return w
}

func (w *shops) apply(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	check(t, err)
	check(t, w.lab.Apply(t.Context(), string(text)))
}

// accounts makes the cluster, roles for everybody and the operator's own.
func (w *shops) accounts(t *testing.T) {
	t.Helper()
	w.cluster(t, resourcesCluster)
	for _, name := range []string{"reader", "writer"} {
		w.role(t, "/podid/shops/", name, podsTrust)
	}
	for _, name := range []string{"secret", "taken"} {
		w.role(t, "/", name, podsTrust)
	}
	w.role(t, "/", "operator", document(map[string]any{"Effect": "Allow", "Principal": map[string]string{"AWS": account}, "Action": "sts:AssumeRole"}))
	w.permit(t, "operator", operatorRights)
}

const (
	readerARN = "arn:aws:iam::" + account + ":role/podid/shops/reader"
	writerARN = "arn:aws:iam::" + account + ":role/podid/shops/writer"
	secretARN = "arn:aws:iam::" + account + ":role/secret"
)

// controllers runs them with the operator's rights until the test ends.
func (w *shops) controllers(t *testing.T, scheme *runtime.Scheme) {
	t.Helper()
	operator := w.admin.Copy()
	operator.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(w.admin), "arn:aws:iam::"+account+":role/operator"))
	podid := w.podid(operator.Credentials)
	f := follow.New(follow.Config{
		Cluster: resourcesCluster,
		Watch: func(ctx context.Context, after int64, wait time.Duration) (*client.Wanted, error) {
			return podid.WatchCluster(ctx, resourcesCluster, after, wait)
		},
		Find: func(context.Context, string, string) (bool, error) { return false, errors.New("not asked here") },
	})
	mgr, err := ctrl.NewManager(w.lab.REST(), ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"},
	})
	check(t, err)
	err = reconcile.SetupResources(mgr, reconcile.ResourcesConfig{
		Cluster: resourcesCluster, Region: region, Account: account, EKS: eks.NewFromConfig(operator), IAM: iam.NewFromConfig(operator),
		Follower: f, ACKNamespaces: []string{"platform"}, Resync: 2 * time.Second, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var ends sync.WaitGroup
	ends.Go(func() { _ = f.Run(ctx) })
	ends.Go(func() {
		if err := mgr.Start(ctx); err != nil {
			t.Errorf("the manager ended: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		ends.Wait()
	})
}

// until looks again and again until what is expected holds; what does not hold is an error that says how it is.
func (w *shops) until(t *testing.T, what string, look func(ctx context.Context) error) {
	t.Helper()
	lab.Eventually(t, 30*time.Second, what, look)
}

// identity is the association and the role that the control plane gives a service account; empty: none.
func (w *shops) identity(ctx context.Context, namespace, account string) (id, role string, err error) {
	list, err := w.eks.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{
		ClusterName: aws.String(resourcesCluster), Namespace: &namespace, ServiceAccount: &account,
	})
	if err != nil || len(list.Associations) == 0 {
		return "", "", err
	}
	out, err := w.eks.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{
		ClusterName: aws.String(resourcesCluster), AssociationId: list.Associations[0].AssociationId,
	})
	if err != nil {
		return "", "", err
	}
	return *out.Association.AssociationId, *out.Association.RoleArn, nil
}

func (w *shops) has(namespace, account, want string) func(context.Context) error {
	return func(ctx context.Context) error {
		if _, got, err := w.identity(ctx, namespace, account); err != nil || got != want {
			return fmt.Errorf("the role is %q: %w", got, err)
		}
		return nil
	}
}

func (w *shops) says(o kube.Object, conditions *[]metav1.Condition, kind string, status metav1.ConditionStatus, reason string) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := w.kube.Get(ctx, kube.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		c := meta.FindStatusCondition(*conditions, kind)
		if c == nil || c.Status != status || c.Reason != reason || c.ObservedGeneration != o.GetGeneration() {
			return fmt.Errorf("the conditions are %+v", *conditions)
		}
		return nil
	}
}

func (w *shops) gone(o kube.Object) func(context.Context) error {
	return func(ctx context.Context) error {
		err := w.kube.Get(ctx, kube.ObjectKeyFromObject(o), o)
		if err == nil {
			return fmt.Errorf("it is there, with finalizers %v", o.GetFinalizers())
		}
		return kube.IgnoreNotFound(err)
	}
}

func (w *shops) create(t *testing.T, o kube.Object) {
	t.Helper()
	check(t, w.kube.Create(t.Context(), o))
}

func (w *shops) remove(t *testing.T, o kube.Object) {
	t.Helper()
	check(t, w.kube.Delete(t.Context(), o))
}

func (w *shops) associate(t *testing.T, namespace, account, role string) string {
	t.Helper()
	id, err := w.plane.associate(t.Context(), resourcesCluster, namespace, account, role)
	check(t, err)
	return id
}

func associationOf(namespace, name, role string) *v1alpha1.PodIdentityAssociation {
	return &v1alpha1.PodIdentityAssociation{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.PodIdentityAssociationSpec{ServiceAccount: name, RoleARN: role},
	}
}
