package s3api_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/objectstore"
)

// BenchmarkFront4KiB puts the front's handler beside the adapter under it. DESIGN.md asks for 0.65 of the store's rate.
func BenchmarkFront4KiB(b *testing.B) {
	w := newWorld(b)
	name := w.bucket()
	key, err := w.iam.CreateAccessKey(b.Context(), own, iam.Administrator)
	must(b, err)
	creds, err := credentials.NewStaticCredentialsProvider(key.ID, key.Secret, "").Retrieve(b.Context())
	must(b, err)
	body := bytes.Repeat([]byte("x"), 4<<10)
	w.put(name, "k", string(body))
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	for _, method := range []string{"PUT", "GET"} {
		payload := body
		if method == "GET" {
			payload = nil
		}
		b.Run(method+"/store", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := objectstore.Request{Method: method, Bucket: name, Key: "k"}
				if payload != nil {
					r.Body, r.ContentLength = bytes.NewReader(payload), int64(len(payload))
				}
				resp, err := objects().Do(b.Context(), r)
				must(b, err)
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.Status != http.StatusOK {
					b.Fatal(resp.Status)
				}
			}
		})
		b.Run(method+"/front", func(b *testing.B) {
			handler := w.server.Config.Handler
			r, err := http.NewRequestWithContext(b.Context(), method, "http://podid.example/"+name+"/k", http.NoBody)
			must(b, err)
			r.Header.Set("X-Amz-Content-Sha256", objectstore.UnsignedPayload)
			r.ContentLength = int64(len(payload))
			must(b, signer.SignHTTP(b.Context(), creds, r, objectstore.UnsignedPayload, "s3", region, time.Now()))
			r.RemoteAddr = "127.0.0.1:1"
			b.ReportAllocs()
			for b.Loop() {
				r.Body = io.NopCloser(bytes.NewReader(payload))
				answer := httptest.NewRecorder()
				handler.ServeHTTP(answer, r)
				if answer.Code != http.StatusOK {
					b.Fatal(answer.Code, answer.Body)
				}
			}
		})
	}
}
