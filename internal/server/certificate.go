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
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// A self-signed certificate has an authority of its own, so that a renewed one is still trusted by those who were given the
// authority's file. Both live below Data/tls; the keys are 0600.
const (
	authorityLife   = 10 * 365 * 24 * time.Hour
	certificateLife = 90 * 24 * time.Hour
)

// certificate is the listener's TLS configuration and the file with its authority; both zero for plain HTTP.
func (c *Config) certificate() (*tls.Config, string, error) {
	if c.TLS.off() {
		return nil, "", nil
	}
	var pair tls.Certificate
	var bundle string
	var err error
	if c.TLS.CertFile != "" {
		if pair, err = tls.LoadX509KeyPair(c.TLS.CertFile, c.TLS.KeyFile); err != nil {
			return nil, "", fmt.Errorf("load the certificate: %w", err)
		}
	} else if pair, bundle, err = c.selfSigned(); err != nil {
		return nil, "", fmt.Errorf("make a self-signed certificate: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}, bundle, nil
}

// selfSigned issues a certificate for this start, from an authority that is made once.
func (c *Config) selfSigned() (tls.Certificate, string, error) {
	dir := filepath.Join(c.Data, "tls")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return tls.Certificate{}, "", err
	}
	bundle := filepath.Join(dir, "ca.pem")
	authority, err := loadAuthority(bundle, filepath.Join(dir, "ca-key.pem"))
	if errors.Is(err, os.ErrNotExist) {
		authority, err = c.newAuthority(bundle, filepath.Join(dir, "ca-key.pem"))
	}
	if err != nil {
		return tls.Certificate{}, "", err
	}
	pair, err := c.issue(authority)
	return pair, bundle, err
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
	if err := os.WriteFile(keyFile, keyPEM, 0o600); err != nil {
		return tls.Certificate{}, err
	}
	return pair, os.WriteFile(certFile, certPEM, 0o600)
}

func (c *Config) issue(authority tls.Certificate) (tls.Certificate, error) {
	now := c.Now()
	t := &x509.Certificate{
		Subject: pkix.Name{CommonName: "podid"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	names := c.TLS.Hosts
	if name, err := os.Hostname(); err == nil {
		names = append(names, name)
	}
	if host, _, err := net.SplitHostPort(c.Listen); err == nil {
		names = append(names, host)
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
