package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/podid/podid/internal/policy/cases"
)

func policyTestCommand(p *Process) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "test FILE...",
		Short: "Run authorization cases: questions with the answer that is expected",
		Long: "Run authorization cases: JSON Lines, one question a line, with the answer that is expected. It prints what fails, and\n" +
			"how many passed and failed. A row that cannot be read is a failure of its own and never stops the run.\n\n" +
			"A row asks for a decision (policies, principal, request, expect), whether a document is accepted (policyType, document,\n" +
			"valid), whether two documents mean the same (a, b, equivalent), or whether a bucket policy is public (policy, public).\n\n" +
			"With --json it prints one line a case: id, decision, expect, pass, why.\n" +
			"Exit codes: 0 all pass, 1 some fail, 2 a file cannot be read.",
		Example: "  podid policy test cases.jsonl\n" +
			`  echo '{"id":"not-public","policy":{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}]},"public":false}' |` +
			"\n    podid policy test --json -",
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			t := tester{p: p, json: asJSON}
			for _, name := range args {
				if err := t.file(name); err != nil {
					return err
				}
			}
			if !asJSON {
				fmt.Fprintf(p.Stdout, "%d passed, %d failed\n", t.passed, t.failed)
			}
			if t.failed > 0 {
				return errNo
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON line a case")
	return c
}

type tester struct {
	p              *Process
	json           bool
	passed, failed int
}

func (t *tester) file(name string) error {
	in, err := t.p.open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	for c := range cases.Read(in) {
		r := c.Run()
		if r.Pass {
			t.passed++
		} else {
			t.failed++
		}
		if c.Err != nil || r.Decision == "error" {
			r.Why = fmt.Sprintf("%s:%d: %s", name, c.Line, r.Why)
		}
		if err := t.print(name, &r); err != nil {
			return err
		}
	}
	return nil
}

func (t *tester) print(name string, r *cases.Result) error {
	if t.json {
		return t.p.printJSON(r)
	}
	var err error
	switch {
	case r.Pass:
	case r.Decision == "error":
		_, err = fmt.Fprintf(t.p.Stdout, "FAIL %s\n", r.Why) // names its file and line
	default:
		_, err = fmt.Fprintf(t.p.Stdout, "FAIL %s:%d: %s: %s, expected %s: %s\n", name, r.Line, r.ID, r.Decision, r.Expect, r.Why)
	}
	return err
}
