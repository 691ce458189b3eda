package s3api_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
)

func TestObjects(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	name := w.bucket()
	made, err := w.admin.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &name, Key: aws.String("dir/a b+c%2F.txt"), Body: strings.NewReader("hello, world"), ContentType: aws.String("text/plain"),
		CacheControl: aws.String("no-store"), Metadata: map[string]string{"color": "blue"}, Tagging: aws.String("team=a"),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
	})
	must(t, err)
	if r := w.last(); r.EventName != "PutObject" || r.AdditionalData.BytesIn != 12 || len(r.Resources) != 2 ||
		r.Resources[1].ARN != arnOf(name)+"/dir/a b+c%2F.txt" || r.Resources[0].AccountID != own || r.RecipientAccountID != own {
		t.Errorf("record %+v", r)
	}
	got, err := w.admin.GetObject(ctx, &s3.GetObjectInput{
		Bucket: &name, Key: aws.String("dir/a b+c%2F.txt"), Range: aws.String("bytes=0-4"), ChecksumMode: types.ChecksumModeEnabled,
	})
	must(t, err)
	b, err := io.ReadAll(got.Body)
	must(t, err)
	if string(b) != "hello" || *got.ContentType != "text/plain" || got.Metadata["color"] != "blue" || *got.ETag != *made.ETag || *got.CacheControl != "no-store" {
		t.Errorf("got %q, %+v", b, got)
	}
	if r := w.last(); r.AdditionalData.BytesOut != 5 || !r.ReadOnly || r.AdditionalData.Status != http.StatusPartialContent {
		t.Errorf("record %+v", r)
	}
	head, err := w.admin.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &name, Key: aws.String("dir/a b+c%2F.txt")})
	must(t, err)
	if *head.ContentLength != 12 {
		t.Errorf("length %d", *head.ContentLength)
	}
	_, err = w.admin.GetObject(ctx, &s3.GetObjectInput{Bucket: &name, Key: aws.String("none")})
	typed[*types.NoSuchKey](t, err)
	_, err = w.admin.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &name, Key: aws.String("none")})
	typed[*types.NotFound](t, err)
	_, err = w.admin.GetObject(ctx, &s3.GetObjectInput{Bucket: &name, Key: aws.String("dir/a b+c%2F.txt"), Range: aws.String("bytes=99-")})
	refused(t, err, "InvalidRange", 416, "range")
	_, err = w.admin.GetObject(ctx, &s3.GetObjectInput{Bucket: &name, Key: aws.String("dir/a b+c%2F.txt"), IfMatch: aws.String(`"x"`)})
	refused(t, err, "PreconditionFailed", 412, "pre-conditions")
	_, err = w.admin.PutObject(ctx, &s3.PutObjectInput{Bucket: &name, Key: aws.String("dir/a b+c%2F.txt"), Body: strings.NewReader("x"), IfNoneMatch: aws.String("*")})
	refused(t, err, "PreconditionFailed", 412, "pre-conditions")
	attributes, err := w.admin.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{
		Bucket: &name, Key: aws.String("dir/a b+c%2F.txt"), ObjectAttributes: []types.ObjectAttributes{"ETag", "ObjectSize"},
	})
	must(t, err)
	if *attributes.ObjectSize != 12 || attributes.ETag == nil {
		t.Errorf("attributes %+v", attributes)
	}
	_, err = w.admin.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &name, Key: aws.String("dir/a b+c%2F.txt")})
	must(t, err)
	_, err = w.admin.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &name, Key: aws.String("dir/a b+c%2F.txt")})
	must(t, err)
}

