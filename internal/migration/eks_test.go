package migration_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/migration"
)

// filledSource is an account with everything that an import has to bring.
func filledSource(t *testing.T) migration.Account {
	from := account(t, sourceAccount, "eu-central-1", "prod", "spare")
	ctx := t.Context()
	document := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::data-444455556666/in/*"},` +
		`{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::444455556666:role/*"}]}`
	made, err := from.IAM.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("write"), Path: aws.String("/app/"), PolicyDocument: &document})
	must(t, err)

	trust := strings.TrimSuffix(podsTrust, "]}") + `,{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"sts:AssumeRole",` +
		`"Condition":{"StringEquals":{"aws:RequestTag/eks-cluster-arn":"arn:aws:eks:eu-central-1:444455556666:cluster/prod"}}}]}`
	_, err = from.IAM.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: aws.String("app"), Path: aws.String("/pods/"), AssumeRolePolicyDocument: &trust, Description: aws.String("the app's"),
		MaxSessionDuration: aws.Int32(7200), PermissionsBoundary: made.Policy.Arn, Tags: []iamtypes.Tag{{Key: aws.String("team"), Value: aws.String("a+b c")}},
	})
	must(t, err)
	_, err = from.IAM.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: aws.String("app"), PolicyArn: made.Policy.Arn})
	must(t, err)
	_, err = from.IAM.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String("app"), PolicyName: aws.String("in"), PolicyDocument: &document})
	must(t, err)

	makeRole(t, from, "first", strings.TrimSuffix(podsTrust, "]}")+`,{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::444455556666:role/pods/app","arn:aws:iam::999900001111:root"]},"Action":"sts:AssumeRole"}]}`)
	_, err = from.IAM.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("ada")})
	must(t, err)
	makeRole(t, from, "adas", strings.TrimSuffix(podsTrust, "]}")+`,{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:user/ada"},"Action":"sts:AssumeRole"}]}`)

	associate(t, from, "prod", "shop", "uploader", "arn:aws:iam::444455556666:role/pods/app", func(in *eks.CreatePodIdentityAssociationInput) {
		in.DisableSessionTags, in.Tags = aws.Bool(true), map[string]string{"team": "shop"}
		in.Policy = aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)
		in.TargetRoleArn = aws.String("arn:aws:iam::777788889999:role/other")
	})
	associate(t, from, "prod", "shop", "reader", "arn:aws:iam::444455556666:role/first", nil)
	associate(t, from, "prod", "shop", "adas", "arn:aws:iam::444455556666:role/adas", nil)
	associate(t, from, "spare", "x", "y", "arn:aws:iam::444455556666:role/first", nil)
	return from
}

func TestImportEKS(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	from, to := filledSource(t), account(t, podidAccount, "us-east-1", "onprem")
	as := migration.Translation{Clusters: map[string]string{"prod": "onprem"}}
	propose := func() *migration.Proposal {
		t.Helper()
		inventory, err := migration.Read(ctx, from, []string{"prod"})
		must(t, err)
		p, err := migration.Propose(ctx, inventory, to, as)
		must(t, err)
		return p
	}

	p := propose()
	want := []string{
		"create policy arn:aws:iam::111122223333:policy/app/write",
		"create role arn:aws:iam::111122223333:role/first",
		"create role arn:aws:iam::111122223333:role/pods/app",
		"update trust policy of role arn:aws:iam::111122223333:role/first",
		"create association of shop/reader in onprem with arn:aws:iam::111122223333:role/first",
		"create association of shop/uploader in onprem with arn:aws:iam::111122223333:role/pods/app and arn:aws:iam::777788889999:role/other",
	}
	if diff := cmp.Diff(want, sortedAssociations(changes(p))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !said(p.LeftOut, "role arn:aws:iam::111122223333:role/adas", "user/ada") || !said(p.LeftOut, "association of shop/adas") || len(p.LeftOut) != 2 {
		t.Errorf("left out: %q", p.LeftOut)
	}
	if !said(p.Notes, "arn:aws:iam::777788889999:role/other", "another account") {
		t.Errorf("notes: %q", p.Notes)
	}
	if !said(p.Notes, "role/first lets in arn:aws:iam::999900001111:root", "--account") || said(p.Notes, "role/pods/app lets in") {
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
	for _, part := range []string{"arn:aws:iam::111122223333:root", "arn:aws:eks:us-east-1:111122223333:cluster/onprem"} {
		if !strings.Contains(trust, part) {
			t.Errorf("the trust policy lacks %s: %s", part, trust)
		}
	}
	if *role.Role.Description != "the app's" || *role.Role.MaxSessionDuration != 7200 || *role.Role.Tags[0].Value != "a+b c" ||
		*role.Role.PermissionsBoundary.PermissionsBoundaryArn != "arn:aws:iam::111122223333:policy/app/write" {
		t.Errorf("got %+v", role.Role)
	}
	version, err := to.IAM.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: aws.String("arn:aws:iam::111122223333:policy/app/write"), VersionId: aws.String("v1")})
	must(t, err)
	document, err := url.PathUnescape(*version.PolicyVersion.Document)
	must(t, err)
	if !strings.Contains(document, "arn:aws:s3:::data-444455556666/in/*") || !strings.Contains(document, "arn:aws:iam::111122223333:role/*") {
		t.Errorf("the names of buckets stay, account ids do not: %s", document)
	}

	// What changes at the source is brought, and what only podid has stays.
	_, err = from.IAM.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: aws.String("app"), PolicyName: aws.String("in"), PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`),
	})
	must(t, err)
	_, err = to.IAM.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: aws.String("app"), PolicyName: aws.String("own"), PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`),
	})
	must(t, err)
	list, err := to.EKS.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{ClusterName: aws.String("onprem"), ServiceAccount: aws.String("uploader")})
	must(t, err)
	_, err = to.EKS.UpdatePodIdentityAssociation(ctx, &eks.UpdatePodIdentityAssociationInput{
		ClusterName: aws.String("onprem"), AssociationId: list.Associations[0].AssociationId, RoleArn: aws.String("arn:aws:iam::111122223333:role/first"),
	})
	must(t, err)
	p = propose()
	want = []string{
		"update role arn:aws:iam::111122223333:role/pods/app",
		"update association of shop/uploader in onprem with arn:aws:iam::111122223333:role/pods/app and arn:aws:iam::777788889999:role/other",
	}
	if diff := cmp.Diff(want, changes(p)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	must(t, p.Plan.Execute(ctx))
	if again := propose(); len(changes(again)) > 0 {
		t.Errorf("after that it would %q", changes(again))
	}
	if _, err := to.IAM.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: aws.String("app"), PolicyName: aws.String("own")}); err != nil {
		t.Errorf("podid's own policy is gone: %v", err)
	}
}

// sortedAssociations puts the steps of associations at the end in order: the source lists them by their random ids.
func sortedAssociations(list []string) []string {
	for i := range list {
		for j := i + 1; j < len(list); j++ {
			if strings.HasPrefix(list[i], "create assoc") && strings.HasPrefix(list[j], "create assoc") && list[j] < list[i] {
				list[i], list[j] = list[j], list[i]
			}
		}
	}
	return list
}

func TestImportEKS_refuses(t *testing.T) {
	t.Parallel()
	from, to := account(t, sourceAccount, "eu-central-1", "prod"), account(t, podidAccount, "us-east-1")
	inventory, err := migration.Read(t.Context(), from, nil)
	must(t, err)
	if _, err := migration.Propose(t.Context(), inventory, to, migration.Translation{}); err == nil || !strings.Contains(err.Error(), "podid cluster connect prod") {
		t.Errorf("a cluster that podid does not have: got %v", err)
	}
	as := migration.Translation{Accounts: map[string]string{sourceAccount: "999999999999"}}
	if _, err := migration.Propose(t.Context(), inventory, to, as); err == nil || !strings.Contains(err.Error(), "999999999999") {
		t.Errorf("another account than the profile's: got %v", err)
	}
	if _, err := migration.Read(t.Context(), from, []string{"nowhere"}); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("a cluster that the source does not have: got %v", err)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	as := migration.Translation{
		Accounts: map[string]string{"444455556666": "111122223333"}, Clusters: map[string]string{"prod": "onprem"},
		FromRegion: "cn-north-1", ToRegion: "us-east-1",
	}
	for text, want := range map[string]string{
		"arn:aws-cn:iam::444455556666:role/x":                    "arn:aws:iam::111122223333:role/x",
		`{"AWS":"444455556666"}`:                                 `{"AWS":"111122223333"}`,
		"arn:aws:s3:::logs-444455556666/*":                       "arn:aws:s3:::logs-444455556666/*",
		"4444555566667":                                          "4444555566667",
		"arn:aws-cn:eks:cn-north-1:444455556666:cluster/prod":    "arn:aws:eks:us-east-1:111122223333:cluster/onprem",
		"arn:aws:eks:eu-west-1:444455556666:cluster/production":  "arn:aws:eks:eu-west-1:111122223333:cluster/production",
		"arn:aws:eks:eu-west-1:777788889999:cluster/prod and on": "arn:aws:eks:eu-west-1:777788889999:cluster/onprem and on",
	} {
		if got := as.Text(text); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
	}
}
