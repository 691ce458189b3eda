package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// flags are those of the agent and of its init step that say how it runs, and not for whom: every other one, and every other spelling
// of one, would come after the operator's own and win. Each takes a value.
var flags = map[string][]string{
	"agent": {
		"-b", "--bind-hosts", "--probe-port", "--address-wait", "--metrics-address", "--metrics-port", "--kubernetes", "--max-cache-size",
		"--max-credential-retention-before-renewal", "--max-service-qps", "-v", "--verbosity",
	},
	"init": {"--link", "--ipv4", "--ipv6", "-v", "--verbosity"},
}

// identifying are the beginnings of the names of variables that say whom the agent signs in as and whom it trusts.
var identifying = []string{"AWS_", "KUBERNETES_", "SSL_", "GODEBUG", "NODE_NAME", "POD_NAMESPACE"}

// checkChoice refuses flags and variables by which a configuration would choose another cluster, control plane or role after all.
func checkChoice(values map[string]any) error {
	for _, part := range slices.Sorted(maps.Keys(flags)) {
		member, _ := values[part].(map[string]any)
		args, _ := member["additionalArgs"].(map[string]any)
		for _, flag := range slices.Sorted(maps.Keys(args)) {
			path := part + ".additionalArgs." + flag
			if !slices.Contains(flags[part], flag) {
				return notChosen(path)
			}
			if value := args[flag]; value == nil || value == "" { // the next flag would be taken for it, and that one's value for a flag
				return fmt.Errorf("configurationValues: %s needs a value", path)
			}
		}
	}
	env, _ := values["env"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if name != "AWS_REGION" && slices.ContainsFunc(identifying, func(begin string) bool { return strings.HasPrefix(name, begin) }) {
			return notChosen("env." + name)
		}
	}
	return nil
}

func notChosen(path string) error {
	return fmt.Errorf("configurationValues: %s is not the add-on's to choose; it is set where the operator is installed", path)
}
