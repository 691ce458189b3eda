package s3api_test

import (
	"encoding/xml"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/credential"
)

// TestEncodedMessage holds that a refusal has its reasons in a header, for those who may decode them, and that nobody who
// was not proven gets any.
func TestEncodedMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.ring.Mint(t.Context(), credential.Session{ // makes the first key
		Principal: arn.Principal{Kind: arn.RoleSession}, ExpiresAt: time.Now().Add(time.Hour),
	})
	must(t, err)
	name := w.bucket()
	refused := func(method, url string) (message, text string) {
		t.Helper()
		resp, body := w.raw(method, strings.TrimPrefix(url, w.server.URL), nil, nil)
		if resp.StatusCode != http.StatusForbidden {
			t.Fatalf("status %d: %s", resp.StatusCode, body)
		}
		var e struct{ Code, Message string }
		if method != http.MethodHead {
			must(t, xml.Unmarshal([]byte(body), &e))
		}
		return resp.Header.Get("X-Podid-Encoded-Message"), e.Message
	}
	key := "secret"
	signed, err := s3.NewPresignClient(w.user(other, "ada")).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: &name, Key: &key})
	must(t, err)
	message, text := refused(http.MethodGet, signed.URL)
	if strings.Contains(text, "Encoded") || w.last().ErrorMessage != text {
		t.Errorf("the text is %s, the record's %s", text, w.last().ErrorMessage)
	}
	for _, account := range []string{own, other} {
		if read, err := w.authz.Decode(t.Context(), account, message); err != nil || !strings.Contains(read, `"action":"s3:GetObject"`) {
			t.Errorf("%s reads %s, %v", account, read, err)
		}
	}
	head, err := s3.NewPresignClient(w.user(other, "bob")).PresignHeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &name, Key: &key})
	must(t, err)
	if message, _ := refused(http.MethodHead, head.URL); message == "" {
		t.Error("an answer without a body has no message")
	}
	if message, _ := refused(http.MethodGet, "/"+name+"/"+key); message != "" {
		t.Error("an anonymous caller gets a message")
	}
	forged := signed.URL[:len(signed.URL)-4] + "0000"
	if message, _ := refused(http.MethodGet, forged); message != "" {
		t.Error("a caller that is not proven gets a message")
	}
}
