package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/podid/podid/internal/policy/diff"
)

func policyDiffCommand(p *Process) *cobra.Command {
	var typ string
	var asJSON bool
	var budget int
	c := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say what a changed policy newly allows or denies",
		Long: "Say what a changed policy newly allows or denies. It is not a text comparison: requests that can tell the two documents\n" +
			"apart are built from all that either names (actions, resources, principals, condition values, and something that nobody\n" +
			"names), and put to both. Every difference that is printed has been evaluated. The search is bounded and says so where it\n" +
			"stopped early.\n\n" +
			"Exit codes: 0 no difference, 1 they differ, 2 an error.",
		Example: "  podid policy diff old.json new.json\n  git show HEAD:app.json | podid policy diff --json - app.json",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			report, err := compare(p, typ, args[0], args[1], budget)
			if err != nil {
				return err
			}
			if asJSON {
				err = p.printJSON(report)
			} else {
				_, err = fmt.Fprint(p.Stdout, inWords(report))
			}
			if err == nil && len(report.Differences) > 0 {
				return errNo
			}
			return err
		},
	}
	c.Flags().StringVar(&typ, "type", "", policyTypeHelp)
	c.Flags().IntVar(&budget, "budget", diff.DefaultBudget, "requests to evaluate at most")
	c.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return c
}

func compare(p *Process, typ, before, after string, budget int) (*diff.Report, error) {
	if before == "-" && after == "-" {
		return nil, errors.New("standard input (-) can be one policy only")
	}
	old, err := p.readPolicy(before)
	if err != nil {
		return nil, err
	}
	changed, err := p.readPolicy(after)
	if err != nil {
		return nil, err
	}
	kind, err := policyType(typ, old)
	if err != nil {
		return nil, err
	}
	report, err := diff.Documents(kind, old, changed, budget)
	if side, ok := errors.AsType[*diff.SideError](err); ok {
		if side.Old {
			return nil, placed(before, side.Err)
		}
		return nil, placed(after, side.Err)
	}
	return report, err
}

func inWords(r *diff.Report) string {
	var b strings.Builder
	for i := range r.Differences {
		d := &r.Differences[i]
		fmt.Fprintf(&b, "%s:\n  actions:    %s\n  resources:  %s\n", d.Change.Words(), strings.Join(d.Actions, ", "), strings.Join(d.Resources, ", "))
		if len(d.Principals) > 0 {
			fmt.Fprintf(&b, "  principals: %s\n", strings.Join(d.Principals, ", "))
		}
		for j, w := range d.When {
			lead := "  when:       "
			if j > 0 {
				lead = "  and:        "
			}
			fmt.Fprintf(&b, "%s%s\n", lead, w)
		}
		e := &d.Example
		fmt.Fprintf(&b, "  example:    %s, %s on %s%s: %s before, %s now\n\n", e.Principal, e.Action, e.Resource, contextWords(e.Context), e.Old, e.New)
	}
	switch {
	case r.Equivalent:
		fmt.Fprint(&b, "The documents mean the same.\n")
	case len(r.Differences) == 0:
		fmt.Fprintf(&b, "No difference in %d requests.\n", r.Evaluated)
	default:
		fmt.Fprintf(&b, "%d groups of differences, from %d requests.\n", len(r.Differences), r.Evaluated)
	}
	if !r.Complete {
		fmt.Fprint(&b, "The search stopped at its bound: there may be more differences (see --budget).\n")
	}
	return b.String()
}

func contextWords(keys map[string][]string) string {
	if len(keys) == 0 {
		return ""
	}
	text, err := json.Marshal(keys) // sorts the keys
	if err != nil {
		return ""
	}
	return " with " + string(text)
}