func TestListings(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	name := w.bucket()
	want := []string{"a/1", "a/2", "b/1", "c", "d<&>\r"}
	for _, k := range want {
		w.put(name, k, "v")
	}
	var all []string
	pages := s3.NewListObjectsV2Paginator(w.admin, &s3.ListObjectsV2Input{Bucket: &name, MaxKeys: aws.Int32(2), FetchOwner: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		must(t, err)
		all = append(all, keys(page.Contents)...)
		for _, o := range page.Contents {
			if o.Owner == nil || len(*o.Owner.ID) != 64 {
				t.Errorf("owner %+v", o.Owner)
			}
		}
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
	v1, err := w.admin.ListObjects(ctx, &s3.ListObjectsInput{Bucket: &name, Delimiter: aws.String("/"), Marker: aws.String("a")})
	must(t, err)
	if diff := cmp.Diff([]string{"c", "d<&>\r"}, keys(v1.Contents)); diff != "" || len(v1.CommonPrefixes) != 2 {
		t.Errorf("%s, prefixes %v", diff, v1.CommonPrefixes)
	}
	reader := w.user(own, "reader", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"`+arnOf(name)+
		`","Condition":{"StringEquals":{"s3:prefix":"a/"},"NumericLessThanEquals":{"s3:max-keys":"10"}}}`)
	_, err = reader.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &name, Prefix: aws.String("a/"), MaxKeys: aws.Int32(10)})
	must(t, err)
	for _, in := range []*s3.ListObjectsV2Input{
		{Prefix: aws.String("a/"), MaxKeys: aws.Int32(11)}, {Prefix: aws.String("a/")}, {Prefix: aws.String("b/"), MaxKeys: aws.Int32(1)}, {MaxKeys: aws.Int32(1)},
	} {
		in.Bucket = &name
		_, err = reader.ListObjectsV2(ctx, in)
		refused(t, err, "AccessDenied", 403, "s3:ListBucket")
	}
	_, err = w.admin.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &name, Prefix: aws.String("a/../b")})
	refused(t, err, "InvalidArgument", 400, "prefix")
}

func TestDeleteObjects(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	name := w.bucket()
	for _, k := range []string{"a/1", "a/2", "b/1"} {
		w.put(name, k, "v")
	}
	cleaner := w.user(own, "cleaner", statement("Allow", "", "s3:DeleteObject", arnOf(name)+"/a/*"))
	id := func(key string) types.ObjectIdentifier { return types.ObjectIdentifier{Key: &key} }
	conditional := id("a/2")
	conditional.ETag = aws.String("x")
	out, err := cleaner.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &name, Delete: &types.Delete{
		Objects: []types.ObjectIdentifier{id("a/1"), id("b/1"), id("a/../b/1"), conditional},
	}})
	must(t, err)
	codes := map[string]string{}
	for _, e := range out.Errors {
		codes[*e.Key] = *e.Code
	}
	if diff := cmp.Diff(map[string]string{"b/1": "AccessDenied", "a/../b/1": "InvalidArgument", "a/2": "NotImplemented"}, codes); diff != "" {
		t.Error(diff)
	}
	if len(out.Deleted) != 1 || *out.Deleted[0].Key != "a/1" {
		t.Errorf("deleted %v", out.Deleted)
	}
	if r := w.last(); r.AdditionalData.Decision == nil || r.ResponseElements["errors"] != 3 || r.EventName != "DeleteObjects" {
		t.Errorf("record %+v", r)
	}
	left, err := w.admin.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &name})
	must(t, err)
	if diff := cmp.Diff([]string{"a/2", "b/1"}, keys(left.Contents)); diff != "" {
		t.Error(diff)
	}
}

