package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/podid/podid/internal/agent"
)

func probeCommand(getenv func(string) string, stdout io.Writer) *cobra.Command {
	var patience time.Duration
	c := &cobra.Command{
		Use:   "probe",
		Short: "Inside a pod: find out who the pod is, as an AWS SDK would",
		Long: `Inside a pod: find out who the pod is, as an AWS SDK would.

It reads the token that the webhook mounted, asks the agent of the node for credentials, and asks STS at $AWS_ENDPOINT_URL whose
they are. It prints no secrets. A pod that is refused sees the reason, and the exit status is 1.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), patience)
			defer cancel()
			id, err := identify(ctx, getenv)
			if err != nil {
				return err
			}
			if id.ARN != "" {
				fmt.Fprintln(stdout, "arn    ", id.ARN)
			}
			fmt.Fprintln(stdout, "account", id.Account)
			fmt.Fprintln(stdout, "expires", id.Expires.UTC().Format(time.RFC3339))
			fmt.Fprintln(stdout, "took   ", id.Took.Round(time.Microsecond))
			return nil
		},
	}
	c.Flags().DurationVar(&patience, "timeout", 20*time.Second, "when to give up, for example 20s")
	return c
}

func identify(ctx context.Context, getenv func(string) string) (*agent.Identity, error) {
	roots, err := readRoots(getenv("AWS_CA_BUNDLE"))
	if err != nil {
		return nil, err
	}
	c := agent.IdentityConfig{
		URL:       getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
		TokenFile: getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
		Region:    cmp.Or(getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION"), "us-east-1"),
		Transport: agent.NewTransport(roots),
	}
	if endpoint := cmp.Or(getenv("AWS_ENDPOINT_URL_STS"), getenv("AWS_ENDPOINT_URL")); endpoint != "" {
		if c.STS, err = url.Parse(endpoint); err != nil {
			return nil, fmt.Errorf("AWS_ENDPOINT_URL %q is not a URL", endpoint)
		}
	}
	return agent.Identify(ctx, c)
}
