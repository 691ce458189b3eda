// Command podid-agent is podid's node agent: one per node, it gives pods their credentials.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set when a release is linked.
var version = "unknown"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
