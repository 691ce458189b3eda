package iam

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

const (
	subjectPassword       = "password"
	subjectPasswordPolicy = "password policy"

	maxPassword = 128
)

// PasswordPolicy is what an account asks of its users' passwords.
type PasswordPolicy struct {
	MinimumLength    int  `json:"minimumLength"` // 6 to 128
	RequireSymbols   bool `json:"requireSymbols,omitempty"`
	RequireNumbers   bool `json:"requireNumbers,omitempty"`
	RequireUppercase bool `json:"requireUppercase,omitempty"`
	RequireLowercase bool `json:"requireLowercase,omitempty"`
	UsersMayChange   bool `json:"usersMayChange,omitempty"`
	MaxAgeDays       int  `json:"maxAgeDays,omitempty"`      // 0: passwords do not expire
	ReusePrevention  int  `json:"reusePrevention,omitempty"` // how many earlier passwords may not come again
	HardExpiry       bool `json:"hardExpiry,omitempty"`      // who has an expired password cannot sign in to change it
}

// The sorts of characters. spec: pod-identity.md 6.6
const (
	symbols   = "!@#$%^&*()_+-=[]{}|'"
	numbers   = "0123456789"
	uppercase = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lowercase = "abcdefghijklmnopqrstuvwxyz"
)

// The rules for a password in an account without a policy.
const (
	defaultMinimumLength = 8
	defaultSorts         = 3 // of the four sorts of characters
)

// checkPassword holds the policy, which is nil when the account has none, for a password. Its failure never tells the password.
func (p *PasswordPolicy) checkPassword(password, account, user string) error {
	length := utf8.RuneCountInString(password)
	if length == 0 || length > maxPassword || !utf8.ValidString(password) {
		return fault.New(fault.Invalid, "parameter", "1 validation error detected: Value at 'password' failed to satisfy constraint: "+
			"Member must have length between 1 and %d", maxPassword)
	}
	for _, r := range password {
		if r > 0xff || r < ' ' && r != '\t' && r != '\n' && r != '\r' {
			return fault.New(fault.Invalid, "parameter", `1 validation error detected: Value at 'password' failed to satisfy constraint: `+
				`Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u00FF]+`)
		}
	}
	if p == nil {
		return checkDefault(password, length, account, user)
	}
	required := []struct {
		on         bool
		characters string
		what       string
	}{
		{p.RequireUppercase, uppercase, "uppercase letter"},
		{p.RequireLowercase, lowercase, "lowercase letter"},
		{p.RequireNumbers, numbers, "number"},
		{p.RequireSymbols, symbols, "symbol"},
	}
	if length < p.MinimumLength {
		return violates("Password should have a minimum length of %d", p.MinimumLength)
	}
	for _, r := range required {
		if r.on && !strings.ContainsAny(password, r.characters) {
			return violates("Password should have at least one %s", r.what)
		}
	}
	return nil
}

func checkDefault(password string, length int, account, user string) error {
	if length < defaultMinimumLength {
		return violates("Password should have a minimum length of %d", defaultMinimumLength)
	}
	sorts := 0
	for _, characters := range []string{symbols, numbers, uppercase, lowercase} {
		if strings.ContainsAny(password, characters) {
			sorts++
		}
	}
	if sorts < defaultSorts {
		return violates("Password should have at least %d of: uppercase letters, lowercase letters, numbers, symbols", defaultSorts)
	}
	if password == account || strings.EqualFold(password, user) {
		return violates("Password should not be the name of the account or of the user")
	}
	return nil
}

func violates(format string, args ...any) error {
	return fault.New(fault.Invalid, subjectPassword, format, args...)
}

// PasswordPolicy is the policy of an account. Fault.NotFound when it has none: AWS's default rules hold.
func (d *Directory) PasswordPolicy(account string) (*PasswordPolicy, error) {
	if a, ok := d.FindAccount(account); ok && a.PasswordPolicy != nil {
		return a.PasswordPolicy, nil
	}
	return nil, noPasswordPolicy(account)
}

func noPasswordPolicy(account string) error {
	return fault.New(fault.NotFound, subjectPasswordPolicy, "The Password Policy with domain name %s cannot be found.", account)
}

// SetPasswordPolicy gives an account a policy. It holds for passwords that are set from now on.
func (d *Directory) SetPasswordPolicy(ctx context.Context, account string, p PasswordPolicy) error {
	for _, number := range []struct {
		name           string
		value          int
		least, highest int
	}{
		{"minimumPasswordLength", p.MinimumLength, 6, 128},
		{"maxPasswordAge", p.MaxAgeDays, 0, 1095},
		{"passwordReusePrevention", p.ReusePrevention, 0, maxReuse},
	} {
		if number.value < number.least || number.value > number.highest {
			return member("parameter", number.name, decimal(number.value), "have value between "+decimal(number.least)+" and "+decimal(number.highest))
		}
	}
	return d.changePasswordPolicy(ctx, account, func(*PasswordPolicy) (*PasswordPolicy, error) { return &p, nil })
}

// DeletePasswordPolicy brings AWS's default rules back.
func (d *Directory) DeletePasswordPolicy(ctx context.Context, account string) error {
	return d.changePasswordPolicy(ctx, account, func(p *PasswordPolicy) (*PasswordPolicy, error) {
		if p == nil {
			return nil, fault.New(fault.NotFound, subjectPasswordPolicy, "The account policy with name PasswordPolicy cannot be found.")
		}
		return nil, nil
	})
}

func (d *Directory) changePasswordPolicy(ctx context.Context, account string, f func(*PasswordPolicy) (*PasswordPolicy, error)) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		a, err := requireAccount(tx, account)
		if err != nil {
			return err
		}
		if a.PasswordPolicy, err = f(a.PasswordPolicy); err != nil {
			return err
		}
		accounts.Put(tx, store.Key{account}, a)
		return nil
	})
}
