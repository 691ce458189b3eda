package iamapi_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

// policyOf is a document of statements, on one line.
func policyOf(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

const (
	readBucket  = `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}`
	denySecret  = `{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::b/secret"}`
	bucketTrust = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:user/eve"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}`
)

// diff compares results of the SDK.
func diff(t *testing.T, got, want any) {
	t.Helper()
	ignore := cmpopts.IgnoreUnexported(types.EvaluationResult{}, types.Statement{}, types.Position{}, types.ResourceSpecificResult{},
		types.PermissionsBoundaryDecisionDetail{}, types.OrganizationsDecisionDetail{}, types.PolicyGrantingServiceAccess{},
		types.ListPoliciesGrantingServiceAccessEntry{}, types.EntityDetails{}, types.EntityInfo{})
	if d := cmp.Diff(got, want, ignore, cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
}

func statementAt(id string, typ types.PolicySourceType, from, to int32) types.Statement {
	return types.Statement{
		SourcePolicyId: aws.String(id), SourcePolicyType: typ,
		StartPosition: &types.Position{Line: 1, Column: from}, EndPosition: &types.Position{Line: 1, Column: to},
	}
}

func TestSimulateCustomPolicy(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	out, err := w.admin.SimulateCustomPolicy(ctx, &sdk.SimulateCustomPolicyInput{
		PolicyInputList: []string{policyOf(readBucket, denySecret)},
		ActionNames:     []string{"s3:GetObject", "s3:PutObject"},
		ResourceArns:    []string{"arn:aws:s3:::b/k", "arn:aws:s3:::b/secret"},
	})
	must(t, err)
	result := func(action, resource string, d types.PolicyEvaluationDecisionType, matched ...types.Statement) types.EvaluationResult {
		return types.EvaluationResult{
			EvalActionName: aws.String(action), EvalResourceName: aws.String(resource), EvalDecision: d, MatchedStatements: matched,
			ResourceSpecificResults: []types.ResourceSpecificResult{{
				EvalResourceName: aws.String(resource), EvalResourceDecision: d, MatchedStatements: matched,
			}},
		}
	}
	first := int32(len(`{"Version":"2012-10-17","Statement":[`)) + 1
	allowed := statementAt("PolicyInputList.1", types.PolicySourceTypeNone, first, first+int32(len(readBucket)))
	denied := statementAt("PolicyInputList.1", types.PolicySourceTypeNone, allowed.EndPosition.Column+1, allowed.EndPosition.Column+1+int32(len(denySecret)))
	diff(t, out.EvaluationResults, []types.EvaluationResult{
		result("s3:GetObject", "arn:aws:s3:::b/k", types.PolicyEvaluationDecisionTypeAllowed, allowed),
		result("s3:GetObject", "arn:aws:s3:::b/secret", types.PolicyEvaluationDecisionTypeExplicitDeny, denied),
		result("s3:PutObject", "arn:aws:s3:::b/k", types.PolicyEvaluationDecisionTypeImplicitDeny),
		result("s3:PutObject", "arn:aws:s3:::b/secret", types.PolicyEvaluationDecisionTypeExplicitDeny, denied),
	})

	// A resource policy of another account, and a caller of a third.
	cross, err := w.admin.SimulateCustomPolicy(ctx, &sdk.SimulateCustomPolicyInput{
		PolicyInputList: []string{policyOf(readBucket)}, ActionNames: []string{"s3:GetObject"}, ResourceArns: []string{"arn:aws:s3:::b/k"},
		ResourcePolicy: aws.String(policyOf(bucketTrust)), ResourceOwner: aws.String(account), CallerArn: aws.String("arn:aws:iam::444455556666:user/eve"),
		PermissionsBoundaryPolicyInputList: []string{policyOf(`{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`)},
	})
	must(t, err)
	r := cross.EvaluationResults[0]
	if r.EvalDecision != types.PolicyEvaluationDecisionTypeImplicitDeny || r.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary {
		t.Errorf("the boundary does not bound: %+v", r)
	}
	diff(t, r.EvalDecisionDetails, map[string]types.PolicyEvaluationDecisionType{"IAM Policy": "allowed", "Resource Policy": "allowed"})
	if r.OrganizationsDecisionDetail != nil {
		t.Error("strings have no organization")
	}

	// Pages hold whole results, in order.
	p := sdk.NewSimulateCustomPolicyPaginator(w.admin, &sdk.SimulateCustomPolicyInput{
		PolicyInputList: []string{policyOf(readBucket)}, ActionNames: []string{"s3:A", "s3:B", "s3:C"}, MaxItems: aws.Int32(2),
	})
	var names []string
	for p.HasMorePages() {
		next, err := p.NextPage(ctx)
		must(t, err)
		for _, r := range next.EvaluationResults {
			names = append(names, *r.EvalActionName+" "+*r.EvalResourceName)
		}
	}
	diff(t, names, []string{"s3:A *", "s3:B *", "s3:C *"})
}

func TestSimulateContext(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	conditions := map[string]types.ContextEntry{
		`{"StringEquals":{"aws:RequestTag/team":"a"}}`:           entry("AWS:requesttag/Team", types.ContextKeyTypeEnumString, "a"),
		`{"ForAllValues:StringLike":{"aws:TagKeys":["t*"]}}`:     entry("aws:TagKeys", types.ContextKeyTypeEnumStringList, "team", "two"),
		`{"NumericLessThan":{"s3:max-keys":"10"}}`:               entry("s3:max-keys", types.ContextKeyTypeEnumNumeric, "9.5"),
		`{"ForAnyValue:NumericEquals":{"a:numbers":"2"}}`:        entry("a:numbers", types.ContextKeyTypeEnumNumericList, "1", "2"),
		`{"Bool":{"aws:SecureTransport":"true"}}`:                entry("aws:SecureTransport", types.ContextKeyTypeEnumBoolean, "True"),
		`{"ForAnyValue:Bool":{"a:truths":"false"}}`:              entry("a:truths", types.ContextKeyTypeEnumBooleanList, "true", "false"),
		`{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`:            entry("aws:SourceIp", types.ContextKeyTypeEnumIp, "10.1.2.3"),
		`{"ForAnyValue:IpAddress":{"a:hosts":"2001:db8::/32"}}`:  entry("a:hosts", types.ContextKeyTypeEnumIpList, "10.1.2.3", "2001:db8::1"),
		`{"BinaryEquals":{"a:bytes":"aGk="}}`:                    entry("a:bytes", types.ContextKeyTypeEnumBinary, "aGk="),
		`{"ForAnyValue:BinaryEquals":{"a:bytes":"aGk="}}`:        entry("a:bytes", types.ContextKeyTypeEnumBinaryList, "AAAA", "aGk="),
		`{"DateLessThan":{"aws:CurrentTime":"2026-11-24"}}`:      entry("aws:CurrentTime", types.ContextKeyTypeEnumDate, "2026-11-23T08:00:00Z"),
		`{"ForAllValues:DateLessThan":{"a:dates":"2026-11-24"}}`: entry("a:dates", types.ContextKeyTypeEnumDateList, "2025-01-01", "1700000000"),
	}
	for condition, e := range conditions {
		in := &sdk.SimulateCustomPolicyInput{
			PolicyInputList: []string{policyOf(`{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":` + condition + `}`)},
			ActionNames:     []string{"s3:ListBucket"}, ContextEntries: []types.ContextEntry{e},
		}
		out, err := w.admin.SimulateCustomPolicy(ctx, in)
		must(t, err)
		if r := out.EvaluationResults[0]; r.EvalDecision != types.PolicyEvaluationDecisionTypeAllowed || len(r.MissingContextValues) != 0 {
			t.Errorf("%s with %v: %s, missing %v", condition, e.ContextKeyValues, r.EvalDecision, r.MissingContextValues)
		}
		in.ContextEntries = nil
		out, err = w.admin.SimulateCustomPolicy(ctx, in)
		must(t, err)
		if r := out.EvaluationResults[0]; len(r.MissingContextValues) != 1 || !strings.EqualFold(r.MissingContextValues[0], *e.ContextKeyName) {
			t.Errorf("%s without a context: missing %v", condition, r.MissingContextValues)
		}
	}
	for _, e := range []types.ContextEntry{
		entry("a:numbers", types.ContextKeyTypeEnumNumeric, "one"), entry("a:hosts", types.ContextKeyTypeEnumIpList, "10.0.0.256"),
		entry("a:dates", types.ContextKeyTypeEnumDate, "yesterday"), entry("a:bytes", types.ContextKeyTypeEnumBinary, "?"),
		entry("a:truths", types.ContextKeyTypeEnumBoolean, "yes"), entry("a:texts", types.ContextKeyTypeEnumString, "a", "b"),
		entry("a:texts", types.ContextKeyTypeEnumString), entry("a:texts", "text", "a"), entry("text", types.ContextKeyTypeEnumString, "a"),
	} {
		_, err := w.admin.SimulateCustomPolicy(ctx, &sdk.SimulateCustomPolicyInput{
			PolicyInputList: []string{policyOf(readBucket)}, ActionNames: []string{"s3:ListBucket"}, ContextEntries: []types.ContextEntry{e},
		})
		refused(t, err, "InvalidInput", http.StatusBadRequest, "")
		typed[*types.InvalidInputException](t, err)
	}
}

func entry(name string, typ types.ContextKeyTypeEnum, values ...string) types.ContextEntry {
	return types.ContextEntry{ContextKeyName: aws.String(name), ContextKeyType: typ, ContextKeyValues: values}
}

func TestSimulatePrincipalPolicy(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	w.user(t, "ann", `[`+readBucket+`]`)
	_, err := w.IAM.CreateGroup(ctx, iam.Group{Account: account, Name: "readers"})
	must(t, err)
	must(t, w.IAM.PutGroupPolicy(ctx, account, "readers", "secrets", policyOf(denySecret)))
	must(t, w.IAM.AddUserToGroup(ctx, account, "readers", "ann"))
	bound, err := w.IAM.CreatePolicy(ctx, iam.ManagedPolicy{Account: account, Name: "bound"},
		policyOf(`{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}`))
	must(t, err)
	ann := "arn:aws:iam::" + account + ":user/ann"
	ask := func(in sdk.SimulatePrincipalPolicyInput) types.EvaluationResult {
		t.Helper()
		out, err := w.admin.SimulatePrincipalPolicy(ctx, &in)
		must(t, err)
		return out.EvaluationResults[0]
	}
	read := ask(sdk.SimulatePrincipalPolicyInput{PolicySourceArn: &ann, ActionNames: []string{"s3:GetObject"}, ResourceArns: []string{"arn:aws:s3:::b/k"}})
	first := int32(len(`{"Version":"2012-10-17","Statement":[`)) + 1
	diff(t, read.MatchedStatements, []types.Statement{statementAt("p", types.PolicySourceTypeUser, first, first+int32(len(readBucket)))})
	secret := ask(sdk.SimulatePrincipalPolicyInput{
		PolicySourceArn: &ann, ActionNames: []string{"s3:GetObject"}, ResourceArns: []string{"arn:aws:s3:::b/secret"},
	})
	diff(t, secret.MatchedStatements, []types.Statement{statementAt("secrets", types.PolicySourceTypeGroup, first, first+int32(len(denySecret)))})

	_, err = w.IAM.UpdateUser(ctx, account, "ann", func(u *iam.User) error {
		u.Boundary, u.Tags = bound.ARN(), map[string]string{"team": "a"}
		return nil
	})
	must(t, err)
	tagged := policyOf(`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${aws:PrincipalTag/team}/${aws:username}"}`)
	in := sdk.SimulatePrincipalPolicyInput{
		PolicySourceArn: &ann, ActionNames: []string{"s3:GetBucketPolicy"}, ResourceArns: []string{"arn:aws:s3:::a/ann"}, PolicyInputList: []string{tagged},
	}
	if r := ask(in); r.EvalDecision != types.PolicyEvaluationDecisionTypeAllowed || !r.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary {
		t.Errorf("what follows from the user is not known: %+v", r)
	}
	in.ActionNames = []string{"s3:PutBucketPolicy"}
	if r := ask(in); r.EvalDecision != types.PolicyEvaluationDecisionTypeImplicitDeny || r.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary {
		t.Errorf("the boundary does not bound: %+v", r)
	}
	in.PermissionsBoundaryPolicyInputList = []string{policyOf(`{"Effect":"Allow","Action":"*","Resource":"*"}`)}
	if r := ask(in); r.EvalDecision != types.PolicyEvaluationDecisionTypeAllowed {
		t.Errorf("the given boundary does not replace the user's: %+v", r)
	}

	role, err := w.admin.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("app"), AssumeRolePolicyDocument: aws.String(trustEKS)})
	must(t, err)
	_, err = w.admin.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: aws.String("app"), PolicyArn: aws.String(bound.ARN())})
	must(t, err)
	r := ask(sdk.SimulatePrincipalPolicyInput{PolicySourceArn: role.Role.Arn, ActionNames: []string{"s3:GetObject"}})
	if len(r.MatchedStatements) != 1 || *r.MatchedStatements[0].SourcePolicyId != "bound" ||
		r.MatchedStatements[0].SourcePolicyType != types.PolicySourceTypeUserManaged {
		t.Errorf("the role: %+v", r)
	}
	group := ask(sdk.SimulatePrincipalPolicyInput{
		PolicySourceArn: aws.String("arn:aws:iam::" + account + ":group/readers"), ActionNames: []string{"s3:GetObject"},
		ResourceArns: []string{"arn:aws:s3:::b/secret"},
	})
	if group.EvalDecision != types.PolicyEvaluationDecisionTypeExplicitDeny {
		t.Errorf("the group: %+v", group)
	}

	_, err = w.admin.SimulatePrincipalPolicy(ctx, &sdk.SimulatePrincipalPolicyInput{
		PolicySourceArn: role.Role.Arn, ActionNames: []string{"s3:GetObject"}, ResourcePolicy: aws.String(policyOf(bucketTrust)),
	})
	refused(t, err, "InvalidInput", http.StatusBadRequest, "")
}

