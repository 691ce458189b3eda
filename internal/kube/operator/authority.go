package operator

import (
	"bytes"
	"crypto"
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
	"slices"
	"time"
)

// Lifetimes. Whatever is past two thirds of its life is replaced.
const (
	authorityLifetime = 365 * 24 * time.Hour
	servingLifetime   = 90 * 24 * time.Hour

	// backdate is how far another clock may be behind.
	backdate = time.Hour
	// settle is how long a new authority is known before a certificate of it is served: API servers hear of it one after the other.
	settle = time.Minute
)

// Keys of the Secret. Those of the serving certificate are Kubernetes' own.
const (
	keyAuthorities = "ca.crt"
	keySigner      = "ca.key"
	keyServing     = "tls.crt"
	keyServingKey  = "tls.key"
)

// bundle is what the Secret holds: the webhook's authorities, and the certificate that is served. It never changes; next makes another.
type bundle struct {
	authorities []*x509.Certificate // the newest first; the others are trusted until they expire
	signer      crypto.Signer       // of the newest
	leaf        *x509.Certificate   // is served
	leafKey     crypto.Signer
}

// fresh makes a bundle where there is none. What the API server trusts now stays trusted: some replica may still serve a certificate of it.
func fresh(now time.Time, names []string, trusted []byte) (*bundle, error) {
	b := &bundle{}
	for _, c := range readCertificates(trusted) {
		if now.Before(c.NotAfter) && c.IsCA {
			b.authorities = append(b.authorities, c)
		}
	}
	if err := b.addAuthority(now); err != nil {
		return nil, err
	}
	return b, b.issue(now, names)
}

// next is the bundle that should be in b's place, or nil if b is as it should be. published is what the API server trusts now.
func (b *bundle) next(now time.Time, names []string, published []byte) (*bundle, error) {
	n := *b
	n.authorities = slices.DeleteFunc(slices.Clone(b.authorities), func(c *x509.Certificate) bool { return !now.Before(c.NotAfter) })
	changed := len(n.authorities) != len(b.authorities)
	if len(n.authorities) == 0 {
		return fresh(now, names, nil)
	}
	if !now.Before(twoThirds(n.authorities[0])) {
		return &n, n.addAuthority(now)
	}
	newest := n.authorities[0]
	stale := !now.Before(twoThirds(n.leaf)) || !slices.Equal(namesOf(n.leaf), sorted(names)) || n.leaf.CheckSignatureFrom(newest) != nil
	known := bytes.Contains(published, encodeCertificate(newest)) && !now.Before(settled(newest))
	if stale && (known || !n.serves(now)) {
		return &n, n.issue(now, names)
	}
	if !changed {
		return nil, nil //nolint:nilnil // nothing has to be done
	}
	return &n, nil
}

// due is when to look at the bundle again.
func (b *bundle) due(now time.Time) time.Time {
	at := now.Add(7 * 24 * time.Hour)
	earlier := func(t time.Time) {
		if t.After(now) && t.Before(at) {
			at = t
		}
	}
	earlier(twoThirds(b.leaf))
	earlier(settled(b.authorities[0]))
	earlier(twoThirds(b.authorities[0]))
	for _, c := range b.authorities {
		earlier(c.NotAfter)
	}
	return at
}

// serves reports whether the served certificate is good: of one of the authorities, and not expired.
func (b *bundle) serves(now time.Time) bool {
	return now.Before(b.leaf.NotAfter) && slices.ContainsFunc(b.authorities, func(c *x509.Certificate) bool { return b.leaf.CheckSignatureFrom(c) == nil })
}

func twoThirds(c *x509.Certificate) time.Time {
	return c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 3 * 2)
}

func settled(authority *x509.Certificate) time.Time {
	return authority.NotBefore.Add(backdate + settle)
}

func (b *bundle) addAuthority(now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make the webhook's authority: %w", err)
	}
	// The name has the time in it: authorities that share a name are told apart by nothing but their keys.
	t, err := template("podid-operator webhook authority "+now.UTC().Format(time.RFC3339), now, authorityLifetime)
	if err != nil {
		return err
	}
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign
	c, err := sign(t, t, key.Public(), key)
	if err != nil {
		return fmt.Errorf("make the webhook's authority: %w", err)
	}
	b.authorities, b.signer = append([]*x509.Certificate{c}, b.authorities...), key
	return nil
}

func (b *bundle) issue(now time.Time, names []string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make the webhook's certificate: %w", err)
	}
	t, err := template("podid-operator", now, servingLifetime)
	if err != nil {
		return err
	}
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, name)
		}
	}
	c, err := sign(t, b.authorities[0], key.Public(), b.signer)
	if err != nil {
		return fmt.Errorf("make the webhook's certificate: %w", err)
	}
	b.leaf, b.leafKey = c, key
	return nil
}

func template(name string, now time.Time, lifetime time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(lifetime),
	}, nil
}

func sign(t, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, t, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// namesOf are whom a certificate is for, in order.
func namesOf(c *x509.Certificate) []string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return sorted(names)
}

func sorted(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}

// trust is what the API server has to trust.
func (b *bundle) trust() []byte {
	var out []byte
	for _, c := range b.authorities {
		out = append(out, encodeCertificate(c)...)
	}
	return out
}

// certificate is what is served.
func (b *bundle) certificate() *tls.Certificate {
	return &tls.Certificate{Certificate: [][]byte{b.leaf.Raw}, PrivateKey: b.leafKey, Leaf: b.leaf}
}

// data is the bundle as a Secret holds it.
func (b *bundle) data() (map[string][]byte, error) {
	out := map[string][]byte{keyAuthorities: b.trust(), keyServing: encodeCertificate(b.leaf)}
	for name, key := range map[string]crypto.Signer{keySigner: b.signer, keyServingKey: b.leafKey} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, fmt.Errorf("encode the webhook's keys: %w", err)
		}
		out[name] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	return out, nil
}

// readBundle reads what data wrote. No error quotes what it read.
func readBundle(data map[string][]byte) (*bundle, error) {
	b := &bundle{authorities: readCertificates(data[keyAuthorities])}
	leaf := readCertificates(data[keyServing])
	if len(b.authorities) == 0 || len(leaf) == 0 {
		return nil, errors.New("the webhook's Secret has no certificate")
	}
	b.leaf = leaf[0]
	var err error
	if b.signer, err = readKey(data[keySigner], b.authorities[0]); err != nil {
		return nil, err
	}
	if b.leafKey, err = readKey(data[keyServingKey], b.leaf); err != nil {
		return nil, err
	}
	return b, nil
}

func readKey(text []byte, of *x509.Certificate) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the webhook's Secret lacks a key")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the webhook's Secret has a key that is not PKCS #8")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the webhook's Secret has a key that cannot sign")
	}
	public, ok := of.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(signer.Public()) {
		return nil, errors.New("the webhook's Secret has a key of another certificate")
	}
	return signer, nil
}

func readCertificates(text []byte) []*x509.Certificate {
	var out []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return out
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			out = append(out, c)
		}
	}
}

func encodeCertificate(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
