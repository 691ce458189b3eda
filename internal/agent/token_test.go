package agent_test

import (
	"strings"
	"testing"
	"time"

	"github.com/podid/podid/internal/agent"
)

func FuzzPeek(f *testing.F) {
	f.Add(podToken("app-1", time.Unix(2e9, 0)))
	f.Add("eyJhbGciOiJSUzI1NiJ9.e30.x")
	f.Add("eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjFlMzA5fQ.x")
	f.Add("eyJhbGciOiJSUzI1NiJ9.eyJleHAiOm51bGx9.x")
	f.Add("..")
	f.Add("a.b.c.d")
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		c, err := agent.Peek(token)
		if err != nil {
			if text := err.Error(); len(token) > 40 && strings.Contains(text, token) || len(text) > 100 {
				t.Errorf("the error quotes the token: %q", text)
			}
			return
		}
		if strings.Count(token, ".") != 2 || len(token) > 16<<10 {
			t.Errorf("%q is not a token", token)
		}
		for _, s := range []string{c.Namespace, c.ServiceAccount, c.Pod, c.PodUID, c.Node} {
			if len(s) > 253 {
				t.Errorf("a claim has %d bytes", len(s))
			}
		}
		if c.Expires.Year() > 10_000 || c.NotBefore.Year() > 10_000 {
			t.Errorf("times ran over: %v %v", c.Expires, c.NotBefore)
		}
	})
}

func TestPeekReadsWhatATokenClaims(t *testing.T) {
	t.Parallel()
	expires := time.Unix(2_000_000_000, 0)
	got, err := agent.Peek(podToken("app-1", expires))
	want := agent.Claims{
		Namespace: "default", ServiceAccount: "app", Pod: "app-1", PodUID: got.PodUID, Node: "worker-1",
		Expires: expires, NotBefore: time.Unix(1, 0),
	}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}