func TestSimulateRefusals(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	custom := func(change func(*sdk.SimulateCustomPolicyInput)) error {
		in := &sdk.SimulateCustomPolicyInput{PolicyInputList: []string{policyOf(readBucket)}, ActionNames: []string{"s3:GetObject"}}
		change(in)
		_, err := w.admin.SimulateCustomPolicy(ctx, in)
		return err
	}
	refused(t, custom(func(in *sdk.SimulateCustomPolicyInput) {
		in.ResourceHandlingOption = aws.String("EC2-VPC-InstanceStore")
	}),
		"ValidationError", http.StatusBadRequest, "")
	for _, change := range []func(*sdk.SimulateCustomPolicyInput){
		func(in *sdk.SimulateCustomPolicyInput) { in.PolicyInputList = []string{`{}`} },
		func(in *sdk.SimulateCustomPolicyInput) { in.ActionNames = []string{"s3:*"} },
		func(in *sdk.SimulateCustomPolicyInput) { in.ActionNames = []string{"GetObject"} },
		func(in *sdk.SimulateCustomPolicyInput) { in.ResourceArns = []string{"b/k"} },
		func(in *sdk.SimulateCustomPolicyInput) {
			in.CallerArn = aws.String("arn:aws:iam::" + account + ":role/app")
		},
		func(in *sdk.SimulateCustomPolicyInput) { in.ResourceOwner = aws.String("me") },
		func(in *sdk.SimulateCustomPolicyInput) { in.ResourcePolicy = aws.String(policyOf(bucketTrust)) },
		func(in *sdk.SimulateCustomPolicyInput) {
			in.PermissionsBoundaryPolicyInputList = []string{policyOf(readBucket), policyOf(readBucket)}
		},
		func(in *sdk.SimulateCustomPolicyInput) {
			in.ContextEntries = []types.ContextEntry{entry("a:texts", "string", "a"), entry("A:Texts", "string", "b")}
		},
	} {
		refused(t, custom(change), "InvalidInput", http.StatusBadRequest, "")
	}
	principal := func(c *sdk.Client, name string) error {
		_, err := c.SimulatePrincipalPolicy(ctx, &sdk.SimulatePrincipalPolicyInput{PolicySourceArn: &name, ActionNames: []string{"s3:GetObject"}})
		return err
	}
	err := principal(w.admin, "arn:aws:iam::"+account+":role/ghost")
	refused(t, err, "NoSuchEntity", http.StatusNotFound, "The role with name ghost cannot be found.")
	root := "arn:aws:iam::" + account + ":root"
	refused(t, principal(w.admin, root), "InvalidInput", http.StatusBadRequest, "Invalid Entity Arn: "+root+" does not clearly define entity type and name.")
	refused(t, principal(w.admin, "arn:aws:iam::"+other+":user/eve"), "AccessDenied", http.StatusForbidden, "")

	// Who may simulate one user may not simulate another.
	ann := w.user(t, "ann", `[{"Effect":"Allow","Action":"iam:SimulatePrincipalPolicy","Resource":"arn:aws:iam::`+account+`:user/ann"}]`)
	must(t, principal(ann, "arn:aws:iam::"+account+":user/ann"))
	refused(t, principal(ann, "arn:aws:iam::"+account+":user/administrator"), "AccessDenied", http.StatusForbidden, "")
	if rec := w.Last(); rec.EventName != "SimulatePrincipalPolicy" || !rec.ReadOnly {
		t.Errorf("the record is %+v", rec)
	}
}