func TestCopy(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	from, to := w.bucket(), w.bucket()
	w.put(from, "plain +%", "v")
	_, err := w.admin.PutObject(ctx, &s3.PutObjectInput{Bucket: &from, Key: aws.String("tagged"), Body: strings.NewReader("v"), Tagging: aws.String("a=b")})
	must(t, err)
	copying := func(c *s3.Client, source string, change ...func(*s3.CopyObjectInput)) error {
		in := &s3.CopyObjectInput{Bucket: &to, Key: aws.String("copy"), CopySource: &source}
		for _, f := range change {
			f(in)
		}
		_, err := c.CopyObject(ctx, in)
		return err
	}
	for _, source := range []string{from + "/plain%20%2B%25", "/" + from + "/plain +%25", from + "%2Fplain%20%2b%25"} {
		must(t, copying(w.admin, source))
		v, err := get(ctx, w.admin, to, "copy")
		must(t, err)
		if v != "v" {
			t.Errorf("%s: got %q", source, v)
		}
	}
	refused(t, copying(w.admin, from+"/none"), "NoSuchKey", 404, "")
	refused(t, copying(w.admin, "nowhere-at-all/none"), "NoSuchBucket", 404, "")
	refused(t, copying(w.admin, from+"/a/../tagged"), "InvalidArgument", 400, "")
	refused(t, copying(w.admin, from+"/tagged?versionId=null"), "NotImplemented", 501, "")
	refused(t, copying(w.admin, from), "InvalidArgument", 400, "")

	read := statement("Allow", "", "s3:GetObject", arnOf(from)+"/*")
	write := statement("Allow", "", "s3:PutObject", arnOf(to)+"/*")
	tags := statement("Allow", "", "s3:*ObjectTagging", arnOf(from)+"/*", arnOf(to)+"/*")
	onlyReads, onlyWrites := w.user(own, "reads", read), w.user(own, "writes", write)
	both, withTags := w.user(own, "both", read, write), w.user(own, "tags", read, write, tags)
	refused(t, copying(onlyReads, from+"/tagged"), "AccessDenied", 403, "s3:PutObject on")
	refused(t, copying(onlyWrites, from+"/tagged"), "AccessDenied", 403, "s3:GetObject on")
	must(t, copying(both, from+"/plain%20%2B%25"))
	refused(t, copying(both, from+"/none"), "AccessDenied", 403, "s3:ListBucket on")
	refused(t, copying(both, from+"/tagged"), "AccessDenied", 403, "s3:GetObjectTagging on")
	must(t, copying(withTags, from+"/tagged"))
	must(t, copying(both, from+"/tagged", func(in *s3.CopyObjectInput) { in.TaggingDirective = types.TaggingDirectiveReplace }))
	refused(t, copying(both, from+"/tagged", func(in *s3.CopyObjectInput) { in.TaggingDirective = "replace" }), "InvalidArgument", 400, "")
	refused(t, copying(both, from+"/tagged", func(in *s3.CopyObjectInput) {
		in.TaggingDirective, in.Tagging = types.TaggingDirectiveReplace, aws.String("c=d")
	}), "AccessDenied", 403, "s3:PutObjectTagging on")
	if r := w.last(); r.RequestParameters["copySource"] != from+"/tagged" || len(r.Resources) != 3 {
		t.Errorf("record %+v", r)
	}
}

func TestTagging(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	name, key := w.bucket(), aws.String("k")
	w.put(name, "k", "v")
	tagger := w.user(own, "tagger", `{"Effect":"Allow","Action":["s3:PutObjectTagging","s3:PutObject"],"Resource":"`+arnOf(name)+
		`/*","Condition":{"StringEqualsIfExists":{"s3:RequestObjectTag/team":"a"}}}`)
	set := func(team string) error {
		_, err := tagger.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: &name, Key: key, Tagging: &types.Tagging{
			TagSet: []types.Tag{{Key: aws.String("team"), Value: &team}},
		}})
		return err
	}
	must(t, set("a"))
	refused(t, set("b"), "AccessDenied", 403, "s3:PutObjectTagging")
	_, err := tagger.PutObject(ctx, &s3.PutObjectInput{Bucket: &name, Key: key, Tagging: aws.String("team=b")})
	refused(t, err, "AccessDenied", 403, "s3:PutObject")
	got, err := w.admin.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &name, Key: key})
	must(t, err)
	if len(got.TagSet) != 1 || *got.TagSet[0].Value != "a" {
		t.Errorf("tags %+v", got.TagSet)
	}
	_, err = w.admin.DeleteObjectTagging(ctx, &s3.DeleteObjectTaggingInput{Bucket: &name, Key: key})
	must(t, err)
	_, err = w.admin.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &name, Key: aws.String("none")})
	refused(t, err, "NoSuchKey", 404, "")
}

