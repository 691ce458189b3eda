package secretfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/podid/podid/internal/secretfile"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		prepare func(t *testing.T, dir string) (write, read string)
	}{
		{"a new file", func(_ *testing.T, dir string) (string, string) {
			return filepath.Join(dir, "file"), filepath.Join(dir, "file")
		}},
		{"a file that others could read", func(t *testing.T, dir string) (string, string) {
			file := filepath.Join(dir, "file")
			write(t, file, "old", 0o644)
			return file, file
		}},
		{"the same content in a file that others could read", func(t *testing.T, dir string) (string, string) {
			file := filepath.Join(dir, "file")
			write(t, file, "new", 0o644)
			return file, file
		}},
		{"a link", func(t *testing.T, dir string) (string, string) {
			write(t, filepath.Join(dir, "target"), "old", 0o644)
			return link(t, filepath.Join(dir, "target"), filepath.Join(dir, "link")), filepath.Join(dir, "target")
		}},
		{"a relative link to a file that is not there", func(t *testing.T, dir string) (string, string) {
			return link(t, "target", filepath.Join(dir, "link")), filepath.Join(dir, "target")
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file, result := test.prepare(t, dir)
			if err := secretfile.Write(file, []byte("new")); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(result)
			if err != nil || string(got) != "new" {
				t.Errorf("got %q, %v, want %q", got, err, "new")
			}
			info, err := os.Lstat(result)
			if err != nil || info.Mode() != 0o600 {
				t.Errorf("got mode %v, %v, want 0600 of a regular file", info.Mode(), err)
			}
			if left, err := filepath.Glob(filepath.Join(dir, ".podid-*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestWrite_linksInACircle(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link(t, filepath.Join(dir, "b"), filepath.Join(dir, "a"))
	link(t, filepath.Join(dir, "a"), filepath.Join(dir, "b"))
	if err := secretfile.Write(filepath.Join(dir, "a"), nil); err == nil {
		t.Error("a circle of links was written through")
	}
}

func write(t *testing.T, file, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, name string) string {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
	return name
}
