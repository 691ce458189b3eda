package quota_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/quota"
)

var update = flag.Bool("update", false, "write the page of the quotas anew")

const page = `# Quotas

How much there may be. The defaults are AWS's. They are not walls: ` + "`podid serve`" + ` and ` + "`podid dev`" + ` take another number with ` + "`--quota NAME=NUMBER`" + `, as
often as there are names, and what is refused beyond it is refused in AWS's words. Replicas of one control plane should have the same.

` + "```sh" + `
podid serve --data /var/lib/podid --quota associations-per-cluster=20000 --quota roles-per-account=5000
` + "```" + `

A number that is lowered deletes nothing: what is there stays, and no more can be made. Most quotas are counted in the replica's own picture of the state,
so a few requests at the same instant may pass one together.

| quota | default | what is counted |
| --- | ---: | --- |
`

// TestPageOfTheQuotas holds docs/operations/quotas.md against the table; -update writes it.
func TestPageOfTheQuotas(t *testing.T) {
	t.Parallel()
	want := strings.Builder{}
	want.WriteString(page)
	for _, q := range quota.All() {
		fmt.Fprintf(&want, "| `%s` | %d | %s |\n", q.Name, q.Default, q.About)
	}
	file := filepath.Join("..", "..", "docs", "operations", "quotas.md")
	if *update {
		if err := os.WriteFile(file, []byte(want.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("the page is not what the table says; write it with: go test ./internal/quota -update\n%s", diff)
	}
}
