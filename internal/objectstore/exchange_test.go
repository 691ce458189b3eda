package objectstore_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/objectstore"
)

func external(t *testing.T, host string) *objectstore.Store {
	t.Helper()
	s, err := objectstore.NewExternal(objectstore.ExternalConfig{
		Endpoint: &url.URL{Scheme: "http", Host: host}, AccessKeyID: "AKID", SecretAccessKey: "secret", Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// script is a store that answers from a script and does not read bodies. Each answer is given to one request, on whatever connection.
type script struct {
	host    string
	conns   atomic.Int64
	heads   chan string   // method and path of each request
	closed  chan struct{} // one for each connection that the client closed
	answers chan string   // "" closes the connection instead of answering
}

func newScript(t *testing.T, answers ...string) *script {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &script{
		host: ln.Addr().String(), heads: make(chan string, 16), closed: make(chan struct{}, 16), answers: make(chan string, len(answers)),
	}
	for _, a := range answers {
		s.answers <- a
	}
	close(s.answers)
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.conns.Add(1)
			go s.serve(c)
		}
	}()
	return s
}

func (s *script) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			s.closed <- struct{}{}
			return
		}
		s.heads <- req.Method + " " + req.URL.Path
		if req.URL.Path == "/smuggled" {
			continue
		}
		answer, ok := <-s.answers
		if !ok || answer == "" {
			return
		}
		if strings.Contains(answer, " 200 ") {
			_, _ = io.Copy(io.Discard, req.Body)
		}
		_, _ = io.WriteString(c, answer)
	}
}

const (
	ok        = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	forbidden = "HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!"
	bare      = "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n"
	moved     = "HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 0\r\nLocation: http://example.com/\r\n\r\n"
)

func send(t *testing.T, s *objectstore.Store, method string, body string) int {
	t.Helper()
	r := objectstore.Request{Method: method, Bucket: "b-1", Key: "k"}
	if body != "" {
		r.Body, r.ContentLength = strings.NewReader(body), int64(len(body))
	}
	resp, err := s.Do(t.Context(), r)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	resp.Body.Close()
	return resp.Status
}

// A store that answers before it has read the body would take the body for the next request on the connection. spec: s3.md 3.2
func TestConnections(t *testing.T) {
	t.Parallel()
	// The body is a request: if the connection were used again, the store would serve it.
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	tests := map[string]struct {
		method, body, first string
		conns               int64 // after a second request
	}{
		"a success is used again":                    {"PUT", smuggled, ok, 1},
		"an error without a body sent is used again": {"GET", "", forbidden, 1},
		"an early error ends it":                     {"PUT", smuggled, forbidden, 2},
		"an early error of no bytes ends it":         {"PUT", smuggled, bare, 2},
		"a redirect ends it":                         {"PUT", smuggled, moved, 2},
		"a long unread body ends it":                 {"PUT", strings.Repeat("x", 8<<20), forbidden, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newScript(t, tt.first, ok, ok)
			s := external(t, fake.host)
			send(t, s, tt.method, tt.body)
			<-fake.heads
			if got := send(t, s, "GET", ""); got != 200 {
				t.Errorf("second request: %d", got)
			}
			// On the first connection the fake goes on reading; what it takes for a request came from the body.
			for {
				head := <-fake.heads
				if head == "GET /b-1/k" {
					break
				}
			}
			if got := fake.conns.Load(); got != tt.conns {
				t.Errorf("%d connections, want %d", got, tt.conns)
			}
			if tt.conns > 1 {
				<-fake.closed
			}
		})
	}
}

func TestConnections_unreadAnswerEndsIt(t *testing.T) {
	t.Parallel()
	fake := newScript(t, ok, ok)
	s := external(t, fake.host)
	resp, err := s.Do(t.Context(), objectstore.Request{Method: "GET", Bucket: "b-1", Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	<-fake.closed
	send(t, s, "GET", "")
	if got := fake.conns.Load(); got != 2 {
		t.Errorf("%d connections", got)
	}
}

// A connection that died while it was idle is noticed late. What left no trace is sent again; what may have is not.
func TestConnections_deadWhenReused(t *testing.T) {
	t.Parallel()
	for method, again := range map[string]bool{"GET": true, "HEAD": true, "DELETE": true, "POST": false} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			fake := newScript(t, ok, "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			s := external(t, fake.host)
			send(t, s, "GET", "")
			resp, err := s.Do(t.Context(), objectstore.Request{Method: method, Bucket: "b-1", Key: "k"})
			if err == nil {
				resp.Body.Close()
			}
			if (err == nil) != again {
				t.Errorf("error is %v", err)
			}
			if err != nil && !errors.Is(err, fault.Unavailable) {
				t.Errorf("not Unavailable: %v", err)
			}
		})
	}
}

