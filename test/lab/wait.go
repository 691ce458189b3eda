package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strconv"
	"testing"
	"time"
)

// attemptTime is how long one attempt may take: what was asked of a server that has just gone may never be answered.
const attemptTime = 5 * time.Second

// Eventually tries until it works, and fails the test with the last error if that is not within a time.
func Eventually(tb testing.TB, within time.Duration, what string, try func(context.Context) error) {
	tb.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(tb.Context(), within)
	defer cancel()
	err := until(ctx, what, func(ctx context.Context) error {
		ctx, done := context.WithTimeout(ctx, attemptTime)
		defer done()
		return try(ctx)
	})
	if err != nil {
		tb.Fatalf("not within %s: %v", within, err)
	}
	tb.Logf("%s after %s", what, time.Since(start).Round(time.Millisecond))
}

// until tries until it works, the context ends, or a component has ended.
func until(ctx context.Context, what string, try func(context.Context) error) error {
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	var last error // of an attempt that time was left for
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if errors.Is(err, errEnded) {
			return fmt.Errorf("until %s: %w", what, err)
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("until %s: %w: %w", what, context.Cause(ctx), last)
		case <-tick.C:
		}
	}
}

// FreePort finds a port on loopback that is free. It is below those that the kernel gives to connections, so that nothing takes it
// between here and the program's start but another that looks for one like this, and that by a rare chance.
func FreePort(ctx context.Context) (uint16, error) {
	for {
		n, err := rand.Int(rand.Reader, big.NewInt(12_000))
		if err != nil {
			return 0, err
		}
		port := uint16(20_000 + n.Int64())
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
		if err == nil {
			return port, listener.Close()
		}
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
	}
}
