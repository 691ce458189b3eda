package connect

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/fault"
)

// Names that are the same in every cluster with podid. The agent's are AWS's own.
const (
	namespace       = "podid-system"
	operatorName    = "podid-operator"
	agentNamespace  = "kube-system"
	agentName       = "eks-pod-identity-agent"
	agentAddon      = "eks-pod-identity-agent"
	webhookName     = "pod-identity-webhook"
	manager         = "podid-connect" // of fields, and of what is labelled as managed
	tokenAudience   = "sts.amazonaws.com"
	minKubernetes   = 28 // 1.28
	pause           = 500 * time.Millisecond
	managedByLabel  = "app.kubernetes.io/managed-by"
	podsPrincipal   = "pods.eks.amazonaws.com"
	inlinePolicy    = "podid"
	defaultPatience = 3 * time.Minute
)

// Config says which cluster is connected to which account. Cluster, AWS and Now are required, and Endpoint to connect.
type Config struct {
	Cluster string // name in podid

	Kubeconfigs []string // files, merged as kubectl does; nil: no Kubernetes, for what is about podid alone
	Context     string   // "": the kubeconfigs' current one

	AWS aws.Config // an administrator of the account, with podid as BaseEndpoint

	Endpoint string // at which the cluster reaches podid; https
	CABundle string // PEM of the authorities of Endpoint; "": those that everybody trusts

	OperatorImage string
	AgentImage    string
	Values        map[string]any // further values of the chart

	IAMResources bool          // Role and Policy objects of the cluster become IAM's
	IAMBoundary  string        // ARN of the managed policy that none of these roles exceeds; required with IAMResources
	Replace      bool          // the name may have belonged to another cluster
	Patience     time.Duration // for each thing that is waited for; 0: 3 minutes

	Out io.Writer // what goes on, a line a step
	Now func() time.Time
}

// Connection is a cluster and an account, seen from outside of both.
type Connection struct {
	Config

	kube *kube // nil: none was given
	eks  *eks.Client
	iam  *iam.Client
	sts  *sts.Client
	own  *client.Client
}

// kube is a Kubernetes API server.
type kube struct {
	host    string
	ca      []byte // PEM
	typed   kubernetes.Interface
	dynamic dynamic.Interface
	mapper  meta.ResettableRESTMapper
}

// New opens the kubeconfig and the account. It asks neither.
func New(c Config) (*Connection, error) {
	if c.Patience == 0 {
		c.Patience = defaultPatience
	}
	h := c.AWS.HTTPClient
	standard, ok := h.(*http.Client)
	if !ok || c.AWS.BaseEndpoint == nil {
		return nil, fault.New(fault.Invalid, "profile", "the profile names no endpoint_url")
	}
	conn := &Connection{
		Config: c,
		eks:    eks.NewFromConfig(c.AWS), iam: iam.NewFromConfig(c.AWS), sts: sts.NewFromConfig(c.AWS),
		own: client.New(client.Config{Endpoint: *c.AWS.BaseEndpoint, Region: c.AWS.Region, Credentials: c.AWS.Credentials, HTTP: standard, Now: c.Now}),
	}
	if c.Kubeconfigs == nil {
		return conn, nil
	}
	k, err := open(c.Kubeconfigs, c.Context)
	if err != nil {
		return nil, err
	}
	conn.kube = k
	return conn, nil
}

// open makes clients of a kubeconfig.
func open(files []string, current string) (*kube, error) {
	loaded := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{Precedence: files}, &clientcmd.ConfigOverrides{CurrentContext: current})
	raw, err := loaded.RawConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	if len(raw.Clusters) == 0 { // it would mean the cluster that this runs in
		return nil, fault.New(fault.NotFound, "kubeconfig", "no cluster is in the kubeconfig %v; give one with --kubeconfig", files)
	}
	c, err := loaded.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	c.UserAgent = manager
	c.QPS, c.Burst = 50, 100 // a person waits
	return dial(c)
}

