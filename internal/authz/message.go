package authz

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
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

// strangerSize is what a caller of another account has of it. How much that account is told follows from what it may know alone: were it
// less where there is much to tell the owner, then that would tell it of the role.
const strangerSize = 1280

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
	at := a.now().UTC()
	seal := func(size int, views ...accountView) (string, bool) {
		m := message{At: at.Unix(), Views: map[string]json.RawMessage{}}
		for _, v := range views {
			v.doc.Podid.RequestID, v.doc.Podid.Time = requestID, at.Format(time.RFC3339)
			m.Views[v.account], _ = json.Marshal(v.doc) // strings and numbers always encode
		}
		text, _ := json.Marshal(m)
		return a.ring.SealMessage(text, size)
	}
	if !d.foreign() {
		return longest(func(much detail) (string, bool) { return seal(0, d.callerView(much)) })
	}
	var told []accountView
	if d.caller.Account != "" {
		longest(func(much detail) (string, bool) {
			told = []accountView{d.callerView(much)}
			return seal(strangerSize, told...)
		})
	}
	if d.Trace.ResourceAccount == "" {
		return longest(func(detail) (string, bool) { return seal(foreignSize, told...) })
	}
	return longest(func(much detail) (string, bool) {
		return seal(foreignSize, append(slices.Clip(told), d.ownerView(much))...)
	})
}

// longest is the message with the most detail that fits.
func longest(seal func(detail) (string, bool)) string {
	for much := full; much >= least; much-- {
		if sealed, ok := seal(much); ok {
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

// callerView is the refusal as the caller's account may know it: all of it, where the resource is its own.
func (d *Denial) callerView(much detail) accountView {
	if !d.foreign() {
		return accountView{d.caller.Account, d.view(&d.Trace, much, everyLayer, noKey)}
	}
	told := &d.Trace
	if d.told != nil {
		told = d.told
	}
	return accountView{d.caller.Account, d.view(told, much, callerLayer, resourceKey)}
}

// ownerView is the refusal as the account of the resource may know it.
func (d *Denial) ownerView(much detail) accountView {
	hides := callerKey
	if d.caller.Account == "" {
		hides = noKey // a service or a web identity: all that is known of it is in the request
	}
	return accountView{d.Trace.ResourceAccount, d.view(&d.Trace, much, resourceLayer, hides)}
}

// everyLayer, callerLayer and resourceLayer are whose policies an account may read.
func everyLayer(policy.Layer) bool { return true }

func callerLayer(l policy.Layer) bool {
	return l == policy.IdentityLayer || l == policy.BoundaryLayer || l == policy.SessionLayer || l == policy.SCPLayer
}

func resourceLayer(l policy.Layer) bool {
	return l == policy.ResourceLayer || l == policy.TrustLayer || l == policy.RCPLayer
}
