package objectstore

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/podid/podid/internal/fault"
)

// Request is one S3 request to the store. The caller's authority is settled before; nothing here is checked against a policy.
type Request struct {
	Method string
	Bucket string      // "" asks the service (ListBuckets)
	Key    string      // the raw key; "" asks the bucket
	Query  url.Values  // without the parameters of a presigned URL
	Header http.Header // reduced to the headers that may be passed on; it is not changed

	// Body has exactly ContentLength bytes. Its error comes back from Do unchanged and then nothing is stored. A read may still be under
	// way when Do returns an answer that the store gave early.
	Body          io.Reader
	ContentLength int64

	// PayloadHash is the SHA-256 of the body in lower-case hex, which the store checks, or UNSIGNED-PAYLOAD. "" means UNSIGNED-PAYLOAD
	// with a body and the hash of nothing without one.
	PayloadHash string
}

// Response is the store's answer, of any status. The Body must be closed; until then it holds a connection.
type Response struct {
	Status        int
	Header        http.Header // without hop-by-hop headers and headers about the store
	ContentLength int64       // bytes; -1: unknown
	Body          io.ReadCloser
}

// Values of Request.PayloadHash.
const (
	UnsignedPayload = "UNSIGNED-PAYLOAD"
	emptyHash       = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// Do sends one request. It returns an error only when there is no answer: fault.Invalid for a key or bucket that cannot be sent,
// fault.Unavailable when the store does not answer, and the error of the body when that failed. Redirects are answers.
//
// When Do returns an answer of success to a write on the embedded store, the write survives a power loss.
func (s *Store) Do(ctx context.Context, r Request) (*Response, error) {
	req, err := s.request(ctx, r)
	if err != nil {
		return nil, err
	}
	resp, err := s.exchange(req, r)
	if err != nil {
		return nil, err
	}
	if s.durable != nil && r.Method != http.MethodGet && r.Method != http.MethodHead && resp.Status < 300 {
		if err := s.durable.wait(); err != nil {
			resp.Body.Close()
			return nil, unavailable(err)
		}
	}
	return resp, nil
}

// request builds and signs what is sent, but for the body.
func (s *Store) request(ctx context.Context, r Request) (*http.Request, error) {
	if r.Bucket != "" {
		if err := checkBucket(r.Bucket); err != nil {
			return nil, err
		}
	}
	if r.Key != "" {
		if err := s.CheckKey(r.Key); err != nil {
			return nil, err
		}
		if r.Bucket == "" {
			return nil, fault.New(fault.Internal, "object store", "a key without a bucket")
		}
	}
	if prefix := r.Query.Get("prefix"); prefix != "" {
		if err := s.CheckPrefix(prefix); err != nil {
			return nil, err
		}
	}
	if r.ContentLength < 0 || (r.ContentLength > 0) != (r.Body != nil && r.Body != http.NoBody) {
		if r.ContentLength != 0 {
			return nil, fault.New(fault.Internal, "object store", "a body needs its length, and a length its body")
		}
	}
	hash := r.PayloadHash
	switch {
	case hash == "" && r.ContentLength == 0:
		hash = emptyHash
	case hash == "":
		hash = UnsignedPayload
	case hash != UnsignedPayload && !isHash(hash):
		return nil, fault.New(fault.Internal, "object store", "the payload hash is neither a SHA-256 nor UNSIGNED-PAYLOAD")
	}
	u := target(s.endpoint, r.Bucket, r.Key, r.Query)
	req := (&http.Request{
		Method: r.Method, URL: u, Host: u.Host, Header: requestHeader(r.Header),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: r.ContentLength,
	}).WithContext(ctx)
	req.Header.Set("X-Amz-Content-Sha256", hash)
	if err := s.signer.SignHTTP(ctx, s.credentials, req, hash, "s3", s.region, s.now().UTC(), signS3); err != nil {
		return nil, fault.New(fault.Internal, "object store", "the request cannot be signed").Because(err)
	}
	// Set after signing: proxies on the way may rewrite these two.
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "podid")
	return req, nil
}

// signS3 keeps the signer from escaping the path, which is sent as it is signed.
func signS3(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }

func isHash(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// exchange sends req over a connection of the pool. A connection that had been idle may turn out to be dead; then a request that left
// no trace is sent once more, over a new one.
func (s *Store) exchange(req *http.Request, r Request) (*Response, error) {
	for fresh := false; ; fresh = true {
		conn, reused, err := s.pool.get(req.Context(), fresh)
		if err != nil {
			return nil, unavailable(err)
		}
		var body *requestBody
		if r.ContentLength > 0 {
			body = newRequestBody(r.Body, r.ContentLength)
			req.Body = body
		}
		resp, err := conn.RoundTrip(req) //nolint:bodyclose // the Response closes it
		if err == nil {
			return s.response(conn, body, resp), nil
		}
		conn.Close()
		if body != nil {
			if failed := body.failure(); failed != nil {
				body.sever()
				return nil, failed
			}
		}
		if !reused || req.Context().Err() != nil || !repeatable(r.Method, body) {
			return nil, unavailable(err)
		}
	}
}

// repeatable tells whether a request whose connection broke may be sent again: reads and deletions always, anything else only when the
// store cannot have acted because its body was never touched.
func repeatable(method string, body *requestBody) bool {
	if body != nil {
		return body.reclaim()
	}
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodDelete
}

// response ties the life of the connection to the answer's body. The connection goes back to the pool when the body was read to its end,
// unless it carried a request body and the answer is not a success: whether the store has read that body is then unknown, and what it has
// not read it would take for the next request. spec: s3.md 3.2
func (s *Store) response(conn *http.ClientConn, body *requestBody, resp *http.Response) *Response {
	reusable := body == nil || resp.StatusCode < 300
	if body != nil {
		body.sever()
	}
	responseHeader(resp.Header)
	out := &Response{Status: resp.StatusCode, Header: resp.Header, ContentLength: resp.ContentLength}
	rb := &responseBody{body: resp.Body}
	rb.end = sync.OnceFunc(func() {
		resp.Body.Close()
		if reusable && rb.whole && !resp.Close && conn.Err() == nil {
			s.pool.put(conn)
		} else {
			conn.Close()
		}
	})
	if resp.ContentLength == 0 || resp.Request.Method == http.MethodHead {
		rb.whole = true
		rb.end()
	}
	out.Body = rb
	return out
}

type responseBody struct {
	body  io.ReadCloser
	whole bool // read to its end
	end   func()
}

// Read yields the answer. The connection is given back at its end.
func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err == io.EOF {
		b.whole = true
		b.end()
	} else if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		err = unavailable(err)
	}
	return n, err
}

// Close gives up what was not read, and with it the connection.
func (b *responseBody) Close() error {
	b.end()
	return nil
}
