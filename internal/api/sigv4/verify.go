package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/podid/podid/internal/fault"
)

// Key is a signing key: a secret bound to a day, a region and a service. It is as secret as what it was made of, for a day.
type Key [sha256.Size]byte

// DeriveKey makes the signing key of a credential scope. Date has the form yyyymmdd.
func DeriveKey(secret, date, region, service string) Key {
	start := append(make([]byte, 0, 4+len(secret)), "AWS4"...)
	key := sum(append(start, secret...), date)
	key = sum(key[:], region)
	key = sum(key[:], service)
	return sum(key[:], terminator)
}

// Key makes the signing key that a's credential scope calls for. A caller may keep it for as long as the secret and the scope
// stay the same.
func (a *Authorization) Key(secret string) Key {
	return DeriveKey(secret, a.stamp[:8], a.Region, a.Service)
}

// Sign returns the signature of a string to sign, in hexadecimal digits. S3's browser uploads sign their policy document with it.
func (k Key) Sign(text string) string {
	s := sum(k[:], text)
	return hex.EncodeToString(s[:])
}

func sum(key []byte, text string) (out Key) {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	h.Sum(out[:0])
	return out
}

// Verify proves that the holder of secret signed r, and that the signature is current. For services other than S3 the payload
// hash must have been set, unless the request has no body. The body of a request to S3 is proven by reading [Authorization.Body].
func (a *Authorization) Verify(r *http.Request, secret string, now time.Time) error {
	return a.VerifyKey(r, a.Key(secret), now)
}

// VerifyKey is Verify with a signing key that the caller kept.
func (a *Authorization) VerifyKey(r *http.Request, key Key, now time.Time) error {
	if err := a.checkTime(now); err != nil {
		return err
	}
	if a.PayloadHash == "" {
		if r.ContentLength != 0 {
			return errNoPayloadHash
		}
		if err := a.SetPayloadHash(sha256.Sum256(nil)); err != nil {
			return err
		}
	}
	var space [2048]byte
	b, err := a.appendRequest(space[:0], r)
	if err != nil {
		return err
	}
	hash := sha256.Sum256(b)

	b = append(space[:0], algorithm...)
	b = append(b, '\n')
	b = append(b, a.stamp...)
	b = append(b, '\n')
	b = append(b, a.scope...)
	b = append(b, '\n')
	b = hex.AppendEncode(b, hash[:])
	h := hmac.New(sha256.New, key[:])
	h.Write(b)
	if !hmac.Equal(h.Sum(hash[:0]), a.signature[:]) {
		return errMismatch()
	}
	return nil
}

var errNoPayloadHash = errors.New("sigv4: the payload hash of a request to another service than S3 was not set")

// checkTime checks that now lies in the time that the signature is good for.
func (a *Authorization) checkTime(now time.Time) error {
	now = now.UTC()
	earliest, latest := a.Date.Add(-Skew), a.Date.Add(Skew)
	if a.Presigned {
		latest = a.Date.Add(a.Expires)
	}
	switch {
	case now.Before(earliest):
		return fault.New(fault.Expired, "signature", "Signature not yet current: %s is still later than %s (%s + 15 min.)",
			a.stamp, now.Add(Skew).Format(timeLayout), now.Format(timeLayout))
	case now.After(latest) && a.Presigned:
		return fault.New(fault.Expired, "signature", "Request has expired")
	case now.After(latest):
		return fault.New(fault.Expired, "signature", "Signature expired: %s is now earlier than %s (%s - 15 min.)",
			a.stamp, now.Add(-Skew).Format(timeLayout), now.Format(timeLayout))
	}
	return nil
}
