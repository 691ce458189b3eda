package authz_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/organization"
	"github.com/podid/podid/internal/policy"
)

// decoded is what tests read of a decoded message.
type decoded struct {
	Allowed           bool `json:"allowed"`
	ExplicitDeny      bool `json:"explicitDeny"`
	MatchedStatements struct {
		Items []struct{ StatementID, Effect, Policy string } `json:"items"`
	} `json:"matchedStatements"`
	Context struct {
		Principal  struct{ ID, ARN string } `json:"principal"`
		Action     string                   `json:"action"`
		Resource   string                   `json:"resource"`
		Conditions struct {
			Items []struct {
				Key    string `json:"key"`
				Values struct{ Items []struct{ Value string } }
			} `json:"items"`
		} `json:"conditions"`
	} `json:"context"`
	Podid struct {
		RequestID, Layer, Reason, Note string
		Layers                         []struct{ Layer, Result string }
	} `json:"podid"`
}

// condition is the value of a key.
func (d *decoded) condition(key string) string {
	for _, c := range d.Context.Conditions.Items {
		if c.Key == key {
			return c.Values.Items[0].Value
		}
	}
	return ""
}

func (d *decoded) layers() string {
	list := make([]string, 0, len(d.Podid.Layers))
	for _, l := range d.Podid.Layers {
		list = append(list, l.Layer+" "+l.Result)
	}
	return strings.Join(list, ", ")
}

// encode is the encoded message of a refusal.
func (w *world) encode(err error) string {
	w.t.Helper()
	if _, ok := errors.AsType[*fault.Error](err); !ok {
		w.t.Fatalf("%v is no refusal", err)
	}
	return w.authz.Encode(fault.Of(err), "request-1")
}

// decode reads a message in an account; the text is what it read.
func (w *world) decode(account, message string) (decoded, string) {
	w.t.Helper()
	text, err := w.authz.Decode(w.t.Context(), account, message)
	must(w.t, err)
	var d decoded
	must(w.t, json.Unmarshal([]byte(text), &d))
	return d, text
}

func (w *world) ready() {
	w.t.Helper()
	w.session(w.assume(w.role(own, "FirstKeyOfTheRing", trust(byService(pods), "")), nil))
}

func TestMessageOfARefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ready()
	near := w.user(own, "near", `{"Sid":"Office","Effect":"Allow","Action":"s3:GetObject","Resource":"*",`+
		`"Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"}}}`)
	message := w.encode(w.asks(near, "s3:GetObject", object))
	d, text := w.decode(own, message)
	if d.Allowed || d.ExplicitDeny || d.Context.Action != "s3:GetObject" || d.Context.Resource != object ||
		d.Context.Principal.ARN != near.Principal.ARN || d.Context.Principal.ID != near.Principal.ID || d.Podid.RequestID != "request-1" {
		t.Errorf("the message says %+v", d)
	}
	if v := d.condition("aws:username"); v != "near" {
		t.Errorf("the conditions are %+v", d.Context.Conditions)
	}
	if d.layers() != "identity implicitDeny" || !strings.Contains(text, `"nearMisses":[{"layer":"identity","document":"inline","effect":"Allow","sid":"Office"`) {
		t.Errorf("the message says %s", text)
	}

	banned := w.user(own, "banned", allow("s3:*", "*"), deny("s3:GetObject", "*"))
	d, _ = w.decode(own, w.encode(w.asks(banned, "s3:GetObject", object)))
	if m := d.MatchedStatements.Items; !d.ExplicitDeny || len(m) != 1 || m[0].StatementID != "No" || m[0].Effect != "DENY" || m[0].Policy != "inline" {
		t.Errorf("the message says %+v", d)
	}

	refused := func(why, account, message string) {
		t.Helper()
		_, err := w.authz.Decode(t.Context(), account, message)
		if text := is(t, err, fault.Invalid, "authorization message"); text != "Message is not valid" {
			t.Errorf("%s: %s", why, text)
		}
	}
	refused("another account", other, message)
	refused("no account", "", message)
	refused("forged", own, message[:len(message)-8]+"AAAAAAAA")
	refused("nothing", own, "")
	w.advance(24 * time.Hour)
	w.decode(own, message)
	w.advance(time.Second)
	refused("outdated", own, message)

	anonymous := authz.Caller{Principal: arn.Principal{Kind: arn.Anonymous, ARN: "*"}}
	if got := w.encode(w.authz.Authorize(anonymous, w.network(), authz.Question{Action: "s3:GetObject", Resource: object, ResourceAccount: own})); got != "" {
		t.Error("an anonymous caller gets a message")
	}
	if got := w.encode(fault.New(fault.Denied, "role", "Roles may not be assumed by root accounts.")); got != "" {
		t.Error("a refusal that no policy caused has a message")
	}
}

