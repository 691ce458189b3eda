package serviceaccount

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/podid/podid/internal/migration"
)

const manifests = `
apiVersion: v1
kind: ServiceAccount
metadata:
  name: uploader
  namespace: shop
  annotations: {eks.amazonaws.com/role-arn: "arn:aws:iam::111122223333:role/old"}
---
# nothing but a comment
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: uploader, annotations: {eks.amazonaws.com/role-arn: "not one of ours"}}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ServiceAccount
  metadata:
    name: here
    annotations: {eks.amazonaws.com/role-arn: "arn:aws:iam::111122223333:role/here"}
- apiVersion: v1
  kind: ServiceAccount
  metadata: {name: plain, namespace: shop}
---
{"apiVersion": "v1", "kind": "ServiceAccountList", "items": [
  {"metadata": {"name": "uploader", "namespace": "shop", "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/new"}}}]}
`

func TestFromManifests(t *testing.T) {
	t.Parallel()
	got, err := FromManifests(Manifests{"sa.yaml", strings.NewReader(manifests)})
	if err != nil {
		t.Fatal(err)
	}
	want := []migration.ServiceAccount{
		{Namespace: "default", Name: "here", RoleARN: "arn:aws:iam::111122223333:role/here"},
		{Namespace: "shop", Name: "plain"},
		{Namespace: "shop", Name: "uploader", RoleARN: "arn:aws:iam::111122223333:role/new"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	first := Manifests{"a.yaml", strings.NewReader(`{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "plain", "namespace": "shop"}}`)}
	second := Manifests{"b.yaml", strings.NewReader(manifests)}
	if again, err := FromManifests(first, second); err != nil || !cmp.Equal(want, again) {
		t.Errorf("of two files: %v, %v", again, err)
	}
	for text, wanted := range map[string]string{
		"a: b\n---\n{": "document 2 of sa.yaml", "apiVersion: v1\nkind: List\nitems: 3": "document 1",
		"apiVersion: v1\nkind: ServiceAccount\nmetadata: []": "document 1",
	} {
		if _, err := FromManifests(Manifests{"sa.yaml", strings.NewReader(text)}); err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%q: got %v, want %q", text, err, wanted)
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	annotated := func(namespace, name, role string) *corev1.ServiceAccount {
		sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		if role != "" {
			sa.Annotations = map[string]string{Annotation: role}
		}
		return sa
	}
	got, err := list(t.Context(), fake.NewClientset(annotated("b", "x", "r"), annotated("a", "y", "s"), annotated("a", "plain", "")))
	if err != nil {
		t.Fatal(err)
	}
	want := []migration.ServiceAccount{{Namespace: "a", Name: "plain"}, {Namespace: "a", Name: "y", RoleARN: "s"}, {Namespace: "b", Name: "x", RoleARN: "r"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func FuzzFromManifests(f *testing.F) {
	f.Add(manifests)
	f.Add("apiVersion: v1\nkind: ServiceAccountList\nitems: [null]")
	f.Add("apiVersion: v1\nkind: List\nitems: [null, {kind: List, apiVersion: v1}]")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := FromManifests(Manifests{"sa.yaml", strings.NewReader(text)})
		for _, sa := range list {
			if err != nil || sa.Namespace == "" {
				t.Errorf("%+v of %q, %v", sa, text, err)
			}
		}
	})
}
