package authz_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

const object = "arn:aws:s3:::photos/cat"

func bucketPolicy(t *testing.T, statements ...string) *policy.Document {
	t.Helper()
	d, err := policy.Parse(policy.Bucket, doc(statements...))
	must(t, err)
	return d
}

// grantTo is a statement of a bucket policy.
func grantTo(principal, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return `{"Sid":"Share","Effect":"Allow","Principal":` + principal + `,"Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"` + condition + `}`
}

// TestAuthorize holds who is let in and, to the letter, what those are told who are not: AWS's sentence, then ours.
func TestAuthorize(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	const userARN = "arn:aws:iam::" + own + ":user/"
	none := w.user(own, "none")
	reader := w.user(own, "reader", allow("s3:GetObject", "arn:aws:s3:::photos/*"))
	banned := w.user(own, "banned", allow("s3:*", "*"), deny("s3:GetObject", "*"))
	near := w.user(own, "near", `{"Sid":"Office","Effect":"Allow","Action":"s3:GetObject","Resource":"*",`+
		`"Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"}}}`)
	_, err := w.iam.CreatePolicy(ctx, iam.ManagedPolicy{Account: own, Name: "edge"}, doc(allow("ec2:*", "*")))
	must(t, err)
	bounded := w.user(own, "bounded", allow("s3:*", "*"))
	_, err = w.iam.UpdateUser(ctx, own, "bounded", func(u *iam.User) error { u.Boundary = arn.Policy(own, "/", "edge"); return nil })
	must(t, err)
	root := w.signIn(w.key(own, "").ID, "")
	r := w.role(own, "App", trust(byService(pods), ""))
	w.grant(r, allow("s3:*", "*"))
	narrow := w.session(w.assume(r, func(q *authz.Assumption) {
		q.SessionPolicies = []string{doc(allow("s3:GetObject", "arn:aws:s3:::music/*"))}
	}))
	anonymous := authz.Caller{Principal: arn.Principal{Kind: arn.Anonymous, ARN: "*"}}
	secret := bucketPolicy(t, grantTo(`"*"`, `{"StringEquals":{"aws:Referer":"s3cret"}}`))
	shut := bucketPolicy(t, `{"Sid":"Shut","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::photos/*"}`)

	sentence := func(who, why string) string {
		return "User: " + who + " is not authorized to perform: s3:GetObject on resource: " + object + " " + why
	}
	const nobody = "because no identity-based policy allows the s3:GetObject action "
	const noGrant = "because no resource-based policy allows the s3:GetObject action "
	const foreign = "(refused by the account that owns the resource: its resource policy does not let this caller in)"
	tests := []struct {
		name   string
		caller authz.Caller
		owner  string
		policy *policy.Document
		want   string // empty: allowed
	}{
		{"identity", reader, own, nil, ""},
		{"root", root, own, nil, ""},
		{"nothing attached", none, own, nil, sentence(userARN+"none", nobody+"(refused by the caller's identity policies)")},
		{"near miss", near, own, nil, sentence(userARN+"near", nobody+"(refused by the caller's identity policies: statement 1 (Office) of inline "+
			`allows it but for its condition StringEquals aws:PrincipalTag/team: the request has no such key, the policy asks for "red")`)},
		{"deny", banned, own, nil, sentence(userARN+"banned", "with an explicit deny in an identity-based policy "+
			"(refused by the caller's identity policies: statement 2 (No) of inline denies it)")},
		{"boundary", bounded, own, nil, sentence(userARN+"bounded", "because no permissions boundary allows the s3:GetObject action "+
			"(refused by the caller's permissions boundary)")},
		{"session policy", narrow, own, nil, sentence("arn:aws:sts::"+own+":assumed-role/App/eks-1",
			"because no session policy allows the s3:GetObject action (refused by the session policy: statement 1 (Yes) allows it but for its "+
				`Resource: the request has "arn:aws:s3:::photos/cat", the policy "arn:aws:s3:::music/*")`)},
		{"direct grant", none, own, bucketPolicy(t, grantTo(`{"AWS":"`+userARN+`none"}`, "")), ""},
		{
			"grant to the account", none, own, bucketPolicy(t, grantTo(`{"AWS":"`+own+`"}`, "")),
			sentence(userARN+"none", nobody+"(refused by the caller's identity policies)"),
		},
		{"own bucket policy denies", reader, own, shut, sentence(userARN+"reader", "with an explicit deny in a resource-based policy "+
			"(refused by the resource policy: statement 1 (Shut) denies it)")},
		{"foreign, silent", reader, other, nil, sentence(userARN+"reader", noGrant+foreign)},
		{"foreign, condition", reader, other, secret, sentence(userARN+"reader", noGrant+foreign)},
		{"foreign, deny", reader, other, shut, sentence(userARN+"reader", "with an explicit deny in a resource-based policy "+foreign)},
		{"foreign, granted", reader, other, bucketPolicy(t, grantTo(`{"AWS":"`+own+`"}`, "")), ""},
		{
			"foreign, granted to one without permission", none, other, bucketPolicy(t, grantTo(`{"AWS":"`+userARN+`none"}`, "")),
			sentence(userARN+"none", nobody+"(refused by the caller's identity policies)"),
		},
		{"anonymous", anonymous, own, bucketPolicy(t, grantTo(`"*"`, "")), ""},
		{"anonymous hears nothing of a condition", anonymous, own, secret, sentence("anonymous", noGrant+"(refused by the resource policy)")},
		{
			"anonymous hears nothing of a deny", anonymous, own, shut,
			sentence("anonymous", "with an explicit deny in a resource-based policy (refused by the resource policy)"),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := w.authz.Authorize(tt.caller, w.network(), authz.Question{
				Action: "s3:GetObject", Resource: object, ResourceAccount: tt.owner, ResourcePolicy: tt.policy,
			})
			if tt.want == "" {
				must(t, err)
				return
			}
			if got := is(t, err, fault.Denied, "action"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if _, ok := authz.DenialOf(err); !ok {
				t.Error("the refusal has no trace")
			}
		})
	}
}

