package iamapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/podid/podid/internal/api/iamapi"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

// session is a session of a role, assumed as a pod's is.
func (w *world) session(t *testing.T, role *iam.Role) aws.CredentialsProvider {
	t.Helper()
	s, err := w.Authorizer.Assume(authz.Assumption{
		Caller: authz.ServiceCaller("pods.eks.amazonaws.com"), Action: authz.AssumeRole, RoleARN: role.ARN(), SessionName: "pod",
		Network: authz.Network{Region: "eu-central-1", Time: time.Now()}, // the SDKs sign with the real time
	})
	must(t, err)
	c, err := w.Ring.Mint(t.Context(), s)
	must(t, err)
	return credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
}

func (w *world) job(t *testing.T, c *sdk.Client, name string, g types.AccessAdvisorUsageGranularityType) *string {
	t.Helper()
	out, err := c.GenerateServiceLastAccessedDetails(t.Context(), &sdk.GenerateServiceLastAccessedDetailsInput{Arn: &name, Granularity: g})
	must(t, err)
	if len(*out.JobId) != 36 {
		t.Errorf("the job id is %s", *out.JobId)
	}
	return out.JobId
}

func (w *world) details(t *testing.T, job *string) *sdk.GetServiceLastAccessedDetailsOutput {
	t.Helper()
	out, err := w.admin.GetServiceLastAccessedDetails(t.Context(), &sdk.GetServiceLastAccessedDetailsInput{JobId: job})
	must(t, err)
	return out
}

func namespaces(list []types.ServiceLastAccessed) []string {
	var out []string
	for _, s := range list {
		out = append(out, *s.ServiceNamespace)
	}
	return out
}

func TestRoleLastUsed(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	_, err := w.admin.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("app"), AssumeRolePolicyDocument: aws.String(trustEKS)})
	must(t, err)
	role, _ := w.IAM.FindRole(account, "app")
	provider := w.session(t, role)
	used := func() *types.RoleLastUsed {
		out, err := w.admin.GetRole(ctx, &sdk.GetRoleInput{RoleName: aws.String("app")})
		must(t, err)
		return out.Role.RoleLastUsed
	}
	if u := used(); u.LastUsedDate != nil {
		t.Errorf("a role that was only assumed was used: %v", *u.LastUsedDate)
	}
	client := sts.New(sts.Options{Region: "eu-central-1", BaseEndpoint: aws.String(w.url), Credentials: provider})
	_, err = client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	must(t, err)
	if u := used(); u.LastUsedDate == nil || aws.ToString(u.Region) != "eu-central-1" {
		t.Errorf("its session asked who it is, and the role shows %+v", u)
	}

	details := w.details(t, w.job(t, w.admin, role.ARN(), ""))
	if details.JobStatus != types.JobStatusTypeCompleted || details.JobType != types.AccessAdvisorUsageGranularityTypeServiceLevel ||
		details.JobCompletionDate == nil || len(details.ServicesLastAccessed) != 0 {
		t.Errorf("a role without policies: %+v", details)
	}
	must(t, w.IAM.PutRolePolicy(ctx, account, "app", "p", policyOf(
		`{"Effect":"Allow","Action":["sts:Get*","sqs:SendMessage"],"Resource":"*"}`, `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`,
		`{"Effect":"Deny","Action":"s3:*","Resource":"*"}`)))
	details = w.details(t, w.job(t, w.admin, role.ARN(), types.AccessAdvisorUsageGranularityTypeActionLevel))
	diff(t, namespaces(details.ServicesLastAccessed), []string{"sqs", "sts"})
	unused, s := details.ServicesLastAccessed[0], details.ServicesLastAccessed[1]
	if unused.LastAuthenticated != nil || unused.TotalAuthenticatedEntities != nil || *unused.ServiceName != "sqs" {
		t.Errorf("unused: %+v", unused)
	}
	if *s.ServiceName != "AWS Security Token Service" || s.LastAuthenticated == nil || *s.LastAuthenticatedEntity != role.ARN() ||
		*s.TotalAuthenticatedEntities != 1 || len(s.TrackedActionsLastAccessed) != 1 || *s.TrackedActionsLastAccessed[0].ActionName != "GetCallerIdentity" {
		t.Errorf("used: %+v", s)
	}
}

