package api_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/fault"
)

// TestRESTJSON holds requests and answers to the letter.
func TestRESTJSON(t *testing.T) {
	t.Parallel()
	const create = "/clusters/c/pod-identity-associations"
	w0 := newWorld(t, true)
	tests := []struct {
		name, method, target, body string
		status                     int
		code, want                 string
	}{
		{
			"create", "POST", create, `{"namespace":"shop","roleArn":"r","tags":{"k":"<&>"},"disableSessionTags":true,"unknown":1}`, 200, "",
			`{"association":{"clusterName":"c","createdAt":1795507200,"disableSessionTags":true,"namespace":"shop","roleArn":"r","tags":{"k":"\u003c\u0026\u003e"}}}`,
		},
		{
			"a body cannot replace a label", "POST", create, `{"clusterName":"other","ClusterName":"other","CLUSTERNAME":"other"}`, 200, "",
			`{"association":{"clusterName":"c","createdAt":1795507200}}`,
		},
		{
			"a query cannot replace a label", "POST", create + "?clusterName=other", `{}`, 200, "",
			`{"association":{"clusterName":"c","createdAt":1795507200}}`,
		},
		{"no body", "POST", create, "", 200, "", `{"association":{"clusterName":"c","createdAt":1795507200}}`},
		{"null", "POST", create, "null", 200, "", `{"association":{"clusterName":"c","createdAt":1795507200}}`},
		{
			"encoded label", "POST", "/clusters/a%2Fb%3A%2E/pod-identity-associations", "{}", 200, "",
			`{"association":{"clusterName":"a/b:.","createdAt":1795507200}}`,
		},
		{
			"empty label", "POST", "/clusters//pod-identity-associations", "{}", 404, "UnknownOperationException",
			`{"message":"No operation of this service answers POST /clusters//pod-identity-associations"}`,
		},
		{"label that is no UTF-8", "POST", "/clusters/%ff/pod-identity-associations", "{}", 404, "UnknownOperationException", ""},
		{"a body of a GET is not read", "GET", "/clusters", `{"maxResults":7}`, 200, "", `{}`},
		{"numbers and lists in the query", "GET", "/clusters?maxResults=7&include=a&include=b", "", 200, "", `{"include":["a","b"],"maxResults":7}`},
		{"query names have one spelling", "GET", "/clusters?MaxResults=7", "", 200, "", `{}`},
		{"number twice", "GET", "/clusters?maxResults=7&maxResults=8", "", 400, "InvalidParameterException", `{"message":"The value of maxResults is not valid"}`},
		{"not a number", "GET", "/clusters?maxResults=x", "", 400, "InvalidParameterException", `{"message":"The value of maxResults is not valid"}`},
		{"number out of range", "GET", "/clusters?maxResults=2147483648", "", 400, "InvalidParameterException", `{"message":"The value of maxResults is not valid"}`},
		{
			"list of strings", "DELETE", "/tags/arn%3Aaws%3Aeks%3Ar%3A1%3Acluster%2Fc?tagKeys=a&tagKeys=b", "", 200, "",
			`{"resourceArn":"arn:aws:eks:r:1:cluster/c","tagKeys":["a","b"]}`,
		},
		{"not JSON", "POST", create, "{", 400, "SerializationException", `{"message":"The request body is not the JSON that this operation expects"}`},
		{"two documents", "POST", create, "{}{}", 400, "SerializationException", ""},
		{"wrong type", "POST", create, `{"roleArn":1}`, 400, "SerializationException", ""},
		{"deep", "POST", create, strings.Repeat("[", 100_000), 400, "SerializationException", ""},
		{"nothing to answer", "GET", "/clusters/empty", "", 200, "", `{}`},
		{"members of an error", "GET", "/clusters/c", "", 404, "ResourceNotFoundException", `{"clusterName":"c","message":"No cluster found for name: c."}`},
		{"an answer that cannot be written", "GET", "/broken", "", 500, "InternalFailure", `{"message":"internal failure"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			answer := w0.do(w0.signed(t, "eks", region, tt.method, tt.target, jsonType, tt.body))
			h := answer.Header()
			if answer.Code != tt.status || h.Get("X-Amzn-Errortype") != tt.code || h.Get("Content-Type") != "application/json" || h.Get("X-Amzn-Requestid") == "" {
				t.Errorf("answered %d %v", answer.Code, h)
			}
			if diff := cmp.Diff(tt.want, answer.Body.String()); tt.want != "" && diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMatchURI(t *testing.T) {
	t.Parallel()
	tests := []struct {
		template, path string
		want           map[string][]string // nil: no match
	}{
		{"/clusters", "/clusters", map[string][]string{}},
		{"/clusters", "/clusters/", nil},
		{"/clusters", "/Clusters", nil},
		{"/clusters/{name}", "/clusters/a", map[string][]string{"name": {"a"}}},
		{"/clusters/{name}", "/clusters/%2e%2e", map[string][]string{"name": {".."}}},
		{"/clusters/{name}", "/clusters/a%2", nil},
		{"/clusters/{name}", "/clusters/a/b", nil},
		{"/a/{x}/b/{y}", "/a/1/b/2", map[string][]string{"x": {"1"}, "y": {"2"}}},
	}
	for _, tt := range tests {
		got, ok := api.MatchURI(tt.template, tt.path)
		if ok != (tt.want != nil) || ok && !cmp.Equal(map[string][]string(got), tt.want) {
			t.Errorf("%s matches %s: %v, %v", tt.template, tt.path, ok, got)
		}
	}
}

// TestFaults holds which row of a table counts.
func TestFaults(t *testing.T) {
	t.Parallel()
	row := func(kind fault.Kind, subject, code string) api.Rule {
		return api.Rule{Kind: kind, Subject: subject, Shape: api.Shape{Code: code, Status: 400}}
	}
	service := api.Faults{row(fault.Invalid, "", "own"), row(fault.Internal, "", "own internal"), row(fault.Denied, "role", "own role")}
	front := api.Faults{row(fault.Invalid, "", "front"), row(fault.Invalid, "body", "front body"), row(fault.Internal, "", "front internal")}
	both := append(slices.Clone(service), front...)
	tests := []struct {
		table   api.Faults
		kind    fault.Kind
		subject string
		want    string
	}{
		{both, fault.Invalid, "x", "own"},
		{both, fault.Invalid, "body", "front body"},
		{both, fault.Denied, "role", "own role"},
		{both, fault.Denied, "action", "own internal"},
		{both, fault.Internal, "x", "own internal"},
		{front, fault.Denied, "action", "front internal"},
		{nil, fault.Denied, "action", "InternalFailure"},
	}
	for _, tt := range tests {
		got := tt.table.Shape(fault.New(tt.kind, tt.subject, "x"))
		if got.Code != tt.want || got.Status == 0 {
			t.Errorf("%v %s is %+v, want %s", tt.kind, tt.subject, got, tt.want)
		}
	}
}
