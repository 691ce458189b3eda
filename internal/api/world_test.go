package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	sdkiam "github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/organization"
	"github.com/podid/podid/internal/store/storetest"
)

const (
	account = "111122223333"
	region  = "eu-central-1"
	form    = "application/x-www-form-urlencoded"
)

var now = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

// world is a front with four small services and one user who may do everything but eks:DeleteCluster.
type world struct {
	front *api.Front
	key   aws.Credentials

	mu      sync.Mutex
	records []*api.Record
}

func newWorld(t testing.TB, strict bool) *world {
	t.Helper()
	db := storetest.New(t, slices.Concat(iam.Schema(), organization.Schema(), credential.Schema())...)
	clock := func() time.Time { return now }
	directory, err := iam.New(iam.Config{DB: db, Now: clock})
	must(t, err)
	ring, err := credential.NewRing(credential.RingConfig{DB: db, Now: clock})
	must(t, err)
	orgs, err := organization.New(organization.Config{DB: db, Now: clock})
	must(t, err)
	authorizer, err := authz.New(authz.Config{IAM: directory, Organizations: orgs, Ring: ring, Now: clock})
	must(t, err)
	_, err = directory.CreateAccount(t.Context(), account, "own")
	must(t, err)
	_, err = directory.CreateUser(t.Context(), iam.User{Account: account, Name: "ada"})
	must(t, err)
	must(t, directory.PutUserPolicy(t.Context(), account, "ada", "all", `{"Version":"2012-10-17","Statement":[`+
		`{"Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"Keep","Effect":"Deny","Action":"eks:DeleteCluster","Resource":"*"}]}`))
	key, err := directory.CreateAccessKey(t.Context(), account, "ada")
	must(t, err)
	w := &world{key: aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}}
	w.front = api.NewFront(api.FrontConfig{
		Region: region, Authorizer: authorizer, Services: []api.Service{eksService(), iamService(), organizationsService(), stsService(), s3Service{}},
		Now: clock, Logger: slog.New(slog.DiscardHandler), Strict: strict, Emit: w.emit,
		Plain: map[string]http.Handler{"/healthz": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })},
	})
	return w
}

func (w *world) emit(r *api.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records = append(w.records, r)
}

// record is the one record that there must be, as it is written.
func (w *world) record(t *testing.T) (*api.Record, string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.records) != 1 {
		t.Fatalf("there are %d records", len(w.records))
	}
	var b bytes.Buffer
	api.NewRecords(&b, func(err error) { t.Error(err) }).Emit(w.records[0])
	return w.records[0], b.String()
}

// request is an unsigned request.
func request(method, target, contentType, body string) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), method, target, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

// signed signs a request as the SDK does.
func (w *world) signed(t testing.TB, service, in, method, target, contentType, body string) *http.Request {
	t.Helper()
	r := request(method, target, contentType, body)
	sum := sha256.Sum256([]byte(body))
	must(t, v4.NewSigner().SignHTTP(t.Context(), w.key, r, hex.EncodeToString(sum[:]), service, in, now))
	return r
}

