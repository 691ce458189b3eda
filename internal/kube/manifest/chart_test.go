package manifest_test

import (
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"github.com/podid/podid/deploy"
	"github.com/podid/podid/internal/kube/manifest"
)

// as reads an object strictly: a member that Kubernetes does not know is a mistake that the API server would not tell.
func as[T any](t *testing.T, o *unstructured.Unstructured) T {
	t.Helper()
	var v T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, &v, true); err != nil {
		t.Fatalf("%s %s: %v", o.GetKind(), o.GetName(), err)
	}
	return v
}

// podSpecs are the pods that the objects make, by the name of who makes them.
func podSpecs(t *testing.T, objects []*unstructured.Unstructured) map[string]corev1.PodSpec {
	t.Helper()
	specs := map[string]corev1.PodSpec{}
	for _, o := range objects {
		switch o.GetKind() {
		case "DaemonSet":
			specs[o.GetName()] = as[appsv1.DaemonSet](t, o).Spec.Template.Spec
		case "Deployment":
			specs[o.GetName()] = as[appsv1.Deployment](t, o).Spec.Template.Spec
		}
	}
	if len(specs) == 0 {
		t.Fatal("no pods")
	}
	return specs
}

func TestEveryContainerMayDoNoMoreThanItMust(t *testing.T) {
	t.Parallel()
	capabilities := map[string][]corev1.Capability{
		"eks-pod-identity-agent-init": {"NET_ADMIN"}, "eks-pod-identity-agent": {"NET_BIND_SERVICE"}, "podid-operator": nil,
	}
	seen := 0
	for name, spec := range podSpecs(t, render(t, most(t))) {
		for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
			seen++
			s := c.SecurityContext
			switch {
			case s == nil, s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation, s.Privileged == nil || *s.Privileged,
				s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem,
				s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault:
				t.Errorf("%s/%s may do more than it must: %+v", name, c.Name, s)
			case s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}):
				t.Errorf("%s/%s does not drop all capabilities", name, c.Name)
			}
			if diff := cmp.Diff(capabilities[c.Name], s.Capabilities.Add); diff != "" {
				t.Errorf("%s/%s has other capabilities (-want +got):\n%s", name, c.Name, diff)
			}
			if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
				t.Errorf("%s/%s has no limit of memory, or asks for no CPU", name, c.Name)
			}
			for _, p := range c.Ports {
				if p.HostPort != 0 || spec.HostNetwork {
					t.Errorf("%s/%s claims port %d of the node", name, c.Name, p.ContainerPort)
				}
			}
		}
		for _, v := range spec.Volumes {
			if v.HostPath != nil {
				t.Errorf("%s mounts %s of the node", name, v.HostPath.Path)
			}
		}
		if spec.HostPID || spec.HostIPC || spec.SecurityContext.SeccompProfile == nil {
			t.Errorf("%s shares more with the node than its network", name)
		}
	}
	if seen != 3 {
		t.Errorf("%d containers, want 3", seen)
	}
}

func TestOperatorIsHighlyAvailableAndNobody(t *testing.T) {
	t.Parallel()
	for _, o := range render(t, least()) {
		if o.GetKind() != "Deployment" {
			continue
		}
		d := as[appsv1.Deployment](t, o)
		spec := d.Spec.Template.Spec
		if *d.Spec.Replicas != 2 || spec.Affinity.PodAntiAffinity == nil || !*spec.SecurityContext.RunAsNonRoot || !*spec.Containers[0].SecurityContext.RunAsNonRoot {
			t.Errorf("got %+v", d.Spec)
		}
		tolerates := func(t corev1.Toleration) bool { return t.Key == "podid.dev/agent-not-ready" }
		if !slices.ContainsFunc(spec.Tolerations, tolerates) {
			t.Error("the operator does not tolerate the taint that it removes: it would never start in a new cluster")
		}
		return
	}
	t.Error("no Deployment")
}

