// Package conformance proves podid with clients that others wrote, unmodified: scenarios of management calls, each made by boto3, the
// AWS CLI and the AWS SDK for Go, and pods' programs of every SDK with its default credential chain.
package conformance

import (
	"context"
	"flag"
	"io"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/podid/podid/internal/cli"
)

var (
	only   = flag.String("driver", "", "run the scenarios with this driver alone: boto3, cli or go")
	update = flag.Bool("update", false, "write docs/compat/clients.md instead of comparing it")
)

// asPodid makes a process of the test binary be podid.
const asPodid = "PODID_CONFORMANCE_IS_PODID"

func TestMain(m *testing.M) {
	if os.Getenv(asPodid) == "" {
		os.Exit(end(m.Run()))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // as in cmd/podid
	if len(os.Args) > 1 && os.Args[1] == "dev" {
		ctx = whileRead(ctx)
	}
	os.Exit(cli.Run(ctx, cli.Process{Args: os.Args[1:], Env: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}))
}

// whileRead ends with standard input, which the tests hold open: what they started does not outlive them, however they end.
func whileRead(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // nothing is written
		cancel()
	}()
	return ctx
}
