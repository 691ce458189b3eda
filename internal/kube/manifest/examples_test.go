package manifest_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestExamples: the policies in deploy/examples are what the chart renders, for those who do not install it with these values.
func TestExamples(t *testing.T) {
	t.Parallel()
	values := least()
	values["networkPolicy"] = map[string]any{"create": true, "namespaces": []any{"shop"}}
	values["ciliumPolicy"] = map[string]any{"create": true}
	texts := map[string]string{}
	for _, o := range render(t, values) {
		var file string
		switch {
		case o.GetKind() == "NetworkPolicy":
			file = "networkpolicy.yaml"
		case strings.HasPrefix(o.GetKind(), "Cilium"):
			file = "ciliumpolicy.yaml"
		default:
			continue
		}
		o.SetLabels(nil)
		text, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] += "---\n" + string(text)
	}
	const head = "# Rendered from deploy/chart, where the comments are. "
	golden(t, "../../../deploy/examples/networkpolicy.yaml", head+"One like the first for each namespace whose outgoing traffic is denied by default.\n"+texts["networkpolicy.yaml"])
	golden(t, "../../../deploy/examples/ciliumpolicy.yaml", head+"To Cilium, an address of the node is the host.\n"+texts["ciliumpolicy.yaml"])
}