func (w *world) do(r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	w.front.ServeHTTP(answer, r)
	return answer
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// brokenOutput cannot be written as JSON.
type brokenOutput struct{ Broken func() }

func eksService() *api.Typed {
	type (
		createIn  = eks.CreatePodIdentityAssociationInput
		createOut = eks.CreatePodIdentityAssociationOutput
	)
	return &api.Typed{
		SigningName: "eks", EventSource: "eks.amazonaws.com", Protocol: api.RESTJSON{},
		Faults: api.Faults{
			{Kind: fault.NotFound, Shape: api.Shape{Code: "ResourceNotFoundException", Status: http.StatusNotFound}},
			{Kind: fault.Invalid, Shape: api.Shape{Code: "InvalidParameterException", Status: http.StatusBadRequest}},
			{Kind: fault.Conflict, Shape: api.Shape{Code: "Unlisted", Status: http.StatusConflict}},
		},
		Operations: []api.AnyOperation{
			api.Op(api.Operation[createIn, createOut]{
				Name: "CreatePodIdentityAssociation", HTTP: api.HTTPOf(schemas.CreatePodIdentityAssociation), Action: "eks:CreatePodIdentityAssociation",
				Run: func(_ context.Context, _ *api.Call, in *createIn) (*createOut, error) {
					if aws.ToString(in.RoleArn) == "panic" {
						panic([]string{"uncomparable"})
					}
					return &createOut{Association: &ekstypes.PodIdentityAssociation{
						ClusterName: in.ClusterName, Namespace: in.Namespace, RoleArn: in.RoleArn, Tags: in.Tags, CreatedAt: &now,
						DisableSessionTags: in.DisableSessionTags,
					}}, nil
				},
			}),
			api.Op(api.Operation[eks.ListClustersInput, eks.ListClustersInput]{
				Name: "ListClusters", HTTP: api.HTTPOf(schemas.ListClusters), Action: "eks:ListClusters", ReadOnly: true,
				Run: func(_ context.Context, _ *api.Call, in *eks.ListClustersInput) (*eks.ListClustersInput, error) {
					return in, nil
				},
			}),
			api.Op(api.Operation[eks.UntagResourceInput, eks.UntagResourceInput]{
				Name: "UntagResource", HTTP: api.HTTPOf(schemas.UntagResource), Action: "eks:UntagResource",
				Run: func(_ context.Context, _ *api.Call, in *eks.UntagResourceInput) (*eks.UntagResourceInput, error) {
					return in, nil
				},
			}),
			api.Op(api.Operation[eks.DeleteClusterInput, eks.DeleteClusterOutput]{
				Name: "DeleteCluster", HTTP: api.HTTPOf(schemas.DeleteCluster), Action: "eks:DeleteCluster",
				Run: func(context.Context, *api.Call, *eks.DeleteClusterInput) (*eks.DeleteClusterOutput, error) {
					return nil, nil
				},
			}),
			api.Op(api.Operation[eks.DescribeClusterInput, eks.DescribeClusterOutput]{
				Name: "DescribeCluster", HTTP: api.HTTPOf(schemas.DescribeCluster), Action: "eks:DescribeCluster", ReadOnly: true,
				May: []string{"ResourceNotFoundException"},
				Run: func(_ context.Context, _ *api.Call, in *eks.DescribeClusterInput) (*eks.DescribeClusterOutput, error) {
					switch *in.Name {
					case "empty":
						return nil, nil
					case "unmodelled":
						return nil, fault.New(fault.Conflict, "cluster", "the model does not know this")
					case "broken":
						return nil, errors.New("disk 7 is on fire")
					}
					return nil, fault.New(fault.NotFound, "cluster", "No cluster found for name: %s.", *in.Name).With("clusterName", *in.Name)
				},
			}),
			api.Op(api.Operation[struct{}, brokenOutput]{
				Name: "Broken", HTTP: api.HTTP{Method: http.MethodGet, URI: "/broken"},
				Run: func(context.Context, *api.Call, *struct{}) (*brokenOutput, error) {
					return &brokenOutput{Broken: func() {}}, nil
				},
			}),
		},
	}
}

func iamService() *api.Typed {
	return &api.Typed{
		SigningName: "iam", EventSource: "iam.amazonaws.com",
		Protocol: api.Query{Namespace: "https://iam.amazonaws.com/doc/2010-05-08/", Version: "2010-05-08"},
		Operations: []api.AnyOperation{
			api.Op(api.Operation[sdkiam.CreateRoleInput, sdkiam.CreateRoleOutput]{
				Name: "CreateRole", Action: "iam:CreateRole",
				Run: func(_ context.Context, _ *api.Call, in *sdkiam.CreateRoleInput) (*sdkiam.CreateRoleOutput, error) {
					return &sdkiam.CreateRoleOutput{Role: &iamtypes.Role{
						RoleName: in.RoleName, Description: in.Description, MaxSessionDuration: in.MaxSessionDuration, Tags: in.Tags, CreateDate: &now,
					}}, nil
				},
			}),
			api.Op(api.Operation[sdkiam.DeleteRoleInput, sdkiam.DeleteRoleOutput]{
				Name: "DeleteRole", Action: "iam:DeleteRole",
				Run: func(context.Context, *api.Call, *sdkiam.DeleteRoleInput) (*sdkiam.DeleteRoleOutput, error) {
					return nil, nil
				},
			}),
			api.Op(api.Operation[sdkiam.CreateAccessKeyInput, sdkiam.CreateAccessKeyOutput]{
				Name: "CreateAccessKey", Action: "iam:CreateAccessKey",
				Run: func(context.Context, *api.Call, *sdkiam.CreateAccessKeyInput) (*sdkiam.CreateAccessKeyOutput, error) {
					return &sdkiam.CreateAccessKeyOutput{AccessKey: &iamtypes.AccessKey{
						AccessKeyId: aws.String("AKIAIOSFODNN7EXAMPLE"), SecretAccessKey: aws.String("made-secret"),
					}}, nil
				},
			}),
		},
	}
}

func stsService() *api.Typed {
	type in = sts.AssumeRoleWithWebIdentityInput
	type out = sts.AssumeRoleWithWebIdentityOutput
	return &api.Typed{
		SigningName: "sts", EventSource: "sts.amazonaws.com",
		Protocol: api.Query{Namespace: "https://sts.amazonaws.com/doc/2011-06-15/", Version: "2011-06-15"},
		Operations: []api.AnyOperation{
			api.Op(api.Operation[in, out]{
				Name: "AssumeRoleWithWebIdentity", Unsigned: true,
				Run: func(_ context.Context, _ *api.Call, in *in) (*out, error) {
					if aws.ToString(in.WebIdentityToken) == "" {
						return nil, fault.New(fault.Invalid, "parameter", "no token & no <role>")
					}
					return &out{Audience: in.RoleSessionName}, nil
				},
			}),
		},
	}
}

// s3Service answers with its name, what it was refused with, or in two halves around a panic.
type s3Service struct{}

func (s3Service) Name() string { return "s3" }

func (s3Service) Serve(ctx context.Context, x *api.Exchange) {
	if x.Auth != nil {
		if err := x.Authenticate(ctx); err != nil {
			s3Service{}.Refuse(ctx, x, err)
			return
		}
	}
	switch x.Request.URL.Path {
	case "/half":
		_, _ = io.WriteString(x.Writer, "half")
		panic("half")
	case "/silent":
		return
	}
	_, _ = io.WriteString(x.Writer, "s3:"+x.Caller.Principal.Kind.String())
}

func (s3Service) Refuse(_ context.Context, x *api.Exchange, err error) {
	f := fault.Of(err)
	x.Fail(f, api.Shape{Code: f.Subject}, f.Public)
	x.Writer.WriteHeader(http.StatusForbidden)
	_, _ = io.WriteString(x.Writer, "s3 refuses: "+f.Subject)
}

// jsonOf reads a JSON answer.
func jsonOf(t *testing.T, answer *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(answer.Body.Bytes(), &m); err != nil {
		t.Fatalf("%v: %s", err, answer.Body)
	}
	return m
}