func dial(c *rest.Config) (*kube, error) {
	typed, err := kubernetes.NewForConfig(c)
	if err != nil {
		return nil, fmt.Errorf("make a client of the kubeconfig: %w", err)
	}
	objects, err := dynamic.NewForConfig(c)
	if err != nil {
		return nil, fmt.Errorf("make a client of the kubeconfig: %w", err)
	}
	ca := c.CAData
	if len(ca) == 0 && c.CAFile != "" {
		if ca, err = os.ReadFile(c.CAFile); err != nil {
			return nil, fmt.Errorf("read the kubeconfig's certificate authority: %w", err)
		}
	}
	return &kube{
		host: c.Host, ca: ca, typed: typed, dynamic: objects,
		mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(typed.Discovery())),
	}, nil
}

// identity is what an API server says of itself.
type identity struct {
	issuer  string
	jwks    string
	version string // "1.36"
	git     string // "v1.36.3"
	minor   int
}

// identity reads the documents with which others verify the cluster's tokens, and the version.
func (k *kube) identity(ctx context.Context) (*identity, error) {
	v, err := k.typed.Discovery().ServerVersion()
	if err != nil {
		return nil, fmt.Errorf("the API server at %s does not answer: %w", k.host, err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(v.Major+" "+v.Minor, "%d %d", &major, &minor); err != nil {
		return nil, fmt.Errorf("the API server's version %s.%s is no version: %w", v.Major, v.Minor, err)
	}
	text, err := k.raw(ctx, "/.well-known/openid-configuration")
	if err != nil {
		return nil, err
	}
	var discovery struct {
		Issuer string `json:"issuer"`
	}
	if err := json.Unmarshal(text, &discovery); err != nil || discovery.Issuer == "" {
		return nil, fault.New(fault.Invalid, "issuer", "the API server's discovery document names no issuer")
	}
	jwks, err := k.raw(ctx, "/openid/v1/jwks") // not jwks_uri: that may be a copy outside, which is behind
	if err != nil {
		return nil, err
	}
	return &identity{
		issuer: discovery.Issuer, jwks: string(bytes.TrimSpace(jwks)), version: fmt.Sprintf("%d.%d", major, minor), git: v.GitVersion, minor: minor,
	}, nil
}

func (k *kube) raw(ctx context.Context, path string) ([]byte, error) {
	text, err := k.typed.Discovery().RESTClient().Get().AbsPath(path).DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("read %s of the API server: %w", path, err)
	}
	return text, nil
}

// authority is the API server's certificate authority as EKS tells it.
func (k *kube) authority() string { return base64.StdEncoding.EncodeToString(k.ca) }

// checkEndpoint says why pods could not use a URL.
func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
		return fault.New(fault.Invalid, "endpoint", "the endpoint %q is not a URL, for example https://podid.example.com", endpoint)
	}
	ip := net.ParseIP(u.Hostname())
	if u.Hostname() == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		return fault.New(fault.Invalid, "endpoint", "the cluster cannot reach podid at %s, which is this machine to each of its pods; give the URL "+
			"at which it can with --endpoint", endpoint)
	}
	if u.Scheme != "https" {
		return fault.New(fault.Invalid, "endpoint", "the endpoint %s is not https: tokens and credentials would travel in the clear", endpoint)
	}
	return nil
}

func (c *Connection) say(format string, args ...any) { fmt.Fprintf(c.Out, format+"\n", args...) }

// until looks again and again, until a thing is so, the patience is over or the look itself fails. The reason is what is still missing.
func (c *Connection) until(ctx context.Context, what string, so func(context.Context) (ok bool, reason string, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	last := "nothing was seen of it"
	for {
		ok, reason, err := so(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			return fmt.Errorf("wait for %s: %w", what, err)
		case ok && err == nil:
			return nil
		case reason != "" && ctx.Err() == nil: // not that time is up
			last = reason
		}
		select {
		case <-ctx.Done():
			return fault.New(fault.Unavailable, what, "%s is not there after %s: %s", what, c.Patience, last).Because(context.Cause(ctx))
		case <-tick.C:
		}
	}
}
