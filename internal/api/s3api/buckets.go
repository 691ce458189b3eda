package s3api

import (
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"time"

	"github.com/podid/podid/internal/fault"
)

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// maxDocument bounds the XML and JSON documents that requests bring: the largest is a DeleteObjects of 1,000 long keys.
const maxDocument = 2 << 20

// document reads a bounded body to its end, and so proves it.
func (r *request) document(limit int64) ([]byte, error) {
	body, _, err := r.x.Body()
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fault.New(fault.Limit, "body", "Your proposed upload exceeds the maximum allowed size of %d bytes", limit)
	}
	return b, nil
}

func malformedXML(cause error) error {
	return fault.New(fault.Invalid, "xml", "The XML you provided was not well-formed or did not validate against our published schema").Because(cause)
}

// signedCaller refuses what an anonymous caller cannot do at all: own something.
func (r *request) signedCaller() error {
	if r.x.Caller.Principal.Account == "" {
		return fault.New(fault.Denied, "action", "Access Denied: the request must be signed")
	}
	return nil
}

func createBucket(ctx context.Context, s *Service, r *request) error {
	if err := r.signedCaller(); err != nil {
		return err
	}
	body, err := r.document(maxDocument)
	if err != nil {
		return err
	}
	var c struct {
		Location string `xml:"LocationConstraint"`
	}
	if len(body) > 0 {
		if err := xml.Unmarshal(body, &c); err != nil {
			return malformedXML(err)
		}
	}
	if c.Location != "" && c.Location != s.region {
		return fault.New(fault.Invalid, "argument", "The specified location-constraint is not valid: this endpoint keeps buckets in %s", s.region)
	}
	if _, err := s.buckets.Create(ctx, r.bucket, r.x.Caller.Principal.Account); err != nil {
		return err
	}
	r.x.Writer.Header().Set("Location", "/"+r.bucket)
	return empty(r, http.StatusOK)
}

func deleteBucket(ctx context.Context, s *Service, r *request) error {
	if err := s.buckets.Delete(ctx, r.bucket); err != nil {
		return err
	}
	return empty(r, http.StatusNoContent)
}

func headBucket(_ context.Context, s *Service, r *request) error {
	r.x.Writer.Header().Set("X-Amz-Bucket-Region", s.region)
	return empty(r, http.StatusOK)
}

func getBucketLocation(_ context.Context, s *Service, r *request) error {
	location := s.region
	if location == "us-east-1" { // whose location is the empty one, for history's sake
		location = ""
	}
	writeXML(r.x, http.StatusOK, struct {
		XMLName  xml.Name `xml:"LocationConstraint"`
		NS       string   `xml:"xmlns,attr"`
		Location string   `xml:",chardata"`
	}{NS: namespace, Location: location})
	return nil
}

type owner struct {
	ID string `xml:"ID"`
}

type bucketEntry struct {
	Name         string `xml:"Name"`
	CreationDate string `xml:"CreationDate"`
	Region       string `xml:"BucketRegion"`
}

func listBuckets(_ context.Context, s *Service, r *request) error {
	account := r.x.Caller.Principal.Account
	out := struct {
		XMLName xml.Name      `xml:"ListAllMyBucketsResult"`
		NS      string        `xml:"xmlns,attr"`
		Owner   owner         `xml:"Owner"`
		Buckets []bucketEntry `xml:"Buckets>Bucket"`
	}{NS: namespace, Owner: owner{ID: canonicalID(account)}}
	for b := range s.buckets.List(account) {
		out.Buckets = append(out.Buckets, bucketEntry{Name: b.Name, CreationDate: b.CreatedAt.UTC().Format(time.RFC3339), Region: s.region})
	}
	writeXML(r.x, http.StatusOK, out)
	return nil
}

func putBucketPolicy(ctx context.Context, s *Service, r *request) error {
	if r.x.Caller.Principal.Account != r.found.Account {
		// Principals of other accounts cannot change who may enter, whatever the policy says. spec: iam-policy.md 11.4
		return fault.New(fault.Denied, "method", "The specified method is not allowed against this resource.")
	}
	text, err := r.document(maxDocument)
	if err != nil {
		return err
	}
	if err := s.buckets.PutPolicy(ctx, r.bucket, string(text)); err != nil {
		return err
	}
	return empty(r, http.StatusNoContent)
}

func getBucketPolicy(_ context.Context, s *Service, r *request) error {
	if r.found.Policy == nil {
		return fault.New(fault.NotFound, "policy", "The bucket policy does not exist")
	}
	r.x.Writer.Header().Set("Content-Type", "application/json")
	r.x.Writer.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(r.x.Writer, s.buckets.Policy(r.found)) // the caller is gone: nothing is left to tell
	return nil
}

func deleteBucketPolicy(ctx context.Context, s *Service, r *request) error {
	if err := s.buckets.DeletePolicy(ctx, r.bucket); err != nil {
		return err
	}
	return empty(r, http.StatusNoContent)
}

func getBucketPolicyStatus(_ context.Context, _ *Service, r *request) error {
	if r.found.Policy == nil {
		return fault.New(fault.NotFound, "policy", "The bucket policy does not exist")
	}
	writeXML(r.x, http.StatusOK, struct {
		XMLName xml.Name `xml:"PolicyStatus"`
		Public  bool     `xml:"IsPublic"`
	}{Public: r.found.Public()})
	return nil
}

func getBucketVersioning(_ context.Context, _ *Service, r *request) error {
	writeXML(r.x, http.StatusOK, struct {
		XMLName xml.Name `xml:"VersioningConfiguration"`
		NS      string   `xml:"xmlns,attr"`
	}{NS: namespace})
	return nil
}

func getOwnershipControls(_ context.Context, _ *Service, r *request) error {
	writeXML(r.x, http.StatusOK, struct {
		XMLName xml.Name `xml:"OwnershipControls"`
		NS      string   `xml:"xmlns,attr"`
		Rule    string   `xml:"Rule>ObjectOwnership"`
	}{NS: namespace, Rule: bucketOwnerEnforced})
	return nil
}

// getACL answers what is always true: the bucket's owner has full control and nobody else has any by an ACL.
func getACL(_ context.Context, _ *Service, r *request) error {
	id := canonicalID(r.found.Account)
	type grantee struct {
		XSI  string `xml:"xmlns:xsi,attr"`
		Type string `xml:"xsi:type,attr"`
		ID   string `xml:"ID"`
	}
	writeXML(r.x, http.StatusOK, struct {
		XMLName    xml.Name `xml:"AccessControlPolicy"`
		NS         string   `xml:"xmlns,attr"`
		Owner      owner    `xml:"Owner"`
		Grantee    grantee  `xml:"AccessControlList>Grant>Grantee"`
		Permission string   `xml:"AccessControlList>Grant>Permission"`
	}{
		NS: namespace, Owner: owner{ID: id},
		Grantee: grantee{XSI: "http://www.w3.org/2001/XMLSchema-instance", Type: "CanonicalUser", ID: id}, Permission: "FULL_CONTROL",
	})
	return nil
}
