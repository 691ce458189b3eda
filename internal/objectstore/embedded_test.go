package objectstore_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/objectstore"
)

func TestObjects(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.mustPut("folder/key", "hello")
	if a := r.get("folder/key"); a.status != 200 || a.body != "hello" || a.header.Get("Etag") != `"5d41402abc4b2a76b9719d911017c592"` {
		t.Errorf("get: %+v", a)
	}
	if a := r.do(objectstore.Request{Method: "HEAD", Key: "folder/key"}); a.status != 200 || a.header.Get("Content-Length") != "5" {
		t.Errorf("head: %+v", a)
	}
	ranged := r.do(objectstore.Request{Method: "GET", Key: "folder/key", Header: http.Header{"Range": {"bytes=1-3"}}})
	if ranged.status != 206 || ranged.body != "ell" || ranged.header.Get("Content-Range") != "bytes 1-3/5" {
		t.Errorf("range: %+v", ranged)
	}
	if a := r.do(objectstore.Request{Method: "DELETE", Key: "folder/key"}); a.status != 204 {
		t.Errorf("delete: %+v", a)
	}
	if a := r.get("folder/key"); a.status != 404 || !strings.Contains(a.body, "<Code>NoSuchKey</Code>") {
		t.Errorf("get after delete: %+v", a)
	}
}

func TestObjects_metadataComesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.do(objectstore.Request{
		Method: "PUT", Key: "k", Body: strings.NewReader("x"), ContentLength: 1,
		Header: http.Header{"x-amz-meta-colour": {"a  deep blue"}, "Content-Type": {"text/plain"}, "Content-Encoding": {"aws-chunked,gzip"}},
	})
	if a.status != 200 {
		t.Fatalf("put: %+v", a)
	}
	h := r.get("k").header
	got := []string{h.Get("X-Amz-Meta-Colour"), h.Get("Content-Type"), h.Get("Content-Encoding"), h.Get("Server"), h.Get("Connection")}
	if diff := cmp.Diff([]string{"a  deep blue", "text/plain", "gzip", "", ""}, got); diff != "" {
		t.Error(diff)
	}
}

func TestKeys_comeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, key := range []string{
		"plain", "with space", "a+b", "100%", "%2F", "%2e%2e/x", "a=b&c=d", "~tilde", "qu?stion", "#hash", "ümläut", "\u65e5\u672c\u8a9e/\u9375", "a;b", "back\\slash",
		"quote\"'", "<xml>&amp;", "dot.", ".hidden", "...", "tab\there", "line\nbreak", "carriage\rreturn", "trailing ", " leading", "*", "{}[]|^`", "dir/",
		"e\u0301", "\u00e9", "Plain", strings.Repeat("x", 255), strings.Repeat("y/", 511) + "zz",
	} {
		if err := r.s.CheckKey(key); err != nil {
			t.Errorf("CheckKey(%q): %v", key, err)
			continue
		}
		body := key
		if strings.HasSuffix(key, "/") {
			body = "" // a folder object holds nothing in this store
		}
		r.mustPut(key, body)
		if a := r.get(key); a.status != 200 || a.body != body {
			t.Errorf("get %q: %d %q", key, a.status, a.body)
		}
		l := r.list("prefix", key)
		found := false
		for _, k := range l.keys() {
			found = found || k == key
		}
		if !found {
			t.Errorf("list %q: %q", key, l.keys())
		}
		if a := r.do(objectstore.Request{Method: "DELETE", Key: key}); a.status != 204 {
			t.Errorf("delete %q: %d", key, a.status)
		}
	}
	if l := r.list(); len(l.Contents) > 0 {
		t.Errorf("left over: %q", l.keys())
	}
}

func TestFolderObject_isNotTheFile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.mustPut("file", "x")
	r.mustPut("dir/", "")
	for _, key := range []string{"file/", "dir"} {
		if a := r.get(key); a.status != 404 {
			t.Errorf("get %q: %d %q", key, a.status, a.body)
		}
		r.do(objectstore.Request{Method: "DELETE", Key: key})
	}
	if diff := cmp.Diff([]string{"dir/", "file"}, r.list().keys()); diff != "" {
		t.Errorf("after deleting the other form of each: %s", diff)
	}
	if a := r.put("file/below", "y"); a.status != 409 {
		t.Errorf("put below a file: %d %s", a.status, a.body)
	}
}

