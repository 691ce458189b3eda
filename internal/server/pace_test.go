package server

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestPatience(t *testing.T) {
	t.Parallel()
	for length, want := range map[int64]time.Duration{
		-1:       time.Hour,
		1:        5 * time.Minute,
		16 << 20: 5*time.Minute + 2048*time.Second,
		1 << 62:  30 * 24 * time.Hour,
	} {
		if got := patience(length); got != want {
			t.Errorf("a body of %d bytes may take %s, want %s", length, got, want)
		}
	}
}

// TestPaced holds that a body whose time is over ends: the clock of the handler is so far behind that the time is over at once.
func TestPaced(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	past := func() time.Time { return time.Now().Add(-time.Hour) }
	s := httptest.NewServer(paced(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		ended <- err
	}), past))
	defer s.Close()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "PUT / HTTP/1.1\r\nHost: podid\r\nContent-Length: 10\r\n\r\nhal"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("half a body was taken for a whole one")
	}
}
