package issuer

import (
	"context"
	"crypto/sha1" //nolint:gosec // the thumbprints of IAM's providers are SHA-1
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net"
	"slices"
	"strings"
	"time"
)

// errThumbprint is the cause of a refused certificate that the system does not trust and no thumbprint vouches for.
var errThumbprint = errors.New("no trusted authority signed the certificate, and no thumbprint of the provider is of the chain's top")

// trust says which certificates are believed: those of the roots, and chains whose top has one of the thumbprints.
type trust struct {
	roots       *x509.CertPool
	thumbprints []string
}

// normal puts thumbprints into one spelling, so that the same list is the same trust.
func normal(thumbprints []string) []string {
	list := make([]string, len(thumbprints))
	for i, t := range thumbprints {
		list[i] = strings.ToLower(t)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// handshake makes a TLS connection to host of a connection.
func (f *Fetcher) handshake(ctx context.Context, conn net.Conn, host string, t trust) (net.Conn, error) {
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, RootCAs: t.roots, Time: f.c.Now}
	if len(t.thumbprints) > 0 {
		c.InsecureSkipVerify = true // VerifyConnection verifies: chain, host and time, against more than one set of roots
		c.VerifyConnection = func(s tls.ConnectionState) error { return t.verify(s.PeerCertificates, host, f.c.Now()) }
	}
	secure := tls.Client(conn, c)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake's failure is what is told
		return nil, err
	}
	return secure, nil
}

// verify proves a presented chain for host. The certificate that a thumbprint names only takes the place of a root: the chain must
// lead to it, be in date, and be the host's. spec: pod-identity.md 6.2
func (t trust) verify(chain []*x509.Certificate, host string, now time.Time) error {
	if len(chain) == 0 || host == "" {
		return errThumbprint
	}
	o := x509.VerifyOptions{DNSName: host, Roots: t.roots, Intermediates: x509.NewCertPool(), CurrentTime: now}
	for _, c := range chain[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(o)
	if err == nil {
		return nil
	}
	top := chain[len(chain)-1]
	if !t.names(top) {
		return errors.Join(errThumbprint, err)
	}
	o.Roots = x509.NewCertPool()
	o.Roots.AddCert(top)
	_, err = chain[0].Verify(o)
	if err != nil {
		return errors.Join(errThumbprint, err)
	}
	return nil
}

// names reports whether one of the thumbprints is the certificate's.
func (t trust) names(c *x509.Certificate) bool {
	sum := sha1.Sum(c.Raw) //nolint:gosec // see above
	found := 0
	for _, text := range t.thumbprints {
		want, err := hex.DecodeString(text)
		if err == nil {
			found |= subtle.ConstantTimeCompare(want, sum[:])
		}
	}
	return found == 1
}
