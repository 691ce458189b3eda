package manifest_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/podid/podid/internal/kube/manifest"
)

var update = flag.Bool("update", false, "write the golden files")

const ca = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

// least is what must be said.
func least() map[string]any {
	return map[string]any{
		"clusterName": "prod", "endpoint": "https://podid.example.com", "env": map[string]any{"AWS_REGION": "eu-west-1"},
		"agent":    map[string]any{"roleArn": "arn:aws:iam::111122223333:role/podid-agent-prod"},
		"operator": map[string]any{"roleArn": "arn:aws:iam::111122223333:role/podid-operator-prod"},
	}
}

// most turns everything on.
func most(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile("testdata/everything.values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.UnmarshalStrict(text, &values); err != nil {
		t.Fatal(err)
	}
	return values
}

func defaults() manifest.Defaults {
	return manifest.Defaults{
		Cluster: "prod", Endpoint: "https://podid.example.com", Region: "eu-west-1", RoleARN: "arn:aws:iam::111122223333:role/podid-agent-prod",
		Namespace: "kube-system", Image: "registry.example.com/podid-agent:v1", CABundle: ca,
	}
}

func render(t *testing.T, values map[string]any) []*unstructured.Unstructured {
	t.Helper()
	objects, err := manifest.Render(values, manifest.Release{})
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func TestRender_golden(t *testing.T) {
	t.Parallel()
	agent, err := manifest.Agent(defaults(), "")
	if err != nil {
		t.Fatal(err)
	}
	for name, objects := range map[string][]*unstructured.Unstructured{
		"default": render(t, least()), "everything": render(t, most(t)), "agent": agent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			for _, o := range objects {
				if o.GetKind() == "CustomResourceDefinition" {
					continue // generated, and large: they are their own golden files
				}
				text, err := yaml.Marshal(o.Object)
				if err != nil {
					t.Fatal(err)
				}
				b.WriteString("---\n" + string(text))
			}
			golden(t, filepath.Join("testdata", name+".yaml"), b.String())
		})
	}
}

// golden compares a text with a file, or writes it.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), or -update:\n%s", file, diff)
	}
}