// TestTokensAreForOneAudience: a pod's token for podid is no token for the API server, and short-lived.
func TestTokensAreForOneAudience(t *testing.T) {
	t.Parallel()
	for name, spec := range podSpecs(t, render(t, most(t))) {
		found := false
		for _, v := range spec.Volumes {
			if v.Name != "podid-token" {
				continue
			}
			found = true
			got := v.Projected.Sources[0].ServiceAccountToken
			if got.Audience != "sts.amazonaws.com" || *got.ExpirationSeconds != 3600 || len(v.Projected.Sources) != 1 {
				t.Errorf("%s: got %+v", name, got)
			}
		}
		if !found {
			t.Errorf("%s has no token for podid", name)
		}
	}
}

func TestRoles_nameWhatTheyMayDo(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, o := range render(t, most(t)) {
		if o.GetKind() != "ClusterRole" && o.GetKind() != "Role" {
			continue
		}
		seen++
		for _, rule := range as[rbacv1.ClusterRole](t, o).Rules {
			for _, word := range slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs, rule.ResourceNames, rule.NonResourceURLs) {
				if strings.Contains(word, "*") {
					t.Errorf("%s %s has a wildcard: %+v", o.GetKind(), o.GetName(), rule)
				}
			}
			for _, verb := range []string{"escalate", "bind", "impersonate"} {
				if slices.Contains(rule.Verbs, verb) {
					t.Errorf("%s %s may %s", o.GetKind(), o.GetName(), verb)
				}
			}
			if slices.Contains(rule.Resources, "secrets") && (o.GetKind() == "ClusterRole" || len(rule.ResourceNames) == 0 && !slices.Equal(rule.Verbs, []string{"create"})) {
				t.Errorf("%s %s reads secrets that are not its own: %+v", o.GetKind(), o.GetName(), rule)
			}
		}
	}
	if seen < 3 {
		t.Errorf("%d roles", seen)
	}
}

// TestOperatorMayMakeTheAgentsRole: the API server lets nobody give away what he does not have.
func TestOperatorMayMakeTheAgentsRole(t *testing.T) {
	t.Parallel()
	roles := map[string]rbacv1.ClusterRole{}
	for _, o := range render(t, most(t)) {
		if o.GetKind() == "ClusterRole" {
			roles[o.GetName()] = as[rbacv1.ClusterRole](t, o)
		}
	}
	has := func(group, resource, verb string) bool {
		return slices.ContainsFunc(roles["podid-operator"].Rules, func(r rbacv1.PolicyRule) bool {
			return slices.Contains(r.APIGroups, group) && slices.Contains(r.Resources, resource) && slices.Contains(r.Verbs, verb) && len(r.ResourceNames) == 0
		})
	}
	for _, rule := range roles["eks-pod-identity-agent"].Rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					if !has(group, resource, verb) {
						t.Errorf("the operator may not %s %s of %q, and so cannot give it to the agent", verb, resource, group)
					}
				}
			}
		}
	}
}

func TestObjectsAreWellFormed(t *testing.T) {
	t.Parallel()
	clusterWide := strings.Fields("CustomResourceDefinition ClusterRole ClusterRoleBinding CiliumClusterwideNetworkPolicy")
	names := map[string]bool{}
	for _, o := range render(t, most(t)) {
		id := o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
		if names[id] {
			t.Errorf("%s is there twice", id)
		}
		names[id] = true
		if wide := slices.Contains(clusterWide, o.GetKind()); wide != (o.GetNamespace() == "") {
			t.Errorf("%s: cluster-wide is %v", id, wide)
		}
		if why := validation.IsDNS1123Subdomain(o.GetName()); why != nil && !strings.Contains(o.GetKind(), "Role") {
			t.Errorf("%s: %v", id, why)
		}
		if o.GetKind() != "CustomResourceDefinition" && o.GetKind() != "ConfigMap" && o.GetLabels()["app.kubernetes.io/part-of"] != "podid" {
			t.Errorf("%s does not say what it is part of", id)
		}
		for key, value := range o.GetLabels() {
			if why := slices.Concat(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)); len(why) > 0 {
				t.Errorf("%s: label %s=%s: %v", id, key, value, why)
			}
		}
	}
}

