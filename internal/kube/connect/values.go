package connect

import (
	"fmt"
	"os"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/podid/podid/internal/fault"
)

// Values lays values of the chart from files, and then from settings, member.member=value, over a base. What a setting's value is, a number, true
// or a text, is read as YAML reads it.
func Values(base map[string]any, files, settings []string) (map[string]any, error) {
	values := base
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the values: %w", err)
		}
		var some map[string]any
		if err := yaml.UnmarshalStrict(text, &some); err != nil {
			return nil, fmt.Errorf("read the values in %s: %w", file, err)
		}
		values = over(values, some)
	}
	for _, setting := range settings {
		path, text, ok := strings.Cut(setting, "=")
		if !ok || path == "" {
			return nil, fault.New(fault.Invalid, "value", "--set %q is not member=value, for example operator.replicas=3", setting)
		}
		var value any
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			value = text
		}
		members := strings.Split(path, ".")
		for i := len(members) - 1; i >= 0; i-- {
			value = map[string]any{members[i]: value}
		}
		values = over(values, value.(map[string]any))
	}
	return values, nil
}
