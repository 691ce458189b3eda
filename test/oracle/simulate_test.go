package oracle_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/test/oracle"
	"github.com/podid/podid/test/oracle/reference"
)

// askable reports whether iam-simulate has a notion of what the question is about: it knows no bearer of a web identity token, and it
// takes an asterisk in the resource of a request for a wildcard.
func askable(c reference.Case) bool {
	return c.Principal.Type != "webIdentity" && !strings.Contains(c.Request.Resource, "*")
}

// TestSimulateAgrees asks iam-simulate 20,000 questions. It may answer otherwise than the engine only where a quirk predicts it;
// docs/compat/policy.md speaks of each.
func TestSimulateAgrees(t *testing.T) {
	t.Parallel()
	const questions = 20_000
	folder := simulator(t)
	var cases []reference.Case
	oracle.NewGenerator(2).Questions(2*questions, func(c reference.Case) bool {
		if askable(c) {
			cases = append(cases, c)
		}
		return len(cases) < questions
	})
	if len(cases) != questions {
		t.Fatalf("%d questions, want %d", len(cases), questions)
	}
	said := simulate(t, folder, cases)
	because := map[string]int{}
	differ, unexplained := 0, 0
	for i, c := range cases {
		s, err := reference.Read(c.Policies, c.Request.Action)
		if err != nil {
			t.Fatal(err)
		}
		set, err := oracle.Set(c.Policies)
		if err != nil {
			t.Fatal(err)
		}
		ours := policy.Evaluate(oracle.Request(c), set).Outcome.String()
		if predicted := s.DecideLike(reference.AllQuirks, c.Principal, c.Request); said[i] != predicted {
			if unexplained++; unexplained <= 5 {
				text, _ := json.Marshal(c)
				t.Errorf("iam-simulate says %s, the quirks predict %s, the engine says %s:\n%s", said[i], predicted, ours, text)
			}
		}
		if said[i] != ours {
			differ++
			because[reason(s, c, said[i], ours).String()]++
		}
	}
	t.Logf("%d questions, %d answers differ, %d unexplained", questions, differ, unexplained)
	for _, q := range append(reference.EachQuirk(), 0) {
		n := because[q.String()]
		t.Logf("%-26s %d", q, n)
		if q != 0 && n == 0 {
			t.Errorf("%s explains nothing: take it out, or draw questions that need it", q)
		}
	}
}

// reason is the quirk that alone makes the difference, or without which there would be none.
func reason(s *reference.Stack, c reference.Case, theirs, ours string) reference.Quirk {
	for _, q := range reference.EachQuirk() {
		if s.DecideLike(q, c.Principal, c.Request) == theirs || s.DecideLike(reference.AllQuirks&^q, c.Principal, c.Request) == ours {
			return q
		}
	}
	return 0
}

// simulator is the folder that holds iam-simulate.
func simulator(t *testing.T) string {
	t.Helper()
	cache := os.Getenv("PODID_CACHE")
	if cache == "" {
		cache = "../../.cache"
	}
	folder, err := filepath.Abs(filepath.Join(cache, "oracle"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "@cloud-copilot", "iam-simulate")); errors.Is(err, fs.ErrNotExist) {
		t.Skip("iam-simulate is not there: run test/oracle/simulate/install (needs npm; it installs into .cache/oracle)")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not there: install Node.js 20 or newer (Debian: apt-get install nodejs npm)")
	}
	return folder
}

func simulate(t *testing.T, folder string, cases []reference.Case) []string {
	t.Helper()
	var in bytes.Buffer
	rows := json.NewEncoder(&in)
	for _, c := range cases {
		if err := rows.Encode(c); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "node", "simulate/simulate.mjs", folder)
	var failure bytes.Buffer
	cmd.Stdin, cmd.Stderr = &in, &failure
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, failure.String())
	}
	var said []string
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		said = append(said, lines.Text())
	}
	if len(said) != len(cases) {
		t.Fatalf("%d answers to %d questions", len(said), len(cases))
	}
	return said
}