// TestSimulatedCallerTellsNothing holds that a simulation does not give a user's tags away to who may not read them.
func TestSimulatedCallerTellsNothing(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	_, err := w.IAM.CreateUser(ctx, iam.User{Account: account, Name: "eve", Tags: map[string]string{"level": "secret"}})
	must(t, err)
	in := &sdk.SimulateCustomPolicyInput{
		PolicyInputList: []string{policyOf(
			`{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/level":"secret"}}}`)},
		ActionNames: []string{"s3:GetObject"}, CallerArn: aws.String("arn:aws:iam::" + account + ":user/eve"),
	}
	out, err := w.admin.SimulateCustomPolicy(ctx, in)
	must(t, err)
	if r := out.EvaluationResults[0]; r.EvalDecision != types.PolicyEvaluationDecisionTypeAllowed {
		t.Errorf("the administrator may know: %+v", r)
	}
	const may = `{"Effect":"Allow","Action":["iam:SimulateCustomPolicy","iam:GetUser"],"Resource":"*"}`
	for name, statements := range map[string]string{
		"ann": strings.ReplaceAll(may, "iam:GetUser", "iam:ListUsers"),
		"bob": may + `,{"Effect":"Deny","Action":"iam:GetUser","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/level":"secret"}}}`,
		"cyd": may + `,{"Effect":"Deny","Action":"iam:GetUser","Resource":"*","Condition":{"StringEquals":{"iam:ResourceTag/level":"secret"}}}`,
	} {
		out, err = w.user(t, name, "["+statements+"]").SimulateCustomPolicy(ctx, in)
		must(t, err)
		if r := out.EvaluationResults[0]; r.EvalDecision != types.PolicyEvaluationDecisionTypeImplicitDeny || len(r.MissingContextValues) != 1 {
			t.Errorf("%s may not know: %+v", name, r)
		}
	}
}

