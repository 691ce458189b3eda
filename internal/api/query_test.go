package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdkiam "github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/fault"
)

var plainStructs = cmpopts.IgnoreUnexported(sts.AssumeRoleInput{}, ststypes.Tag{}, ststypes.PolicyDescriptorType{}, ststypes.ProvidedContext{},
	sdkiam.CreateRoleInput{}, iamtypes.Tag{})

func TestQueryDecodes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, form string
		want       *sts.AssumeRoleInput // nil: refused
		text       string               // of the refusal
	}{
		{
			"everything", "Action=Act&Version=1&RoleArn=arn%3Aa&RoleSessionName=s+1&DurationSeconds=900" +
				"&Tags.member.2.Key=b&Tags.member.2.Value=&Tags.member.1.Key=a&Tags.member.1.Value=1&TransitiveTagKeys.member.1=a&PolicyArns.member.1.arn=p",
			&sts.AssumeRoleInput{
				RoleArn: aws.String("arn:a"), RoleSessionName: aws.String("s 1"), DurationSeconds: aws.Int32(900),
				Tags:              []ststypes.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String("")}},
				TransitiveTagKeys: []string{"a"}, PolicyArns: []ststypes.PolicyDescriptorType{{Arn: aws.String("p")}},
			}, "",
		},
		{"unknown parameter", "Action=Act&Else=1&Else.member.1.x=1", &sts.AssumeRoleInput{}, ""},
		{"empty list", "Action=Act&Tags=", &sts.AssumeRoleInput{Tags: []ststypes.Tag{}}, ""},
		{"another letter case", "Action=Act&ROLEARN=x", &sts.AssumeRoleInput{}, ""},
		{"given twice", "Action=Act&RoleArn=a&RoleArn=b", nil, "The parameter RoleArn is given more than once"},
		{"given in two spellings", "Action=Act&RoleArn=a&roleArn=b", nil, "The parameter RoleArn is given more than once"},
		{"list with a gap", "Action=Act&PolicyArns.member.2.arn=p", nil, "The list PolicyArns must be numbered from 1 without a gap"},
		{"list numbered in another way", "Action=Act&PolicyArns.member.01.arn=p", nil, "The list PolicyArns must be numbered from 1 without a gap"},
		{"list from zero", "Action=Act&PolicyArns.member.0.arn=p&PolicyArns.member.1.arn=q", nil, "The list PolicyArns must be numbered from 1 without a gap"},
		{"flat list", "Action=Act&PolicyArns.1.arn=p", nil, "The list PolicyArns is not of the form PolicyArns.member.N"},
		{"list of both forms", "Action=Act&PolicyArns.1.arn=p&PolicyArns.member.1.arn=p", nil, "The list PolicyArns is not of the form PolicyArns.member.N"},
		{"list with a text", "Action=Act&PolicyArns=p", nil, "The list PolicyArns is not of the form PolicyArns.member.N"},
		{"members of a text", "Action=Act&Policy.x=1", nil, "The parameter Policy has no members"},
		{"not a number", "Action=Act&DurationSeconds=1e3", nil, "The value of DurationSeconds is not valid"},
		{"number out of range", "Action=Act&DurationSeconds=4294968196", nil, "The value of DurationSeconds is not valid"},
		{"not UTF-8", "Action=Act&RoleArn=%ff", nil, `The parameter "RoleArn" is not UTF-8`},
		{"bad escape", "Action=Act&RoleArn=%zz", nil, "The request is not a well-formed form"},
		{"semicolon", "Action=Act;RoleArn=x", nil, "The request is not a well-formed form"},
		{"deep", "Action=Act&a.b.c.d.e.f.g.h.i=1", nil, "The parameter a.b.c.d.e.f.g.h.i nests too deep"},
		{"many", "Action=Act" + strings.Repeat("&a=1", 2000), nil, "A request has at most 2000 parameters"},
		{"another version", "Action=Act&Version=2", nil, "Could not find operation Act for version 2"},
		{"no action", "Version=1", nil, "Could not find operation  for version 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got sts.AssumeRoleInput
			err := api.DecodeQuery(tt.form, &got)
			if tt.want == nil {
				if err == nil || fault.Of(err).Public != tt.text {
					t.Errorf("got  %v\nwant %s", err, tt.text)
				}
				return
			}
			must(t, err)
			if diff := cmp.Diff(tt.want, &got, plainStructs); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestQueryBounds(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("Action=Act")
	for i := 1; i < 1999; i++ {
		fmt.Fprintf(&b, "&Tags.member.%d.Key=k", i)
	}
	var in sdkiam.CreateRoleInput
	must(t, api.DecodeQuery(b.String(), &in))
	if len(in.Tags) != 1998 {
		t.Errorf("%d tags", len(in.Tags))
	}
}

// TestQueryAnswers holds answers and failures to the letter.
func TestQueryAnswers(t *testing.T) {
	t.Parallel()
	const iamNS, stsNS = `xmlns="https://iam.amazonaws.com/doc/2010-05-08/"`, `xmlns="https://sts.amazonaws.com/doc/2011-06-15/"`
	w0 := newWorld(t, true)
	tests := []struct {
		name, service, body string
		status              int
		want                string // ID stands for the request's
	}{
		{
			"everything", "iam", "Action=CreateRole&RoleName=a&Description=%3C%2FRole%3E%26%00&MaxSessionDuration=3600&Tags.member.1.Key=k&Tags.member.1.Value=", 200,
			`<CreateRoleResponse ` + iamNS + `><CreateRoleResult><Role><CreateDate>2026-11-24T08:00:00Z</CreateDate><RoleName>a</RoleName>` +
				`<Description>&lt;/Role&gt;&amp;` + "\uFFFD" + `</Description><MaxSessionDuration>3600</MaxSessionDuration><Tags><member><Key>k</Key><Value></Value></member></Tags>` +
				`</Role></CreateRoleResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></CreateRoleResponse>`,
		},
		{
			"nothing", "iam", "Action=DeleteRole&RoleName=a", 200,
			`<DeleteRoleResponse ` + iamNS + `><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></DeleteRoleResponse>`,
		},
		{
			"failure", "sts", "Action=AssumeRoleWithWebIdentity", 400,
			`<ErrorResponse ` + stsNS + `><Error><Type>Sender</Type><Code>ValidationError</Code><Message>no token &amp; no &lt;role&gt;</Message></Error><RequestId>ID</RequestId></ErrorResponse>`,
		},
		{
			"no such action", "iam", "Action=%3Cscript%3E", 400,
			`<ErrorResponse ` + iamNS + `><Error><Type>Sender</Type><Code>InvalidAction</Code><Message>Could not find operation &lt;script&gt; for version 2010-05-08</Message></Error><RequestId>ID</RequestId></ErrorResponse>`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			answer := w0.do(w0.signed(t, tt.service, region, "POST", "/", form, tt.body))
			id := answer.Header().Get("X-Amzn-Requestid")
			if answer.Code != tt.status || id == "" || answer.Header().Get("Content-Type") != "text/xml" {
				t.Errorf("answered %d %v", answer.Code, answer.Header())
			}
			if diff := cmp.Diff(strings.Replace(tt.want, "ID<", id+"<", 1), answer.Body.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