func multipart(ctx context.Context, c *s3.Client, name, key, source string, parts ...string) (*s3.CompleteMultipartUploadOutput, error) {
	made, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &name, Key: &key})
	if err != nil {
		return nil, err
	}
	var done []types.CompletedPart
	for i, body := range parts {
		n := aws.Int32(int32(i + 1))
		part, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: &name, Key: &key, UploadId: made.UploadId, PartNumber: n, Body: strings.NewReader(body)})
		if err != nil {
			return nil, err
		}
		done = append(done, types.CompletedPart{PartNumber: n, ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32})
	}
	if source != "" {
		n := aws.Int32(int32(len(parts) + 1))
		part, err := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: &name, Key: &key, UploadId: made.UploadId, PartNumber: n, CopySource: &source})
		if err != nil {
			return nil, err
		}
		done = append(done, types.CompletedPart{PartNumber: n, ETag: part.CopyPartResult.ETag, ChecksumCRC32: part.CopyPartResult.ChecksumCRC32})
	}
	return c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &name, Key: &key, UploadId: made.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: done},
	})
}

func TestMultipart(t *testing.T) {
	t.Parallel()
	for scheme, listen := range map[string]func(http.Handler) *httptest.Server{"http": httptest.NewServer, "https": httptest.NewTLSServer} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			w, ctx := newWorldOn(t, listen), t.Context()
			name := w.bucket()
			w.put(name, "tail", "tail")
			out, err := multipart(ctx, w.admin, name, "big", name+"/tail", strings.Repeat("x", 5<<20))
			must(t, err)
			if *out.Location != w.server.URL+"/"+name+"/big" {
				t.Errorf("location %s", *out.Location)
			}
			v, err := get(ctx, w.admin, name, "big")
			must(t, err)
			if len(v) != 5<<20+4 || !strings.HasSuffix(v, "xtail") {
				t.Errorf("%d bytes", len(v))
			}
		})
	}
}

func TestMultipart_uploads(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	name, key := w.bucket(), aws.String("k")
	made, err := w.admin.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &name, Key: key})
	must(t, err)
	_, err = w.admin.UploadPart(ctx, &s3.UploadPartInput{Bucket: &name, Key: key, UploadId: made.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("x")})
	must(t, err)
	parts, err := w.admin.ListParts(ctx, &s3.ListPartsInput{Bucket: &name, Key: key, UploadId: made.UploadId})
	must(t, err)
	if len(parts.Parts) != 1 || len(*parts.Owner.ID) != 64 || *parts.Owner.ID != *parts.Initiator.ID {
		t.Errorf("parts %+v owner %+v initiator %+v", parts.Parts, parts.Owner, parts.Initiator)
	}
	uploads, err := w.admin.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &name})
	must(t, err)
	if len(uploads.Uploads) != 1 || len(*uploads.Uploads[0].Initiator.ID) != 64 {
		t.Errorf("uploads %+v", uploads.Uploads)
	}
	_, err = w.admin.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &name, Key: key, UploadId: made.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: aws.String("nonsense")}}},
	})
	refused(t, err, "InvalidPart", 400, "")
	// An id that is a path would leave the upload's folder, up to another bucket.
	for _, id := range []string{"..", "../../..", *made.UploadId + "/../..", "a%2Fb", "a b"} {
		_, err = w.admin.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &name, Key: key, UploadId: &id})
		typed[*types.NoSuchUpload](t, err)
	}
	_, err = w.admin.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &name, Key: key, UploadId: made.UploadId})
	must(t, err)
	_, err = w.admin.ListParts(ctx, &s3.ListPartsInput{Bucket: &name, Key: key, UploadId: made.UploadId})
	refused(t, err, "NoSuchUpload", 404, "")
}

