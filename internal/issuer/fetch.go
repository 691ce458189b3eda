package issuer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/oidc"
)

// Bounds of a fetch.
const (
	maxBody      = 256 << 10
	maxHeader    = 32 << 10
	maxRedirects = 3
)

// AWS's texts. spec: pod-identity.md 6.4
const (
	subject = "provider"
	textKey = "Couldn't retrieve verification key from your identity provider, " +
		"please reference AssumeRoleWithWebIdentity documentation for requirements"
	textThumbprint = "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
)

var errRedirect = errors.New("a redirect leads where issuers are not fetched from")

// unusable is a failure that trying again does not mend.
func unusable(detail string, cause error) error {
	return fault.New(fault.NotFound, subject, "%s (%s)", textKey, detail).Because(cause)
}

// unreachable is a failure that trying again may mend.
func unreachable(detail string, cause error) error {
	return fault.New(fault.Unavailable, subject, "Couldn't communicate with your identity provider (%s): try again", detail).Because(cause)
}

// fetch gets the key set of an issuer and how long it may be kept.
func (f *Fetcher) fetch(ctx context.Context, s Source) (*oidc.KeySet, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, f.c.Total)
	defer cancel()
	client := f.client(trust{roots: f.roots, thumbprints: normal(s.Thumbprints)})
	text, _, err := f.get(ctx, client, wellKnown(s.Issuer))
	if err != nil {
		return nil, 0, err
	}
	jwksURI, err := parseDiscovery(s.Issuer, text)
	if err != nil {
		return nil, 0, unusable(err.Error(), nil)
	}
	text, header, err := f.get(ctx, client, jwksURI)
	if err != nil {
		return nil, 0, err
	}
	keys, err := oidc.ParseKeySet(text)
	if err != nil {
		return nil, 0, unusable("the key set cannot be used", err)
	}
	return keys, lifetime(header), nil
}

// client is an HTTP client for one fetch. It keeps no connection.
func (f *Fetcher) client(t trust) *http.Client {
	dialer := &net.Dialer{Timeout: f.c.Request, Resolver: f.c.Resolver, ControlContext: reach(f.c.Allow).control}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, errRedirect }, // plain HTTP
			DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				ctx, cancel := context.WithTimeout(ctx, f.c.Request)
				defer cancel()
				host, _, err := net.SplitHostPort(address)
				if err != nil {
					return nil, err
				}
				conn, err := dialer.DialContext(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return f.handshake(ctx, conn, host, t)
			},
			DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			req.Header.Del("Referer")
			if err := checkURL(req.URL); err != nil || len(via) > maxRedirects {
				return errors.Join(errRedirect, err)
			}
			return nil
		},
	}
}

// get reads one document.
func (f *Fetcher) get(ctx context.Context, client *http.Client, url string) ([]byte, http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, f.c.Request)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, unusable("the issuer is not an https URL", err)
	}
	if err := checkURL(req.URL); err != nil {
		return nil, nil, unusable("the issuer is not an https URL", err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "podid")
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, classify(err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode >= http.StatusInternalServerError, resp.StatusCode == http.StatusTooManyRequests:
		return nil, nil, unreachable("it answers with status "+strconv.Itoa(resp.StatusCode), nil)
	case resp.StatusCode != http.StatusOK:
		return nil, nil, unusable("it answers with status "+strconv.Itoa(resp.StatusCode), nil)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, nil, classify(err)
	}
	if len(text) > maxBody {
		return nil, nil, unusable(fmt.Sprintf("a document has more than %d bytes", maxBody), nil)
	}
	return text, resp.Header, nil
}

// classify tells what is wrong with an issuer from what is wrong with the way to it. That a host has no address and that it has one
// which is not dialed are one answer, so that nobody learns what names resolve to in here.
func classify(err error) error {
	name, isName := errors.AsType[*net.DNSError](err)
	_, isCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, isHost := errors.AsType[x509.HostnameError](err)
	socket, isSocket := errors.AsType[*net.OpError](err)
	_, isPlain := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case errors.Is(err, errAddress), isName && name.IsNotFound:
		return unusable("its host has no address that issuers may have here", err)
	case errors.Is(err, errThumbprint):
		return fault.New(fault.NotFound, subject, textThumbprint).Because(err)
	case errors.Is(err, errRedirect):
		return unusable("it redirects too often, or to what is not https", err)
	case isCertificate, isHost:
		return unusable("its certificate is not trusted", err)
	case isPlain, isSocket && socket.Op == "remote error": // package tls's word for an alert
		return unusable("it does not speak TLS 1.2 or newer", err)
	}
	return unreachable("it does not answer in time", err)
}

// lifetime is how long a document may be kept, by what its header says of caches.
func lifetime(h http.Header) time.Duration {
	d := defaultLifetime
	for _, line := range h.Values("Cache-Control") {
		for part := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(part)), "=")
			switch name {
			case "no-store", "no-cache":
				return minLifetime
			case "max-age":
				if n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
					d = time.Duration(n) * time.Second
				}
			}
		}
	}
	return min(max(d, minLifetime), maxLifetime)
}
