package api_test

import (
	"net/http/httptest"
	"testing"
)

// BenchmarkFront is what the front adds to a trivial signed operation: proof, decoding, one decision, encoding, the record.
func BenchmarkFront(b *testing.B) {
	w := newWorld(b, false)
	r := w.signed(b, "eks", region, "GET", "/clusters?maxResults=7", "", "")
	b.ReportAllocs()
	for b.Loop() {
		answer := httptest.NewRecorder()
		w.front.ServeHTTP(answer, r)
		if answer.Code != 200 {
			b.Fatal(answer.Body)
		}
		w.records = w.records[:0]
	}
}
