package publish

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/podid/podid/internal/oidc"
)

// Retention is how long a key stays in the set that the API server no longer serves. The webhook asks for tokens of at most 24 hours.
const Retention = 25 * time.Hour

// Keys are the keys of an issuer that tokens in use may be signed with.
type Keys struct {
	Issuer string `json:"issuer"`
	Keys   []Key  `json:"keys"`
}

// Key is one public key and since when the API server serves it no more.
type Key struct {
	ID      string          `json:"kid"`
	JWK     json.RawMessage `json:"jwk"`
	Dropped time.Time       `json:"dropped,omitzero"` // zero: it is served
}

// Retain is what becomes of the kept keys when the API server serves the set jwks for an issuer. Keys of another issuer are forgotten:
// no token of theirs is accepted any more. A set without keys, or with a private one, is an error.
func (k Keys) Retain(issuer string, jwks []byte, now time.Time) (Keys, error) {
	set, err := oidc.ParseKeySet(jwks)
	if err != nil {
		return Keys{}, err
	}
	served, err := split(set)
	if err != nil {
		return Keys{}, err
	}
	next := Keys{Issuer: issuer, Keys: served}
	if k.Issuer != issuer || slices.ContainsFunc(served, func(s Key) bool { return s.ID == "" }) {
		return next, nil // beside a key without an id there can be no other
	}
	for _, old := range k.Keys {
		if old.ID == "" || slices.ContainsFunc(served, func(s Key) bool { return s.ID == old.ID }) {
			continue
		}
		if old.Dropped.IsZero() {
			old.Dropped = now.UTC()
		}
		if now.Sub(old.Dropped) < Retention {
			next.Keys = append(next.Keys, old)
		}
	}
	return next, nil
}

// split takes a set apart.
func split(set *oidc.KeySet) ([]Key, error) {
	text, err := set.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("encode the key set: %w", err)
	}
	var wire struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &wire); err != nil {
		return nil, fmt.Errorf("decode the key set: %w", err)
	}
	ids := set.KeyIDs()
	keys := make([]Key, len(ids))
	for i, raw := range wire.Keys {
		keys[i] = Key{ID: ids[i], JWK: raw}
	}
	return keys, nil
}

// JWKS is the set to publish: the served keys first.
func (k Keys) JWKS() string {
	wire := struct {
		Keys []json.RawMessage `json:"keys"`
	}{Keys: make([]json.RawMessage, len(k.Keys))}
	for i, key := range k.Keys {
		wire.Keys[i] = key.JWK
	}
	text, _ := json.Marshal(wire) // raw messages that were decoded before always encode
	return string(text)
}

// kept counts the keys that are no longer served.
func (k Keys) kept() int {
	n := 0
	for _, key := range k.Keys {
		if !key.Dropped.IsZero() {
			n++
		}
	}
	return n
}

// same reports whether nothing has to be written.
func (k Keys) same(other Keys) bool {
	return k.Issuer == other.Issuer && slices.EqualFunc(k.Keys, other.Keys, func(a, b Key) bool {
		return a.ID == b.ID && a.Dropped.Equal(b.Dropped) && string(a.JWK) == string(b.JWK)
	})
}
