package sigv4

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/podid/podid/internal/fault"
)

// maxTrailer bounds what may follow the last chunk; a checksum and a signature need less than 250 bytes.
const maxTrailer = 1 << 10

// emptyHash is the SHA-256 of nothing, which stands in every chunk's string to sign.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// chunked decodes the aws-chunked transfer: chunks of a declared total length, each signed or none, and possibly a trailer.
//
//	chunk    = size-in-hex [";chunk-signature=" signature] CRLF data CRLF
//	payload  = *chunk final-chunk [trailer]         the final chunk has size 0 and no data
//	trailer  = checksum-name ":" base64 CRLF ["x-amz-trailer-signature:" signature CRLF]
//
// A chunk's signature covers the one before, so that chunks can be neither changed nor moved nor dropped; the request's own
// signature is the first of the chain.
type chunked struct {
	src      *bufio.Reader
	length   int64 // declared, decoded
	total    int64 // decoded so far
	left     int64 // of the current chunk
	begun    bool  // the header of the current chunk has been read
	err      error
	signer   *chunkSigner // nil: chunks are not signed
	want     string       // the current chunk's signature
	checksum *checksum    // nil: no trailer
	sum      hash.Hash
	value    string // the trailer's checksum, in base64
}

func newChunked(a *Authorization, h http.Header, src io.Reader, key Key, length int64) (*chunked, error) {
	c := &chunked{src: bufio.NewReader(src), length: length}
	if a.PayloadHash != StreamingUnsignedTrailer {
		c.signer = &chunkSigner{
			key: key, scope: a.stamp + "\n" + a.scope + "\n", last: hex.EncodeToString(a.signature[:]), data: sha256.New(),
		}
	}
	if a.PayloadHash == StreamingSigned {
		return c, nil
	}
	name, ok := first(h, "X-Amz-Trailer")
	if !ok {
		return nil, malformed("Missing required header for this request: x-amz-trailer")
	}
	var err error
	if c.checksum, err = findChecksum(name); err != nil {
		return nil, err
	}
	c.sum = c.checksum.new()
	return c, nil
}

func (c *chunked) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := c.read(p)
	if c.err = err; err != nil && err != io.EOF {
		clear(p[:n])
		n = 0
	}
	return n, err
}

func (c *chunked) read(p []byte) (int, error) {
	if !c.begun {
		if err := c.begin(); err != nil {
			return 0, err
		}
		if c.left == 0 {
			return 0, c.finish()
		}
	}
	n, err := c.src.Read(p[:min(int64(len(p)), c.left)])
	if c.signer != nil {
		c.signer.data.Write(p[:n])
	}
	if c.sum != nil {
		c.sum.Write(p[:n])
	}
	c.left -= int64(n)
	c.total += int64(n)
	if c.left > 0 {
		return n, cut(err)
	}
	if err := c.end(); err != nil || c.total < c.length {
		return n, err
	}
	if err := c.begin(); err != nil {
		return n, err
	}
	return n, c.finish()
}

// begin reads a chunk's header. Only the final chunk is empty.
func (c *chunked) begin() error {
	line, err := c.src.ReadSlice('\n')
	if err != nil {
		if err == bufio.ErrBufferFull {
			return errChunk("a chunk header is too long")
		}
		return cut(err)
	}
	line, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok {
		return errChunk("a chunk header must end in CR LF")
	}
	size, extension, _ := strings.Cut(string(line), ";")
	n, err := strconv.ParseUint(size, 16, 62)
	if err != nil {
		return errChunk("a chunk header must begin with the chunk's size in hexadecimal digits")
	}
	if c.left = int64(n); c.left > c.length-c.total || (n == 0) != (c.total == c.length) {
		return errLength()
	}
	switch signature, ok := strings.CutPrefix(extension, "chunk-signature="); {
	case c.signer == nil && extension != "":
		return errChunk("a chunk of an unsigned payload has no extension")
	case c.signer != nil && (!ok || !isHash(signature)):
		return errChunk("every chunk must carry a chunk-signature of 64 lower-case hexadecimal digits")
	default:
		c.want, c.begun = signature, true
	}
	return nil
}

// end reads what follows a chunk's data, and proves the chunk.
func (c *chunked) end() error {
	var crlf [2]byte
	if _, err := io.ReadFull(c.src, crlf[:]); err != nil {
		return cut(err)
	}
	if string(crlf[:]) != "\r\n" {
		return errChunk("a chunk's data must be followed by CR LF")
	}
	c.begun = false
	return c.prove()
}

func (c *chunked) prove() error {
	if c.signer == nil {
		return nil
	}
	return c.signer.chunk(c.want)
}

// finish proves the final chunk and the trailer, and returns io.EOF if nothing follows.
func (c *chunked) finish() error {
	if err := c.prove(); err != nil {
		return err
	}
	rest, err := io.ReadAll(io.LimitReader(c.src, maxTrailer+1))
	if err != nil {
		return cut(err)
	}
	if len(rest) > maxTrailer {
		return errChunk("the trailer is too long")
	}
	if err := c.trailer(string(rest)); err != nil {
		return err
	}
	return io.EOF
}

// trailer reads the lines after the final chunk. Clients differ in the line ends they write there, so empty lines are skipped and
// a lone LF will do; what the lines say is held to exactly.
func (c *chunked) trailer(text string) error {
	fields := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.Trim(line, " \t\r"); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		name = strings.ToLower(name)
		if _, twice := fields[name]; !ok || twice {
			return errChunk("the trailer is malformed")
		}
		fields[name] = strings.Trim(value, " \t")
	}
	expected := 0
	if c.checksum != nil {
		expected = 1
		value, ok := fields[c.checksum.name]
		if !ok {
			return errChunk("the trailer lacks " + c.checksum.name)
		}
		if c.signer != nil {
			expected = 2
			if err := c.signer.trailer(c.checksum.name+":"+value+"\n", fields["x-amz-trailer-signature"]); err != nil {
				return err
			}
		}
		if err := c.checksum.check(c.sum, value); err != nil {
			return err
		}
		c.value = value
	}
	if len(fields) != expected {
		return errChunk("the trailer holds more than was announced")
	}
	return nil
}

// chunkSigner computes the chain of chunk signatures.
type chunkSigner struct {
	key   Key
	scope string // date and credential scope, each with its line end
	last  string // the signature before, in hexadecimal digits
	data  hash.Hash
}

func (s *chunkSigner) chunk(want string) error {
	hash := hex.EncodeToString(s.data.Sum(nil))
	s.data.Reset()
	return s.next("AWS4-HMAC-SHA256-PAYLOAD\n"+s.scope+s.last+"\n"+emptyHash+"\n"+hash, want)
}

func (s *chunkSigner) trailer(canonical, want string) error {
	hash := sha256.Sum256([]byte(canonical))
	return s.next("AWS4-HMAC-SHA256-TRAILER\n"+s.scope+s.last+"\n"+hex.EncodeToString(hash[:]), want)
}

func (s *chunkSigner) next(stringToSign, want string) error {
	s.last = s.key.Sign(stringToSign)
	if !hmac.Equal([]byte(s.last), []byte(want)) {
		return errMismatch()
	}
	return nil
}

// cut words the end of the source where it must not end; other errors pass.
func cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errLength()
	}
	return err
}

func errLength() error {
	return fault.New(fault.Invalid, "chunk", "You did not provide the number of bytes specified by the "+
		"x-amz-decoded-content-length HTTP header")
}

func errChunk(what string) error {
	return fault.New(fault.Invalid, "chunk", "The aws-chunked payload is malformed: %s", what)
}
