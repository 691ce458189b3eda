package bucket

import (
	"net/netip"
	"strings"

	"github.com/podid/podid/internal/fault"
)

// Beginnings and ends of names that S3 keeps for other kinds of buckets and access points.
var (
	reservedPrefixes = [...]string{"xn--", "sthree-", "amzn-s3-demo-"}
	reservedSuffixes = [...]string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"}
)

// checkName holds S3's rules for the names of general purpose buckets.
func checkName(name string) error {
	ok := len(name) >= 3 && len(name) <= 63 && !strings.Contains(name, "..")
	for i := range len(name) {
		c := name[i]
		alphanumeric := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		ok = ok && (alphanumeric || i > 0 && i < len(name)-1 && (c == '-' || c == '.'))
	}
	for _, p := range reservedPrefixes {
		ok = ok && !strings.HasPrefix(name, p)
	}
	for _, s := range reservedSuffixes {
		ok = ok && !strings.HasSuffix(name, s)
	}
	if _, err := netip.ParseAddr(name); !ok || err == nil {
		return fault.New(fault.Invalid, "bucket", "The specified bucket is not valid.").With("BucketName", name)
	}
	return nil
}
