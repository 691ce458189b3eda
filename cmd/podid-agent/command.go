package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/podid/podid/internal/agent"
)

// run runs one command line and returns the exit status.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:           "podid-agent",
		Short:         "Give the pods of this node their credentials",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(serverCommand(getenv, stdout), &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(stdout, version)
			return err
		},
	})
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(stderr, "podid-agent:", err)
		return 1
	}
	return 0
}

// options are the flags of `server`; those that AWS's agent has too mean the same. spec: pod-identity.md 4.1
type options struct {
	cluster, endpoint, region, caFile  string
	nodeName, roleARN, tokenFile       string
	bindHosts                          []string
	port, probePort, cacheSize, maxQPS int
	retention                          time.Duration
	verbosity                          string
}

func serverCommand(getenv func(string) string, stdout io.Writer) *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "server",
		Short: "Serve credentials to the pods of this node",
		Long: `Serve credentials to the pods of this node.

Requests to the control plane are signed with the credentials of --role-arn, got with the agent's own service account token
(--web-identity-token-file). Without these, an access key is taken from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or else from
the profile AWS_PROFILE of the file AWS_SHARED_CREDENTIALS_FILE, which may change at any time.`,
		Example: `  podid-agent server --cluster-name prod --region us-east-1 --endpoint https://podid.example.com \
    --role-arn arn:aws:iam::111122223333:role/podid-agent --web-identity-token-file /var/run/secrets/podid/token`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := o.server(getenv, stdout, c.Flags().Changed("bind-hosts"))
			if err != nil {
				return err
			}
			return s.Run(c.Context())
		},
	}
	f := c.Flags()
	f.StringVarP(&o.cluster, "cluster-name", "c", "", "name of the cluster that this node is in, for example prod (required)")
	f.StringVar(&o.endpoint, "endpoint", "", "URL of the control plane, for example https://podid.example.com (required)")
	f.StringVar(&o.region, "region", getenv("AWS_REGION"), "region of the cluster, for example us-east-1; if left out, $AWS_REGION")
	f.StringVar(&o.caFile, "ca-file", getenv("AWS_CA_BUNDLE"),
		"PEM file of the certificate authorities that may vouch for the endpoint, for example /etc/podid/ca.crt; if left out, $AWS_CA_BUNDLE, else the system's")
	f.StringVar(&o.nodeName, "node-name", getenv("NODE_NAME"), "name of this node in Kubernetes, for example worker-1; if left out, $NODE_NAME")
	f.StringVar(&o.roleARN, "role-arn", getenv("AWS_ROLE_ARN"),
		"role of the agent, for example arn:aws:iam::111122223333:role/podid-agent; if left out, $AWS_ROLE_ARN")
	f.StringVar(&o.tokenFile, "web-identity-token-file", getenv("AWS_WEB_IDENTITY_TOKEN_FILE"),
		"file of the agent's own service account token, for example /var/run/secrets/podid/token; if left out, $AWS_WEB_IDENTITY_TOKEN_FILE")
	f.IntVarP(&o.port, "port", "p", agent.DefaultPort, "port of the credential addresses, for example 80")
	f.IntVar(&o.probePort, "probe-port", 2703, "port on localhost of /healthz, /readyz and /metrics, for example 2703; 0 for none")
	f.StringSliceVarP(&o.bindHosts, "bind-hosts", "b", []string{agent.LinkLocalIPv4, "[" + agent.LinkLocalIPv6 + "]"},
		"addresses to serve credentials on, for example -b 169.254.170.23; an address that is named here must be on the node")
	f.IntVar(&o.cacheSize, "max-cache-size", agent.DefaultCacheSize, "sessions to keep, for example 2000; 0 keeps none")
	f.DurationVar(&o.retention, "max-credential-retention-before-renewal", agent.DefaultMaxRetention,
		"renew credentials at the latest after this, for example 3h; 0 keeps none")
	f.IntVar(&o.maxQPS, "max-service-qps", agent.DefaultRefreshRate, "renewals a second, for example 3")
	f.StringVarP(&o.verbosity, "verbosity", "v", "info", "least level of the log: debug (or trace), info, warn or error, for example -v warn")
	return c
}

// server makes the agent that the flags describe.
func (o *options) server(getenv func(string) string, stdout io.Writer, hostsAsked bool) (*agent.Server, error) {
	level, err := logLevel(o.verbosity)
	if err != nil {
		return nil, err
	}
	if o.cluster == "" || o.endpoint == "" || o.region == "" {
		return nil, errors.New("--cluster-name, --endpoint and --region are needed; see podid-agent server --help")
	}
	endpoint, err := url.Parse(o.endpoint)
	if err != nil {
		return nil, fmt.Errorf("--endpoint %q is not a URL", o.endpoint)
	}
	roots, err := readRoots(o.caFile)
	if err != nil {
		return nil, err
	}
	transport := agent.NewTransport(roots)
	signer, err := o.signer(getenv, endpoint, transport)
	if err != nil {
		return nil, err
	}
	c := agent.Config{
		ClusterName: o.cluster, Endpoint: endpoint, Region: o.region, NodeName: o.nodeName,
		Signer: signer, Transport: transport,
		Port:      o.port,
		CacheSize: o.cacheSize, MaxRetention: o.retention, RefreshRate: float64(o.maxQPS),
		Logger: slog.New(slog.NewJSONHandler(stdout, &slog.HandlerOptions{Level: level})).With("cluster", o.cluster),
	}
	if o.cacheSize == 0 || o.retention == 0 {
		c.CacheSize = -1
	}
	if o.probePort != 0 {
		c.ProbeAddress = net.JoinHostPort("localhost", strconv.Itoa(o.probePort))
	}
	if hostsAsked {
		c.BindHosts = o.bindHosts
	}
	return agent.New(c)
}

// signer chooses the agent's own credentials, as AWS SDKs would.
func (o *options) signer(getenv func(string) string, endpoint *url.URL, transport http.RoundTripper) (agent.Signer, error) {
	switch {
	case o.roleARN != "" || o.tokenFile != "":
		return agent.NewWebIdentity(agent.WebIdentityConfig{
			Endpoint: endpoint, RoleARN: o.roleARN, SessionName: o.nodeName, TokenFile: o.tokenFile, Transport: transport,
		})
	case getenv("AWS_ACCESS_KEY_ID") != "":
		return agent.Environment(getenv), nil
	}
	file := getenv("AWS_SHARED_CREDENTIALS_FILE")
	if file == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, errors.New("no credentials to sign with: give --role-arn and --web-identity-token-file")
		}
		file = filepath.Join(home, ".aws", "credentials")
	}
	return agent.Profile{File: file, Name: getenv("AWS_PROFILE")}, nil
}

func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // nil roots are the system's
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--ca-file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--ca-file %s holds no PEM certificate", file)
	}
	return roots, nil
}

// logLevel reads our levels and the names that AWS's agent has for them.
func logLevel(s string) (slog.Level, error) {
	switch s {
	case "trace", "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn", "warning":
		return slog.LevelWarn, nil
	case "error", "fatal", "panic":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("--verbosity %q is not one of debug, info, warn, error", s)
}
