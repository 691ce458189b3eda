package kube_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kube "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
)

func TestResources(t *testing.T) {
	t.Parallel()
	w := newShops(t)
	// One after the other: where something fails, its log is not between those of others.
	t.Run("associations", w.testAssociations)
	t.Run("adoption", w.testAdoption)
	t.Run("two for one", w.testTwoForOne)
	t.Run("not permitted", w.testNotPermitted)
	t.Run("roles", w.testRoles)
	t.Run("what the API server refuses", w.testValidation)
	t.Run("ACK", w.testACK)
}

func (w *shops) testAssociations(t *testing.T) {
	o := associationOf("shop", "till", readerARN)
	o.Spec.Tags = map[string]string{"team": "shop"}
	w.create(t, o)
	w.until(t, "made", w.has("shop", "till", readerARN))
	w.until(t, "told", w.says(o, &o.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSynced))
	id := o.Status.AssociationID
	if o.Status.AssociationARN != "arn:aws:eks:"+region+":"+account+":podidentityassociation/shops/"+id || o.Status.LastSynced == nil {
		t.Errorf("got %+v", o.Status)
	}

	_, err := w.eks.UpdatePodIdentityAssociation(t.Context(), &eks.UpdatePodIdentityAssociationInput{
		ClusterName: aws.String(resourcesCluster), AssociationId: &id, RoleArn: aws.String(writerARN),
	})
	check(t, err)
	w.until(t, "changed back", w.has("shop", "till", readerARN))
	w.until(t, "drift told", w.says(o, &o.Status.Conditions, v1alpha1.ConditionDrifted, metav1.ConditionFalse, v1alpha1.ReasonDriftRepaired))
	w.until(t, "an Event", func(ctx context.Context) error {
		var list corev1.EventList
		if err := w.kube.List(ctx, &list, kube.InNamespace("shop")); err != nil {
			return err
		}
		for _, e := range list.Items {
			if e.Reason == v1alpha1.ReasonDriftFound && e.InvolvedObject.UID == o.UID && strings.Contains(e.Message, "roleArn was "+writerARN) {
				return nil
			}
		}
		return fmt.Errorf("%d others", len(list.Items))
	})

	if _, err := w.eks.DeletePodIdentityAssociation(t.Context(), &eks.DeletePodIdentityAssociationInput{ClusterName: aws.String(resourcesCluster), AssociationId: &id}); err != nil {
		t.Fatal(err)
	}
	w.until(t, "made again", w.has("shop", "till", readerARN))

	o.Spec.RoleARN, o.Spec.DisableSessionTags = writerARN, true
	w.until(t, "changed", func(ctx context.Context) error {
		if err := w.kube.Get(ctx, kube.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		o.Spec.RoleARN, o.Spec.DisableSessionTags = writerARN, true
		return w.kube.Update(ctx, o)
	})
	w.until(t, "changed in the control plane", w.has("shop", "till", writerARN))

	w.remove(t, o)
	w.until(t, "deleted", w.gone(o))
	w.until(t, "deleted in the control plane", w.has("shop", "till", ""))
}

func (w *shops) testAdoption(t *testing.T) {
	same := w.associate(t, "shop", "same", readerARN)
	o := associationOf("shop", "same", readerARN)
	w.create(t, o)
	w.until(t, "taken over", w.says(o, &o.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSynced))
	if o.Status.AssociationID != same {
		t.Errorf("got %s, want %s", o.Status.AssociationID, same)
	}

	other := w.associate(t, "shop", "other", writerARN)
	o = associationOf("shop", "other", readerARN)
	w.create(t, o)
	w.until(t, "not taken over", w.says(o, &o.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAlreadyExists))
	if c := meta.FindStatusCondition(o.Status.Conditions, v1alpha1.ConditionReady); !strings.Contains(c.Message, other) {
		t.Errorf("the id is not told: %s", c.Message)
	}
	patch := kube.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"podid.dev/adopt":"true"}}}`))
	check(t, w.kube.Patch(t.Context(), o, patch))
	w.until(t, "taken over when asked to", w.says(o, &o.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSynced))
	if id, role, err := w.identity(t.Context(), "shop", "other"); err != nil || id != other || role != readerARN {
		t.Errorf("got %s with %s, %v", id, role, err)
	}
}

func (w *shops) testTwoForOne(t *testing.T) {
	first, second := associationOf("shop", "two", readerARN), associationOf("shop", "a-two", writerARN)
	second.Spec.ServiceAccount = "two"
	w.create(t, first)
	w.until(t, "first", w.says(first, &first.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSynced))
	w.until(t, "a second later", func(context.Context) error { // the age of objects is in seconds
		if time.Since(first.CreationTimestamp.Time) < time.Second {
			return errors.New("too early")
		}
		return nil
	})
	w.create(t, second)
	w.until(t, "the younger", w.says(second, &second.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonShadowed))
	w.remove(t, first)
	w.until(t, "its turn", w.says(second, &second.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSynced))
	w.until(t, "its role", w.has("shop", "two", writerARN))
}

func (w *shops) testNotPermitted(t *testing.T) {
	o := associationOf("shop", "secret", secretARN)
	w.create(t, o)
	w.until(t, "the operator may not pass it", w.says(o, &o.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDenied))
	if c := meta.FindStatusCondition(o.Status.Conditions, v1alpha1.ConditionReady); !strings.Contains(c.Message, "iam:PassRole") {
		t.Errorf("got %s", c.Message)
	}
	none := associationOf("shop", "none", readerARN+"-none")
	w.create(t, none)
	w.until(t, "no such role", w.says(none, &none.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalid))
	w.remove(t, none)
	w.until(t, "deleted without ever having been", w.gone(none))
}

func (w *shops) testRoles(t *testing.T) {
	document := func(action string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action + `","Resource":"*"}]}`
	}
	policy := &v1alpha1.Policy{ObjectMeta: metav1.ObjectMeta{Namespace: "bank", Name: "read"}, Spec: v1alpha1.PolicySpec{Document: document("s3:GetObject")}}
	role := &v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: "bank", Name: "clerk"}, Spec: v1alpha1.RoleSpec{
		InlinePolicies: map[string]string{"list": document("s3:ListBucket")}, PolicyRefs: []v1alpha1.LocalReference{{Name: "read"}}, Tags: map[string]string{"a": "b"},
	}}
	o := associationOf("bank", "clerk", "")
	o.Spec.RoleRef = &v1alpha1.LocalReference{Name: "clerk"}
	w.create(t, o) // in the wrong order
	w.create(t, role)
	w.create(t, policy)
	w.until(t, "policy", w.says(policy, &policy.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSynced))
	w.until(t, "role", w.says(role, &role.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSynced))
	if !strings.HasPrefix(role.Status.ARN, "arn:aws:iam::"+account+":role/podid/shops/bank/") {
		t.Errorf("the role is %s", role.Status.ARN)
	}
	w.until(t, "association", w.has("bank", "clerk", role.Status.ARN))
	out, err := w.iam.GetRole(t.Context(), &iam.GetRoleInput{RoleName: &role.Status.Name})
	check(t, err)
	if trust, _ := url.QueryUnescape(*out.Role.AssumeRolePolicyDocument); !strings.Contains(trust, `"aws:RequestTag/kubernetes-namespace":"bank"`) {
		t.Errorf("the trust policy is %s", trust)
	}

	// Somebody gives the role more.
	if _, err := w.iam.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &role.Status.Name, PolicyName: aws.String("all"), PolicyDocument: aws.String(document("*"))}); err != nil {
		t.Fatal(err)
	}
	w.until(t, "taken away", w.says(role, &role.Status.Conditions, v1alpha1.ConditionDrifted, metav1.ConditionFalse, v1alpha1.ReasonDriftRepaired))
	names, err := w.iam.ListRolePolicies(t.Context(), &iam.ListRolePoliciesInput{RoleName: &role.Status.Name})
	if err != nil || len(names.PolicyNames) != 1 {
		t.Errorf("got %v, %v", names, err)
	}

	for n := range 6 {
		w.until(t, "a new version", func(ctx context.Context) error {
			if err := w.kube.Get(ctx, kube.ObjectKeyFromObject(policy), policy); err != nil {
				return err
			}
			policy.Spec.Document = document(fmt.Sprint("s3:Get", n))
			return w.kube.Update(ctx, policy)
		})
		w.until(t, "in force", w.says(policy, &policy.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSynced))
	}
	if policy.Status.DefaultVersionID != "v7" {
		t.Errorf("got %s", policy.Status.DefaultVersionID)
	}

	// A name that is taken outside of the namespace's path, and a role that is made for another namespace.
	taken := &v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: "bank", Name: "taken"}, Spec: v1alpha1.RoleSpec{Name: "taken"}}
	w.create(t, taken)
	w.until(t, "taken", w.says(taken, &taken.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAlreadyExists))
	w.remove(t, taken)
	w.until(t, "no longer wanted", w.gone(taken))
	if _, err := w.iam.GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("taken")}); err != nil {
		t.Errorf("somebody else's role is gone: %v", err)
	}
	thief := associationOf("shop", "thief", role.Status.ARN)
	w.create(t, thief)
	w.until(t, "another namespace's role", w.says(thief, &thief.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonForeignRole))

	w.remove(t, policy)
	w.until(t, "held", w.says(policy, &policy.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDeleteBlocked))
	w.remove(t, o)
	w.remove(t, role)
	w.until(t, "association deleted", w.gone(o))
	w.until(t, "role deleted", w.gone(role))
	w.until(t, "policy deleted", w.gone(policy))

	gone := &v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: "bank", Name: "gone"}}
	w.create(t, gone)
	w.until(t, "made", w.says(gone, &gone.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSynced))
	if _, err := w.iam.DeleteRole(t.Context(), &iam.DeleteRoleInput{RoleName: &gone.Status.Name}); err != nil {
		t.Fatal(err)
	}
	w.until(t, "made again", func(ctx context.Context) error {
		_, err := w.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &gone.Status.Name})
		return err
	})
	w.remove(t, gone)
	w.until(t, "deleted", w.gone(gone))
}

