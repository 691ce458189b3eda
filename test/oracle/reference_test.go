package oracle_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/test/oracle"
	"github.com/podid/podid/test/oracle/reference"
)

// corpus calls f with every row of the engine's corpus that asks for a decision.
func corpus(t testing.TB, f func(file string, c reference.Case)) {
	t.Helper()
	files, err := filepath.Glob("../../internal/policy/testdata/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	for _, file := range files {
		text, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(text)
		lines.Buffer(nil, 4<<20)
		for lines.Scan() {
			var c reference.Case
			if err := json.Unmarshal(lines.Bytes(), &c); err == nil && c.Request.Action != "" {
				f(filepath.Base(file), c)
			}
		}
		if err := lines.Err(); err != nil {
			t.Error(err)
		}
		if err := text.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The reference is worth something only as long as it knows all that the corpus says.
func TestReferencePassesTheCorpus(t *testing.T) {
	t.Parallel()
	rows := 0
	corpus(t, func(file string, c reference.Case) {
		rows++
		s, err := reference.Read(c.Policies, c.Request.Action)
		if err != nil {
			t.Errorf("%s: %s: %v", file, c.ID, err)
			return
		}
		if got := s.Decide(c.Principal, c.Request); got != c.Expect {
			t.Errorf("%s: %s: the reference says %s, the row %s", file, c.ID, got, c.Expect)
		}
	})
	if rows < 400 {
		t.Errorf("%d rows, want the whole corpus", rows)
	}
}

// compare asks both evaluators, and the engine twice: with and without a trace.
func compare(t *testing.T, questions int, seed uint64) (outcomes map[string]int) {
	t.Helper()
	outcomes = map[string]int{}
	var stack *reference.Stack
	var set *policy.Set
	last := -1
	oracle.NewGenerator(seed).Questions(questions, func(c reference.Case) bool {
		if n := stackNumber(c); n != last {
			last = n
			var err error
			if stack, err = reference.Read(c.Policies, c.Request.Action); err != nil {
				t.Fatal(err)
			}
			if set, err = oracle.Set(c.Policies); err != nil {
				t.Fatalf("the engine refuses what was drawn: %v", err)
			}
		}
		r := oracle.Request(c)
		got, want := policy.Evaluate(r, set), stack.Decide(c.Principal, c.Request)
		outcomes[want]++
		if got.Outcome.String() != want {
			text, _ := json.Marshal(c)
			t.Errorf("seed %d: the engine says %s (%s), the reference %s:\n%s", seed, got.Outcome, got.Layer, want, text)
		}
		if trace := policy.Explain(r, set); trace.Decision != got {
			t.Errorf("seed %d, %s: explained as %+v, decided as %+v", seed, c.ID, trace.Decision, got)
		}
		return !t.Failed()
	})
	return outcomes
}

func stackNumber(c reference.Case) int {
	n := 0
	for _, d := range c.ID[len("generated-"):] {
		n = 10*n + int(d-'0')
	}
	return (n - 1) / 5
}

func TestReferenceAgreesWithTheEngine(t *testing.T) {
	t.Parallel()
	for outcome, n := range compare(t, 40_000, 1) {
		t.Logf("%s: %d", outcome, n)
		if n < 2_000 {
			t.Errorf("%s came out %d times of 40,000: the questions are one-sided", outcome, n)
		}
	}
}

func FuzzReference(f *testing.F) {
	for seed := range uint64(3) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { compare(t, 50, seed) })
}