// TestInquiriesAreRefusedByTags holds that what is told of a user, role or policy can be forbidden by its tags.
func TestInquiriesAreRefusedByTags(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	tags := map[string]string{"level": "secret"}
	_, err := w.IAM.CreateUser(ctx, iam.User{Account: account, Name: "eve", Tags: tags})
	must(t, err)
	_, err = w.IAM.CreateRole(ctx, iam.Role{Account: account, Name: "app", Trust: policy.NewSource(trustEKS), Tags: tags})
	must(t, err)
	for _, key := range []string{"aws", "iam"} {
		c := w.user(t, key, `[{"Effect":"Allow","Action":"iam:*","Resource":"*"},`+
			`{"Effect":"Deny","Action":"iam:*","Resource":"*","Condition":{"StringEquals":{"`+key+`:ResourceTag/level":"secret"}}}]`)
		for _, name := range []string{"user/eve", "role/app"} {
			about := aws.String("arn:aws:iam::" + account + ":" + name)
			_, err := c.SimulatePrincipalPolicy(ctx, &sdk.SimulatePrincipalPolicyInput{PolicySourceArn: about, ActionNames: []string{"s3:GetObject"}})
			refused(t, err, "AccessDenied", http.StatusForbidden, "")
			_, err = c.GetContextKeysForPrincipalPolicy(ctx, &sdk.GetContextKeysForPrincipalPolicyInput{PolicySourceArn: about})
			refused(t, err, "AccessDenied", http.StatusForbidden, "")
			_, err = c.GenerateServiceLastAccessedDetails(ctx, &sdk.GenerateServiceLastAccessedDetailsInput{Arn: about})
			refused(t, err, "AccessDenied", http.StatusForbidden, "")
			_, err = c.ListPoliciesGrantingServiceAccess(ctx, &sdk.ListPoliciesGrantingServiceAccessInput{Arn: about, ServiceNamespaces: []string{"s3"}})
			refused(t, err, "AccessDenied", http.StatusForbidden, "")
		}
	}
}

