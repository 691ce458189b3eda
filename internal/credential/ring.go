package credential

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

// RingConfig says where the keys are and how long each is used. DB is required.
type RingConfig struct {
	DB          *store.DB
	Now         func() time.Time // default: time.Now
	Rand        io.Reader        // default: crypto/rand
	RotateEvery time.Duration    // default: 24 hours
	Logger      *slog.Logger     // default: none
}

// Ring mints and opens sessions. Every replica has one; what they share is the table of keys.
type Ring struct {
	c        RingConfig
	codec    codec
	messages packer
}

// ringKey is a key of the ring at rest, at (ID) in its table.
type ringKey struct {
	ID       string    `json:"id"` // hex
	Key      []byte    `json:"key"`
	Created  time.Time `json:"created"`
	NotAfter time.Time `json:"not_after"` // nothing is sealed under the key from then on

	sealer *sealer
}

var ringKeys = store.NewTable[ringKey]("ring-key")

// Schema lists the tables of this package.
func Schema() []store.Definition { return []store.Definition{ringKeys} }

const (
	defaultRotateEvery = 24 * time.Hour
	ringKeySize        = 32

	// clockSkew is how far the clocks of two replicas may differ.
	clockSkew = 5 * time.Minute

	// Run looks at the ring at least this often, as timers stand still while a machine sleeps, and this soon after a failure.
	maxRotateWait    = time.Hour
	rotateRetryAfter = time.Minute
)

// Loaded derives the working keys, once for each time the record is read.
func (k *ringKey) Loaded() error {
	id, err := hex.DecodeString(k.ID)
	if err != nil || len(id) != keyIDSize || len(k.Key) != ringKeySize {
		return errors.New("not a key of the ring")
	}
	k.sealer, err = newSealer([keyIDSize]byte(id), k.Key)
	return err
}

// removeAt is when no session of the key can be alive any more.
func (k *ringKey) removeAt() time.Time { return k.NotAfter.Add(MaxLifetime + clockSkew) }

