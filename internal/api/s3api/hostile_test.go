package s3api_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

// TestClosedTable sends what is not in the tables to a bucket that lets everybody do everything: what is refused here is not
// refused by a policy.
func TestClosedTable(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	name := w.bucket()
	w.policy(name, statement("Allow", `"*"`, "s3:*", arnOf(name), arnOf(name)+"/*"))
	w.put(name, "k", "v")
	one := func(name, value string) http.Header { return http.Header{name: {value}} }
	tests := []struct {
		method, path string
		header       http.Header
		body         string
		status       int
		code         string
	}{
		{"PUT", "/" + name + "/k?renameObject", nil, "x", 501, "NotImplemented"},
		{"PUT", "/" + name + "/k?acl", nil, "x", 501, "NotImplemented"},
		{"PUT", "/" + name + "?acl", nil, "x", 501, "NotImplemented"},
		{"PUT", "/" + name + "/k?legal-hold", nil, "x", 501, "NotImplemented"},
		{"PUT", "/" + name + "/k?versionId=1", nil, "x", 501, "NotImplemented"},
		{"GET", "/" + name + "/k?versionId=null", nil, "", 501, "NotImplemented"},
		{"DELETE", "/" + name + "/k?versionId=null", nil, "", 501, "NotImplemented"},
		{"PUT", "/" + name + "/k?partNumber=1", nil, "x", 501, "NotImplemented"},
		{"PUT", "/" + name + "/k?partNumber=1&uploadId=", nil, "x", 404, "NoSuchUpload"},
		{"DELETE", "/" + name + "/k?uploadId=", nil, "", 404, "NoSuchUpload"},
		{"DELETE", "/" + name + "/k?uploadId=..%2F..", nil, "", 404, "NoSuchUpload"},
		{"GET", "/" + name + "/k?uploadId=", nil, "", 404, "NoSuchUpload"},
		{"PUT", "/" + name + "/k?uploadId=a&partNumber=..", nil, "x", 400, "InvalidArgument"},
		{"GET", "/" + name + "/k?tagging&attributes", nil, "", 501, "NotImplemented"},
		{"GET", "/" + name + "?list-type=3", nil, "", 400, "InvalidArgument"},
		{"GET", "/" + name + "?prefix=a&prefix=b", nil, "", 400, "InvalidArgument"},
		{"GET", "/" + name + "?max-keys=x", nil, "", 400, "InvalidArgument"},
		{"GET", "/" + name + "?prefix=%zz", nil, "", 400, "AuthorizationHeaderMalformed"},
		{"POST", "/" + name, one("Content-Type", "multipart/form-data; boundary=x"), "--x--", 501, "NotImplemented"},
		{"POST", "/" + name + "/k", nil, "", 501, "NotImplemented"},
		{"OPTIONS", "/" + name + "/k", nil, "", 405, "MethodNotAllowed"},
		{"PATCH", "/" + name + "/k", nil, "x", 405, "MethodNotAllowed"},
		{"PUT", "/" + name + "/k", one("X-Amz-Write-Offset-Bytes", "1"), "x", 501, "NotImplemented"},
		{"PUT", "/" + name + "/k", one("X-Amz-Checksum-Xxhash", "1"), "x", 501, "NotImplemented"},
		{"PUT", "/" + name + "/k", http.Header{"X-Amz-Tagging": {"", "a=b"}}, "x", 400, "InvalidArgument"},
		{"PUT", "/" + name + "/k", http.Header{"If-Match": {"*", "x"}}, "x", 400, "InvalidArgument"},
		{"PUT", "/" + name + "/k", one("X-Amz-Copy-Source", ""), "", 400, "InvalidArgument"},
		{"PUT", "/" + name + "/k", one("X-Amz-Copy-Source", "//"+name+"/k"), "", 400, "InvalidArgument"},
		{"PUT", "/" + name + "/k", one("X-Amz-Copy-Source", name+"/%zz"), "", 400, "InvalidArgument"},
		{"GET", "/" + name + "/k", one("X-Amz-Copy-Source", name+"/k"), "", 501, "NotImplemented"},
		{"PUT", "/" + name + "/k", one("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), "x", 400, "InvalidArgument"},
		{"GET", "//" + name, nil, "", 400, "InvalidURI"},
		{"GET", "//" + name + "/k", nil, "", 400, "InvalidURI"},
		{"PUT", "/" + name + "//k", nil, "x", 400, "InvalidArgument"},
		{"PUT", "/" + name + "/a/../k", nil, "x", 400, "InvalidArgument"},
		{"PUT", "/" + name + "/a%2F..%2Fk", nil, "x", 400, "InvalidArgument"},
		{"PUT", "/" + name + "/.sgwtmp/k", nil, "x", 400, "InvalidArgument"},
		{"PUT", "/" + name + "/" + strings.Repeat("k", 1025), nil, "x", 400, "KeyTooLongError"},
		{"GET", "/..", nil, "", 404, "NoSuchBucket"},
		{"GET", "/%2e%2e/k", nil, "", 404, "NoSuchBucket"},
		{"PUT", "/..", nil, "", 403, "AccessDenied"},
		{"GET", "/", nil, "", 403, "AccessDenied"},
		{"POST", "/" + name + "?delete", nil, "<Delete>", 400, "MalformedXML"},
		{"POST", "/" + name + "?delete", one("X-Amz-Checksum-Crc32", "AAAAAA=="), "<Delete/>", 400, "BadDigest"},
		{"GET", "/" + name + "/k", one("Host", name+".podid.example"), "", 501, "NotImplemented"},
		{"GET", "/" + name + "/k", one("Host", name+".LOCALHOST.:80"), "", 501, "NotImplemented"},
		{"GET", "/" + name + "/k", one("Host", "podid.example"), "", 200, ""},
		{"GET", "/" + name + "%2Fk", nil, "", 200, ""},
	}
	for _, tt := range tests {
		resp, text := w.raw(tt.method, tt.path, tt.header, strings.NewReader(tt.body))
		if resp.StatusCode != tt.status || tt.code != "" && !strings.Contains(text, "<Code>"+tt.code+"</Code>") {
			t.Errorf("%s %s %v: got %d %s, want %d %s", tt.method, tt.path, tt.header, resp.StatusCode, text, tt.status, tt.code)
		}
		for _, leak := range []string{"Server", "Set-Cookie", "X-Amz-Version-Id"} {
			if resp.Header.Get(leak) != "" {
				t.Errorf("%s %s: header %s", tt.method, tt.path, leak)
			}
		}
		if id := resp.Header.Get("X-Amz-Request-Id"); id == "" || id != w.last().RequestID {
			t.Errorf("%s %s: request id %q", tt.method, tt.path, id)
		}
	}
	if v, err := get(ctx, w.admin, name, "k"); err != nil || v != "v" {
		t.Errorf("the object is now %q, %v", v, err)
	}
	list, err := w.admin.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &name})
	must(t, err)
	if diff := cmp.Diff([]string{"k"}, keys(list.Contents)); diff != "" {
		t.Error(diff)
	}
}

