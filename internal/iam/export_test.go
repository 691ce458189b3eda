package iam

import (
	"context"

	"github.com/podid/podid/internal/store"
)

// CheapPasswords makes passwords cheap, for tests that are about something else.
func (d *Directory) CheapPasswords() { d.rounds = 1000 }

// Guess takes all turns of guesses at passwords until done is called.
func (d *Directory) Guess() (done func()) {
	for range cap(d.guesses) {
		d.guesses <- struct{}{}
	}
	return func() {
		for range cap(d.guesses) {
			<-d.guesses
		}
	}
}

// CostOfNobody is the rounds that a password costs which is no user's.
func (d *Directory) CostOfNobody() int { return d.nobody().Rounds }

// Rescheme writes that a user's password was made by another scheme.
func (d *Directory) Rescheme(ctx context.Context, account, userID string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		p, _, err := loginProfiles.Read(tx, store.Key{account, userID})
		if err != nil {
			return err
		}
		p.Hash.Scheme = "rot13"
		loginProfiles.Put(tx, store.Key{account, userID}, p)
		return nil
	})
}