func TestGetContextKeys(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	documents := []string{
		policyOf(`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}","Condition":{"Bool":{"aws:SecureTransport":"true"}}}`),
		policyOf(`{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"Null":{"AWS:UserName":"true"}}}`),
	}
	custom, err := w.admin.GetContextKeysForCustomPolicy(ctx, &sdk.GetContextKeysForCustomPolicyInput{PolicyInputList: documents})
	must(t, err)
	diff(t, custom.ContextKeyNames, []string{"aws:SecureTransport", "aws:username"})
	w.user(t, "ann", `[{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"a"}}}]`)
	ann := "arn:aws:iam::" + account + ":user/ann"
	principal, err := w.admin.GetContextKeysForPrincipalPolicy(ctx, &sdk.GetContextKeysForPrincipalPolicyInput{
		PolicySourceArn: &ann, PolicyInputList: documents[:1],
	})
	must(t, err)
	diff(t, principal.ContextKeyNames, []string{"aws:RequestTag/team", "aws:SecureTransport", "aws:username"})
	_, err = w.admin.GetContextKeysForCustomPolicy(ctx, &sdk.GetContextKeysForCustomPolicyInput{PolicyInputList: []string{`[]`}})
	refused(t, err, "InvalidInput", http.StatusBadRequest, "")
}

