package credential_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store/storetest"
)

func seal(t testing.TB, r *credential.Ring, text string, size int) string {
	t.Helper()
	m, ok := r.SealMessage([]byte(text), size)
	if !ok {
		t.Fatalf("%d bytes are not sealed", len(text))
	}
	return m
}

func TestMessages(t *testing.T) {
	t.Parallel()
	clock := newClock()
	ring, stranger := newRing(t, clock), newRing(t, clock)
	if _, ok := ring.SealMessage([]byte("early"), 0); ok {
		t.Error("a message is sealed without a key")
	}
	session := mint(t, ring, podSession(clock.Now()))
	mint(t, stranger, podSession(clock.Now()))
	for _, text := range []string{"", "why", strings.Repeat("why ", 4000)} {
		for _, size := range []int{0, 2304} {
			m := seal(t, ring, text, size)
			got, err := ring.OpenMessage(t.Context(), m)
			if err != nil || string(got) != text || len(m) > credential.MaxMessageLength {
				t.Errorf("%d bytes in %d are %d characters, %v", len(text), size, len(m), err)
			}
		}
	}
	if one, other := seal(t, ring, "a", 500), seal(t, ring, strings.Repeat("b", 400), 500); len(one) != len(other) || one == other {
		t.Errorf("padded messages have %d and %d characters", len(one), len(other))
	}
	noise := make([]byte, 3100)
	for i := range noise {
		noise[i] = byte(i * i >> 3 * 7)
	}
	dense := base64.StdEncoding.EncodeToString(bytes.Repeat(noise, 3)) + session.SessionToken + session.SecretAccessKey
	for name, size := range map[string]int{session.SessionToken: 100, dense + strings.Repeat("x", 16<<10): 0} {
		if _, ok := ring.SealMessage([]byte(name), size); ok {
			t.Errorf("%d bytes fit %d", len(name), size)
		}
	}

	good := seal(t, ring, "why", 0)
	refused := map[string]string{
		"empty": "", "not base64": "!", "short": good[:20], "cut": good[:len(good)-4], "a session token": session.SessionToken,
		"line end": good + "\n", "another ring's": seal(t, stranger, "why", 0), "too long": strings.Repeat("A", credential.MaxMessageLength+1),
		"changed": good[:len(good)-6] + "AAAAAA",
	}
	var text string
	for name, m := range refused {
		_, err := ring.OpenMessage(t.Context(), m)
		f, ok := errors.AsType[*fault.Error](err)
		if !ok || f.Kind != fault.Invalid || f.Subject != "authorization message" || text != "" && f.Public != text {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text = f.Public
	}
	if _, _, err := ring.Open(t.Context(), session.AccessKeyID, good); !errors.Is(err, fault.Unauthenticated) {
		t.Errorf("a message is opened as a session token: %v", err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	raw[0] = 1
	if _, _, err := ring.Open(t.Context(), session.AccessKeyID, base64.RawURLEncoding.EncodeToString(raw)); !errors.Is(err, fault.Unauthenticated) {
		t.Errorf("a message that says it is a session token is opened as one: %v", err)
	}
}

// FuzzOpenMessage holds that no text but what was sealed opens, and that whatever does not fails in one way.
func FuzzOpenMessage(f *testing.F) {
	clock := newClock()
	ring := newRing(f, clock)
	mint(f, ring, podSession(clock.Now()))
	good := seal(f, ring, "why", 0)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add("gQ" + strings.Repeat("A", 80))
	f.Add("\n" + good)
	f.Fuzz(func(t *testing.T, m string) {
		text, err := ring.OpenMessage(t.Context(), m)
		switch {
		case err == nil && (m != good || string(text) != "why"):
			t.Fatalf("%q opens as %q", m, text)
		case err != nil && !errors.Is(err, fault.Invalid):
			t.Fatal(err)
		}
	})
}

// BenchmarkSealMessage is what a refusal adds.
func BenchmarkSealMessage(b *testing.B) {
	clock := newClock()
	ring := newRing(b, clock)
	mint(b, ring, podSession(clock.Now()))
	text := []byte(strings.Repeat(`{"key":"aws:RequestTag/kubernetes-namespace","values":{"items":[{"value":"shop"}]}},`, 40))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := ring.SealMessage(text, 2304); !ok {
			b.Fatal("not sealed")
		}
	}
}

// TestGoldenUserToken is TestGoldenToken for the sessions of users.
func TestGoldenUserToken(t *testing.T) {
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
	golden(t, ring, "testdata/user-token.txt", federatedSession(clock.Now()))
}

func TestRoundTripOfAFederatedUser(t *testing.T) {
	t.Parallel()
	clock := newClock()
	ring := newRing(t, clock)
	want := federatedSession(clock.Now())
	c := mint(t, ring, want)
	got, _, err := ring.Open(t.Context(), c.AccessKeyID, c.SessionToken)
	want.AccessKeyID = c.AccessKeyID
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}
