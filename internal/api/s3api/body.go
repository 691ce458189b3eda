package s3api

import (
	"errors"
	"io"
	"strings"

	"github.com/podid/podid/internal/api/sigv4"
	"github.com/podid/podid/internal/bucket"
	"github.com/podid/podid/internal/fault"
)

const (
	// maxDocument bounds the XML and JSON documents that requests bring, in bytes: the largest are a CompleteMultipartUpload
	// of 10,000 parts and a DeleteObjects of 1,000 long keys.
	maxDocument = 4 << 20

	// maxObject bounds what one request uploads, in bytes. It is S3's own limit.
	maxObject = 5 << 30
)

// limit is how many bytes the operation's body may have.
func (o *operation) limit() int64 {
	if o.name == "PutObject" || o.name == "UploadPart" {
		return maxObject
	}
	return maxDocument
}

func tooLarge(limit int64) error {
	return fault.New(fault.Limit, "body", "Your proposed upload exceeds the maximum allowed size of %d bytes", limit)
}

// body is the request's payload, decoded, and its length in bytes; -1 if the request does not tell. It fails on read where it
// is not what was signed or declared, and at its end when the bucket is not the one any more that the caller was let into: an
// upload may take longer than the bucket lives, and its name may then be somebody else's.
func (s *Service) body(r *request) (io.Reader, int64, error) {
	payload, length, err := r.payload()
	if err != nil {
		return nil, 0, err
	}
	return &incoming{payload: payload, bucket: r.found, find: s.buckets.Find}, length, nil
}

// payload decodes what an anonymous caller sends, too: SDKs stream in chunks whether or not they have a key.
func (r *request) payload() (io.Reader, int64, error) {
	if r.x.Auth != nil {
		return r.x.Body()
	}
	hash := strings.ToLower(r.http.Header.Get("X-Amz-Content-Sha256"))
	switch {
	case hash == "", strings.EqualFold(hash, sigv4.UnsignedPayload):
		return r.http.Body, r.http.ContentLength, nil
	case strings.EqualFold(hash, sigv4.StreamingUnsignedTrailer):
		hash = sigv4.StreamingUnsignedTrailer
	case len(hash) != 64:
		return nil, 0, fault.New(fault.Invalid, "argument", "x-amz-content-sha256 needs a signature, or must be %s, %s or a valid sha256 value.",
			sigv4.UnsignedPayload, sigv4.StreamingUnsignedTrailer)
	}
	b, err := (&sigv4.Authorization{PayloadHash: hash}).BodyKey(r.http, sigv4.Key{}) // nothing of it is signed
	if err != nil {
		return nil, 0, err
	}
	return b, b.Length(), nil
}

// incoming is a payload under way into a bucket.
type incoming struct {
	payload io.Reader
	bucket  *bucket.Bucket // nil: none yet
	find    func(string) (*bucket.Bucket, bool)
}

// Read yields the payload. What fails without a name of its own is the transfer from the client.
func (b *incoming) Read(p []byte) (int, error) {
	n, err := b.payload.Read(p)
	if err == nil {
		return n, nil
	}
	if err == io.EOF {
		if !b.same() {
			return 0, noSuchBucket(b.bucket.Name)
		}
		return n, io.EOF
	}
	if _, named := errors.AsType[*fault.Error](err); !named {
		err = fault.New(fault.Invalid, "chunk", "You did not provide the number of bytes specified by the Content-Length HTTP header.").Because(err)
	}
	return 0, err
}

func (b *incoming) same() bool {
	if b.bucket == nil {
		return true
	}
	now, ok := b.find(b.bucket.Name)
	return ok && now.Account == b.bucket.Account && now.CreatedAt.Equal(b.bucket.CreatedAt)
}

// document reads a bounded body to its end, and so proves it, by the checksums that its headers declare as well.
func (s *Service) document(r *request) ([]byte, error) {
	body, length, err := s.body(r)
	if err != nil {
		return nil, err
	}
	if length > maxDocument {
		return nil, tooLarge(maxDocument)
	}
	b, err := io.ReadAll(io.LimitReader(body, maxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxDocument {
		return nil, tooLarge(maxDocument)
	}
	r.x.Record.AdditionalData.BytesIn = int64(len(b))
	return b, checkSums(r.header, b)
}
