package iamapi_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api/iamapi"
	"github.com/podid/podid/internal/fault"
)

// FuzzContextEntries holds that context entries are taken whole or refused as the sender's mistake: each key once, with as many values
// as it was given, and reading what was read changes nothing.
func FuzzContextEntries(f *testing.F) {
	for _, seed := range [][3]string{
		{"aws:username", "string", "ann"},
		{"aws:TagKeys", "stringList", "a\x00b"},
		{"s3:max-keys", "numeric", "1e3"},
		{"aws:SourceIp", "ip", "::ffff:10.0.0.1"},
		{"aws:SourceIp", "ipList", "10.0.0.1\x00"},
		{"aws:CurrentTime", "date", "2026-02-30"},
		{"a:bytes", "binary", "aGk"},
		{"a:bytes", "binaryList", "aGk=\x00?"},
		{"aws:SecureTransport", "boolean", "TRUE"},
		{"aws", "String", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[0])
	}
	f.Fuzz(func(t *testing.T, name, typ, list, second string) {
		entries := []types.ContextEntry{
			{ContextKeyName: aws.String(name), ContextKeyType: types.ContextKeyTypeEnum(typ), ContextKeyValues: strings.Split(list, "\x00")},
			{ContextKeyName: aws.String(second), ContextKeyType: types.ContextKeyTypeEnumStringList},
		}
		names, values, err := iamapi.ContextKeys(entries)
		if err != nil {
			if !errors.Is(err, fault.Invalid) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if len(names) != 2 || strings.EqualFold(names[0], names[1]) || len(values[0]) != len(entries[0].ContextKeyValues) {
			t.Fatalf("read %q with %q", names, values)
		}
		entries[0].ContextKeyValues = values[0]
		_, again, err := iamapi.ContextKeys(entries)
		if err != nil || !slices.Equal(again[0], values[0]) {
			t.Fatalf("%q was read as %q and then as %q, %v", list, values[0], again, err)
		}
	})
}
