package iam

import (
	"context"
	"slices"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

const (
	subjectLogin = "login profile"
	maxReuse     = 24 // earlier passwords that are remembered
)

// LoginProfile is a user's password: what was made of it, never the password itself.
type LoginProfile struct {
	Hash          passwordHash   `json:"hash"`
	Earlier       []passwordHash `json:"earlier,omitempty"` // the newest first
	ResetRequired bool           `json:"resetRequired,omitempty"`
	CreatedAt     time.Time      `json:"createdAt"`
	ChangedAt     time.Time      `json:"changedAt"`
}

// LoginProfile is the login profile of a user. Fault.NotFound when the user, or the profile, is not there.
func (d *Directory) LoginProfile(account, user string) (*LoginProfile, error) {
	u, err := d.GetUser(account, user)
	if err != nil {
		return nil, err
	}
	if p, ok := loginProfiles.Get(d.db.Snapshot(), store.Key{account, u.ID}); ok {
		return p, nil
	}
	return nil, noLogin(u.Name)
}

func noLogin(user string) error {
	return fault.New(fault.NotFound, subjectLogin, "Login Profile for User %s cannot be found.", user)
}

// CreateLoginProfile gives a user a password.
func (d *Directory) CreateLoginProfile(ctx context.Context, account, user, password string, resetRequired bool) (*LoginProfile, error) {
	now := d.clock()
	var out *LoginProfile
	err := d.changeLogin(ctx, account, user, func(u *User, a *Account, p *LoginProfile) (*LoginProfile, error) {
		if p != nil {
			return nil, fault.New(fault.Exists, subjectLogin, "Login Profile for user %s already exists.", u.Name)
		}
		out = &LoginProfile{ResetRequired: resetRequired, CreatedAt: now}
		return out, d.set(out, a, u, password, now)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// UpdateLoginProfile changes what is not nil: the password, whether it must be changed at the next sign-in.
func (d *Directory) UpdateLoginProfile(ctx context.Context, account, user string, password *string, resetRequired *bool) error {
	now := d.clock()
	return d.changeLogin(ctx, account, user, func(u *User, a *Account, p *LoginProfile) (*LoginProfile, error) {
		if p == nil {
			return nil, noLogin(u.Name)
		}
		if resetRequired != nil {
			p.ResetRequired = *resetRequired
		}
		if password == nil {
			return p, nil
		}
		return p, d.set(p, a, u, *password, now)
	})
}

// ChangePassword is a user's own change, who knows the old password.
func (d *Directory) ChangePassword(ctx context.Context, account, user, from, to string) error {
	now := d.clock()
	return d.changeLogin(ctx, account, user, func(u *User, a *Account, p *LoginProfile) (*LoginProfile, error) {
		switch {
		case p == nil:
			return nil, noLogin(u.Name)
		case !p.Hash.matches(from):
			return nil, fault.New(fault.Denied, subjectPassword, "The old password was incorrect.")
		}
		p.ResetRequired = false
		return p, d.set(p, a, u, to, now)
	})
}

// DeleteLoginProfile takes the password from a user.
func (d *Directory) DeleteLoginProfile(ctx context.Context, account, user string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		u, err := readUser(tx, account, user)
		if err != nil {
			return err
		}
		key := store.Key{account, u.ID}
		_, ok, err := loginProfiles.Read(tx, key)
		if err != nil {
			return err
		}
		if !ok {
			return noLogin(u.Name)
		}
		loginProfiles.Delete(tx, key)
		return nil
	})
}

// changeLogin changes a login profile in one transaction. F gets nil when there is none. One change may compare with two dozen earlier
// passwords, so few are made at a time.
func (d *Directory) changeLogin(
	ctx context.Context, account, user string, f func(*User, *Account, *LoginProfile) (*LoginProfile, error),
) error {
	select {
	case d.guesses <- struct{}{}:
		defer func() { <-d.guesses }()
	case <-ctx.Done():
		return fault.New(fault.Throttled, subjectPassword, "Rate exceeded").Because(ctx.Err())
	}
	return d.db.Update(ctx, func(tx *store.Tx) error {
		u, err := readUser(tx, account, user)
		if err != nil {
			return err
		}
		a, err := requireAccount(tx, account)
		if err != nil {
			return err
		}
		key := store.Key{account, u.ID}
		p, ok, err := loginProfiles.Read(tx, key)
		if err != nil {
			return err
		}
		if !ok {
			p = nil
		}
		if p, err = f(u, a, p); err != nil {
			return err
		}
		loginProfiles.Put(tx, key, p)
		return nil
	})
}

// set makes a password the one in force, if the account's policy lets it.
func (d *Directory) set(p *LoginProfile, a *Account, u *User, password string, at time.Time) error {
	if err := a.PasswordPolicy.checkPassword(password, a.Name, u.Name); err != nil {
		return err
	}
	if a.PasswordPolicy != nil {
		earlier := append([]passwordHash{p.Hash}, p.Earlier...)
		for _, h := range earlier[:min(a.PasswordPolicy.ReusePrevention, len(earlier))] {
			if h.Rounds > 0 && h.matches(password) {
				return violates("Password should not be one of the last %d passwords", a.PasswordPolicy.ReusePrevention)
			}
		}
	}
	hash, err := d.hash(password)
	if err != nil {
		return err
	}
	if p.Hash.Rounds > 0 {
		p.Earlier = slices.Insert(p.Earlier, 0, p.Hash)
		p.Earlier = p.Earlier[:min(len(p.Earlier), maxReuse)]
	}
	p.Hash, p.ChangedAt = hash, at
	return nil
}

// SignIn is a user whose password was right.
type SignIn struct {
	User          *User
	ResetRequired bool // the password must be changed before anything else
	Expired       bool // the same, because of its age
}

// CheckPassword tells whether a password is a user's. It takes the same time for a wrong password, for a user without one and for
// nobody. An expired password of an account with hard expiry is wrong.
func (d *Directory) CheckPassword(account, user, password string) (SignIn, bool) {
	d.guesses <- struct{}{}
	defer func() { <-d.guesses }()
	s := d.db.Snapshot()
	hash := d.nobody()
	u, known := users.Get(s, named(account, user))
	var p *LoginProfile
	if known {
		if p, known = loginProfiles.Get(s, store.Key{account, u.ID}); known {
			hash = p.Hash
		}
	}
	right := hash.matches(password)
	if !right || !known {
		return SignIn{}, false
	}
	in := SignIn{User: u, ResetRequired: p.ResetRequired}
	if a, ok := accounts.Get(s, store.Key{account}); ok && a.PasswordPolicy != nil && a.PasswordPolicy.MaxAgeDays > 0 {
		in.Expired = d.clock().After(p.ChangedAt.AddDate(0, 0, a.PasswordPolicy.MaxAgeDays))
		if in.Expired && a.PasswordPolicy.HardExpiry {
			return SignIn{}, false
		}
	}
	return in, true
}
