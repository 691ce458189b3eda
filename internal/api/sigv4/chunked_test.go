package sigv4_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/podid/podid/internal/api/sigv4"
	"github.com/podid/podid/internal/fault"
)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func crc(body string) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(body))))
}

// encoder writes aws-chunked bodies as a client does, and signs them in the two signed forms.
type encoder struct {
	kind, last string
	out        bytes.Buffer
}

func (e *encoder) sign(kind, rest string) string {
	key := sigv4.DeriveKey(secret, "20261124", region, "s3")
	e.last = key.Sign(kind + "\n20261124T120000Z\n20261124/" + region + "/s3/aws4_request\n" + e.last + "\n" + rest)
	return e.last
}

func (e *encoder) chunk(data string) {
	e.out.WriteString(strconv.FormatInt(int64(len(data)), 16))
	if e.kind != sigv4.StreamingUnsignedTrailer {
		sum := sha256.Sum256([]byte(data))
		e.out.WriteString(";chunk-signature=" + e.sign("AWS4-HMAC-SHA256-PAYLOAD", emptySHA256+"\n"+hexOf(sum[:])))
	}
	e.out.WriteString("\r\n")
	if data != "" {
		e.out.WriteString(data + "\r\n")
	}
}

func (e *encoder) trailer(name, value string) {
	if e.kind != sigv4.StreamingSigned {
		e.out.WriteString(name + ":" + value + "\r\n")
	}
	if e.kind == sigv4.StreamingSignedTrailer {
		sum := sha256.Sum256([]byte(name + ":" + value + "\n"))
		e.out.WriteString("x-amz-trailer-signature:" + e.sign("AWS4-HMAC-SHA256-TRAILER", hexOf(sum[:])) + "\r\n")
	}
	e.out.WriteString("\r\n")
}

// chunkedRequest makes a signed request whose body is yet to come, and the encoder for it.
func chunkedRequest(t testing.TB, kind string, length int, change func(http.Header)) (*http.Request, *encoder) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPut, "/b/k", nil)
	r.Header.Set("X-Amz-Content-Sha256", kind)
	r.Header.Set("X-Amz-Decoded-Content-Length", strconv.Itoa(length))
	r.Header.Set("Content-Encoding", "aws-chunked")
	if kind != sigv4.StreamingSigned {
		r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
	}
	if change != nil {
		change(r.Header)
	}
	sign(t, r, "s3", kind, now)
	_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	return r, &encoder{kind: kind, last: signature}
}

func readChunked(t testing.TB, r *http.Request, body io.Reader) (*sigv4.Body, []byte, error) {
	t.Helper()
	a, err := sigv4.Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Verify(r, secret, now); err != nil {
		t.Fatal(err)
	}
	r.Body, r.ContentLength = io.NopCloser(body), -1
	b, err := a.Body(r, secret)
	if err != nil {
		return nil, nil, err
	}
	got, err := io.ReadAll(b)
	return b, got, err
}

var kinds = []string{sigv4.StreamingSigned, sigv4.StreamingSignedTrailer, sigv4.StreamingUnsignedTrailer}

