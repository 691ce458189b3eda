package credential

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/podid/podid/internal/store"
)

// Rotate is what Run does when it is due.
func (r *Ring) Rotate(ctx context.Context) error { return r.rotate(ctx) }

// KeyIDs lists the keys of the ring that this replica knows, in no particular order.
func (r *Ring) KeyIDs() []string {
	var ids []string
	for _, k := range ringKeys.All(r.c.DB.Snapshot(), nil) {
		ids = append(ids, k.ID)
	}
	return ids
}

// Decode reads an encoded session.
func Decode(data []byte) (Session, error) { return new(codec).decode(data) }

// AddKey puts a known key into the ring.
func (r *Ring) AddKey(ctx context.Context, id [keyIDSize]byte, key []byte, created time.Time) error {
	return r.c.DB.Update(ctx, func(tx *store.Tx) error {
		k := &ringKey{ID: hex.EncodeToString(id[:]), Key: key, Created: created, NotAfter: created.Add(r.c.RotateEvery)}
		return ringKeys.Create(tx, store.Key{k.ID}, k)
	})
}
