package main

import (
	"cmp"
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
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/podid/podid/internal/agent"
)

// options are the flags of `server`; those that AWS's agent has too mean the same. spec: pod-identity.md 4.1
type options struct {
	cluster, endpoint, region, caFile  string
	nodeName, roleARN, tokenFile       string
	bindHosts                          []string
	port, probePort, cacheSize, maxQPS int
	retention, addressWait             time.Duration
	metricsAddress                     string
	metricsPort                        int
	kubernetes                         string
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
the profile AWS_PROFILE of the file AWS_SHARED_CREDENTIALS_FILE, which may change at any time.

In a cluster the agent watches the pods of its node, with its service account (get, list and watch pods, create events): a pod that
has ended gets no more credentials, nor does one of another node, and a pod that is refused has an Event that says why. While the
Kubernetes API server is away, the control plane decides alone.

HTTPS_PROXY and NO_PROXY are honoured on the way to the control plane, and nowhere else.`,
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
	f.DurationVar(&o.addressWait, "address-wait", 30*time.Second,
		"how long to wait for a credential address that the node does not have yet, for example 30s")
	f.StringVar(&o.metricsAddress, "metrics-address", "", "address of /metrics, /healthz and /readyz for others than localhost, for example 0.0.0.0; if left out, none")
	f.IntVar(&o.metricsPort, "metrics-port", 2705, "port of --metrics-address, for example 2705")
	f.StringVar(&o.kubernetes, "kubernetes", "auto",
		"watch the pods of this node: on, off, or auto, which is on where $KUBERNETES_SERVICE_HOST and the node's name are set")
	f.IntVar(&o.cacheSize, "max-cache-size", agent.DefaultCacheSize, "sessions to keep, for example 2000; 0 keeps none")
	f.DurationVar(&o.retention, "max-credential-retention-before-renewal", agent.DefaultMaxRetention,
		"renew credentials at the latest after this, for example 3h; 0 keeps none")
	f.IntVar(&o.maxQPS, "max-service-qps", agent.DefaultRefreshRate, "renewals a second, for example 3")
	f.StringVarP(&o.verbosity, "verbosity", "v", "info", "least level of the log: debug (or trace), info, warn or error, for example -v warn")
	return c
}

// server makes the agent that the flags describe.
func (o *options) server(getenv func(string) string, stdout io.Writer, hostsAsked bool) (*agent.Server, error) {
	logger, err := newLogger(stdout, o.verbosity)
	if err != nil {
		return nil, err
	}
	logger = logger.With("cluster", o.cluster)
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
		AddressWait: o.addressWait,
		Logger:      logger,
	}
	if c.Kubernetes, err = o.apiServer(getenv, logger); err != nil {
		return nil, err
	}
	if o.cacheSize == 0 || o.retention == 0 {
		c.CacheSize = -1
	}
	if o.probePort != 0 {
		c.ProbeAddress = net.JoinHostPort("localhost", strconv.Itoa(o.probePort))
	}
	if o.metricsAddress != "" {
		c.MetricsAddress = net.JoinHostPort(strings.Trim(o.metricsAddress, "[]"), strconv.Itoa(o.metricsPort))
	}
	if hostsAsked {
		c.BindHosts = o.bindHosts
	}
	return agent.New(c)
}

// apiServer is the Kubernetes API server of the cluster that the agent runs in; nil where it watches no pods.
func (o *options) apiServer(getenv func(string) string, logger *slog.Logger) (*agent.Kubernetes, error) {
	host := getenv("KUBERNETES_SERVICE_HOST")
	switch o.kubernetes {
	case "off":
		return nil, nil //nolint:nilnil // none
	case "auto":
		if host == "" || o.nodeName == "" {
			logger.Info("pods of this node are not watched", "kubernetes_service_host", host, "node_name", o.nodeName)
			return nil, nil //nolint:nilnil // none
		}
	case "on":
		if host == "" {
			return nil, errors.New("--kubernetes=on needs $KUBERNETES_SERVICE_HOST, which is set in every pod")
		}
	default:
		return nil, fmt.Errorf("--kubernetes %q is not one of auto, on, off", o.kubernetes)
	}
	return agent.InCluster(host, cmp.Or(getenv("KUBERNETES_SERVICE_PORT"), "443"), agent.ServiceAccountFolder)
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
