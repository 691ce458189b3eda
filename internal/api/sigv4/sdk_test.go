package sigv4_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/api/sigv4"
)

const (
	accessKeyID  = "ASIAQWERTYUIOPASDFGH"
	secret       = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	sessionToken = "podid1/AbC+d/==~._-%20"
	region       = "eu-central-1"
)

var keys = credentials.NewStaticCredentialsProvider(accessKeyID, secret, sessionToken)

// received is what the verifying server found out about the last request.
type received struct {
	auth     *sigv4.Authorization
	path     string
	body     string
	length   int64
	trailer  string
	checksum string
}

// receive proves a request, as the pipeline does, and keeps what came of it.
func receive(r *http.Request, at time.Time) (got received, err error) {
	if got.auth, err = sigv4.Parse(r); err != nil {
		return got, err
	}
	got.path = r.URL.Path
	if got.auth.Service != "s3" {
		all, err := io.ReadAll(r.Body)
		if err != nil {
			return got, err
		}
		if err := got.auth.SetPayloadHash(sha256.Sum256(all)); err != nil {
			return got, err
		}
		got.body = string(all)
		return got, got.auth.Verify(r, secret, at)
	}
	if err := got.auth.Verify(r, secret, at); err != nil {
		return got, err
	}
	b, err := got.auth.Body(r, secret)
	if err != nil {
		return got, err
	}
	all, err := io.ReadAll(b)
	got.body, got.length, got.trailer, got.checksum = string(all), b.Length(), b.Trailer(), b.Checksum()
	return got, err
}

// prove is receive for those who only want to know whether.
func prove(r *http.Request, at time.Time) error {
	_, err := receive(r, at)
	return err
}

// verifier receives every request and answers 200 with an empty document, or 403 with the reason.
func verifier(got *received) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var err error
		if *got, err = receive(r, time.Now()); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
		}
	})
}

func newServer(t *testing.T, got *received, secure bool) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(verifier(got))
	if secure {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func newS3(s *httptest.Server) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &s.URL, Region: region, Credentials: keys, HTTPClient: s.Client(), UsePathStyle: true, RetryMaxAttempts: 1,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
	})
}

var oddKeys = []string{
	"plain", "with space", "ünï/cødé/日本語", "a+b", "a%2Fb", "a//b", "/leading", "trailing/", "dots/../up/./x", "~tilde_-.!*'()",
	"q?x=1&y=2#frag", "semi;colon:at@=,$", "back\\slash", "new\nline", "100%", "%", "a%20b", strings.Repeat("k", 1024),
}

func TestS3Client(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		for _, key := range oddKeys {
			var got received
			c := newS3(newServer(t, &got, secure))
			body := strings.Repeat("0123456789abcdef", 5000)
			_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
				Bucket: aws.String("bucket"), Key: &key, Body: strings.NewReader(body),
				Metadata: map[string]string{"note": "two  spaces", "empty": ""},
			})
			if err != nil {
				t.Errorf("PutObject %q (https %v): %v", key, secure, err)
				continue
			}
			if got.body != body || got.length != int64(len(body)) {
				t.Errorf("PutObject %q: body differs, length %d", key, got.length)
			}
			if secure && (got.auth.PayloadHash != sigv4.StreamingUnsignedTrailer || got.trailer != "x-amz-checksum-crc32" || got.checksum == "") {
				t.Errorf("PutObject over https: payload %s, trailer %s %s", got.auth.PayloadHash, got.trailer, got.checksum)
			}
			if want := "/bucket/" + key; got.path != want {
				t.Errorf("path is %q, want %q", got.path, want)
			}
			if _, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: &key, VersionId: aws.String("a+b c/=")}); err != nil {
				t.Errorf("GetObject %q: %v", key, err)
			}
		}
	}
}

func TestS3ClientChecksums(t *testing.T) {
	t.Parallel()
	var got received
	c := newS3(newServer(t, &got, true))
	for _, alg := range s3types.ChecksumAlgorithm("").Values() {
		name := "x-amz-checksum-" + strings.ToLower(string(alg))
		switch alg {
		case s3types.ChecksumAlgorithmCrc32, s3types.ChecksumAlgorithmCrc32c, s3types.ChecksumAlgorithmCrc64nvme,
			s3types.ChecksumAlgorithmSha1, s3types.ChecksumAlgorithmSha256:
		default:
			continue
		}
		for _, size := range []int{0, 1, 65536, 200000} {
			body := strings.Repeat("x", size)
			_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
				Bucket: aws.String("b"), Key: aws.String("k"), Body: strings.NewReader(body), ChecksumAlgorithm: alg,
			})
			if err != nil {
				t.Errorf("%s, %d bytes: %v", alg, size, err)
			} else if got.body != body || got.trailer != name && size > 0 {
				t.Errorf("%s, %d bytes: got %d bytes and trailer %q", alg, size, len(got.body), got.trailer)
			}
		}
	}
}

func TestS3ClientQueries(t *testing.T) {
	t.Parallel()
	var got received
	c := newS3(newServer(t, &got, false))
	_, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{
		Bucket: aws.String("b"), Prefix: aws.String("a b+c/%2F&=ü"), Delimiter: aws.String(""), StartAfter: aws.String("~*'()"),
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := c.GetBucketAcl(t.Context(), &s3.GetBucketAclInput{Bucket: aws.String("b")}); err != nil {
		t.Error(err)
	}
	_, err = c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
		Bucket: aws.String("b"), Delete: &s3types.Delete{Objects: []s3types.ObjectIdentifier{{Key: aws.String("k")}}},
	})
	if err != nil {
		t.Error(err)
	}
}

