package authz_test

import (
	"strings"
	"testing"

	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
)

// TestGroups holds that the policies of a user's groups are the user's own for as long as the user is in them.
func TestGroups(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	ada := w.user(own, "ada")
	ask := func(resource string) error {
		return w.authz.Authorize(ada, w.network(), authz.Question{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/" + resource})
	}
	for name, statement := range map[string]string{
		"readers": allow("s3:GetObject", "arn:aws:s3:::b/*"),
		"barred":  deny("s3:GetObject", "arn:aws:s3:::b/secret"),
	} {
		_, err := w.iam.CreateGroup(ctx, iam.Group{Account: own, Name: name})
		must(t, err)
		must(t, w.iam.PutGroupPolicy(ctx, own, name, "inline", doc(statement)))
	}
	is(t, ask("public"), fault.Denied, "action") // the groups are there, ada is in none

	must(t, w.iam.AddUserToGroup(ctx, own, "readers", "ada"))
	must(t, ask("public"))
	must(t, ask("secret"))

	must(t, w.iam.AddUserToGroup(ctx, own, "barred", "ada"))
	must(t, ask("public"))
	if text := is(t, ask("secret"), fault.Denied, "action"); !strings.Contains(text, "explicit deny in an identity-based policy") {
		t.Errorf("refused with %s", text)
	}

	bound, err := w.iam.CreatePolicy(ctx, iam.ManagedPolicy{Account: own, Name: "bound"}, doc(allow("s3:GetObject", "arn:aws:s3:::b/p*")))
	must(t, err)
	_, err = w.iam.UpdateUser(ctx, own, "ada", func(u *iam.User) error { u.Boundary = bound.ARN(); return nil })
	must(t, err)
	must(t, ask("public"))
	is(t, ask("other"), fault.Denied, "action") // the boundary bounds what comes from a group

	must(t, w.iam.RenameGroup(ctx, own, "readers", "Viewers", "/team/"))
	must(t, ask("public"))
	must(t, w.iam.RemoveUserFromGroup(ctx, own, "viewers", "ada"))
	is(t, ask("public"), fault.Denied, "action")

	is(t, w.iam.AddUserToGroup(ctx, own, "Viewers", "ada"), 0, "")
	must(t, w.iam.DetachGroupPolicy(ctx, own, "Viewers", attach(t, w, "Viewers")))
	must(t, w.iam.DeleteGroupPolicy(ctx, own, "Viewers", "inline"))
	is(t, ask("public"), fault.Denied, "action")
	attach(t, w, "Viewers")
	must(t, ask("public"))
}

// attach gives a group one of AWS's policies and returns its name.
func attach(t *testing.T, w *world, group string) string {
	t.Helper()
	const readOnly = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
	must(t, w.iam.AttachGroupPolicy(t.Context(), own, group, readOnly))
	return readOnly
}
