package s3api

import (
	"context"
	"sync"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/bucket"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/objectstore"
	"github.com/podid/podid/internal/policy"
)

// Config is what the service needs; every field but Hosts is required.
type Config struct {
	Region  string
	Buckets *bucket.Registry
	Store   *objectstore.Store

	// Hosts are the names that clients have for this endpoint, without ports, besides localhost. A request to a host below one
	// of them is of virtual-host style and is refused; below another name it is taken for path style, as everything else.
	Hosts []string
}

// Service is the S3 front.
type Service struct {
	region  string
	buckets *bucket.Registry
	store   *objectstore.Store
	hosts   []string
	buffers sync.Pool // *[copyBuffer]byte
}

var (
	_ api.Service = (*Service)(nil)
	_ api.Refuser = (*Service)(nil)
)

// New makes the service.
func New(c Config) *Service {
	s := &Service{
		region: c.Region, buckets: c.Buckets, store: c.Store, hosts: []string{"localhost"},
		buffers: sync.Pool{New: func() any { return new([copyBuffer]byte) }},
	}
	for _, h := range c.Hosts {
		s.hosts = append(s.hosts, hostName(h))
	}
	return s
}

// Name is the signing name.
func (s *Service) Name() string { return "s3" }

// Serve takes one request through the phases: route, prove who asks, find the bucket, ask every permission, run.
func (s *Service) Serve(ctx context.Context, x *api.Exchange) {
	x.Record.EventSource = "s3.amazonaws.com"
	setIDs(x)
	r, err := s.parse(x)
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
	if err := r.checkOwners(); err != nil {
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
	if r.found, err = s.bucketOf(r.bucket); err != nil {
		return err
	}
	r.x.Record.RecipientAccountID = r.found.Account
	for i := range r.x.Record.Resources {
		r.x.Record.Resources[i].AccountID = r.found.Account
	}
	if r.key != "" {
		if err := s.checkKey(r.key); err != nil {
			return err
		}
	}
	if !r.op.copies {
		return nil
	}
	name, key, err := parseSource(r.header.Get("X-Amz-Copy-Source"))
	if err != nil {
		return err
	}
	from, err := s.bucketOf(name)
	if err != nil {
		return err
	}
	if err := s.checkKey(key); err != nil {
		return err
	}
	r.source = &source{bucket: from, key: key}
	r.x.Record.RequestParameters["copySource"] = name + "/" + key
	r.x.Record.Touch(arn.Object(name, key), from.Account, "AWS::S3::Object")
	return nil
}

func (s *Service) bucketOf(name string) (*bucket.Bucket, error) {
	b, ok := s.buckets.Find(name)
	if !ok {
		return nil, noSuchBucket(name)
	}
	return b, nil
}

// checkKey refuses a key that is too long for S3, or that the store would change.
func (s *Service) checkKey(key string) error {
	if len(key) > maxKey {
		return fault.New(fault.Invalid, "key length", "Your key is too long.")
	}
	return s.store.CheckKey(key)
}

const maxKey = 1024 // bytes

func noSuchBucket(name string) error {
	return fault.New(fault.NotFound, "bucket", "The specified bucket does not exist").With("BucketName", name)
}

// checkOwners holds the buckets to the owners that the caller expects. Only callers who were let in learn whether they are right.
func (r *request) checkOwners() error {
	if err := checkOwner(r.found, r.header.Get("X-Amz-Expected-Bucket-Owner")); err != nil || r.source == nil {
		return err
	}
	return checkOwner(r.source.bucket, r.header.Get("X-Amz-Source-Expected-Bucket-Owner"))
}

func checkOwner(b *bucket.Bucket, expected string) error {
	if b != nil && expected != "" && expected != b.Account {
		return fault.New(fault.Denied, "bucket owner", "Access Denied: the bucket does not belong to the expected account %s", expected)
	}
	return nil
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
		r.commonKeys(k, q.bucket)
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
		if r.op.lockOut && r.x.Caller.Principal.Kind == arn.RootUser && r.x.Caller.Principal.Account == b.Account {
			// spec: iam-policy.md 11.4 (a policy that locks everybody out can still be taken back)
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
	rec.Touch(arn.Bucket(r.bucket), "", "AWS::S3::Bucket")
	if r.key != "" {
		rec.RequestParameters["key"] = r.key
		rec.Touch(arn.Object(r.bucket, r.key), "", "AWS::S3::Object")
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
