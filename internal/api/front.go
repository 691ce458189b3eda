package api

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/podid/podid/internal/api/sigv4"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/fault"
)

// FrontConfig is what a front needs. Every field but Used, Plain and Strict is required.
type FrontConfig struct {
	Region     string
	Authorizer *authz.Authorizer
	Services   []Service     // by signing name; the service named "s3" gets what is unsigned and nothing else's
	Emit       func(*Record) // receives every record, once
	Now        func() time.Time
	Logger     *slog.Logger

	// Used is told of every request whose caller was proven, as soon as it is and whatever the answer will be: which service it was
	// signed for, for which region, and the operation where it has one. It must not wait for anything.
	Used func(c authz.Caller, service, action, region string, at time.Time)

	// Plain answers requests outside every AWS API and without a signature: health, OIDC discovery. A path that ends with a
	// slash stands for all below it. No bucket can have such a name's first segment, or would be masked: keep it that way.
	Plain map[string]http.Handler

	// Strict makes an error shape that the model does not list panic, so that a test finds it.
	Strict bool
}

// Front is the one listener's handler. It is deliberately not an http.ServeMux, which would redirect keys with "//" or "..".
type Front struct {
	region     string
	authorizer *authz.Authorizer
	services   map[string]Service
	plain      map[string]http.Handler
	emit       func(*Record)
	used       func(c authz.Caller, service, action, region string, at time.Time)
	now        func() time.Time
	log        *slog.Logger
	strict     bool
}

// NewFront makes the handler.
func NewFront(c FrontConfig) *Front {
	f := &Front{
		region: c.Region, authorizer: c.Authorizer, plain: c.Plain, emit: c.Emit, used: c.Used, now: c.Now, log: c.Logger, strict: c.Strict,
		services: make(map[string]Service, len(c.Services)),
	}
	for _, s := range c.Services {
		f.services[s.Name()] = s
	}
	return f
}

// leaderRegion is the region for which clients sign requests to services that have no regions.
const leaderRegion = "us-east-1"

func (f *Front) regionFits(a *sigv4.Authorization) bool {
	global := a.Service == "iam" || a.Service == "sts" || a.Service == "organizations"
	return a.Region == f.region || (a.Region == leaderRegion && global)
}

// ServeHTTP gives the request an id and a record, finds the service, and emits the record whatever happens.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := f.plainFor(r); h != nil {
		h.ServeHTTP(w, r)
		return
	}
	start := f.now()
	counted := &countingWriter{ResponseWriter: w}
	x := &Exchange{
		Request: r, Writer: counted, Now: start, front: f, answer: counted,
		Caller:  authz.Caller{Principal: arn.Principal{Kind: arn.Anonymous, ARN: "*", ID: "anonymous"}},
		Network: f.network(r, start),
		Record: &Record{
			EventVersion: "1.11", EventTime: start.UTC().Truncate(time.Millisecond), EventType: "AwsApiCall", AWSRegion: f.region,
			SourceIPAddress: addressText(sourceAddress(r)), UserAgent: bounded(r.UserAgent(), 1000),
			RequestID: uuid.NewString(), EventID: uuid.NewString(),
			UserIdentity: UserIdentity{Type: arn.Anonymous.String()},
		},
	}
	defer func() { f.finish(x, recover()) }()
	auth, err := sigv4.Parse(r)
	x.Auth = auth
	f.service(r, auth, err).Serve(r.Context(), x)
}

// finish emits the record. A panic becomes an internal failure; where the answer had begun the connection is broken off, so
// that no client takes half an answer for a whole one.
func (f *Front) finish(x *Exchange, p any) {
	abort := p == http.ErrAbortHandler //nolint:errorlint // a panic value, compared as net/http does
	if p != nil && !abort {
		ctx, id := x.Request.Context(), x.Record.RequestID
		f.log.ErrorContext(ctx, "request panicked", "request_id", id, "panic", p, "stack", string(debug.Stack()))
		x.failed(fault.New(fault.Internal, "request", "internal failure").Because(fmt.Errorf("panic: %v", p)),
			Shape{Code: "InternalFailure", Status: http.StatusInternalServerError}, "internal failure")
		if abort = x.answer.wrote; !abort {
			clear(x.Writer.Header()) // the length of the answer that was under way, for one
			x.Writer.Header().Set("X-Amzn-Requestid", id)
			x.Writer.WriteHeader(http.StatusInternalServerError)
		}
	}
	if !x.answer.wrote && p == nil {
		x.answer.status = http.StatusOK // what net/http says for a handler that says nothing
	}
	x.Record.AdditionalData.Status = x.answer.status
	x.Record.AdditionalData.BytesOut = x.answer.bytes
	x.Record.AdditionalData.Duration = float64(f.now().Sub(x.Now).Microseconds()) / 1000
	f.emit(x.Record)
	switch {
	case abort:
		panic(http.ErrAbortHandler)
	case p != nil && f.strict:
		panic(p)
	}
}