func TestLastAccessedOfGroupsAndPolicies(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	p, err := w.IAM.CreatePolicy(ctx, iam.ManagedPolicy{Account: account, Name: "shared"}, policyOf(`{"Effect":"Allow","Action":"iam:*","Resource":"*"}`))
	must(t, err)
	_, err = w.IAM.CreateGroup(ctx, iam.Group{Account: account, Name: "staff"})
	must(t, err)
	must(t, w.IAM.AttachGroupPolicy(ctx, account, "staff", p.ARN()))
	ann, bob := w.user(t, "ann", `[`+readBucket+`]`), w.user(t, "bob", `[`+readBucket+`]`)
	for _, name := range []string{"ann", "bob"} {
		must(t, w.IAM.AddUserToGroup(ctx, account, "staff", name))
	}
	_, err = w.admin.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("app"), AssumeRolePolicyDocument: aws.String(trustEKS)})
	must(t, err)
	must(t, w.IAM.AttachRolePolicy(ctx, account, "app", p.ARN()))
	_, err = ann.ListRoles(ctx, &sdk.ListRolesInput{})
	must(t, err)

	group := "arn:aws:iam::" + account + ":group/staff"
	for name, want := range map[string][]string{group: {"ann", "bob"}, p.ARN(): {"app", "ann", "bob"}} {
		job := w.job(t, w.admin, name, "")
		details := w.details(t, job)
		diff(t, namespaces(details.ServicesLastAccessed), []string{"iam"})
		if s := details.ServicesLastAccessed[0]; *s.TotalAuthenticatedEntities != 1 || *s.LastAuthenticatedEntity != "arn:aws:iam::"+account+":user/ann" ||
			*s.LastAuthenticatedRegion != "us-east-1" && *s.LastAuthenticatedRegion != "eu-central-1" {
			t.Errorf("%s: %+v", name, s)
		}
		var names []string
		var marker *string
		for {
			page, err := w.admin.GetServiceLastAccessedDetailsWithEntities(ctx, &sdk.GetServiceLastAccessedDetailsWithEntitiesInput{
				JobId: job, ServiceNamespace: aws.String("iam"), MaxItems: aws.Int32(1), Marker: marker,
			})
			must(t, err)
			for _, e := range page.EntityDetailsList {
				names = append(names, *e.EntityInfo.Name)
				if (e.LastAuthenticated != nil) != (*e.EntityInfo.Name == "ann") {
					t.Errorf("%s: %s last used iam at %v", name, *e.EntityInfo.Name, e.LastAuthenticated)
				}
			}
			if marker = page.Marker; !page.IsTruncated {
				break
			}
		}
		diff(t, names, want)
	}

	// A report is for who asked for it, and about what it was asked about.
	job := w.job(t, bob, group, "")
	_, err = w.admin.GetServiceLastAccessedDetails(ctx, &sdk.GetServiceLastAccessedDetailsInput{JobId: job})
	refused(t, err, "NoSuchEntity", http.StatusNotFound, "Requested job "+*job+" could not be found.")
	_, err = bob.GetServiceLastAccessedDetails(ctx, &sdk.GetServiceLastAccessedDetailsInput{JobId: job})
	must(t, err)
	role := "arn:aws:iam::" + account + ":role/app"
	job = w.job(t, w.admin, role, "")
	must(t, w.IAM.DetachRolePolicy(ctx, account, "app", p.ARN()))
	must(t, w.IAM.DeleteRole(ctx, account, "app"))
	_, err = w.admin.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("app"), AssumeRolePolicyDocument: aws.String(trustEKS)})
	must(t, err)
	if d := w.details(t, job); d.JobStatus != types.JobStatusTypeFailed || *d.Error.Code != "NoSuchEntity" {
		t.Errorf("the role is somebody else now: %+v", d)
	}
	_, err = w.admin.GenerateServiceLastAccessedDetails(ctx, &sdk.GenerateServiceLastAccessedDetailsInput{Arn: aws.String(role + "s")})
	refused(t, err, "NoSuchEntity", http.StatusNotFound, "")
	_, err = w.admin.GenerateServiceLastAccessedDetails(ctx, &sdk.GenerateServiceLastAccessedDetailsInput{Arn: aws.String("arn:aws:iam::" + account + ":root")})
	refused(t, err, "InvalidInput", http.StatusBadRequest, "")
}

