package s3api

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/objectstore"
)

// maxDelete is how many keys one DeleteObjects names.
const maxDelete = 1000

type deletion struct {
	XMLName xml.Name        `xml:"Delete"`
	NS      string          `xml:"xmlns,attr"`
	Quiet   bool            `xml:"Quiet"`
	Objects []deletedObject `xml:"Object"`
}

// deletedObject is an object to delete. Its conditions are read to be refused: without them more would be deleted than asked.
type deletedObject struct {
	Key      string  `xml:"Key"`
	Version  string  `xml:"VersionId,omitempty"`
	ETag     *string `xml:"ETag"`
	Modified *string `xml:"LastModifiedTime"`
	Size     *string `xml:"Size"`
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
	body, err := s.document(r)
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
	out := deleteResult{NS: namespace}
	allowed := deletion{NS: namespace}
	for _, o := range asked.Objects {
		if err := s.mayDelete(r, o); err != nil {
			f := fault.Of(err)
			if d, ok := authz.DenialOf(err); ok && r.x.Record.AdditionalData.Decision == nil {
				r.x.Record.AdditionalData.Decision = d // of the first refusal
			}
			out.Errors = append(out.Errors, deleteError{Key: o.Key, Code: shapeOf(f).Code, Message: f.Public})
			continue
		}
		allowed.Objects = append(allowed.Objects, o)
	}
	if len(allowed.Objects) > 0 {
		if err := s.deleteAllowed(ctx, r, allowed, &out); err != nil {
			return err
		}
	}
	r.x.Record.ResponseElements = map[string]any{"deleted": len(out.Deleted), "errors": len(out.Errors)}
	if asked.Quiet {
		out.Deleted = nil
	}
	writeXML(r.x, http.StatusOK, out)
	return nil
}

func (s *Service) mayDelete(r *request, o deletedObject) error {
	if o.Version != "" || o.ETag != nil || o.Modified != nil || o.Size != nil {
		return notImplemented("deleting a version, or on conditions")
	}
	if err := s.checkKey(o.Key); err != nil {
		return err
	}
	return s.allowed(r, &question{action: "s3:DeleteObject", resource: arn.Object(r.bucket, o.Key), bucket: r.found})
}

func (s *Service) deleteAllowed(ctx context.Context, r *request, allowed deletion, out *deleteResult) error {
	body, err := xml.Marshal(allowed)
	if err != nil {
		return malformedXML(err)
	}
	resp, err := s.store.Do(ctx, objectstore.Request{
		Method: http.MethodPost, Bucket: r.bucket, Query: url.Values{"delete": {""}},
		Header: http.Header{"Content-Md5": {contentMD5(body)}, "Content-Type": {"application/xml"}},
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
	if err := xml.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&done); err != nil {
		return err
	}
	out.Deleted = append(out.Deleted, done.Deleted...)
	for _, e := range done.Errors {
		f := fault.Of(storeDocument{Code: e.Code, Message: e.Message}.failure(0))
		out.Errors = append(out.Errors, deleteError{Key: e.Key, Code: shapeOf(f).Code, Message: f.Public})
	}
	return nil
}
