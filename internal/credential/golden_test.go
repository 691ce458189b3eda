package credential_test

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/store/storetest"
)

var update = flag.Bool("update", false, "write the tokens of testdata anew")

// TestGoldenToken opens a token of version 1 that was made long ago. When it fails, sessions that are alive during an upgrade
// would fail as well: a change of the encoding, the dictionary, a label or a member name needs a new version.
func TestGoldenToken(t *testing.T) {
	t.Parallel()
	clock := newClock()
	random := bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuv"), 4)
	ring, err := credential.NewRing(credential.RingConfig{
		DB: storetest.New(t, credential.Schema()...), Now: clock.Now, Rand: bytes.NewReader(random),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.AddKey(t.Context(), [8]byte{1, 2, 3}, random[:32], clock.Now()); err != nil {
		t.Fatal(err)
	}
	golden(t, ring, "testdata/token.txt", podSession(clock.Now()))
}

// golden opens the token in a file, which stands for a session.
func golden(t *testing.T, ring *credential.Ring, file string, want credential.Session) {
	t.Helper()
	if *update {
		c := mint(t, ring, want)
		text := strings.Join([]string{c.AccessKeyID, c.SecretAccessKey, c.SessionToken, ""}, "\n")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	got, secret, err := ring.Open(t.Context(), lines[0], lines[2])
	if err != nil {
		t.Fatal(err)
	}
	if secret != lines[1] {
		t.Error("the secret of the access key has changed")
	}
	want.AccessKeyID = lines[0]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