// testValidation holds what never reaches the controllers.
func (w *shops) testValidation(t *testing.T) {
	object := func(kind, spec string) *unstructured.Unstructured {
		o := &unstructured.Unstructured{}
		text := `{"apiVersion":"podid.dev/v1alpha1","kind":"` + kind + `","metadata":{"namespace":"platform","name":"x"},"spec":` + spec + `}`
		check(t, o.UnmarshalJSON([]byte(text)))
		return o
	}
	for _, test := range []struct{ kind, spec, want string }{
		{"PodIdentityAssociation", `{"serviceAccount":"a"}`, "give either roleARN or roleRef"},
		{"PodIdentityAssociation", `{"serviceAccount":"a","roleARN":"` + readerARN + `","roleRef":{"name":"r"}}`, "give either roleARN or roleRef"},
		{"PodIdentityAssociation", `{"serviceAccount":"a","roleARN":""}`, "spec.roleARN"},
		{"PodIdentityAssociation", `{"roleARN":"` + readerARN + `"}`, "spec.serviceAccount"},
		{"PodIdentityAssociation", `{"serviceAccount":"a","roleARN":"` + readerARN + `","policy":"{}"}`, "policy needs disableSessionTags"},
		{"PodIdentityAssociation", `{"serviceAccount":"a","roleARN":"` + readerARN + `","deletionPolicy":"Keep"}`, "spec.deletionPolicy"},
		{"Role", `{"name":"podid-operator-next"}`, "podid's own"},
		{"Role", `{"path":"/../x/"}`, "spec.path"},
		{"Role", `{"path":"no"}`, "spec.path"},
		{"Role", `{"maxSessionDuration":60}`, "spec.maxSessionDuration"},
		{"Policy", `{}`, "spec.document"},
		{"Policy", `{"document":"{}","name":"PODID-x"}`, "podid's own"},
	} {
		err := w.kube.Create(t.Context(), object(test.kind, test.spec), kube.DryRunAll)
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %s: got %v", test.kind, test.spec, err)
		}
	}
	for _, test := range []struct{ kind, spec, change, want string }{
		{"PodIdentityAssociation", `{"serviceAccount":"v","roleARN":"` + readerARN + `"}`, `{"serviceAccount":"w"}`, "serviceAccount cannot be changed"},
		{"PodIdentityAssociation", `{"serviceAccount":"v","roleARN":"` + readerARN + `"}`, `{"roleARN":"` + writerARN + `","tags":{"a":"b"}}`, ""},
		{"Role", `{"name":"v"}`, `{"name":"w"}`, "name cannot be changed"},
		{"Role", `{"name":"v"}`, `{"name":null}`, "name cannot be changed"},
		{"Role", `{}`, `{"path":"/x/"}`, "path cannot be changed"},
		{"Policy", `{"document":"{}","description":"a"}`, `{"description":"b"}`, "description cannot be changed"},
	} {
		o := object(test.kind, test.spec)
		w.create(t, o)
		err := w.kube.Patch(t.Context(), o.DeepCopy(), kube.RawPatch("application/merge-patch+json", []byte(`{"spec":`+test.change+`}`)))
		if test.want == "" && err != nil || test.want != "" && (!apierrors.IsInvalid(err) || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s %s, then %s: got %v", test.kind, test.spec, test.change, err)
		}
		w.remove(t, o)
		w.until(t, "deleted", w.gone(o))
	}
}

