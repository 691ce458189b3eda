package agent_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCredentialsAreAWSsBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := &authService{}
		w := ask(newServer(t, config(up)), podToken("app-1", time.Now().Add(time.Hour)))
		want := `{"AccessKeyId":"ASIA1","SecretAccessKey":"secret1","Token":"session1","AccountId":"444455556666",` +
			`"Expiration":"2000-01-01T06:00:00.25Z"}`
		if got := w.Body.String(); w.Code != http.StatusOK || got != want {
			t.Errorf("got %d %s, want 200 %s", w.Code, got, want)
		}
		if got := w.Header().Get("Content-Type"); got != "application/json" {
			t.Errorf("got Content-Type %q, want application/json", got)
		}
		if got, want := up.last.URL.String(), "https://podid.example.com/clusters/prod/assume-role-for-pod-identity"; got != want {
			t.Errorf("asked %s, want %s", got, want)
		}
		if got := up.last.Header.Get("Authorization"); !strings.Contains(got, "Credential=AKIANODE/20000101/us-east-1/eks-auth/aws4_request") {
			t.Errorf("signed %q", got)
		}
		var in map[string]string
		if err := json.Unmarshal(up.body, &in); err != nil {
			t.Fatal(err)
		}
		delete(in, "token")
		if diff := cmp.Diff(in, map[string]string{"eksNodeName": "worker-1"}); diff != "" {
			t.Errorf("members of the request (-got +want):\n%s", diff)
		}
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	segment := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of every bubble
	good := podToken("app-1", start.Add(time.Hour))
	const please = "Access Denied. Called agent through invalid address, please use either [169.254.170.23 fd00:ec2::23] address not "
	const parse = "Service account token cannot be parsed: "
	const basic = "Service account token failed basic claim validations: "
	for name, c := range map[string]struct {
		method, host, path, token string
		upstream                  int
		code                      string
		status                    int
		text                      string
	}{
		"another path":            {path: "/", token: good, status: 404, text: "404 page not found"},
		"a path below":            {path: "/v1/credentials/", token: good, status: 404, text: "404 page not found"},
		"a stranger's name":       {host: "evil.example.com:80", token: good, status: 403, text: please + "evil.example.com"},
		"another loopback name":   {host: "localhost", token: good, status: 403, text: please + "localhost"},
		"a longer IPv6 spelling":  {host: "[fd00:ec2:0::23]", token: good, status: 403, text: please + "fd00:ec2:0::23"},
		"no token":                {status: 400, text: "Service account token cannot be empty"},
		"a Bearer prefix":         {token: "Bearer " + good, status: 400, text: parse + "token is malformed: token contains characters outside base64url"},
		"not a token":             {token: "abc", status: 400, text: parse + "token is malformed: token contains an invalid number of segments"},
		"four segments":           {token: good + ".x", status: 400, text: parse + "token is malformed: token contains an invalid number of segments"},
		"no signature":            {token: good[:strings.LastIndexByte(good, '.')+1], status: 400, text: parse + "token is malformed: token contains an invalid number of segments"},
		"a header that is not":    {token: "AAAA.e30.x", status: 400, text: parse + "token is malformed: could not decode the header"},
		"alg none":                {token: segment(`{"alg":"none"}`) + ".e30.x", status: 400, text: parse + "token is unverifiable: signing method (alg) is unspecified"},
		"claims that are not":     {token: segment(`{"alg":"RS256"}`) + "." + segment(`{"exp":"soon"}`) + ".x", status: 400, text: parse + "token is malformed: could not decode the claims"},
		"too long":                {token: strings.Repeat("a", 17<<10), status: 400, text: parse + "token is malformed: token is too long"},
		"expired":                 {token: podToken("app-1", start), status: 400, text: basic + "token is expired"},
		"not yet valid":           {token: segment(`{"alg":"RS256"}`) + "." + segment(`{"nbf":1e10}`) + ".x", status: 400, text: basic + "token is not valid yet"},
		"no association":          {token: good, upstream: 404, code: "ResourceNotFoundException", status: 404, text: "[b69b1279]: (ResourceNotFoundException): because, fault: client"},
		"access denied":           {token: good, upstream: 400, code: "AccessDeniedException", status: 400, text: "[b69b1279]: (AccessDeniedException): because, fault: client"},
		"an error name with more": {token: good, upstream: 400, code: "InvalidTokenException:http://x", status: 400, text: "[b69b1279]: (InvalidTokenException): because, fault: client"},
		"throttled upstream":      {token: good, upstream: 429, code: "ThrottlingException", status: 429, text: "[b69b1279]: (ThrottlingException): because, fault: client"},
		"upstream fails":          {token: good, upstream: 500, code: "InternalServerException", status: 500, text: "[b69b1279]: (InternalServerException): because, fault: server"},
		"upstream unavailable":    {token: good, upstream: 503, code: "ServiceUnavailableException", status: 503, text: "[b69b1279]: (ServiceUnavailableException): because, fault: server"},
		"upstream redirects":      {token: good, upstream: 302, status: 502, text: "[b69b1279]: (UnknownError): because, fault: server"},
		"upstream is not JSON":    {token: good, upstream: 200, code: "", status: 500, text: "The service's answer cannot be used."},
		"POST is served the same": {method: http.MethodPost, status: 400, text: "Service account token cannot be empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				up := &authService{}
				if c.upstream != 0 {
					up.refuse(c.upstream, c.code, "because")
				}
				if c.method == "" {
					c.method = http.MethodGet
				}
				if c.path == "" {
					c.path = "/v1/credentials"
				}
				r := httptest.NewRequest(c.method, c.path, nil)
				r.Host = "169.254.170.23"
				if c.host != "" {
					r.Host = c.host
				}
				r.Header.Set("Authorization", c.token)
				w := httptest.NewRecorder()
				newServer(t, config(up)).ServeHTTP(w, r)
				if w.Code != c.status || w.Body.String() != c.text+"\n" {
					t.Errorf("got %d %q, want %d %q", w.Code, w.Body, c.status, c.text+"\n")
				}
				if got := w.Header(); got.Get("Content-Type") != "text/plain; charset=utf-8" || got.Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("got headers %v, want plain text and nosniff", got)
				}
			})
		})
	}
}