// TestMissingPoliciesDeny holds that what cannot be found narrows: with the user that had it, a boundary cannot be escaped.
func TestMissingPoliciesDeny(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	gone := w.user(own, "gone", allow("s3:*", "*"))
	question := authz.Question{
		Action: "s3:GetObject", Resource: object, ResourceAccount: own,
		ResourcePolicy: bucketPolicy(t, grantTo(`{"AWS":"`+gone.Principal.ARN+`"}`, "")),
	}
	must(t, w.authz.Authorize(gone, w.network(), question))
	must(t, w.iam.DeleteUserPolicy(ctx, own, "gone", "inline"))
	must(t, w.iam.DeleteAccessKey(ctx, own, "gone", gone.AccessKeyID))
	must(t, w.iam.DeleteUser(ctx, own, "gone"))
	is(t, w.authz.Authorize(gone, w.network(), question), fault.Denied, "action")

	r := w.role(own, "App", trust(byService(pods), ""))
	w.grant(r, allow("*", "*"))
	session := w.session(w.assume(r, nil))
	must(t, w.authz.Authorize(session, w.network(), authz.Question{Action: "s3:GetObject", Resource: object}))
	session.Session.SessionPolicies = []string{"{"}
	is(t, w.authz.Authorize(session, w.network(), authz.Question{Action: "s3:GetObject", Resource: object}), fault.Denied, "action")
	session.Session = nil
	is(t, w.authz.Authorize(session, w.network(), authz.Question{Action: "s3:GetObject", Resource: object}), fault.Denied, "action")
}

// TestKeysOfAQuestion holds the keys that depend on what the question leaves out.
func TestKeysOfAQuestion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.user(own, "ada", `{"Effect":"Allow","Action":"iam:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceAccount":"`+own+`",`+
		`"aws:PrincipalArn":"arn:aws:iam::`+own+`:user/ada","aws:username":"ada","aws:ResourceTag/k":"v","iam:PolicyARN":"p"},`+
		`"Bool":{"aws:SecureTransport":"false"},"Null":{"aws:TokenIssueTime":"true","aws:referer":"true"}}}`)
	must(t, w.authz.Authorize(c, w.network(), authz.Question{
		Action: "iam:ListRoles", ResourceTags: map[string]string{"k": "v"}, Keys: func(k *policy.Context) { k.Set("iam:PolicyARN", "p") },
	}))
}

// TestTracesKeepTheirValues holds that what a trace quotes is not overwritten by the requests that follow.
func TestTracesKeepTheirValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.user(own, "ada", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/k":"never"}}}`)
	var g sync.WaitGroup
	for i := range 8 {
		g.Go(func() {
			for j := range 20 {
				value := fmt.Sprintf("value-%d-%d", i, j)
				q := authz.Question{Action: "s3:GetObject", Resource: object, ResourceTags: map[string]string{"k": value}}
				trace, ok := authz.DenialOf(w.authz.Authorize(c, w.network(), q))
				_ = w.authz.Allowed(c, w.network(), authz.Question{Action: "sts:GetCallerIdentity"})
				if text, err := json.Marshal(trace); err != nil || !ok || !strings.Contains(string(text), `"request":["`+value+`"]`) {
					t.Errorf("the trace is %s, %v", text, err)
				}
			}
		})
	}
	g.Wait()
}
