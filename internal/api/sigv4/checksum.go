package sigv4

import (
	"crypto/sha1" //nolint:gosec // a checksum that S3 clients may choose; nothing here rests on its strength
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"strings"

	"github.com/podid/podid/internal/fault"
)

// checksum is one of the trailing checksums that S3 defines.
type checksum struct {
	name  string // of the trailer
	label string // in texts
	new   func() hash.Hash
}

// crc64NVME is the reversed polynomial of NVMe's CRC-64; the rest of that CRC (all ones in and out) is what hash/crc64 does anyway.
var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	crc64NVME  = crc64.MakeTable(0x9a6c9329ac4bc9b5)
)

var checksums = [...]checksum{
	{"x-amz-checksum-crc32", "CRC32", func() hash.Hash { return crc32.NewIEEE() }},
	{"x-amz-checksum-crc32c", "CRC32C", func() hash.Hash { return crc32.New(castagnoli) }},
	{"x-amz-checksum-crc64nvme", "CRC64NVME", func() hash.Hash { return crc64.New(crc64NVME) }},
	{"x-amz-checksum-sha1", "SHA1", sha1.New},
	{"x-amz-checksum-sha256", "SHA256", sha256.New},
}

// findChecksum reads the value of x-amz-trailer.
func findChecksum(name string) (*checksum, error) {
	name = strings.ToLower(strings.Trim(name, " \t"))
	for i := range checksums {
		if checksums[i].name == name {
			return &checksums[i], nil
		}
	}
	return nil, malformed("The value specified in the x-amz-trailer header is not supported: it names one of " +
		"x-amz-checksum-crc32, -crc32c, -crc64nvme, -sha1 and -sha256")
}

// check compares what was computed with what the trailer says.
func (c *checksum) check(h hash.Hash, value string) error {
	want, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil || len(want) != h.Size() {
		return fault.New(fault.Invalid, "checksum", "Value for %s trailing header is invalid.", c.name)
	}
	if subtle.ConstantTimeCompare(h.Sum(nil), want) == 0 {
		return fault.New(fault.Invalid, "checksum", "The %s you specified did not match the calculated checksum.", c.label)
	}
	return nil
}
