package credential_test

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store/storetest"
)

// clock is a time that tests move. All rings of a test share it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 123, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newRing(t testing.TB, c *clock) *credential.Ring {
	t.Helper()
	ring, err := credential.NewRing(credential.RingConfig{DB: storetest.New(t, credential.Schema()...), Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// podSession is a session as pod identity makes it, with names of ordinary length. spec: pod-identity.md 2.6
func podSession(now time.Time) credential.Session {
	const account = "123456789012"
	cluster := arn.Cluster("us-east-1", account, "production-eu-1")
	tags := map[string]string{
		"eks-cluster-arn":            cluster,
		"eks-cluster-name":           "production-eu-1",
		"kubernetes-namespace":       "payments",
		"kubernetes-service-account": "invoice-writer",
		"kubernetes-pod-name":        "invoice-writer-7d9c5b7f4d-x2x7k",
		"kubernetes-pod-uid":         "5a0f1f5e-6d2b-4a9e-8d5e-3f6f0c1b2a3d",
	}
	session := "eks-production-invoice-wr-0b4c1c52-3c1d-4b8e-9f57-2f5b3a6d7e8f"
	now = now.UTC().Truncate(time.Second)
	return credential.Session{
		Principal: arn.Principal{
			Kind:    arn.RoleSession,
			Account: account,
			ARN:     arn.AssumedRole(account, "InvoiceWriter", session),
			ID:      "AROA5EXAMPLE5EXAMPLE5:" + session,
			RoleARN: arn.Role(account, "/teams/payments/", "InvoiceWriter"),
			RoleID:  "AROA5EXAMPLE5EXAMPLE5",
			Tags:    tags,
		},
		SessionTags: tags,
		TransitiveTagKeys: []string{
			"eks-cluster-arn", "eks-cluster-name", "kubernetes-namespace",
			"kubernetes-service-account", "kubernetes-pod-name", "kubernetes-pod-uid",
		},
		IssuedAt:  now,
		ExpiresAt: now.Add(6 * time.Hour),
		Pod: &credential.Pod{
			ClusterARN: cluster, Namespace: "payments", ServiceAccount: "invoice-writer",
			PodName: "invoice-writer-7d9c5b7f4d-x2x7k", PodUID: "5a0f1f5e-6d2b-4a9e-8d5e-3f6f0c1b2a3d",
			Node: "ip-10-0-12-34.eu-central-1.compute.internal", AssociationID: "a-0123456789abcdefg",
		},
		Via: credential.ViaPodIdentity,
	}
}

// federatedSession is what GetFederationToken makes.
func federatedSession(now time.Time) credential.Session {
	const account = "123456789012"
	now = now.UTC().Truncate(time.Second)
	return credential.Session{
		Principal: arn.Principal{
			Kind: arn.FederatedUser, Account: account, ARN: arn.Federated(account, "alice"), ID: account + ":alice",
			UserARN: arn.User(account, "/ops/", "broker"),
		},
		SessionPolicies: []string{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}`},
		PolicyARNs:      []string{arn.Policy(account, "/", "reads")},
		SessionTags:     map[string]string{"team": "shop"},
		IssuedAt:        now, ExpiresAt: now.Add(credential.MaxLifetime),
		Via: credential.ViaFederationToken, SourceKeyID: "AKIA5EXAMPLE5EXAMPL5",
	}
}

func mint(t testing.TB, r *credential.Ring, s credential.Session) credential.Credentials {
	t.Helper()
	c, err := r.Mint(context.Background(), s)
	if err != nil {
		t.Fatalf("mint: %v", err)
	}
	return c
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	clock := newClock()
	ring := newRing(t, clock)
	full := podSession(clock.Now())
	full.Principal.UserName = "federated"
	full.Principal.UserARN = arn.User("123456789012", "/", "alice")
	full.SessionPolicies = []string{`{"Statement":[]}`, "<&> é\u2028"}
	full.SourceIdentity = "alice@example.com"
	full.FederatedProvider = arn.OIDCProvider("123456789012", "example.com/id/1")
	random := strings.Repeat("0123456789abcdef", 16)
	for name, want := range map[string]credential.Session{
		"pod identity": podSession(clock.Now()),
		"every member": full,
		"almost none":  {ExpiresAt: clock.Now().Add(time.Hour)},
		"longer":       {SourceIdentity: random, ExpiresAt: clock.Now().Add(credential.MaxLifetime)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := mint(t, ring, want)
			got, secret, err := ring.Open(t.Context(), c.AccessKeyID, c.SessionToken)
			if err != nil {
				t.Fatal(err)
			}
			want.AccessKeyID = c.AccessKeyID
			want.IssuedAt = clock.Now().Truncate(time.Second)
			want.ExpiresAt = want.ExpiresAt.Truncate(time.Second)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if secret != c.SecretAccessKey || len(secret) != credential.SecretLength {
				t.Errorf("the secret opens as %d characters, equal: %v", len(secret), secret == c.SecretAccessKey)
			}
			if !credential.IsAccessKeyID(c.AccessKeyID) {
				t.Errorf("access key id %q", c.AccessKeyID)
			}
			if !c.Expiration.Equal(want.ExpiresAt) {
				t.Errorf("expiration %s, want %s", c.Expiration, want.ExpiresAt)
			}
		})
	}
}

func TestTokenSize(t *testing.T) {
	t.Parallel()
	clock := newClock()
	ring := newRing(t, clock)
	s := podSession(clock.Now())
	if n := len(mint(t, ring, s).SessionToken); n > 1200 {
		t.Errorf("the token of an ordinary pod has %d characters", n)
	}
	// The longest names that Kubernetes and EKS permit, in all six tags.
	for k := range s.SessionTags {
		s.SessionTags[k] = strings.Repeat(k, 256/len(k))
	}
	if n := len(mint(t, ring, s).SessionToken); n > 2048 {
		t.Errorf("the token of a pod with long names has %d characters", n)
	}
	noise := make([]byte, 4096)
	for i := range noise {
		noise[i] = byte(i*i*31 + i>>3*17)
	}
	s.SessionPolicies = []string{base64.StdEncoding.EncodeToString(noise) + clock.Now().String()}
	s.SourceIdentity = strings.Repeat("x", 1<<20)
	if _, err := ring.Mint(t.Context(), s); !errors.Is(err, fault.Limit) || fault.Of(err).Subject != "session" {
		t.Errorf("a session of a megabyte: %v", err)
	}
}

func TestMintRefuses(t *testing.T) {
	t.Parallel()
	clock := newClock()
	ring := newRing(t, clock)
	for name, expiry := range map[string]time.Duration{
		"expired":     -time.Second,
		"no lifetime": 0,
		"too long":    credential.MaxLifetime + 2*time.Second,
	} {
		_, err := ring.Mint(t.Context(), credential.Session{ExpiresAt: clock.Now().Add(expiry)})
		if !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	clock := newClock()
	ring := newRing(t, clock)
	good := mint(t, ring, podSession(clock.Now()))
	other := mint(t, ring, podSession(clock.Now()))
	if good.AccessKeyID == other.AccessKeyID || good.SecretAccessKey == other.SecretAccessKey {
		t.Fatal("two sessions share an access key")
	}
	stranger := mint(t, newRing(t, clock), podSession(clock.Now()))
	for name, tt := range map[string]struct{ accessKeyID, token string }{
		"another session's key": {other.AccessKeyID, good.SessionToken},
		"another ring's token":  {stranger.AccessKeyID, stranger.SessionToken},
		"no token":              {good.AccessKeyID, ""},
		"no access key id":      {"", good.SessionToken},
		"long-lived key":        {"AKIA" + good.AccessKeyID[4:], good.SessionToken},
		"lower-case key":        {strings.ToLower(good.AccessKeyID), good.SessionToken},
		"padded token":          {good.AccessKeyID, good.SessionToken + "="},
		"broken line":           {good.AccessKeyID, good.SessionToken[:40] + "\n" + good.SessionToken[40:]},
		"short token":           {good.AccessKeyID, good.SessionToken[:40]},
		"long token":            {good.AccessKeyID, strings.Repeat("A", 1<<20)},
	} {
		s, secret, err := ring.Open(t.Context(), tt.accessKeyID, tt.token)
		if !errors.Is(err, fault.Unauthenticated) || fault.Of(err).Subject != "session token" {
			t.Errorf("%s: got %v", name, err)
		}
		if secret != "" || s.Via != "" {
			t.Errorf("%s: a refusal comes with a session", name)
		}
	}
}

func TestOpenRefusesEveryChangedByte(t *testing.T) {
	t.Parallel()
	clock := newClock()
	ring := newRing(t, clock)
	c := mint(t, ring, podSession(clock.Now()))
	raw, err := base64.RawURLEncoding.DecodeString(c.SessionToken)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		changed := slices.Clone(raw)
		changed[i] ^= 1 << (i % 8)
		_, _, err := ring.Open(t.Context(), c.AccessKeyID, base64.RawURLEncoding.EncodeToString(changed))
		if !errors.Is(err, fault.Unauthenticated) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		_, _, err = ring.Open(t.Context(), c.AccessKeyID, base64.RawURLEncoding.EncodeToString(raw[:i]))
		if !errors.Is(err, fault.Unauthenticated) {
			t.Fatalf("cut at byte %d: %v", i, err)
		}
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	clock := newClock()
	ring := newRing(t, clock)
	c := mint(t, ring, podSession(clock.Now()))
	clock.Add(6*time.Hour - time.Second)
	if _, _, err := ring.Open(t.Context(), c.AccessKeyID, c.SessionToken); err != nil {
		t.Errorf("a second before the end: %v", err)
	}
	clock.Add(time.Second)
	_, secret, err := ring.Open(t.Context(), c.AccessKeyID, c.SessionToken)
	if !errors.Is(err, fault.Expired) || fault.Of(err).Public != "The security token included in the request is expired" {
		t.Errorf("at the end: %v", err)
	}
	if secret != "" {
		t.Error("a refusal comes with the secret")
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	clock := newClock()
	ring := newRing(t, clock)
	rotate := func(want int) {
		t.Helper()
		if err := ring.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := len(ring.KeyIDs()); got != want {
			t.Fatalf("the ring has %d keys, want %d", got, want)
		}
	}
	rotate(1)
	rotate(1)
	first := ring.KeyIDs()
	clock.Add(24*time.Hour - time.Second)
	rotate(1)
	old := mint(t, ring, credential.Session{ExpiresAt: clock.Now().Add(credential.MaxLifetime)})
	clock.Add(time.Second)
	rotate(2)
	young := mint(t, ring, credential.Session{ExpiresAt: clock.Now().Add(credential.MaxLifetime)})
	if old.SessionToken[:12] == young.SessionToken[:12] {
		t.Error("the new key is not used")
	}
	clock.Add(credential.MaxLifetime - 2*time.Second)
	for range 2 {
		if _, _, err := ring.Open(t.Context(), old.AccessKeyID, old.SessionToken); err != nil {
			t.Errorf("a session of the old key: %v", err)
		}
		rotate(3)
	}
	// The first key may be used for 48 hours, its sessions live for 36 more.
	clock.Add(24*time.Hour + 5*time.Minute + 3*time.Second)
	rotate(3)
	if slices.Contains(ring.KeyIDs(), first[0]) {
		t.Error("the first key has outlived its sessions")
	}
}

func TestMintWithoutRun(t *testing.T) {
	t.Parallel()
	clock := newClock()
	ring := newRing(t, clock)
	mint(t, ring, podSession(clock.Now()))
	clock.Add(48*time.Hour - time.Second)
	mint(t, ring, podSession(clock.Now()))
	if got := len(ring.KeyIDs()); got != 1 {
		t.Errorf("the ring has %d keys before the first is spent", got)
	}
	clock.Add(time.Second)
	mint(t, ring, podSession(clock.Now()))
	if got := len(ring.KeyIDs()); got != 2 {
		t.Errorf("the ring has %d keys after the first is spent", got)
	}
}

func TestReplicas(t *testing.T) {
	t.Parallel()
	clock := newClock()
	c := storetest.Config(t, credential.Schema()...)
	var rings []*credential.Ring
	for range 3 {
		ring, err := credential.NewRing(credential.RingConfig{DB: storetest.Open(t, c), Now: clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		rings = append(rings, ring)
	}
	var g errgroup.Group
	for _, minter := range rings {
		g.Go(func() error {
			// All three find no key at first, and one of them makes it.
			c, err := minter.Mint(context.Background(), podSession(clock.Now()))
			if err != nil {
				return err
			}
			for _, opener := range rings {
				_, secret, err := opener.Open(context.Background(), c.AccessKeyID, c.SessionToken)
				if err != nil {
					return err
				}
				if secret != c.SecretAccessKey {
					return errors.New("the replicas derive different secrets")
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, ring := range rings {
		if got := len(ring.KeyIDs()); got != 1 {
			t.Errorf("a replica knows %d keys", got)
		}
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	clock := newClock()
	db := storetest.New(t, credential.Schema()...)
	ring, err := credential.NewRing(credential.RingConfig{DB: db, Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- ring.Run(ctx) }()
	for len(ring.KeyIDs()) == 0 {
		s := db.Snapshot()
		if len(ring.KeyIDs()) == 0 {
			<-db.Changed(s.Revision())
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func FuzzOpen(f *testing.F) {
	clock := newClock()
	ring := newRing(f, clock)
	c := mint(f, ring, podSession(clock.Now()))
	f.Add(c.AccessKeyID, c.SessionToken[1:])
	f.Add(c.AccessKeyID, c.SessionToken[:60])
	f.Add("ASIAAAAAAAAAAAAAAAAA", c.SessionToken)
	f.Add("ASIA", "AQ")
	f.Fuzz(func(t *testing.T, accessKeyID, token string) {
		if accessKeyID == c.AccessKeyID && token == c.SessionToken {
			t.Skip("the one that opens")
		}
		if _, _, err := ring.Open(context.Background(), accessKeyID, token); !errors.Is(err, fault.Unauthenticated) {
			t.Errorf("got %v", err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x00{}"))
	f.Add([]byte("\x01\xaaV\xaa\x05\x00"))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = credential.Decode(data) })
}

func BenchmarkMint(b *testing.B) {
	clock := newClock()
	ring := newRing(b, clock)
	s := podSession(clock.Now())
	b.ReportAllocs()
	for b.Loop() {
		c := mint(b, ring, s)
		b.ReportMetric(float64(len(c.SessionToken)), "chars")
	}
}

func BenchmarkOpen(b *testing.B) {
	clock := newClock()
	ring := newRing(b, clock)
	c := mint(b, ring, podSession(clock.Now()))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ring.Open(context.Background(), c.AccessKeyID, c.SessionToken); err != nil {
			b.Fatal(err)
		}
	}
}
