package cli_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/podid/podid/internal/cli"
)

// podid runs one command line in this process.
func podid(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = cli.Run(t.Context(), cli.Process{Args: args, Env: env, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs})
	return code, out.String(), errs.String()
}

func TestEveryVerbHasHelpWithAnExample(t *testing.T) {
	t.Parallel()
	seen := 0
	var visit func(path []string)
	visit = func(path []string) {
		code, help, stderr := podid(t, nil, append(path[:len(path):len(path)], "--help")...)
		name := strings.Join(append([]string{"podid"}, path...), " ")
		if code != 0 || stderr != "" {
			t.Fatalf("%s --help: exit code %d, %s", name, code, stderr)
		}
		_, example, ok := strings.Cut(help, "\nExamples:\n")
		if !ok || !strings.HasPrefix(example, "  ") || !strings.Contains(example, name) {
			t.Errorf("%s --help has no example of itself", name)
		}
		seen++
		_, list, _ := strings.Cut(help, "\nAvailable Commands:\n")
		list, _, _ = strings.Cut(list, "\n\n")
		for line := range strings.Lines(list) {
			if verb := strings.Fields(line)[0]; verb != "help" {
				visit(append(path[:len(path):len(path)], verb))
			}
		}
	}
	visit(nil)
	if want := 8; seen < want {
		t.Errorf("found %d verbs, want at least %d", seen, want)
	}
}

func TestDefaultsComeFromTheGivenEnvironment(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		env  []string
		want []string
	}{
		{"home", []string{"HOME=/home/a"}, []string{`(default "/home/a/.podid")`, `(default "/home/a/.aws/config")`}},
		{"variables", []string{"HOME=/home/a", "PODID_DATA=/d", "AWS_CONFIG_FILE=/c"}, []string{`(default "/d")`, `(default "/c")`}},
		{"the last one counts", []string{"PODID_DATA=/d", "PODID_DATA=/e"}, []string{`(default "/e")`}},
		{"nothing", nil, []string{`(default ".podid")`, `(default ".aws/config")`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, help, _ := podid(t, test.env, "serve", "--help")
			for _, want := range test.want {
				if !strings.Contains(help, want) {
					t.Errorf("podid serve --help lacks %q:\n%s", want, help)
				}
			}
		})
	}
}
