package agent

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/podid/podid/internal/fault"
)

// The addresses that AWS SDKs trust without TLS. spec: pod-identity.md 4.1
const (
	LinkLocalIPv4 = "169.254.170.23"
	LinkLocalIPv6 = "fd00:ec2::23"
)

// Defaults of a Config.
const (
	DefaultPort         = 80
	DefaultCacheSize    = 2000          // entries
	DefaultMaxRetention = 3 * time.Hour // before credentials are renewed at the latest
	DefaultRefreshRate  = 3             // renewals a second
	DefaultMissRate     = 1000          // requests a second that the cache cannot answer
	DefaultMissBurst    = 5000          // a node's worth of pods, started at once
)

// Signer yields the credentials that sign requests to EKS Auth: the node's own, never a pod's. It is asked for every
// request, so it keeps what it has until it is due, and it is safe for concurrent use.
type Signer interface {
	Credentials(ctx context.Context) (aws.Credentials, error)
}

// Config says what an agent serves and whom it asks. ClusterName, Endpoint, Region and Signer are required.
type Config struct {
	ClusterName string   // as EKS knows it
	Endpoint    *url.URL // of EKS Auth: https, or http to this very machine; scheme and host only
	Region      string   // of the signature
	Signer      Signer
	Transport   http.RoundTripper // to the endpoint; nil: [NewTransport] with the system's roots

	NodeName, InstanceID, Zone string // told to EKS Auth where not empty

	BindHosts      []string      // nil: those of the two link-local addresses that the node has
	AddressWait    time.Duration // for an address that the node does not have yet; 0: none
	Port           int           // 0: 80
	ProbeAddress   string        // host:port of /healthz, /readyz and /metrics; "": none
	MetricsAddress string        // the same once more, for those who may not ask the probe address; "": none
	AllowedHosts   []string      // values of the Host header, without port and brackets; nil: the two link-local addresses

	Kubernetes *Kubernetes // who knows the pods of this node, NodeName; nil: pods are not watched and no events are written

	CacheSize    int           // entries; 0: 2000; negative: nothing is kept
	MaxRetention time.Duration // credentials are renewed at the latest after this; 0: 3 h; negative: nothing is kept
	RefreshRate  float64       // renewals a second; 0: 3
	MissRate     float64       // requests a second that the cache cannot answer, above which they get 429; 0: 1000
	MissBurst    int           // 0: 5000

	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: silent
}

var clusterName = regexp.MustCompile(`^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$`) // spec: pod-identity.md 2.2

// withDefaults checks the config and fills in what was left out.
func (c Config) withDefaults() (Config, error) {
	switch {
	case !clusterName.MatchString(c.ClusterName):
		return c, invalid("The cluster name %q must be 1 to 100 letters, digits, - and _.", c.ClusterName)
	case c.Region == "":
		return c, invalid("A region is needed.")
	case c.Signer == nil:
		return c, invalid("Credentials to sign with are needed.")
	case c.Kubernetes != nil && c.NodeName == "":
		return c, invalid("The node's name is needed to watch its pods.")
	}
	if err := CheckEndpoint(c.Endpoint); err != nil {
		return c, err
	}
	if c.Transport == nil {
		c.Transport = NewTransport(nil)
	}
	if c.AllowedHosts == nil {
		c.AllowedHosts = []string{LinkLocalIPv4, LinkLocalIPv6}
	}
	orDefault(&c.Port, DefaultPort)
	orDefault(&c.CacheSize, DefaultCacheSize)
	orDefault(&c.MaxRetention, DefaultMaxRetention)
	orDefault(&c.RefreshRate, DefaultRefreshRate)
	orDefault(&c.MissRate, DefaultMissRate)
	orDefault(&c.MissBurst, DefaultMissBurst)
	if c.RefreshRate < 0 || c.MissRate < 0 || c.MissBurst < 0 {
		return c, invalid("Rates cannot be negative.")
	}
	if c.MaxRetention < 0 {
		c.CacheSize = -1
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// CheckEndpoint says what is wrong with the URL of a service. Pods' tokens and credentials travel there: in the clear only to
// this very machine.
func CheckEndpoint(u *url.URL) error {
	switch {
	case u == nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return invalid("The endpoint must be an https URL, for example https://podid.example.com.")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return invalid("The endpoint must be a scheme and a host only, for example https://podid.example.com.")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return invalid("The endpoint must be https: pods' tokens are sent there. Plain http is for a loopback address only.")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, "agent configuration", format, args...)
}
