package sigv4_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/podid/podid/internal/api/sigv4"
	"github.com/podid/podid/internal/fault"
)

// FuzzParse holds that no request head makes Parse or Verify panic or accept a signature that the secret did not make, and that every
// failure has a kind.
func FuzzParse(f *testing.F) {
	for _, r := range []*http.Request{
		request(f, "s3", "PUT", "/bucket/key%20x?versionId=1", "", nil),
		request(f, "sts", "POST", "/", "", nil),
		presigned(f, "GET", nil),
	} {
		var b bytes.Buffer
		if err := r.Write(&b); err != nil {
			f.Fatal(err)
		}
		f.Add(b.String())
	}
	f.Add("GET /?X-Amz-Signature=x&X-Amz-Algorithm=AWS4-HMAC-SHA256 HTTP/1.1\r\nHost: a\r\n\r\n")
	f.Add("GET //a/../b HTTP/1.1\r\nHost: a\r\nAuthorization: AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request,SignedHeaders=,Signature=\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			return
		}
		a, err := sigv4.Parse(r)
		if err == nil && a != nil {
			if r.ContentLength = 0; a.Verify(r, "not the secret", a.Date) == nil {
				t.Error("a signature was accepted that the secret did not make")
			}
			err = a.Verify(r, secret, a.Date)
		}
		if f, ok := errors.AsType[*fault.Error](err); err != nil && (!ok || f.Subject != "signature" && f.Subject != "payload") {
			t.Errorf("unclassified failure: %v", err)
		}
	})
}

// FuzzCanonical holds that the SDK's signer and we agree on every path and query, and that no other path or query has the same signature.
func FuzzCanonical(f *testing.F) {
	for _, key := range oddKeys {
		f.Add(key, "prefix", key, "other")
	}
	f.Add("", "", "", "")
	f.Add("a", "a-b", "a", "a=b")
	f.Fuzz(func(t *testing.T, key, name, value, other string) {
		if hasAuthName(name) || strings.ContainsAny(other, "/") {
			return
		}
		for _, service := range []string{"s3", "eks"} {
			path := "/b/" + key
			if service != "s3" {
				path = "/tags/" + url.PathEscape(key) + "x" // no empty or dot segment: the SDK does not normalise those
			}
			r := request(t, service, "GET", "/", "", func(r *http.Request) {
				r.URL = &url.URL{Path: path, RawQuery: url.Values{name: {value}}.Encode()}
				if service == "s3" {
					r.URL.RawPath = escapeKey(path)
				}
			})
			u, err := url.ParseRequestURI(r.URL.RequestURI())
			if err != nil {
				t.Skip()
			}
			r.URL = u
			if err := prove(r, now); err != nil {
				t.Fatalf("%s %q ?%q=%q: %v", service, path, name, value, err)
			}
			if other == "" {
				continue
			}
			r.URL.Path, r.URL.RawPath = u.Path+other, ""
			if err := prove(r, now); err == nil {
				t.Errorf("the signature of %q fits %q", path, r.URL.Path)
			}
		}
	})
}

// escapeKey encodes a path as S3 clients do: everything but the unreserved characters and the slash.
func escapeKey(path string) string {
	return strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(path))
}

func hasAuthName(name string) bool {
	return name == "AWSAccessKeyId" || len(name) > 6 && strings.EqualFold(name[:6], "x-amz-")
}

// FuzzChunked holds that a chunk reader releases all bytes of a stream only if the stream is the one that was signed.
func FuzzChunked(f *testing.F) {
	const body = "a few bytes of body"
	for i, kind := range kinds {
		_, e := chunkedRequest(f, kind, len(body), nil)
		e.chunk(body[:7])
		e.chunk(body[7:])
		e.chunk("")
		e.trailer("x-amz-checksum-crc32", crc(body))
		f.Add(uint8(i), e.out.Bytes())
		f.Add(uint8(i), e.out.Bytes()[:30])
	}
	f.Add(uint8(2), []byte("13;x\r\n"))
	f.Fuzz(func(t *testing.T, i uint8, stream []byte) {
		kind := kinds[int(i)%len(kinds)]
		r, _ := chunkedRequest(t, kind, len(body), nil)
		_, got, err := readChunked(t, r, bytes.NewReader(stream))
		if err == nil && (len(got) != len(body) || kind != sigv4.StreamingUnsignedTrailer && string(got) != body) {
			t.Errorf("%s: accepted %q from %q", kind, got, stream)
		}
		if err != nil && len(got) >= len(body) {
			t.Errorf("the last byte of an unproven body was released: %v", err)
		}
		if _, ok := errors.AsType[*fault.Error](err); err != nil && !ok {
			t.Errorf("unclassified failure: %v", err)
		}
	})
}

func TestUnsignedBodyPasses(t *testing.T) {
	t.Parallel()
	r := request(t, "s3", "PUT", "/b/k", "", func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", sigv4.UnsignedPayload) })
	a, err := sigv4.Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Verify(r, secret, now); err != nil {
		t.Fatal(err)
	}
	r.Body = io.NopCloser(strings.NewReader("anything"))
	r.ContentLength = 8
	b, err := a.Body(r, secret)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(b); err != nil || string(got) != "anything" || b.Length() != 8 || b.Trailer() != "" || b.Checksum() != "" {
		t.Errorf("read %q: %v", got, err)
	}
	r = httptest.NewRequest(http.MethodGet, "/", nil)
	r.Body = nil
	if b, err = a.Body(r, secret); err != nil || b.Close() != nil {
		t.Error("a request without body")
	}
}
