package reconcile_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/podid/podid/internal/kube/reconcile"
)

// ackReasons are the conditions of an ACK object, by type.
func ackReasons(o *unstructured.Unstructured) map[string]string {
	all := map[string]string{}
	list, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, item := range list {
		c := item.(map[string]any)
		reason, _ := c["reason"].(string)
		all[c["type"].(string)] = c["status"].(string) + " " + reason
	}
	return all
}

func ackSpec(more map[string]any) map[string]any {
	spec := map[string]any{"clusterName": "lab", "namespace": "shop", "serviceAccount": "till", "roleARN": reader}
	for k, v := range more {
		spec[k] = v
		if v == nil {
			delete(spec, k)
		}
	}
	return spec
}

func (w *objects) ackObject(namespace string) *unstructured.Unstructured {
	w.t.Helper()
	return get(w, reconcile.EmptyACK().(*unstructured.Unstructured), namespace, "till")
}

func TestACK_manifestIsAccepted(t *testing.T) {
	t.Parallel()
	w := newObjects(t, nil, ackObject("shop", ackSpec(map[string]any{"tags": map[string]any{"team": "shop"}})))
	if err := w.look(w.ACK, "shop", "till"); err != nil {
		t.Fatal(err)
	}
	a := w.eks.of("shop", "till")
	if a == nil || *a.RoleArn != reader || a.Tags["team"] != "shop" {
		t.Fatalf("got %v", a)
	}
	o := w.ackObject("shop")
	status := o.Object["status"].(map[string]any)
	delete(status, "conditions")
	want := map[string]any{
		"associationID": *a.AssociationId, "associationARN": *a.AssociationArn,
		"ackResourceMetadata": map[string]any{"arn": *a.AssociationArn, "ownerAccountID": "111122223333", "region": "eu-west-1"},
	}
	if diff := cmp.Diff(want, status); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	version := o.GetResourceVersion()
	if err := w.look(w.ACK, "shop", "till"); err != nil || w.ackObject("shop").GetResourceVersion() != version {
		t.Errorf("written again without need: %v", err)
	}
	a.RoleArn = aws.String(writer)
	if err := w.look(w.ACK, "shop", "till"); err != nil || *a.RoleArn != reader {
		t.Errorf("not repaired: %v", err)
	}
	wantConditions := map[string]string{"ACK.ResourceSynced": "True ", "ACK.Advisory": "True DriftRepaired"}
	if diff := cmp.Diff(wantConditions, ackReasons(w.ackObject("shop"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.delete(w.ackObject("shop"))
	if err := w.look(w.ACK, "shop", "till"); err != nil || len(w.eks.associations) != 0 || !w.gone(reconcile.EmptyACK(), "shop", "till") {
		t.Errorf("not deleted: %v", err)
	}
}

func TestACK_whoMaySpeakForWhom(t *testing.T) {
	t.Parallel()
	terminal := func(reason string) map[string]string {
		return map[string]string{"ACK.ResourceSynced": "False " + reason, "ACK.Terminal": "True " + reason}
	}
	synced := map[string]string{"ACK.ResourceSynced": "True "}
	tests := []struct {
		name, namespace string
		spec            map[string]any
		annotations     map[string]string
		want            map[string]string
		made            bool
	}{
		{name: "its own namespace", namespace: "shop", want: synced, made: true},
		{name: "another namespace", namespace: "evil", want: terminal("ForeignResource")},
		{name: "another namespace, allowed", namespace: "platform", want: synced, made: true},
		{name: "another cluster", namespace: "shop", spec: map[string]any{"clusterName": "other"}, want: map[string]string{}},
		{name: "no cluster", namespace: "shop", spec: map[string]any{"clusterName": nil}, want: map[string]string{}},
		{name: "another account", namespace: "shop", annotations: map[string]string{"services.k8s.aws/owner-account-id": "999999999999"}, want: map[string]string{}},
		{name: "another region", namespace: "shop", annotations: map[string]string{"services.k8s.aws/region": "us-east-1"}, want: map[string]string{}},
		{name: "read only", namespace: "shop", annotations: map[string]string{"services.k8s.aws/read-only": "true"}, want: map[string]string{}},
		{name: "another namespace's role", namespace: "platform", spec: map[string]any{"roleARN": "arn:aws:iam::111122223333:role/podid/lab/bank/x"}, want: terminal("ForeignRole")},
		{name: "no role", namespace: "shop", spec: map[string]any{"roleARN": nil}, want: terminal("Invalid")},
		{
			name: "a role by reference", namespace: "shop",
			spec: map[string]any{"roleARN": nil, "roleRef": map[string]any{"from": map[string]any{"name": "till"}}}, want: synced, made: true,
		},
		{
			name: "a role that is not there", namespace: "shop",
			spec: map[string]any{"roleARN": nil, "roleRef": map[string]any{"from": map[string]any{"name": "none"}}},
			want: map[string]string{
				"ACK.ResourceSynced": "False ReferenceNotResolved", "ACK.Recoverable": "True ReferenceNotResolved",
				"ACK.ReferencesResolved": "False ReferenceNotResolved",
			},
		},
		{
			name: "a role of another namespace by reference", namespace: "shop",
			spec: map[string]any{"roleARN": nil, "roleRef": map[string]any{"from": map[string]any{"name": "till", "namespace": "bank"}}},
			want: terminal("ForeignResource"),
		},
		{
			name: "a cluster by reference", namespace: "shop",
			spec: map[string]any{"clusterName": nil, "clusterRef": map[string]any{"from": map[string]any{"name": "ours"}}}, want: synced, made: true,
		},
		{
			name: "another cluster by reference", namespace: "shop",
			spec: map[string]any{"clusterName": nil, "clusterRef": map[string]any{"from": map[string]any{"name": "theirs"}}}, want: map[string]string{},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := ackObject(test.namespace, ackSpec(test.spec))
			o.SetAnnotations(test.annotations)
			w := newObjects(t, func(c *reconcile.ResourcesConfig) { c.ACKNamespaces = []string{"platform"} }, o,
				other("iam.services.k8s.aws/v1alpha1", "Role", "till", "status", map[string]any{"ackResourceMetadata": map[string]any{"arn": reader}}),
				other("eks.services.k8s.aws/v1alpha1", "Cluster", "ours", "spec", map[string]any{"name": "lab"}),
				other("eks.services.k8s.aws/v1alpha1", "Cluster", "theirs", "spec", map[string]any{"name": "other"}))
			if err := w.look(w.ACK, test.namespace, "till"); err != nil {
				t.Fatal(err)
			}
			got := ackReasons(w.ackObject(test.namespace))
			if got["ACK.ReferencesResolved"] == "True " { // said wherever there is a reference
				delete(got, "ACK.ReferencesResolved")
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (w.eks.of("shop", "till") != nil) != test.made || len(w.eks.associations) > 1 {
				t.Errorf("associations: %v", w.eks.associations)
			}
			// Whoever may not speak for a namespace takes nothing with it.
			theirs := w.eks.of("shop", "till")
			if !test.made {
				theirs = w.eks.add("shop", "till", reader)
			}
			w.delete(w.ackObject(test.namespace))
			if !w.gone(reconcile.EmptyACK(), test.namespace, "till") {
				if err := w.look(w.ACK, test.namespace, "till"); err != nil {
					t.Fatal(err)
				}
			}
			if _, left := w.eks.associations[*theirs.AssociationId]; left == test.made && test.namespace != "shop" {
				t.Errorf("left: %t", left)
			}
		})
	}
}

// other is an object of another of ACK's kinds in the namespace shop.
func other(version, kind, name, part string, content map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": version, "kind": kind, part: content}}
	o.SetNamespace("shop")
	o.SetName(name)
	return o
}

func TestACK_olderObjectOfEitherKindWins(t *testing.T) {
	t.Parallel()
	w := newObjects(t, nil, association("till", "till", reader), ackObject("shop", ackSpec(map[string]any{"roleARN": writer})))
	if err := w.look(w.ACK, "shop", "till"); err != nil {
		t.Fatal(err)
	}
	if err := w.look(w.Associations, "shop", "till"); err != nil {
		t.Fatal(err)
	}
	if got := ackReasons(w.ackObject("shop"))["ACK.Terminal"]; got != "True Shadowed" || *w.eks.of("shop", "till").RoleArn != reader {
		t.Errorf("got %q", got)
	}
}

func TestACK_retained(t *testing.T) {
	t.Parallel()
	o := ackObject("shop", ackSpec(nil))
	o.SetAnnotations(map[string]string{"services.k8s.aws/deletion-policy": "retain", "services.k8s.aws/adoption-policy": "adopt-or-create"})
	w := newObjects(t, nil, o)
	old := w.eks.add("shop", "till", writer)
	if err := w.look(w.ACK, "shop", "till"); err != nil || *old.RoleArn != reader {
		t.Errorf("not taken over: %v", err)
	}
	w.delete(w.ackObject("shop"))
	if err := w.look(w.ACK, "shop", "till"); err != nil || len(w.eks.associations) != 1 {
		t.Errorf("not retained: %v", err)
	}
	if err := w.look(w.ACK, "shop", "till"); err != nil || w.Remembered() != 0 {
		t.Errorf("%d objects that are gone are remembered, %v", w.Remembered(), err)
	}
}
