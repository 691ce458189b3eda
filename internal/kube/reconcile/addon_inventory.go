package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
)

// inventoryName is the ConfigMap that lists, for each add-on, the objects that were applied. With it the operator finds what it made
// without being allowed to list every kind in every namespace.
const inventoryName = "podid-operator-addons"

// Reference names an object.
type Reference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

func referenceTo(o *unstructured.Unstructured) Reference {
	return Reference{o.GetAPIVersion(), o.GetKind(), o.GetNamespace(), o.GetName()}
}

// String is for people.
func (r Reference) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

// inventory reads what was applied.
func (a *Addon) inventory(ctx context.Context) ([]Reference, error) {
	var m corev1.ConfigMap
	err := a.c.Live.Get(ctx, types.NamespacedName{Namespace: a.c.Namespace, Name: inventoryName}, &m)
	if apierrors.IsNotFound(err) || err == nil && m.Data[a.c.Name] == "" {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the list of the add-on's objects: %w", err)
	}
	var list []Reference
	if err := json.Unmarshal([]byte(m.Data[a.c.Name]), &list); err != nil {
		return nil, fmt.Errorf("the ConfigMap %s/%s does not list the add-on's objects; delete it, and the objects with label %s=%s that nobody needs: %w",
			a.c.Namespace, inventoryName, v1alpha1.LabelAddon, a.c.Name, err)
	}
	return list, nil
}

// record writes what is applied, where that differs from what the list says.
func (a *Addon) record(ctx context.Context, had, list []Reference) error {
	if slices.Equal(had, list) {
		return nil
	}
	text, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("encode the list of the add-on's objects: %w", err)
	}
	var m corev1.ConfigMap
	err = a.c.Live.Get(ctx, types.NamespacedName{Namespace: a.c.Namespace, Name: inventoryName}, &m)
	switch {
	case apierrors.IsNotFound(err):
		m = corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: a.c.Namespace, Name: inventoryName}, Data: map[string]string{a.c.Name: string(text)}}
		err = a.c.Client.Create(ctx, &m)
	case err == nil:
		if m.Data == nil {
			m.Data = map[string]string{}
		}
		m.Data[a.c.Name] = string(text)
		err = a.c.Client.Update(ctx, &m)
	}
	if err != nil {
		return fmt.Errorf("write the list of the add-on's objects: %w", err)
	}
	return nil
}