// TestBodies: a refused upload stores nothing, leaves the connection in order, and is not even sent when the client asks first.
func TestBodies(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	name := w.bucket()
	w.policy(name, statement("Allow", `"*"`, "s3:PutObject", arnOf(name)+"/open/*"))
	w.server.Client().Transport.(*http.Transport).ExpectContinueTimeout = time.Minute
	sent := &countingReader{}
	resp, text := w.raw("PUT", "/"+name+"/closed", http.Header{"Expect": {"100-continue"}}, sent)
	if resp.StatusCode != 403 || sent.n != 0 {
		t.Errorf("%d %s, %d bytes were sent", resp.StatusCode, text, sent.n)
	}
	resp, text = w.raw("PUT", "/"+name+"/open/x", nil, struct{ *bytes.Reader }{bytes.NewReader([]byte("no length"))})
	if resp.StatusCode != 411 || !strings.Contains(text, "MissingContentLength") {
		t.Error(resp.StatusCode, text)
	}
	resp, text = w.raw("PUT", "/"+name+"/open/empty", nil, nil)
	if resp.StatusCode != 200 {
		t.Error(resp.StatusCode, text)
	}
	list, err := w.admin.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &name})
	must(t, err)
	if diff := cmp.Diff([]string{"open/empty"}, keys(list.Contents)); diff != "" {
		t.Error(diff)
	}
}

