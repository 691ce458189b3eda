package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	tests := []struct {
		name string
		args []string
		code int
		want string
	}{
		{"version", []string{"version"}, 0, "unknown\n"},
		{"help", []string{"--help"}, 0, "--cluster-name"},
		{"an unknown flag", []string{"--frobnicate"}, 1, "unknown flag: --frobnicate"},
		{"an argument", []string{"more"}, 1, "unknown command"},
		{"no cluster", nil, 1, "find the cluster"},
		{"no such kubeconfig", []string{"--kubeconfig", file}, 1, file},
		{"a bad level", []string{"--verbosity", "loud"}, 1, `--verbosity "loud" is not one of debug`},
		{"an old TLS", []string{"--tls-min-version", "VersionTLS10"}, 1, "VersionTLS10"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if code := run(t.Context(), test.args, func(string) string { return "" }, &out, &out); code != test.code || !strings.Contains(out.String(), test.want) {
				t.Errorf("status %d: %s", code, out.String())
			}
		})
	}
}

func TestFlags_takeTheEnvironment(t *testing.T) {
	t.Parallel()
	environment := map[string]string{
		"AWS_REGION": "us-east-1", "AWS_CA_BUNDLE": "/ca", "AWS_ROLE_ARN": "arn:r", "AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "POD_NAMESPACE": "here",
	}
	c := rootCommand(func(name string) string { return environment[name] }, &bytes.Buffer{})
	for flag, want := range map[string]string{
		"region": "us-east-1", "ca-file": "/ca", "role-arn": "arn:r", "web-identity-token-file": "/token", "namespace": "here",
		"webhook-port": "9443", "metrics-address": ":9999", "health-address": ":8081", "leader-elect": "true", "service": "podid-operator",
		"token-expiration": "86400", "container-credentials-full-uri": "http://169.254.170.23/v1/credentials",
	} {
		if got := c.Flags().Lookup(flag); got == nil || got.DefValue != want {
			t.Errorf("--%s is %v, want %s", flag, got, want)
		}
	}
}
