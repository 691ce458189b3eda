package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	good := []string{"server", "-c", "prod", "--endpoint", "https://podid.example.com", "--region", "us-east-1"}
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"version":               {[]string{"version"}, 0, "unknown\n"},
		"help":                  {[]string{"server", "--help"}, 0, "podid-agent server --cluster-name prod"},
		"no cluster":            {[]string{"server"}, 1, "--cluster-name, --endpoint and --region are needed"},
		"plain http":            {append(good[:len(good):len(good)], "--endpoint", "http://podid.example.com"), 1, "The endpoint must be https"},
		"half a web identity":   {append(good[:len(good):len(good)], "--role-arn", "arn:aws:iam::111122223333:role/a"), 1, "needed, both"},
		"no certificate":        {append(good[:len(good):len(good)], "--ca-file", empty), 1, "holds no PEM certificate"},
		"an unknown level":      {append(good[:len(good):len(good)], "-v", "loud"), 1, `--verbosity "loud"`},
		"an address not there":  {append(good[:len(good):len(good)], "-b", "192.0.2.1", "--address-wait", "1ms", "--probe-port", "0"), 1, "Cannot listen on 192.0.2.1:80"},
		"an unknown flag":       {append(good[:len(good):len(good)], "--rotate"), 1, "unknown flag"},
		"an unknown subcommand": {[]string{"install"}, 1, "unknown command"},
		"a link with a slash":   {[]string{"initialize", "--link", "a/b"}, 1, "is not a name that a link can have"},
		"neither on nor off":    {[]string{"initialize", "--link", "lo", "--ipv6", "maybe"}, 1, "auto, on or off"},
		"watch nothing":         {append(good[:len(good):len(good)], "--kubernetes", "on"), 1, "KUBERNETES_SERVICE_HOST"},
		"watch perhaps":         {append(good[:len(good):len(good)], "--kubernetes", "maybe"), 1, "not one of auto, on, off"},
		"not injected":          {[]string{"probe"}, 1, "no webhook injected this pod"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			code := run(t.Context(), c.args, func(string) string { return "" }, &out, &out)
			if code != c.code || !strings.Contains(out.String(), c.want) {
				t.Errorf("got %d %q, want %d and %q", code, out.String(), c.code, c.want)
			}
		})
	}
}
