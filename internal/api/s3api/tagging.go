package s3api

import (
	"bytes"
	"context"
	"encoding/xml"
	"net/http"
	"net/url"

	"github.com/podid/podid/internal/objectstore"
	"github.com/podid/podid/internal/policy"
)

// tagging is a Tagging document.
type tagging struct {
	XMLName xml.Name `xml:"Tagging"`
	Tags    []struct {
		Key   string `xml:"Key"`
		Value string `xml:"Value"`
	} `xml:"TagSet>Tag"`
}

// putObjectTagging asks when it has read which tags it is about, and sends the store what it has read and nothing else.
func putObjectTagging(ctx context.Context, s *Service, r *request) error {
	body, err := s.document(r)
	if err != nil {
		return err
	}
	var t tagging
	if err := xml.Unmarshal(body, &t); err != nil {
		return malformedXML(err)
	}
	tags := url.Values{}
	for _, tag := range t.Tags {
		tags.Add(tag.Key, tag.Value)
	}
	q := r.objectQuestion("s3:PutObjectTagging")
	q.keys = func(k *policy.Context) { tagKeys(k, tags) }
	if err := s.ask(r, []question{q}); err != nil {
		return err
	}
	t.XMLName = xml.Name{Local: "Tagging"}
	if body, err = xml.Marshal(t); err != nil {
		return malformedXML(err)
	}
	resp, err := s.store.Do(ctx, objectstore.Request{
		Method: http.MethodPut, Bucket: r.bucket, Key: r.key, Query: r.query,
		Header: http.Header{"Content-Md5": {contentMD5(body)}, "Content-Type": {"application/xml"}},
		Body:   bytes.NewReader(body), ContentLength: int64(len(body)),
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.Status != http.StatusOK {
		return s.conceal(r, storeError(resp))
	}
	return empty(r, http.StatusOK)
}

// tagKeys sets the keys of the tags that a request brings. spec: iam-policy.md 11.3
func tagKeys(k *policy.Context, tags url.Values) {
	names := make([]string, 0, len(tags))
	for name, values := range tags {
		names = append(names, name)
		k.Set("s3:RequestObjectTag/"+name, values...)
	}
	k.Set("s3:RequestObjectTagKeys", names...)
}
