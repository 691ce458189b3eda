package cli

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/netip"
	"os"

	"github.com/spf13/cobra"

	"github.com/podid/podid/internal/server"
)

// issuerFlags are the flags about outside issuers of tokens.
type issuerFlags struct {
	allow []string
	cas   []string
}

func (f *issuerFlags) add(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.allow, "issuer-allow", nil,
		"private network, as a CIDR, in which outside token issuers may be (10.20.0.0/16); public addresses need none; repeat for more")
	c.Flags().StringArrayVar(&f.cas, "issuer-ca", nil,
		"certificate authorities of outside token issuers, PEM, trusted besides the system's; repeat for more")
}

func (f *issuerFlags) config() (server.Issuers, error) {
	var c server.Issuers
	for _, text := range f.allow {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return c, fmt.Errorf("--issuer-allow %q is not a network like 10.20.0.0/16", text)
		}
		c.Allow = append(c.Allow, p.Masked())
	}
	for _, file := range f.cas {
		certificates, err := readCertificates(file)
		if err != nil {
			return c, fmt.Errorf("read --issuer-ca: %w", err)
		}
		c.RootCAs = append(c.RootCAs, certificates...)
	}
	return c, nil
}

// readCertificates reads the certificates of a PEM file, which has at least one.
func readCertificates(file string) ([]*x509.Certificate, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var list []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return list, nil
}
