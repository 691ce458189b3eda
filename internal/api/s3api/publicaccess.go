package s3api

import (
	"context"
	"encoding/xml"
	"net/http"

	"github.com/podid/podid/internal/bucket"
)

// accessBlock is PublicAccessBlockConfiguration.
type accessBlock struct {
	XMLName               xml.Name `xml:"PublicAccessBlockConfiguration"`
	NS                    string   `xml:"xmlns,attr"`
	BlockPublicAcls       bool     `xml:"BlockPublicAcls"`
	IgnorePublicAcls      bool     `xml:"IgnorePublicAcls"`
	BlockPublicPolicy     bool     `xml:"BlockPublicPolicy"`
	RestrictPublicBuckets bool     `xml:"RestrictPublicBuckets"`
}

func getPublicAccessBlock(_ context.Context, _ *Service, r *request) error {
	b := r.found.PublicAccessBlock
	writeXML(r.x, http.StatusOK, accessBlock{
		NS: namespace, BlockPublicAcls: b.BlockPublicAcls, IgnorePublicAcls: b.IgnorePublicAcls,
		BlockPublicPolicy: b.BlockPublicPolicy, RestrictPublicBuckets: b.RestrictPublicBuckets,
	})
	return nil
}

func putPublicAccessBlock(ctx context.Context, s *Service, r *request) error {
	body, err := s.document(r)
	if err != nil {
		return err
	}
	var b accessBlock
	if err := xml.Unmarshal(body, &b); err != nil {
		return malformedXML(err)
	}
	err = s.buckets.PutPublicAccessBlock(ctx, r.bucket, bucket.PublicAccessBlock{
		BlockPublicAcls: b.BlockPublicAcls, IgnorePublicAcls: b.IgnorePublicAcls,
		BlockPublicPolicy: b.BlockPublicPolicy, RestrictPublicBuckets: b.RestrictPublicBuckets,
	})
	if err != nil {
		return err
	}
	return empty(r, http.StatusOK)
}

func deletePublicAccessBlock(ctx context.Context, s *Service, r *request) error {
	if err := s.buckets.PutPublicAccessBlock(ctx, r.bucket, bucket.PublicAccessBlock{}); err != nil {
		return err
	}
	return empty(r, http.StatusNoContent)
}
