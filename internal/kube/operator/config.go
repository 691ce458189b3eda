package operator

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"k8s.io/client-go/rest"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/kube/inject"
	"github.com/podid/podid/internal/kube/manifest"
)

// Config is what an operator is made of. Required are those down to Kubernetes, and TokenFile or Credentials.
type Config struct {
	Cluster    string // its name in podid
	Endpoint   string // of the control plane, https://host:port
	Region     string
	RoleARN    string // the operator's role; the cluster is in its account
	Namespace  string // the operator's own
	Kubernetes *rest.Config

	TokenFile   string                  // the operator's own service account token, which opens the role
	Credentials aws.CredentialsProvider // instead of the token
	CAFile      string                  // PEM, of whoever vouches for the endpoint; read once. Empty: the system's

	ClusterEndpoint string // URL of the API server for outsiders; empty: it is not told
	AgentImage      string // of the node agent; one without a tag gets the add-on's version as its tag
	AgentRoleARN    string
	Proxy           manifest.Proxy // between the nodes and the control plane

	Service       string // of the webhook, in Namespace
	WebhookURL    string // where the operator runs outside of the cluster: instead of Service
	WebhookHost   string // bind address; empty: all
	WebhookPort   int
	TLSMinVersion uint16 // 0: TLS 1.2
	Settings      inject.Settings
	LookupGrace   time.Duration // how long a service account is waited for that the cache has not seen
	Resync        time.Duration // 0: ten hours

	MetricsAddress string // plain HTTP; empty: none
	HealthAddress  string // empty: none
	LeaderElect    bool   // off: this one leads, and is the only one

	PodCAFile string // PEM, comes into every namespace for pods to trust; empty: not

	IAMResources           bool   // roles and policies from objects
	IAMPermissionsBoundary string // of these roles; required with IAMResources
	ACKNamespaces          []string

	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: nothing is logged
}

// Defaults of flags.
const (
	DefaultNamespace   = "podid-system"
	DefaultService     = "podid-operator"
	DefaultWebhookPort = 9443
	DefaultLookupGrace = 2 * time.Second

	agentNamespace = "kube-system" // where nobody says otherwise
)

// DefaultSettings are AWS's.
func DefaultSettings() inject.Settings { return inject.Defaults() }

// check says all that is wrong at once.
func (c *Config) check() error {
	var errs []error
	for _, f := range []struct{ name, value string }{
		{"cluster-name", c.Cluster}, {"endpoint", c.Endpoint}, {"region", c.Region}, {"role-arn", c.RoleARN}, {"namespace", c.Namespace},
	} {
		if f.value == "" {
			errs = append(errs, fmt.Errorf("--%s is needed", f.name))
		}
	}
	if c.Endpoint != "" {
		errs = append(errs, checkEndpoint(c.Endpoint))
	}
	if c.RoleARN != "" && c.account() == "" {
		errs = append(errs, fmt.Errorf("--role-arn %q is not of the form arn:aws:iam::111122223333:role/NAME", c.RoleARN))
	}
	if c.TokenFile == "" && c.Credentials == nil {
		errs = append(errs, errors.New("--web-identity-token-file is needed"))
	}
	if c.Service == "" && c.WebhookURL == "" {
		errs = append(errs, errors.New("--service or --webhook-url is needed"))
	}
	if u, err := url.Parse(c.WebhookURL); c.WebhookURL != "" && (err != nil || u.Host == "" || u.Scheme != "https") {
		errs = append(errs, fmt.Errorf("--webhook-url %q is not an https URL", c.WebhookURL))
	}
	if c.Kubernetes == nil {
		errs = append(errs, errors.New("there is no cluster: give --kubeconfig, or run in a pod"))
	}
	if c.IAMResources && c.IAMPermissionsBoundary == "" { // or whoever creates a Role object may do anything in the account
		errs = append(errs, errors.New("--iam-permissions-boundary is needed with --iam-resources"))
	}
	if c.LookupGrace <= 0 {
		errs = append(errs, errors.New("--service-account-lookup-grace-period must be more than 0"))
	}
	return errors.Join(errs...)
}

// checkEndpoint holds that the operator's token never travels in the clear, except on this machine.
func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("--endpoint %q is not a URL of the form https://host:port", endpoint)
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("--endpoint %q is not https: tokens and credentials would travel in the clear", endpoint)
	}
	return nil
}

// account is the account of the operator's role.
func (c *Config) account() string {
	parts := strings.SplitN(c.RoleARN, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" || len(parts[4]) != 12 || !strings.HasPrefix(parts[5], "role/") {
		return ""
	}
	return parts[4]
}

// plane is how the control plane is spoken to.
type plane struct {
	podid *client.Client
	eks   *eks.Client
	iam   *iam.Client
	ca    string // PEM
}

func (c *Config) plane() (*plane, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one; a program that puts another there is not ours
	p := &plane{}
	if c.CAFile != "" {
		text, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("--ca-file: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--ca-file %s holds no PEM certificate", c.CAFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		p.ca = string(text)
	}
	transport.MaxIdleConnsPerHost = 64 // a burst of pods asks at once
	h := &http.Client{Transport: transport}
	conf := aws.Config{Region: c.Region, BaseEndpoint: &c.Endpoint, HTTPClient: h, Credentials: aws.AnonymousCredentials{}}
	credentials := c.Credentials
	if credentials == nil {
		credentials = stscreds.NewWebIdentityRoleProvider(sts.NewFromConfig(conf), c.RoleARN, stscreds.IdentityTokenFile(c.TokenFile),
			func(o *stscreds.WebIdentityRoleOptions) { o.RoleSessionName = "podid-operator" })
	}
	conf.Credentials = aws.NewCredentialsCache(credentials, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = 5 * time.Minute })
	p.podid = client.New(client.Config{Endpoint: c.Endpoint, Region: c.Region, Credentials: conf.Credentials, HTTP: h, Now: c.Now})
	p.eks, p.iam = eks.NewFromConfig(conf), iam.NewFromConfig(conf)
	return p, nil
}

// imageOf is the agent's image of a version.
func imageOf(image, version string) string {
	name := image[strings.LastIndex(image, "/")+1:]
	if strings.ContainsAny(name, ":@") || version == "" {
		return image
	}
	return image + ":" + version
}