type countingReader struct{ n int }

func (r *countingReader) Read(p []byte) (int, error) {
	r.n += len(p)
	return len(p), nil
}

// TestBucketReplaced: an upload that outlives its bucket does not end in the next owner's.
func TestBucketReplaced(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	name := w.bucket()
	w.policy(name, statement("Allow", `"*"`, "s3:PutObject", arnOf(name)+"/*"))
	body := &interrupted{then: func() {
		must(t, w.buckets.Delete(ctx, name))
		_, err := w.buckets.Create(ctx, name, other)
		must(t, err)
	}}
	r, err := http.NewRequestWithContext(ctx, "PUT", w.server.URL+"/"+name+"/k", body)
	must(t, err)
	r.ContentLength = 2
	resp, err := w.server.Client().Do(r)
	must(t, err)
	resp.Body.Close()
	list, err := w.guest.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &name})
	must(t, err)
	if resp.StatusCode == 200 || len(list.Contents) != 0 {
		t.Errorf("status %d, the new owner has %v", resp.StatusCode, keys(list.Contents))
	}
}

// interrupted is two bytes with something in between.
type interrupted struct {
	n    int
	then func()
}

func (r *interrupted) Read(p []byte) (int, error) {
	switch r.n++; r.n {
	case 2:
		r.then()
	case 3: // a client reads a body to its end, even if it sends no more of it
		return 0, io.EOF
	}
	p[0] = 'x'
	return 1, nil
}

// FuzzKey holds DESIGN.md's "one string": whatever path a caller who is allowed one prefix sends, the store gets nothing beside it.
func FuzzKey(f *testing.F) {
	for _, k := range []string{
		"mine/x", "mine/../x", "mine/%2e%2e/x", "mine%2F..%2Fx", "mine//../x", "mine/./x", "/mine/x", "mine", "mine/", "MINE/x", "mine\x00/x",
		"mine/..", "mine/\u202e", "mine/%00", "mine/\r", "mine/x?acl", "x", "../mine/x", "mine/a/../../x", "mine/*", "*", "m?ne/x", "mine\\..\\x", "${aws:username}/x",
	} {
		f.Add(k, true)
		f.Add(k, false)
	}
	w := newWorldOn(f, httptest.NewServer)
	name := w.bucket()
	w.policy(name, statement("Allow", `"*"`, "s3:PutObject", arnOf(name)+"/mine/*"))
	writer := w.user(own, "writer", statement("Allow", "", "s3:PutObject", arnOf(name)+"/mine/*"))
	f.Fuzz(func(t *testing.T, key string, signed bool) {
		if signed {
			err := put(t.Context(), writer, name, key, "v")
			_, answered := errors.AsType[smithy.APIError](err)
			if err == nil && !strings.HasPrefix(key, "mine/") {
				t.Errorf("%q was stored", key)
			} else if err != nil && !answered {
				return // the client did not send it
			}
		} else if u, err := url.Parse(w.server.URL + "/" + name + "/" + key); err == nil { // as it is, whatever it is
			r := (&http.Request{Method: "PUT", URL: u, Body: http.NoBody}).WithContext(t.Context())
			if resp, err := w.server.Client().Do(r); err == nil {
				resp.Body.Close()
				if resp.StatusCode == 200 && !strings.HasPrefix(u.Path, "/"+name+"/mine/") {
					t.Errorf("%q was stored", key)
				}
			}
		}
		list, err := w.admin.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &name, Delimiter: aws.String("/")})
		must(t, err)
		if len(list.Contents) != 0 || len(list.CommonPrefixes) > 1 || len(list.CommonPrefixes) == 1 && *list.CommonPrefixes[0].Prefix != "mine/" {
			t.Fatalf("after %q: %s", key, fmt.Sprint(keys(list.Contents), list.CommonPrefixes))
		}
		if signed && err == nil {
			deep, err := w.admin.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &name})
			must(t, err)
			for _, k := range keys(deep.Contents) { // keeps the bucket small, and shows that what is listed can be named
				_, err := w.admin.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &name, Key: &k})
				must(t, err)
			}
		}
	})
}