func TestRender_refusesWrongValues(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		path string
		to   any
		want string // is in the error
	}{
		{"no cluster", "clusterName", "", "clusterName is required"},
		{"no endpoint", "endpoint", "", "endpoint is required"},
		{"no region", "env", map[string]any{"AWS_REGION": ""}, "env.AWS_REGION is required"},
		{"no role", "operator.roleArn", "", "operator.roleArn is required"},
		{"an endpoint in the clear", "endpoint", "http://podid.example.com", "'/endpoint'"},
		{"an endpoint with a path", "endpoint", "https://podid.example.com/x", "'/endpoint'"},
		{"a role that is none", "agent.roleArn", "podid-agent-prod", "'/agent/roleArn'"},
		{"a certificate that is none", "caBundle", "/etc/podid/ca.crt", "'/caBundle'"},
		{"an unknown value", "agents", map[string]any{}, "'agents'"},
		{"an unknown member", "agent.port", 80, "at '/agent': additional properties 'port'"},
		{"a word for a number", "agent.probePort", "2703", "'/agent/probePort'"},
		{"a flag that is none", "agent.additionalArgs", map[string]any{"v": "debug"}, "'/agent/additionalArgs'"},
		{"a variable that is none", "env", map[string]any{"A B": "x"}, "'/env'"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			values := least()
			if parent, member, nested := strings.Cut(test.path, "."); nested {
				values[parent].(map[string]any)[member] = test.to
			} else {
				values[parent] = test.to
			}
			if _, err := manifest.Render(values, manifest.Release{}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestAgent_configurationValues(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, values, path, want string }{
		{"nothing", "", "spec.template.spec.priorityClassName", "system-node-critical"},
		{"JSON", `{"priorityClassName":"mine"}`, "spec.template.spec.priorityClassName", "mine"},
		{"YAML", "podLabels:\n  team: a\n", "spec.template.metadata.labels.team", "a"},
		{"an annotation", `{"podAnnotations":{"a":"b"}}`, "spec.template.metadata.annotations.a", "b"},
		{"flags that say how", `{"priorityClassName":"mine","agent":{"additionalArgs":{"-b":"169.254.170.23","--max-cache-size":10}},"init":{"additionalArgs":{"--ipv6":"off"}},"env":{"AWS_REGION":"us-east-1","GOMEMLIMIT":"64MiB"}}`, "spec.template.spec.priorityClassName", "mine"},
		{"a name", `{"fullnameOverride":"agent"}`, "metadata.name", "agent"},
		{"an update strategy", `{"updateStrategy":{"type":"OnDelete","rollingUpdate":null}}`, "spec.updateStrategy.type", "OnDelete"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			objects, err := manifest.Agent(defaults(), test.values)
			if err != nil {
				t.Fatal(err)
			}
			set := objects[len(objects)-1]
			got, _, err := unstructured.NestedString(set.Object, strings.Split(test.path, ".")...)
			if set.GetKind() != "DaemonSet" || err != nil || got != test.want {
				t.Errorf("%s %s: got %q, %v, want %q", set.GetKind(), test.path, got, err, test.want)
			}
		})
	}
}

func TestAgent_refusesWhatIsNotTheAddonsToChoose(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, values, want string }{
		{"another cluster", `{"clusterName":"dev"}`, "clusterName is not the add-on's"},
		{"another control plane", `{"endpoint":"https://evil.example.com"}`, "endpoint is not the add-on's"},
		{"another role", `{"agent":{"roleArn":"arn:aws:iam::111122223333:role/admin"}}`, "agent.roleArn is not the add-on's"},
		{"another program", `{"image":{"override":"evil"}}`, "image is not the add-on's"},
		{"another command", `{"init":{"command":["sh"]}}`, "init.command is not the add-on's"},
		{"the operator", `{"operator":{"create":true}}`, "operator is not the add-on's"},
		{"a flag that is another control plane", `{"agent":{"additionalArgs":{"--endpoint":"https://evil.example.com"}}}`, "agent.additionalArgs.--endpoint is not the add-on's"},
		{"the same in one word", `{"agent":{"additionalArgs":{"--endpoint=https://evil.example.com":""}}}`, "agent.additionalArgs.--endpoint=https://evil.example.com is not the add-on's"},
		{"the same in its short form", `{"agent":{"additionalArgs":{"-cdev":""}}}`, "agent.additionalArgs.-cdev is not the add-on's"},
		{"a flag as a value", `{"agent":{"additionalArgs":{"-b":"","-v":"--endpoint=https://evil.example.com"}}}`, "agent.additionalArgs.-b needs a value"},
		{"a flag without any", `{"agent":{"additionalArgs":{"-b":null}}}`, "agent.additionalArgs.-b needs a value"},
		{"a flag of the init step", `{"init":{"additionalArgs":{"--help":"1"}}}`, "init.additionalArgs.--help is not the add-on's"},
		{"another role in the environment", `{"env":{"AWS_ROLE_ARN":"arn:aws:iam::111122223333:role/admin"}}`, "env.AWS_ROLE_ARN is not the add-on's"},
		{"another Kubernetes", `{"env":{"KUBERNETES_SERVICE_HOST":"evil.example.com"}}`, "env.KUBERNETES_SERVICE_HOST is not the add-on's"},
		{"other authorities", `{"env":{"SSL_CERT_FILE":"/tmp/evil"}}`, "env.SSL_CERT_FILE is not the add-on's"},
		{"YAML in a priority class", `{"priorityClassName":"a\n      hostPID: true"}`, "at '/priorityClassName'"},
		{"YAML in a path", `{"agent":{"livenessEndpoint":"/healthz}\n          command: [sh] #"}}`, "at '/agent/livenessEndpoint'"},
		{"YAML in another path", `{"agent":{"readinessEndpoint":"/a b"}}`, "at '/agent/readinessEndpoint'"},
		{"YAML in the metrics' path", `{"metrics":{"path":"/metrics\n      hostPID: true"}}`, "at '/metrics/path'"},
		{"an unknown member", `{"agent":{"colour":"red"}}`, "configurationValues: at '/agent': additional properties 'colour' not allowed"},
		{"a wrong type", `{"tolerations":{}}`, "configurationValues: at '/tolerations'"},
		{"a list", `[]`, "neither JSON nor YAML of an object"},
		{"no YAML", "a: [", "neither JSON nor YAML of an object"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if _, err := manifest.Agent(defaults(), test.values); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}

// The version of an image is what the control plane says.
func TestAgent_anImageIsNoMoreThanAnImage(t *testing.T) {
	t.Parallel()
	d := defaults()
	d.Image = "registry.example.com/agent:v1\n          tty: true"
	objects, err := manifest.Agent(d, "")
	if err != nil {
		t.Fatal(err)
	}
	containers, _, err := unstructured.NestedSlice(objects[len(objects)-1].Object, "spec", "template", "spec", "containers")
	if err != nil || len(containers) != 1 {
		t.Fatalf("got %v, %v", containers, err)
	}
	c, _ := containers[0].(map[string]any)
	if _, more := c["tty"]; more || c["image"] != d.Image {
		t.Errorf("it is more of the container: %v", c)
	}
}

func TestAgent_isTheAgentAlone(t *testing.T) {
	t.Parallel()
	objects, err := manifest.Agent(defaults(), "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range objects {
		got = append(got, o.GetKind()+" "+o.GetNamespace()+"/"+o.GetName())
		if by := o.GetLabels()["app.kubernetes.io/managed-by"]; by != "podid-operator" && o.GetKind() != "ConfigMap" {
			t.Errorf("%s is managed by %q", o.GetName(), by)
		}
	}
	want := []string{
		"ServiceAccount kube-system/eks-pod-identity-agent", "ConfigMap kube-system/podid-ca.crt",
		"ClusterRole /eks-pod-identity-agent", "ClusterRoleBinding /eks-pod-identity-agent", "DaemonSet kube-system/eks-pod-identity-agent",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAgent_aProxyNeverStandsBeforeCredentials(t *testing.T) {
	t.Parallel()
	d := defaults()
	d.Proxy = manifest.Proxy{HTTPS: "http://proxy:3128", No: "example.org, 10.0.0.0/8"}
	objects, err := manifest.Agent(d, `{"proxy":{"serviceAddresses":["10.96.0.0/12"]}}`)
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(objects[len(objects)-1].Object)
	if err != nil {
		t.Fatal(err)
	}
	const want = "value: example.org,10.0.0.0/8,localhost,127.0.0.1,::1,169.254.170.23,fd00:ec2::23,.svc,.cluster.local,$(KUBERNETES_SERVICE_HOST),10.96.0.0/12\n"
	if !strings.Contains(string(text), want) {
		t.Errorf("%s is not in\n%s", want, text)
	}
}
