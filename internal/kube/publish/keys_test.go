package publish_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/kube/publish"
	"github.com/podid/podid/internal/oidc"
)

const issuer = "https://kubernetes.default.svc.cluster.local"

var start = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// newKey makes an issuer's key: its id and the set with it alone.
func newKey(t *testing.T) (string, []byte) {
	t.Helper()
	s, err := oidc.NewSigner("ES256")
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := s.KeySet().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return s.KeySet().KeyIDs()[0], jwks
}

// ids are the ids of a published set.
func ids(t *testing.T, jwks string) []string {
	t.Helper()
	set, err := oidc.ParseKeySet([]byte(jwks))
	if err != nil {
		t.Fatal(err)
	}
	return set.KeyIDs()
}

func TestRetain_keepsADroppedKeyWhileItsTokensMayLive(t *testing.T) {
	t.Parallel()
	oldID, oldSet := newKey(t)
	newID, newSet := newKey(t)
	steps := []struct {
		name   string
		after  time.Duration
		issuer string
		jwks   []byte
		want   []string
	}{
		{"the first set", 0, issuer, oldSet, []string{oldID}},
		{"a rotation", time.Hour, issuer, newSet, []string{newID, oldID}},
		{"a day later", 25 * time.Hour, issuer, newSet, []string{newID, oldID}},
		{"one moment before", 26*time.Hour - 1, issuer, newSet, []string{newID, oldID}},
		{"25 hours after the rotation", 26 * time.Hour, issuer, newSet, []string{newID}},
		{"the old key is served again", 27 * time.Hour, issuer, oldSet, []string{oldID, newID}},
		{"another issuer", 28 * time.Hour, issuer + "/other", oldSet, []string{oldID}},
	}
	var kept publish.Keys
	for _, step := range steps {
		next, err := kept.Retain(step.issuer, step.jwks, start.Add(step.after))
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if diff := cmp.Diff(step.want, ids(t, next.JWKS())); diff != "" {
			t.Errorf("%s: %s", step.name, diff)
		}
		text, err := json.Marshal(next) // as it is stored
		if err != nil {
			t.Fatal(err)
		}
		kept = publish.Keys{}
		if err := json.Unmarshal(text, &kept); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRetain_refusesWhatIsNoKeySet(t *testing.T) {
	t.Parallel()
	for _, jwks := range []string{``, `{}`, `{"keys":[]}`, `{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`} {
		if k, err := (publish.Keys{}).Retain(issuer, []byte(jwks), start); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s became %v, %v", jwks, k, err)
		}
	}
}