func TestChunkedBody(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		for _, sizes := range [][]int{{}, {1}, {8192}, {65536, 65536, 17}, {1, 2, 3}} {
			var body strings.Builder
			var chunks []string
			for i, n := range sizes {
				chunks = append(chunks, strings.Repeat(string(rune('a'+i)), n))
				body.WriteString(chunks[i])
			}
			r, e := chunkedRequest(t, kind, body.Len(), nil)
			for _, c := range chunks {
				e.chunk(c)
			}
			e.chunk("")
			e.trailer("x-amz-checksum-crc32", crc(body.String()))
			text := e.out.String()
			for name, reader := range map[string]io.Reader{
				"whole": strings.NewReader(text), "bytes": iotest.OneByteReader(strings.NewReader(text)),
				"data and EOF": iotest.DataErrReader(strings.NewReader(text)),
			} {
				b, got, err := readChunked(t, r, reader)
				if err != nil || string(got) != body.String() || b.Length() != int64(body.Len()) {
					t.Errorf("%s %v %s: read %d bytes of %d: %v", kind, sizes, name, len(got), body.Len(), err)
				} else if kind != sigv4.StreamingSigned && (b.Trailer() != "x-amz-checksum-crc32" || b.Checksum() != crc(body.String())) {
					t.Errorf("%s: trailer %s is %q", kind, b.Trailer(), b.Checksum())
				}
			}
			// Whatever is cut off, the last byte is not released without the proof.
			for cut := range len(text) - 4 {
				if len(text) > 1000 && cut%997 != 0 {
					continue
				}
				_, got, err := readChunked(t, r, strings.NewReader(text[:cut]))
				if err == nil || body.Len() > 0 && len(got) == body.Len() {
					t.Fatalf("%s %v: %d of %d bytes were enough: read %d bytes, %v", kind, sizes, cut, len(text), len(got), err)
				}
			}
		}
	}
}

func TestChunkedBodyRefuses(t *testing.T) {
	t.Parallel()
	const body = "first chunk, second chunk"
	replace := func(before, after string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, before) {
				t.Errorf("%q is not in %q", before, s)
			}
			return strings.Replace(s, before, after, 1)
		}
	}
	// A stream of two chunks, 12 and 13 bytes, is changed after it was signed.
	tests := map[string]struct {
		kinds   []string // all unless given
		change  func(string) string
		kind    fault.Kind
		subject string
	}{
		"data changed":            {kinds[:2], replace("first", "worst"), fault.Unauthenticated, "signature"},
		"data changed, unsigned":  {kinds[2:], replace("first", "worst"), fault.Invalid, "checksum"},
		"checksum changed":        {kinds[2:], replace(crc(body), crc("x")), fault.Invalid, "checksum"},
		"checksum malformed":      {kinds[2:], replace(crc(body), "AAAA"), fault.Invalid, "checksum"},
		"signed checksum changed": {kinds[1:2], replace(crc(body), crc("x")), fault.Unauthenticated, "signature"},
		"trailer missing":         {kinds[2:], replace("x-amz-checksum-crc32:"+crc(body)+"\r\n", ""), fault.Invalid, "chunk"},
		"another trailer":         {kinds[2:], replace("crc32:", "crc32c:"), fault.Invalid, "chunk"},
		"two trailers":            {kinds[2:], replace("\r\n\r\n", "\r\nx-amz-meta-a:b\r\n\r\n"), fault.Invalid, "chunk"},
		"trailer twice":           {kinds[2:], replace("x-amz-checksum-crc32:", "x-amz-checksum-crc32:AA==\r\nx-amz-checksum-crc32:"), fault.Invalid, "chunk"},
		"trailer without colon":   {kinds[2:], replace("crc32:", "crc32 "), fault.Invalid, "chunk"},
		"endless trailer":         {nil, func(s string) string { return s + strings.Repeat("\r\n", 1000) }, fault.Invalid, "chunk"},
		"data after the end":      {kinds[:1], func(s string) string { return s + "more" }, fault.Invalid, "chunk"},
		"trailer signature lost": {
			kinds[1:2], func(s string) string { return s[:strings.Index(s, "x-amz-trailer-signature")] + "\r\n" },
			fault.Unauthenticated, "signature",
		},
		"size in words":       {nil, replace("c", "z"), fault.Invalid, "chunk"},
		"size negative":       {nil, replace("c", "-c"), fault.Invalid, "chunk"},
		"size beyond length":  {nil, replace("c", "ffff"), fault.Invalid, "chunk"},
		"size overflow":       {nil, replace("c", "ffffffffffffffffc"), fault.Invalid, "chunk"},
		"size too small":      {nil, replace("c", "b"), fault.Invalid, "chunk"},
		"no CR":               {nil, replace("\r\n", "\n"), fault.Invalid, "chunk"},
		"no CR after data":    {nil, replace("chunk,\r\n", "chunk,\n\n"), fault.Invalid, "chunk"},
		"long header":         {nil, func(s string) string { return strings.Repeat("0", 5000) + s }, fault.Invalid, "chunk"},
		"empty stream":        {nil, func(string) string { return "" }, fault.Invalid, "chunk"},
		"final chunk only":    {nil, func(s string) string { return s[strings.Index(s, "\r\n0")+2:] }, fault.Invalid, "chunk"},
		"no signature":        {kinds[:2], replace(";chunk-signature=", ";x="), fault.Invalid, "chunk"},
		"unexpected argument": {kinds[2:], replace("c\r\n", "c;chunk-signature="+emptySHA256+"\r\n"), fault.Invalid, "chunk"},
	}
	for name, test := range tests {
		if test.kinds == nil {
			test.kinds = kinds
		}
		for _, kind := range test.kinds {
			t.Run(fmt.Sprintf("%s/%s", name, kind), func(t *testing.T) {
				t.Parallel()
				r, e := chunkedRequest(t, kind, len(body), nil)
				e.chunk(body[:12])
				e.chunk(body[12:])
				e.chunk("")
				e.trailer("x-amz-checksum-crc32", crc(body))
				_, got, err := readChunked(t, r, strings.NewReader(test.change(e.out.String())))
				refusal(t, err, test.kind, test.subject)
				if len(got) >= len(body) {
					t.Errorf("the last byte of an unproven body was released: %q", got)
				}
			})
		}
	}
}

