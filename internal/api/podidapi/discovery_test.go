package podidapi_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/oidc"
)

const discovery = "/id/" + id + "/.well-known/openid-configuration"

// ask makes one unsigned request.
func (w *world) ask(t *testing.T, method, path string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.url+path, nil)
	must(t, err)
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp, string(body)
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if resp, _ := w.ask(t, http.MethodGet, discovery); resp.StatusCode != http.StatusNotFound {
		t.Errorf("an issuer that nobody reported has status %d", resp.StatusCode)
	}
	r := report(t)
	must(t, w.admin.PutClusterReport(t.Context(), "c", r))
	keys, err := oidc.ParseKeySet([]byte(r.JWKS))
	must(t, err)

	resp, text := w.ask(t, http.MethodGet, discovery)
	var got, want any
	must(t, json.Unmarshal([]byte(text), &got))
	must(t, json.Unmarshal([]byte(`{"issuer":"`+issuer+`","jwks_uri":"`+issuer+`/keys",
		"authorization_endpoint":"urn:kubernetes:programmatic_authorization","response_types_supported":["id_token"],
		"subject_types_supported":["public"],"claims_supported":["sub","iss"],
		"id_token_signing_alg_values_supported":["`+keys.Algorithms()[0]+`"]}`), &want))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	served(t, resp, text)

	resp, text = w.ask(t, http.MethodGet, "/id/"+id+"/keys")
	served(t, resp, text)
	var set struct{ Keys []map[string]any }
	must(t, json.Unmarshal([]byte(text), &set))
	if len(set.Keys) != 1 || set.Keys[0]["use"] != "sig" || set.Keys[0]["kid"] != keys.KeyIDs()[0] || set.Keys[0]["alg"] != keys.Algorithms()[0] {
		t.Errorf("the keys are %s", text)
	}

	head, none := w.ask(t, http.MethodHead, "/id/"+id+"/keys")
	if none != "" || head.ContentLength != int64(len(text)) || head.Header.Get("Content-Type") != "application/json" {
		t.Errorf("HEAD: %q, %v", none, head.Header)
	}
	for _, path := range []string{"/id/" + id, "/id/" + strings.ToLower(id) + "/keys", "/id/" + id + "/other", "/id/../keys", "/id/" + id + "/keys/"} {
		if resp, _ := w.ask(t, http.MethodGet, path); resp.StatusCode != http.StatusNotFound || resp.Header.Get("Cache-Control") != "" {
			t.Errorf("%s has status %d, %v", path, resp.StatusCode, resp.Header)
		}
	}
}

// TestDiscoveryFollowsTheCluster holds that a rotation shows at once: the keys and algorithms are those of the last report.
func TestDiscoveryFollowsTheCluster(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := report(t)
	must(t, w.admin.PutClusterReport(t.Context(), "c", r))
	old, err := oidc.ParseKeySet([]byte(r.JWKS))
	must(t, err)
	next, err := oidc.NewSigner("RS256")
	must(t, err)
	both, err := old.Union(next.KeySet())
	must(t, err)
	text, err := both.MarshalJSON()
	must(t, err)
	r.JWKS = string(text)
	must(t, w.admin.PutClusterReport(t.Context(), "c", r))
	_, body := w.ask(t, http.MethodGet, "/id/"+id+"/keys")
	served, err := oidc.ParseKeySet([]byte(body))
	must(t, err)
	if diff := cmp.Diff(both.KeyIDs(), served.KeyIDs()); diff != "" {
		t.Error(diff)
	}
	_, body = w.ask(t, http.MethodGet, discovery)
	var document oidc.Discovery
	must(t, json.Unmarshal([]byte(body), &document))
	if diff := cmp.Diff(both.Algorithms(), document.Algorithms); diff != "" {
		t.Error(diff)
	}
}

func served(t *testing.T, resp *http.Response, text string) {
	t.Helper()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" ||
		resp.Header.Get("Cache-Control") != "public, max-age=300" || resp.Header.Get("Content-Length") != strconv.Itoa(len(text)) {
		t.Errorf("status %d, %v", resp.StatusCode, resp.Header)
	}
}
