package s3api

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/podid/podid/internal/api/sigv4"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/objectstore"
)

// forward sends the request to the store and the answer, the bytes of an object or none, to the caller.
func forward(ctx context.Context, s *Service, r *request) error {
	resp, err := s.exchange(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	copyHeader(r.x.Writer.Header(), resp.Header)
	if resp.ContentLength >= 0 && r.x.Writer.Header().Get("Content-Length") == "" && resp.Status != http.StatusNoContent {
		r.x.Writer.Header().Set("Content-Length", strconv.FormatInt(resp.ContentLength, 10))
	}
	r.x.Writer.WriteHeader(resp.Status)
	if r.http.Method == http.MethodHead {
		return nil
	}
	buffer := s.buffers.Get().(*[copyBuffer]byte)
	defer s.buffers.Put(buffer)
	if _, err := io.CopyBuffer(r.x.Writer, resp.Body, buffer[:]); err != nil {
		return fault.New(fault.Unavailable, "object store", "The object could not be sent to its end").Because(err)
	}
	return nil
}

// copyBuffer is the size of the buffers that objects are copied by, in bytes.
const copyBuffer = 32 << 10

// forwardDocument is forward for an answer that is a document. It is read to its end and written again: the store names itself
// in it as owner and endpoint, and may answer 200 with an error.
func forwardDocument(ctx context.Context, s *Service, r *request) error {
	resp, err := s.exchange(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.Status != http.StatusOK {
		copyHeader(r.x.Writer.Header(), resp.Header)
		return empty(r, resp.Status)
	}
	scheme := "http"
	if r.http.TLS != nil {
		scheme = "https"
	}
	location := &url.URL{Scheme: scheme, Host: r.http.Host, Path: "/" + r.bucket + "/" + r.key}
	document, err := rewrite(resp.Body, canonicalID(r.found.Account), location.String())
	if err != nil {
		return s.conceal(r, err)
	}
	h := r.x.Writer.Header()
	copyHeader(h, resp.Header)
	h.Del("Content-Encoding")
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(document)))
	r.x.Writer.WriteHeader(http.StatusOK)
	_, _ = r.x.Writer.Write(document) // the caller is gone: nothing is left to tell
	return nil
}

// exchange asks the store. An answer of failure is an error.
func (s *Service) exchange(ctx context.Context, r *request) (*objectstore.Response, error) {
	resp, err := s.send(ctx, r)
	if err != nil {
		return nil, err
	}
	if resp.Status >= http.StatusMultipleChoices && resp.Status != http.StatusNotModified {
		defer resp.Body.Close()
		return nil, s.conceal(r, storeError(resp))
	}
	return resp, nil
}

// conceal tells whether a key exists only to those who may list the bucket. spec: iam-policy.md 11.2
func (s *Service) conceal(r *request, err error) error {
	f := fault.Of(err)
	if f.Kind != fault.NotFound || f.Subject != "key" {
		return err
	}
	b := r.found
	if r.source != nil {
		b = r.source.bucket
	}
	if refusal := s.allowed(r, &question{action: "s3:ListBucket", resource: arn.Bucket(b.Name), bucket: b}); refusal != nil {
		return refusal
	}
	return err
}

// send makes the store's request. A declared SHA-256 is signed again, so that the store checks it; every other payload has
// been decoded and proven on the way and goes as a plain body. spec: s3.md 3.1
func (s *Service) send(ctx context.Context, r *request) (*objectstore.Response, error) {
	out := objectstore.Request{Method: r.http.Method, Bucket: r.bucket, Key: r.key, Query: r.query, Header: r.storeHeader()}
	if r.source != nil {
		out.Header.Set("X-Amz-Copy-Source", objectstore.CopySource(r.source.bucket.Name, r.source.key, ""))
	}
	if r.http.Method == http.MethodPut || r.http.Method == http.MethodPost {
		body, length, err := s.body(r)
		if err != nil {
			return nil, err
		}
		switch limit := r.op.limit(); {
		case length < 0:
			return nil, fault.New(fault.Invalid, "length", "You must provide the Content-Length HTTP header.")
		case length > limit:
			return nil, tooLarge(limit)
		}
		r.x.Record.AdditionalData.BytesIn = length
		out.ContentLength = length
		if length > 0 {
			out.Body = body
		} else if _, err := io.Copy(io.Discard, body); err != nil {
			return nil, err // an empty body has a hash or a last chunk to prove, too
		}
		if a := r.x.Auth; a != nil && len(a.PayloadHash) == 64 && !strings.HasPrefix(a.PayloadHash, "STREAMING") {
			out.PayloadHash = strings.ToLower(a.PayloadHash)
		} else if length > 0 {
			out.PayloadHash = sigv4.UnsignedPayload
		}
	}
	return s.store.Do(ctx, out)
}
