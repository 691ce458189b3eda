package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// TestStory is make demo. Steps that this machine cannot do are skipped sub-tests, whose sentences make test prints.
func TestStory(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	dir := t.TempDir()
	d := &demo{dir: dir, out: &out, awsConfig: filepath.Join(dir, "aws", "config")}
	var secrets []string
	err := d.run(t.Context(), func(ctx context.Context) error {
		if err := d.story(ctx); err != nil {
			return err
		}
		secrets = d.secrets(ctx, t)
		return nil
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if last := lines[len(lines)-1]; !regexp.MustCompile(`^[1-9][0-9]* steps passed$`).MatchString(last) || d.passed+len(d.skips) != 21 {
		t.Errorf("the last line is %q, with %d skipped of 21 steps", last, len(d.skips))
	}
	for _, how := range d.skips {
		t.Run("skipped", func(t *testing.T) { t.Skip(string(how)) })
	}
	t.Run("no secret is recorded or logged", func(t *testing.T) {
		records, err := os.ReadFile(filepath.Join(d.data(), "records.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"the records": string(records), "standard error": d.log.String(), "the demo's output": out.String()} {
			if jwt := regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+`).FindString(text); jwt != "" {
				t.Errorf("%s hold a token: %.30s...", name, jwt)
			}
			for _, s := range secrets {
				if strings.Contains(text, s) {
					t.Errorf("%s hold the secret %.4s...", name, s)
				}
			}
		}
	})
	if strings.Contains(d.log.String(), "level=ERROR") {
		t.Errorf("podid dev logged an error:\n%s", d.log.String())
	}
	t.Run("every record is a line of JSON", func(t *testing.T) {
		records, err := os.ReadFile(filepath.Join(d.data(), "records.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for line := range strings.Lines(string(records)) {
			var r struct{ EventName, EventSource, RequestID string }
			if err := json.Unmarshal([]byte(line), &r); err != nil || r.EventSource == "" || r.RequestID == "" {
				t.Errorf("not a record (%v): %s", err, line)
			}
			n++
		}
		if n < 50 {
			t.Errorf("the story left %d records, want more", n)
		}
	})
}

// secrets are real ones that this control plane has seen: of administrators, of a pod, its token and a changed one.
func (d *demo) secrets(ctx context.Context, t *testing.T) []string {
	t.Helper()
	token, err := d.token(ctx, "pods.eks.amazonaws.com")
	if err != nil {
		t.Fatal(err)
	}
	pod, err := d.askAgent(ctx, token)
	if err != nil {
		t.Fatal(err)
	}
	forged := token[:len(token)-8] + "AAAAAAAA"
	if _, err := d.askAgent(ctx, forged); err == nil {
		t.Error("a forged token was accepted")
	}
	secrets := []string{pod.SecretAccessKey, pod.SessionToken, token, forged}
	c := d.cluster.Copy()
	c.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return pod, nil })
	if _, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, nil); err != nil {
		t.Fatal(err)
	}
	pod.SessionToken += "A"
	if _, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, nil); err == nil {
		t.Error("a changed session token was accepted")
	}
	for _, administrator := range []aws.Config{d.cluster, d.bucket} {
		k, err := administrator.Credentials.Retrieve(ctx)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, k.SecretAccessKey)
	}
	return secrets
}
