package s3api

import (
	"crypto/md5"  //nolint:gosec // checksums that the protocol offers; nothing here rests on their strength
	"crypto/sha1" //nolint:gosec // see above
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"

	"github.com/podid/podid/internal/fault"
)

// sums are the headers by which a request declares the checksum of its document. Those of objects are the store's to check.
var sums = map[string]func() hash.Hash{
	"Content-Md5":              md5.New,
	"X-Amz-Checksum-Crc32":     func() hash.Hash { return crc32.NewIEEE() },
	"X-Amz-Checksum-Crc32c":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"X-Amz-Checksum-Crc64nvme": func() hash.Hash { return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) },
	"X-Amz-Checksum-Sha1":      sha1.New,
	"X-Amz-Checksum-Sha256":    sha256.New,
}

// checkSums holds a document to every checksum that the headers declare.
func checkSums(h http.Header, document []byte) error {
	for name, sum := range sums {
		if len(h[name]) == 0 {
			continue
		}
		s := sum()
		s.Write(document)
		if h[name][0] != base64.StdEncoding.EncodeToString(s.Sum(nil)) {
			return fault.New(fault.Invalid, "checksum", "The %s you specified did not match what we received.", name)
		}
	}
	return nil
}

func contentMD5(document []byte) string {
	sum := md5.Sum(document) //nolint:gosec // see above
	return base64.StdEncoding.EncodeToString(sum[:])
}