func TestCheckKey(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"":                              "empty",
		"a//b":                          "two in a row",
		"/a":                            "begins with a slash",
		"/":                             "begins with a slash",
		"a//":                           "two in a row",
		"../a":                          `"." or ".."`,
		"a/../b":                        `"." or ".."`,
		"a/./b":                         `"." or ".."`,
		"a/..":                          `"." or ".."`,
		".":                             `"." or ".."`,
		"./":                            `"." or ".."`,
		".sgwtmp":                       "for itself",
		".sgwtmp/multipart/x":           "for itself",
		"a/.sgwtmp/b":                   "for itself",
		"nul\x00":                       "XML",
		"bell\x07":                      "XML",
		"\uffff":                        "XML",
		"bad\xff":                       "UTF-8",
		strings.Repeat("x", 256):        "255 bytes",
		strings.Repeat("x/", 512) + "y": "too long",
	} {
		err := store().CheckKey(key)
		if f := fault.Of(err); !errors.Is(err, fault.Invalid) || f.Subject != "key" || !strings.Contains(f.Public, want) {
			t.Errorf("CheckKey(%q) = %v, want %q", key, err, want)
		}
		if _, err := store().Do(t.Context(), objectstore.Request{Method: "GET", Bucket: "any", Key: key}); key != "" && !errors.Is(err, fault.Invalid) {
			t.Errorf("Do(%q) = %v", key, err)
		}
	}
	for _, prefix := range []string{"..", "../other", "a/../b", "a//", "/"} {
		_, err := store().Do(t.Context(), objectstore.Request{Method: "GET", Bucket: "any", Query: url.Values{"prefix": {prefix}}})
		if f := fault.Of(err); f.Kind != fault.Invalid || f.Subject != "prefix" {
			t.Errorf("list %q: %v", prefix, err)
		}
	}
	for _, bucket := range []string{"..", "a/b", "A", "a?x", ".sgwtmp", strings.Repeat("a", 64)} {
		if _, err := store().Do(t.Context(), objectstore.Request{Method: "GET", Bucket: bucket}); !errors.Is(err, fault.Invalid) {
			t.Errorf("bucket %q: %v", bucket, err)
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, k := range []string{"a/1", "a/2", "b/c/3", "top"} {
		r.mustPut(k, k)
	}
	if diff := cmp.Diff([]string{"a/1", "a/2", "b/c/3", "top"}, r.list().keys()); diff != "" {
		t.Error(diff)
	}
	l := r.list("delimiter", "/")
	if diff := cmp.Diff([]string{"top"}, l.keys()); diff != "" || len(l.CommonPrefixes) != 2 || l.CommonPrefixes[1].Prefix != "b/" {
		t.Errorf("delimiter: %+v %s", l, diff)
	}
	if diff := cmp.Diff([]string{"a/2"}, r.list("prefix", "a/", "start-after", "a/1").keys()); diff != "" {
		t.Error(diff)
	}
}

func TestConditionalPut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	once := objectstore.Request{Method: "PUT", Key: "k", ContentLength: 1, Header: http.Header{"If-None-Match": {"*"}}}
	once.Body = strings.NewReader("1")
	if a := r.do(once); a.status != 200 {
		t.Fatalf("first: %+v", a)
	}
	once.Body = strings.NewReader("2")
	if a := r.do(once); a.status != 412 {
		t.Errorf("second: %+v", a)
	}
	if a := r.get("k"); a.body != "1" {
		t.Errorf("object is %q", a.body)
	}
}

