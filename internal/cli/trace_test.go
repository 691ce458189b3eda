package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTraceLooksIntoRotatedFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, id := range map[string]string{
		"records.jsonl": "now", "records-2026-11-23T10-00-00.000.jsonl": "before", "records-2026-11-22T10-00-00.000.jsonl": "long-ago",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(`{"requestID":"`+id+`"}`+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"now", "before", "long-ago"} {
		var out bytes.Buffer
		if err := trace(&Process{Stdout: &out}, filepath.Join(dir, "records.jsonl"), id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		if !strings.Contains(out.String(), `"requestID": "`+id+`"`) {
			t.Errorf("%s: got %s", id, out.String())
		}
	}
	if err := trace(&Process{}, filepath.Join(dir, "records.jsonl"), "never"); err == nil || !strings.Contains(err.Error(), "no request never") {
		t.Errorf("got %v", err)
	}
}