func TestS3Presigned(t *testing.T) {
	t.Parallel()
	var got received
	s := newServer(t, &got, false)
	p := s3.NewPresignClient(newS3(s))
	send := func(method, url string, h http.Header, body string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range h {
			if name != "Host" {
				r.Header[name] = values
			}
		}
		res, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			text, _ := io.ReadAll(res.Body)
			t.Errorf("%s %s: %s", method, url, text)
		}
	}
	for _, key := range oddKeys {
		get, err := p.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("b"), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		send(get.Method, get.URL, get.SignedHeader, "")
		put, err := p.PresignPutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String("b"), Key: &key, ContentType: aws.String("text/plain"), Body: strings.NewReader("hello"),
			Metadata: map[string]string{"a": "b"},
		}, s3.WithPresignExpires(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		send(put.Method, put.URL, put.SignedHeader, "hello")
		if got.body != "hello" || !got.auth.Presigned || got.auth.Expires != time.Hour || got.auth.SessionToken != sessionToken {
			t.Errorf("presigned PUT: %+v", got.auth)
		}
	}
}

func TestOtherClients(t *testing.T) {
	t.Parallel()
	var got received
	s := newServer(t, &got, false)
	stsClient := sts.New(sts.Options{BaseEndpoint: &s.URL, Region: region, Credentials: keys, HTTPClient: s.Client(), RetryMaxAttempts: 1})
	iamClient := iam.New(iam.Options{BaseEndpoint: &s.URL, Region: region, Credentials: keys, HTTPClient: s.Client(), RetryMaxAttempts: 1})
	eksClient := eks.New(eks.Options{BaseEndpoint: &s.URL, Region: region, Credentials: keys, HTTPClient: s.Client(), RetryMaxAttempts: 1})
	calls := map[string]func(context.Context) error{
		"sts": func(ctx context.Context) error {
			_, err := stsClient.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
			return err
		},
		"iam": func(ctx context.Context) error {
			_, err := iamClient.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("r+ ü"), AssumeRolePolicyDocument: aws.String("{}")})
			return err
		},
		"eks": func(ctx context.Context) error {
			_, err := eksClient.UntagResource(ctx, &eks.UntagResourceInput{
				ResourceArn: aws.String("arn:aws:eks:eu-central-1:111122223333:cluster/a b"), TagKeys: []string{"one two", "b", "a:ü"},
			})
			return err
		},
	}
	for name, call := range calls {
		got = received{}
		err := call(t.Context())
		if got.auth == nil || err != nil && strings.Contains(err.Error(), "403") {
			t.Errorf("%s: %v", name, err)
		} else if got.auth.Service != name || got.auth.Region != region && name != "iam" {
			t.Errorf("%s: scope is %s/%s", name, got.auth.Region, got.auth.Service)
		}
	}
	url, err := sts.NewPresignClient(stsClient).PresignGetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Client().Get(url.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
		t.Errorf("presigned GetCallerIdentity: %s", text)
	}
	if got.auth.Expires != 15*time.Minute {
		t.Errorf("presigned GetCallerIdentity without lifetime: %s", got.auth.Expires)
	}
}

// signer is the SDK's, which is the oracle of what a client does.
func sign(t testing.TB, r *http.Request, service, hash string, at time.Time) {
	t.Helper()
	c, err := keys.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
	if err := signer.SignHTTP(t.Context(), c, r, hash, service, region, at); err != nil {
		t.Fatal(err)
	}
}

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// request makes a signed request as a server sees it. Change is called before the signature.
func request(t testing.TB, service, method, target, body string, change func(*http.Request)) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, target, bytes.NewReader([]byte(body)))
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	if service == "s3" {
		r.Header.Set("X-Amz-Content-Sha256", hash)
	}
	if change != nil {
		change(r)
	}
	if h := r.Header.Get("X-Amz-Content-Sha256"); h != "" {
		hash = h
	}
	sign(t, r, service, hash, now)
	return r
}

func TestParse(t *testing.T) {
	t.Parallel()
	a, err := sigv4.Parse(request(t, "s3", "GET", "/b/k", "", nil))
	if err != nil {
		t.Fatal(err)
	}
	type view struct {
		AccessKeyID, SessionToken, Region, Service string
		Date                                       time.Time
		SignedHeaders                              []string
	}
	got := view{a.AccessKeyID, a.SessionToken, a.Region, a.Service, a.Date, a.SignedHeaders}
	want := view{
		accessKeyID, sessionToken, region, "s3", now,
		[]string{"host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if a, err := sigv4.Parse(httptest.NewRequest(http.MethodGet, "/?Action=AssumeRoleWithWebIdentity", nil)); a != nil || err != nil {
		t.Errorf("unsigned request: %v, %v", a, err)
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, service := range []string{"s3", "eks"} {
		b.Run(service, func(b *testing.B) {
			r := request(b, service, "GET", "/bucket/folder/key?list-type=2&prefix=a%2Fb", "", nil)
			b.ReportAllocs()
			for b.Loop() {
				a, err := sigv4.Parse(r)
				if err != nil {
					b.Fatal(err)
				}
				if err := a.Verify(r, secret, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
