package agent

import (
	"bufio"
	"context"
	"io"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/podid/podid/internal/fault"
)

// maxProfileFile bounds a shared credentials file, in bytes.
const maxProfileFile = 1 << 20

// Profile is the Signer that reads a profile of an AWS shared credentials file, at every use: whoever rotates the file need
// not tell the agent.
type Profile struct {
	File string // usually ~/.aws/credentials
	Name string // "": default
}

// Credentials implements [Signer].
func (p Profile) Credentials(context.Context) (aws.Credentials, error) {
	name := p.Name
	if name == "" {
		name = "default"
	}
	f, err := os.Open(p.File)
	if err != nil {
		return aws.Credentials{}, noCredentials("The agent cannot read its shared credentials file.").Because(err)
	}
	defer f.Close() //nolint:errcheck // closing what was read loses nothing
	values, err := readProfile(io.LimitReader(f, maxProfileFile), name)
	if err != nil {
		return aws.Credentials{}, noCredentials("The agent cannot read its shared credentials file.").Because(err)
	}
	return static(func(key string) string { return values[strings.ToLower(key)] }, "profile "+name)
}

// readProfile reads the section of a profile; keys in lower case. Sub-properties (indented lines) are skipped.
func readProfile(r io.Reader, name string) (map[string]string, error) {
	values := make(map[string]string)
	inside := false
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			section, _, _ := strings.Cut(line[1:], "]")
			section = strings.TrimSpace(section)
			inside = section == name || strings.TrimSpace(strings.TrimPrefix(section, "profile ")) == name
			continue
		}
		if key, value, ok := strings.Cut(line, "="); ok && inside && lines.Text()[0] != ' ' && lines.Text()[0] != '\t' {
			values[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
		}
	}
	return values, lines.Err()
}

// Environment is the Signer that reads AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN through getenv.
type Environment func(name string) string

// Credentials implements [Signer].
func (getenv Environment) Credentials(context.Context) (aws.Credentials, error) {
	return static(getenv, "environment")
}

func static(get func(string) string, source string) (aws.Credentials, error) {
	c := aws.Credentials{
		AccessKeyID: get("AWS_ACCESS_KEY_ID"), SecretAccessKey: get("AWS_SECRET_ACCESS_KEY"),
		SessionToken: get("AWS_SESSION_TOKEN"), Source: source,
	}
	if !c.HasKeys() {
		return aws.Credentials{}, noCredentials("The agent has no access key in its %s.", source)
	}
	return c, nil
}

func noCredentials(format string, args ...any) *fault.Error {
	return fault.New(fault.Unavailable, "node credentials", format, args...)
}
