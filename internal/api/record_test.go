package api_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/api"
)

// TestRecordHidesSecrets holds that no record has a token, a secret key or a signature, whoever sent or made it.
func TestRecordHidesSecrets(t *testing.T) {
	t.Parallel()
	const token, hidden = "eyJhbGciOi.eyJzdWIi.c2VjcmV0", "HIDDEN_DUE_TO_SECURITY_REASONS"
	const web = "Version=2011-06-15&Action=AssumeRoleWithWebIdentity&RoleSessionName=s1&WebIdentityToken=" + token
	w0 := newWorld(t, true)
	tests := []struct {
		name  string
		r     *http.Request
		shown bool // the record has a parameter in the secret's place
	}{
		{"token in a form", request("POST", "/", form, web), true},
		{"token in a query", request("GET", "/?"+web, "", ""), true},
		{"token, refused", request("POST", "/", form, web+"&DurationSeconds=soon"), false},
		{"token given twice", request("POST", "/", form, web+"&WebIdentityToken="+token), false},
		{"token in two spellings", request("POST", "/", form, web+"&webIdentityToken="+token), false},
		{"token with members", request("POST", "/", form, strings.Replace(web, "Token=", "Token.x=", 1)), false},
		{"made key", w0.signed(t, "iam", region, "POST", "/", form, "Action=CreateAccessKey"), true},
		{"unknown member", w0.signed(t, "eks", region, "POST", "/clusters/c/pod-identity-associations", jsonType, `{"token":"`+token+`"}`), false},
		{"malformed JSON", w0.signed(t, "eks", region, "POST", "/clusters/c/pod-identity-associations", jsonType, `{"roleArn":{"x":"`+token+`"}}`), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w0.records = nil
			w0.do(tt.r)
			_, text := w0.record(t)
			for _, secret := range []string{token, "made-secret", "Signature=", w0.key.SecretAccessKey} {
				if strings.Contains(text, secret) {
					t.Errorf("the record has %s: %s", secret, text)
				}
			}
			if strings.Contains(text, hidden) != tt.shown {
				t.Errorf("the record is %s", text)
			}
		})
	}
}

// TestRecordOfARefusal holds that the record has the whole reason, of which the caller hears its part.
func TestRecordOfARefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	r := w.signed(t, "eks", region, "DELETE", "/clusters/c", "", "")
	r.Header.Set("X-Forwarded-For", "203.0.113.9")
	r.RemoteAddr = "[fe80::1%eth0]:1234"
	answer := w.do(r)
	const want = "User: arn:aws:iam::" + account + ":user/ada is not authorized to perform: eks:DeleteCluster on resource: * " +
		"with an explicit deny in an identity-based policy (refused by the caller's identity policies: statement 2 (Keep) of all denies it)"
	if diff := cmp.Diff(map[string]any{"message": want}, jsonOf(t, answer)); diff != "" {
		t.Error(diff)
	}
	record, text := w.record(t)
	if record.ErrorMessage != want || record.ErrorCode != "AccessDeniedException" || record.EventName != "DeleteCluster" || record.ReadOnly ||
		record.AdditionalData.Status != http.StatusForbidden || record.SourceIPAddress != "fe80::1" ||
		record.UserIdentity.ARN != "arn:aws:iam::"+account+":user/ada" || record.RequestID != answer.Header().Get("X-Amzn-Requestid") {
		t.Errorf("the record is %s", text)
	}
	if !strings.Contains(text, `"decision":{"outcome":"explicitDeny"`) || strings.Contains(text, "203.0.113.9") {
		t.Errorf("the record is %s", text)
	}
}

func TestRecordOfAnInternalFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	answer := w.do(w.signed(t, "eks", region, "GET", "/clusters/broken", "", ""))
	if diff := cmp.Diff(map[string]any{"message": "internal failure"}, jsonOf(t, answer)); diff != "" {
		t.Error(diff)
	}
	if record, _ := w.record(t); record.AdditionalData.Cause != "disk 7 is on fire" || !record.ReadOnly {
		t.Errorf("the record is %+v", record)
	}
	w = newWorld(t, true)
	w.do(request("GET", "/silent", "", ""))
	if record, _ := w.record(t); record.AdditionalData.Status != http.StatusOK {
		t.Errorf("the record is %+v", record)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestRecordsTellOfAFailedWrite(t *testing.T) {
	t.Parallel()
	var told error
	api.NewRecords(brokenWriter{}, func(err error) { told = err }).Emit(&api.Record{})
	if told == nil {
		t.Error("a lost record is not told of")
	}
}
