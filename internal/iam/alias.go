package iam

import (
	"context"
	"strings"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

const subjectAlias = "alias"

// accountAlias leads from an alias to its account. Aliases are unique among all accounts.
type accountAlias struct {
	Account string `json:"account"`
}

// checkAlias holds the alphabet: small letters, digits and single hyphens inside, 3 to 63, and nothing that looks like an account id.
func checkAlias(alias string) error {
	ok := len(alias) >= 3 && len(alias) <= 63 && !strings.HasPrefix(alias, "-") && !strings.HasSuffix(alias, "-") &&
		!strings.Contains(alias, "--") && arn.CheckAccount(alias) != nil
	for i := range len(alias) {
		c := alias[i]
		ok = ok && ('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-')
	}
	if !ok {
		return member(subjectAlias, "accountAlias", alias, "satisfy regular expression pattern: ^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$")
	}
	return nil
}

// AccountOfAlias finds the account that has an alias.
func (d *Directory) AccountOfAlias(alias string) (account string, ok bool) {
	a, ok := aliases.Get(d.db.Snapshot(), store.Key{alias})
	if !ok {
		return "", false
	}
	return a.Account, true
}

// SetAccountAlias gives an account its alias, in place of the one it has.
func (d *Directory) SetAccountAlias(ctx context.Context, account, alias string) error {
	if err := checkAlias(alias); err != nil {
		return err
	}
	return d.db.Update(ctx, func(tx *store.Tx) error {
		a, err := requireAccount(tx, account)
		if err != nil {
			return err
		}
		_, taken, err := aliases.Read(tx, store.Key{alias})
		if err != nil {
			return err
		}
		if taken {
			return fault.New(fault.Exists, subjectAlias, "The account alias %s already exists.", alias)
		}
		if a.Alias != "" {
			aliases.Delete(tx, store.Key{a.Alias})
		}
		a.Alias = alias
		aliases.Put(tx, store.Key{alias}, &accountAlias{Account: account})
		accounts.Put(tx, store.Key{account}, a)
		return nil
	})
}

// DeleteAccountAlias takes its alias from an account.
func (d *Directory) DeleteAccountAlias(ctx context.Context, account, alias string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		a, err := requireAccount(tx, account)
		if err != nil {
			return err
		}
		if a.Alias != alias || alias == "" {
			return fault.New(fault.NotFound, subjectAlias, "The account alias %s does not exist.", alias)
		}
		a.Alias = ""
		aliases.Delete(tx, store.Key{alias})
		accounts.Put(tx, store.Key{account}, a)
		return nil
	})
}
