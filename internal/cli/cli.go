// Package cli is the verbs of podid. It parses, calls and prints; everything it does, a client of the APIs could do, but for
// starting a control plane.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is stamped at build time.
var version = ""

// Process is what a program is given: nothing in this package reads the real one's.
type Process struct {
	Args   []string
	Env    []string // KEY=VALUE
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
}

// getenv is the value of a variable, or "".
func (p *Process) getenv(name string) string {
	for i := len(p.Env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(p.Env[i], name+"="); ok {
			return v
		}
	}
	return ""
}

// home is the user's home folder: the default place of data and of the AWS config.
func (p *Process) home() string {
	if h := p.getenv("HOME"); h != "" {
		return h
	}
	return "."
}

// dataDir is the default data folder.
func (p *Process) dataDir() string {
	if d := p.getenv("PODID_DATA"); d != "" {
		return d
	}
	return filepath.Join(p.home(), ".podid")
}

// awsConfig is the AWS shared config file of the user.
func (p *Process) awsConfig() string {
	if f := p.getenv("AWS_CONFIG_FILE"); f != "" {
		return f
	}
	return filepath.Join(p.home(), ".aws", "config")
}

// logger logs for people, at debug level where asked for.
func (p *Process) logger(verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(p.Stderr, &slog.HandlerOptions{Level: level}))
}

// Run runs one command line and returns the exit code. The error, if any, has been printed.
func Run(ctx context.Context, p Process) int {
	root := &cobra.Command{
		Use:   "podid",
		Short: "Pod identity for any Kubernetes cluster",
		Long: "podid gives every pod its own short-lived AWS-style credentials and decides what they may do.\n" +
			"Any AWS client can talk to it; this program starts it, and runs programs as pods on a laptop.",
		Example:      "  podid dev\n  podid run --service-account shop/uploader -- aws sts get-caller-identity",
		SilenceUsage: true, SilenceErrors: true, Version: buildVersion(),
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetArgs(p.Args)
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	root.SetFlagErrorFunc(seeHelp)
	root.AddCommand(
		serveCommand(&p), devCommand(&p), runCommand(&p), accountCommand(&p), clusterCommand(&p), associationCommand(&p), importCommand(&p),
		traceCommand(&p), policyCommand(&p), versionCommand(&p),
	)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	// The exit code of a program that podid run started is podid's own: it has said what there is to say.
	if exit, ok := errors.AsType[exitCode](err); ok {
		return int(exit)
	}
	fmt.Fprintf(p.Stderr, "podid: %v\n", err)
	return 1
}

// exitCode is that of a program that podid run started, when it is not 0.
type exitCode int //nolint:errname // a code, and an error only because that is what verbs return

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// usage makes a complaint about arguments say where to read more.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error { return seeHelp(c, check(c, args)) }
}

func seeHelp(c *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w; see \"%s --help\"", err, c.CommandPath())
}

func versionCommand(p *Process) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Example: "  podid version", Args: usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(p.Stdout, buildVersion())
			return err
		},
	}
}

// buildVersion is the stamped version, or what the Go toolchain knows of the build.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// absolute makes a path absolute. Everything is made absolute before a control plane starts, because its embedded object
// store changes the working directory.
func absolute(path string) (string, error) {
	p, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find the folder %s: %w", path, err)
	}
	return p, nil
}

// privateFile opens a file for appending that only the user may read. What is no file, such as a pipe, is left as it is.
func privateFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() {
		err = f.Chmod(0o600)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
