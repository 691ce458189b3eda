package lab

import "testing"

// SkipUnlessFull skips a test where a full lab cannot be.
func SkipUnlessFull(t *testing.T) {
	t.Helper()
	skip(t, newConfig(true, nil))
}
