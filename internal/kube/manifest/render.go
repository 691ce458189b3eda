package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/podid/podid/deploy"
)

// Release is what Helm knows of an installation besides its values.
type Release struct {
	Name        string // "": podid
	Namespace   string // of the operator; "": podid-system
	ManagedBy   string // value of the label app.kubernetes.io/managed-by; "": Helm
	KubeVersion string // of the cluster, "v1.36.2"; "": the oldest that the chart is for
}

// oldestKubernetes is what the chart is rendered for where nobody says.
const oldestKubernetes = "v1.28.0"

func (r Release) withDefaults() Release {
	for _, d := range []struct {
		field *string
		value string
	}{{&r.Name, "podid"}, {&r.Namespace, "podid-system"}, {&r.ManagedBy, "Helm"}, {&r.KubeVersion, oldestKubernetes}} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	return r
}

// Render renders the whole chart with values laid over its defaults. The objects are in the order in which they are to be made, the
// CRDs among them. Values that the chart's schema does not allow are an error that names them.
func Render(values map[string]any, r Release) ([]*unstructured.Unstructured, error) {
	c, err := load()
	if err != nil {
		return nil, err
	}
	objects, err := render(c, values, r.withDefaults())
	if err != nil {
		return nil, err
	}
	crds, err := CRDs()
	if err != nil {
		return nil, err
	}
	objects = append(objects, crds...)
	order(objects)
	return objects, nil
}

// CRDs are the kinds that the chart brings.
func CRDs() ([]*unstructured.Unstructured, error) {
	c, err := load()
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, crd := range c.CRDObjects() {
		some, err := decode(crd.Name, crd.File.Data)
		if err != nil {
			return nil, err
		}
		objects = append(objects, some...)
	}
	order(objects)
	return objects, nil
}

// load reads the embedded chart. Rendering does not change it.
var load = sync.OnceValues(func() (*chart.Chart, error) {
	var files []*archive.BufferedFile
	folder := deploy.Chart()
	err := fs.WalkDir(folder, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(folder, path)
		files = append(files, &archive.BufferedFile{Name: path, Data: data})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the chart: %w", err)
	}
	c, err := loader.LoadFiles(files)
	if err != nil {
		return nil, fmt.Errorf("load the chart: %w", err)
	}
	return c, c.Validate()
})

// notes is the one template that is for people.
const notes = "NOTES.txt"

func render(c *chart.Chart, values map[string]any, r Release) ([]*unstructured.Unstructured, error) {
	version, err := common.ParseKubeVersion(r.KubeVersion)
	if err != nil {
		return nil, fmt.Errorf("the Kubernetes version %q: %w", r.KubeVersion, err)
	}
	if err := check(c, values); err != nil {
		return nil, err
	}
	capabilities := &common.Capabilities{KubeVersion: *version, APIVersions: common.DefaultVersionSet}
	options := common.ReleaseOptions{Name: r.Name, Namespace: r.Namespace, Revision: 1, IsInstall: true}
	all, err := util.ToRenderValuesWithSchemaValidation(c, values, options, capabilities, true)
	if err != nil {
		return nil, fmt.Errorf("lay the values over the chart's: %w", err)
	}
	if release, ok := all["Release"].(map[string]any); ok {
		release["Service"] = r.ManagedBy
	}
	files, err := engine.Render(c, all)
	if err != nil {
		return nil, refusal(err)
	}
	var objects []*unstructured.Unstructured
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, notes) {
			continue
		}
		some, err := decode(name, []byte(files[name]))
		if err != nil {
			return nil, err
		}
		objects = append(objects, some...)
	}
	order(objects)
	return objects, nil
}

// check says which values the chart's schema does not allow. It is asked before they are laid over the defaults, because that prints what
// does not fit and goes on. The schema requires no member, so that part of the values is as good as all; null takes a default away.
func check(c *chart.Chart, values map[string]any) error {
	err := util.ValidateAgainstSingleSchema(withoutNulls(values), c.Schema)
	if err == nil {
		return nil
	}
	var wrong []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimPrefix(strings.TrimSpace(line), "- "); line != "" {
			wrong = append(wrong, line)
		}
	}
	return errors.New(strings.Join(wrong, "; "))
}

func withoutNulls(values map[string]any) map[string]any {
	kept := make(map[string]any, len(values))
	for name, value := range values {
		switch v := value.(type) {
		case nil:
		case map[string]any:
			kept[name] = withoutNulls(v)
		default:
			kept[name] = v
		}
	}
	return kept
}

// refusal keeps of the engine's errors the sentence that says which value is required.
func refusal(err error) error {
	if _, sentence, ok := strings.Cut(err.Error(), "error calling required: "); ok {
		return errors.New(strings.TrimSpace(sentence))
	}
	return fmt.Errorf("render the chart: %w", err)
}

func decode(name string, text []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), len(text)+1); ; {
		var o map[string]any
		if err := d.Decode(&o); errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s is not a manifest: %w", name, err)
		}
		if len(o) > 0 {
			objects = append(objects, &unstructured.Unstructured{Object: o})
		}
	}
}

// kinds is the order in which objects are made: what others name comes first. It is Helm's order of the kinds that the chart has; a kind
// that is not here comes last.
var kinds = []string{
	"Namespace", "CustomResourceDefinition", "NetworkPolicy", "PodDisruptionBudget", "ServiceAccount", "Secret", "ConfigMap",
	"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Service", "DaemonSet", "Deployment",
}

func order(objects []*unstructured.Unstructured) {
	place := func(o *unstructured.Unstructured) int {
		if i := slices.Index(kinds, o.GetKind()); i >= 0 {
			return i
		}
		return len(kinds)
	}
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int { return place(a) - place(b) })
}
