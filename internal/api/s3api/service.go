package s3api

import (
	"context"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/bucket"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/objectstore"
	"github.com/podid/podid/internal/policy"
)

// Config is what the service needs; every field is required.
type Config struct {
	Region  string
	Buckets *bucket.Registry
	Store   *objectstore.Store
}

// Service is the S3 front.
type Service struct {
	region  string
	buckets *bucket.Registry
	store   *objectstore.Store
}

var (
	_ api.Service = (*Service)(nil)
	_ api.Refuser = (*Service)(nil)
)

// New makes the service.
func New(c Config) *Service { return &Service{region: c.Region, buckets: c.Buckets, store: c.Store} }

// Name is the signing name.
func (s *Service) Name() string { return "s3" }

// Serve takes one request through the phases: route, prove who asks, find the bucket, ask every permission, run.
func (s *Service) Serve(ctx context.Context, x *api.Exchange) {
	x.Record.EventSource = "s3.amazonaws.com"
	setIDs(x)
	r, err := parse(x)
	if err == nil {
		err = s.serve(ctx, r)
	}
	if err != nil {
		s.fail(x, r, err)
	}
}

// Refuse answers with a failure that happened before the request reached the service.
func (s *Service) Refuse(_ context.Context, x *api.Exchange, err error) {
	x.Record.EventSource = "s3.amazonaws.com"
	setIDs(x)
	s.fail(x, nil, err)
}

// serve authenticates before anything else is said: policies and names cannot be probed with a bad signature. An unsigned
// request goes on as an anonymous one.
func (s *Service) serve(ctx context.Context, r *request) error {
	r.note()
	if r.x.Auth != nil {
		if err := r.x.Authenticate(ctx); err != nil {
			return err
		}
	}
	if err := r.checkHeaders(); err != nil {
		return err
	}
	if err := s.find(r); err != nil {
		return err
	}
	if err := s.ask(r, r.op.asks(r)); err != nil {
		return err
	}
	return r.op.run(ctx, s, r)
}

// find looks up what the request names: the bucket, the key's fitness for the store, the source of a copy.
func (s *Service) find(r *request) error {
	if r.bucket == "" || r.op.name == "CreateBucket" {
		return nil
	}
	var err error
	if r.found, err = s.bucketOf(r.bucket, r.http.Header.Get("X-Amz-Expected-Bucket-Owner")); err != nil {
		return err
	}
	r.x.Record.RecipientAccountID = r.found.Account
	if r.key != "" {
		if err := s.store.CheckKey(r.key); err != nil {
			return err
		}
	}
	if !r.op.copies {
		return nil
	}
	name, key, err := parseSource(r.http.Header.Get("X-Amz-Copy-Source"))
	if err != nil {
		return err
	}
	from, err := s.bucketOf(name, r.http.Header.Get("X-Amz-Source-Expected-Bucket-Owner"))
	if err != nil {
		return err
	}
	if err := s.store.CheckKey(key); err != nil {
		return err
	}
	r.source = &source{bucket: from, key: key}
	return nil
}

func (s *Service) bucketOf(name, expectedOwner string) (*bucket.Bucket, error) {
	b, ok := s.buckets.Find(name)
	if !ok {
		return nil, fault.New(fault.NotFound, "bucket", "The specified bucket does not exist").With("BucketName", name)
	}
	if expectedOwner != "" && expectedOwner != b.Account {
		return nil, fault.New(fault.Denied, "bucket owner", "Access Denied: the bucket does not belong to the expected account %s", expectedOwner)
	}
	return b, nil
}

// ask puts every question; the first refusal refuses the request.
func (s *Service) ask(r *request, questions []question) error {
	for i := range questions {
		if err := s.allowed(r, &questions[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) allowed(r *request, q *question) error {
	a := authz.Question{Action: q.action, Resource: q.resource, Keys: func(k *policy.Context) {
		r.commonKeys(k)
		if q.keys != nil {
			q.keys(k)
		}
	}}
	b := q.bucket
	if b != nil {
		a.ResourceAccount = b.Account
		if b.Policy != nil {
			a.ResourcePolicy = b.Policy.As(policy.Bucket)
		}
		if b.RestrictsPublic() && r.x.Caller.Principal.Account != b.Account {
			// spec: iam-policy.md 11.4 (RestrictPublicBuckets)
			a.ResourcePolicy = nil
		}
	}
	return r.x.Authorizer().Authorize(r.x.Caller, r.x.Network, a)
}

// note puts what the request names on the record.
func (r *request) note() {
	rec := r.x.Record
	rec.EventName, rec.ReadOnly = r.op.name, r.op.readOnly
	if r.bucket == "" {
		return
	}
	rec.RequestParameters = map[string]any{"bucketName": r.bucket}
	rec.Touch("arn:aws:s3:::"+r.bucket, "", "AWS::S3::Bucket")
	if r.key != "" {
		rec.RequestParameters["key"] = r.key
		rec.Touch("arn:aws:s3:::"+r.bucket+"/"+r.key, "", "AWS::S3::Object")
	}
}

// setIDs sets the headers by which a person finds the record.
func setIDs(x *api.Exchange) {
	h := x.Writer.Header()
	h.Set("X-Amz-Request-Id", x.Record.RequestID)
	h.Set("X-Amz-Id-2", x.Record.EventID)
}

// empty answers without a body.
func empty(r *request, status int) error {
	r.x.Writer.WriteHeader(status)
	return nil
}