// TestSimulationAgrees holds that a simulation of a user comes out as the user's requests do.
func TestSimulationAgrees(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	role, err := w.admin.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("app"), AssumeRolePolicyDocument: aws.String(trustEKS)})
	must(t, err)
	bound, err := w.IAM.CreatePolicy(ctx, iam.ManagedPolicy{Account: account, Name: "bound"}, policyOf(`{"Effect":"Allow","Action":"iam:Get*","Resource":"*"}`))
	must(t, err)
	statements := []string{
		`{"Effect":"Allow","Action":"iam:*","Resource":"*"}`,
		`{"Effect":"Allow","Action":"iam:GetRole","Resource":"arn:aws:iam::*:role/app"}`,
		`{"Effect":"Deny","Action":"iam:ListRoleTags","Resource":"*"},{"Effect":"Allow","Action":"iam:List*","Resource":"*"}`,
		`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:username":"u3"}}}`,
	}
	for i, statement := range statements {
		name := fmt.Sprintf("u%d", i)
		client := w.user(t, name, `[`+statement+`]`)
		if i%2 == 1 {
			_, err := w.IAM.UpdateUser(ctx, account, name, func(u *iam.User) error { u.Boundary = bound.ARN(); return nil })
			must(t, err)
		}
		_, read := client.GetRole(ctx, &sdk.GetRoleInput{RoleName: aws.String("app")})
		_, tags := client.ListRoleTags(ctx, &sdk.ListRoleTagsInput{RoleName: aws.String("app")})
		out, err := w.admin.SimulatePrincipalPolicy(ctx, &sdk.SimulatePrincipalPolicyInput{
			PolicySourceArn: aws.String("arn:aws:iam::" + account + ":user/" + name), ActionNames: []string{"iam:GetRole", "iam:ListRoleTags"},
			ResourceArns: []string{*role.Role.Arn},
		})
		must(t, err)
		for j, err := range []error{read, tags} {
			if r := out.EvaluationResults[j]; (r.EvalDecision == types.PolicyEvaluationDecisionTypeAllowed) != (err == nil) {
				t.Errorf("%s: simulated %s, and really %v", statement, r.EvalDecision, err)
			}
		}
	}
}

