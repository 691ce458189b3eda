package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/podid/podid/internal/policy/lint"
)

// severities are the values of --fail-on, the weightiest first.
var severities = []lint.Severity{lint.Error, lint.Warning, lint.Suggestion}

func policyLintCommand(p *Process) *cobra.Command {
	var typ, failOn string
	var asJSON, list bool
	c := &cobra.Command{
		Use:   "lint FILE...",
		Short: "Find what is wrong, dangerous or superfluous in policies",
		Long: "Find what is wrong, dangerous or superfluous in policies. Each finding has a place, a severity (error, warning, suggestion)\n" +
			"and the id of its rule; --rules lists the rules. With --json it prints one line a finding: file, rule, severity, line,\n" +
			"column, message.\n\n" +
			"Exit codes: 0 nothing found of the severity of --fail-on or above, 1 something found, 2 an error.",
		Example: "  podid policy lint app.json trust.json\n  podid policy lint --type scp --fail-on error --json guardrail.json",
		Args: func(c *cobra.Command, args []string) error {
			if list {
				return cobra.NoArgs(c, args)
			}
			return cobra.MinimumNArgs(1)(c, args)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			fails := slices.Index(severities, lint.Severity(failOn))
			switch {
			case fails < 0:
				return fmt.Errorf("--fail-on %s: it is error, warning or suggestion", failOn)
			case list:
				return printRules(p, asJSON)
			}
			l := linter{p: p, typ: typ, json: asJSON, fails: severities[:fails+1]}
			for _, name := range args {
				if err := l.file(name); err != nil {
					return err
				}
			}
			if l.failed {
				return errNo
			}
			return nil
		},
	}
	c.Flags().StringVar(&typ, "type", "", policyTypeHelp)
	c.Flags().StringVar(&failOn, "fail-on", string(lint.Warning), "least severity that makes the exit code 1: error, warning or suggestion")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON line a finding")
	c.Flags().BoolVar(&list, "rules", false, "list the rules and stop")
	return c
}

type linter struct {
	p      *Process
	typ    string
	json   bool
	fails  []lint.Severity
	failed bool
}

func (l *linter) file(name string) error {
	text, err := l.p.readPolicy(name)
	if err != nil {
		return err
	}
	kind, err := policyType(l.typ, text)
	if err != nil {
		return err
	}
	for _, f := range lint.Check(kind, text) {
		l.failed = l.failed || slices.Contains(l.fails, f.Severity)
		if l.json {
			err = l.p.printJSON(struct {
				File string `json:"file"`
				lint.Finding
			}{name, f})
		} else {
			_, err = fmt.Fprintf(l.p.Stdout, "%s:%d:%d: %s: %s [%s]\n", name, f.Line, f.Column, f.Severity, f.Message, f.Rule)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func printRules(p *Process, asJSON bool) error {
	for _, r := range lint.Rules() {
		var err error
		if asJSON {
			err = p.printJSON(r)
		} else {
			_, err = fmt.Fprintf(p.Stdout, "%-10s  %-28s  %s\n", r.Severity, r.ID, r.About)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
