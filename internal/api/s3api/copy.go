package s3api

import (
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"

	"github.com/podid/podid/internal/objectstore"
)

// copyObject asks for the tags' permissions too where the source has tags and they go with it. spec: s3.md 7
func copyObject(ctx context.Context, s *Service, r *request) error {
	if r.header.Get("X-Amz-Tagging-Directive") != "REPLACE" {
		tagged, err := s.tagged(ctx, r)
		if err != nil {
			return err
		}
		if tagged {
			if err := s.ask(r, askTags(r)); err != nil {
				return err
			}
		}
	}
	return forwardDocument(ctx, s, r)
}

// tagged asks the store whether an object has tags. Only after s3:GetObject on it was allowed.
func (s *Service) tagged(ctx context.Context, r *request) (bool, error) {
	from := r.source
	resp, err := s.store.Do(ctx, objectstore.Request{
		Method: http.MethodGet, Bucket: from.bucket.Name, Key: from.key, Query: url.Values{"tagging": {""}},
	})
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	switch {
	case resp.Status == http.StatusNotFound:
		return false, nil // no such tags, or no such object: the copy itself tells which
	case resp.Status != http.StatusOK:
		return false, s.conceal(r, storeError(resp))
	}
	var tagging tagging
	if err := xml.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&tagging); err != nil {
		return false, err
	}
	return len(tagging.Tags) > 0, nil
}
