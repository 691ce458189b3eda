package server

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestKeySpaceIsDocumented holds docs/ARCHITECTURE.md to the tables that a control plane really opens.
func TestKeySpaceIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "| table | key | record |")
	section, _, ended := strings.Cut(section, "\n\n")
	if !found || !ended {
		t.Fatal("docs/ARCHITECTURE.md has no table of the key space")
	}
	row := regexp.MustCompile("(?m)^\\| (`[a-z-]+`(?:, `[a-z-]+`)*) \\| [^|]+ \\| [^|]+ \\|$")
	name := regexp.MustCompile("`([a-z-]+)`")
	var documented []string
	for _, r := range row.FindAllStringSubmatch(section, -1) {
		for _, n := range name.FindAllStringSubmatch(r[1], -1) {
			documented = append(documented, n[1])
		}
	}
	var opened []string
	for _, table := range new(Config).store().Schema {
		opened = append(opened, table.Name())
	}
	slices.Sort(documented)
	slices.Sort(opened)
	if diff := cmp.Diff(opened, documented); diff != "" {
		t.Errorf("tables of the code (-), of docs/ARCHITECTURE.md (+):\n%s", diff)
	}
}
