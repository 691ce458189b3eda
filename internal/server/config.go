// Package server builds the control plane from a Config and runs it: state, services, listener, in one literal list.
package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"time"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/quota"
)

// Config says how a control plane runs. Zero values are defaults where a comment says so.
type Config struct {
	// Data is the folder for everything that is kept on disk: the embedded etcd and object store, certificates, the first
	// administrators' keys. It must be absolute; it is made with mode 0700.
	Data string

	// Listen is host:port. Port 0 picks a free one. Without TLS it must be a loopback address.
	Listen string

	// Endpoint is the URL that clients are given where it is not that of Listen: of a load balancer, or with a name that the
	// certificate has. Empty: made from Listen.
	Endpoint string

	// Region is the one region that this control plane serves.
	Region string

	// TLS is where the certificate comes from.
	TLS TLS

	// Etcd is an existing etcd; without endpoints one member runs in this process.
	Etcd Etcd

	// ObjectStore is an existing S3 store; without an endpoint one runs in this process.
	ObjectStore ObjectStore

	// Accounts are made at the first start, when there is no account yet. The first of them manages the others.
	Accounts []string

	// Issuers says which outside issuers of tokens may be fetched.
	Issuers Issuers

	// Quotas are how much there may be. The zero value is AWS's defaults.
	Quotas quota.Set

	// Emit receives every request record, once, from any goroutine.
	Emit func(*api.Record)

	// Ready is called once, when the listener answers.
	Ready func(Started)

	Logger *slog.Logger
	Now    func() time.Time

	// Strict turns error shapes outside a service's model into panics, for tests.
	Strict bool
}

// TLS says where the listener's certificate comes from: files, or a certificate authority of our own below Config.Data.
// The zero value is plain HTTP, which only a loopback address may have.
type TLS struct {
	CertFile   string
	KeyFile    string
	SelfSigned bool
	Hosts      []string // names and addresses for the self-signed certificate, besides the obvious ones
}

func (t TLS) off() bool { return t.CertFile == "" && !t.SelfSigned }

// Etcd says how to reach an existing etcd.
type Etcd struct {
	Endpoints []string
	TLS       *tls.Config // nil: the endpoints speak plain HTTP
	Prefix    string      // "": podid
}

// ObjectStore says how to reach an existing S3 store.
type ObjectStore struct {
	Endpoint        *url.URL // nil: the embedded store
	Region          string
	AccessKeyID     string
	SecretAccessKey string
}

// Issuers says where the outside issuers that accounts trust may be, and whose certificates they may have. The zero value is public
// addresses, and the authorities that the system trusts.
type Issuers struct {
	Allow   []netip.Prefix      // private networks in which they may be, too
	RootCAs []*x509.Certificate // authorities that are trusted besides the system's
}

// Started is what a running control plane tells: how to reach it, and the keys that the first start made.
type Started struct {
	Endpoint       string          // https://host:port
	CABundle       string          // file with the certificate authority, where the certificate is self-signed
	FirstAccount   string          // of those that the first start on this folder made; "" where that was on another folder
	Administrators []iam.AccessKey // one for each account that the first start on this folder made, where it still works
}

// validate reports everything that is wrong at once.
func (c *Config) validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !filepath.IsAbs(c.Data) {
		wrong("the data folder %q is not an absolute path", c.Data)
	}
	if c.Region == "" {
		wrong("a region is needed, for example us-east-1")
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		wrong("the listen address %q is not host:port", c.Listen)
	} else if c.TLS.off() && !loopback(host) {
		wrong("plain HTTP is for loopback addresses only: to listen on %q give --tls-cert and --tls-key, or --tls-self-signed", host)
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		wrong("--tls-cert and --tls-key go together")
	}
	if c.TLS.CertFile != "" && c.TLS.SelfSigned {
		wrong("--tls-cert and --tls-self-signed exclude each other")
	}
	if u, err := url.Parse(c.Endpoint); c.Endpoint != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "") {
		wrong("the endpoint %q is not a URL like https://podid.example.com:8474", c.Endpoint)
	}
	if len(c.Accounts) == 0 {
		wrong("an account is needed, for example 111122223333")
	}
	for _, a := range c.Accounts {
		if err := arn.CheckAccount(a); err != nil {
			wrong("account %q: %w", a, err)
		}
	}
	if c.Emit == nil || c.Logger == nil || c.Now == nil {
		wrong("Emit, Logger and Now are required")
	}
	return errors.Join(errs...)
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}
