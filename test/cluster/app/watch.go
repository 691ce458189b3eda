package main

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Each try is bounded, so that an interruption is measured and not waited for.
const (
	every   = 20 * time.Millisecond
	bounded = time.Second
)

// watch does two things side by side, each on its own: it asks the credential endpoint anew, and it makes a signed call with the
// credentials that it has. It prints a line when one of them begins to fail and when it works again:
//
//	credentials up
//	credentials down: REASON
//	credentials up after 120ms
func watch(ctx context.Context) error {
	c, err := config.LoadDefaultConfig(ctx, config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }))
	if err != nil {
		return err
	}
	caller := sts.NewFromConfig(c)
	done := make(chan struct{})
	go func() {
		defer close(done)
		follow(ctx, "call", func(ctx context.Context) error {
			_, err := caller.GetCallerIdentity(ctx, nil)
			return err
		})
	}()
	follow(ctx, "credentials", func(ctx context.Context) error {
		token, err := ownToken()
		if err != nil {
			return err
		}
		return ask(ctx, token)
	})
	<-done
	return nil
}

func follow(ctx context.Context, what string, try func(context.Context) error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	good, first := time.Now(), true
	down := false
	for {
		attempt, cancel := context.WithTimeout(ctx, bounded)
		err := try(attempt)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !down:
			down = true
			fmt.Printf("%s down: %v\n", what, err)
		case err == nil && first:
			fmt.Printf("%s up\n", what)
		case err == nil && down:
			fmt.Printf("%s up after %s\n", what, time.Since(good).Round(time.Millisecond))
		}
		if err == nil {
			good, first, down = time.Now(), false, false
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
