package iam

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"io"

	"github.com/podid/podid/internal/fault"
)

// passwordRounds is what a guess costs. Older passwords keep the number they were made with.
const (
	passwordRounds = 600_000
	passwordSalt   = 16
	passwordScheme = "pbkdf2-hmac-sha256"
)

// passwordHash is all that is kept of a password.
type passwordHash struct {
	Scheme string `json:"scheme"`
	Rounds int    `json:"rounds"`
	Salt   []byte `json:"salt"`
	Sum    []byte `json:"sum"`
}

// nobody stands in for the password of a user who has none, so that asking costs the same.
func (d *Directory) nobody() passwordHash {
	return passwordHash{Scheme: passwordScheme, Rounds: d.rounds, Salt: make([]byte, passwordSalt)}
}

func (d *Directory) hash(password string) (passwordHash, error) {
	h := d.nobody()
	if _, err := io.ReadFull(d.rand, h.Salt); err != nil {
		return passwordHash{}, fault.Of(err)
	}
	sum, err := h.derive(password)
	if err != nil {
		return passwordHash{}, err
	}
	h.Sum = sum
	return h, nil
}

func (h passwordHash) derive(password string) ([]byte, error) {
	sum, err := pbkdf2.Key(sha256.New, password, h.Salt, h.Rounds, sha256.Size)
	if err != nil {
		return nil, fault.Of(err)
	}
	return sum, nil
}

// matches compares in constant time. A scheme that is not known matches nothing.
func (h passwordHash) matches(password string) bool {
	sum, err := h.derive(password)
	return err == nil && h.Scheme == passwordScheme && len(h.Sum) == sha256.Size && subtle.ConstantTimeCompare(sum, h.Sum) == 1
}