func TestDo_headers(t *testing.T) {
	t.Parallel()
	got := make(chan *http.Request, 1)
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r
		h := w.Header()
		h["Connection"] = []string{"X-Hop"}
		h.Set("X-Hop", "1")
		h.Set("Keep-Alive", "timeout=5")
		h.Set("Server", "secret")
		h.Set("Set-Cookie", "a=b")
		h.Set("X-Amz-Meta-Kept", "yes")
	}))
	t.Cleanup(fake.Close)
	s := external(t, fake.Listener.Addr().String())
	in := http.Header{
		"Authorization": {"AWS4-HMAC-SHA256 theirs"}, "X-Amz-Security-Token": {"t"}, "X-Amz-Date": {"19700101T000000Z"}, "X-Amz-Acl": {"public-read"},
		"x-amz-grant-read": {"id=1"}, "X-Amz-Expected-Bucket-Owner": {"111122223333"}, "Connection": {"X-Private, close"}, "X-Private": {"1"},
		"Transfer-Encoding": {"chunked"}, "Te": {"trailers"}, "Expect": {"100-continue"}, "Content-Encoding": {"aws-chunked"}, "Accept-Encoding": {"gzip"},
		"X-Amz-Trailer": {"x-amz-checksum-crc32"}, "X-Amz-Sdk-Checksum-Algorithm": {"CRC32"}, "X-Amz-Decoded-Content-Length": {"1"},
		"x-amz-meta-Mine": {"kept"}, "Range": {"bytes=0-1"}, "Cookie": {"c"},
	}
	resp, err := s.Do(t.Context(), objectstore.Request{Method: "GET", Bucket: "b-1", Key: "a b", Query: url.Values{"x": {"1 2"}}, Header: in})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	r := <-got
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKID/") || r.Header.Get("X-Amz-Date") == in.Get("X-Amz-Date") {
		t.Errorf("not signed with our key: %v", r.Header)
	}
	if r.RequestURI != "/b-1/a%20b?x=1%202" {
		t.Errorf("sent %s", r.RequestURI)
	}
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Content-Sha256"} {
		r.Header.Del(name)
	}
	want := http.Header{"X-Amz-Meta-Mine": {"kept"}, "Range": {"bytes=0-1"}, "Accept-Encoding": {"identity"}, "User-Agent": {"podid"}}
	if diff := cmp.Diff(want, r.Header); diff != "" {
		t.Errorf("sent headers: %s", diff)
	}
	resp.Header.Del("Date")
	if diff := cmp.Diff(http.Header{"X-Amz-Meta-Kept": {"yes"}, "Content-Length": {"0"}}, resp.Header); diff != "" {
		t.Errorf("answered headers: %s", diff)
	}
	if in.Get("Authorization") == "" || in["x-amz-meta-Mine"] == nil { //nolint:staticcheck // the caller's own spelling
		t.Error("the caller's header was changed")
	}
}

func TestDo_unavailable(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := ln.Addr().String()
	ln.Close()
	for name, host := range map[string]string{
		"nobody listens":    nobody,
		"no HTTP":           newScript(t, "SSH-2.0\r\n").host,
		"endless headers":   newScript(t, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20)+"\r\n\r\n").host,
		"cut in the middle": newScript(t, "").host,
	} {
		_, err := external(t, host).Do(t.Context(), objectstore.Request{Method: "POST", Bucket: "b-1", Key: "k"})
		if f := fault.Of(err); f.Kind != fault.Unavailable || f.Subject != "object store" || f.Cause() == nil || strings.Contains(f.Public, host) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBody_keepsTheLastByteBack(t *testing.T) {
	t.Parallel()
	bad := errors.New("the checksum does not match")
	wrap := map[string]func(io.Reader) io.Reader{
		"plain": func(r io.Reader) io.Reader { return r }, "one byte": iotest.OneByteReader, "half": iotest.HalfReader, "data with EOF": iotest.DataErrReader,
	}
	for name, w := range wrap {
		for _, text := range []string{"x", "xy", strings.Repeat("long ", 1000)} {
			b, err := io.ReadAll(objectstore.NewBody(w(strings.NewReader(text)), int64(len(text))))
			if string(b) != text || err != nil {
				t.Errorf("%s: %q read as %q, %v", name, text, b, err)
			}
			failing := w(io.MultiReader(strings.NewReader(text), iotest.ErrReader(bad)))
			b, err = io.ReadAll(objectstore.NewBody(failing, int64(len(text))))
			if len(b) >= len(text) || !errors.Is(err, bad) {
				t.Errorf("%s: %q with a bad end gave %d bytes, %v", name, text, len(b), err)
			}
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, k := range []string{"a b", "%", "+", "\x00\xff", "a/b", "ü"} {
		f.Add(k)
	}
	f.Fuzz(func(t *testing.T, key string) {
		got, err := url.PathUnescape(objectstore.Escape(key))
		if err != nil || got != key {
			t.Errorf("%q escaped to %q, which is %q, %v", key, objectstore.Escape(key), got, err)
		}
	})
}

func TestNewExternal_refuses(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"", "s3.example.com", "ftp://s3.example.com", "https://s3.example.com/base", "https://u:p@s3.example.com", "https://s3?x=1"} {
		u, err := url.Parse(endpoint)
		if err != nil {
			t.Fatal(err)
		}
		_, err = objectstore.NewExternal(objectstore.ExternalConfig{Endpoint: u, AccessKeyID: "a", SecretAccessKey: "b", Now: time.Now})
		if !errors.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}
