// Package serviceaccount reads the service accounts of a cluster, from the cluster or from manifests, with the IAM roles that annotations give
// them. It changes nothing, and it needs no more rights than to list service accounts.
//
// spec: pod-identity.md 5, 6.3
package serviceaccount

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/migration"
)

// Annotation names the role of a service account that uses one the older way.
const Annotation = "eks.amazonaws.com/role-arn"

// perPage is how many service accounts one answer of an API server has.
const perPage = 500

// FromCluster lists the service accounts of all namespaces of the cluster that a kubeconfig names.
func FromCluster(ctx context.Context, kubeconfigs []string, kubecontext string) ([]migration.ServiceAccount, error) {
	loaded := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{Precedence: kubeconfigs}, &clientcmd.ConfigOverrides{CurrentContext: kubecontext})
	raw, err := loaded.RawConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	if len(raw.Clusters) == 0 { // it would mean the cluster that this runs in
		return nil, fault.New(fault.NotFound, "kubeconfig", "no cluster is in the kubeconfig %v; give one with --kubeconfig, or manifests with --filename", kubeconfigs)
	}
	c, err := loaded.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	k, err := kubernetes.NewForConfig(c)
	if err != nil {
		return nil, fmt.Errorf("make a client of the kubeconfig: %w", err)
	}
	return list(ctx, k)
}

func list(ctx context.Context, k kubernetes.Interface) ([]migration.ServiceAccount, error) {
	var found []migration.ServiceAccount
	for next := ""; ; {
		page, err := k.CoreV1().ServiceAccounts("").List(ctx, metav1.ListOptions{Limit: perPage, Continue: next})
		if err != nil {
			return nil, fmt.Errorf("list the service accounts of the cluster: %w", err)
		}
		for i := range page.Items {
			found = append(found, account(&page.Items[i]))
		}
		if next = page.Continue; next == "" {
			return sorted(found), nil
		}
	}
}

func account(sa *corev1.ServiceAccount) migration.ServiceAccount {
	return migration.ServiceAccount{Namespace: cmp.Or(sa.Namespace, metav1.NamespaceDefault), Name: sa.Name, RoleARN: sa.Annotations[Annotation]}
}

// sorted is in the order of namespaces and names; of two for one service account the later one counts, as with kubectl apply.
func sorted(list []migration.ServiceAccount) []migration.ServiceAccount {
	byName := func(a, b migration.ServiceAccount) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	}
	slices.Reverse(list)
	slices.SortStableFunc(list, byName)
	return slices.CompactFunc(list, func(a, b migration.ServiceAccount) bool { return byName(a, b) == 0 })
}

// maxManifests bounds what is read of one file of manifests.
const maxManifests = 64 << 20

// Manifests are YAML or JSON manifests, as kubectl takes them: documents one after the other, and lists.
type Manifests struct {
	Name string // of the file, for complaints
	Text io.Reader
}

// FromManifests reads the service accounts of manifests. Other kinds are passed over; what has no namespace is in "default".
func FromManifests(files ...Manifests) ([]migration.ServiceAccount, error) {
	var found []migration.ServiceAccount
	for _, f := range files {
		limited := &io.LimitedReader{R: f.Text, N: maxManifests + 1}
		documents := utilyaml.NewYAMLReader(bufio.NewReader(limited))
		for n := 1; ; n++ {
			text, err := documents.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err == nil && limited.N <= 0 {
				err = fmt.Errorf("manifests have at most %d bytes", maxManifests)
			}
			if err == nil {
				found, err = appendDocument(found, text)
			}
			if err != nil {
				return nil, fmt.Errorf("read document %d of %s: %w", n, f.Name, err)
			}
		}
	}
	return sorted(found), nil
}

// appendDocument reads one document: a service account, a list that may have some, or something else.
func appendDocument(found []migration.ServiceAccount, text []byte) ([]migration.ServiceAccount, error) {
	var head struct {
		APIVersion string           `json:"apiVersion"`
		Kind       string           `json:"kind"`
		Items      []map[string]any `json:"items"`
	}
	if err := yaml.Unmarshal(text, &head); err != nil {
		return nil, err
	}
	switch {
	case head.APIVersion != "v1":
		return found, nil
	case head.Kind == "ServiceAccount":
		var sa corev1.ServiceAccount
		if err := yaml.Unmarshal(text, &sa); err != nil {
			return nil, err
		}
		return append(found, account(&sa)), nil
	case head.Kind == "List" || head.Kind == "ServiceAccountList":
		for i, item := range head.Items {
			if item == nil {
				return nil, fmt.Errorf("item %d is nothing", i+1)
			}
			if head.Kind == "ServiceAccountList" {
				item["apiVersion"], item["kind"] = "v1", "ServiceAccount"
			}
			inner, err := yaml.Marshal(item)
			if err == nil && item["kind"] != "List" { // one list in another is nothing that kubectl makes
				found, err = appendDocument(found, inner)
			}
			if err != nil {
				return nil, fmt.Errorf("item %d: %w", i+1, err)
			}
		}
	}
	return found, nil
}