func TestPresigned(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	name := w.bucket()
	writer := w.user(own, "writer", statement("Allow", "", "s3:*Object", arnOf(name)+"/mine/*"))
	p := s3.NewPresignClient(writer)
	send := func(method, url, body string, signed http.Header) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
		must(t, err)
		r.Header = signed
		resp, err := w.server.Client().Do(r)
		must(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		must(t, err)
		return resp.StatusCode, string(b)
	}
	up, err := p.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: &name, Key: aws.String("mine/x"), ContentType: aws.String("text/x")})
	must(t, err)
	if status, text := send("PUT", up.URL, "hello", up.SignedHeader); status != 200 {
		t.Fatal(status, text, up.URL)
	}
	down, err := p.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &name, Key: aws.String("mine/x"), ChecksumMode: types.ChecksumModeEnabled})
	must(t, err)
	if status, text := send("GET", down.URL, "", down.SignedHeader); status != 200 || text != "hello" {
		t.Fatal(status, text, down.URL)
	}
	if status, text := send("GET", strings.Replace(down.URL, "mine/x", "mine/y", 1), "", down.SignedHeader); status != 403 || !strings.Contains(text, "SignatureDoesNotMatch") {
		t.Error(status, text)
	}
	theirs, err := p.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &name, Key: aws.String("theirs/x")})
	must(t, err)
	if status, text := send("GET", theirs.URL, "", theirs.SignedHeader); status != 403 || !strings.Contains(text, "AccessDenied") {
		t.Error(status, text)
	}
	if status, text := send("GET", down.URL+"&versionId=null", "", down.SignedHeader); status != 501 && status != 403 {
		t.Error(status, text)
	}
}

// TestStreaming sends what SDKs send over TLS: chunks with a checksum behind them, with and without a key.
func TestStreaming(t *testing.T) {
	t.Parallel()
	w, ctx := newWorldOn(t, httptest.NewTLSServer), t.Context()
	name := w.bucket()
	w.policy(name, statement("Allow", `"*"`, "s3:*", arnOf(name)+"/*"))
	body := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	for who, c := range map[string]*s3.Client{"signed": w.admin, "anonymous": w.anonymous()} {
		for _, algorithm := range types.ChecksumAlgorithm("").Values()[:5] {
			key := who + string(algorithm)
			_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &name, Key: &key, Body: bytes.NewReader(body), ChecksumAlgorithm: algorithm})
			must(t, err)
			got, err := get(ctx, c, name, key)
			must(t, err)
			if got != string(body) {
				t.Errorf("%s: %d bytes", key, len(got))
			}
		}
	}
	resp, text := w.raw("PUT", "/"+name+"/bad", http.Header{
		"X-Amz-Content-Sha256": {"STREAMING-UNSIGNED-PAYLOAD-TRAILER"}, "X-Amz-Decoded-Content-Length": {"1"}, "X-Amz-Trailer": {"x-amz-checksum-crc32"},
	}, strings.NewReader("1\r\nx\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"))
	if resp.StatusCode != 400 || !strings.Contains(text, "BadDigest") {
		t.Error(resp.StatusCode, text)
	}
	resp, text = w.raw("PUT", "/"+name+"/bad", http.Header{"X-Amz-Content-Sha256": {strings.Repeat("0", 64)}}, strings.NewReader("x"))
	if resp.StatusCode != 400 || !strings.Contains(text, "XAmzContentSHA256Mismatch") {
		t.Error(resp.StatusCode, text)
	}
	_, err := get(ctx, w.admin, name, "bad")
	typed[*types.NoSuchKey](t, err)
}
