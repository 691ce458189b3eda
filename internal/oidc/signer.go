package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Signer is an issuer's private key. It makes service account tokens as a kube-apiserver does, for the cluster that is built into
// podid dev and for tests.
type Signer struct {
	private crypto.Signer
	jose    jose.Signer
	keys    *KeySet
}

// ServiceAccountToken is what a token is asked for: a TokenRequest's answer before it is signed.
type ServiceAccountToken struct {
	Issuer     string
	Audiences  []string
	Kubernetes Kubernetes // Namespace and ServiceAccount are required; without Pod the token is not bound to one
	IssuedAt   time.Time
	Lifetime   time.Duration
}

// NewSigner generates a key: 2,048 bits for RS256, P-256 for ES256.
func NewSigner(algorithm string) (*Signer, error) {
	switch jose.SignatureAlgorithm(algorithm) {
	case jose.RS256:
		k, err := rsa.GenerateKey(rand.Reader, minModulus)
		if err != nil {
			return nil, err
		}
		return newSigner(k, jose.RS256)
	case jose.ES256:
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		return newSigner(k, jose.ES256)
	}
	return nil, fmt.Errorf("oidc: no signer for algorithm %q", algorithm)
}

// ParseSigner reads a key that PEM wrote.
func ParseSigner(text []byte) (*Signer, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" || len(rest) != 0 {
		return nil, errors.New("oidc: a signing key is one PEM block of type PRIVATE KEY")
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("oidc: the signing key is not PKCS #8") // the cause could quote the key
	}
	switch k := k.(type) {
	case *rsa.PrivateKey:
		return newSigner(k, jose.RS256)
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P256() {
			return newSigner(k, jose.ES256)
		}
	}
	return nil, errors.New("oidc: a signing key is RSA or P-256")
}

func newSigner(private crypto.Signer, alg jose.SignatureAlgorithm) (*Signer, error) {
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return nil, err
	}
	// The key id of a kube-apiserver. spec: pod-identity.md 6.1
	hash := sha256.Sum256(der)
	id := base64.RawURLEncoding.EncodeToString(hash[:])
	public := key{
		JSONWebKey: jose.JSONWebKey{Key: private.Public(), KeyID: id, Algorithm: string(alg), Use: "sig"},
		algorithms: []jose.SignatureAlgorithm{alg},
	}
	if err := public.checkStrength(0); err != nil {
		return nil, err
	}
	secret := jose.JSONWebKey{Key: private, KeyID: id, Algorithm: string(alg), Use: "sig"}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: secret}, nil)
	if err != nil {
		return nil, err
	}
	return &Signer{private: private, jose: signer, keys: &KeySet{keys: []key{public}}}, nil
}

// KeySet is the set with the signer's public key.
func (s *Signer) KeySet() *KeySet { return s.keys }

// PEM is the private key as a PKCS #8 block. It goes into a file that nobody else can read.
func (s *Signer) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(s.private)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// payload is a service account token's, its members in the order in which a kube-apiserver writes them.
type payload struct {
	Audience   []string       `json:"aud"`
	Expiry     int64          `json:"exp"`
	IssuedAt   int64          `json:"iat"`
	Issuer     string         `json:"iss"`
	ID         string         `json:"jti"`
	Kubernetes wireKubernetes `json:"kubernetes.io"`
	NotBefore  int64          `json:"nbf"`
	Subject    string         `json:"sub"`
}

// ServiceAccountToken signs a token as a kube-apiserver does.
//
// spec: pod-identity.md 2.3, example payload
func (s *Signer) ServiceAccountToken(t ServiceAccountToken) (string, error) {
	k := t.Kubernetes
	if t.Issuer == "" || len(t.Audiences) == 0 || k.Namespace == "" || k.ServiceAccount == "" || t.Lifetime <= 0 {
		return "", errors.New("oidc: a service account token has an issuer, an audience, a namespace, a service account and a lifetime")
	}
	at := t.IssuedAt.Unix()
	return s.Sign(payload{
		Audience: t.Audiences, Issuer: t.Issuer, ID: newUUID(),
		IssuedAt: at, NotBefore: at, Expiry: at + int64(t.Lifetime/time.Second),
		Kubernetes: wireKubernetes{
			Namespace:      k.Namespace,
			Node:           newObject(k.Node, k.NodeUID),
			Pod:            newObject(k.Pod, k.PodUID),
			ServiceAccount: newObject(k.ServiceAccount, k.ServiceAccountUID),
		},
		Subject: "system:serviceaccount:" + k.Namespace + ":" + k.ServiceAccount,
	})
}

// Sign signs any claims, for issuers that are not Kubernetes clusters.
func (s *Signer) Sign(claims any) (string, error) {
	text, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	jws, err := s.jose.Sign(text)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}

func newObject(name, uid string) *object {
	if name == "" {
		return nil
	}
	return &object{Name: name, UID: uid}
}

// newUUID is a random UUID (version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
