package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/podid/podid/internal/secretfile"
)

// A self-signed certificate has an authority of its own, so that a renewed one is still trusted by those who were given the
// authority's file. Both live below Data/tls; the keys are 0600.
const (
	authorityLife   = 10 * 365 * 24 * time.Hour
	certificateLife = 90 * 24 * time.Hour
)

// A certificate is looked at again while the process runs: files that somebody renewed are read, and a self-signed one is
// issued long before the last one ends.
const (
	rereadEvery  = time.Minute
	reissueEvery = 24 * time.Hour
)

// certificate is the listener's TLS configuration and the file with its authority; both zero for plain HTTP.
func (c *Config) certificate() (*tls.Config, string, error) {
	if c.TLS.off() {
		return nil, "", nil
	}
	k := &certificates{now: c.Now, log: c.Logger}
	var bundle string
	if c.TLS.CertFile != "" {
		k.every = rereadEvery
		k.load = func() (tls.Certificate, error) { return tls.LoadX509KeyPair(c.TLS.CertFile, c.TLS.KeyFile) }
	} else {
		authority, file, err := c.authority()
		if err != nil {
			return nil, "", fmt.Errorf("make a certificate authority: %w", err)
		}
		bundle = file
		k.every = reissueEvery
		k.load = func() (tls.Certificate, error) { return c.issue(authority) }
	}
	if err := k.renew(c.Now()); err != nil {
		return nil, "", fmt.Errorf("load the certificate: %w", err)
	}
	return &tls.Config{GetCertificate: k.get, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}, bundle, nil
}

// certificates hands out the listener's certificate. One that cannot be renewed is served on, and the log says so.
type certificates struct {
	load  func() (tls.Certificate, error)
	every time.Duration
	now   func() time.Time
	log   *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	renewed time.Time
}

func (k *certificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := k.now(); now.Sub(k.renewed) >= k.every {
		if err := k.renew(now); err != nil {
			k.renewed = now // asked again after another while, not by every client
			k.log.ErrorContext(hello.Context(), "the certificate could not be renewed; the last one is served", "error", err)
		}
	}
	return k.current, nil
}

func (k *certificates) renew(now time.Time) error {
	pair, err := k.load()
	if err != nil {
		return err
	}
	k.current, k.renewed = &pair, now
	return nil
}

// authority is made once, and lies in a file of its own for those who are to trust it.
func (c *Config) authority() (tls.Certificate, string, error) {
	dir := filepath.Join(c.Data, "tls")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return tls.Certificate{}, "", err
	}
	bundle, keyFile := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca-key.pem")
	authority, err := loadAuthority(bundle, keyFile)
	if errors.Is(err, os.ErrNotExist) {
		authority, err = c.newAuthority(bundle, keyFile)
	}
	return authority, bundle, err
}

func loadAuthority(certFile, keyFile string) (tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0])
	return pair, err
}

func (c *Config) newAuthority(certFile, keyFile string) (tls.Certificate, error) {
	now := c.Now()
	pair, certPEM, keyPEM, err := sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "podid certificate authority"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, nil)
	if err != nil {
		return tls.Certificate{}, err
	}
	if err := secretfile.Write(keyFile, keyPEM); err != nil {
		return tls.Certificate{}, err
	}
	return pair, secretfile.Write(certFile, certPEM)
}

func (c *Config) issue(authority tls.Certificate) (tls.Certificate, error) {
	now := c.Now()
	t := &x509.Certificate{
		Subject: pkix.Name{CommonName: "podid"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	names := slices.Clone(c.TLS.Hosts)
	if name, err := os.Hostname(); err == nil {
		names = append(names, name)
	}
	if host, _, err := net.SplitHostPort(c.Listen); err == nil {
		names = append(names, host)
	}
	if u, err := url.Parse(c.Endpoint); err == nil {
		names = append(names, u.Hostname())
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else if name != "" {
			t.DNSNames = append(t.DNSNames, name)
		}
	}
	pair, _, _, err := sign(t, &authority)
	return pair, err
}

// sign makes a key and a certificate for it. Without an authority it signs itself.
func sign(t *x509.Certificate, authority *tls.Certificate) (pair tls.Certificate, certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, nil, err
	}
	if t.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return tls.Certificate{}, nil, nil, err
	}
	parent, signer := t, any(key)
	if authority != nil {
		parent, signer = authority.Leaf, authority.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), signer)
	if err != nil {
		return tls.Certificate{}, nil, nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return tls.Certificate{}, nil, nil, err
	}
	chain := [][]byte{der}
	if authority != nil {
		chain = append(chain, authority.Certificate[0])
	}
	return tls.Certificate{Certificate: chain, PrivateKey: key, Leaf: leaf},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}
