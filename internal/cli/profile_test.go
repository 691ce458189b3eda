package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

var ours = Profile{
	Name: "podid", Region: "us-east-1", Endpoint: "http://127.0.0.1:8474", AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "secret",
}

const oursText = `[profile podid]
# written by podid for /data
region = us-east-1
endpoint_url = http://127.0.0.1:8474
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = secret
s3 =
  addressing_style = path
  signature_version = s3v4
`

func TestWriteProfiles(t *testing.T) {
	t.Parallel()
	const other = "[default]\nregion = eu-west-1\n\n[profile work]\n# mine\nregion = eu-central-1\n"
	tests := []struct {
		name, before, after string
		err                 error
	}{
		{name: "an empty file", before: "", after: oursText},
		{name: "other profiles are kept as they are", before: other, after: other + "\n" + oursText},
		{
			name:   "our own section is replaced where it stands",
			before: "[profile podid]\n# written by podid for /data\nregion = old\n[default]\nregion = eu-west-1\n",
			after:  oursText + "[default]\nregion = eu-west-1\n",
		},
		{
			name:   "a section of somebody else is refused and nothing is written",
			before: "[profile podid]\nregion = us-west-2\n",
			after:  "[profile podid]\nregion = us-west-2\n", err: errForeignProfile,
		},
		{
			name:   "a section of another data folder is refused",
			before: "[profile podid]\n# written by podid for /data2\nregion = us-west-2\n",
			after:  "[profile podid]\n# written by podid for /data2\nregion = us-west-2\n", err: errForeignProfile,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "config")
			if err := os.WriteFile(file, []byte(test.before), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := writeProfiles(file, "/data", []Profile{ours}); !errors.Is(err, test.err) {
				t.Fatalf("got error %v, want %v", err, test.err)
			}
			after, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(after), test.after); diff != "" {
				t.Errorf("got (-), want (+):\n%s", diff)
			}
			if test.err != nil {
				return
			}
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != 0o600 {
				t.Errorf("the file holds a secret key and has mode %o, want 600", got)
			}
		})
	}
}

func TestWriteProfiles_followsALink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target, link := filepath.Join(dir, "dotfiles"), filepath.Join(dir, "config")
	if err := os.WriteFile(target, []byte("[default]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := writeProfiles(link, "/data", []Profile{ours}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), "[default]\n\n"+oursText); diff != "" {
		t.Errorf("got (-), want (+):\n%s", diff)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced by a file (%v)", err)
	}
}

func TestWriteProfiles_atTheSameTime(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "aws", "config")
	var g errgroup.Group
	const writers = 8
	for i := range writers {
		g.Go(func() error {
			p := ours
			p.Name = fmt.Sprintf("podid-%d", i)
			return writeProfiles(file, fmt.Sprintf("/data%d", i), []Profile{p})
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(sections(string(text))); got != writers {
		t.Errorf("got %d sections, want %d:\n%s", got, writers, text)
	}
}
