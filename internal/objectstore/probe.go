package objectstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/podid/podid/internal/fault"
)

// Probe finds out what the store can do, in a bucket of its own that it makes and removes. It fails when the store does not answer, refuses
// our key, or takes two different keys for the same one. It must return before the store is used, and is not to be called again.
func (s *Store) Probe(ctx context.Context) error {
	bucket := probePrefix + strings.ToLower(rand.Text()[:16])
	if err := s.MakeBucket(ctx, bucket); err != nil {
		return err
	}
	p := &probe{ctx: ctx, s: s, open: *s, bucket: bucket}
	p.open.durable = nil // nothing here has to last
	p.open.caps.Segments = true
	caps, err := p.run()
	if clean := p.clean(); err == nil {
		err = clean
	}
	if err != nil {
		return err
	}
	caps.reserved = s.caps.reserved
	s.caps = caps
	return nil
}

// probePrefix begins the name of a bucket that belongs to a probe; one that a crash left is not an object of anybody's.
const probePrefix = "podid-probe-"

type probe struct {
	ctx    context.Context
	s      *Store
	open   Store // asks without the key guard
	bucket string
	err    error // the first request that got no answer
}

func (p *probe) run() (Capabilities, error) {
	var c Capabilities
	const key = "Case"
	if status := p.do(http.MethodPut, key, nil, "1"); p.err == nil && status != http.StatusOK {
		return c, fault.New(fault.Unavailable, "object store", "The object store refuses to store objects (status %d).", status)
	}
	if p.do(http.MethodHead, strings.ToLower(key), nil, "") == http.StatusOK {
		return c, fault.New(fault.Unsupported, "object store", "The object store does not tell upper case from lower case in keys.")
	}
	p.do(http.MethodPut, "caf\u00e9", nil, "1")
	if p.do(http.MethodHead, "cafe\u0301", nil, "") == http.StatusOK {
		return c, fault.New(fault.Unsupported, "object store", "The object store does not tell Unicode forms apart in keys.")
	}
	c.Conditions = p.do(http.MethodPut, key, http.Header{"If-None-Match": {"*"}}, "2") == http.StatusPreconditionFailed
	wrong := http.Header{"X-Amz-Checksum-Crc32": {"AAAAAA=="}, "X-Amz-Sdk-Checksum-Algorithm": {"CRC32"}}
	c.Checksums = p.do(http.MethodPut, "checksum", wrong, "1") == http.StatusBadRequest
	c.Nesting = p.do(http.MethodPut, key+"/below", nil, "1") == http.StatusOK
	c.Segments = true
	for _, k := range []string{"x//y", "x/./y", "x/../z", "/lead", "end//"} {
		if p.do(http.MethodPut, k, nil, "1") != http.StatusOK {
			c.Segments = false
		}
	}
	keys, err := p.keys()
	if err != nil {
		return c, err
	}
	for _, k := range []string{"x//y", "x/./y", "x/../z", "/lead", "end//"} {
		c.Segments = c.Segments && keys[k]
	}
	c.Versioning = p.versioning()
	return c, p.err
}

// versioning asks for versioning, after the objects were made: what is then deleted with the bucket has no versions but the ones of now.
func (p *probe) versioning() bool {
	const on = `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Suspended</Status></VersioningConfiguration>`
	resp, err := p.open.Do(p.ctx, Request{
		Method: http.MethodPut, Bucket: p.bucket, Query: url.Values{"versioning": {""}},
		Body: strings.NewReader(on), ContentLength: int64(len(on)), Header: http.Header{"Content-Md5": {contentMD5([]byte(on))}},
	})
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.Status == http.StatusOK
}

func (p *probe) do(method, key string, h http.Header, body string) int {
	r := Request{Method: method, Bucket: p.bucket, Key: key, Header: h}
	if body != "" {
		r.Body, r.ContentLength = strings.NewReader(body), int64(len(body))
	}
	resp, err := p.open.Do(p.ctx, r)
	if err != nil {
		if p.err == nil {
			p.err = err
		}
		return 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxErrorDocument)); err != nil && p.err == nil {
		p.err = err
	}
	return resp.Status
}

func (p *probe) keys() (map[string]bool, error) {
	resp, err := p.open.Do(p.ctx, Request{Method: http.MethodGet, Bucket: p.bucket, Query: url.Values{"list-type": {"2"}}})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorDocument))
	if err != nil {
		return nil, unavailable(err)
	}
	var list struct {
		Contents []struct{ Key string }
	}
	if err := xml.NewDecoder(bytes.NewReader(b)).Decode(&list); err != nil {
		return nil, unavailable(err)
	}
	keys := map[string]bool{}
	for _, c := range list.Contents {
		keys[c.Key] = true
	}
	return keys, nil
}

// clean removes the bucket and what is in it.
func (p *probe) clean() error {
	keys, err := p.keys()
	if err != nil {
		return err
	}
	for k := range keys {
		p.do(http.MethodDelete, k, nil, "")
	}
	return p.s.RemoveBucket(p.ctx, p.bucket)
}
