package api_test

import (
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	sdkiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/api"
)

// FuzzQueryDecode holds that a form is read in one way or refused: twice the same, nothing that is no UTF-8, no list longer than
// the form has parameters.
func FuzzQueryDecode(f *testing.F) {
	for _, seed := range []string{
		"Action=Act&RoleArn=a", "Action=Act&Tags.member.1.Key=a&Tags.member.1.Value=b", "Action=Act&Tags=", "Action=Act&Tags.member.2.Key=a",
		"Action=Act&PolicyArns.member.1.arn=a&PolicyArns.member.1.Arn=b", "Action=Act&DurationSeconds=-1", "Action=Act&a.b.c.d.e.f.g.h=1",
		"Action=Act&=", "Action=Act&.=.", "Action=Act&RoleArn=%ff", "Action=Act&ResultMetadata.x=1", "Action=Act&Tags.member.99999999999999999999.Key=a",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, form string) {
		var first, second sts.AssumeRoleInput
		err := api.DecodeQuery(form, &first)
		again := api.DecodeQuery(form, &second)
		if (err == nil) != (again == nil) || err == nil && !cmp.Equal(first, second, plainStructs) {
			t.Fatalf("read in two ways: %v, %v", err, again)
		}
		_ = api.DecodeQuery(form, new(sdkiam.CreateRoleInput))
		if err != nil {
			return
		}
		if len(first.Tags) > strings.Count(form, "&")+1 {
			t.Fatalf("%d tags", len(first.Tags))
		}
		if first.RoleArn != nil && !utf8.ValidString(*first.RoleArn) {
			t.Fatalf("%q is no UTF-8", *first.RoleArn)
		}
	})
}

// FuzzMatchURI holds that a path that matches is the template with its labels filled in.
func FuzzMatchURI(f *testing.F) {
	for _, seed := range []string{"/clusters/a/pod-identity-associations/b", "/clusters/%2F/pod-identity-associations/..", "//", "/clusters/%zz/x/y", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		labels, ok := api.MatchURI("/clusters/{name}/pod-identity-associations/{id}", path)
		if !ok {
			return
		}
		name, id := labels.Get("name"), labels.Get("id")
		built := "clusters/" + url.PathEscape(name) + "/pod-identity-associations/" + url.PathEscape(id)
		again, ok := api.MatchURI("/clusters/{name}/pod-identity-associations/{id}", built)
		if !ok || name == "" || id == "" || !cmp.Equal(labels, again) {
			t.Fatalf("%q gives %v, %q gives %v", path, labels, built, again)
		}
	})
}

// FuzzJSON11Decode holds that a body is read in one way or refused, and that nothing in it is no UTF-8.
func FuzzJSON11Decode(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, ``, `{"Name":"a","ParentId":"r-1","Tags":[{"Key":"k","Value":"v"}]}`, `{"Name":"a","name":"b"}`, `{"Tags":null}`,
		`{"Tags":[null]}`, `{"Name":"\ud800"}`, `{"Name":1}`, `[]`, `{"Tags":{"a":"b"}}`, `{"noSmithyDocumentSerde":{}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var first, second organizations.CreateOrganizationalUnitInput
		err, again := api.DecodeJSON11(body, &first), api.DecodeJSON11(body, &second)
		if (err == nil) != (again == nil) || err == nil && !reflect.DeepEqual(first, second) {
			t.Fatalf("read in two ways: %v, %v", err, again)
		}
		if err == nil && first.Name != nil && !utf8.ValidString(*first.Name) {
			t.Fatalf("%q is no UTF-8", *first.Name)
		}
	})
}