// testACK gives the cluster ACK's CRD while the controllers run.
func (w *shops) testACK(t *testing.T) {
	w.apply(t, "testdata/ack-podidentityassociations.yaml")
	manifest := func(namespace, name, spec string) *unstructured.Unstructured {
		o := &unstructured.Unstructured{}
		text := `{"apiVersion":"eks.services.k8s.aws/v1alpha1","kind":"PodIdentityAssociation","metadata":{"namespace":"` + namespace + `","name":"` + name + `"},"spec":` + spec + `}`
		check(t, o.UnmarshalJSON([]byte(text)))
		w.until(t, "the CRD is served", func(ctx context.Context) error { return w.kube.Create(ctx, o) })
		return o
	}
	// condition: the object has a true one of the kind, with the reason, if it gives one.
	condition := func(o *unstructured.Unstructured, kind, reason string) func(context.Context) error {
		return func(ctx context.Context) error {
			if err := w.kube.Get(ctx, kube.ObjectKeyFromObject(o), o); err != nil {
				return err
			}
			list, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
			for _, item := range list {
				if c := item.(map[string]any); c["type"] == kind && c["status"] == "True" && (reason == "" || c["reason"] == reason) {
					return nil
				}
			}
			return fmt.Errorf("the conditions are %v", list)
		}
	}
	o := manifest("ack", "worker", `{"clusterName":"shops","namespace":"ack","serviceAccount":"worker","roleARN":"`+readerARN+`","tags":{"a":"b"}}`)
	w.until(t, "made", condition(o, "ACK.ResourceSynced", ""))
	if id, role, err := w.identity(t.Context(), "ack", "worker"); err != nil || role != readerARN || id == "" || id != nested(o, "status", "associationID") {
		t.Errorf("got %s with %s, %v", id, role, err)
	}
	if got := nested(o, "status", "ackResourceMetadata", "ownerAccountID"); got != account {
		t.Errorf("the owner is %q", got)
	}
	thief := manifest("ack", "thief", `{"clusterName":"shops","namespace":"bank","serviceAccount":"vault","roleARN":"`+readerARN+`"}`)
	w.until(t, "may not speak for another namespace", condition(thief, "ACK.Terminal", v1alpha1.ReasonForeignResource))
	platform := manifest("platform", "agent", `{"clusterName":"shops","namespace":"bank","serviceAccount":"agent","roleARN":"`+readerARN+`"}`)
	w.until(t, "may", condition(platform, "ACK.ResourceSynced", ""))
	elsewhere := manifest("ack", "elsewhere", `{"clusterName":"another","namespace":"ack","serviceAccount":"elsewhere","roleARN":"`+readerARN+`"}`)

	id := nested(o, "status", "associationID")
	if _, err := w.eks.UpdatePodIdentityAssociation(t.Context(), &eks.UpdatePodIdentityAssociationInput{
		ClusterName: aws.String(resourcesCluster), AssociationId: &id, RoleArn: aws.String(writerARN),
	}); err != nil {
		t.Fatal(err)
	}
	w.until(t, "changed back", w.has("ack", "worker", readerARN))
	w.until(t, "drift told", condition(o, "ACK.Advisory", v1alpha1.ReasonDriftRepaired))
	for _, o := range []*unstructured.Unstructured{o, thief, platform} {
		w.remove(t, o)
		w.until(t, "deleted", w.gone(o))
	}
	w.until(t, "deleted in the control plane", w.has("ack", "worker", ""))
	if err := w.kube.Get(t.Context(), kube.ObjectKeyFromObject(elsewhere), elsewhere); err != nil || elsewhere.Object["status"] != nil || len(elsewhere.GetFinalizers()) != 0 {
		t.Errorf("another cluster's object was touched: %v, %v", elsewhere.Object, err)
	}
}

func nested(o *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(o.Object, path...)
	return s
}
