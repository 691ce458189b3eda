package organization

import (
	"context"
	"iter"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
)

// FindAccount looks a member up.
func (o *Organization) FindAccount(id string) (*Member, error) {
	if m := o.Accounts[id]; m != nil {
		return m, nil
	}
	return nil, noAccount()
}

func noAccount() error {
	return fault.New(fault.NotFound, "account", "You specified an account that doesn't exist in this organization.")
}

// AccountIDs are the ids of all members, in order.
func (o *Organization) AccountIDs() []string { return sortedIDs(o.Accounts) }

// MoveAccount moves a member from one parent to another.
func (d *Directory) MoveAccount(ctx context.Context, account, id, source, destination string) error {
	return d.change(ctx, account, func(_ *store.Tx, o *Organization) error {
		m, err := o.FindAccount(id)
		switch {
		case err != nil:
			return err
		case !o.IsParent(source) || m.Parent != source:
			return noParent("source parent", source)
		case !o.IsParent(destination):
			return noParent("destination parent", destination)
		case source == destination:
			return fault.New(fault.Exists, "account", "That account is already present in the specified destination.")
		}
		m.Parent = destination
		return nil
	})
}

// RemoveAccount makes a member a standalone account again. No policy of the organization binds it from then on.
func (d *Directory) RemoveAccount(ctx context.Context, account, id string) error {
	return d.change(ctx, account, func(tx *store.Tx, o *Organization) error { return o.remove(tx, id) })
}

// Leave is RemoveAccount by the member itself.
func (d *Directory) Leave(ctx context.Context, account string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		o, err := read(tx, account)
		if err != nil {
			return err
		}
		if err := o.remove(tx, account); err != nil {
			return err
		}
		return o.put(tx)
	})
}

func (o *Organization) remove(tx *store.Tx, id string) error {
	if _, err := o.FindAccount(id); err != nil {
		return err
	}
	if id == o.Management {
		return fault.New(fault.Conflict, "management account", "You can't remove a management account from an organization: delete the organization instead.")
	}
	delete(o.Accounts, id)
	memberships.Delete(tx, store.Key{id})
	tagSets.Delete(tx, store.Key{o.ID, id})
	return nil
}

// add makes an account a member, in the root.
func (o *Organization) add(tx *store.Tx, id string, m Member, tags map[string]string) error {
	if err := free(tx, id); err != nil {
		return err
	}
	m.Parent, m.Attached = o.RootID, o.fullAccess()
	o.Accounts[id] = &m
	memberships.Put(tx, store.Key{id}, &membership{Organization: o.ID})
	return putTags(tx, o.ID, id, tags)
}

// full reports whether the organization may have no further account; those that are being made count.
func (d *Directory) full(o *Organization) bool {
	return len(o.Accounts)+len(o.Pending) >= d.quotas.Of(quota.AccountsPerOrganization)
}

// The states of a request for an account.
const (
	InProgress = "IN_PROGRESS"
	Succeeded  = "SUCCEEDED"
	Failed     = "FAILED"
)

// How long a request that came to an end can be asked for.
const keepRequests = 90 * 24 * time.Hour

// AccountRequest is a request for a new account, and how it came out.
type AccountRequest struct {
	ID            string            `json:"id"` // car-...
	Organization  string            `json:"organization"`
	AccountID     string            `json:"accountId"`
	AccountName   string            `json:"accountName"`
	Email         string            `json:"email"`
	RoleName      string            `json:"roleName"`
	Tags          map[string]string `json:"tags,omitempty"`
	State         string            `json:"state"`
	RequestedAt   time.Time         `json:"requestedAt"`
	CompletedAt   time.Time         `json:"completedAt,omitzero"`
	FailureReason string            `json:"failureReason,omitempty"`
}

// BeginAccount writes a request for an account down and keeps a place for it. AccountID, AccountName, Email, RoleName and Tags are
// taken. Whoever makes the account calls [Directory.FinishAccount] then; until somebody does, the request is in progress. A request
// for an e-mail address that another member has fails at once.
func (d *Directory) BeginAccount(ctx context.Context, account string, r AccountRequest) (*AccountRequest, error) {
	if err := checkEmail(r.Email); err != nil {
		return nil, err
	}
	if err := checkAccountName(r.AccountName); err != nil {
		return nil, err
	}
	if err := checkTags(r.Tags); err != nil {
		return nil, err
	}
	id, err := d.newID("car-", requestIDLength)
	if err != nil {
		return nil, err
	}
	r.ID, r.RequestedAt = id, d.clock()
	return &r, d.change(ctx, account, func(tx *store.Tx, o *Organization) error {
		if d.full(o) {
			return constraint("ACCOUNT_NUMBER_LIMIT_EXCEEDED", "You have exceeded the allowed number of AWS accounts.")
		}
		r.Organization, r.State, r.CompletedAt, r.FailureReason = o.ID, InProgress, time.Time{}, ""
		if o.hasEmail(r.Email) {
			r.State, r.CompletedAt, r.FailureReason = Failed, r.RequestedAt, "EMAIL_ALREADY_EXISTS"
			requests.PutTTL(tx, store.Key{o.ID, id}, &r, keepRequests)
			return nil
		}
		if o.Pending == nil {
			o.Pending = map[string]string{}
		}
		o.Pending[id] = r.Email
		requests.Put(tx, store.Key{o.ID, id}, &r)
		return nil
	})
}

func (o *Organization) hasEmail(email string) bool {
	for _, m := range o.Accounts {
		if m.Email == email {
			return true
		}
	}
	for _, pending := range o.Pending {
		if pending == email {
			return true
		}
	}
	return false
}

// FinishAccount ends a request that is in progress: with a new member, or, where there is a reason, with a failure. A request that
// has come to its end already is left as it is, so that several may finish it.
func (d *Directory) FinishAccount(ctx context.Context, account, id, failure string) (*AccountRequest, error) {
	var out *AccountRequest
	err := d.change(ctx, account, func(tx *store.Tx, o *Organization) error {
		r, ok, err := requests.Read(tx, store.Key{o.ID, id})
		if err != nil {
			return err
		}
		if !ok {
			return noRequest(id)
		}
		if out = r; r.State != InProgress {
			return nil
		}
		delete(o.Pending, id)
		r.State, r.CompletedAt, r.FailureReason = Succeeded, d.clock(), failure
		if failure != "" {
			r.State = Failed
		} else if err := o.add(tx, r.AccountID, Member{
			Name: r.AccountName, Email: r.Email, Joined: r.CompletedAt, Method: Created,
		}, r.Tags); err != nil {
			return err
		}
		requests.PutTTL(tx, store.Key{o.ID, id}, r, keepRequests)
		return nil
	})
	return out, err
}

func noRequest(id string) error {
	return fault.New(fault.NotFound, "create account request", "We can't find a create account request with the CreateAccountRequestId %s that you specified.", id)
}

// FindRequest looks a request for an account up.
func (d *Directory) FindRequest(o *Organization, id string) (*AccountRequest, error) {
	if r, ok := requests.Get(d.db.Snapshot(), store.Key{o.ID, id}); ok {
		return r, nil
	}
	return nil, noRequest(id)
}

// Requests yields the requests for accounts in the order of ids.
func (d *Directory) Requests(o *Organization) iter.Seq[*AccountRequest] {
	return func(yield func(*AccountRequest) bool) {
		for _, r := range requests.All(d.db.Snapshot(), store.Key{o.ID}) {
			if !yield(r) {
				return
			}
		}
	}
}
