package objectstore

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	dialTimeout       = 10 * time.Second
	headerTimeout     = 5 * time.Minute // from the last byte of a request to the answer's headers: a store may copy 5 GiB in between
	maxResponseHeader = 64 << 10        // bytes
	bufferSize        = 64 << 10        // bytes, per connection and direction
	maxIdle           = 128             // connections
	idleLifetime      = 30 * time.Second
)

// pool keeps the connections to one store. http.Transport has a pool of its own, but hands a connection to the next request before its
// caller has seen the status, and what may be reused depends on the status here. So the Transport makes connections, and this keeps them.
type pool struct {
	transport       *http.Transport
	scheme, address string
	now             func() time.Time

	mu     sync.Mutex
	idle   []idleConn // the newest last
	closed bool
}

type idleConn struct {
	conn  *http.ClientConn
	since time.Time
}

// newPool takes t over.
func newPool(t *http.Transport, scheme, address string, now func() time.Time) *pool {
	if t.DialContext == nil {
		t.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &patientConn{Conn: c}, nil
	}
	t.TLSHandshakeTimeout = dialTimeout
	t.ResponseHeaderTimeout = headerTimeout
	t.MaxResponseHeaderBytes = maxResponseHeader
	t.WriteBufferSize, t.ReadBufferSize = bufferSize, bufferSize
	t.DisableCompression = true // the object is passed on as it is stored
	t.Proxy = nil
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	return &pool{transport: t, scheme: scheme, address: address, now: now}
}

// get yields a connection that carries nothing, and whether it was used before.
func (p *pool) get(ctx context.Context, fresh bool) (conn *http.ClientConn, reused bool, err error) {
	for !fresh {
		c := p.newest()
		if c == nil {
			break
		}
		if c.Err() == nil && c.Available() > 0 {
			return c, true, nil
		}
		c.Close()
	}
	ctx, cancel := context.WithTimeout(ctx, 2*dialTimeout)
	defer cancel()
	conn, err = p.transport.NewClientConn(ctx, p.scheme, p.address)
	return conn, false, err
}

func (p *pool) newest() *http.ClientConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trim()
	if len(p.idle) == 0 {
		return nil
	}
	c := p.idle[len(p.idle)-1].conn
	p.idle = p.idle[:len(p.idle)-1]
	return c
}

// put takes back a connection whose exchange has ended well.
func (p *pool) put(c *http.ClientConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || c.Err() != nil {
		c.Close()
		return
	}
	p.idle = append(p.idle, idleConn{c, p.now()})
	p.trim()
}

// trim closes what is too old or too much. The caller holds mu.
func (p *pool) trim() {
	oldest, n := p.now().Add(-idleLifetime), 0
	for n < len(p.idle) && (len(p.idle)-n > maxIdle || p.idle[n].since.Before(oldest)) {
		p.idle[n].conn.Close()
		n++
	}
	if n > 0 {
		p.idle = append(p.idle[:0], p.idle[n:]...)
	}
}

// close closes the idle connections and every connection that comes back later.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.idle {
		c.conn.Close()
	}
	p.idle = nil
}

// patientConn does not report a failed write, but lets the next read tell what happened. A store that refuses a long upload answers and hangs
// up while we still write; net/http would give up at the failed write and lose the answer that says why.
type patientConn struct {
	net.Conn
	broken atomic.Bool
}

// Write writes, or drops what can no longer be written.
func (c *patientConn) Write(p []byte) (int, error) {
	if !c.broken.Load() {
		n, err := c.Conn.Write(p)
		if err == nil || errors.Is(err, net.ErrClosed) {
			return n, err
		}
		c.broken.Store(true)
	}
	return len(p), nil
}

// Read reads what the peer has sent. A connection that cannot be written to ends with it.
func (c *patientConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil && c.broken.Load() {
		err = errors.Join(errHungUp, err)
	}
	return n, err
}

var errHungUp = errors.New("the store hung up while it was written to")
