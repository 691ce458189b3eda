package iam_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/store/storetest"
)

// TestPasswordsTakeTurns holds that passwords keep no more than some of the processors, however many users change theirs.
func TestPasswordsTakeTurns(t *testing.T) {
	t.Parallel()
	d, ctx := directory(t), t.Context()
	d.CheapPasswords()
	user(t, d, "Ada")
	done := d.Guess()
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err := d.CreateLoginProfile(gone, account, "ada", "correct-Horse 1", false)
	is(t, err, fault.Throttled, "password", "Rate exceeded")
	is(t, d.ChangePassword(gone, account, "ada", "a", "b"), fault.Throttled, "password", "Rate exceeded")
	done()
	_, err = d.CreateLoginProfile(ctx, account, "ada", "correct-Horse 1", false)
	is(t, err, 0, "", "")
	if _, ok := d.CheckPassword(account, "ada", "correct-Horse 1"); !ok {
		t.Error("the password is wrong after the turns")
	}
}

func TestLoginProfile(t *testing.T) {
	t.Parallel()
	d, ctx := directory(t), t.Context()
	d.CheapPasswords()
	u := user(t, d, "Ada")
	const first, second = "correct-Horse 1", "Battery/Staple 2"

	for password, text := range map[string]string{
		"Short1!":    "Password should have a minimum length of 8",
		"alllowers1": "Password should have at least 3 of: uppercase letters, lowercase letters, numbers, symbols",
	} {
		_, err := d.CreateLoginProfile(ctx, account, "ada", password, false)
		is(t, err, fault.Invalid, "password", text)
	}
	for _, password := range []string{"", strings.Repeat("aA1!", 33), "aA1!aA1!\x00", "aA1!aA1!€"} {
		_, err := d.CreateLoginProfile(ctx, account, "ada", password, false)
		is(t, err, fault.Invalid, "parameter", "")
		if password != "" && strings.Contains(err.Error(), password) {
			t.Errorf("the failure tells the password: %v", err)
		}
	}
	p, err := d.CreateLoginProfile(ctx, account, "ada", first, true)
	is(t, err, 0, "", "")
	if kept, _ := json.Marshal(p); strings.Contains(string(kept), first) {
		t.Errorf("kept is %s", kept)
	}
	_, err = d.CreateLoginProfile(ctx, account, "ada", second, true)
	is(t, err, fault.Exists, "login profile", "Login Profile for user Ada already exists.")

	in, ok := d.CheckPassword(account, "ada", first)
	if !ok || in.User.ID != u.ID || !in.ResetRequired || in.Expired {
		t.Errorf("signed in as %+v, %v", in, ok)
	}
	for _, attempt := range [][3]string{{account, "ada", second}, {account, "nobody", first}, {other, "ada", first}, {account, "ada", ""}} {
		if _, ok := d.CheckPassword(attempt[0], attempt[1], attempt[2]); ok {
			t.Errorf("%q signed in", attempt)
		}
	}
	is(t, d.ChangePassword(ctx, account, "ada", second, first), fault.Denied, "password", "The old password was incorrect.")
	is(t, d.ChangePassword(ctx, account, "ada", first, second), 0, "", "")
	if in, ok := d.CheckPassword(account, "ada", second); !ok || in.ResetRequired {
		t.Errorf("after the change signed in as %+v, %v", in, ok)
	}
	is(t, d.RenameUser(ctx, account, "ada", "grace", ""), 0, "", "")
	if _, ok := d.CheckPassword(account, "grace", second); !ok {
		t.Error("the password did not follow its user")
	}
	is(t, d.DeleteUser(ctx, account, "grace"), fault.Conflict, "user", "Cannot delete entity, must delete login profile first.")
	is(t, d.DeleteLoginProfile(ctx, account, "grace"), 0, "", "")
	is(t, d.DeleteLoginProfile(ctx, account, "grace"), fault.NotFound, "login profile", "Login Profile for User grace cannot be found.")
	if _, ok := d.CheckPassword(account, "grace", second); ok {
		t.Error("a deleted password signs in")
	}
	is(t, d.DeleteUser(ctx, account, "grace"), 0, "", "")
}

// TestPasswordOfAnotherScheme holds that a password whose scheme is not known lets nobody in, although all else fits.
func TestPasswordOfAnotherScheme(t *testing.T) {
	t.Parallel()
	d, ctx := directory(t), t.Context()
	d.CheapPasswords()
	u := user(t, d, "ada")
	_, err := d.CreateLoginProfile(ctx, account, "ada", "correct-Horse 1", false)
	is(t, err, 0, "", "")
	is(t, d.Rescheme(ctx, account, u.ID), 0, "", "")
	if _, ok := d.CheckPassword(account, "ada", "correct-Horse 1"); ok {
		t.Error("ada signed in")
	}
}

