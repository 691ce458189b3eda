package organization

import (
	"encoding/base32"
	"io"
	"math/big"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/podid/podid/internal/fault"
)

// How long ids are, after their prefixes.
const (
	organizationIDLength = 10
	rootIDLength         = 4
	unitIDLength         = 8
	policyIDLength       = 10
	requestIDLength      = 32
	handshakeIDLength    = 32
)

// idAlphabet is what ids are made of.
var idAlphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz012345").WithPadding(base32.NoPadding)

// newID makes an id: a prefix and random characters.
func (d *Directory) newID(prefix string, length int) (string, error) {
	random := make([]byte, length)
	if _, err := io.ReadFull(d.rand, random); err != nil {
		return "", fault.Of(err)
	}
	return prefix + idAlphabet.EncodeToString(random)[:length], nil
}

var accountIDs = big.NewInt(1_000_000_000_000)

// NewAccountID makes an account id: twelve random digits. Whether somebody has it is for the caller to see.
func (d *Directory) NewAccountID() (string, error) {
	var random [16]byte
	if _, err := io.ReadFull(d.rand, random[:]); err != nil {
		return "", fault.Of(err)
	}
	n := new(big.Int).Mod(new(big.Int).SetBytes(random[:]), accountIDs)
	digits := n.String()
	return strings.Repeat("0", 12-len(digits)) + digits, nil
}

// Lengths of names and texts, in characters.
const (
	maxName        = 128
	maxAccountName = 50
	maxDescription = 512
	maxNotes       = 1024
	minEmail       = 6
	maxEmail       = 64
)

// checkLength holds that a text has between shortest and longest characters. Field is the member's name.
func checkLength(field, text string, shortest, longest int) error {
	switch n := utf8.RuneCountInString(text); {
	case !utf8.ValidString(text):
		return invalid("INVALID_PATTERN", "You provided a value for %s that is not valid UTF-8.", field)
	case n < shortest:
		return invalid("MIN_LENGTH_EXCEEDED", "You provided a value for %s that is shorter than %d characters.", field, shortest)
	case n > longest:
		return invalid("MAX_LENGTH_EXCEEDED", "You provided a value for %s that is longer than %d characters.", field, longest)
	}
	return nil
}

// checkEmail holds that a text has the form of an e-mail address. Nobody here writes to it.
func checkEmail(email string) error {
	if err := checkLength("Email", email, minEmail, maxEmail); err != nil {
		return err
	}
	local, domain, ok := strings.Cut(email, "@")
	dot := strings.LastIndexByte(domain, '.')
	if !ok || local == "" || dot < 1 || dot == len(domain)-1 || strings.Contains(domain, "@") || strings.ContainsFunc(email, unicode.IsSpace) {
		return invalid("INVALID_PATTERN", "You provided a value for Email that is not an e-mail address.")
	}
	return nil
}

// checkAccountName holds that a name is printable ASCII.
func checkAccountName(name string) error {
	if err := checkLength("AccountName", name, 1, maxAccountName); err != nil {
		return err
	}
	for i := range len(name) {
		if name[i] < ' ' || name[i] > '~' {
			return invalid("INVALID_PATTERN", "You provided a value for AccountName that does not match the required pattern.")
		}
	}
	return nil
}
