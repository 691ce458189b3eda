package s3api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/api/s3api"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/bucket"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/objectstore"
	"github.com/podid/podid/internal/organization"
	"github.com/podid/podid/internal/store/storetest"
)

const (
	own    = "111122223333"
	other  = "444455556666"
	region = "eu-central-1"
)

// The embedded store exists once in a process: all tests share it, and no two use one bucket name.
var (
	folder  string
	buckets atomic.Int64
	objects = sync.OnceValue(func() *objectstore.Store {
		var err error
		if folder, err = os.MkdirTemp("", "s3api-"); err != nil {
			panic(err)
		}
		s, err := objectstore.OpenEmbedded(context.Background(), objectstore.EmbeddedConfig{Dir: folder, Now: time.Now})
		if err != nil {
			panic(err)
		}
		return s
	})
)

func TestMain(m *testing.M) {
	code := m.Run()
	if folder != "" {
		objects().Close()
		os.RemoveAll(folder)
	}
	os.Exit(code)
}

// world is two accounts, their administrators and an S3 front on a real store.
type world struct {
	t       testing.TB
	iam     *iam.Directory
	buckets *bucket.Registry
	ring    *credential.Ring
	authz   *authz.Authorizer
	server  *httptest.Server
	admin   *s3.Client // of own
	guest   *s3.Client // administrator of other

	mu      sync.Mutex
	records []*api.Record
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOn(t, httptest.NewServer)
}

func newWorldOn(t testing.TB, listen func(http.Handler) *httptest.Server) *world {
	t.Helper()
	return newWorldWith(t, listen, objects())
}

func newWorldWith(t testing.TB, listen func(http.Handler) *httptest.Server, objects *objectstore.Store) *world {
	t.Helper()
	db := storetest.New(t, slices.Concat(iam.Schema(), organization.Schema(), credential.Schema(), bucket.Schema())...)
	w := &world{t: t}
	var err error
	w.iam, err = iam.New(iam.Config{DB: db})
	must(t, err)
	w.ring, err = credential.NewRing(credential.RingConfig{DB: db})
	must(t, err)
	orgs, err := organization.New(organization.Config{DB: db})
	must(t, err)
	w.authz, err = authz.New(authz.Config{IAM: w.iam, Organizations: orgs, Ring: w.ring, Now: time.Now})
	must(t, err)
	w.buckets, err = bucket.New(bucket.Config{DB: db, Region: region, Store: objects, Principals: w.iam, Now: time.Now})
	must(t, err)
	w.server = listen(api.NewFront(api.FrontConfig{
		Region: region, Authorizer: w.authz, Now: time.Now, Strict: true,
		Services: []api.Service{s3api.New(s3api.Config{Region: region, Buckets: w.buckets, Store: objects, Hosts: []string{"podid.example"}})},
		Logger:   slog.New(slog.NewTextHandler(t.Output(), nil)),
		Emit: func(r *api.Record) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.records = append(w.records, r)
		},
	}))
	t.Cleanup(w.server.Close)
	for account, client := range map[string]**s3.Client{own: &w.admin, other: &w.guest} {
		key, err := w.iam.Bootstrap(t.Context(), account, "a"+account)
		must(t, err)
		*client = w.client(credentials.NewStaticCredentialsProvider(key.ID, key.Secret, ""))
	}
	return w
}

func (w *world) client(p aws.CredentialsProvider) *s3.Client {
	return s3.New(s3.Options{
		Region: region, BaseEndpoint: aws.String(w.server.URL), UsePathStyle: true, RetryMaxAttempts: 1, Credentials: p,
		HTTPClient: w.server.Client(),
	})
}

func (w *world) anonymous() *s3.Client { return w.client(aws.AnonymousCredentials{}) }

// user makes a user with one inline policy and returns its client.
func (w *world) user(account, name string, statements ...string) *s3.Client {
	w.t.Helper()
	ctx := w.t.Context()
	_, err := w.iam.CreateUser(ctx, iam.User{Account: account, Name: name})
	must(w.t, err)
	if len(statements) > 0 {
		must(w.t, w.iam.PutUserPolicy(ctx, account, name, "p", doc(statements...)))
	}
	key, err := w.iam.CreateAccessKey(ctx, account, name)
	must(w.t, err)
	return w.client(credentials.NewStaticCredentialsProvider(key.ID, key.Secret, ""))
}

// bucket makes a bucket of own's.
func (w *world) bucket() string {
	w.t.Helper()
	name := fmt.Sprintf("test-%d", buckets.Add(1))
	_, err := w.admin.CreateBucket(w.t.Context(), &s3.CreateBucketInput{Bucket: &name})
	must(w.t, err)
	return name
}

// policy sets a bucket's policy, with the public access block lifted.
func (w *world) policy(name string, statements ...string) {
	w.t.Helper()
	must(w.t, w.buckets.PutPublicAccessBlock(w.t.Context(), name, bucket.PublicAccessBlock{}))
	must(w.t, w.buckets.PutPolicy(w.t.Context(), name, doc(statements...)))
}

func (w *world) put(name, key, body string) {
	w.t.Helper()
	must(w.t, put(w.t.Context(), w.admin, name, key, body))
}

func (w *world) last() *api.Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.records[len(w.records)-1]
}

// raw sends an unsigned request, or with a body one of another form than the SDK's.
func (w *world) raw(method, path string, header http.Header, body io.Reader) (*http.Response, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, body)
	must(w.t, err)
	if header != nil {
		r.Header = header
	}
	if host := header.Get("Host"); host != "" {
		r.Host = host
	}
	resp, err := w.server.Client().Do(r)
	must(w.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(w.t, err)
	return resp, string(text)
}

func put(ctx context.Context, c *s3.Client, bucket, key, body string) error {
	_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(body)})
	return err
}

func get(ctx context.Context, c *s3.Client, bucket, key string) (string, error) {
	out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return "", err
	}
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	return string(b), err
}

func keys(list []types.Object) []string {
	var names []string
	for _, o := range list {
		names = append(names, *o.Key)
	}
	return names
}

func doc(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

func statement(effect, principal, action string, resources ...string) string {
	if principal != "" {
		principal = `"Principal":` + principal + `,`
	}
	return `{"Effect":"` + effect + `",` + principal + `"Action":"` + action + `","Resource":["` + strings.Join(resources, `","`) + `"]}`
}

func arnOf(name string) string { return "arn:aws:s3:::" + name }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused asserts code, status and, when it is not empty, a part of the text of an error.
func refused(t testing.TB, err error, code string, status int, text string) {
	t.Helper()
	failure, ok := errors.AsType[smithy.APIError](err)
	response, answered := errors.AsType[*awshttp.ResponseError](err)
	if !ok || !answered || failure.ErrorCode() != code || response.HTTPStatusCode() != status || !strings.Contains(failure.ErrorMessage(), text) {
		t.Fatalf("got  %v\nwant %s %d: %s", err, code, status, text)
	}
	if response.ServiceRequestID() == "" {
		t.Error("the answer has no request id")
	}
}

func typed[E error](t testing.TB, err error) {
	t.Helper()
	if _, ok := errors.AsType[E](err); !ok {
		t.Errorf("%v is not a %T", err, *new(E))
	}
}

func staticKey(k *iam.AccessKey) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(k.ID, k.Secret, "")
}
