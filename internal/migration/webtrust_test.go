package migration_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/podid/podid/internal/migration"
)

// TestAnnotationsGiveNothing holds that whoever may write service accounts gets no role by naming it: the role's trust policy must let the
// service account in by web identity already.
func TestAnnotationsGiveNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	to := account(t, podidAccount, "us-east-1", "prod")
	_, err := to.IAM.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: aws.String("https://oidc.example.com/id/A"), ClientIDList: []string{"sts.amazonaws.com"}})
	must(t, err)
	const provider = `"Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/oidc.example.com/id/A"}`
	statement := func(effect, condition string) string {
		return `{"Effect":"` + effect + `",` + provider + `,"Action":"sts:AssumeRoleWithWebIdentity","Condition":` + condition + `}`
	}
	sub := func(operator, value string) string {
		return `{"` + operator + `":{"oidc.example.com/id/A:sub":` + value + `},"StringEquals":{"oidc.example.com/id/A:aud":"sts.amazonaws.com"}}`
	}
	const pods = `{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}`
	for name, tt := range map[string]struct {
		statements []string
		brought    bool
	}{
		"named":         {[]string{statement("Allow", sub("StringLike", `"system:serviceaccount:shop:app"`))}, true},
		"listed":        {[]string{pods, statement("Allow", sub("StringLike", `["x","system:serviceaccount:sh?p:*"]`))}, true},
		"another":       {[]string{statement("Allow", sub("StringLike", `"system:serviceaccount:ops:*"`))}, false},
		"of-pods-alone": {[]string{pods}, false},
		"of-anybody":    {[]string{statement("Allow", `{"StringEquals":{"oidc.example.com/id/A:aud":"sts.amazonaws.com"}}`)}, false},
		"not-like":      {[]string{statement("Allow", sub("StringNotLike", `"system:serviceaccount:ops:*"`))}, false},
		"if-exists":     {[]string{statement("Allow", sub("StringLikeIfExists", `"system:serviceaccount:shop:app"`))}, false},
		"denied": {[]string{
			statement("Allow", sub("StringLike", `"system:serviceaccount:*"`)), statement("Deny", sub("StringLike", `"system:serviceaccount:shop:app"`)),
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			makeRole(t, to, name, `{"Version":"2012-10-17","Statement":[`+strings.Join(tt.statements, ",")+`]}`)
			list := []migration.ServiceAccount{{Namespace: "shop", Name: "app", RoleARN: "arn:aws:iam::111122223333:role/" + name}}
			p, err := migration.ProposeIRSA(t.Context(), list, to, "prod", migration.Translation{})
			must(t, err)
			if got := changes(p); (len(got) > 0) != tt.brought || len(got) == 0 != said(p.LeftOut, "shop/app", "by web identity") {
				t.Errorf("proposed %q, left out %q", got, p.LeftOut)
			}
		})
	}
}
