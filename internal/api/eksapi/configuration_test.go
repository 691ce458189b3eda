package eksapi_test

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/quota"
)

var update = flag.Bool("update", false, "rewrite the schema of configurationValues from the chart's")

// TestConfigurationSchemaIsTheChart holds that what is told of configurationValues is what the chart takes, without what only whoever
// installs it may choose (package manifest refuses that).
func TestConfigurationSchemaIsTheChart(t *testing.T) {
	t.Parallel()
	const file = "configuration.schema.json"
	text, err := os.ReadFile("../../../deploy/chart/values.schema.json")
	must(t, err)
	var want, got map[string]any
	must(t, json.Unmarshal(text, &want))
	want["title"] = "configurationValues of the add-on eks-pod-identity-agent"
	for _, path := range []string{
		"global", "clusterName", "endpoint", "caBundle", "agent.create", "agent.namespace", "agent.roleArn", "daemonsets", "operator", "pods",
		"networkPolicy", "ciliumPolicy", "image", "agent.command", "init.command",
	} {
		at := want
		names := strings.Split(path, ".")
		for _, name := range names[:len(names)-1] {
			at = at["properties"].(map[string]any)[name].(map[string]any)
		}
		delete(at["properties"].(map[string]any), names[len(names)-1])
	}
	delete(want, "required")
	for part, flags := range map[string]string{
		"agent": "-b|--bind-hosts|--probe-port|--address-wait|--metrics-address|--metrics-port|--kubernetes|--max-cache-size|" +
			"--max-credential-retention-before-renewal|--max-service-qps|-v|--verbosity",
		"init": "--link|--ipv4|--ipv6|-v|--verbosity",
	} {
		args := want["properties"].(map[string]any)[part].(map[string]any)["properties"].(map[string]any)["additionalArgs"].(map[string]any)
		args["patternProperties"] = map[string]any{"^(" + flags + ")$": map[string]any{"type": []any{"string", "number", "boolean"}, "minLength": 1.0}}
	}
	want["properties"].(map[string]any)["env"].(map[string]any)["propertyNames"] = map[string]any{"anyOf": []any{
		map[string]any{"const": "AWS_REGION"}, map[string]any{"not": map[string]any{"pattern": "^(AWS_|KUBERNETES_|SSL_|GODEBUG|NODE_NAME|POD_NAMESPACE)"}},
	}}
	if *update {
		text, err := json.MarshalIndent(want, "", "  ")
		must(t, err)
		must(t, os.WriteFile(file, append(text, '\n'), 0o644))
	}
	text, err = os.ReadFile(file)
	must(t, err)
	must(t, json.Unmarshal(text, &got))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("run this test with -update: %s", diff)
	}
}

func TestConfigurationValues(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	agent := aws.String("eks-pod-identity-agent")
	for _, good := range []string{
		"", "{}", `{"agent":{"additionalArgs":{"-b":"169.254.170.23"}}}`, "agent:\n  additionalArgs:\n    -b: 169.254.170.23\n", "tolerations: []",
		`{"env":{"AWS_REGION":"us-west-2","GOGC":50},"init":{"additionalArgs":{"--link":"lo"}},"priorityClassName":"system-node-critical"}`,
		`{"tolerations":[{"operator":"Exists"}],"resources":{"limits":{"memory":"64Mi","cpu":1}}}`,
	} {
		_, err := w.admin.CreateAddon(ctx, &sdk.CreateAddonInput{ClusterName: aws.String("c"), AddonName: agent, ConfigurationValues: &good})
		must(t, err)
		_, err = w.admin.DeleteAddon(ctx, &sdk.DeleteAddonInput{ClusterName: aws.String("c"), AddonName: agent})
		must(t, err)
	}
	const sentence = "ConfigurationValue provided in request is not supported: "
	for bad, text := range map[string]string{
		"[]": "neither JSON nor YAML", "agent": "neither JSON nor YAML", "{": "neither JSON nor YAML", "# nothing": "neither JSON nor YAML",
		"1: {}": "", "{}\n---\n{}": "more than one document", "podLabels: {a: a, a: b}": "neither JSON nor YAML",
		"podLabels: &a {}\npodAnnotations: *a": "aliases",
		`{"agent":{"colour":"red"}}`:           "Json schema validation failed with error: [- at '/agent': additional properties 'colour' not allowed]",
		`{"tolerations":{}}`:                   "Json schema validation failed",
		`{"agent":{"additionalArgs":{"--endpoint":"https://evil.example.com"}}}`: "additional properties '--endpoint' not allowed",
		`{"agent":{"additionalArgs":{"-b":""}}}`:                                 "minLength",
		`{"env":{"AWS_ROLE_ARN":"a"}}`:                                           "env",
		`{"priorityClassName":"a\n      hostPID: true"}`:                         "priorityClassName",
		`{"image":{"override":"evil"}}`:                                          "additional properties 'image' not allowed",
		`{"podLabels":{"a":"` + strings.Repeat("a", 70000) + `"}}`:               "65536 bytes",
	} {
		_, err := w.admin.CreateAddon(ctx, &sdk.CreateAddonInput{ClusterName: aws.String("c"), AddonName: agent, ConfigurationValues: &bad})
		refused[*types.InvalidParameterException](t, err, sentence)
		if err != nil && !strings.Contains(err.Error(), text) {
			t.Errorf("%.60s: got %v, want %s", bad, err, text)
		}
	}
	out, err := w.admin.DescribeAddonConfiguration(ctx, &sdk.DescribeAddonConfigurationInput{AddonName: agent, AddonVersion: aws.String("v1.0.0-podid.1")})
	must(t, err)
	if !json.Valid([]byte(*out.ConfigurationSchema)) || out.PodIdentityConfiguration == nil {
		t.Errorf("the configuration is %+v", out)
	}
	_, err = w.admin.DescribeAddonConfiguration(ctx, &sdk.DescribeAddonConfigurationInput{AddonName: aws.String("vpc-cni"), AddonVersion: aws.String("v1")})
	refused[*types.ResourceNotFoundException](t, err, "vpc-cni")
}
