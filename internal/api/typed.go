package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/podid/podid/internal/fault"
)

// Protocol moves typed inputs and outputs over HTTP. The implementations are [RESTJSON], [JSON11] and [Query]; S3 has requests that
// are not of this kind and is a [Service] of its own.
type Protocol interface {
	// find routes a request to an operation and returns the values that routing found: path labels or the form.
	find(r *http.Request, body []byte, ops []AnyOperation) (*AnyOperation, url.Values, error)
	decode(r *http.Request, body []byte, found url.Values, in any) error
	encode(w http.ResponseWriter, op *AnyOperation, out any, requestID string) error
	fail(w http.ResponseWriter, s Shape, text string, members map[string]string, requestID string)
	// front is the protocol's own error rows, behind those of the service.
	front() Faults
}

// Typed is a service whose operations take and return structs: a table and nothing else.
type Typed struct {
	SigningName string // the service in the credential scope: "eks-auth"
	EventSource string // as records name it: "eks-auth.amazonaws.com"
	Protocol    Protocol
	Faults      Faults         // the service's rows; the protocol's front rows are added behind them
	Quiet       bool           // its texts are for machines: what only some may decode goes into a header
	Operations  []AnyOperation // made by [Op]
}

// maxBody bounds the body of every request but S3's: the largest legal one is an IAM call with a policy document of
// 131,072 characters, percent-encoded.
const maxBody = 1 << 20

// maxRecorded is the largest body whose parameters go on the record. CloudTrail leaves larger ones out, too.
const maxRecorded = 100 << 10

// Name is the signing name.
func (s *Typed) Name() string { return s.SigningName }

// Serve takes one request through the phases.
func (s *Typed) Serve(ctx context.Context, x *Exchange) {
	s.begin(x)
	op, out, err := s.answer(ctx, x)
	if err == nil {
		err = s.Protocol.encode(x.Writer, op, out, x.Record.RequestID)
		if err == nil {
			return
		}
		if x.Answered() {
			x.front.log.WarnContext(ctx, "answer not sent", "request_id", x.Record.RequestID, "error", err)
			return
		}
	}
	f := fault.Of(err)
	if shape := s.shape(f); op != nil && f.Kind != fault.Internal && !op.allowed(shape, s.Protocol.front()) {
		x.front.unmodelled(ctx, op.Name, shape, f)
		f = fault.New(fault.Internal, "request", "internal failure").Because(f)
	}
	s.fail(x, f, s.Quiet || op != nil && op.Unsigned)
}

// Refuse answers with a failure that happened before the request reached the service.
func (s *Typed) Refuse(_ context.Context, x *Exchange, err error) {
	s.begin(x)
	s.fail(x, fault.Of(err), s.Quiet)
}

func (s *Typed) begin(x *Exchange) {
	x.Record.EventSource = s.EventSource
	x.Writer.Header().Set("X-Amzn-Requestid", x.Record.RequestID)
}

// Where the encoded authorization message of a refusal stands: behind the text, in AWS's words, or in a header, where a member of its own
// would be none of the error's model.
const (
	encodedBefore = " Encoded authorization failure message: "
	encodedHeader = "X-Podid-Encoded-Message"
)

// fail is the one place where a failure of a typed service becomes bytes. Quiet are the texts that pods get to see: those of agents, and of
// calls that a token makes.
func (s *Typed) fail(x *Exchange, f *fault.Error, quiet bool) {
	shape, text := s.shape(f), f.Public
	if shape.Text != "" {
		text = shape.Text
	}
	x.failed(f, shape, text)
	if quiet {
		x.SendEncoded(f)
	} else if message := x.encoded(f); message != "" {
		text += encodedBefore + message
	}
	s.Protocol.fail(x.Writer, shape, text, f.Members, x.Record.RequestID)
}

func (s *Typed) shape(f *fault.Error) Shape {
	return append(slices.Clone(s.Faults), s.Protocol.front()...).Shape(f)
}

func (s *Typed) answer(ctx context.Context, x *Exchange) (*AnyOperation, any, error) {
	body, err := readBody(x.Request)
	if err != nil {
		return nil, nil, err
	}
	op, found, err := s.Protocol.find(x.Request, body, s.Operations)
	if err != nil {
		return nil, nil, err
	}
	x.Record.EventName, x.Record.ReadOnly = op.Name, op.ReadOnly
	if !op.Unsigned {
		if err := x.authenticateBody(ctx, sha256.Sum256(body)); err != nil {
			return op, nil, err
		}
		if err := x.Caller.MayCall(s.SigningName, op.Name); err != nil {
			return op, nil, err
		}
	}
	in := op.input()
	if err := s.Protocol.decode(x.Request, body, found, in); err != nil {
		return op, nil, err
	}
	if len(body) <= maxRecorded {
		x.Record.RequestParameters = recorded(in)
	}
	out, err := op.run(ctx, x.call(), in)
	if err != nil {
		return op, nil, err
	}
	if !op.ReadOnly {
		x.Record.ResponseElements = recorded(out)
	}
	return op, out, nil
}

// readBody reads at most maxBody bytes.
func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, fault.New(fault.Limit, "body", "A request has at most %d bytes", maxBody)
	}
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, fault.New(fault.Invalid, "body", "The request body could not be read").Because(err)
	}
	if n > maxBody {
		return nil, fault.New(fault.Limit, "body", "A request has at most %d bytes", maxBody)
	}
	return b.Bytes(), nil
}
