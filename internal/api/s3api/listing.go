package s3api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
)

// canonicalID is the account's id as S3 prints owners: 64 hex digits that follow from the account and tell nothing more.
func canonicalID(account string) string {
	sum := sha256.Sum256([]byte("podid canonical user " + account))
	return hex.EncodeToString(sum[:])
}

// listing is ListBucketResult of both list versions. It is read and written again because the store names itself as the
// owner of what is the bucket owner's.
type listing struct {
	XMLName        xml.Name       `xml:"ListBucketResult"`
	NS             string         `xml:"xmlns,attr"`
	Name           string         `xml:"Name"`
	Prefix         string         `xml:"Prefix"`
	Marker         *string        `xml:"Marker"`
	NextMarker     string         `xml:"NextMarker,omitempty"`
	StartAfter     string         `xml:"StartAfter,omitempty"`
	Token          string         `xml:"ContinuationToken,omitempty"`
	NextToken      string         `xml:"NextContinuationToken,omitempty"`
	KeyCount       *int           `xml:"KeyCount"`
	MaxKeys        int            `xml:"MaxKeys"`
	Delimiter      string         `xml:"Delimiter,omitempty"`
	IsTruncated    bool           `xml:"IsTruncated"`
	EncodingType   string         `xml:"EncodingType,omitempty"`
	Contents       []listedObject `xml:"Contents"`
	CommonPrefixes []struct {
		Prefix string `xml:"Prefix"`
	} `xml:"CommonPrefixes"`
}

type listedObject struct {
	Key          string   `xml:"Key"`
	LastModified string   `xml:"LastModified"`
	ETag         string   `xml:"ETag"`
	Algorithms   []string `xml:"ChecksumAlgorithm,omitempty"`
	ChecksumType string   `xml:"ChecksumType,omitempty"`
	Size         int64    `xml:"Size"`
	StorageClass string   `xml:"StorageClass"`
	Owner        *owner   `xml:"Owner"`
}

// maxListing bounds a page: 1,000 keys of 1,024 bytes, each byte encoded, and what stands around them.
const maxListing = 16 << 20

func listObjects(ctx context.Context, s *Service, r *request) error {
	resp, err := s.send(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.Status != http.StatusOK {
		return storeError(resp)
	}
	var page listing
	if err := xml.NewDecoder(io.LimitReader(resp.Body, maxListing)).Decode(&page); err != nil {
		return err
	}
	page.NS, page.XMLName = namespace, xml.Name{Local: "ListBucketResult"}
	for i := range page.Contents {
		if page.Contents[i].Owner != nil {
			page.Contents[i].Owner = &owner{ID: canonicalID(r.found.Account)}
		}
	}
	writeXML(r.x, http.StatusOK, page)
	return nil
}
