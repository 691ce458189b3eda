package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// UntilAsked ends with the first signal that asks the process to end. The second one ends what the first did not: it is the system's again
// before anything begins to end, so that none is lost.
func UntilAsked() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Stop(signals)
		cancel()
	}()
	return ctx
}