// TestMessageBetweenAccounts holds that each side reads its own: never the content of another account's policies, nor the tags of its
// principals and resources.
func TestMessageBetweenAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ready()
	caller := w.user(own, "ada", `{"Sid":"MineOnly","Effect":"Allow","Action":"s3:GetObject","Resource":"*",`+
		`"Condition":{"StringEquals":{"aws:ResourceTag/secret":"guess","aws:PrincipalTag/rank":"own-condition"}}}`)
	_, err := w.iam.UpdateUser(t.Context(), own, "ada", func(u *iam.User) error { u.Tags = map[string]string{"rank": "callers-tag"}; return nil })
	must(t, err)
	caller = w.signIn(caller.AccessKeyID, "")
	bucket := bucketPolicy(t, `{"Sid":"Share","Effect":"Allow","Principal":{"AWS":"`+own+`"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}`,
		`{"Sid":"TheirsOnly","Effect":"Allow","Principal":{"AWS":"`+own+`"},"Action":"s3:*","Resource":"arn:aws:s3:::photos/*",`+
			`"Condition":{"StringEquals":{"aws:PrincipalTag/rank":"their-condition"}}}`)
	message := w.encode(w.authz.Authorize(caller, w.network(), authz.Question{
		Action: "s3:GetObject", Resource: object, ResourceAccount: other, ResourcePolicy: bucket, ResourceTags: map[string]string{"secret": "resources-tag"},
	}))

	mine, text := w.decode(own, message)
	if mine.layers() != "identity implicitDeny" || mine.Podid.Layer != "identity" || !strings.Contains(text, "MineOnly") {
		t.Errorf("the caller's account reads %s", text)
	}
	if v := mine.condition("aws:PrincipalTag/rank"); v != "callers-tag" {
		t.Errorf("the caller's account reads %s", text)
	}
	for _, secret := range []string{"TheirsOnly", "their-condition", "resources-tag", "aws:ResourceAccount"} {
		if strings.Contains(text, secret) {
			t.Errorf("the caller's account reads %s in %s", secret, text)
		}
	}
	theirs, text := w.decode(other, message)
	if theirs.layers() != "resource allow" || theirs.Podid.Layer != "other account" || !strings.Contains(text, "TheirsOnly") {
		t.Errorf("the resource's account reads %s", text)
	}
	if v := theirs.condition("aws:ResourceTag/secret"); v != "resources-tag" {
		t.Errorf("the resource's account reads %s", text)
	}
	for _, secret := range []string{"MineOnly", "own-condition", "guess", "callers-tag", "aws:username", "identity"} {
		if strings.Contains(text, secret) {
			t.Errorf("the resource's account reads %s in %s", secret, text)
		}
	}
}

// TestMessagesDoNotProbe holds that a message tells a stranger nothing of a role, not even by its length, and its owner all.
func TestMessagesDoNotProbe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ready()
	stranger := w.user(other, "able", allow("sts:*", "*"))
	bearer := authz.Caller{Principal: arn.Principal{Kind: arn.WebIdentity, ARN: arn.OIDCProvider(own, issuer)}}
	ids := make([]string, 12)
	for i := range ids {
		ids[i] = fmt.Sprintf(`"%d-%x"`, i, strings.Repeat(strconv.Itoa(i*i*7919), 8))
	}
	roles := []*iam.Role{
		w.role(own, "silent", trust(byService("ec2.amazonaws.com"), "")),
		w.role(own, "denies", trust(byAWS(other), ""), `{"Sid":"Never","Effect":"Deny","Principal":{"AWS":"*"},"Action":"sts:*"}`),
		w.role(own, "wordy1", trust(byAWS(other), `{"StringEquals":{"sts:ExternalId":[`+strings.Join(ids, ",")+`]}}`)),
		{Account: own, Path: "/", Name: "ghosts"},
		{Account: "999999999999", Path: "/", Name: "ghosts"},
	}
	w.tag(roles[0], map[string]string{"secret": "of-the-role"})
	for _, c := range []authz.Caller{stranger, bearer} {
		length, view := 0, ""
		for _, r := range roles {
			_, err := w.authz.Assume(w.assume(r, func(q *authz.Assumption) {
				if q.Caller = c; c.Principal.Kind == arn.WebIdentity {
					q.Action, q.Claims = authz.AssumeRoleWithWebIdentity, map[string][]string{issuer + ":sub": {"ci"}}
				}
			}))
			message := w.encode(err)
			if message == "" || length != 0 && len(message) != length {
				t.Errorf("the message about %s has %d characters, those before %d", r.Name, len(message), length)
			}
			length = len(message)
			if c.Principal.Account == "" {
				_, err := w.authz.Decode(t.Context(), other, message)
				is(t, err, fault.Invalid, "authorization message")
				continue
			}
			_, text := w.decode(other, message)
			if text = strings.ReplaceAll(text, r.ARN(), "ROLE"); view != "" && text != view {
				t.Errorf("of %s: %s", r.Name, cmp.Diff(view, text))
			}
			view = text
		}
	}
	about := func(r *iam.Role) (decoded, string) {
		_, err := w.authz.Assume(w.assume(r, func(q *authz.Assumption) { q.Caller = stranger }))
		return w.decode(own, w.encode(err))
	}
	if d, text := about(roles[1]); !d.ExplicitDeny || d.MatchedStatements.Items[0].StatementID != "Never" || strings.Contains(text, `"Yes"`) {
		t.Errorf("the owner reads %s", text)
	}
	if d, text := about(roles[0]); d.layers() != "trust implicitDeny" || !strings.Contains(text, "of-the-role") {
		t.Errorf("the owner reads %s", text)
	}
	if d, text := about(roles[3]); d.Podid.Note != "there is no role "+roles[3].ARN() {
		t.Errorf("the owner reads %s", text)
	}
}

