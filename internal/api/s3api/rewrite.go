package s3api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"io"

	"github.com/podid/podid/internal/fault"
)

// maxAnswer bounds a document of the store, in bytes: a page of 1,000 keys of 1,024 bytes, each byte encoded, and what stands
// around them.
const maxAnswer = 16 << 20

// canonicalID is the account's id as S3 prints owners: 64 hex digits that follow from the account and tell nothing more.
func canonicalID(account string) string {
	sum := sha256.Sum256([]byte("podid canonical user " + account))
	return hex.EncodeToString(sum[:])
}

// rewrite reads a document of the store and writes it again, element by element. The owner and initiator of what it tells of
// is the bucket's owner, its location is ours; attributes and comments are left behind. A document that is an error is
// returned as one.
func rewrite(from io.Reader, owner, location string) ([]byte, error) {
	d := xml.NewDecoder(io.LimitReader(from, maxAnswer))
	var out bytes.Buffer
	out.WriteString(xml.Header)
	for depth := 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && out.Len() > len(xml.Header) {
			return out.Bytes(), nil
		}
		if err != nil {
			return nil, fault.New(fault.Unavailable, "object store", "The object store's answer cannot be read. Please try again.").Because(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			name := t.Name.Local
			value := ""
			switch {
			case depth == 0 && name == "Error":
				var doc storeDocument
				if err := d.DecodeElement(&doc, &t); err != nil {
					return nil, err
				}
				return nil, doc.failure(0)
			case depth > 0 && (name == "Owner" || name == "Initiator"):
				value = "<ID>" + owner + "</ID>"
			case depth == 1 && name == "Location":
				value = escaped(location)
			}
			if value != "" {
				if err := d.Skip(); err != nil {
					return nil, fault.New(fault.Unavailable, "object store", "The object store's answer cannot be read. Please try again.").Because(err)
				}
				out.WriteString("<" + name + ">" + value + "</" + name + ">")
				continue
			}
			out.WriteString("<" + name)
			if depth == 0 {
				out.WriteString(` xmlns="` + namespace + `"`)
			}
			out.WriteByte('>')
			depth++
		case xml.EndElement:
			depth--
			out.WriteString("</" + t.Name.Local + ">")
		case xml.CharData:
			if depth > 0 {
				_ = xml.EscapeText(&out, t) // a buffer does not fail
			}
		}
	}
}

func escaped(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a buffer does not fail
	return b.String()
}
