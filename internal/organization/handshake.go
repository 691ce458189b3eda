package organization

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

// The states of a handshake.
const (
	Open     = "OPEN"
	Canceled = "CANCELED"
	Accepted = "ACCEPTED"
	Declined = "DECLINED"
	Expired  = "EXPIRED"
)

// An invitation is open for fifteen days, and can be asked for thirty days after its end.
const (
	openHandshakes = 15 * 24 * time.Hour
	keepHandshakes = 30 * 24 * time.Hour
)

// maxHandshakes bounds the invitations of one organization that are kept, so that inviting and taking back for ever fills nothing.
const maxHandshakes = 1000

// Handshake is an invitation of an account to an organization.
type Handshake struct {
	ID             string            `json:"id"` // h-...
	Organization   string            `json:"organization"`
	Management     string            `json:"management"`
	ManagementName string            `json:"managementName"`
	Account        string            `json:"account"` // who is invited
	Notes          string            `json:"notes,omitempty"`
	Tags           map[string]string `json:"tags,omitempty"` // what the account is tagged with when it accepts
	State          string            `json:"state"`          // as it was written; see StateAt
	RequestedAt    time.Time         `json:"requestedAt"`
	ExpiresAt      time.Time         `json:"expiresAt"`
}

// ARN names the handshake.
func (h *Handshake) ARN() string { return arn.Invitation(h.Management, h.Organization, h.ID) }

// State is the state of a handshake now: time alone ends an open one.
func (d *Directory) State(h *Handshake) string {
	if h.State == Open && !d.now().Before(h.ExpiresAt) {
		return Expired
	}
	return h.State
}

func noHandshake() error {
	return fault.New(fault.NotFound, "handshake", "We can't find a handshake with the HandshakeId that you specified.")
}

// FindHandshake looks a handshake up for one of its two parties.
func (d *Directory) FindHandshake(account, id string) (*Handshake, error) {
	h, ok := handshakes.Get(d.db.Snapshot(), store.Key{id})
	if !ok || h.Account != account && h.Management != account {
		return nil, noHandshake()
	}
	return h, nil
}

// Handshakes yields the handshakes that a condition holds for, in the order of ids.
func (d *Directory) Handshakes(keep func(*Handshake) bool) iter.Seq[*Handshake] {
	return func(yield func(*Handshake) bool) {
		for _, h := range handshakes.All(d.db.Snapshot(), nil) {
			if keep(h) && !yield(h) {
				return
			}
		}
	}
}

// Invite invites an account, which must accept before it is a member: joining puts it under policies that others write.
func (d *Directory) Invite(ctx context.Context, account, target, notes string, tags map[string]string) (*Handshake, error) {
	if err := checkLength("Notes", notes, 0, maxNotes); err != nil {
		return nil, err
	}
	if err := checkTags(tags); err != nil {
		return nil, err
	}
	if err := d.checkRate(account); err != nil {
		return nil, err
	}
	id, err := d.newID("h-", handshakeIDLength)
	if err != nil {
		return nil, err
	}
	h := &Handshake{
		ID: id, Account: target, Notes: notes, Tags: tags, State: Open, RequestedAt: d.clock(), ExpiresAt: d.clock().Add(openHandshakes),
	}
	return h, d.change(ctx, account, func(tx *store.Tx, o *Organization) error {
		if err := d.mayJoin(tx, o, target); err != nil {
			return err
		}
		before, invited, err := handshakes.Read(tx, store.Key{o.Invitations[target]})
		if err != nil {
			return err
		}
		if invited && d.State(before) == Open {
			return fault.New(fault.Exists, "handshake", "A handshake with the same action and target already exists.")
		}
		if o.Invitations == nil {
			o.Invitations = map[string]string{}
		}
		o.Invitations[target] = id
		h.Organization, h.Management, h.ManagementName = o.ID, o.Management, o.Accounts[o.Management].Name
		handshakes.PutTTL(tx, store.Key{id}, h, openHandshakes+keepHandshakes)
		return nil
	})
}

