package agent

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/podid/podid/internal/fault"
)

const (
	attempts       = 3
	attemptTimeout = 5 * time.Second // pods give up sooner, but what they asked for is ready when they ask again
	dialTimeout    = time.Second
	maxAnswer      = 64 << 10 // bytes; credentials have 2 to 6 KiB
	maxConnections = 64       // to the endpoint: a burst of pods queues here instead of at the service
)

// NewTransport makes the connection pool to EKS Auth and STS. It honours HTTPS_PROXY and NO_PROXY, except that no proxy is asked
// for loopback and link-local addresses, whatever NO_PROXY says. Roots nil means the system's.
func NewTransport(roots *x509.CertPool) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = proxyFor
	t.DialContext = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	t.MaxConnsPerHost, t.MaxIdleConnsPerHost, t.MaxIdleConns = maxConnections, maxConnections, maxConnections
	t.ResponseHeaderTimeout = attemptTimeout
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	return t
}

func proxyFor(r *http.Request) (*url.URL, error) {
	host := r.URL.Hostname()
	ip := net.ParseIP(host)
	if loopback(host) || ip != nil && (ip.IsLinkLocalUnicast() || ip.Equal(net.ParseIP(LinkLocalIPv6))) {
		return nil, nil //nolint:nilnil // net/http's way to say none
	}
	return http.ProxyFromEnvironment(r)
}

// answer is one HTTP answer, read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a *answer) transient() bool {
	return a.status >= http.StatusInternalServerError || a.status == http.StatusTooManyRequests
}

// call sends the request that build makes, up to three times, until an answer is final. build is given the number of the
// attempt and makes a new request each time, so that each is signed at its own time. again, where not nil, may ask for
// another attempt after an answer that is otherwise final.
func call(ctx context.Context, rt http.RoundTripper, build func(ctx context.Context, n int) (*http.Request, error), again func(*answer, int) bool) (*answer, error) {
	for n := 1; ; n++ {
		a, err := attempt(ctx, rt, build, n)
		final := err == nil && !a.transient() && (again == nil || !again(a, n))
		if final || n == attempts || ctx.Err() != nil || errors.Is(err, errNotSent) {
			return a, err
		}
		pause := 50 * time.Millisecond << n
		if err == nil && a.status == http.StatusTooManyRequests {
			pause *= 4
		}
		if err := sleep(ctx, pause/2+jitter(pause)); err != nil {
			return nil, unreachable(err)
		}
	}
}

// errNotSent marks failures of ours, before anything was sent: another attempt would meet the same.
var errNotSent = errors.New("request not sent")

func attempt(ctx context.Context, rt http.RoundTripper, build func(context.Context, int) (*http.Request, error), n int) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	r, err := build(ctx, n)
	if err != nil {
		return nil, errors.Join(errNotSent, err)
	}
	res, err := rt.RoundTrip(r)
	if err != nil {
		return nil, unreachable(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, unreachable(err)
	}
	if len(body) > maxAnswer {
		return nil, fault.New(fault.Unavailable, "upstream", "The answer is larger than %d bytes.", maxAnswer)
	}
	return &answer{res.StatusCode, res.Header, bytes.TrimSpace(body)}, nil
}

func unreachable(cause error) error {
	return fault.New(fault.Unavailable, "upstream", "The agent got no answer from the service. Please try again.").Because(cause)
}
