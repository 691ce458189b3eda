package credential

import "context"

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
