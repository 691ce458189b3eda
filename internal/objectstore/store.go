// Package objectstore moves bytes to and from the S3 store behind podid.
//
// It owns one thing: how a request that was already authenticated, decoded and allowed reaches a store, and how the answer comes back. The
// store is any S3 store; [NewExternal] speaks to one that somebody else runs, [OpenEmbedded] starts one inside this process. Behind
// both is the same adapter, which signs every request anew with the store's own key. A store has no authority here: who may do what was
// decided before, and nothing security-relevant is assumed of it. What it can do is found out at start, see [Capabilities].
//
// Promises:
//
//   - One string. The path that is signed, sent and stored is built by one function from the key that was authorised. A key that a store
//     would change, fold or hide is refused by [Store.CheckKey], which the front calls before it asks for a decision.
//   - A body that ends early, ends late or fails stores nothing: the store gets the last byte only after the body has said io.EOF.
//   - A connection that carried a request body and got anything but success is closed, never used again. spec: s3.md 3.2
//   - On the embedded store an answered write survives a power loss.
//
// spec: s3.md 3, 5
package objectstore

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/podid/podid/internal/fault"
)

// Store is one S3 store. Its methods may be used by many goroutines at once.
type Store struct {
	endpoint    *url.URL // scheme and host, nothing else
	region      string
	credentials aws.Credentials
	signer      *v4.Signer
	pool        *pool
	now         func() time.Time
	log         *slog.Logger
	caps        Capabilities
	durable     *groupSync // nil: the store answers for its own durability
	embedded    *embedded  // nil: external
}

// ExternalConfig says where an S3 store is and which key we have there.
type ExternalConfig struct {
	Endpoint        *url.URL // scheme http or https and a host; no path. Buckets are addressed by path
	Region          string   // "" means us-east-1
	AccessKeyID     string
	SecretAccessKey string
	Transport       *http.Transport // for its TLS and dial settings, which are copied; nil: the defaults
	Now             func() time.Time
	Logger          *slog.Logger // nil: silent
}

// NewExternal makes the adapter for a store that runs elsewhere. It sends nothing; call [Store.Probe] before the first use.
func NewExternal(c ExternalConfig) (*Store, error) {
	switch {
	case c.Endpoint == nil, c.Endpoint.Host == "", c.Endpoint.Scheme != "http" && c.Endpoint.Scheme != "https":
		return nil, fault.New(fault.Invalid, "object store", "The endpoint must be an http or https URL.")
	case c.Endpoint.Path != "" && c.Endpoint.Path != "/", c.Endpoint.RawQuery != "", c.Endpoint.User != nil, c.Endpoint.Fragment != "":
		return nil, fault.New(fault.Invalid, "object store", "The endpoint must be a scheme and a host only.")
	case c.AccessKeyID == "" || c.SecretAccessKey == "":
		return nil, fault.New(fault.Invalid, "object store", "An access key id and a secret access key are needed.")
	case c.Now == nil:
		return nil, fault.New(fault.Internal, "object store", "no clock")
	}
	if c.Region == "" {
		c.Region = defaultRegion
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	t := &http.Transport{}
	if c.Transport != nil {
		t = c.Transport.Clone()
	}
	return &Store{
		endpoint:    &url.URL{Scheme: c.Endpoint.Scheme, Host: c.Endpoint.Host},
		region:      c.Region,
		credentials: aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey},
		signer:      newSigner(),
		pool:        newPool(t, c.Endpoint.Scheme, hostPort(c.Endpoint), c.Now),
		now:         c.Now,
		log:         c.Logger,
	}, nil
}

const defaultRegion = "us-east-1"

func newSigner() *v4.Signer {
	// S3 signs the path as it is sent; the signer must not escape it a second time.
	return v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
}

func hostPort(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Host
	case u.Scheme == "https":
		return u.Host + ":443"
	}
	return u.Host + ":80"
}

// Run waits until ctx ends, then closes the store. It returns early, with an error, when the embedded store ends by itself.
func (s *Store) Run(ctx context.Context) error {
	if s.embedded == nil {
		<-ctx.Done()
		return s.Close()
	}
	select {
	case <-ctx.Done():
		return s.Close()
	case <-s.embedded.done:
		if s.embedded.closing() {
			return nil
		}
		return fault.New(fault.Internal, "object store", "the embedded store ended").Because(s.embedded.err)
	}
}

// Close closes the connections and ends the embedded store. Requests that are under way fail. It may be called more than once.
func (s *Store) Close() error {
	s.pool.close()
	if s.embedded != nil {
		return s.embedded.close()
	}
	return nil
}

// unavailable is the failure of a store that does not answer, or not in a way that can be understood.
func unavailable(cause error) error {
	return fault.New(fault.Unavailable, "object store", "The object store does not answer. Please try again.").Because(cause)
}
