package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/podid/podid/internal/policy"
)

func policyExplainCommand(p *Process) *cobra.Command {
	var q question
	c := &cobra.Command{
		Use:   "explain --principal ARN --action ACTION [--resource ARN] [policies]",
		Short: "Say why one request is allowed or refused, and what would allow it",
		Long: "Decide one request and show how: what every layer of policies answers, the statements that apply, and the statements that\n" +
			"nearly do, each with the first element that failed and both values.\n\n" +
			"For a refused request it goes on with what would allow it: the smallest changes first. Each has been made and evaluated.\n" +
			"No wildcard is proposed; where a change of an existing statement allows more than the request, that is said.\n\n" +
			questionHelp + "\nExit codes: 0 whatever the decision, 2 an error.",
		Example: "  podid policy explain --principal arn:aws:iam::111122223333:role/app --action s3:PutObject \\\n" +
			"    --resource arn:aws:s3:::data/x --identity app.json --boundary limits.json",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			r, s, err := q.ask(p)
			if err != nil {
				return err
			}
			e := explanation{Trace: policy.Explain(r, s), Suggestions: policy.Suggest(r, s)}
			e.Why = e.Sentence()
			if q.asJSON {
				return p.printJSON(&e)
			}
			var b strings.Builder
			e.print(&b)
			_, err = io.WriteString(p.Stdout, b.String())
			return err
		},
	}
	q.flags(c)
	return c
}

// explanation is all there is to say about a decision.
type explanation struct {
	policy.Trace

	Why         string              `json:"why"`
	Suggestions []policy.Suggestion `json:"suggestions,omitempty"`
}

func (e *explanation) print(w *strings.Builder) {
	fmt.Fprintf(w, "%s\n%s%s\n", e.Outcome, e.Sentence(), deciding(&e.Trace))
	if len(e.Layers) == 0 {
		fmt.Fprint(w, "\nNo policy bears on the request.\n")
	} else {
		fmt.Fprint(w, "\nLayers:\n")
	}
	for i := range e.Layers {
		printLayer(w, &e.Layers[i])
	}
	switch {
	case e.Outcome == policy.Allow:
		return
	case len(e.Suggestions) == 0:
		fmt.Fprint(w, "\nNo small change was found that would allow this.\n")
		return
	}
	fmt.Fprint(w, "\nWhat would allow this, smallest first (each evaluated):\n")
	for i := range e.Suggestions {
		printSuggestion(w, i+1, &e.Suggestions[i])
	}
}

func printLayer(w io.Writer, l *policy.LayerResult) {
	name := l.Layer.String()
	if l.Layer == policy.SCPLayer || l.Layer == policy.RCPLayer {
		name += ", level " + strconv.Itoa(l.Level+1)
	}
	documents := fmt.Sprintf("%d documents", l.Documents)
	if l.Documents == 1 {
		documents = "1 document"
	}
	fmt.Fprintf(w, "  %s (%s): %s\n", name, documents, l.Result)
	for i := range l.Statements {
		s := &l.Statements[i]
		named := ""
		if s.Named != "" {
			named = ", names the caller (" + s.Named + ")"
		}
		fmt.Fprintf(w, "    applies: %s%s\n", s, named)
	}
	for i := range l.NearMisses {
		m := &l.NearMisses[i]
		fmt.Fprintf(w, "    nearly:  %s\n", &m.StatementRef)
		fmt.Fprintf(w, "             %s: %s\n", missed(m), difference(m))
	}
}

func missed(m *policy.NearMiss) string {
	if m.Element == "Condition" {
		return m.Operator + " " + m.Key
	}
	return m.Element
}

func difference(m *policy.NearMiss) string {
	request := "the request does not have it"
	if m.Present {
		request = "the request has " + quoted(m.Request)
	}
	return request + ", the policy asks for " + quoted(m.Policy)
}

func quoted(values []string) string {
	if len(values) == 0 {
		return "no value"
	}
	var out []string
	for _, v := range values {
		out = append(out, strconv.Quote(v))
	}
	return strings.Join(out, ", ")
}

func printSuggestion(w io.Writer, n int, s *policy.Suggestion) {
	for i := range s.Edits {
		e := &s.Edits[i]
		lead := fmt.Sprintf("  %d. ", n)
		if i > 0 {
			lead = "     and "
		}
		fmt.Fprintf(w, "%s%s\n", lead, e.Sentence())
		if e.Text != "" {
			fmt.Fprintf(w, "       %s\n", strings.ReplaceAll(strings.TrimSuffix(e.Text, "\n"), "\n", "\n       "))
		}
	}
}
