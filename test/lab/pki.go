package lab

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// pki makes the certificates of a lab. All keys die with it.
type pki struct {
	dir    string
	ca     *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64
}

// newPKI makes the authority, the certificates of the components, their kubeconfigs and the first service account key.
func (l *Lab) newPKI() (*pki, error) {
	p, err := newAuthority(filepath.Join(l.Dir, "pki"))
	if err != nil {
		return nil, err
	}
	public, err := p.serviceAccountKey(0)
	if err != nil {
		return nil, err
	}
	l.keys = []string{public}
	addresses := []net.IP{net.IPv4(127, 0, 0, 1), net.ParseIP(serviceIP), net.ParseIP(nodeIPv4), net.ParseIP(nodeIPv6)}
	names := []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	for _, leaf := range []struct {
		file     string
		template x509.Certificate
	}{
		{"apiserver", x509.Certificate{Subject: pkix.Name{CommonName: "kube-apiserver"}, DNSNames: names, IPAddresses: addresses}},
		{"kubelet-server", x509.Certificate{Subject: pkix.Name{CommonName: NodeName}, DNSNames: []string{NodeName}, IPAddresses: addresses}},
		{"admin", client("admin", "system:masters")},
		{"apiserver-kubelet", client("kube-apiserver-kubelet", "system:masters")},
		{"scheduler", client("system:kube-scheduler")},
		{"kubelet", client("system:node:"+NodeName, "system:nodes")},
	} {
		if err := p.leaf(leaf.file, leaf.template); err != nil {
			return nil, fmt.Errorf("certificate of %s: %w", leaf.file, err)
		}
	}
	for _, user := range []string{"admin", "scheduler", "kubelet"} {
		if err := l.writeKubeconfig(p, user); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func newAuthority(dir string) (*pki, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	p := &pki{dir: dir, key: key, serial: 1}
	template := validity(x509.Certificate{
		SerialNumber: big.NewInt(p.serial), Subject: pkix.Name{CommonName: "lab"}, BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	})
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	if p.ca, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	return p, p.write("ca", der, key)
}

func client(name string, groups ...string) x509.Certificate {
	return x509.Certificate{
		Subject: pkix.Name{CommonName: name, Organization: groups}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

func validity(c x509.Certificate) x509.Certificate {
	now := time.Now()
	c.NotBefore, c.NotAfter = now.Add(-time.Hour), now.Add(7*24*time.Hour)
	return c
}

// leaf makes a certificate; one for a server unless the template says otherwise.
func (p *pki) leaf(file string, template x509.Certificate) error {
	p.serial++
	template = validity(template)
	template.SerialNumber = big.NewInt(p.serial)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	if template.ExtKeyUsage == nil {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, p.ca, key.Public(), p.key)
	if err != nil {
		return err
	}
	return p.write(file, der, key)
}

func (p *pki) file(name string) string { return filepath.Join(p.dir, name) }

func (p *pki) write(file string, certificate []byte, key crypto.Signer) error {
	if err := writePEM(p.file(file+".crt"), "CERTIFICATE", certificate); err != nil {
		return err
	}
	return p.writeKey(file, key)
}

func (p *pki) writeKey(file string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(p.file(file+".key"), "PRIVATE KEY", der)
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// serviceAccountKey makes another signing key for service account tokens and returns the file of its public half. The first is RSA, as
// most clusters have it; later ones are on an elliptic curve, so that a rotation changes the algorithm as well.
func (p *pki) serviceAccountKey(number int) (string, error) {
	var key crypto.Signer
	var err error
	if number == 0 {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("service-account-%d", number)
	if err := writePEM(p.file(name+".pub"), "PUBLIC KEY", der); err != nil {
		return "", err
	}
	return p.file(name + ".pub"), p.writeKey(name, key)
}

func (l *Lab) writeKubeconfig(p *pki, user string) error {
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: lab, cluster: {server: "https://%s", certificate-authority: %q}}]
users: [{name: %[3]s, user: {client-certificate: %[4]q, client-key: %[5]q}}]
contexts: [{name: lab, context: {cluster: lab, user: %[3]s}}]
current-context: lab
`, l.server, p.file("ca.crt"), user, p.file(user+".crt"), p.file(user+".key"))
	return os.WriteFile(filepath.Join(l.Dir, user+".kubeconfig"), []byte(text), 0o600)
}
