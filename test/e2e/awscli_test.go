package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The profile is all that an AWS CLI needs.
func TestAWSCLI(t *testing.T) {
	t.Parallel()
	aws, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the AWS CLI is not installed: pip install awscli")
	}
	for _, args := range [][]string{nil, {"--tls-self-signed"}} {
		p := newPlane(t, args...)
		for command, want := range map[string]string{
			"eks list-clusters":       `"clusters": []`,
			"sts get-caller-identity": `"arn:aws:iam::111122223333:user/administrator"`,
			"s3 mb s3://made-by-cli":  "make_bucket: made-by-cli",
		} {
			c := exec.CommandContext(t.Context(), aws, strings.Fields(command)...)
			for _, kv := range os.Environ() {
				if !strings.HasPrefix(kv, "AWS_") {
					c.Env = append(c.Env, kv)
				}
			}
			c.Env = append(c.Env, "AWS_PROFILE=podid", "AWS_CONFIG_FILE="+p.awsConfig, "AWS_PAGER=")
			if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
				t.Errorf("aws %s: got %v, %s, want %s", command, err, out, want)
			}
		}
	}
}