// NewRing makes a ring. The first key is made by Run or by the first Mint, whichever comes first on whichever replica.
func NewRing(c RingConfig) (*Ring, error) {
	if c.DB == nil {
		return nil, fault.New(fault.Internal, "session", "The ring needs a store")
	}
	if c.RotateEvery < 0 {
		return nil, fault.New(fault.Invalid, "session", "The time between two keys must be positive")
	}
	if c.RotateEvery == 0 {
		c.RotateEvery = defaultRotateEvery
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Ring{c: c}, nil
}

// Mint makes credentials for s, whose AccessKeyID it draws. IssuedAt defaults to now; ExpiresAt must be later than that, and no
// more than [MaxLifetime] away. A session that does not fit a token of [MaxTokenLength] fails with [fault.Limit].
func (r *Ring) Mint(ctx context.Context, s Session) (Credentials, error) {
	now := r.c.Now()
	if s.IssuedAt.IsZero() {
		s.IssuedAt = now
	}
	s.IssuedAt, s.ExpiresAt = s.IssuedAt.UTC().Truncate(time.Second), s.ExpiresAt.UTC().Truncate(time.Second)
	if !s.ExpiresAt.After(s.IssuedAt) || s.ExpiresAt.Sub(now) > MaxLifetime {
		return Credentials{}, fault.New(fault.Invalid, "session", "A session lives for up to %s", MaxLifetime)
	}
	key := r.newest(r.c.DB.Snapshot())
	if key == nil || !now.Before(key.NotAfter) {
		if err := r.rotate(ctx); err != nil {
			return Credentials{}, err
		}
		if key = r.newest(r.c.DB.Snapshot()); key == nil {
			return Credentials{}, fault.New(fault.Unavailable, "session", "There is no key to seal sessions with")
		}
	}
	id, err := newAccessKeyID(r.c.Rand)
	if err != nil {
		return Credentials{}, err
	}
	encoded, err := r.codec.encode(s)
	var sealed string
	if err == nil {
		sealed, err = key.sealer.seal(r.c.Rand, id, encoded)
	}
	if errors.Is(err, errTooLong) {
		return Credentials{}, fault.New(fault.Limit, "session", "Serialized token too large for session")
	}
	if err != nil {
		return Credentials{}, err
	}
	return Credentials{
		AccessKeyID:     id,
		SecretAccessKey: key.sealer.secretFor(id),
		SessionToken:    sealed,
		Expiration:      s.ExpiresAt,
	}, nil
}

// Open tells what session a token stands for, and the secret that its access key signs with. It fails with
// [fault.Unauthenticated] for whatever Mint did not make for this access key id, and with [fault.Expired] for what it made too
// long ago, both about "session token". Only the signature proves that the caller has the secret.
func (r *Ring) Open(ctx context.Context, accessKeyID, sessionToken string) (Session, string, error) {
	if !IsAccessKeyID(accessKeyID) {
		return Session{}, "", refuse(errors.New("the access key id is not that of a session"))
	}
	t, err := parseToken(sessionToken)
	if err != nil {
		return Session{}, "", refuse(err)
	}
	sealer, err := r.find(ctx, t.keyID())
	if err != nil {
		return Session{}, "", err
	}
	encoded, err := sealer.open(t, accessKeyID)
	if err != nil {
		return Session{}, "", refuse(err)
	}
	s, err := r.codec.decode(encoded)
	if err != nil {
		return Session{}, "", refuse(err)
	}
	if !r.c.Now().Before(s.ExpiresAt) {
		return Session{}, "", fault.New(fault.Expired, "session token", "The security token included in the request is expired")
	}
	s.AccessKeyID = accessKeyID
	return s, sealer.secretFor(accessKeyID), nil
}

func refuse(cause error) error {
	return fault.New(fault.Unauthenticated, "session token", "The security token included in the request is invalid.").Because(cause)
}

// find looks a key up, in the store itself before it says that there is none: another replica may have made it just now.
func (r *Ring) find(ctx context.Context, id [keyIDSize]byte) (*sealer, error) {
	key := store.Key{hex.EncodeToString(id[:])}
	if k, ok := ringKeys.Get(r.c.DB.Snapshot(), key); ok {
		return k.sealer, nil
	}
	k, ok, err := ringKeys.Fresh(ctx, r.c.DB, key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, refuse(errors.New("the token names no key of the ring"))
	}
	return k.sealer, nil
}

// newest is the key to seal with; nil when there is none.
func (r *Ring) newest(s *store.Snapshot) *ringKey {
	var newest *ringKey
	for _, k := range ringKeys.All(s, nil) {
		newest = newer(newest, k)
	}
	return newest
}

// newer orders keys by age, and by id when two are of one second.
func newer(a, b *ringKey) *ringKey {
	if a == nil || b.Created.After(a.Created) || b.Created.Equal(a.Created) && b.ID > a.ID {
		return b
	}
	return a
}

// Run makes the first key, a new one every RotateEvery, and removes those whose last session has ended, until ctx ends. All
// replicas run it; the store lets one of them win each time.
func (r *Ring) Run(ctx context.Context) error {
	for {
		wait := rotateRetryAfter
		if err := r.rotate(ctx); err == nil {
			wait = r.untilDue()
		} else if ctx.Err() == nil {
			r.c.Logger.WarnContext(ctx, "cannot rotate the keys of session tokens", "error", err, "after", wait)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// untilDue is how long the ring may be left alone.
func (r *Ring) untilDue() time.Duration {
	wait := maxRotateWait
	if k := r.newest(r.c.DB.Snapshot()); k != nil {
		wait = min(wait, k.Created.Add(r.c.RotateEvery).Sub(r.c.Now()))
	}
	return max(wait, time.Second)
}

// rotate makes a key if the newest is old, and removes keys that have served. It writes nothing when nothing is due. A key may be
// used for twice the time between two rotations, so that a store that is away for a while stops no session from being made.
func (r *Ring) rotate(ctx context.Context) error {
	return r.c.DB.Update(ctx, func(tx *store.Tx) error {
		now := r.c.Now().UTC().Truncate(time.Second)
		var newest *ringKey
		for key, k := range ringKeys.AllTx(tx, nil) {
			newest = newer(newest, k)
			if now.After(k.removeAt()) {
				ringKeys.Delete(tx, key)
			}
		}
		if newest != nil && now.Before(newest.Created.Add(r.c.RotateEvery)) {
			return nil
		}
		material := make([]byte, keyIDSize+ringKeySize)
		if _, err := io.ReadFull(r.c.Rand, material); err != nil {
			return err
		}
		k := &ringKey{
			ID:       hex.EncodeToString(material[:keyIDSize]),
			Key:      material[keyIDSize:],
			Created:  now,
			NotAfter: now.Add(2 * r.c.RotateEvery),
		}
		return ringKeys.Create(tx, store.Key{k.ID}, k)
	})
}
