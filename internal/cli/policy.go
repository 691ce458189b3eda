package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/podid/podid/internal/policy"
)

// The exit codes of the policy verbs beside 0: an answer in the negative is not a failure of the program.
const (
	exitNo    = 1 // a case failed, the request is denied, there are findings, the documents differ
	exitError = 2 // the question could not be asked
)

// errNo is the answer no, which has been printed.
const errNo = exitCode(exitNo)

func policyCommand(p *Process) *cobra.Command {
	c := &cobra.Command{
		Use:     "policy",
		Short:   "Test, explain and tidy IAM policies, offline",
		Example: "  podid policy test cases.jsonl",
		Long: "Test, explain and tidy IAM policies with the engine that decides for podid. Nothing here talks to a control plane:\n" +
			"the policies are files, and - is standard input.\n\n" +
			"Exit codes: 0 yes, 1 no (a case fails, the request is denied, there are findings, the documents differ), 2 an error.",
	}
	for _, verb := range []*cobra.Command{
		policyTestCommand(p), policyEvalCommand(p), policyExplainCommand(p), policyLintCommand(p), policyFmtCommand(p),
		policyDiffCommand(p),
	} {
		c.AddCommand(p.withExitCodes(verb))
	}
	return c
}

// withExitCodes makes every failure of a policy verb exit with 2, also those of flags and arguments, so that 1 is always an answer.
func (p *Process) withExitCodes(c *cobra.Command) *cobra.Command {
	run, args := c.RunE, usage(c.Args)
	c.RunE = func(c *cobra.Command, a []string) error { return p.failed(run(c, a)) }
	c.Args = func(c *cobra.Command, a []string) error { return p.failed(args(c, a)) }
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return p.failed(seeHelp(c, err)) })
	return c
}

// failed prints an error that is not an answer and turns it into its exit code.
func (p *Process) failed(err error) error {
	if _, ok := errors.AsType[exitCode](err); err == nil || ok {
		return err
	}
	fmt.Fprintf(p.Stderr, "podid: %v\n", err)
	return exitCode(exitError)
}

// maxPolicyFile bounds what is read of a policy; the engine itself takes 128 KiB.
const maxPolicyFile = 1 << 20

// readPolicy reads a policy file whole. The name - is standard input.
func (p *Process) readPolicy(name string) (string, error) {
	in, err := p.open(name)
	if err != nil {
		return "", err
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, maxPolicyFile+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("read %s: %w", name, err)
	case len(text) > maxPolicyFile:
		return "", fmt.Errorf("%s is longer than %d bytes", name, maxPolicyFile)
	}
	return string(text), nil
}

func (p *Process) open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(p.Stdin), nil
	}
	return os.Open(filepath.Clean(name))
}

// placed puts file, line and column in front of a syntax error, as compilers do.
func placed(name string, err error) error {
	syntax, ok := errors.AsType[*policy.SyntaxError](err)
	if !ok {
		return fmt.Errorf("%s: %w", name, err)
	}
	if syntax.Detail == "" {
		return fmt.Errorf("%s:%d:%d: %s", name, syntax.Line, syntax.Column, syntax.Message)
	}
	return fmt.Errorf("%s:%d:%d: %s %s", name, syntax.Line, syntax.Column, syntax.Message, syntax.Detail)
}

// printJSON prints v as one line.
func (p *Process) printJSON(v any) error {
	e := json.NewEncoder(p.Stdout)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// policyTypes are the names that --type takes, as authorization cases have them.
var policyTypes = map[string]policy.Kind{
	"identity": policy.Identity, "boundary": policy.Boundary, "session": policy.Session, "scp": policy.SCP, "rcp": policy.RCP,
	"trust": policy.Trust, "resource": policy.Bucket,
}

const policyTypeHelp = "what the policy is attached to: identity, boundary, session, scp, rcp, trust or resource;\n" +
	"by default it is guessed: with Principal and without Resource trust, with Principal resource, else identity"

// policyType is the kind that the flag names, or the one that the content suggests.
func policyType(flag, text string) (policy.Kind, error) {
	if flag != "" {
		kind, ok := policyTypes[flag]
		if !ok {
			return 0, fmt.Errorf("unknown policy type %q: it is identity, boundary, session, scp, rcp, trust or resource", flag)
		}
		return kind, nil
	}
	o, err := policy.ReadOutline(text)
	if err != nil {
		return policy.Identity, nil //nolint:nilerr // whoever reads the document next reports it, with its place
	}
	for i := range o.Statements {
		switch s := &o.Statements[i]; {
		case s.Principal != nil && s.Resource == nil:
			return policy.Trust, nil
		case s.Principal != nil:
			return policy.Bucket, nil
		}
	}
	return policy.Identity, nil
}
