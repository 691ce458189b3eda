package s3api

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // Content-MD5 is what the protocol asks for
	"encoding/base64"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/objectstore"
)

// maxDelete is how many keys one DeleteObjects names.
const maxDelete = 1000

type deletion struct {
	XMLName xml.Name `xml:"Delete"`
	NS      string   `xml:"xmlns,attr"`
	Quiet   bool     `xml:"Quiet"`
	Objects []struct {
		Key     string `xml:"Key"`
		Version string `xml:"VersionId,omitempty"`
	} `xml:"Object"`
}

type deleteResult struct {
	XMLName xml.Name      `xml:"DeleteResult"`
	NS      string        `xml:"xmlns,attr"`
	Deleted []deletedKey  `xml:"Deleted"`
	Errors  []deleteError `xml:"Error"`
}

type deletedKey struct {
	Key string `xml:"Key"`
}

type deleteError struct {
	Key     string `xml:"Key"`
	Code    string `xml:"Code"`
	Message string `xml:"Message"`
}

// deleteObjects decides per key: what is refused is in the answer, what is allowed goes to the store.
// spec: iam-policy.md 11.2
func deleteObjects(ctx context.Context, s *Service, r *request) error {
	body, err := r.document(maxDocument)
	if err != nil {
		return err
	}
	var asked deletion
	if err := xml.Unmarshal(body, &asked); err != nil {
		return malformedXML(err)
	}
	if len(asked.Objects) == 0 || len(asked.Objects) > maxDelete {
		return malformedXML(nil)
	}
	if err := checkMD5(r.http.Header.Get("Content-Md5"), body); err != nil {
		return err
	}
	out := deleteResult{NS: namespace}
	allowed := deletion{NS: namespace}
	for _, o := range asked.Objects {
		if err := s.mayDelete(r, o.Key, o.Version); err != nil {
			f := fault.Of(err)
			out.Errors = append(out.Errors, deleteError{Key: o.Key, Code: faults.Shape(f).Code, Message: f.Public})
			continue
		}
		allowed.Objects = append(allowed.Objects, o)
	}
	if len(allowed.Objects) > 0 {
		if err := s.deleteAllowed(ctx, r, allowed, &out); err != nil {
			return err
		}
	}
	if asked.Quiet {
		out.Deleted = nil
	}
	writeXML(r.x, http.StatusOK, out)
	return nil
}

func (s *Service) mayDelete(r *request, key, version string) error {
	if version != "" {
		return notImplemented("deleting a version")
	}
	if err := s.store.CheckKey(key); err != nil {
		return err
	}
	return s.allowed(r, &question{action: "s3:DeleteObject", resource: arn.Object(r.bucket, key), bucket: r.found})
}

func (s *Service) deleteAllowed(ctx context.Context, r *request, allowed deletion, out *deleteResult) error {
	body, err := xml.Marshal(allowed)
	if err != nil {
		return malformedXML(err)
	}
	sum := md5.Sum(body) //nolint:gosec // see above
	resp, err := s.store.Do(ctx, objectstore.Request{
		Method: http.MethodPost, Bucket: r.bucket, Query: url.Values{"delete": {""}},
		Header: http.Header{"Content-Md5": {base64.StdEncoding.EncodeToString(sum[:])}, "Content-Type": {"application/xml"}},
		Body:   bytes.NewReader(body), ContentLength: int64(len(body)),
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.Status != http.StatusOK {
		return storeError(resp)
	}
	var done deleteResult
	if err := xml.NewDecoder(io.LimitReader(resp.Body, maxListing)).Decode(&done); err != nil {
		return err
	}
	out.Deleted = append(out.Deleted, done.Deleted...)
	out.Errors = append(out.Errors, done.Errors...)
	return nil
}

func checkMD5(header string, body []byte) error {
	if header == "" {
		return nil
	}
	sum := md5.Sum(body) //nolint:gosec // see above
	if header != base64.StdEncoding.EncodeToString(sum[:]) {
		return fault.New(fault.Invalid, "checksum", "The Content-MD5 you specified did not match what we received.")
	}
	return nil
}
