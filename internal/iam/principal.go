package iam

import (
	"strings"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/store"
)

// uniqueID leads from a unique id to the user or role that has it.
type uniqueID struct {
	ARN string `json:"arn"`
}

// HasPrincipal tells whether an AWS principal, as a policy names it, exists here: everybody ("*"), an account by id or root ARN,
// a user, a role, a session of a role, or a user or role by unique id.
//
// spec: iam-policy.md 1.5
func (d *Directory) HasPrincipal(name string) bool {
	_, ok := principalID(snapshotReader{d.db.Snapshot()}, name)
	return ok
}

// reader finds what a principal may name.
type reader interface {
	account(id string) bool
	user(account, name string) (*User, bool)
	role(account, name string) (*Role, bool)
	id(id string) bool
}

// principalID tells whether a principal exists, and its unique id where it is a user or a role.
func principalID(known reader, name string) (id string, ok bool) {
	switch {
	case name == "*":
		return "", true
	case arn.CheckAccount(name) == nil:
		return "", known.account(name)
	case !strings.Contains(name, ":"):
		return name, known.id(name)
	}
	a, err := arn.Parse(name)
	if err != nil || a.Partition != arn.Partition || a.Region != "" || !known.account(a.Account) {
		return "", false
	}
	kind, rest, _ := strings.Cut(a.Resource, "/")
	switch a.Service + ":" + kind {
	case "iam:root":
		return "", a.Resource == "root"
	case "iam:user":
		if u, ok := known.user(a.Account, lastElement(rest)); ok && u.ARN() == name {
			return u.ID, true
		}
	case "iam:role":
		if r, ok := known.role(a.Account, lastElement(rest)); ok && r.ARN() == name {
			return r.ID, true
		}
	case "sts:assumed-role":
		role, session, _ := strings.Cut(rest, "/")
		r, ok := known.role(a.Account, role)
		return "", ok && session != "" && r.Name == role
	case "sts:federated-user":
		return "", rest != ""
	}
	return "", false
}

func lastElement(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// snapshotReader reads the newest picture.
type snapshotReader struct{ s *store.Snapshot }

func (r snapshotReader) account(id string) bool {
	_, ok := accounts.Get(r.s, store.Key{id})
	return ok
}

func (r snapshotReader) user(account, name string) (*User, bool) {
	return users.Get(r.s, named(account, name))
}

func (r snapshotReader) role(account, name string) (*Role, bool) {
	return roles.Get(r.s, named(account, name))
}

func (r snapshotReader) id(id string) bool {
	_, ok := uniqueIDs.Get(r.s, store.Key{id})
	return ok
}

// txReader reads in a transaction, so that a principal is still there when the policy that names it is written. It keeps the
// first failure.
type txReader struct {
	tx  *store.Tx
	err error
}

func (r *txReader) account(id string) bool {
	_, ok := readTx(r, accounts, store.Key{id})
	return ok
}

func (r *txReader) user(account, name string) (*User, bool) {
	return readTx(r, users, named(account, name))
}

func (r *txReader) role(account, name string) (*Role, bool) {
	return readTx(r, roles, named(account, name))
}

func (r *txReader) id(id string) bool {
	_, ok := readTx(r, uniqueIDs, store.Key{id})
	return ok
}

func readTx[T any](r *txReader, t store.Table[T], key store.Key) (*T, bool) {
	v, ok, err := t.Read(r.tx, key)
	if err != nil && r.err == nil {
		r.err = err
	}
	return v, ok && err == nil
}
