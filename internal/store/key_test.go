package store_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/store"
)

func TestKeyString(t *testing.T) {
	t.Parallel()
	for want, key := range map[string]store.Key{
		"":                       {},
		"123456789012/admin":     {"123456789012", "admin"},
		`default/"a/b"/""/"é\n"`: {"default", "a/b", "", "é\n"},
	} {
		if got := key.String(); got != want {
			t.Errorf("%q prints as %s, want %s", []string(key), got, want)
		}
	}
}

func TestKeyDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"a", "a!b", "\x00!", "\"", "\"\"!", "\"c!", " !"} {
		if key, err := store.Decode([]byte(s)); err == nil {
			t.Errorf("%q was read as %v", s, key)
		}
	}
}

// FuzzKey holds the encoding to its four promises for any two tuples of two elements and their parts.
func FuzzKey(f *testing.F) {
	f.Add("a", "b", "ab", "")
	f.Add("a", "", "a", "!")
	f.Add("a!", "b", "a", "!b")
	f.Add("\x00", "\"", "\"b", "#")
	f.Add("a\x00", "\xff\xfe", "a\x21", "é")
	f.Fuzz(func(t *testing.T, a1, a2, b1, b2 string) {
		keys := []store.Key{{}, {a1}, {b1}, {a1, a2}, {b1, b2}, {a1, b1, a2}}
		for _, a := range keys {
			encoded := store.Encode(a)
			if bytes.IndexByte(encoded, 0) >= 0 {
				t.Errorf("%q has a NUL byte", encoded)
			}
			decoded, err := store.Decode(encoded)
			if err != nil {
				t.Fatalf("%q: %v", encoded, err)
			}
			if diff := cmp.Diff(a, decoded); diff != "" {
				t.Errorf("%q does not round-trip: %s", encoded, diff)
			}
			for _, b := range keys {
				other := store.Encode(b)
				if got, want := bytes.Compare(encoded, other), slices.Compare(a, b); got != want {
					t.Errorf("%q and %q: encodings compare as %d, tuples as %d", a, b, got, want)
				}
				isPrefix := len(a) <= len(b) && slices.Equal(a, b[:len(a)])
				if got := bytes.HasPrefix(other, encoded); got != isPrefix {
					t.Errorf("%q begins %q: %v, want %v", a, b, got, isPrefix)
				}
			}
		}
	})
}

// FuzzKeyDecode: what is accepted is exactly what is written.
func FuzzKeyDecode(f *testing.F) {
	f.Add([]byte("role!123456789012!admin!"))
	f.Add([]byte("\"a\"@!"))
	f.Add([]byte("!!"))
	f.Fuzz(func(t *testing.T, src []byte) {
		if key, err := store.Decode(src); err == nil && !bytes.Equal(store.Encode(key), src) {
			t.Errorf("%q is read as %q and written as %q", src, key, store.Encode(key))
		}
	})
}
