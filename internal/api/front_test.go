package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/arn"
)

const jsonType = "application/json"

// answerOf is status, error code and protocol of an answer.
func answerOf(answer *httptest.ResponseRecorder) string {
	code := answer.Header().Get("X-Amzn-Errortype")
	body := answer.Body.String()
	if _, rest, ok := strings.Cut(body, "<Code>"); ok {
		code, _, _ = strings.Cut(rest, "</Code>")
		code = "xml " + code
	}
	if strings.HasPrefix(body, "s3") {
		code = body
	}
	return http.StatusText(answer.Code) + " " + code
}

// TestRouting holds who answers, and in whose words, when a request is not, badly, or strangely signed.
func TestRouting(t *testing.T) {
	t.Parallel()
	const broken = "AWS4-HMAC-SHA256 Credential=x"
	const brokenEKS = "AWS4-HMAC-SHA256 Credential=AKIA/20261124/eu-central-1/eks/aws4_request"
	const web = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&WebIdentityToken=t&RoleSessionName=s1"
	w0 := newWorld(t, true)
	tests := []struct {
		name string
		r    *http.Request
		want string
	}{
		{"health", request("GET", "/healthz", "", ""), "OK "},
		{"signed, own region", w0.signed(t, "eks", region, "GET", "/clusters", "", ""), "OK "},
		{"signed, wrong region", w0.signed(t, "eks", "us-east-1", "GET", "/clusters", "", ""), "Forbidden InvalidSignatureException"},
		{"signed for IAM's region", w0.signed(t, "iam", "us-east-1", "POST", "/", form, "Action=DeleteRole"), "OK "},
		{"S3 in IAM's region", w0.signed(t, "s3", "us-east-1", "GET", "/b", "", ""), "Forbidden s3 refuses: signature"},
		{"unknown service, JSON", w0.signed(t, "kms", region, "POST", "/", jsonType, "{}"), "Not Found UnknownOperationException"},
		{"unknown service, form", w0.signed(t, "sqs", region, "POST", "/", form, "Action=X"), "Bad Request xml InvalidAction"},
		{"unknown service, else", w0.signed(t, "ec2", region, "GET", "/x", "", ""), "Forbidden s3 refuses: operation"},
		{"unsigned token call", request("POST", "/", form, web), "OK "},
		{"unsigned token call, charset", request("POST", "/", "Application/X-WWW-Form-URLEncoded; charset=utf-8", web), "OK "},
		{"unsigned token call in the query", request("GET", "/?"+web, "", ""), "OK "},
		{"unsigned JSON", request("POST", "/clusters/c/pod-identity-associations", jsonType, "{}"), "Forbidden MissingAuthenticationTokenException"},
		{"unsigned JSON, elsewhere", request("POST", "/b/k", jsonType, "{}"), "Not Found UnknownOperationException"},
		{"unsigned JSON object", request("PUT", "/b/k", jsonType, "{}"), "OK s3:Anonymous"},
		{"unsigned upload of a JSON object", request("POST", "/b/k?uploads", jsonType, ""), "OK s3:Anonymous"},
		{"unsigned GET", request("GET", "/b/k", "", ""), "OK s3:Anonymous"},
		{"broken, JSON", authorize(request("POST", "/clusters", jsonType, "{}"), broken), "Forbidden IncompleteSignatureException"},
		{"broken, form", authorize(request("POST", "/", form, web), broken), "Bad Request xml IncompleteSignature"},
		{"broken, else", authorize(request("GET", "/b/k", "", ""), broken), "Forbidden s3 refuses: signature"},
		{"broken, but names its service", authorize(request("GET", "/clusters", "", ""), brokenEKS), "Forbidden IncompleteSignatureException"},
		{"health with a broken signature", authorize(request("GET", "/healthz", "", ""), broken), "Forbidden s3 refuses: signature"},
		{"another method", w0.signed(t, "iam", region, "PUT", "/", form, "Action=DeleteRole"), "Bad Request xml InvalidAction"},
		{"another path", w0.signed(t, "iam", region, "POST", "/x", form, "Action=DeleteRole"), "Bad Request xml InvalidAction"},
		{"HEAD", w0.signed(t, "eks", region, "HEAD", "/clusters", "", ""), "Not Found UnknownOperationException"},
		{"path that would be cleaned", w0.signed(t, "eks", region, "GET", "//clusters", "", ""), "Not Found UnknownOperationException"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			answer := w0.do(tt.r)
			if diff := cmp.Diff(tt.want, answerOf(answer)); diff != "" {
				t.Errorf("%s\n%s", diff, answer.Body)
			}
		})
	}
}

func authorize(r *http.Request, header string) *http.Request {
	r.Header.Set("Authorization", header)
	return r
}

