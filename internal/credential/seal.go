package credential

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// A session token is, in unpadded URL-safe base64 (every character of which is legal in a header and in a query string):
//
//	version  1 byte    tokenVersion
//	key id   8 bytes   names the key of the ring
//	nonce    24 bytes  random
//	sealed   n bytes   the encoded session, and the 16 bytes that authenticate it and what stands before
//
// The version, the key id and the access key id are the associated data: a token opens only beside the access key it was made
// for, so that the signature, which the secret of that access key makes, proves the token too.
//
// The cipher is XChaCha20-Poly1305. Many replicas seal under one key for a day without talking to each other, so nonces are
// drawn at random: 24 bytes leave no room for a collision, where the 12 of AES-GCM would after some 2^32 tokens, and the
// standard library has no AES-GCM-SIV.
const (
	tokenVersion = 1
	keyIDSize    = 8
	headSize     = 1 + keyIDSize

	// MaxTokenLength is the longest session token in characters. AWS documents that tokens have no fixed size; a header of
	// this length passes every proxy and server in its default configuration.
	MaxTokenLength = 4096

	// AccessKeyIDLength and SecretLength are those of AWS.
	AccessKeyIDLength = 20
	SecretLength      = 40
	accessKeyPrefix   = "ASIA"

	secretSize = 30 // SecretLength characters of base64
)

// The labels that keep the uses of a ring key apart; messageLabel is a third.
const (
	sealLabel   = "podid session token v1"
	secretLabel = "podid secret access key v1"
)

var (
	tokenEncoding = base64.RawURLEncoding.Strict()
	errTooLong    = errors.New("the session is too long for a token")
	errForeign    = errors.New("the token was not sealed under this key for this access key")
)

// sealer is a key of the ring, ready for use.
type sealer struct {
	id       [keyIDSize]byte
	aead     cipher.AEAD
	messages cipher.AEAD
	secret   []byte // the key of the HMAC that derives secrets
}

func newSealer(id [keyIDSize]byte, key []byte) (*sealer, error) {
	sealKey, err := hkdf.Key(sha256.New, key, nil, sealLabel, chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	secretKey, err := hkdf.Key(sha256.New, key, nil, secretLabel, sha256.Size)
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(sealKey)
	if err != nil {
		return nil, err
	}
	messageKey, err := hkdf.Key(sha256.New, key, nil, messageLabel, chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	messages, err := chacha20poly1305.NewX(messageKey)
	if err != nil {
		return nil, err
	}
	return &sealer{id: id, aead: aead, messages: messages, secret: secretKey}, nil
}

// secretFor derives the secret access key of an access key id: a pseudo-random function of it, so that knowing any number of
// secrets tells nothing about another one.
func (s *sealer) secretFor(accessKeyID string) string {
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte(accessKeyID))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil)[:secretSize])
}

// seal makes the token.
func (s *sealer) seal(random io.Reader, accessKeyID string, encoded []byte) (string, error) {
	size := headSize + s.aead.NonceSize() + len(encoded) + s.aead.Overhead()
	if tokenEncoding.EncodedLen(size) > MaxTokenLength {
		return "", errTooLong
	}
	token := make([]byte, headSize+s.aead.NonceSize(), size)
	token[0] = tokenVersion
	copy(token[1:], s.id[:])
	nonce := token[headSize:]
	if _, err := io.ReadFull(random, nonce); err != nil {
		return "", err
	}
	return tokenEncoding.EncodeToString(s.aead.Seal(token, nonce, encoded, associated(token[:headSize], accessKeyID))), nil //nolint:gosec // the nonce is random
}

// open takes a token that parseToken accepted apart.
func (s *sealer) open(t token, accessKeyID string) ([]byte, error) {
	nonce, box := t[headSize:][:s.aead.NonceSize()], t[headSize+s.aead.NonceSize():]
	encoded, err := s.aead.Open(nil, nonce, box, associated(t[:headSize], accessKeyID))
	if err != nil {
		return nil, errForeign
	}
	return encoded, nil
}

// associated is what a token is bound to. The head has a fixed size, so that no two pairs make the same bytes.
func associated(head []byte, to string) []byte {
	return append(append(make([]byte, 0, headSize+len(to)), head...), to...)
}

// token is a session token whose form is right and of which nothing is proven.
type token []byte

func (t token) keyID() [keyIDSize]byte { return [keyIDSize]byte(t[1:headSize]) }

func parseToken(s string) (token, error) {
	if len(s) > MaxTokenLength {
		return nil, errors.New("the token is too long")
	}
	t, err := tokenEncoding.DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") { // the decoder passes over line ends
		return nil, errors.New("the token is not base64")
	}
	if len(t) < headSize+chacha20poly1305.NonceSizeX+chacha20poly1305.Overhead {
		return nil, errors.New("the token is too short")
	}
	if t[0] != tokenVersion {
		return nil, errors.New("the token is of another version")
	}
	return t, nil
}

// IsAccessKeyID tells whether s has the form of an access key id of a session.
func IsAccessKeyID(s string) bool {
	if len(s) != AccessKeyIDLength || s[:len(accessKeyPrefix)] != accessKeyPrefix {
		return false
	}
	for i := len(accessKeyPrefix); i < len(s); i++ {
		if c := s[i]; (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// newAccessKeyID draws 80 random bits.
func newAccessKeyID(random io.Reader) (string, error) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	var id [AccessKeyIDLength]byte
	if _, err := io.ReadFull(random, id[len(accessKeyPrefix):]); err != nil {
		return "", err
	}
	for i := copy(id[:], accessKeyPrefix); i < len(id); i++ {
		id[i] = alphabet[id[i]&31]
	}
	return string(id[:]), nil
}
