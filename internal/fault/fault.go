// Package fault holds the ways to fail.
//
// One failure has three readers. The program tests its [Kind]; the caller reads Public; the operator reads the cause in the
// request record. Nothing here knows a protocol: which AWS error code a failure becomes depends on the service that was
// asked and is decided in one table per service (internal/api).
//
//	if errors.Is(err, fault.NotFound) { ... }
//	return fault.New(fault.Exists, "cluster", "Cluster already exists with name: %s", name).With("clusterName", name)
package fault

import (
	"errors"
	"fmt"
	"maps"
)

// Kind is a way to fail. It is itself an error, so that errors.Is(err, fault.NotFound) holds for every failure of the kind.
type Kind uint8

// The kinds of failure. Internal is the zero value: whatever nobody classified is our own fault.
const (
	Internal        Kind = iota // we are wrong; the caller learns nothing but the request id
	Invalid                     // the request is malformed or breaks a documented rule
	NotFound                    // the thing is not there
	Exists                      // the thing is there already
	Conflict                    // the state of things does not permit it now
	Denied                      // the caller is known and may not
	Unauthenticated             // the caller is not proven
	Expired                     // the proof was good once
	Limit                       // a quota is used up
	Throttled                   // too many requests
	Unsupported                 // we do not do this
	Unavailable                 // something we need does not answer; trying again may help
)

// Error is the kind's name, for logs and metrics.
func (k Kind) Error() string {
	switch k {
	case Internal:
		return "internal"
	case Invalid:
		return "invalid"
	case NotFound:
		return "not_found"
	case Exists:
		return "exists"
	case Conflict:
		return "conflict"
	case Denied:
		return "denied"
	case Unauthenticated:
		return "unauthenticated"
	case Expired:
		return "expired"
	case Limit:
		return "limit"
	case Throttled:
		return "throttled"
	case Unsupported:
		return "unsupported"
	case Unavailable:
		return "unavailable"
	}
	return "unknown"
}

// Error is one failure. Public may be shown to the caller, the cause never is.
type Error struct {
	Kind    Kind
	Subject string            // the noun it is about: "role", "cluster", "bucket", "token"
	Public  string            // one sentence for the caller; says what to do next where that is known
	Members map[string]string // extra members of the error's wire shape, by their model name
	cause   error
}

// New makes a failure whose public text is formatted from its arguments, all of which the caller may see.
func New(kind Kind, subject, format string, args ...any) *Error {
	return &Error{Kind: kind, Subject: subject, Public: fmt.Sprintf(format, args...)}
}

// With returns a copy that carries one more member for the wire shape.
func (e *Error) With(member, value string) *Error {
	c := *e
	c.Members = maps.Clone(e.Members)
	if c.Members == nil {
		c.Members = map[string]string{}
	}
	c.Members[member] = value
	return &c
}

// Because returns a copy with a private cause: it reaches the request record and never the caller.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// Error is the operator's text: kind, subject, public text and cause.
func (e *Error) Error() string {
	s := e.Kind.Error() + " " + e.Subject + ": " + e.Public
	if e.cause != nil {
		s += " (" + e.cause.Error() + ")"
	}
	return s
}

// Unwrap yields the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.cause}
}

// Cause is the private cause, or nil.
func (e *Error) Cause() error { return e.cause }

// Of returns the failure in err's chain. Anything else becomes Internal with a fixed text and err as its cause.
func Of(err error) *Error {
	if f, ok := errors.AsType[*Error](err); ok {
		return f
	}
	return &Error{Kind: Internal, Subject: "request", Public: "internal failure", cause: err}
}