func TestMultipart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var begun struct {
		UploadID string `xml:"UploadId"`
	}
	a := r.do(objectstore.Request{Method: "POST", Key: "big", Query: url.Values{"uploads": {""}}})
	if err := xml.Unmarshal([]byte(a.body), &begun); err != nil || a.status != 200 {
		t.Fatalf("create: %v %+v", err, a)
	}
	part := strings.Repeat("p", 5<<20)
	var list strings.Builder
	for n, body := range []string{part, "tail"} {
		number := strconv.Itoa(n + 1)
		a := r.do(objectstore.Request{
			Method: "PUT", Key: "big", Query: url.Values{"partNumber": {number}, "uploadId": {begun.UploadID}},
			Body: strings.NewReader(body), ContentLength: int64(len(body)),
		})
		if a.status != 200 {
			t.Fatalf("part: %+v", a)
		}
		list.WriteString("<Part><PartNumber>" + number + "</PartNumber><ETag>" + a.header.Get("Etag") + "</ETag></Part>")
	}
	doc := "<CompleteMultipartUpload>" + list.String() + "</CompleteMultipartUpload>"
	a = r.do(objectstore.Request{
		Method: "POST", Key: "big", Query: url.Values{"uploadId": {begun.UploadID}}, Body: strings.NewReader(doc), ContentLength: int64(len(doc)),
	})
	if a.status != 200 {
		t.Fatalf("complete: %+v", a)
	}
	if got := r.get("big"); got.body != part+"tail" || !strings.HasSuffix(got.header.Get("Etag"), `-2"`) {
		t.Errorf("get: %d bytes, %s", len(got.body), got.header.Get("Etag"))
	}
	copied := r.do(objectstore.Request{
		Method: "PUT", Key: "copy of it", Header: http.Header{"X-Amz-Copy-Source": {objectstore.CopySource(r.bucket, "big", "")}},
	})
	if copied.status != 200 || len(r.get("copy of it").body) != len(part)+4 {
		t.Errorf("copy: %+v", copied)
	}
}

func TestPayloadHash(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	body := strings.Repeat("8 MiB...", 1<<20)
	sum := sha256.Sum256([]byte(body))
	req := objectstore.Request{
		Method: "PUT", Key: "big", Body: strings.NewReader(body), ContentLength: int64(len(body)), PayloadHash: hex.EncodeToString(sum[:]),
	}
	if a := r.do(req); a.status != 200 {
		t.Fatalf("put: %+v", a)
	}
	if a := r.get("big"); a.body != body {
		t.Errorf("get: %d bytes", len(a.body))
	}
	sum[0]++
	req.Key, req.Body, req.PayloadHash = "wrong", strings.NewReader(body), hex.EncodeToString(sum[:])
	if a := r.do(req); a.status != 400 || !strings.Contains(a.body, "XAmzContentSHA256Mismatch") {
		t.Errorf("wrong hash: %d %s", a.status, a.body)
	}
	if a := r.get("wrong"); a.status != 404 {
		t.Errorf("stored although refused: %d", a.status)
	}
}

func TestBody_failureStoresNothing(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	late := errors.New("the signature of the last chunk does not match")
	whole := strings.Repeat("x", size)
	tests := map[string]struct {
		body io.Reader
		want error
	}{
		"at once":          {iotest.ErrReader(late), late},
		"half-way":         {io.MultiReader(strings.NewReader(whole[:size/2]), iotest.ErrReader(late)), late},
		"after everything": {io.MultiReader(strings.NewReader(whole), iotest.ErrReader(late)), late},
		"with the last":    {iotest.DataErrReader(io.MultiReader(strings.NewReader(whole), iotest.ErrReader(late))), late},
		"too short":        {strings.NewReader(whole[1:]), nil},
		"too long":         {strings.NewReader(whole + "y"), nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			resp, err := r.s.Do(t.Context(), objectstore.Request{
				Method: "PUT", Bucket: r.bucket, Key: "k", Body: tt.body, ContentLength: size,
			})
			if err == nil {
				t.Fatalf("answered %d", resp.Status)
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("error is %v", err)
			}
			if l := r.list(); len(l.Contents) != 0 {
				t.Errorf("stored: %q, %d bytes", l.keys(), len(r.get("k").body))
			}
			r.mustPut("k", "fine") // over whatever connection is next
		})
	}
}