// TestUnprovenCallers holds that a record names nobody who has not proven to be it.
func TestUnprovenCallers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*world, *http.Request)
		want   string
	}{
		{"another body", func(_ *world, r *http.Request) { r.Body, r.ContentLength = http.NoBody, 0 }, "Forbidden InvalidSignatureException"},
		{"another header", func(_ *world, r *http.Request) { r.Header.Set("X-Amz-Date", "20261124T080001Z") }, "Forbidden InvalidSignatureException"},
		{"another path", func(_ *world, r *http.Request) { r.URL.Path = "/clusters/d/pod-identity-associations" }, "Forbidden InvalidSignatureException"},
		{"a header more", func(_ *world, r *http.Request) { r.Header.Set("X-Amz-Security-Token", "t") }, "Forbidden IncompleteSignatureException"},
		{"another key", func(w *world, r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), w.key.AccessKeyID, "AKIAAAAAAAAAAAAAAAAA", 1))
		}, "Forbidden UnrecognizedClientException"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, true)
			r := w.signed(t, "eks", region, "POST", "/clusters/c/pod-identity-associations", jsonType, `{"namespace":"shop"}`)
			tt.change(w, r)
			if diff := cmp.Diff(tt.want, answerOf(w.do(r))); diff != "" {
				t.Error(diff)
			}
			record, _ := w.record(t)
			if id := record.UserIdentity; id.Type != arn.Anonymous.String() || id.ARN != "" || id.UserName != "" || id.AccountID != "" ||
				record.RecipientAccountID != "" || record.RequestParameters != nil {
				t.Errorf("the record names %+v, %v", id, record.RequestParameters)
			}
		})
	}
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	large := strings.Repeat(" ", 1<<20) + "{}"
	for _, unknown := range []bool{false, true} {
		w := newWorld(t, true)
		r := w.signed(t, "eks", region, "POST", "/clusters/c/pod-identity-associations", jsonType, large)
		if unknown {
			r.ContentLength = -1
		}
		if got := answerOf(w.do(r)); got != "Request Entity Too Large RequestEntityTooLargeException" {
			t.Errorf("the answer is %s", got)
		}
		if record, _ := w.record(t); record.AdditionalData.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("the record is %+v", record)
		}
	}
}

// TestRefusedTextsAreBounded holds that a stranger cannot fill records and answers with text of their own.
func TestRefusedTextsAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 60<<10)
	for _, r := range []*http.Request{
		request("POST", "/", form, "Action="+long),
		request("POST", "/", form, "Action=A&Version="+long),
		request("POST", "/", form, long+"=&"+long+"="),
		request("POST", "/", form, "Action=AssumeRoleWithWebIdentity&a.b.c.d.e.f.g.h.i."+long+"=1"),
		request("POST", "/"+long, jsonType, "{}"),
		request("POST", "/", form, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&WebIdentityToken=t&Policy="+long+long),
	} {
		w := newWorld(t, true)
		answer := w.do(r)
		if _, text := w.record(t); len(text) > 6000 || answer.Body.Len() > 6000 {
			t.Errorf("the record has %d bytes, the answer %d", len(text), answer.Body.Len())
		}
	}
}

// TestPanics holds that a panic is answered and recorded, and that half an answer is broken off.
func TestPanics(t *testing.T) {
	t.Parallel()
	const body = `{"roleArn":"panic"}`
	for _, strict := range []bool{false, true} {
		w := newWorld(t, strict)
		answer := httptest.NewRecorder()
		p := recovered(func() {
			w.front.ServeHTTP(answer, w.signed(t, "eks", region, "POST", "/clusters/c/pod-identity-associations", jsonType, body))
		})
		record, _ := w.record(t)
		if (p != nil) != strict || answer.Code != http.StatusInternalServerError || answer.Header().Get("X-Amzn-Requestid") != record.RequestID {
			t.Errorf("strict %t: panicked with %v, answered %d %v", strict, p, answer.Code, answer.Header())
		}
		if a := record.AdditionalData; a.Status != http.StatusInternalServerError || a.Cause != "panic: [uncomparable]" || record.ErrorCode != "InternalFailure" {
			t.Errorf("the record is %+v", record)
		}
	}
	w := newWorld(t, false)
	if p := recovered(func() { w.do(request("GET", "/half", "", "")) }); p != http.ErrAbortHandler { //nolint:errorlint // a panic value
		t.Errorf("half an answer ends with %v", p)
	}
	if record, _ := w.record(t); record.AdditionalData.FaultKind != "internal" {
		t.Errorf("the record is %+v", record)
	}
}

func recovered(f func()) (p any) {
	defer func() { p = recover() }()
	f()
	return nil
}

// TestUnmodelledShapes holds that a client never sees a shape that its model lacks, and that a test never overlooks one.
func TestUnmodelledShapes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	answer := w.do(w.signed(t, "eks", region, "GET", "/clusters/unmodelled", "", ""))
	if got := answerOf(answer); got != "Internal Server Error InternalFailure" || strings.Contains(answer.Body.String(), "model") {
		t.Errorf("the answer is %s %s", got, answer.Body)
	}
	if record, _ := w.record(t); !strings.Contains(record.AdditionalData.Cause, "the model does not know this") {
		t.Errorf("the record is %+v", record)
	}
	w = newWorld(t, true)
	if recovered(func() { w.do(w.signed(t, "eks", region, "GET", "/clusters/unmodelled", "", "")) }) == nil {
		t.Error("a test would not find the shape")
	}
	w.record(t)
}
