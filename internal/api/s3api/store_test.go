package s3api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/podid/podid/internal/objectstore"
)

// TestStoreAnswers puts a store behind the front that says more than callers may hear.
func TestStoreAnswers(t *testing.T) {
	t.Parallel()
	var answer atomic.Pointer[http.HandlerFunc]
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amz-Request-Id", "SECRET")
		w.Header().Set("X-Minio-Deployment-Id", "SECRET")
		w.Header().Set("Server", "SECRET")
		switch f := answer.Load(); {
		case f != nil:
			(*f)(w, r)
		case r.Method == http.MethodHead:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(back.Close)
	endpoint, err := url.Parse(back.URL)
	must(t, err)
	store, err := objectstore.NewExternal(objectstore.ExternalConfig{Endpoint: endpoint, AccessKeyID: "SECRET", SecretAccessKey: "SECRET", Now: time.Now})
	must(t, err)
	t.Cleanup(func() { store.Close() })
	w, ctx := newWorldWith(t, httptest.NewServer, store), t.Context()
	name, key, id := w.bucket(), aws.String("k"), aws.String("u")
	says := func(status int, text string) {
		f := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		})
		answer.Store(&f)
	}
	document := func(code string) string {
		return "<Error><Code>" + code + "</Code><Message>SECRET</Message><BucketName>SECRET</BucketName><RequestId>SECRET</RequestId><HostId>SECRET</HostId></Error>"
	}
	for _, tt := range []struct {
		status int
		text   string
		code   string
		want   int
	}{
		{404, document("NoSuchKey"), "NoSuchKey", 404},
		{404, document("NoSuchBucket"), "InternalError", 500},
		{403, document("AccessDenied"), "InternalError", 500},
		{403, document("SignatureDoesNotMatch"), "InternalError", 500},
		{409, document("ObjectParentIsFile"), "OperationAborted", 409},
		{412, document("PreconditionFailed"), "PreconditionFailed", 412},
		{400, document("XMinioSomething"), "InvalidRequest", 400},
		{400, "not XML", "InvalidRequest", 400},
		{301, document("PermanentRedirect"), "InternalError", 500},
		{503, document("SlowDown"), "ServiceUnavailable", 503},
		{500, "", "ServiceUnavailable", 503},
	} {
		says(tt.status, tt.text)
		_, err := get(ctx, w.admin, name, "k")
		refused(t, err, tt.code, tt.want, "")
		if strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%d %s: %v", tt.status, tt.text, err)
		}
	}
	t.Run("an error with status 200", func(t *testing.T) {
		says(200, document("InvalidPart"))
		_, err := w.admin.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &name, Key: key, UploadId: id})
		refused(t, err, "InvalidPart", 400, "")
		says(200, document("NobodyKnows"))
		_, err = w.admin.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &name, Key: key, UploadId: id})
		refused(t, err, "ServiceUnavailable", 503, "")
		says(200, "<CompleteMultipartUploadResult><ETag>")
		_, err = w.admin.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &name, Key: key, UploadId: id})
		refused(t, err, "ServiceUnavailable", 503, "")
	})
	t.Run("owners, places and attributes", func(t *testing.T) {
		says(200, `<!-- SECRET --><x:ListPartsResult xmlns:x="SECRET" y="SECRET"><x:Owner><x:ID>SECRET</x:ID></x:Owner><Initiator><ID>SECRET</ID>`+
			`<DisplayName>SECRET</DisplayName></Initiator><Location>SECRET</Location><Part><PartNumber>1</PartNumber></Part></x:ListPartsResult>`)
		out, err := w.admin.ListParts(ctx, &s3.ListPartsInput{Bucket: &name, Key: key, UploadId: id})
		must(t, err)
		if len(out.Parts) != 1 || len(*out.Owner.ID) != 64 || len(*out.Initiator.ID) != 64 || out.Initiator.DisplayName != nil {
			t.Errorf("got %+v", out)
		}
	})
	t.Run("headers", func(t *testing.T) {
		says(200, "v")
		out, err := w.admin.GetObject(ctx, &s3.GetObjectInput{Bucket: &name, Key: key})
		must(t, err)
		raw := middleware.GetRawResponse(out.ResultMetadata).(*smithyhttp.Response)
		for header, values := range raw.Header {
			if strings.Contains(strings.Join(values, ""), "SECRET") {
				t.Errorf("%s: %s", header, values)
			}
		}
	})
	t.Run("an answer that breaks off", func(t *testing.T) {
		f := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write(make([]byte, 50000))
		})
		answer.Store(&f)
		if v, err := get(ctx, w.admin, name, "k"); err == nil {
			t.Errorf("%d bytes were taken for the whole", len(v))
		}
	})
	t.Run("deletions", func(t *testing.T) {
		says(200, "<DeleteResult><Error><Key>k</Key><Code>AccessDenied</Code><Message>SECRET</Message></Error></DeleteResult>")
		out, err := w.admin.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &name, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: key}}}})
		must(t, err)
		if len(out.Errors) != 1 || strings.Contains(*out.Errors[0].Message, "SECRET") || *out.Errors[0].Code != "ServiceUnavailable" {
			t.Errorf("got %+v", out)
		}
	})
}