func TestListPoliciesGrantingServiceAccess(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	w.user(t, "ann", `[`+readBucket+`]`)
	_, err := w.IAM.CreateGroup(ctx, iam.Group{Account: account, Name: "staff"})
	must(t, err)
	must(t, w.IAM.PutGroupPolicy(ctx, account, "staff", "all", policyOf(`{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`)))
	must(t, w.IAM.AddUserToGroup(ctx, account, "staff", "ann"))
	p, err := w.IAM.CreatePolicy(ctx, iam.ManagedPolicy{Account: account, Name: "shared"}, policyOf(readBucket))
	must(t, err)
	must(t, w.IAM.AttachUserPolicy(ctx, account, "ann", p.ARN()))
	must(t, w.IAM.AttachGroupPolicy(ctx, account, "staff", p.ARN()))
	out, err := w.admin.ListPoliciesGrantingServiceAccess(ctx, &sdk.ListPoliciesGrantingServiceAccessInput{
		Arn: aws.String("arn:aws:iam::" + account + ":user/ann"), ServiceNamespaces: []string{"s3", "iam", "sts"},
	})
	must(t, err)
	inline := func(name string, kind types.PolicyOwnerEntityType, holder string) types.PolicyGrantingServiceAccess {
		return types.PolicyGrantingServiceAccess{
			PolicyName: aws.String(name), PolicyType: types.PolicyTypeInline, EntityType: kind, EntityName: aws.String(holder),
		}
	}
	all := inline("all", types.PolicyOwnerEntityTypeGroup, "staff")
	diff(t, out.PoliciesGrantingServiceAccess, []types.ListPoliciesGrantingServiceAccessEntry{
		{ServiceNamespace: aws.String("s3"), Policies: []types.PolicyGrantingServiceAccess{
			inline("p", types.PolicyOwnerEntityTypeUser, "ann"),
			{PolicyName: aws.String("shared"), PolicyType: types.PolicyTypeManaged, PolicyArn: aws.String(p.ARN())},
			all,
		}},
		{ServiceNamespace: aws.String("iam")},
		{ServiceNamespace: aws.String("sts"), Policies: []types.PolicyGrantingServiceAccess{all}},
	})
	_, err = w.admin.ListPoliciesGrantingServiceAccess(ctx, &sdk.ListPoliciesGrantingServiceAccessInput{
		Arn: aws.String("arn:aws:iam::" + account + ":user/ann"), ServiceNamespaces: []string{"s 3"},
	})
	refused(t, err, "InvalidInput", http.StatusBadRequest, "")
}

func TestGetAccessKeyLastUsed(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	_, err := w.IAM.CreateUser(ctx, iam.User{Account: account, Name: "ann"})
	must(t, err)
	key, err := w.IAM.CreateAccessKey(ctx, account, "ann")
	must(t, err)
	get := func(id string) (*sdk.GetAccessKeyLastUsedOutput, error) {
		return w.admin.GetAccessKeyLastUsed(ctx, &sdk.GetAccessKeyLastUsedInput{AccessKeyId: &id})
	}
	out, err := get(key.ID)
	must(t, err)
	if u := out.AccessKeyLastUsed; *out.UserName != "ann" || u.LastUsedDate != nil || *u.Region != "N/A" || *u.ServiceName != "N/A" {
		t.Errorf("a new key: %+v", u)
	}
	// A request that is refused counts, one whose signature is wrong does not.
	_, err = w.client(key.ID, "wrong").ListRoles(ctx, &sdk.ListRolesInput{})
	refused(t, err, "SignatureDoesNotMatch", http.StatusForbidden, "")
	if out, err = get(key.ID); err != nil || out.AccessKeyLastUsed.LastUsedDate != nil {
		t.Errorf("a wrong signature: %+v, %v", out, err)
	}
	_, err = w.client(key.ID, key.Secret).ListRoles(ctx, &sdk.ListRolesInput{})
	refused(t, err, "AccessDenied", http.StatusForbidden, "")
	out, err = get(key.ID)
	must(t, err)
	if u := out.AccessKeyLastUsed; u.LastUsedDate == nil || *u.ServiceName != "iam" || *u.Region == "" {
		t.Errorf("a used key: %+v", u)
	}
	_, err = w.IAM.CreateAccount(ctx, other, "other")
	must(t, err)
	root, err := w.IAM.CreateAccessKey(ctx, other, "")
	must(t, err)
	for _, id := range []string{root.ID, "AKIAEXAMPLEEXAMPLE00"} {
		_, err = get(id)
		refused(t, err, "AccessDenied", http.StatusForbidden, "User: arn:aws:iam::"+account+":user/administrator is not authorized to perform: "+
			"iam:GetAccessKeyLastUsed on resource: access key "+id)
	}
}

// TestReportsAreBounded holds that policies with as many services as fit into them keep no report busy, and push no service of podid's out.
func TestReportsAreBounded(t *testing.T) {
	t.Parallel()
	docs := make([]*policy.Document, 120)
	for i := range docs {
		actions := make([]string, 800)
		for j := range actions {
			actions[j] = fmt.Sprintf(`"a%d-%d:*"`, i, j)
		}
		effect := []string{"Allow", "Deny"}[i%2]
		docs[i] = policy.NewSource(policyOf(`{"Effect":"` + effect + `","Resource":"*","Action":[` + strings.Join(actions, ",") + `]}`)).As(policy.Identity)
	}
	docs[0] = policy.NewSource(policyOf(`{"Effect":"Allow","Resource":"*","Action":["s3:*","sts:AssumeRole"]}`)).As(policy.Identity)
	list := iamapi.Services(docs)
	if len(list) > 510 || !slices.Contains(list, "s3") || !slices.Contains(list, "sts") || slices.Contains(list, "eks") {
		t.Errorf("%d services are listed", len(list))
	}
}