func TestRender_isInTheOrderOfInstalling(t *testing.T) {
	t.Parallel()
	var got []string
	for _, o := range render(t, most(t)) {
		if k := o.GetKind(); len(got) == 0 || got[len(got)-1] != k {
			got = append(got, k)
		}
	}
	if slices.Index(got, "ServiceAccount") > slices.Index(got, "Deployment") ||
		slices.Index(got, "ConfigMap") > slices.Index(got, "DaemonSet") || slices.Index(got, "ClusterRole") > slices.Index(got, "ClusterRoleBinding") {
		t.Errorf("got %v", got)
	}
	if unique := slices.Compact(slices.Sorted(slices.Values(got))); len(unique) != len(got) {
		t.Errorf("a kind comes twice: %v", got)
	}
}

// TestChart_schemaSaysAllOfTheDefaults: the chart's own values are valid, and no member of them is unknown to the schema or the other
// way round. AWS's names are there.
func TestChart_schemaSaysAllOfTheDefaults(t *testing.T) {
	t.Parallel()
	var values map[string]any
	read(t, "values.yaml", func(text []byte) error { return yaml.UnmarshalStrict(text, &values) })
	if _, err := manifest.Render(values, manifest.Release{}); err == nil || !strings.Contains(err.Error(), "is required") {
		t.Errorf("the defaults alone: got %v, want nothing wrong but what is required", err)
	}
	var schema map[string]any
	read(t, "values.schema.json", func(text []byte) error { return json.Unmarshal(text, &schema) })
	compare(t, "", schema, values)
	for path := range strings.FieldsSeq("clusterName env.AWS_REGION agent.additionalArgs agent.command agent.probePort agent.livenessEndpoint " +
		"agent.readinessEndpoint init.create init.command init.additionalArgs metrics.enabled metrics.port metrics.path metrics.extraLabels " +
		"metrics.serviceMonitor.enabled metrics.serviceMonitor.interval metrics.serviceMonitor.extraLabels image.containerRegistry image.tag " +
		"image.pullPolicy image.override daemonsets.cloud.create affinity nameOverride fullnameOverride nodeSelector podAnnotations podLabels " +
		"tolerations resources updateStrategy priorityClassName imagePullSecrets") { // spec: pod-identity.md 4.7
		if _, ok, _ := unstructured.NestedFieldNoCopy(values, strings.Split(path, ".")...); !ok {
			t.Errorf("%s of AWS's chart is missing", path)
		}
	}
}

func read(t *testing.T, name string, parse func([]byte) error) {
	t.Helper()
	text, err := fs.ReadFile(deploy.Chart(), name)
	if err == nil {
		err = parse(text)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// compare holds the closed objects of the schema against the values that are there by default.
func compare(t *testing.T, path string, schema, values map[string]any) {
	t.Helper()
	properties, _ := schema["properties"].(map[string]any)
	if properties == nil || len(values) == 0 {
		return
	}
	for name, value := range values {
		if properties[name] == nil {
			t.Errorf("%s.%s is a value that the schema does not know", path, name)
		} else if inner, ok := value.(map[string]any); ok {
			compare(t, path+"."+name, properties[name].(map[string]any), inner)
		}
	}
	open := strings.Fields(".affinity .operator.affinity .resources .operator.resources .updateStrategy .updateStrategy.rollingUpdate") // Kubernetes' own
	for name := range properties {
		if _, ok := values[name]; !ok && name != "global" && !slices.Contains(open, path) {
			t.Errorf("%s.%s is in the schema and has no default", path, name)
		}
	}
}

func TestCRDs_areWhatRenderInstalls(t *testing.T) {
	t.Parallel()
	crds, err := manifest.CRDs()
	if err != nil {
		t.Fatal(err)
	}
	var rendered []*unstructured.Unstructured
	for _, o := range render(t, least()) {
		if o.GetKind() == "CustomResourceDefinition" {
			rendered = append(rendered, o)
		}
	}
	if diff := cmp.Diff(crds, rendered); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
