package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/fault"
)

func newClient(t *testing.T, h http.HandlerFunc) *client.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return client.New(client.Config{
		Endpoint: s.URL + "/", Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", "token"), HTTP: s.Client(),
		Now: func() time.Time { return time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC) },
	})
}

func TestClient_signsEveryRequest(t *testing.T) {
	t.Parallel()
	var got []string
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.URL.RequestURI()+" "+string(body))
		const want = "AWS4-HMAC-SHA256 Credential=AKID/20260701/eu-west-1/podid/aws4_request, SignedHeaders="
		if a := r.Header.Get("Authorization"); !strings.HasPrefix(a, want) || r.Header.Get("X-Amz-Security-Token") != "token" {
			t.Errorf("got Authorization %q", a)
		}
		fmt.Fprint(w, `{"accountId":"1","accounts":[{"accountId":"1","name":"one"}],"revision":7}`)
	})
	ctx := t.Context()
	_, err1 := c.CreateAccount(ctx, client.NewAccount{AccountID: "1", Name: "one"})
	list, err2 := c.ListAccounts(ctx)
	err3 := c.PutClusterReport(ctx, "a/b", client.Report{Issuer: "i", Nodes: []client.ReportNode{}, Addons: []client.ReportAddon{}})
	wanted, err4 := c.WatchCluster(ctx, "local", 6, 20*time.Second)
	err5 := c.ReportEndedPods(ctx, "local", []string{"uid-1", "uid-2"})
	_, err6 := c.PreviewAssociation(ctx, "local", "team-*", "a.b")
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0] != (client.Account{AccountID: "1", Name: "one"}) || wanted.Revision != 7 {
		t.Errorf("got %v, %v", list, wanted)
	}
	want := []string{
		`POST /accounts {"accountId":"1","name":"one"}`,
		`GET /accounts `,
		`PUT /clusters/a%2Fb/report {"issuer":"i","jwks":"","nodes":[],"addons":[]}`,
		`GET /clusters/local/watch?after=6&waitSeconds=20 `,
		`POST /clusters/local/ended-pods {"podUids":["uid-1","uid-2"]}`,
		`GET /clusters/local/association-preview?namespace=team-%2A&serviceAccount=a.b `,
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

func TestClient_turnsRefusalsIntoFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status int
		body   string
		kind   fault.Kind
		text   string
	}{
		{404, `{"message":"no such cluster"}`, fault.NotFound, "no such cluster (ResourceNotFoundException, request id 42)"},
		{409, `{"message":"it is there"}`, fault.Exists, "it is there ("},
		{403, `{"message":"not allowed"}`, fault.Denied, "not allowed ("},
		{400, `{"message":"wrong"}`, fault.Invalid, "wrong ("},
		{429, `{"message":"slowly"}`, fault.Throttled, "slowly ("},
		{503, `{"message":"later"}`, fault.Unavailable, "later ("},
		{500, `{"message":"oh"}`, fault.Internal, "oh ("},
		{502, `<html>a proxy</html>`, fault.Internal, "Bad Gateway ("},
		{404, `{}`, fault.NotFound, "Not Found ("},
		{400, `{"message":"too many"}`, fault.Limit, "too many (ResourceLimitExceededException"},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.status, test.body), func(t *testing.T) {
			t.Parallel()
			c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
				if test.kind == fault.Limit {
					w.Header().Set("X-Amzn-Errortype", "ResourceLimitExceededException")
				}
				w.Header().Set("X-Amzn-Requestid", "42")
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
			})
			_, err := c.ListAccounts(t.Context())
			if f := fault.Of(err); f.Kind != test.kind || !strings.HasPrefix(f.Public, test.text) {
				t.Errorf("got %v %q, want %v %q", f.Kind, f.Public, test.kind, test.text)
			}
		})
	}
}

func TestClient_answersThatAreNone(t *testing.T) {
	t.Parallel()
	if _, err := newClient(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"accounts":`) }).ListAccounts(t.Context()); err == nil {
		t.Error("half an answer was taken")
	}
	cut := newClient(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "100") })
	if _, err := cut.ListAccounts(t.Context()); !errors.Is(err, fault.Unavailable) {
		t.Errorf("an answer that ends early: got %v", err)
	}
	nobody := client.New(client.Config{
		Endpoint: "http://127.0.0.1:1", Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""), HTTP: http.DefaultClient, Now: time.Now,
	})
	if _, err := nobody.ListAccounts(t.Context()); !errors.Is(err, fault.Unavailable) {
		t.Errorf("nobody there: got %v", err)
	}
	without := client.New(client.Config{
		Endpoint: "http://127.0.0.1:1", HTTP: http.DefaultClient, Now: time.Now,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errors.New("none") }),
	})
	if _, err := without.ListAccounts(t.Context()); err == nil || !strings.Contains(err.Error(), "get credentials for podid: none") {
		t.Errorf("no credentials: got %v", err)
	}
}
