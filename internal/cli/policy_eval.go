package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/podid/podid/internal/policy"
)

func policyEvalCommand(p *Process) *cobra.Command {
	var q question
	c := &cobra.Command{
		Use:   "eval --principal ARN --action ACTION [--resource ARN] [policies]",
		Short: "Decide one request",
		Long: "Decide one request and print the decision: allow, explicitDeny (a Deny statement applies) or implicitDeny, with the reason.\n\n" +
			questionHelp + "\nExit codes: 0 allow, 1 deny, 2 an error.",
		Example: "  podid policy eval --principal arn:aws:iam::111122223333:role/app --action s3:GetObject \\\n" +
			"    --resource arn:aws:s3:::data/x --identity app.json --resource-policy data.json --context aws:SecureTransport=true",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			r, s, err := q.ask(p)
			if err != nil {
				return err
			}
			return printDecision(p, policy.Explain(r, s), q.asJSON)
		},
	}
	q.flags(c)
	return c
}

func printDecision(p *Process, t policy.Trace, asJSON bool) error {
	var err error
	if asJSON {
		err = p.printJSON(struct {
			Decision policy.Outcome       `json:"decision"`
			Layer    policy.Layer         `json:"layer"`
			Why      string               `json:"why"`
			Deciding *policy.StatementRef `json:"deciding,omitempty"`
		}{t.Outcome, t.Layer, t.Sentence(), t.Deciding})
	} else {
		_, err = fmt.Fprintf(p.Stdout, "%s\n%s%s\n", t.Outcome, t.Sentence(), deciding(&t))
	}
	if err == nil && t.Outcome != policy.Allow {
		return errNo
	}
	return err
}

// deciding is the second half of the reason's line: the statement that decided, if one did.
func deciding(t *policy.Trace) string {
	if t.Deciding == nil {
		return ""
	}
	return ", by the " + t.Deciding.String()
}
