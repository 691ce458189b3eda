package migration_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/migration"
)

const webTrust = `{"Version":"2012-10-17","Id":"kept","Statement":{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/oidc.example.com/id/A"},` +
	`"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringLike":{"oidc.example.com/id/A:sub":"system:serviceaccount:*"}}}}`

func TestImportIRSA(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	to := account(t, podidAccount, "us-east-1", "prod")
	_, err := to.IAM.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: aws.String("https://oidc.example.com/id/A"), ClientIDList: []string{"sts.amazonaws.com"}})
	must(t, err)
	makeRole(t, to, "app", webTrust)
	makeRole(t, to, "taken", podsTrust)
	makeRole(t, to, "full", webTrust)
	associate(t, to, "prod", "shop", "busy", "arn:aws:iam::111122223333:role/taken", nil)

	const app = "arn:aws:iam::444455556666:role/app"
	list := []migration.ServiceAccount{
		{Namespace: "shop", Name: "uploader", RoleARN: app},
		{Namespace: "shop", Name: "reader", RoleARN: app},
		{Namespace: "team", Name: "uploader", RoleARN: app},
		{Namespace: "shop", Name: "busy", RoleARN: app},
		{Namespace: "shop", Name: "foreign", RoleARN: "arn:aws:iam::777788889999:role/other"},
		{Namespace: "shop", Name: "gone", RoleARN: "arn:aws:iam::111122223333:role/gone"},
		{Namespace: "shop", Name: "wrong", RoleARN: "role/wrong"},
	}
	for range 40 {
		list = append(list, migration.ServiceAccount{
			Namespace: "ns-" + strings.Repeat("x", len(list)), Name: "sa", RoleARN: "arn:aws:iam::111122223333:role/full",
		})
	}
	as := migration.Translation{Accounts: map[string]string{sourceAccount: podidAccount}}
	propose := func() *migration.Proposal {
		t.Helper()
		p, err := migration.ProposeIRSA(ctx, list, to, "prod", as)
		must(t, err)
		return p
	}
	p := propose()
	want := []string{
		"update trust policy of role arn:aws:iam::111122223333:role/app",
		"create association of shop/uploader in prod with arn:aws:iam::111122223333:role/app",
		"create association of shop/reader in prod with arn:aws:iam::111122223333:role/app",
		"create association of team/uploader in prod with arn:aws:iam::111122223333:role/app",
	}
	if diff := cmp.Diff(want, changes(p)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, parts := range [][]string{
		{"shop/busy", "associated with arn:aws:iam::111122223333:role/taken"},
		{"shop/foreign", "another account", "target role"},
		{"shop/gone", "podid import eks"},
		{"shop/wrong", "not the ARN of a role"},
		{"role/full", "may have 2048"},
	} {
		if !said(p.LeftOut, parts...) {
			t.Errorf("nothing is said of %q: %q", parts, p.LeftOut[:5])
		}
	}
	if !said(p.Notes, "role/app lets in shop/uploader of the issuer oidc.example.com/id/A", "not known yet") {
		t.Errorf("notes: %q", p.Notes)
	}
	must(t, p.Plan.Execute(ctx))
	if again := propose(); len(changes(again)) > 0 {
		t.Errorf("a second run would %q", changes(again))
	}
	role, err := to.IAM.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("app")})
	must(t, err)
	trust, err := url.PathUnescape(*role.Role.AssumeRolePolicyDocument)
	must(t, err)
	for _, part := range []string{
		`"Id":"kept"`, "AssumeRoleWithWebIdentity", `"aws:RequestTag/kubernetes-service-account":["reader","uploader"]`,
		`"aws:RequestTag/eks-cluster-arn":"arn:aws:eks:us-east-1:111122223333:cluster/prod"`, `"aws:RequestTag/kubernetes-namespace":"team"`,
	} {
		if !strings.Contains(trust, part) {
			t.Errorf("the trust policy lacks %s: %s", part, trust)
		}
	}

	// One more service account of a namespace joins the statement that is there.
	list = []migration.ServiceAccount{{Namespace: "shop", Name: "third", RoleARN: app}}
	p = propose()
	must(t, p.Plan.Execute(ctx))
	role, err = to.IAM.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("app")})
	must(t, err)
	trust, err = url.PathUnescape(*role.Role.AssumeRolePolicyDocument)
	must(t, err)
	if !strings.Contains(trust, `["reader","third","uploader"]`) {
		t.Errorf("the statement is not the old one with one more: %s", trust)
	}
}
