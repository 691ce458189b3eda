package store

import (
	"errors"
	"strconv"
	"strings"
)

// Key names one record of a table: a tuple of any number of elements, each of any bytes.
//
// Keys are ordered element by element, as byte strings; a tuple sorts before every longer one that begins with it.
type Key []string

// The encoding of a key ends every element with '!' and writes each byte up to '"' as '"' and that byte plus 0x40. So
//
//   - the order of encodings is the order of tuples, because the terminator is below, and the escape above, every byte that it
//     stands beside;
//   - no encoding is the beginning of another one except at an element's end: ("a") does not begin ("ab");
//   - names of ordinary characters stay readable in etcdctl: ("role", "123456789012", "admin") is role!123456789012!admin!;
//   - there is no NUL byte, which kine's SQL databases would refuse.
const (
	terminator = '!'
	escape     = '"'
	shift      = 0x40
)

var errKeySyntax = errors.New("not an encoded key")

// appendKey appends the encoding of k.
func appendKey(dst []byte, k Key) []byte {
	for _, element := range k {
		dst = appendElement(dst, element)
	}
	return dst
}

func appendElement(dst []byte, element string) []byte {
	for i := range len(element) {
		c := element[i]
		if c <= escape {
			dst = append(dst, escape, c+shift)
		} else {
			dst = append(dst, c)
		}
	}
	return append(dst, terminator)
}

// decodeKey is the inverse of appendKey; it refuses whatever appendKey does not write.
func decodeKey(src []byte) (Key, error) {
	k := Key{}
	element := make([]byte, 0, len(src))
	for i := 0; i < len(src); i++ {
		switch c := src[i]; {
		case c == terminator:
			k = append(k, string(element))
			element = element[:0]
		case c == escape:
			i++
			if i == len(src) || src[i] < shift || src[i] > shift+escape {
				return nil, errKeySyntax
			}
			element = append(element, src[i]-shift)
		case c < escape:
			return nil, errKeySyntax
		default:
			element = append(element, c)
		}
	}
	if len(src) > 0 && src[len(src)-1] != terminator {
		return nil, errKeySyntax
	}
	return k, nil
}

// String prints the key for people: elements joined by slashes, quoted where they hold anything but plain name characters.
func (k Key) String() string {
	var b strings.Builder
	for i, element := range k {
		if i > 0 {
			b.WriteByte('/')
		}
		if plain(element) {
			b.WriteString(element)
		} else {
			b.WriteString(strconv.Quote(element))
		}
	}
	return b.String()
}

func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '"' || c == '/' || c == '\\' || c >= 0x7f {
			return false
		}
	}
	return s != ""
}