func TestHostsThatAreServed(t *testing.T) {
	t.Parallel()
	s := newServer(t, config(&authService{}))
	for _, host := range []string{"169.254.170.23", "169.254.170.23:80", "[fd00:ec2::23]", "[fd00:ec2::23]:80", "fd00:ec2::23"} {
		r := httptest.NewRequest(http.MethodGet, "/v1/credentials", nil)
		r.Host = host
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); w.Code != http.StatusBadRequest { // no token: past the host check
			t.Errorf("Host %s: got %d, want 400", host, w.Code)
		}
	}
}

func TestMissesAreLimitedAndHitsAreNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := config(&authService{})
		c.MissRate, c.MissBurst = 1, 2
		s := newServer(t, c)
		expires := time.Now().Add(time.Hour)
		a, b := podToken("a", expires), podToken("b", expires)
		for i, step := range []struct {
			token string
			want  int
		}{{a, 200}, {b, 200}, {a, 200}, {podToken("c", expires), 429}, {b, 200}} {
			w := ask(s, step.token)
			if w.Code != step.want {
				t.Errorf("step %d: got %d, want %d", i, w.Code, step.want)
			}
			if w.Code == 429 && w.Body.String() != "Too Many Requests\n" {
				t.Errorf("step %d: got %q", i, w.Body)
			}
		}
		time.Sleep(time.Second)
		if w := ask(s, podToken("c", expires)); w.Code != 200 {
			t.Errorf("a second later: got %d, want 200", w.Code)
		}
	})
}

func TestOneLineARequestAndNoSecrets(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	up := &authService{}
	c := config(up)
	c.Logger = slog.New(slog.NewJSONHandler(&log, nil))
	s := newServer(t, c)
	token := podToken("app-1", time.Now().Add(time.Hour))
	ask(s, token)
	ask(s, token)
	up.refuse(404, "ResourceNotFoundException", "no association")
	ask(s, podToken("app-2", time.Now().Add(time.Hour)))
	ask(s, "")
	type line struct {
		Result    string `json:"result"`
		Status    int    `json:"status"`
		Pod       string `json:"claimed_pod"`
		RequestID string `json:"request_id"`
	}
	var got []line
	for text := range strings.Lines(log.String()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		got = append(got, l)
	}
	want := []line{
		{"miss", 200, "app-1", "b69b1279"},
		{"hit", 200, "app-1", "b69b1279"},
		{"failed", 404, "app-2", "b69b1279"},
		{"refused", 400, "", ""},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("log (-got +want):\n%s", diff)
	}
	for _, secret := range []string{token, token[:60], "secret1", "session1", "node secret"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

func TestOneTokenOneQuestion(t *testing.T) {
	t.Parallel()
	up := &authService{renewed: make(chan struct{})}
	s := newServer(t, config(up))
	token := podToken("app-1", time.Now().Add(time.Hour))
	bodies := make([]string, 1000)
	var asking sync.WaitGroup
	for i := range bodies {
		asking.Go(func() { bodies[i] = ask(s, token).Body.String() })
	}
	close(up.renewed)
	asking.Wait()
	for _, body := range bodies {
		if body != bodies[0] || !strings.Contains(body, "ASIA1") {
			t.Fatalf("got %q and %q", body, bodies[0])
		}
	}
	if n := up.calls.Load(); n != 1 {
		t.Errorf("%d upstream calls, want 1", n)
	}
}
