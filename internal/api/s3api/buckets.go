package s3api

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/objectstore"
)

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

const maxBuckets = 10000 // of one page

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
	body, err := s.document(r)
	if err != nil {
		return err
	}
	var c struct {
		XMLName  xml.Name  `xml:"CreateBucketConfiguration"`
		Location string    `xml:"LocationConstraint"`
		Place    *struct{} `xml:"Location"` // these three are of directory buckets, or tags
		Kind     *struct{} `xml:"Bucket"`
		Tags     *struct{} `xml:"Tags"`
	}
	if len(body) > 0 {
		if err := xml.Unmarshal(body, &c); err != nil {
			return malformedXML(err)
		}
	}
	if c.Place != nil || c.Kind != nil || c.Tags != nil {
		return notImplemented("a bucket of another kind, or with tags")
	}
	if c.Location != "" && c.Location != s.region {
		return fault.New(fault.Invalid, "location", "The specified location-constraint is not valid: this endpoint keeps buckets in %s", s.region)
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

// listBuckets pages by name: the continuation token is the last name of the page before.
func listBuckets(_ context.Context, s *Service, r *request) error {
	account := r.x.Caller.Principal.Account
	limit, ok := decimal(r.query.Get("max-buckets"))
	if !ok || limit < 1 || limit > maxBuckets {
		limit = maxBuckets
	}
	after, err := base64.RawURLEncoding.DecodeString(r.query.Get("continuation-token"))
	if err != nil {
		return badArgument("The continuation token provided is incorrect")
	}
	out := struct {
		XMLName xml.Name      `xml:"ListAllMyBucketsResult"`
		NS      string        `xml:"xmlns,attr"`
		Owner   owner         `xml:"Owner"`
		Buckets []bucketEntry `xml:"Buckets>Bucket"`
		Token   string        `xml:"ContinuationToken,omitempty"`
		Prefix  string        `xml:"Prefix,omitempty"`
	}{NS: namespace, Owner: owner{ID: canonicalID(account)}, Prefix: r.query.Get("prefix")}
	for b := range s.buckets.List(account) {
		if b.Name <= string(after) || !strings.HasPrefix(b.Name, out.Prefix) || r.query.Has("bucket-region") && r.query.Get("bucket-region") != s.region {
			continue
		}
		if len(out.Buckets) == limit {
			out.Token = base64.RawURLEncoding.EncodeToString([]byte(out.Buckets[limit-1].Name))
			break
		}
		out.Buckets = append(out.Buckets, bucketEntry{Name: b.Name, CreationDate: b.CreatedAt.UTC().Format(time.RFC3339), Region: s.region})
	}
	writeXML(r.x, http.StatusOK, out)
	return nil
}

// ownAccount: principals of other accounts neither see nor change who may enter, whatever the policy says.
// spec: iam-policy.md 11.4
func (r *request) ownAccount() error {
	if r.x.Caller.Principal.Account != r.found.Account {
		return fault.New(fault.Denied, "method", "The specified method is not allowed against this resource.")
	}
	return nil
}

func putBucketPolicy(ctx context.Context, s *Service, r *request) error {
	if err := r.ownAccount(); err != nil {
		return err
	}
	text, err := s.document(r)
	if err != nil {
		return err
	}
	if err := s.buckets.PutPolicy(ctx, r.bucket, string(text)); err != nil {
		return err
	}
	return empty(r, http.StatusNoContent)
}

func getBucketPolicy(_ context.Context, s *Service, r *request) error {
	if err := r.ownAccount(); err != nil {
		return err
	}
	if r.found.Policy == nil {
		return fault.New(fault.NotFound, "policy", "The bucket policy does not exist")
	}
	r.x.Writer.Header().Set("Content-Type", "application/json")
	r.x.Writer.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(r.x.Writer, s.buckets.Policy(r.found)) // the caller is gone: nothing is left to tell
	return nil
}

func deleteBucketPolicy(ctx context.Context, s *Service, r *request) error {
	if err := r.ownAccount(); err != nil {
		return err
	}
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

// getObjectACL answers for an object that is there.
func getObjectACL(ctx context.Context, s *Service, r *request) error {
	resp, err := s.store.Do(ctx, objectstore.Request{Method: http.MethodHead, Bucket: r.bucket, Key: r.key})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.Status != http.StatusOK {
		return s.conceal(r, storeError(resp))
	}
	return getACL(ctx, s, r)
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
