package objectstore

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

var (
	errShort = errors.New("the body ended before its declared length")
	errLong  = errors.New("the body is longer than its declared length")
	errGone  = errors.New("the request is over")
)

// requestBody feeds a body of known length to the connection and keeps the last byte back until the source has said io.EOF. A source that
// proves a signature or a checksum at its end can thereby still break the transfer: the store never sees a complete body that was not proven.
//
// The connection reads from another goroutine and may do so once more after the exchange is over; a severed body fails such a read without
// touching the source. One read that had begun before may still be under way.
type requestBody struct {
	source  io.Reader
	severed atomic.Bool

	mu   sync.Mutex
	left int64 // bytes not yet read from the source
	held []byte
	read bool  // the source was touched
	eof  bool  // the source said io.EOF
	err  error // why the source failed
}

func newRequestBody(source io.Reader, length int64) *requestBody {
	return &requestBody{source: source, left: length}
}

// Read yields the body.
func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.severed.Load():
		return 0, errGone
	case b.err != nil:
		return 0, b.err
	case len(p) == 0:
		return 0, nil
	case b.left == 0:
		return b.last(p)
	}
	b.read = true
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.source.Read(p)
	b.left -= int64(n)
	switch {
	case err == io.EOF && b.left > 0:
		b.err = errShort
		return 0, b.err
	case err == io.EOF:
		b.eof = true
		return n, nil
	case err != nil:
		b.err = err
		return 0, b.err
	case b.left == 0 && n > 0:
		b.held = []byte{p[n-1]}
		if n == 1 {
			return b.last(p)
		}
		return n - 1, nil
	}
	return n, nil
}

// last yields the byte that was kept back, once the source is known to end there.
func (b *requestBody) last(p []byte) (int, error) {
	for !b.eof {
		var extra [1]byte
		n, err := b.source.Read(extra[:])
		switch {
		case n > 0:
			b.err = errLong
			return 0, b.err
		case err == io.EOF:
			b.eof = true
		case err != nil:
			b.err = err
			return 0, b.err
		}
	}
	b.read = true
	if len(b.held) == 0 {
		return 0, io.EOF
	}
	p[0] = b.held[0]
	b.held = nil
	return 1, io.EOF
}

// Close does nothing: the source belongs to the caller.
func (b *requestBody) Close() error { return nil }

// sever ends the body for the connection.
func (b *requestBody) sever() { b.severed.Store(true) }

// failure is why the source failed, or nil.
func (b *requestBody) failure() error {
	if !b.mu.TryLock() {
		return nil // a read is under way, so none has failed
	}
	defer b.mu.Unlock()
	return b.err
}

// reclaim severs the body and reports whether its source is as it was, so that another connection may send it.
func (b *requestBody) reclaim() bool {
	b.sever()
	if !b.mu.TryLock() {
		return false
	}
	defer b.mu.Unlock()
	return !b.read
}
