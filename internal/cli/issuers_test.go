package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestServeRefusesFlagsThatAreWrong holds that a control plane does not start with a setting that it would have to guess, and says which.
func TestServeRefusesFlagsThatAreWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	broken := filepath.Join(dir, "broken.pem")
	for file, text := range map[string]string{
		empty: "nothing", broken: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		flag, value string
		want        []string
	}{
		{"--quota", "cats-per-account=9", []string{`there is no quota "cats-per-account"`, "associations-per-cluster", "rcp-size"}},
		{"--quota", "roles-per-account", []string{"want NAME=NUMBER"}},
		{"--quota", "roles-per-account=many", []string{"is not a number"}},
		{"--issuer-allow", "10.0.0.1", []string{"--issuer-allow", "is not a network like"}},
		{"--issuer-allow", "private", []string{"is not a network like"}},
		{"--issuer-ca", filepath.Join(dir, "none.pem"), []string{"--issuer-ca", "no such file"}},
		{"--issuer-ca", empty, []string{"holds no certificate"}},
		{"--issuer-ca", broken, []string{"--issuer-ca", broken}},
	}
	for _, verb := range []string{"serve", "dev"} {
		for _, test := range tests {
			data := filepath.Join(dir, "data")
			code, _, stderr := podid(t, nil, verb, "--data", data, "--listen", "127.0.0.1:0", test.flag, test.value)
			if code == 0 {
				t.Fatalf("podid %s %s %s started", verb, test.flag, test.value)
			}
			for _, want := range test.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("podid %s %s %s says %q, want %q in it", verb, test.flag, test.value, stderr, want)
				}
			}
			if _, err := os.Stat(data); err == nil {
				t.Fatal("it has made the data folder")
			}
		}
	}
}