// TestMessagesOfEveryLengthDoNotProbe holds that what a stranger reads does not get shorter where there is more for the owner to read: the
// stranger says how long its own part is.
func TestMessagesOfEveryLengthDoNotProbe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ready()
	var long strings.Builder
	for i := range 72 {
		fmt.Fprintf(&long, "%x", sha256.Sum256([]byte{byte(i)}))
	}
	noise := long.String()
	var wordy []string
	for i := range 4 {
		wordy = append(wordy, strings.Replace(trust(byAWS(other), `{"StringEquals":{"sts:ExternalId":["`+noise[4000+i*128:][:128]+`"]}}`),
			"Trust", fmt.Sprint("Trust", i), 1))
	}
	roles := []*iam.Role{w.role(own, "wordy", wordy...), {Account: own, Path: "/", Name: "ghost"}}
	stranger := w.user(other, "able", allow("sts:*", "*"))
	for n := 6; n < 256; n += 10 {
		var told []string
		for _, r := range roles {
			_, err := w.authz.Assume(w.assume(r, func(q *authz.Assumption) {
				q.Caller, q.Tags = stranger, map[string]string{}
				for i := range 12 {
					q.Tags[strconv.Itoa(i)] = noise[i*256:][:n]
				}
			}))
			message := w.encode(err)
			d, text := w.decode(other, message) // in which tags have no order
			told = append(told, fmt.Sprint(d.layers(), len(d.Context.Conditions.Items), strings.Contains(text, `"statements"`)))
			if d, owners := w.decode(own, message); d.Podid.Layer != "trust" {
				t.Errorf("the owner reads %s", owners)
			}
		}
		if told[0] != told[1] {
			t.Errorf("with %d characters: of a role %s, of none %s", n, told[0], told[1])
		}
	}
}

// TestMessageOfAnOrganizationsPolicy holds that members are told that such a policy refused, and nothing of it.
func TestMessageOfAnOrganizationsPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ready()
	w.orgDenies(t)
	ada := w.user(other, "ada", allow("s3:*", "*"))
	d, text := w.decode(other, w.encode(w.asks(ada, "s3:GetObject", object)))
	if d.Podid.Layer != "scp" || !d.ExplicitDeny || d.layers() != "scp explicitDeny, identity allow" || len(d.MatchedStatements.Items) != 0 ||
		strings.Contains(text, "Corporate") {
		t.Errorf("the member reads %s", text)
	}
}

// TestLongMessages holds that what does not fit is left out from the end that matters least.
func TestLongMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ready()
	ada := w.user(own, "ada")
	tags := map[string]string{}
	for i := range 50 {
		tags[fmt.Sprintf("key-%d-%s", i, strings.Repeat("k", 100))] = fmt.Sprintf("%x", strings.Repeat(strconv.Itoa(i*i*7919), 20))
	}
	for _, owner := range []string{own, other} {
		message := w.encode(w.authz.Authorize(ada, w.network(), authz.Question{
			Action: "s3:PutObject", Resource: object + strings.Repeat("/é", 500), ResourceAccount: owner, ResourceTags: tags,
		}))
		d, text := w.decode(owner, message)
		if len(message) > 4096 || d.Context.Action != "s3:PutObject" || len(text) > 16<<10 {
			t.Errorf("%d characters: %s", len(message), text)
		}
	}
}

// orgDenies puts the other account into an organization whose policy forbids S3.
func (w *world) orgDenies(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	o, err := w.orgs.Create(ctx, own, "manager")
	must(t, err)
	_, err = w.orgs.EnableType(ctx, own, o.RootID, organization.SCP)
	must(t, err)
	h, err := w.orgs.Invite(ctx, own, other, "", nil)
	must(t, err)
	_, err = w.orgs.Accept(ctx, other, "member", h.ID)
	must(t, err)
	p, err := w.orgs.CreatePolicy(ctx, own, organization.Policy{
		Type: organization.SCP, Name: "Corporate",
		Content: policy.NewSource(doc(`{"Sid":"Corporate","Effect":"Deny","Action":"s3:*","Resource":"*"}`)),
	}, nil)
	must(t, err)
	must(t, w.orgs.Attach(ctx, own, p.ID, other))
}