// checkRate fails when an organization has invited too often of late. It is counted in the snapshot and may be passed by as many
// invitations as are made at the same instant.
func (d *Directory) checkRate(account string) error {
	n := 0
	for range d.Handshakes(func(h *Handshake) bool { return h.Management == account }) {
		n++
	}
	if n >= maxHandshakes {
		return violates("HANDSHAKE_RATE_LIMIT_EXCEEDED", "You have exceeded the number of invitations that you can send. Try again later.")
	}
	return nil
}

// mayJoin fails when an account is in an organization already, or when this one has no place for it.
func (d *Directory) mayJoin(tx *store.Tx, o *Organization, account string) error {
	err := free(tx, account)
	switch {
	case errors.Is(err, fault.Exists):
		return violates("ALREADY_IN_AN_ORGANIZATION", "The account is already a member of an organization.")
	case err != nil:
		return err
	case d.full(o):
		return violates("ACCOUNT_NUMBER_LIMIT_EXCEEDED", "You have exceeded the allowed number of AWS accounts.")
	}
	return nil
}

// violates is a rule about handshakes that is broken, with AWS's word for which one.
func violates(reason, text string) error {
	return fault.New(fault.Limit, "handshake", "%s", text).With("Reason", reason)
}

// Accept makes the invited account a member. Account is the one that accepts, name what it is called.
func (d *Directory) Accept(ctx context.Context, account, name, id string) (*Handshake, error) {
	return d.end(ctx, account, id, Accepted, func(tx *store.Tx, h *Handshake, o *Organization) error {
		if err := d.mayJoin(tx, o, account); err != nil {
			return err
		}
		return o.add(tx, account, Member{Name: name, Joined: d.clock(), Method: Invited}, h.Tags)
	})
}

// Decline refuses an invitation: by the invited account.
func (d *Directory) Decline(ctx context.Context, account, id string) (*Handshake, error) {
	return d.end(ctx, account, id, Declined, nil)
}

// Cancel takes an invitation back: by the management account.
func (d *Directory) Cancel(ctx context.Context, account, id string) (*Handshake, error) {
	return d.end(ctx, account, id, Canceled, nil)
}

// end brings an open handshake to its end, by the party whose end it is.
func (d *Directory) end(
	ctx context.Context, account, id, state string, f func(*store.Tx, *Handshake, *Organization) error,
) (*Handshake, error) {
	var out *Handshake
	err := d.db.Update(ctx, func(tx *store.Tx) error {
		h, ok, err := handshakes.Read(tx, store.Key{id})
		if err != nil {
			return err
		}
		party := func() string {
			if state == Canceled {
				return h.Management
			}
			return h.Account
		}
		switch {
		case !ok || account != h.Account && account != h.Management:
			return noHandshake()
		case account != party():
			return fault.New(fault.Denied, "account", "You don't have permissions to perform this operation: it is for the other party of the handshake.")
		case d.State(h) == state:
			return fault.New(fault.Exists, "handshake state", "The specified handshake is already in the requested state.")
		case d.State(h) != Open:
			return noTransition(d.State(h))
		}
		o, ok, err := organizations.Read(tx, store.Key{h.Organization})
		if err != nil {
			return err
		}
		if !ok {
			return noTransition("that of an organization that was deleted")
		}
		if f != nil {
			if err := f(tx, h, o); err != nil {
				return err
			}
		}
		delete(o.Invitations, h.Account)
		h.State, out = state, h
		handshakes.PutTTL(tx, store.Key{id}, h, keepHandshakes)
		return o.put(tx)
	})
	return out, err
}

func noTransition(state string) error {
	return fault.New(fault.Conflict, "handshake", "You can't perform the operation on the handshake in its current state, which is %s.", state)
}

// cancelInvitations is for an organization that ends.
func (d *Directory) cancelInvitations(tx *store.Tx, o *Organization) error {
	for _, target := range sortedIDs(o.Invitations) {
		id := o.Invitations[target]
		h, ok, err := handshakes.Read(tx, store.Key{id})
		if err != nil {
			return err
		}
		if ok && d.State(h) == Open {
			h.State = Canceled
			handshakes.PutTTL(tx, store.Key{id}, h, keepHandshakes)
		}
	}
	return nil
}
