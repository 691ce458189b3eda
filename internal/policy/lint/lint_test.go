package lint_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/policy/lint"
)

// wrap makes an identity policy of one statement; the statement begins at column 38 of line 2.
func wrap(statement string) string {
	return "{\"Version\": \"2012-10-17\",\n \"Statement\": " + statement + "}"
}

func allow(rest string) string { return wrap(`{"Effect":"Allow",` + rest + `}`) }

func when(condition string) string {
	return allow(`"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{` + condition + `}`)
}

func deny(condition string) string {
	return wrap(`{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{` + condition + `}}`)
}

func trust(rest string) string { return wrap(`{"Effect":"Allow",` + rest + `}`) }

// TestCheck has a document for every rule. The place of the finding is where the text after "at" stands.
func TestCheck(t *testing.T) {
	t.Parallel()
	tests := []struct {
		rule string
		kind policy.Kind
		text string
		at   string // "": the first character
	}{
		{"syntax", policy.Identity, allow(`"Action":"s3","Resource":"*"`), `"s3"`},
		{"size-over-quota", policy.Trust, trust(`"Action":"sts:AssumeRole","Principal":{"AWS":["` + strings.Repeat(`111122223333","`, 200) + `111122223333"]}`), ""},
		{"unknown-condition-key", policy.Identity, when(`"StringEquals":{"aws:PrincipalOrgIdd":"o"}`), `"aws:PrincipalOrgIdd"`},
		{"unknown-condition-key", policy.Identity, when(`"StringEquals":{"username":"o"}`), `"username"`},
		{"condition-type-mismatch", policy.Identity, when(`"StringEquals":{"aws:SourceIp":"192.0.2.1"}`), `"aws:SourceIp"`},
		{"missing-set-operator", policy.Identity, when(`"StringEquals":{"aws:TagKeys":"a"}`), `"aws:TagKeys"`},
		{"invalid-value", policy.Identity, when(`"NumericLessThan":{"s3:max-keys":"ten"}`), `"ten"`},
		{"invalid-value", policy.Identity, when(`"IpAddress":{"aws:SourceIp":"192.0.2.0/33"}`), `"192.0.2.0/33"`},
		{"multiple-bool-values", policy.Identity, when(`"Bool":{"aws:SecureTransport":["true","false"]}`), `"false"`},
		{"invalid-account", policy.Identity, allow(`"Action":"eks:*","Resource":"arn:aws:eks:us-east-1:1234:cluster/c"`), `"arn:aws:eks`},
		{"provider-mismatch", policy.Trust, trust(`"Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRoleWithSAML"`), `"sts:AssumeRoleWithSAML"`},
		{"private-source-ip", policy.Identity, when(`"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}`), `"10.0.0.0/8"`},
		{"allow-not-principal", policy.Bucket, allow(`"NotPrincipal":{"AWS":"111122223333"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"`), `"NotPrincipal"`},
		{
			"deny-not-principal", policy.Bucket,
			wrap(`{"Effect":"Deny","NotPrincipal":{"AWS":"111122223333"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}`), `"NotPrincipal"`,
		},
		{"allow-not-action", policy.Identity, allow(`"NotAction":"iam:*","Resource":"*"`), `"NotAction"`},
		{"allow-not-resource", policy.Identity, allow(`"Action":"s3:GetObject","NotResource":"arn:aws:s3:::b/*"`), `"NotResource"`},
		{"pass-role", policy.Identity, allow(`"Action":["s3:GetObject","iam:Pass*"],"Resource":"*"`), `"iam:Pass*"`},
		{"trust-everyone", policy.Trust, trust(`"Principal":"*","Action":"sts:AssumeRole"`), `"*"`},
		{"public-bucket", policy.Bucket, allow(`"Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"`), ""},
		{
			"oidc-without-audience", policy.Trust,
			trust(`"Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/oidc.example.com"},"Action":"sts:AssumeRoleWithWebIdentity",` +
				`"Condition":{"StringEquals":{"oidc.example.com:sub":"a"}}`), `"arn:aws:iam`,
		},
		{
			"oidc-without-subject", policy.Trust,
			trust(`"Principal":{"Federated":"oidc.example.com"},"Action":"sts:AssumeRoleWithWebIdentity",` +
				`"Condition":{"StringEquals":{"oidc.example.com:aud":"a"},"StringLike":{"oidc.example.com:sub":"*"}}`), `"oidc.example.com"`,
		},
		{"service-without-source", policy.Trust, trust(`"Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"`), `"ec2.amazonaws.com"`},
		{"for-all-values-allow", policy.Identity, when(`"ForAllValues:StringEquals":{"aws:TagKeys":"a"}`), `"aws:TagKeys"`},
		{"set-operator-on-single-value", policy.Identity, when(`"ForAnyValue:StringEquals":{"aws:username":"a"}`), `"aws:username"`},
		{"mfa-bool-deny", policy.Identity, deny(`"Bool":{"aws:MultiFactorAuthPresent":false}`), `"aws:MultiFactorAuthPresent"`},
		{"source-ip-without-via-service", policy.Identity, deny(`"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}`), `"aws:SourceIp"`},
		{"wildcard-service", policy.Identity, allow(`"Action":"*:Get*","Resource":"*"`), `"*:Get*"`},
		{"missing-paired-key", policy.Identity, when(`"IpAddress":{"aws:Ec2InstanceSourcePrivateIPv4":"10.0.0.1"}`), `"aws:Ec2InstanceSourcePrivateIPv4"`},
		{"old-version", policy.Bucket, `{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b"}}`, ""},
		{
			"variable-in-old-version", policy.Bucket,
			`{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:userid}"}}`, `"arn:aws:s3`,
		},
		{"wildcard-without-like", policy.Identity, when(`"StringEquals":{"aws:username":"dev-*"}`), `"dev-*"`},
		{"unique-id-principal", policy.Trust, trust(`"Principal":{"AWS":"AROAEXAMPLEEXAMPLE001"},"Action":"sts:AssumeRole"`), `"AROAEXAMPLEEXAMPLE001"`},
		{"deprecated-key", policy.Identity, when(`"StringEquals":{"aws:SourceOwner":"111122223333"}`), `"aws:SourceOwner"`},
		{"epoch-date", policy.Identity, when(`"DateLessThan":{"aws:CurrentTime":"1767225600"}`), `"1767225600"`},
		{"operator-case", policy.Identity, when(`"forAnyValue:stringequalsifexists":{"aws:TagKeys":"a"}`), `"forAnyValue`},
		{"unknown-action", policy.Identity, allow(`"Action":"sts:AssumeRoles","Resource":"*"`), `"sts:AssumeRoles"`},
		{"action-resource-mismatch", policy.Identity, allow(`"Action":"s3:GetObject","Resource":"arn:aws:s3:::b"`), `"s3:GetObject"`},
		{"action-resource-mismatch", policy.Identity, allow(`"Action":"s3:ListBucket","Resource":"arn:aws:s3:::b/*"`), `"s3:ListBucket"`},
		{"blank-in-action", policy.Identity, allow(`"Action":"s3: GetObject","Resource":"*"`), `"s3: GetObject"`},
		{"empty-list", policy.Identity, when(`"StringEquals":{"aws:username":[]}`), `"aws:username"`},
		{"empty-condition", policy.Identity, when(``), `{"Effect"`},
		{"empty-condition", policy.Identity, when(`"Bool":{}`), `"Bool"`},
		{"empty-sid", policy.Identity, allow(`"Sid":"","Action":"s3:GetObject","Resource":"*"`), `""`},
		{"redundant-value", policy.Identity, allow(`"Action":["s3:getobject","s3:Get*"],"Resource":"*"`), `"s3:getobject"`},
		{"redundant-value", policy.Identity, when(`"StringEquals":{"aws:username":["a","b","a"]}`), `"a"]`},
		{
			"redundant-principal", policy.Trust,
			trust(`"Principal":{"AWS":["arn:aws:iam::111122223333:role/r","arn:aws:sts::111122223333:assumed-role/r/s"]},"Action":"sts:AssumeRole"`),
			`"arn:aws:sts`,
		},
		{
			"redundant-statement", policy.Identity,
			wrap(`[{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Sid":"X","Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]`), `{"Sid":"X"`,
		},
		{"cidr-host-bits", policy.Identity, when(`"IpAddress":{"aws:SourceIp":"192.0.2.7/24"}`), `"192.0.2.7/24"`},
	}
	tested := map[string]bool{}
	for _, tt := range tests {
		tested[tt.rule] = true
		line, column := 1, 1
		if before, _, ok := strings.Cut(tt.text, tt.at); ok && tt.at != "" {
			line, column = 1+strings.Count(before, "\n"), 1+len(before[strings.LastIndexByte(before, '\n')+1:])
		}
		got := lint.Check(tt.kind, tt.text)
		match := func(f lint.Finding) bool { return f.Rule == tt.rule && f.Line == line && f.Column == column }
		if !slices.ContainsFunc(got, match) {
			t.Errorf("no %s at %d:%d in %s\ngot %+v", tt.rule, line, column, tt.text, got)
		}
		for _, f := range got {
			if f.Severity == "" || f.Message == "" {
				t.Errorf("incomplete: %+v", f)
			}
		}
	}
	for _, r := range lint.Rules() {
		if !tested[r.ID] {
			t.Errorf("rule %s has no case", r.ID)
		}
	}
}

