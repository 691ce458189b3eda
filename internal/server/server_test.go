package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/server"
)

// clock is the present, moved.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time           { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(by time.Duration) { c.ahead.Add(int64(by)) }

// config is a configuration that is right, on a folder of its own.
func config(t *testing.T, c *clock) server.Config {
	return server.Config{
		Data: filepath.Join(t.TempDir(), "data"), Listen: "127.0.0.1:0", Region: "us-east-1", Accounts: []string{"111122223333"},
		Emit: func(*api.Record) {}, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: c.now,
	}
}

// run runs a control plane while f does. Two at a time cannot be in one process, because the embedded object store cannot; it
// also leaves the working directory somewhere else.
func run(t *testing.T, c server.Config, f func(server.Started)) {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	started := make(chan server.Started, 1)
	c.Ready = func(s server.Started) { started <- s }
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx, c) }()
	defer func() {
		cancel()
		if err := errors.Join(<-ended, os.Chdir(here)); err != nil { //nolint:usetesting // it is not the test that goes elsewhere
			t.Errorf("the end: %v", err)
		}
	}()
	select {
	case s := <-started:
		f(s)
	case err := <-ended:
		ended <- err
	}
}

func TestRun_refusesAConfigurationThatIsWrong(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		spoil func(*server.Config)
		want  []string
	}{
		{"a relative folder", func(c *server.Config) { c.Data = "data" }, []string{"not an absolute path"}},
		{"plain HTTP for all", func(c *server.Config) { c.Listen = "0.0.0.0:0" }, []string{"plain HTTP is for loopback"}},
		{"plain HTTP for all of IPv6", func(c *server.Config) { c.Listen = "[::]:0" }, []string{"plain HTTP is for loopback"}},
		{"plain HTTP for a name", func(c *server.Config) { c.Listen = "localhost.example.com:0" }, []string{"plain HTTP is for loopback"}},
		{"no port", func(c *server.Config) { c.Listen = "localhost" }, []string{"not host:port"}},
		{"a certificate without a key", func(c *server.Config) { c.TLS.CertFile = "a" }, []string{"go together"}},
		{"a key without a certificate", func(c *server.Config) { c.TLS.KeyFile = "a" }, []string{"go together"}},
		{"two certificates", func(c *server.Config) { c.TLS = server.TLS{CertFile: "a", KeyFile: "b", SelfSigned: true} }, []string{"exclude each other"}},
		{"an endpoint with a path", func(c *server.Config) { c.Endpoint = "https://example.com/podid" }, []string{"is not a URL like"}},
		{
			"everything at once", func(c *server.Config) { c.Region, c.Accounts, c.Emit = "", nil, nil },
			[]string{"a region is needed", "an account is needed", "Emit, Logger and Now are required"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := config(t, &clock{})
			test.spoil(&c)
			err := server.Run(t.Context(), c)
			if err == nil {
				t.Fatal("it was taken")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
			if _, err := os.Stat(c.Data); err == nil {
				t.Error("it has made the data folder")
			}
		})
	}
}

// The tests that run a control plane in this process do so one after the other.

func TestRun_tellsTheKeysOfTheFirstStart(t *testing.T) {
	c := config(t, &clock{})
	c.Accounts = append(c.Accounts, "444455556666")
	var first, second server.Started
	run(t, c, func(s server.Started) { first = s })
	if len(first.Administrators) != 2 {
		t.Fatalf("got %d keys, want one for each account", len(first.Administrators))
	}
	c.Accounts = []string{"777788889999"} // made at the first start only
	run(t, c, func(s server.Started) { second = s })
	if diff := cmp.Diff(second.Administrators, first.Administrators); diff != "" {
		t.Errorf("got (-), want (+):\n%s", diff)
	}
	if second.CABundle != "" || !strings.HasPrefix(second.Endpoint, "http://127.0.0.1:") {
		t.Errorf("got endpoint %s, authority %q", second.Endpoint, second.CABundle)
	}
	if err := os.Remove(filepath.Join(c.Data, "administrators.json")); err != nil {
		t.Fatal(err)
	}
	run(t, c, func(s server.Started) { second = s })
	if len(second.Administrators) != 0 {
		t.Errorf("got %d keys, want none: nobody knows them", len(second.Administrators))
	}
}

