package main

import (
	"io"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/podid/podid/internal/agent"
	"github.com/podid/podid/internal/agent/link"
)

func initializeCommand(stdout io.Writer) *cobra.Command {
	var name, ipv4, ipv6, verbosity string
	c := &cobra.Command{
		Use:   "initialize",
		Short: "Give this node the addresses that pods ask for credentials",
		Long: `Give this node the addresses that pods ask for credentials: ` + agent.LinkLocalIPv4 + `, and ` + agent.LinkLocalIPv6 + ` where it speaks IPv6.

They are put on a link of their own, which is made if it is not there. It may be run any number of times, and needs the
capability NET_ADMIN and the node's network namespace.`,
		Example: `  podid-agent initialize
  podid-agent initialize --link lo --ipv6 off`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			logger, err := newLogger(stdout, verbosity)
			if err != nil {
				return err
			}
			return link.Ensure(c.Context(), link.Config{
				Name: name, Want4: link.Family(ipv4), Want6: link.Family(ipv6),
				IPv4: netip.MustParseAddr(agent.LinkLocalIPv4), IPv6: netip.MustParseAddr(agent.LinkLocalIPv6),
				Logger: logger,
			})
		},
	}
	f := c.Flags()
	f.StringVar(&name, "link", link.DefaultName, "link that the addresses are put on, for example lo")
	f.StringVar(&ipv4, "ipv4", string(link.Auto), "the IPv4 address: auto, on (or fail), off")
	f.StringVar(&ipv6, "ipv6", string(link.Auto), "the IPv6 address: auto (where the node speaks it), on (or fail), off")
	f.StringVarP(&verbosity, "verbosity", "v", "info", "least level of the log: debug (or trace), info, warn or error, for example -v warn")
	return c
}
