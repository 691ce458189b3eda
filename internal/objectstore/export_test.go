package objectstore

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
)

// Escape is the escaping of keys in paths.
func Escape(key string) string { return escape(key) }

// NewBody is the body as a connection reads it.
func NewBody(source io.Reader, length int64) io.Reader { return newRequestBody(source, length) }

// Group is the group commit over any sync function.
func Group(sync func() error) (wait func() error) { return (&groupSync{sync: sync}).wait }

// Cut sends r to the embedded store, ends the connection's sending side after the first n bytes of the body, and waits for the verdict.
func (s *Store) Cut(ctx context.Context, r Request, n int64) (status int, err error) {
	req, err := s.request(ctx, r)
	if err != nil {
		return 0, err
	}
	req.Body = io.NopCloser(r.Body)
	var wire bytes.Buffer
	if err := req.Write(&wire); err != nil {
		return 0, err
	}
	c, err := net.Dial("unix", socket)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if _, err := c.Write(wire.Bytes()[:int64(wire.Len())-r.ContentLength+n]); err != nil {
		return 0, err
	}
	if err := c.(*net.UnixConn).CloseWrite(); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}