// TestSimulationsAreBounded holds that no simulation keeps the control plane busy: of expensive ones a page has few results, and those
// that cannot be cut are refused.
func TestSimulationsAreBounded(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	many := func(format string, n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = `"` + fmt.Sprintf(format, i) + `"`
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	slow := "*" + strings.Repeat("?a", 15) + strings.Repeat("a", 450) + "b*%d"
	in := &sdk.SimulateCustomPolicyInput{
		PolicyInputList: []string{policyOf(`{"Effect":"Allow","Action":"*","Resource":` + many("arn:aws:s3:::"+slow, 200) + `}`)}, MaxItems: aws.Int32(1000),
	}
	for i := range 30 {
		in.ActionNames = append(in.ActionNames, fmt.Sprint("s3:Get", i))
		in.ResourceArns = append(in.ResourceArns, "arn:aws:s3:::"+strings.Repeat("a", 1000)+strconv.Itoa(i))
	}
	out, err := w.admin.SimulateCustomPolicy(ctx, in)
	must(t, err)
	if n := len(out.EvaluationResults); n == 0 || n > 20 || !out.IsTruncated {
		t.Errorf("a page of an expensive simulation has %d results", n)
	}
	in.ActionNames, in.ResourceArns = in.ActionNames[:1], nil
	in.PolicyInputList = []string{policyOf(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ForAnyValue:StringLike":{"x:key":` +
		many("*"+strings.Repeat("?a", 15)+"b*%d", 2500) + `}}}`)}
	in.ContextEntries = []types.ContextEntry{{
		ContextKeyName: aws.String("x:key"), ContextKeyType: types.ContextKeyTypeEnumStringList, ContextKeyValues: make([]string, 1000),
	}}
	for i := range in.ContextEntries[0].ContextKeyValues {
		in.ContextEntries[0].ContextKeyValues[i] = strings.Repeat("a", 250)
	}
	_, err = w.admin.SimulateCustomPolicy(ctx, in)
	refused(t, err, "InvalidInput", http.StatusBadRequest, "The policies are too long to be simulated with so many and so long context values")
}