// The store itself has to notice that a body broke off, else it keeps a part of an object whose signature was never proven.
func TestBody_cutOffStoresNothing(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	for _, n := range []int64{0, 1, size / 2, size - 1} {
		r := newRig(t)
		begun := r.do(objectstore.Request{Method: "POST", Key: "parts", Query: url.Values{"uploads": {""}}})
		var upload struct {
			UploadID string `xml:"UploadId"`
		}
		if err := xml.Unmarshal([]byte(begun.body), &upload); err != nil {
			t.Fatal(err)
		}
		part := url.Values{"partNumber": {"1"}, "uploadId": {upload.UploadID}}
		for key, query := range map[string]url.Values{"whole": nil, "parts": part} {
			status, err := r.s.Cut(t.Context(), objectstore.Request{
				Method: "PUT", Bucket: r.bucket, Key: key, Query: query, Body: strings.NewReader(strings.Repeat("x", size)), ContentLength: size,
			}, n)
			if err == nil && status < 400 {
				t.Errorf("%s after %d bytes: %d", key, n, status)
			}
		}
		if l := r.list(); len(l.Contents) != 0 {
			t.Errorf("after %d bytes, stored: %q", n, l.keys())
		}
		if a := r.do(objectstore.Request{Method: "GET", Key: "parts", Query: url.Values{"uploadId": {upload.UploadID}}}); strings.Contains(a.body, "<Part>") {
			t.Errorf("after %d bytes, there is a part: %s", n, a.body)
		}
	}
}

// A store that refuses a long upload hangs up before all of it was sent; its reason must not be lost.
func TestBody_refusedEarly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.mustPut("k", "1")
	const size = 8 << 20
	for range 20 {
		a := r.do(objectstore.Request{
			Method: "PUT", Key: "k", Header: http.Header{"If-None-Match": {"*"}}, Body: strings.NewReader(strings.Repeat("x", size)), ContentLength: size,
		})
		if a.status != 412 {
			t.Fatalf("put: %+v", a)
		}
	}
}

func TestBucket(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := r.s.MakeBucket(t.Context(), r.bucket); !errors.Is(err, fault.Exists) {
		t.Errorf("again: %v", err)
	}
	r.mustPut("k", "x")
	if err := r.s.RemoveBucket(t.Context(), r.bucket); !errors.Is(err, fault.Conflict) {
		t.Errorf("remove a full one: %v", err)
	}
	r.do(objectstore.Request{Method: "DELETE", Key: "k"})
	for range 2 {
		if err := r.s.RemoveBucket(t.Context(), r.bucket); err != nil {
			t.Errorf("remove: %v", err)
		}
	}
	names, err := r.s.Buckets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if n == r.bucket || strings.HasPrefix(n, "podid-probe-") {
			t.Errorf("there is still %s", n)
		}
	}
}

func TestOpenEmbedded(t *testing.T) {
	t.Parallel()
	s := store()
	if _, err := objectstore.OpenEmbedded(t.Context(), objectstore.EmbeddedConfig{Dir: t.TempDir(), Now: time.Now}); !errors.Is(err, fault.Conflict) {
		t.Errorf("a second one: %v", err)
	}
	for _, d := range []string{".", "objects", "run"} {
		if fi, err := os.Stat(filepath.Join(dir, d)); err != nil || fi.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v %v", d, fi.Mode(), err)
		}
	}
	c := s.Capabilities()
	if !c.Conditions || !c.Checksums || c.Segments || c.Nesting || c.Versioning {
		t.Errorf("capabilities: %+v", c)
	}
}

// One string: whatever key passes the check is the key that a listing shows, and the only one.
func FuzzKey(f *testing.F) {
	for _, k := range []string{"a", "a/b", "a//b", "../a", "a/", "%2e%2e/a", "+", "\u00e9", "e\u0301", ".sgwtmp/x", "a\\b", "\r\n", "?a=b", "#", "&amp;", "]]>", "\x7f", "\u2028"} {
		f.Add(k)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if store().CheckKey(key) != nil {
			return
		}
		r := newRig(t)
		body := "x"
		if strings.HasSuffix(key, "/") {
			body = ""
		}
		r.mustPut(key, body)
		if diff := cmp.Diff([]string{key}, r.list().keys()); diff != "" {
			t.Error(diff)
		}
		if a := r.get(key); a.status != 200 {
			t.Errorf("get: %+v", a)
		}
		if a := r.do(objectstore.Request{Method: "DELETE", Key: key}); a.status != 204 {
			t.Errorf("delete: %+v", a)
		}
		if err := r.s.RemoveBucket(t.Context(), r.bucket); err != nil {
			t.Error(err)
		}
	})
}
