package authz

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
)

// MessageLifetime is how long an encoded authorization message can be decoded. The keys of the ring outlive it.
const MessageLifetime = 24 * time.Hour

// foreignSize is the size of every message about a resource of another account, in bytes before it is sealed: how much there is to
// say must not tell a stranger whether a role exists or how its trust policy reads.
const foreignSize = 2304

// message is what is sealed: the refusal as each account may know it.
type message struct {
	At    int64                      `json:"t"` // Unix seconds
	Views map[string]json.RawMessage `json:"v"` // by account
}

// Encode is the encoded authorization message of a refusal, which DecodeAuthorizationMessage turns into its reasons. It is empty for
// failures that no policy caused and for anonymous callers. It writes nothing and its cost is bounded: callers can make it run.
func (a *Authorizer) Encode(f *fault.Error, requestID string) string {
	d, ok := errors.AsType[*Denial](error(f))
	if !ok || f.Kind != fault.Denied || d.caller.Kind == arn.Anonymous {
		return ""
	}
	size := 0
	if d.foreign() {
		size = foreignSize
	}
	at := a.now().UTC()
	for detail := full; detail >= least; detail-- {
		m := message{At: at.Unix(), Views: map[string]json.RawMessage{}}
		for _, v := range d.views(detail) {
			v.doc.Podid.RequestID, v.doc.Podid.Time = requestID, at.Format(time.RFC3339)
			m.Views[v.account], _ = json.Marshal(v.doc) // strings and numbers always encode
		}
		text, _ := json.Marshal(m)
		if sealed, ok := a.ring.SealMessage(text, size); ok {
			return sealed
		}
	}
	return ""
}

var errNotDecodable = fault.New(fault.Invalid, "authorization message", "Message is not valid")

// Decode opens an encoded message for an account: as JSON, what the account may know of the refusal. Whatever is not a message, is too
// old, or is not the account's business fails in the same words, with fault.Invalid and subject "authorization message".
func (a *Authorizer) Decode(ctx context.Context, account, encoded string) (string, error) {
	text, err := a.ring.OpenMessage(ctx, encoded)
	if err != nil {
		return "", err
	}
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		return "", errNotDecodable.Because(err)
	}
	if a.now().Sub(time.Unix(m.At, 0)) > MessageLifetime {
		return "", errNotDecodable.Because(errors.New("the message is too old"))
	}
	view, ok := m.Views[account]
	if !ok || account == "" {
		return "", errNotDecodable.Because(errors.New("the message is about other accounts"))
	}
	return string(view), nil
}

// detail is how much a message tells. Each step down is for a refusal that is too long for the step above.
type detail int

const (
	least   detail = iota // which layer refused
	outline               // and the conditions
	full                  // and the statements that apply or nearly do
)

// foreign reports whether caller and resource are of two accounts, or the caller is of none.
func (d *Denial) foreign() bool { return d.caller.Account == "" || d.Trace.CrossAccount }

// accountView is a refusal as one account may know it.
type accountView struct {
	account string
	doc     decoded
}

// views are the refusal as the caller's account may know it and as the resource's may: one where they are the same.
func (d *Denial) views(much detail) []accountView {
	if !d.foreign() {
		return []accountView{{d.caller.Account, d.view(&d.Trace, much, everyLayer, noKey)}}
	}
	var out []accountView
	if d.caller.Account != "" {
		told := &d.Trace
		if d.told != nil {
			told = d.told
		}
		out = append(out, accountView{d.caller.Account, d.view(told, much, callerLayer, resourceKey)})
	}
	if d.Trace.ResourceAccount != "" {
		hides := callerKey
		if d.caller.Account == "" {
			hides = noKey // a service or a web identity: all that is known of it is in the request
		}
		out = append(out, accountView{d.Trace.ResourceAccount, d.view(&d.Trace, much, resourceLayer, hides)})
	}
	return out
}

// everyLayer, callerLayer and resourceLayer are whose policies an account may read.
func everyLayer(policy.Layer) bool { return true }

func callerLayer(l policy.Layer) bool {
	return l == policy.IdentityLayer || l == policy.BoundaryLayer || l == policy.SessionLayer || l == policy.SCPLayer
}

func resourceLayer(l policy.Layer) bool {
	return l == policy.ResourceLayer || l == policy.TrustLayer || l == policy.RCPLayer
}
