package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Defaults is what the operator knows about the node agent: where it runs, whom it asks, and as whom. All but CABundle, Proxy and
// ManagedBy is required.
type Defaults struct {
	Cluster   string
	Endpoint  string
	Region    string
	RoleARN   string
	Namespace string
	Image     string
	CABundle  string // PEM; "" where everybody trusts the endpoint's certificate
	Proxy     Proxy
	ManagedBy string // value of the label app.kubernetes.io/managed-by; "": podid-operator
}

// Proxy is the proxy between the cluster and the control plane.
type Proxy struct{ HTTPS, HTTP, No string }

// owned are the members that say whose agent it is. They are the operator's: a configuration that another cluster's or account's agent
// came out of would be no configuration of this one.
var owned = []string{"clusterName", "endpoint", "caBundle", "agent.create", "agent.namespace", "agent.roleArn", "daemonsets", "operator", "pods", "networkPolicy", "ciliumPolicy"}

// programs are the members that say what runs on the nodes. Whoever may change an add-on chooses how the agent runs, not which program
// does: that stays with whoever installs into the cluster.
var programs = []string{"image", "agent.command", "init.command"}

// Agent renders the objects of the node agent and no others. configurationValues is the add-on's, JSON or YAML, or empty: values of the
// chart that are laid over the defaults. One that the chart does not know, that is of a wrong type, or that is not the add-on's to choose
// is an error that names it.
func Agent(d Defaults, configurationValues string) ([]*unstructured.Unstructured, error) {
	c, err := load()
	if err != nil {
		return nil, err
	}
	chosen, err := Configuration(configurationValues)
	if err != nil {
		return nil, err
	}
	values := loader.MergeMaps(chosen, map[string]any{
		"clusterName": d.Cluster, "endpoint": d.Endpoint, "caBundle": d.CABundle,
		"agent":    map[string]any{"create": true, "namespace": d.Namespace, "roleArn": d.RoleARN},
		"operator": map[string]any{"create": false},
		"image":    map[string]any{"override": d.Image},
	})
	values = loader.MergeMaps(map[string]any{
		"env":   map[string]any{"AWS_REGION": d.Region},
		"proxy": map[string]any{"httpsProxy": d.Proxy.HTTPS, "httpProxy": d.Proxy.HTTP, "noProxy": d.Proxy.No},
	}, values)
	if d.ManagedBy == "" {
		d.ManagedBy = "podid-operator"
	}
	objects, err := render(c, values, Release{Namespace: d.Namespace, ManagedBy: d.ManagedBy}.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("configurationValues: %w", err)
	}
	return objects, nil
}

// Configuration reads an add-on's configurationValues and refuses what is not the add-on's to choose. Whether the rest is of the right
// type, [Agent] says.
func Configuration(text string) (map[string]any, error) {
	values, err := loader.LoadValues(strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("configurationValues are neither JSON nor YAML of an object: %w", err)
	}
	for _, path := range slices.Concat(owned, programs) {
		if holds(values, path) {
			return nil, notChosen(path)
		}
	}
	return values, checkChoice(values)
}

// holds reports whether a value of a path is there, whatever it is.
func holds(values map[string]any, path string) bool {
	parent, member, nested := strings.Cut(path, ".")
	if !nested {
		_, ok := values[path]
		return ok
	}
	inner, ok := values[parent].(map[string]any)
	return ok && slices.Contains(slices.Collect(maps.Keys(inner)), member)
}
