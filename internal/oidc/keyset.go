package oidc

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json" // case-sensitive and strict about duplicates, which encoding/json is not

	"github.com/podid/podid/internal/fault"
)

// Bounds of a key set. The published sets of EKS and of large issuers have fewer than ten keys in a few KiB.
const (
	maxKeySet    = 128 << 10
	maxKeys      = 100
	maxKeyID     = 256
	minModulus   = 2048
	maxModulus   = 8192
	maxEncodedJW = 16 << 10 // one key; an RSA key with its certificate chain has about 6 KiB
)

// algorithms are those a token may be signed with.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// KeySet is the set of public keys that an issuer signs with. It never changes.
type KeySet struct {
	keys []key
}

// key is a public key and the algorithms it may verify.
type key struct {
	jose.JSONWebKey
	algorithms []jose.SignatureAlgorithm
}

// ParseKeySet reads a JSON Web Key Set. Keys that cannot verify a signature (for encryption, or of an unknown type, curve or
// algorithm) are left out, as RFC 7517 asks; a set without any other key is refused. Failures are fault.Invalid, subject "key set".
func ParseKeySet(jwks []byte) (*KeySet, error) {
	if len(jwks) > maxKeySet {
		return nil, badKeySet("The key set is larger than %d bytes", maxKeySet)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(jwks, &set); err != nil {
		return nil, badKeySet("The key set is not a JSON Web Key Set").Because(err)
	}
	if len(set.Keys) > maxKeys {
		return nil, badKeySet("The key set has more than %d keys", maxKeys)
	}
	s := &KeySet{}
	for i, raw := range set.Keys {
		k, err := parseKey(raw, i)
		if err != nil {
			return nil, err
		}
		if k != nil {
			s.keys = append(s.keys, *k)
		}
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, nil
}

// header is what tells whether a key concerns us, before its numbers are read.
type header struct {
	Type      string          `json:"kty"`
	Use       string          `json:"use"`
	Curve     string          `json:"crv"`
	Algorithm string          `json:"alg"`
	KeyID     string          `json:"kid"`
	Private   json.RawMessage `json:"d"`
	Seed      json.RawMessage `json:"priv"`
	Secret    json.RawMessage `json:"k"`
}

// parseKey reads one key; it returns nil for one that is left out.
func parseKey(raw json.RawMessage, index int) (*key, error) {
	var h header
	if len(raw) > maxEncodedJW {
		return nil, badKeySet("Key %d of the key set is larger than %d bytes", index, maxEncodedJW)
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		return nil, badKeySet("Key %d of the key set is not a JSON Web Key", index).Because(err)
	}
	if h.Private != nil || h.Seed != nil || h.Secret != nil || h.Type == "oct" {
		return nil, badKeySet("Key %d of the key set (kid %.64q) is a private or symmetric key; publish public keys only and "+
			"replace this one", index, h.KeyID)
	}
	allowed := h.allowed()
	if len(allowed) == 0 {
		return nil, nil
	}
	k := &key{algorithms: allowed}
	if err := k.UnmarshalJSON(raw); err != nil {
		return nil, badKeySet("Key %d of the key set (kid %.64q) is malformed", index, h.KeyID).Because(err)
	}
	if len(k.KeyID) > maxKeyID {
		return nil, badKeySet("Key %d of the key set has a kid of more than %d bytes", index, maxKeyID)
	}
	if err := k.checkStrength(index); err != nil {
		return nil, err
	}
	k.JSONWebKey = jose.JSONWebKey{Key: k.Key, KeyID: k.KeyID, Algorithm: k.Algorithm, Use: "sig"}
	return k, nil
}

// allowed are the algorithms that the key may verify, by its type and by what it says of itself. None: the key is not for us.
func (h *header) allowed() []jose.SignatureAlgorithm {
	if h.Use != "" && h.Use != "sig" {
		return nil
	}
	var byType []jose.SignatureAlgorithm
	switch h.Type + " " + h.Curve {
	case "RSA ":
		byType = algorithms[:6]
	case "EC P-256":
		byType = []jose.SignatureAlgorithm{jose.ES256}
	case "EC P-384":
		byType = []jose.SignatureAlgorithm{jose.ES384}
	case "EC P-521":
		byType = []jose.SignatureAlgorithm{jose.ES512}
	case "OKP Ed25519":
		byType = []jose.SignatureAlgorithm{jose.EdDSA}
	}
	if h.Algorithm == "" {
		return byType
	}
	if alg := jose.SignatureAlgorithm(h.Algorithm); slices.Contains(byType, alg) {
		return []jose.SignatureAlgorithm{alg}
	}
	return nil
}

func (k *key) checkStrength(index int) error {
	switch public := k.Key.(type) {
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); bits < minModulus || bits > maxModulus {
			return badKeySet("Key %d of the key set (kid %.64q) has %d bits; an RSA key has %d to %d",
				index, k.KeyID, bits, minModulus, maxModulus)
		}
		if public.E < 3 || public.E&1 == 0 {
			return badKeySet("Key %d of the key set (kid %.64q) has a bad RSA exponent", index, k.KeyID)
		}
		return nil
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return nil // the curve is in the table of allowed, and go-jose checks the point
	}
	return badKeySet("Key %d of the key set (kid %.64q) is not a public key", index, k.KeyID)
}

// check holds what concerns the set as a whole.
func (s *KeySet) check() error {
	if len(s.keys) == 0 {
		return badKeySet("The key set has no key that can verify a token")
	}
	seen := map[string]bool{}
	for _, k := range s.keys {
		if k.KeyID == "" && len(s.keys) > 1 {
			return badKeySet("The key set has several keys, one of them without a kid")
		}
		if seen[k.KeyID] {
			return badKeySet("The key set has two keys with kid %.64q", k.KeyID)
		}
		seen[k.KeyID] = true
	}
	return nil
}

// KeyIDs lists the ids of the keys in the order of the set.
func (s *KeySet) KeyIDs() []string {
	ids := make([]string, len(s.keys))
	for i, k := range s.keys {
		ids[i] = k.KeyID
	}
	return ids
}

// Algorithms lists what tokens of this issuer may be signed with, each algorithm once.
func (s *KeySet) Algorithms() []string {
	var names []string
	for _, k := range s.keys {
		for _, alg := range k.algorithms {
			if !slices.Contains(names, string(alg)) {
				names = append(names, string(alg))
			}
		}
	}
	return names
}

// MarshalJSON is the set as a JSON Web Key Set: public keys, with their use and, where it was given, their algorithm.
func (s *KeySet) MarshalJSON() ([]byte, error) {
	set := jose.JSONWebKeySet{Keys: make([]jose.JSONWebKey, len(s.keys))}
	for i, k := range s.keys {
		set.Keys[i] = k.JSONWebKey
	}
	return json.Marshal(set)
}

// Union is a set with the keys of both, for a rotation: the old keys stay until the last token they signed has expired. A key
// that is in both is kept once.
func (s *KeySet) Union(t *KeySet) (*KeySet, error) {
	u := &KeySet{keys: slices.Clone(s.keys)}
	for _, k := range t.keys {
		if old := s.find(k.KeyID); old == nil || old.KeyID != k.KeyID {
			u.keys = append(u.keys, k)
		}
	}
	if err := u.check(); err != nil {
		return nil, err
	}
	return u, nil
}

// find returns the key that a token names, or nil.
func (s *KeySet) find(keyID string) *key {
	if s == nil {
		return nil
	}
	if keyID == "" && len(s.keys) == 1 {
		return &s.keys[0]
	}
	for i := range s.keys {
		if keyID != "" && s.keys[i].KeyID == keyID {
			return &s.keys[i]
		}
	}
	return nil
}

func badKeySet(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "key set", format, args...)
}