func TestChunksOutOfOrder(t *testing.T) {
	t.Parallel()
	r, e := chunkedRequest(t, sigv4.StreamingSigned, 2, nil)
	e.chunk("a")
	first := e.out.String()
	e.chunk("b")
	second := e.out.String()[len(first):]
	_, _, err := readChunked(t, r, strings.NewReader(second+first+"0"))
	refusal(t, err, fault.Unauthenticated, "signature")
}

func TestChunkedHeaders(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(http.Header){
		"no decoded length":      func(h http.Header) { h.Del("X-Amz-Decoded-Content-Length") },
		"negative length":        func(h http.Header) { h.Set("X-Amz-Decoded-Content-Length", "-1") },
		"overflowing length":     func(h http.Header) { h.Set("X-Amz-Decoded-Content-Length", "9223372036854775808") },
		"no trailer":             func(h http.Header) { h.Del("X-Amz-Trailer") },
		"unknown trailer":        func(h http.Header) { h.Set("X-Amz-Trailer", "x-amz-checksum-md5") },
		"two trailers announced": func(h http.Header) { h.Set("X-Amz-Trailer", "x-amz-checksum-crc32,x-amz-checksum-sha1") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := chunkedRequest(t, sigv4.StreamingUnsignedTrailer, 1, change)
			_, _, err := readChunked(t, r, strings.NewReader(""))
			refusal(t, err, fault.Invalid, "signature")
		})
	}
}

// TestChecksums compares with the check values of the digits 1 to 9.
func TestChecksums(t *testing.T) {
	t.Parallel()
	const body = "123456789"
	for name, hexadecimal := range map[string]string{
		"crc32":     "cbf43926",
		"crc32c":    "e3069283",
		"crc64nvme": "ae8b14860a799888",
		"sha1":      "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
		"sha256":    "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			name := "x-amz-checksum-" + name
			r, e := chunkedRequest(t, sigv4.StreamingUnsignedTrailer, len(body), func(h http.Header) { h.Set("X-Amz-Trailer", name) })
			raw, err := hex.DecodeString(hexadecimal)
			if err != nil {
				t.Fatal(err)
			}
			e.chunk(body)
			e.chunk("")
			e.trailer(name, base64.StdEncoding.EncodeToString(raw))
			if _, _, err := readChunked(t, r, &e.out); err != nil {
				t.Error(err)
			}
		})
	}
}