// TestNothingToSay: documents as the reference recommends them.
func TestNothingToSay(t *testing.T) {
	t.Parallel()
	for i, tt := range []struct {
		kind policy.Kind
		text string
	}{
		{policy.Identity, allow(`"Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::b/${aws:PrincipalTag/team}/*"`)},
		{policy.Identity, allow(`"Action":"s3:ListBucket","Resource":"arn:aws:s3:::b","Condition":{"StringLike":{"s3:prefix":["a/*","b/*"]}}`)},
		{policy.Identity, allow(`"Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"eks.amazonaws.com"}}`)},
		{policy.Identity, deny(`"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}`)},
		{policy.Identity, when(`"ForAllValues:StringEquals":{"aws:TagKeys":"a"},"Null":{"aws:TagKeys":"false"}`)},
		{policy.Trust, trust(`"Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]`)},
		{policy.Trust, trust(`"Principal":{"Federated":"oidc.example.com"},"Action":"sts:AssumeRoleWithWebIdentity",` +
			`"Condition":{"StringEquals":{"oidc.example.com:aud":"a","oidc.example.com:sub":"repo:x"}}`)},
	} {
		if got := lint.Check(tt.kind, tt.text); len(got) > 0 {
			t.Errorf("%d: %+v\n%s", i, got, tt.text)
		}
	}
}

// FuzzCheck: no text makes the checker panic, and every finding is of a known rule and stands in the text.
func FuzzCheck(f *testing.F) {
	f.Add(uint8(0), when(`"ForAllValues:StringEquals":{"aws:TagKeys":["a*","a"]}`))
	f.Add(uint8(5), trust(`"Principal":{"Federated":"a:b","AWS":["*","x"]},"Action":"sts:AssumeRole"`))
	f.Add(uint8(6), `{"Statement":[{"Effect":"Allow","Action":[],"NotResource":"arn:::::"}]}`)
	known := fmt.Sprint(lint.Rules())
	f.Fuzz(func(t *testing.T, kind uint8, text string) {
		for _, x := range lint.Check(policy.Kind(kind%7), text) {
			if !strings.Contains(known, "{"+x.Rule+" ") || x.Line < 1 || x.Column < 1 || x.Line > 1+strings.Count(text, "\n") {
				t.Fatalf("%+v", x)
			}
		}
	})
}
