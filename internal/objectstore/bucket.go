package objectstore

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // Content-MD5 is S3's transfer check, not a signature
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/podid/podid/internal/fault"
)

const (
	maxErrorDocument = 64 << 10 // bytes
	maxBucketList    = 64 << 20 // bytes
)

// MakeBucket makes a bucket. fault.Exists when there is one of this name, whoever made it.
func (s *Store) MakeBucket(ctx context.Context, name string) error {
	r := Request{Method: http.MethodPut, Bucket: name}
	if s.region != defaultRegion {
		body := `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>` + s.region +
			`</LocationConstraint></CreateBucketConfiguration>`
		r.Body, r.ContentLength = strings.NewReader(body), int64(len(body))
	}
	// In us-east-1 AWS answers 200 for a bucket that is ours already, so it has to be asked first.
	if status, _, err := s.ask(ctx, Request{Method: http.MethodHead, Bucket: name}); err != nil {
		return err
	} else if status != http.StatusNotFound {
		return fault.New(fault.Exists, "bucket", "The object store has a bucket of this name.").Because(fmt.Errorf("HEAD: status %d", status))
	}
	status, code, err := s.ask(ctx, r)
	switch {
	case err != nil:
		return err
	case status == http.StatusOK:
		return nil
	case status == http.StatusConflict && strings.HasPrefix(code, "BucketAlready"):
		return fault.New(fault.Exists, "bucket", "The object store has a bucket of this name.")
	}
	return unavailable(fmt.Errorf("CreateBucket: status %d, code %q", status, code))
}

// RemoveBucket removes an empty bucket; it is fine when there is none. fault.Conflict when it is not empty.
func (s *Store) RemoveBucket(ctx context.Context, name string) error {
	status, code, err := s.ask(ctx, Request{Method: http.MethodDelete, Bucket: name})
	switch {
	case err != nil:
		return err
	case status == http.StatusNoContent, status == http.StatusOK, status == http.StatusNotFound:
		return nil
	case status == http.StatusConflict:
		return fault.New(fault.Conflict, "bucket", "The bucket you tried to delete is not empty.")
	}
	return unavailable(fmt.Errorf("DeleteBucket: status %d, code %q", status, code))
}

// Buckets names the buckets that the store has, but for those of a probe.
func (s *Store) Buckets(ctx context.Context) ([]string, error) {
	var names []string
	for token := ""; ; {
		q := url.Values{}
		if token != "" {
			q.Set("continuation-token", token)
		}
		resp, err := s.Do(ctx, Request{Method: http.MethodGet, Query: q})
		if err != nil {
			return nil, err
		}
		var list struct {
			Buckets struct {
				Bucket []struct{ Name string }
			}
			ContinuationToken string
		}
		err = xml.NewDecoder(io.LimitReader(resp.Body, maxBucketList)).Decode(&list)
		resp.Body.Close()
		if resp.Status != http.StatusOK {
			return nil, unavailable(fmt.Errorf("ListBuckets: status %d", resp.Status))
		}
		if err != nil {
			return nil, unavailable(err)
		}
		for _, b := range list.Buckets.Bucket {
			if !strings.HasPrefix(b.Name, probePrefix) {
				names = append(names, b.Name)
			}
		}
		if token == list.ContinuationToken || list.ContinuationToken == "" {
			return names, nil
		}
		token = list.ContinuationToken
	}
}

// ask sends a request whose answer is a status and, if it is an error, a code.
func (s *Store) ask(ctx context.Context, r Request) (status int, code string, err error) {
	resp, err := s.Do(ctx, r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorDocument))
	if err != nil {
		return 0, "", unavailable(err)
	}
	var doc struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
	}
	if resp.Status >= 300 && xml.NewDecoder(bytes.NewReader(b)).Decode(&doc) == nil {
		code = doc.Code
	}
	return resp.Status, code, nil
}

func contentMD5(b []byte) string {
	sum := md5.Sum(b) //nolint:gosec // see the import
	return base64.StdEncoding.EncodeToString(sum[:])
}
