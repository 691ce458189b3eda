package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/podid/podid/internal/api/sigv4"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/fault"
)

// Service answers the requests that are signed for one name.
type Service interface {
	Name() string
	Serve(context.Context, *Exchange)
}

// Exchange is one request on its way through the front. Caller is proven once Authenticate has returned nil, and anonymous
// before that.
type Exchange struct {
	Request *http.Request
	Writer  http.ResponseWriter
	Auth    *sigv4.Authorization // nil: the request is not signed
	Caller  authz.Caller
	Network authz.Network
	Record  *Record
	Now     time.Time

	front  *Front
	answer *countingWriter
	secret string
}

var errUnsigned = fault.New(fault.Unauthenticated, "request", "Missing Authentication Token")

// Authenticate proves who signed the request's head. The body's own proof is in [Exchange.Body]. An unsigned request is
// fault.Unauthenticated with subject "request"; a service that serves anonymous callers looks at Auth first.
func (x *Exchange) Authenticate(ctx context.Context) error {
	if x.Auth == nil {
		return errUnsigned
	}
	if !x.front.regionFits(x.Auth) {
		return fault.New(fault.Unauthenticated, "region", "Credential should be scoped to a valid region: this endpoint serves %q",
			x.front.region)
	}
	caller, secret, err := x.front.authorizer.Caller(ctx, x.Auth.AccessKeyID, x.Auth.SessionToken)
	if err != nil {
		x.Record.UserIdentity.AccessKeyID = x.Auth.AccessKeyID
		return err
	}
	// Who claims to sign is known now, but not proven: until Verify agrees the record may not name the caller.
	if err := x.Auth.Verify(x.Request, secret, x.Now); err != nil {
		x.Record.UserIdentity.AccessKeyID = x.Auth.AccessKeyID
		return err
	}
	x.Caller, x.secret = caller, secret
	x.Record.caller(caller)
	if used := x.front.used; used != nil {
		used(caller, x.Auth.Service, x.Record.EventName, x.Auth.Region, x.Now)
	}
	return nil
}

// authenticateBody is Authenticate for a request whose whole body has been read.
func (x *Exchange) authenticateBody(ctx context.Context, sum [sha256.Size]byte) error {
	if x.Auth == nil {
		return errUnsigned
	}
	if err := x.Auth.SetPayloadHash(sum); err != nil {
		return err
	}
	return x.Authenticate(ctx)
}

// Body is the request's body with its decoded length in bytes, -1 if unknown. It fails on read where it is not what was
// signed. Only after Authenticate.
func (x *Exchange) Body() (io.ReadCloser, int64, error) {
	if x.Auth == nil {
		return x.Request.Body, x.Request.ContentLength, nil
	}
	b, err := x.Auth.Body(x.Request, x.secret)
	if err != nil {
		return nil, 0, err
	}
	return b, b.Length(), nil
}

// Authorizer answers the service's questions.
func (x *Exchange) Authorizer() *authz.Authorizer { return x.front.authorizer }

// Answered reports whether the answer has begun: its status can no longer be changed.
func (x *Exchange) Answered() bool { return x.answer.wrote }

// Fail notes a failure on the record; the service has chosen shape and text and writes them itself.
func (x *Exchange) Fail(f *fault.Error, s Shape, text string) { x.failed(f, s, text) }

// maxMessage bounds a text on a record, in bytes.
const maxMessage = 4096

func (x *Exchange) failed(f *fault.Error, s Shape, text string) {
	r := x.Record
	r.ErrorCode, r.ErrorMessage = s.Code, bounded(text, maxMessage)
	r.AdditionalData.FaultKind = f.Kind.Error()
	if cause := f.Cause(); cause != nil {
		if d, ok := errors.AsType[*authz.Denial](cause); ok {
			r.AdditionalData.Decision, r.AdditionalData.Cause = &d.Trace, d.Note
		} else {
			r.AdditionalData.Cause = bounded(cause.Error(), maxMessage)
		}
	}
}

// encoded is the encoded authorization message of a refusal, for whoever may decode it; empty for other failures and for callers
// that nothing was proven of.
func (x *Exchange) encoded(f *fault.Error) string {
	return x.front.authorizer.Encode(f, x.Record.RequestID)
}

// SendEncoded puts the encoded authorization message of a refusal into the answer's header, which must not have been written yet.
func (x *Exchange) SendEncoded(f *fault.Error) {
	if message := x.encoded(f); message != "" {
		x.Writer.Header().Set(encodedHeader, message)
	}
}

func (x *Exchange) call() *Call {
	return &Call{
		Caller: x.Caller, Network: x.Network, Region: x.front.region, RequestID: x.Record.RequestID, Now: x.Now,
		Record: x.Record, authorizer: x.front.authorizer,
	}
}
