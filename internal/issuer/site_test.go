package issuer_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/issuer"
	"github.com/podid/podid/internal/oidc"
)

const account = "111122223333"

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// clock is the present, moved.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time           { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(by time.Duration) { c.ahead.Add(int64(by)) }

// authority signs the certificates of sites.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key := newKey(t)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	return &authority{sign(t, c, c, &key.PublicKey, key), key}
}

// certificate is one for hosts, with the authority's behind it.
func (a *authority) issue(t testing.TB, life time.Duration, hosts ...string) tls.Certificate {
	t.Helper()
	key := newKey(t)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "site"}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(life), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, h)
		}
	}
	parent, signer := c, key
	if a != nil {
		parent, signer = a.certificate, a.key
	}
	chain := [][]byte{sign(t, c, parent, &key.PublicKey, signer).Raw}
	if a != nil {
		chain = append(chain, a.certificate.Raw)
	}
	return tls.Certificate{Certificate: chain, PrivateKey: key}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key
}

func sign(t testing.TB, c, parent *x509.Certificate, public *ecdsa.PublicKey, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	raw, err := x509.CreateCertificate(rand.Reader, c, parent, public, key)
	must(t, err)
	made, err := x509.ParseCertificate(raw)
	must(t, err)
	return made
}

func thumbprint(raw []byte) string {
	sum := sha1.Sum(raw)
	return hex.EncodeToString(sum[:])
}

// site is an issuer: a web server with a discovery document and a key set, both of which a test may change.
type site struct {
	*httptest.Server
	url     string
	signer  *oidc.Signer
	fetches atomic.Int32 // of the discovery document

	mu       sync.Mutex
	keys     *oidc.KeySet
	document string           // of discovery; empty: the right one
	cache    string           // Cache-Control of the key set
	instead  http.HandlerFunc // nil: the site as it should be
}

// newSite is one at 127.0.0.1 with a certificate of an authority for it.
func newSite(t testing.TB, a *authority) *site {
	t.Helper()
	return newSiteWith(t, "127.0.0.1", a.issue(t, time.Hour*1000, "127.0.0.1", "idp.example"))
}

func newSiteWith(t testing.TB, host string, c tls.Certificate) *site {
	t.Helper()
	s := &site{signer: newSigner(t)}
	s.keys = s.signer.KeySet()
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS10} // what is refused is the client's to decide
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	s.StartTLS()
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	must(t, err)
	s.url = "https://" + net.JoinHostPort(host, port)
	return s
}

func newSigner(t testing.TB) *oidc.Signer {
	t.Helper()
	signer, err := oidc.NewSigner("ES256")
	must(t, err)
	return signer
}

func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	keys, document, cache, instead := s.keys, s.document, s.cache, s.instead
	s.mu.Unlock()
	if r.URL.Path == "/.well-known/openid-configuration" {
		s.fetches.Add(1)
	}
	if instead != nil {
		instead(w, r)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		if document == "" {
			text, _ := json.Marshal(oidc.NewDiscovery(s.url, s.url+"/keys", keys))
			document = string(text)
		}
		_, _ = io.WriteString(w, document)
	case "/keys":
		if cache != "" {
			w.Header().Set("Cache-Control", cache)
		}
		_ = json.NewEncoder(w).Encode(keys)
	default:
		http.NotFound(w, r)
	}
}

// change changes what the site serves.
func (s *site) change(f func(*site)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *site) source(thumbprints ...string) issuer.Source {
	return issuer.Source{Account: account, Issuer: s.url, Thumbprints: thumbprints}
}

// config is one that reaches sites with certificates of an authority.
func config(a *authority) issuer.Config {
	return issuer.Config{Allow: loopback, RootCAs: []*x509.Certificate{a.certificate}}
}

// names is a resolver that answers with the addresses of a list, one after the other, the last one ever after.
func names(t testing.TB, addresses ...string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	go func() {
		b := make([]byte, 1500)
		for asked := 0; ; {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			end := 12
			for b[end] != 0 {
				end += int(b[end]) + 1
			}
			end += 5 // the root label, type and class
			answer := append([]byte{}, b[:min(end, n)]...)
			binary.BigEndian.PutUint16(answer[2:], 0x8180)
			copy(answer[6:12], make([]byte, 6))
			if binary.BigEndian.Uint16(answer[end-4:]) == 1 { // A
				answer[7] = 1
				a := netip.MustParseAddr(addresses[min(asked, len(addresses)-1)]).As4()
				asked++
				answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				answer = append(answer, a[:]...)
			}
			_, _ = conn.WriteTo(answer, from)
		}
	}()
	dialer := &net.Dialer{}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// refused ends the test unless err is a failure about the provider of a kind, and returns its public text.
func refused(t testing.TB, err error, kind fault.Kind) string {
	t.Helper()
	f := fault.Of(err)
	if err == nil || !errors.Is(err, kind) || f.Subject != "provider" {
		t.Fatalf("got %v, want %v about the provider", err, kind)
	}
	return f.Public
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
