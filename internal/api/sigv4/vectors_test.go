package sigv4_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/podid/podid/internal/api/sigv4"
)

const exampleSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

var exampleTime = time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)

const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// example makes one of the requests that the S3 documentation signs by hand.
func example(t *testing.T, method, target, body, signedHeaders, signature string, headers ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "examplebucket.s3.amazonaws.com"
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	if signedHeaders != "" {
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"+
			"SignedHeaders="+signedHeaders+",Signature="+signature)
	}
	return r
}

// TestExamples checks the signatures that the S3 documentation prints ("Signature Calculations for the Authorization Header" and
// "Authenticating Requests: Using Query Parameters").
func TestExamples(t *testing.T) {
	t.Parallel()
	const put = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
	tests := map[string]*http.Request{
		"GET object": example(t, "GET", "/test.txt", "", "host;range;x-amz-content-sha256;x-amz-date",
			"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
			"Range", "bytes=0-9", "X-Amz-Content-Sha256", emptySHA256, "X-Amz-Date", "20130524T000000Z"),
		"PUT object": example(t, "PUT", "/test$file.text", "Welcome to Amazon S3.",
			"date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
			"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
			"Date", "Fri, 24 May 2013 00:00:00 GMT", "X-Amz-Storage-Class", "REDUCED_REDUNDANCY",
			"X-Amz-Content-Sha256", put, "X-Amz-Date", "20130524T000000Z"),
		"GET bucket lifecycle": example(t, "GET", "/?lifecycle", "", "host;x-amz-content-sha256;x-amz-date",
			"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
			"X-Amz-Content-Sha256", emptySHA256, "X-Amz-Date", "20130524T000000Z"),
		"GET bucket list": example(t, "GET", "/?max-keys=2&prefix=J", "", "host;x-amz-content-sha256;x-amz-date",
			"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
			"X-Amz-Content-Sha256", emptySHA256, "X-Amz-Date", "20130524T000000Z"),
		"presigned": example(t, "GET", "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524"+
			"%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"+
			"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404", "", "", ""),
	}
	for name, r := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := sigv4.Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Verify(r, exampleSecret, exampleTime); err != nil {
				t.Error(err)
			}
			b, err := a.Body(r, exampleSecret)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(b); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestChunkExamples checks the documentation's uploads in chunks: 65,536 and 1,024 times the letter a.
func TestChunkExamples(t *testing.T) {
	t.Parallel()
	a64, a1 := strings.Repeat("a", 65536), strings.Repeat("a", 1024)
	tests := map[string]*http.Request{
		"chunks": example(t, "PUT", "/examplebucket/chunkObject.txt",
			"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"+a64+"\r\n"+
				"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"+a1+"\r\n"+
				"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n",
			"content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
			"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
			"Host", "s3.amazonaws.com", "Content-Encoding", "aws-chunked", "X-Amz-Decoded-Content-Length", "66560",
			"X-Amz-Storage-Class", "REDUCED_REDUNDANCY", "X-Amz-Content-Sha256", sigv4.StreamingSigned, "X-Amz-Date", "20130524T000000Z"),
		"chunks and trailer": example(t, "PUT", "/examplebucket/chunkObject.txt",
			"10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n"+a64+"\r\n"+
				"400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n"+a1+"\r\n"+
				"0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"+
				"x-amz-checksum-crc32c:sOO8/Q==\n\r\nx-amz-trailer-signature:"+
				"d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n",
			"content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
			"106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
			"Host", "s3.amazonaws.com", "Content-Encoding", "aws-chunked", "X-Amz-Decoded-Content-Length", "66560",
			"X-Amz-Storage-Class", "REDUCED_REDUNDANCY", "X-Amz-Content-Sha256", sigv4.StreamingSignedTrailer,
			"X-Amz-Trailer", "x-amz-checksum-crc32c", "X-Amz-Date", "20130524T000000Z"),
	}
	for name, r := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "chunks" && r.ContentLength != 66824 {
				t.Fatalf("content length is %d", r.ContentLength)
			}
			a, err := sigv4.Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Verify(r, exampleSecret, exampleTime); err != nil {
				t.Fatal(err)
			}
			b, err := a.Body(r, exampleSecret)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(b); err != nil || string(got) != a64+a1 {
				t.Errorf("read %d bytes: %v", len(got), err)
			}
		})
	}
}
