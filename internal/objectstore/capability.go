package objectstore

import (
	"strings"
	"unicode/utf8"

	"github.com/podid/podid/internal/fault"
)

// Capabilities is what a store was seen to do. It is found out by [Store.Probe] once, at start, and a front answers fault.Unsupported where
// a feature is missing instead of passing on a request that the store would misread. spec: s3.md 5
type Capabilities struct {
	// Conditions: If-Match and If-None-Match on PutObject are honoured. A store without them would overwrite.
	Conditions bool

	// Checksums: a wrong x-amz-checksum-* header is refused. A store without them stores the object and says nothing.
	Checksums bool

	// Versioning: PutBucketVersioning works.
	Versioning bool

	// Nesting: the keys a and a/b can exist at once. Where they cannot, the store answers 409 and keeps what it has.
	Nesting bool

	// Segments: keys are opaque strings. Where they are not, they are paths, and a key with an empty, "." or ".." segment would be stored
	// under another name; [Store.CheckKey] refuses it.
	Segments bool

	// reserved are segments that the store keeps for itself.
	reserved []string
}

// Trailers and chunked signatures have no capability: stores disagree so much about them that bodies are always passed on plain.

// Capabilities is what the store was seen to do. It is empty, and the key alphabet the narrowest, until Probe has returned.
func (s *Store) Capabilities() Capabilities { return s.caps }

const (
	maxKey     = 1024 // bytes, S3's own limit
	maxSegment = 255  // bytes, of a file name
)

// CheckKey reports why the store cannot hold key under exactly this name: fault.Invalid, subject "key". The front asks it for every key of a
// request, the ones in a DeleteObjects document and in x-amz-copy-source too, before it asks for a decision: a key that is authorised as one
// string and stored as another would open somebody else's folder.
//
// A trailing slash is kept: "dir/" is an object of its own.
func (s *Store) CheckKey(key string) error {
	switch {
	case key == "":
		return badKey("it is empty")
	case len(key) > maxKey:
		return fault.New(fault.Invalid, "key", "Your key is too long.")
	case !utf8.ValidString(key):
		return badKey("it is not valid UTF-8")
	}
	for _, c := range key {
		if !listable(c) {
			return badKey("it has a character that an XML listing cannot show")
		}
	}
	if s.caps.Segments {
		return nil
	}
	return s.checkSegments(strings.TrimSuffix(key, "/"))
}

// CheckPrefix reports why the store cannot list under exactly this prefix: fault.Invalid, subject "prefix". Do checks it again.
func (s *Store) CheckPrefix(prefix string) error {
	if len(prefix) > maxKey || !utf8.ValidString(prefix) || strings.ContainsRune(prefix, 0) {
		return fault.New(fault.Invalid, "prefix", "This prefix cannot be part of a key.")
	}
	if s.caps.Segments {
		return nil
	}
	// The last segment is open: ".." may begin the name "..a", but a store that walks folders would leave the bucket by it.
	if err := s.checkSegments(strings.TrimSuffix(prefix, "/")); err != nil {
		return fault.New(fault.Invalid, "prefix", "This object store has no keys with this prefix: %s", fault.Of(err).Public)
	}
	return nil
}

func (s *Store) checkSegments(key string) error {
	for segment := range strings.SplitSeq(key, "/") {
		switch {
		case segment == "":
			return badKey("it begins with a slash or has two in a row")
		case segment == "." || segment == "..":
			return badKey(`it has a segment "." or ".."`)
		case len(segment) > maxSegment:
			return badKey("it has a segment of more than 255 bytes between two slashes")
		}
		for _, r := range s.caps.reserved {
			if segment == r {
				return badKey("the object store keeps the segment " + r + " for itself")
			}
		}
	}
	return nil
}

func badKey(why string) error {
	return fault.New(fault.Invalid, "key", "This object store cannot hold this key: %s.", why)
}

// listable: the Char production of XML 1.0. Anything else would come back from a listing as another character, or not at all.
func listable(c rune) bool {
	return c == '\t' || c == '\n' || c == '\r' || c >= 0x20 && c != 0xFFFE && c != 0xFFFF
}
