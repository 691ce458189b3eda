// Command podid is the control plane, the laptop mode and the command line of podid.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/podid/podid/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends what the first one did not
	code := cli.Run(ctx, cli.Process{
		Args: os.Args[1:], Env: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	})
	stop()
	os.Exit(code)
}