// service finds who answers: the service that the request is signed for. What is not signed, cannot be read, or is signed for
// a service that is not served here, is answered in the protocol that the request's shape suggests.
func (f *Front) service(r *http.Request, auth *sigv4.Authorization, broken error) Service {
	if auth != nil && broken == nil {
		if s, ok := f.services[auth.Service]; ok {
			return s
		}
	}
	as := f.services[f.shape(r, auth != nil || broken != nil)]
	if as == nil {
		as = &Typed{Protocol: RESTJSON{}}
		if broken == nil && auth == nil {
			broken = fault.New(fault.NotFound, "operation", "No service answers unsigned requests here")
		}
	}
	switch {
	case broken != nil:
		return refuse{refusal: broken, as: as}
	case auth == nil:
		return as
	}
	return refuse{
		refusal: fault.New(fault.NotFound, "operation", "The service %q is not served by this endpoint", bounded(auth.Service, 64)),
		as:      as,
	}
}

// shape guesses the service of a request. A broken signature may still name it. An unsigned form is for STS, whose token calls
// are made without a signature, and unsigned JSON that is posted has lost its signature on the way, as nothing of the kind is
// posted to S3. Every other unsigned request is an anonymous one for S3.
func (f *Front) shape(r *http.Request, signed bool) string {
	if signed {
		scope := r.Header.Get("Authorization") + " " + r.URL.Query().Get("X-Amz-Credential")
		for name := range f.services {
			if strings.Contains(scope, "/"+name+"/aws4_request") {
				return name
			}
		}
	}
	contentType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	contentType = strings.ToLower(strings.TrimSpace(contentType))
	switch {
	case contentType == "application/x-www-form-urlencoded" && r.Method == http.MethodPost && r.URL.Path == "/",
		r.Method == http.MethodGet && r.URL.Path == "/" && r.URL.Query().Has("Action"):
		return "sts"
	case contentType == "application/json" && (signed || r.Method == http.MethodPost && r.URL.RawQuery == ""):
		return "eks"
	case contentType == json11Type && r.Header.Get("X-Amz-Target") != "":
		return "organizations"
	}
	return "s3"
}

// Refuser is a service that can word a failure which happened before the request reached it.
type Refuser interface {
	Refuse(ctx context.Context, x *Exchange, err error)
}

// refuse answers with a failure in another service's protocol.
type refuse struct {
	refusal error
	as      Service
}

func (r refuse) Name() string { return r.as.Name() }

func (r refuse) Serve(ctx context.Context, x *Exchange) {
	if s, ok := r.as.(Refuser); ok {
		s.Refuse(ctx, x, r.refusal)
		return
	}
	x.Writer.WriteHeader(http.StatusBadRequest)
}

func (f *Front) plainFor(r *http.Request) http.Handler {
	if r.Header.Get("Authorization") != "" {
		return nil
	}
	for path, h := range f.plain {
		if r.URL.Path == path || (strings.HasSuffix(path, "/") && strings.HasPrefix(r.URL.Path, path)) {
			return h
		}
	}
	return nil
}

func (f *Front) unmodelled(ctx context.Context, op string, s Shape, cause error) {
	f.log.ErrorContext(ctx, "error shape outside the model", "operation", op, "code", s.Code, "error", cause)
	if f.strict {
		panic(fmt.Sprintf("%s answered with %s, which its model does not list: %v", op, s.Code, cause))
	}
}

func (f *Front) network(r *http.Request, now time.Time) authz.Network {
	return authz.Network{
		SourceIP: sourceAddress(r), UserAgent: bounded(r.UserAgent(), 1000), Referer: bounded(r.Referer(), 1000),
		Secure: r.TLS != nil, Region: f.region, Time: now,
	}
}

// sourceAddress is the address of the connection's other end. Forwarding headers are not believed: anyone can send them.
func sourceAddress(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("") // a zone names an interface of this machine, and no policy
}

func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return "" // a connection without addresses
	}
	return a.String()
}

// bounded cuts what a stranger wrote to a length that a text for people can bear.
func bounded(s string, limit int) string {
	if len(s) > limit {
		return s[:limit]
	}
	return s
}

// countingWriter remembers what was answered.
type countingWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
	wrote  bool
}

func (w *countingWriter) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *countingWriter) Write(b []byte) (int, error) {
	if !w.wrote {
		w.status, w.wrote = http.StatusOK, true
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
