package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podid/podid/internal/kube/operator"
)

// run runs one command line and returns the exit status.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	root := rootCommand(getenv, stdout)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(stderr, "podid-operator:", err)
		return 1
	}
	return 0
}

// options are the flags that are not simply fields of the operator's configuration.
type options struct {
	operator.Config
	kubeconfig, verbosity, tlsMinVersion string
	region                               string // of pods
}

func rootCommand(getenv func(string) string, stdout io.Writer) *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "podid-operator",
		Short: "Give the pods of a Kubernetes cluster their identity",
		Long: `Give the pods of a Kubernetes cluster their identity.

Serves the webhook that changes pods when they are created, tells podid about the cluster, and runs the node agent as podid wants it.
Several replicas may run: all serve the webhook, one leads.

Requests to podid are signed with the credentials of --role-arn, got with the operator's own service account token
(--web-identity-token-file).`,
		Example: `  podid-operator --cluster-name prod --region us-east-1 --endpoint https://podid.example.com \
    --role-arn arn:aws:iam::111122223333:role/podid-operator-prod --web-identity-token-file /var/run/secrets/podid/token`,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.complete(getenv, stdout, c.Flags().Changed("aws-default-region")); err != nil {
				return err
			}
			return operator.Run(c.Context(), o.Config)
		},
	}
	c.CompletionOptions.DisableDefaultCmd = true
	o.flags(c, getenv)
	c.AddCommand(&cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(stdout, version)
			return err
		},
	})
	return c
}

func (o *options) flags(c *cobra.Command, getenv func(string) string) {
	f := c.Flags()
	f.StringVar(&o.Cluster, "cluster-name", "", "name of this cluster in podid, for example prod (required)")
	f.StringVar(&o.Endpoint, "endpoint", "", "URL of podid, for example https://podid.example.com (required)")
	f.StringVar(&o.Region, "region", getenv("AWS_REGION"), "region of the cluster, for example us-east-1; if left out, $AWS_REGION")
	f.StringVar(&o.CAFile, "ca-file", getenv("AWS_CA_BUNDLE"),
		"PEM file of the certificate authorities that may vouch for the endpoint, for example /etc/podid/ca.crt; if left out, $AWS_CA_BUNDLE, else the system's")
	f.StringVar(&o.RoleARN, "role-arn", getenv("AWS_ROLE_ARN"),
		"role of the operator, for example arn:aws:iam::111122223333:role/podid-operator-prod; if left out, $AWS_ROLE_ARN")
	f.StringVar(&o.TokenFile, "web-identity-token-file", getenv("AWS_WEB_IDENTITY_TOKEN_FILE"),
		"file of the operator's own service account token, for example /var/run/secrets/podid/token; if left out, $AWS_WEB_IDENTITY_TOKEN_FILE")
	f.StringVar(&o.Namespace, "namespace", cmp.Or(getenv("POD_NAMESPACE"), operator.DefaultNamespace),
		"namespace of the operator, for example podid-system; if left out, $POD_NAMESPACE, else podid-system")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig file, for example admin.kubeconfig; if left out, the cluster that this pod is in")
	f.StringVar(&o.ClusterEndpoint, "cluster-endpoint", "",
		"URL of the Kubernetes API for whoever asks podid for it, for example https://api.prod.example.com:6443; if left out, nobody is told")

	f.StringVar(&o.Service, "service", operator.DefaultService, "Service in front of the webhook, in --namespace, for example podid-operator")
	f.StringVar(&o.WebhookURL, "webhook-url", "", "URL of the webhook, instead of --service, where the operator runs outside of the cluster, for example https://10.0.0.7:9443")
	f.StringVar(&o.WebhookHost, "webhook-host", "", "address that the webhook listens on, for example 127.0.0.1; if left out, all")
	f.IntVar(&o.WebhookPort, "webhook-port", operator.DefaultWebhookPort, "port that the webhook listens on, for example 9443")
	f.StringVar(&o.tlsMinVersion, "tls-min-version", "VersionTLS12", "least version of TLS that the webhook speaks: VersionTLS12 or VersionTLS13")
	f.StringVar(&o.MetricsAddress, "metrics-address", ":9999", "address of /metrics, without TLS, for example :9999; empty for none")
	f.StringVar(&o.HealthAddress, "health-address", ":8081", "address of /healthz and /readyz, for example :8081; empty for none")
	f.BoolVar(&o.LeaderElect, "leader-elect", true, "let replicas agree on one that leads, for example --leader-elect=false where there is but one")

	f.StringVar(&o.AgentImage, "agent-image", "",
		"image of the node agent, for example ghcr.io/podid/podid-agent; without a tag, it gets the version of the add-on")
	f.StringVar(&o.AgentRoleARN, "agent-role-arn", "", "role of the node agent, for example arn:aws:iam::111122223333:role/podid-agent-prod")
	f.BoolVar(&o.IAMResources, "iam-resources", false, "make IAM roles and policies of Role and Policy objects, for example --iam-resources")
	f.StringVar(&o.IAMPermissionsBoundary, "iam-permissions-boundary", "",
		"permissions boundary of every role that is made of an object, for example arn:aws:iam::111122223333:policy/limit")
	f.StringSliceVar(&o.ACKNamespaces, "ack-namespaces", nil, "namespaces whose ACK objects may speak for another namespace, for example ack-system")

	o.webhookFlags(c)
	f.StringVarP(&o.verbosity, "verbosity", "v", "info", "least level of the log: debug, info, warn or error, for example -v warn")
}

// complete reads what flags alone do not say.
func (o *options) complete(getenv func(string) string, stdout io.Writer, regionAsked bool) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.verbosity)); err != nil {
		return fmt.Errorf("--verbosity %q is not one of debug, info, warn, error", o.verbosity)
	}
	switch o.tlsMinVersion {
	case "VersionTLS12":
		o.TLSMinVersion = tls.VersionTLS12
	case "VersionTLS13":
		o.TLSMinVersion = tls.VersionTLS13
	default:
		return fmt.Errorf("--tls-min-version %q is not VersionTLS12 or VersionTLS13", o.tlsMinVersion)
	}
	handler := slog.NewJSONHandler(stdout, &slog.HandlerOptions{Level: level})
	o.Logger = slog.New(handler)
	if !regionAsked {
		o.region = o.Region
	}
	o.Settings.DefaultRegion = o.region
	o.Settings.PodCA = o.PodCAFile != ""
	o.Proxy.HTTPS, o.Proxy.HTTP, o.Proxy.No = getenv("HTTPS_PROXY"), getenv("HTTP_PROXY"), getenv("NO_PROXY")
	var err error
	if o.kubeconfig == "" {
		o.Kubernetes, err = rest.InClusterConfig()
	} else {
		o.Kubernetes, err = clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	}
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	klog.SetSlogLogger(o.Logger) // what the libraries say of themselves
	ctrllog.SetLogger(logr.FromSlogHandler(handler))
	return nil
}