func TestRun_selfSignedCertificate(t *testing.T) {
	clock := &clock{}
	c := config(t, clock)
	c.TLS = server.TLS{SelfSigned: true, Hosts: []string{"podid.example.com"}}
	var authority string
	run(t, c, func(s server.Started) {
		text, err := os.ReadFile(s.CABundle)
		if err != nil {
			t.Fatal(err)
		}
		authority = string(text)
		if _, err := serial(t, s.Endpoint, x509.NewCertPool(), clock); err == nil {
			t.Error("a client that does not know the authority trusted the certificate")
		}
		before, err := serial(t, s.Endpoint, pool(t, s.CABundle), clock)
		if err != nil {
			t.Fatal(err)
		}
		clock.advance(25 * time.Hour)
		after, err := serial(t, s.Endpoint, pool(t, s.CABundle), clock)
		if err != nil {
			t.Fatal(err)
		}
		if before == after {
			t.Error("the certificate was not renewed after a day")
		}
	})
	clock.advance(-25 * time.Hour) // the embedded object store has a clock of its own
	run(t, c, func(s server.Started) {
		if text, err := os.ReadFile(s.CABundle); err != nil || string(text) != authority {
			t.Errorf("the second start has another authority (%v)", err)
		}
	})
	if info, err := os.Stat(filepath.Join(c.Data, "tls", "ca-key.pem")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the authority's key: %v, %v, want mode 0600", info, err)
	}
}

func TestRun_certificateFromFiles(t *testing.T) {
	clock := &clock{}
	c := config(t, clock)
	dir := t.TempDir()
	c.TLS = server.TLS{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
	c.Endpoint = "https://podid.example.com"
	certificate(t, c.TLS, 1)
	first := pool(t, c.TLS.CertFile)
	address := freeAddress(t)
	c.Listen = address
	run(t, c, func(s server.Started) {
		if s.Endpoint != c.Endpoint || s.CABundle != "" {
			t.Errorf("got endpoint %s, authority %q", s.Endpoint, s.CABundle)
		}
		expect := func(what string, roots *x509.CertPool, want int64) {
			t.Helper()
			if got, err := serial(t, "https://"+address, roots, clock); err != nil || got != want {
				t.Errorf("%s: got certificate %d, %v, want %d", what, got, err, want)
			}
		}
		expect("at the start", first, 1)
		certificate(t, c.TLS, 2)
		expect("renewed a moment ago", first, 1)
		second := pool(t, c.TLS.CertFile)
		clock.advance(2 * time.Minute)
		expect("renewed", second, 2)
		if err := os.WriteFile(c.TLS.CertFile, []byte("half a certif"), 0o600); err != nil {
			t.Fatal(err)
		}
		clock.advance(2 * time.Minute)
		expect("spoilt", second, 2)
	})
}

// freeAddress is one that nobody listens on now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// serial asks for the health over TLS and returns the number of the certificate that was served.
func serial(t *testing.T, endpoint string, roots *x509.CertPool, c *clock) (int64, error) {
	t.Helper()
	h := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Time: c.now, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, endpoint+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := h.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("health: %s", resp.Status)
	}
	n := resp.TLS.PeerCertificates[0].SerialNumber
	return n.Int64(), nil
}

func pool(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(text) {
		t.Fatalf("%s holds no certificate", file)
	}
	return p
}

// certificate writes a certificate that is its own authority, and its key.
func certificate(t *testing.T, to server.TLS, number int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(number), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{to.CertFile: {Type: "CERTIFICATE", Bytes: der}, to.KeyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
