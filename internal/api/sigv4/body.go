package sigv4

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"strconv"
)

// Body is a request's payload, decoded and proven while it is read: an error stands where io.EOF would, and the last byte of a body
// whose length is known is not released before the whole of it is proven. Errors are sticky. A Body is read by one goroutine.
type Body struct {
	io.Reader
	io.Closer
	length  int64
	chunked *chunked // nil: the payload is sent as it is
}

// Length is the number of bytes the payload has once decoded; -1 if the request does not tell.
func (b *Body) Length() int64 { return b.length }

// Trailer is the name of the checksum that follows the payload, "x-amz-checksum-crc32" for one; empty if none does.
func (b *Body) Trailer() string {
	if b.chunked == nil || b.chunked.checksum == nil {
		return ""
	}
	return b.chunked.checksum.name
}

// Checksum is the value of the trailing checksum in base64. It is empty until io.EOF was read: then it is what was computed, too.
func (b *Body) Checksum() string {
	if b.chunked == nil || b.chunked.err != io.EOF {
		return ""
	}
	return b.chunked.value
}

// Body returns r's payload. It must be called after Verify, whose proof of the headers it builds on, and replaces r.Body.
func (a *Authorization) Body(r *http.Request, secret string) (*Body, error) {
	return a.BodyKey(r, a.Key(secret))
}

// BodyKey is Body with a signing key that the caller kept.
func (a *Authorization) BodyKey(r *http.Request, key Key) (*Body, error) {
	src := r.Body
	if src == nil {
		src = http.NoBody
	}
	b := &Body{Reader: src, Closer: src, length: r.ContentLength}
	switch a.PayloadHash {
	case UnsignedPayload:
		return b, nil
	case StreamingSigned, StreamingSignedTrailer, StreamingUnsignedTrailer:
		length, err := decodedLength(r.Header)
		if err != nil {
			return nil, err
		}
		c, err := newChunked(a, r.Header, src, key, length)
		if err != nil {
			return nil, err
		}
		b.Reader, b.chunked, b.length = c, c, length
		return b, nil
	case "":
		return nil, errNoPayloadHash
	}
	b.Reader = &hashed{src: src, left: r.ContentLength, hash: sha256.New(), want: a.PayloadHash}
	return b, nil
}

func decodedLength(h http.Header) (int64, error) {
	text, ok := first(h, "X-Amz-Decoded-Content-Length")
	if !ok {
		return 0, malformed("Missing required header for this request: x-amz-decoded-content-length")
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, malformed("x-amz-decoded-content-length must be a number of bytes")
	}
	return int64(n), nil
}

// hashed reads a payload whose SHA-256 was signed.
type hashed struct {
	src  io.Reader
	left int64 // bytes until the declared length; negative: unknown
	hash hash.Hash
	want string
	err  error
}

func (h *hashed) Read(p []byte) (int, error) {
	if h.err != nil {
		return 0, h.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if h.left == 0 {
		h.err = h.finish()
		return 0, h.err
	}
	if h.left > 0 && int64(len(p)) > h.left {
		p = p[:h.left]
	}
	n, err := h.src.Read(p)
	h.hash.Write(p[:n])
	if h.left > 0 {
		h.left -= int64(n)
		switch {
		case h.left == 0:
			err = h.finish()
		case err == io.EOF:
			err = io.ErrUnexpectedEOF
		}
	} else if err == io.EOF {
		err = h.finish()
	}
	if h.err = err; err != nil && err != io.EOF {
		clear(p[:n])
		n = 0
	}
	return n, err
}

// finish returns io.EOF if the payload is the one that was signed.
func (h *hashed) finish() error {
	got := hex.EncodeToString(h.hash.Sum(nil))
	if subtle.ConstantTimeCompare([]byte(got), []byte(h.want)) == 0 {
		return errPayload()
	}
	return io.EOF
}
