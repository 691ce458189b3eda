package api_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/fault"
)

const (
	json11Type = "application/x-amz-json-1.1"
	target     = "AWSOrganizationsV20161128"
)

func organizationsService() *api.Typed {
	type (
		in     = organizations.CreateOrganizationalUnitInput
		out    = organizations.CreateOrganizationalUnitOutput
		listIn = organizations.ListAccountsInput
		list   = organizations.ListAccountsOutput
	)
	return &api.Typed{
		SigningName: "organizations", EventSource: "organizations.amazonaws.com", Protocol: api.JSON11{Target: target, Message: "Message"},
		Faults: api.Faults{{Kind: fault.Limit, Shape: api.Shape{Code: "ConstraintViolationException", Status: http.StatusBadRequest}}},
		Operations: []api.AnyOperation{
			api.Op(api.Operation[in, out]{
				Name: "CreateOrganizationalUnit", Action: "organizations:CreateOrganizationalUnit",
				Run: func(_ context.Context, _ *api.Call, in *in) (*out, error) {
					if aws.ToString(in.Name) == "" {
						return nil, fault.New(fault.Limit, "constraint", "Too many.").With("Reason", "OU_NUMBER_LIMIT_EXCEEDED")
					}
					return &out{OrganizationalUnit: &orgtypes.OrganizationalUnit{Id: in.ParentId, Name: in.Name}}, nil
				},
			}),
			api.Op(api.Operation[listIn, list]{
				Name: "ListAccounts", Action: "organizations:ListAccounts", ReadOnly: true,
				Run: func(context.Context, *api.Call, *listIn) (*list, error) {
					return &list{Accounts: []orgtypes.Account{{Id: aws.String("1"), JoinedTimestamp: &now, State: orgtypes.AccountStateActive}}}, nil
				},
			}),
		},
	}
}

// targeted signs a request for an operation, the name of the operation with it; empty: no operation.
func (w *world) targeted(t *testing.T, in, operation, contentType, body string) *http.Request {
	t.Helper()
	r := request(http.MethodPost, "/", contentType, body)
	if operation != "" {
		r.Header.Set("X-Amz-Target", operation)
	}
	sum := sha256.Sum256([]byte(body))
	must(t, v4.NewSigner().SignHTTP(t.Context(), w.key, r, hex.EncodeToString(sum[:]), "organizations", in, now))
	return r
}

// TestJSON11 holds requests and answers to the letter.
func TestJSON11(t *testing.T) {
	t.Parallel()
	const (
		create = target + ".CreateOrganizationalUnit"
		list   = target + ".ListAccounts"
	)
	w := newWorld(t, true)
	tests := []struct {
		name, target, contentType, body string
		status                          int
		want                            string
	}{
		{
			"members as the model spells them", create, json11Type, `{"ParentId":"r-1","Name":"a<b","Unknown":1}`, 200,
			`{"OrganizationalUnit":{"Id":"r-1","Name":"a\u003cb"}}`,
		},
		{"times, enums and absent members", list, json11Type, "{}", 200, `{"Accounts":[{"Id":"1","JoinedTimestamp":1795507200,"State":"ACTIVE"}]}`},
		{"no body", list, json11Type, "", 200, `{"Accounts":[{"Id":"1","JoinedTimestamp":1795507200,"State":"ACTIVE"}]}`},
		{"parameters of the content type", list, json11Type + "; charset=utf-8", "null", 200, ""},
		{
			"members of an error", create, json11Type, `{"ParentId":"r-1"}`, 400,
			`{"Message":"Too many.","Reason":"OU_NUMBER_LIMIT_EXCEEDED","__type":"ConstraintViolationException"}`,
		},
		{
			"unknown operation", target + ".Nothing", json11Type, "{}", 400,
			`{"Message":"No operation of this service answers AWSOrganizationsV20161128.Nothing","__type":"UnknownOperationException"}`,
		},
		{
			"another service's operation", "Other.ListAccounts", json11Type, "{}", 400,
			`{"Message":"No operation of this service answers Other.ListAccounts","__type":"UnknownOperationException"}`,
		},
		{
			"no operation", "", json11Type, "{}", 400,
			`{"Message":"The header X-Amz-Target must be given once","__type":"UnknownOperationException"}`,
		},
		{
			"another content type", list, "application/json", "{}", 400,
			`{"Message":"The content type of a request must be application/x-amz-json-1.1","__type":"SerializationException"}`,
		},
		{
			"not JSON", create, json11Type, "{", 400,
			`{"Message":"The request body is not the JSON that this operation expects","__type":"SerializationException"}`,
		},
		{
			"wrong type", create, json11Type, `{"Name":1}`, 400,
			`{"Message":"The request body is not the JSON that this operation expects","__type":"SerializationException"}`,
		},
		{"deep", create, json11Type, strings.Repeat("[", 100_000), 400, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			answer := w.do(w.targeted(t, region, tt.target, tt.contentType, tt.body))
			h := answer.Header()
			if answer.Code != tt.status || h.Get("Content-Type") != json11Type || h.Get("X-Amzn-Requestid") == "" {
				t.Errorf("answered %d %v", answer.Code, h)
			}
			if diff := cmp.Diff(tt.want, answer.Body.String()); tt.want != "" && diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestJSON11Front holds how requests are refused before they reach the service, and that it has no region.
func TestJSON11Front(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	global := w.targeted(t, "us-east-1", target+".ListAccounts", json11Type, "{}")
	if answer := w.do(global); answer.Code != http.StatusOK {
		t.Errorf("signed for us-east-1: %d %s", answer.Code, answer.Body)
	}
	get := w.signed(t, "organizations", region, http.MethodGet, "/x", "", "")
	if answer := w.do(get); jsonOf(t, answer)["__type"] != "UnknownOperationException" {
		t.Errorf("GET: %s", answer.Body)
	}
	unsigned := request(http.MethodPost, "/", json11Type, "{}")
	unsigned.Header.Set("X-Amz-Target", target+".ListAccounts")
	if answer := w.do(unsigned); jsonOf(t, answer)["__type"] != "MissingAuthenticationTokenException" {
		t.Errorf("unsigned: %s", answer.Body)
	}
	elsewhere := w.targeted(t, "eu-west-9", target+".ListAccounts", json11Type, "{}")
	if answer := w.do(elsewhere); jsonOf(t, answer)["__type"] != "InvalidSignatureException" {
		t.Errorf("another region: %s", answer.Body)
	}
	twice := w.targeted(t, region, target+".ListAccounts", json11Type, "{}")
	twice.Header.Add("X-Amz-Target", target+".CreateOrganizationalUnit")
	if answer := w.do(twice); jsonOf(t, answer)["__type"] != "UnknownOperationException" {
		t.Errorf("two operations: %s", answer.Body)
	}
	swapped := w.targeted(t, region, target+".ListAccounts", json11Type, "{}")
	swapped.Header.Set("X-Amz-Target", target+".CreateOrganizationalUnit")
	if answer := w.do(swapped); jsonOf(t, answer)["__type"] != "InvalidSignatureException" {
		t.Errorf("another operation than was signed: %s", answer.Body)
	}
	w.key.SecretAccessKey = "another"
	forged := w.targeted(t, region, target+".ListAccounts", json11Type, "{}")
	if answer := w.do(forged); jsonOf(t, answer)["__type"] != "InvalidSignatureException" {
		t.Errorf("forged: %s", answer.Body)
	}
}
