package s3api

import (
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/podid/podid/internal/api/sigv4"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/objectstore"
)

// forward sends the request to the store and the answer to the caller.
func forward(ctx context.Context, s *Service, r *request) error {
	resp, err := s.send(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return s.relay(r, resp)
}

// forwardRead is forward for an object that may not be there: whether a key exists is told only to those who may list.
func forwardRead(ctx context.Context, s *Service, r *request) error {
	resp, err := s.send(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.Status == http.StatusNotFound {
		list := question{action: "s3:ListBucket", resource: arn.Bucket(r.bucket), bucket: r.found}
		if err := s.allowed(r, &list); err != nil {
			return err
		}
	}
	return s.relay(r, resp)
}

// send makes the store's request. A declared SHA-256 is signed again, so that the store checks it; every other payload has
// been decoded and proven on the way and goes as a plain body. spec: s3.md 3.1
func (s *Service) send(ctx context.Context, r *request) (*objectstore.Response, error) {
	out := objectstore.Request{Method: r.http.Method, Bucket: r.bucket, Key: r.key, Query: r.query, Header: r.storeHeader()}
	if r.source != nil {
		out.Header.Set("X-Amz-Copy-Source", objectstore.CopySource(r.source.bucket.Name, r.source.key, ""))
	}
	if r.http.Method == http.MethodPut || r.http.Method == http.MethodPost {
		body, length, err := r.x.Body()
		if err != nil {
			return nil, err
		}
		if length < 0 {
			return nil, fault.New(fault.Invalid, "length", "You must provide the Content-Length HTTP header.")
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

// relay copies the store's answer. An error document is rewritten: its ids and texts are the store's.
func (s *Service) relay(r *request, resp *objectstore.Response) error {
	if resp.Status >= http.StatusMultipleChoices && resp.Status != http.StatusNotModified {
		return storeError(resp)
	}
	copyHeader(r.x.Writer.Header(), resp.Header)
	if resp.ContentLength >= 0 && r.x.Writer.Header().Get("Content-Length") == "" && resp.Status != http.StatusNoContent {
		r.x.Writer.Header().Set("Content-Length", strconv.FormatInt(resp.ContentLength, 10))
	}
	r.x.Writer.WriteHeader(resp.Status)
	if r.http.Method == http.MethodHead {
		return nil
	}
	if _, err := io.Copy(r.x.Writer, resp.Body); err != nil {
		return fault.New(fault.Unavailable, "object store", "The object could not be sent to its end").Because(err)
	}
	return nil
}

// storeFault is an error answer of the store, to be answered with its own code and status.
type storeFault struct {
	code   string
	status int
}

func (e *storeFault) Error() string {
	return "the store answered " + strconv.Itoa(e.status) + " " + e.code
}

// storeError reads an error answer. A refusal of our own key is our failure, not the caller's.
func storeError(resp *objectstore.Response) error {
	var doc struct {
		Code    string `xml:"Code"`
		Message string `xml:"Message"`
	}
	_ = xml.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&doc) // a HEAD answer has no document
	cause := &storeFault{code: doc.Code, status: resp.Status}
	if doc.Message == "" {
		doc.Message = http.StatusText(resp.Status)
	}
	switch resp.Status {
	case http.StatusNotFound:
		switch doc.Code {
		case "", "NoSuchKey":
			return fault.New(fault.NotFound, "key", "The specified key does not exist.").Because(cause)
		case "NoSuchBucket":
			return fault.New(fault.Unavailable, "object store", "The object store has lost the bucket").Because(cause)
		}
	case http.StatusForbidden, http.StatusUnauthorized:
		return fault.New(fault.Internal, "object store", "We encountered an internal error. Please try again.").Because(cause)
	}
	if resp.Status >= http.StatusInternalServerError && resp.Status != http.StatusNotImplemented {
		return fault.New(fault.Unavailable, "object store", "The object store does not answer. Please try again.").Because(cause)
	}
	return fault.New(fault.Conflict, "store", "%s", doc.Message).Because(cause)
}