// TestPasswordCost holds what a guess costs, and that it costs the same where there is nothing to guess.
func TestPasswordCost(t *testing.T) {
	t.Parallel()
	d := directory(t)
	user(t, d, "ada")
	p, err := d.CreateLoginProfile(t.Context(), account, "ada", "correct-Horse 1", false)
	is(t, err, 0, "", "")
	if kept, _ := json.Marshal(p); !strings.Contains(string(kept), `"scheme":"pbkdf2-hmac-sha256","rounds":600000,"salt":"`) {
		t.Errorf("kept is %s", kept)
	}
	if d.CostOfNobody() != 600_000 {
		t.Errorf("an unknown user costs %d rounds", d.CostOfNobody())
	}
}

func TestPasswordPolicy(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var clock atomic.Int64
	clock.Store(created.Unix())
	d, err := iam.New(iam.Config{
		DB: storetest.New(t, iam.Schema()...), Now: func() time.Time { return time.Unix(clock.Load(), 0) },
	})
	is(t, err, 0, "", "")
	d.CheapPasswords()
	_, err = d.CreateAccount(ctx, account, "a")
	is(t, err, 0, "", "")
	user(t, d, "ada")

	_, err = d.PasswordPolicy(account)
	is(t, err, fault.NotFound, "password policy", "The Password Policy with domain name 111122223333 cannot be found.")
	is(t, d.SetPasswordPolicy(ctx, account, iam.PasswordPolicy{MinimumLength: 5}), fault.Invalid, "parameter", "")
	is(t, d.SetPasswordPolicy(ctx, account, iam.PasswordPolicy{MinimumLength: 6, ReusePrevention: 25}), fault.Invalid, "parameter", "")
	is(t, d.SetPasswordPolicy(ctx, account, iam.PasswordPolicy{
		MinimumLength: 6, RequireNumbers: true, RequireSymbols: true, RequireUppercase: true, RequireLowercase: true, ReusePrevention: 1, MaxAgeDays: 1,
	}), 0, "", "")
	for password, text := range map[string]string{
		"aA1!":   "Password should have a minimum length of 6",
		"aaaa1!": "Password should have at least one uppercase letter",
		"AAAA1!": "Password should have at least one lowercase letter",
		"aaAAa!": "Password should have at least one number",
		"aaAA11": "Password should have at least one symbol",
	} {
		_, err := d.CreateLoginProfile(ctx, account, "ada", password, false)
		is(t, err, fault.Invalid, "password", text)
	}
	_, err = d.CreateLoginProfile(ctx, account, "ada", "first-A1", false)
	is(t, err, 0, "", "")
	again, next := "first-A1", "second-A1"
	is(t, d.UpdateLoginProfile(ctx, account, "ada", &again, nil), fault.Invalid, "password", "Password should not be one of the last 1 passwords")
	is(t, d.UpdateLoginProfile(ctx, account, "ada", &next, nil), 0, "", "")
	clock.Add(int64((25 * time.Hour).Seconds()))
	if in, ok := d.CheckPassword(account, "ada", next); !ok || !in.Expired {
		t.Errorf("a day later signed in as %+v, %v", in, ok)
	}
	is(t, d.SetPasswordPolicy(ctx, account, iam.PasswordPolicy{MinimumLength: 6, MaxAgeDays: 1, HardExpiry: true}), 0, "", "")
	if _, ok := d.CheckPassword(account, "ada", next); ok {
		t.Error("signed in with an expired password")
	}
	is(t, d.DeletePasswordPolicy(ctx, account), 0, "", "")
	is(t, d.DeletePasswordPolicy(ctx, account), fault.NotFound, "password policy", "")
}

func TestAlias(t *testing.T) {
	t.Parallel()
	d, ctx := directory(t), t.Context()
	_, err := d.CreateAccount(ctx, other, "other")
	is(t, err, 0, "", "")
	for _, bad := range []string{"", "ab", "-abc", "abc-", "a--b", "Abc", "111122223333", strings.Repeat("a", 64)} {
		is(t, d.SetAccountAlias(ctx, account, bad), fault.Invalid, "alias", "")
	}
	is(t, d.SetAccountAlias(ctx, account, "first"), 0, "", "")
	is(t, d.SetAccountAlias(ctx, other, "first"), fault.Exists, "alias", "The account alias first already exists.")
	is(t, d.SetAccountAlias(ctx, account, "second"), 0, "", "")
	if id, ok := d.AccountOfAlias("second"); !ok || id != account {
		t.Errorf("second is %s's", id)
	}
	if _, ok := d.AccountOfAlias("first"); ok {
		t.Error("the replaced alias still leads somewhere")
	}
	is(t, d.DeleteAccountAlias(ctx, other, "second"), fault.NotFound, "alias", "The account alias second does not exist.")
	is(t, d.DeleteAccountAlias(ctx, account, "second"), 0, "", "")
	is(t, d.SetAccountAlias(ctx, other, "second"), 0, "", "")
}
