package sigv4

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"time"

	"github.com/podid/podid/internal/fault"
)

// The values that stand in the place of a payload's hash.
const (
	UnsignedPayload          = "UNSIGNED-PAYLOAD"
	StreamingSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	StreamingSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	StreamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	timeLayout = "20060102T150405Z"

	// Skew is how far a request's date may be from the server's clock, either way. AWS allows S3 this much and other services
	// less; one figure for all services spares clusters with poor clocks a second kind of failure.
	Skew = 15 * time.Minute

	maxExpires     = 7 * 24 * time.Hour // of a presigned request
	defaultExpires = 15 * time.Minute   // of a presigned request to a service whose presigner names no lifetime (STS)
)

// Authorization is what a request says about its signature. Everything but the proof itself comes from the caller and is
// unproven until Verify returns nil.
type Authorization struct {
	AccessKeyID   string
	SessionToken  string // empty: a long-term access key
	Region        string // of the credential scope
	Service       string // of the credential scope
	Date          time.Time
	Presigned     bool          // the signature is in the query
	Expires       time.Duration // lifetime of a presigned request; 0 otherwise
	SignedHeaders []string      // lower case, ascending

	// PayloadHash is what the signature covers in the body's place: a hex SHA-256 or one of the constants above. It is empty
	// until SetPayloadHash for services other than S3.
	PayloadHash string

	stamp     string // the date as it was signed, in timeLayout
	scope     string // yyyymmdd/region/service/aws4_request
	declared  string // x-amz-content-sha256 of a request to another service than S3; empty if it has none
	signature [sha256.Size]byte
}

// SetPayloadHash tells the SHA-256 of the body that the caller has read, for services other than S3. It fails if the request
// declared another one.
func (a *Authorization) SetPayloadHash(sum [sha256.Size]byte) error {
	text := hex.EncodeToString(sum[:])
	if a.declared != "" && subtle.ConstantTimeCompare([]byte(a.declared), []byte(text)) == 0 {
		return errPayload()
	}
	a.PayloadHash = text
	return nil
}

// s3 reports whether the rules of S3 hold: paths encoded once, payload hash always declared and possibly not a hash.
func (a *Authorization) s3() bool { return a.Service == "s3" }

func (a *Authorization) signed(header string) bool {
	for _, name := range a.SignedHeaders {
		if equalFold(name, header) {
			return true
		}
	}
	return false
}

func malformed(format string, args ...any) error {
	return fault.New(fault.Invalid, "signature", format, args...)
}

func errMismatch() error {
	return fault.New(fault.Unauthenticated, "signature", "The request signature we calculated does not match the signature you "+
		"provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
}

func errPayload() error {
	return fault.New(fault.Invalid, "payload", "The provided 'x-amz-content-sha256' header does not match what was computed.")
}
