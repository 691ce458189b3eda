// Package apitest is the control plane that the tests of one service run in: the store, IAM and the keys of sessions are the real
// ones, and a front serves the service to the SDKs of AWS.
package apitest

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/organization"
	"github.com/podid/podid/internal/store"
	"github.com/podid/podid/internal/store/storetest"
)

// Plane is a control plane without services, until [Plane.Serve]. It has no accounts.
type Plane struct {
	DB            *store.DB
	IAM           *iam.Directory
	Organizations *organization.Directory
	Ring          *credential.Ring
	Authorizer    *authz.Authorizer

	mu      sync.Mutex
	records []*api.Record
}

// New makes a plane whose store has the tables of more as well.
func New(t testing.TB, more ...store.Definition) *Plane {
	t.Helper()
	p := &Plane{DB: storetest.New(t, slices.Concat(iam.Schema(), organization.Schema(), credential.Schema(), more)...)}
	var err error
	if p.IAM, err = iam.New(iam.Config{DB: p.DB}); err != nil {
		t.Fatal(err)
	}
	if p.Organizations, err = organization.New(organization.Config{DB: p.DB}); err != nil {
		t.Fatal(err)
	}
	if p.Ring, err = credential.NewRing(credential.RingConfig{DB: p.DB}); err != nil {
		t.Fatal(err)
	}
	p.Authorizer, err = authz.New(authz.Config{IAM: p.IAM, Organizations: p.Organizations, Ring: p.Ring, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// clock is the real one, because the SDKs sign with it.
func clock() time.Time { return time.Now() } //nolint:forbidigo // see above

// Serve puts a strict front before services until the test ends and returns its URL. Plain may be nil, see [api.FrontConfig].
func (p *Plane) Serve(t testing.TB, region string, plain map[string]http.Handler, services ...api.Service) (url string) {
	t.Helper()
	server := httptest.NewServer(api.NewFront(api.FrontConfig{
		Region: region, Authorizer: p.Authorizer, Services: services, Plain: plain, Now: clock, Strict: true, Used: p.Authorizer.Used,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Emit: func(r *api.Record) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.records = append(p.records, r)
		},
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// Records are those of every request that was answered, the oldest first.
func (p *Plane) Records() []*api.Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.records)
}

// Last is the record of the newest request.
func (p *Plane) Last() *api.Record {
	all := p.Records()
	return all[len(all)-1]
}

// Refused ends the test unless an SDK was refused with this code and status. It returns the text, without the encoded message behind it.
func Refused(t testing.TB, err error, code string, status int) string {
	t.Helper()
	failure, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		t.Fatalf("got %v, want %s", err, code)
	}
	response, _ := errors.AsType[*awshttp.ResponseError](err)
	if failure.ErrorCode() != code || response == nil || response.HTTPStatusCode() != status {
		t.Fatalf("got  %v\nwant %s %d", err, code, status)
	}
	if response.ServiceRequestID() == "" {
		t.Error("the answer has no request id")
	}
	text, _, _ := strings.Cut(failure.ErrorMessage(), " Encoded authorization failure message: ")
	return text
}
