package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/podid/podid/internal/fault"
)

// refusal is an error answer of EKS Auth.
type refusal struct {
	status                   int
	code, message, requestID string
}

// Error is the text that AWS's agent gives to the pod. spec: pod-identity.md 4.4
func (r *refusal) Error() string {
	return fmt.Sprintf("[%s]: (%s): %s, fault: %s", r.requestID, r.code, r.message, r.fault())
}

func (r *refusal) fault() string {
	switch {
	case r.status >= 500:
		return "server"
	case r.status >= 400:
		return "client"
	}
	return "unknown"
}

// final reports whether the refusal is about the pod's token or its association, so that no later attempt with this token
// can do better. The name alone does not tell: ExpiredTokenException is the pod's token with status 400, and the node's own
// credentials with status 403, as AccessDeniedException is. spec: pod-identity.md 2.5
func (r *refusal) final() bool {
	switch r.code {
	case "ExpiredTokenException", "InvalidTokenException", "AccessDeniedException":
		return r.status == http.StatusBadRequest
	case "ResourceNotFoundException":
		return r.status == http.StatusNotFound
	}
	return false
}

// final reports whether a failure ends cached credentials.
func final(err error) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && r.final()
}

func refusalOf(a *answer) *refusal {
	var body struct {
		Message string `json:"message"`
	}
	// A body that is not JSON, as proxies send, has no message.
	if json.Unmarshal(a.body, &body) != nil || body.Message == "" {
		body.Message = http.StatusText(a.status)
	}
	status := a.status
	if status < 400 || status > 599 { // a redirect is not followed: the token goes nowhere but to the endpoint
		status = http.StatusBadGateway
	}
	return &refusal{status: status, code: errorCode(a), message: oneLine(body.Message), requestID: requestID(a)}
}

// errorCode finds the name of the error's shape: in the header, or else in the body.
func errorCode(a *answer) string {
	code := a.header.Get("X-Amzn-ErrorType")
	if code == "" {
		var body struct {
			Code string `json:"code"`
			Type string `json:"__type"`
		}
		if json.Unmarshal(a.body, &body) == nil {
			code = body.Code
			if code == "" {
				code = body.Type[strings.LastIndexByte(body.Type, '#')+1:]
			}
		}
	}
	code, _, _ = strings.Cut(code, ":")
	if code == "" {
		return "UnknownError"
	}
	return oneLine(code)
}

func requestID(a *answer) string { return oneLine(a.header.Get("X-Amzn-RequestId")) }

// oneLine makes a stranger's text fit for a log and for a plain text answer.
func oneLine(s string) string {
	s = s[:min(len(s), 2<<10)]
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// statusOf is the status and text of a failure, for the pod. What was never sent or never answered is 500, as AWS's agent has it, so that
// SDKs try again.
func statusOf(err error) (int, string) {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.status, r.Error()
	}
	f := fault.Of(err)
	switch f.Kind {
	case fault.Invalid:
		return http.StatusBadRequest, f.Public
	case fault.Denied:
		return http.StatusForbidden, f.Public
	case fault.Throttled:
		return http.StatusTooManyRequests, f.Public
	case fault.Internal, fault.NotFound, fault.Exists, fault.Conflict, fault.Unauthenticated, fault.Expired, fault.Limit,
		fault.Unsupported, fault.Unavailable:
	}
	return http.StatusInternalServerError, f.Public
}
